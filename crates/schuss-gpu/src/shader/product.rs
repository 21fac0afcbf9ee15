//! Products of a linear layer: its outputs, and the gradient at its inputs.

use super::tile::{Along, Product};
use super::{Rows, Tile, head};

/// Weight matrix `[inputs][stride]` and bias of a linear layer in the parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weights {
    /// Place of the first weight.
    pub(crate) weight: usize,
    /// Numbers from one row of weights to the next.
    pub(crate) stride: usize,
    /// Place of the first bias.
    pub(crate) bias: usize,
}

/// An activation that is computed within a product.
#[derive(Clone, Copy)]
pub(crate) struct Fused<'a> {
    /// WGSL of `act` and `act_gradient`.
    pub(crate) text: &'a str,
    pub(crate) input: Rows,
    pub(crate) output: Rows,
}

/// Y = X W + b, with a ReLU or an activation after it.
pub(crate) struct Forward<'a> {
    pub(crate) tile: Tile,
    pub(crate) input: Rows,
    pub(crate) output: Rows,
    pub(crate) weights: Weights,
    pub(crate) relu: bool,
    pub(crate) fused: Option<Fused<'a>>,
}

/// Dˣ = Dʸ Wᵀ, times the slope of a ReLU or an activation before it.
pub(crate) struct InputGradient<'a> {
    pub(crate) tile: Tile,
    /// Dʸ
    pub(crate) from: Rows,
    /// Dˣ, or the gradient before the activation.
    pub(crate) to: Rows,
    pub(crate) weights: Weights,
    /// Outputs of the ReLU before the layer.
    pub(crate) relu: Option<Rows>,
    pub(crate) fused: Option<Fused<'a>>,
}

/// Text of a layer's outputs.
pub(crate) fn forward(row_words: usize, layer: &Forward) -> String {
    let Forward { tile, input, output, weights, relu, fused } = layer;
    let Weights { weight, stride, bias } = *weights;
    let relued = if *relu { "select(0.0, sum_and_bias, sum_and_bias > 0.0)" } else { "sum_and_bias" };
    let then = fused.map_or(String::new(), |fused| {
        format!("    {} = act(sum_and_bias);\n", fused.output.number("row", "col"))
    });
    let functions = format!(
        "{act}
struct Job {{ unused: u32 }}
fn left(job: Job, row: u32, k: u32) -> f32 {{
    if (row >= rows() || k >= {depth}u) {{ return 0.0; }}
    return {x};
}}
fn right(job: Job, k: u32, col: u32) -> f32 {{
    if (k >= {depth}u || col >= {cols}u) {{ return 0.0; }}
    return params[{weight}u + k * {stride}u + col];
}}
fn put(job: Job, row: u32, col: u32, sum: f32) {{
    if (row >= rows() || col >= {cols}u) {{ return; }}
    let sum_and_bias = sum + params[{bias}u + col];
    {y} = {relued};
{then}}}
",
        act = fused.map_or("", |fused| fused.text),
        depth = input.width,
        cols = output.width,
        x = input.number("row", "k"),
        y = output.number("row", "col"),
    );
    let product = Product {
        tile: *tile,
        locate: &across_and_down(*tile),
        depth: &format!("{}u", input.width),
        left: Along::Depth,
        right: Along::Outputs,
    };
    head(row_words) + &functions + &product.main()
}

/// Text of the gradient at a layer's inputs.
pub(crate) fn input_gradient(row_words: usize, layer: &InputGradient) -> String {
    let InputGradient { tile, from, to, weights, relu, fused } = layer;
    let Weights { weight, stride, .. } = *weights;
    let result = match (relu, fused) {
        (Some(relu), _) => format!("select(0.0, sum, {} > 0.0)", relu.number("row", "col")),
        (None, Some(Fused { input, output, .. })) => {
            let [x, y] = [input, output].map(|rows| rows.number("row", "col"));
            format!("act_gradient({x}, {y}, sum)")
        }
        (None, None) => "sum".to_owned(),
    };
    let functions = format!(
        "{act}
struct Job {{ unused: u32 }}
fn left(job: Job, row: u32, k: u32) -> f32 {{
    if (row >= rows() || k >= {depth}u) {{ return 0.0; }}
    return {dy};
}}
fn right(job: Job, k: u32, col: u32) -> f32 {{
    if (k >= {depth}u || col >= {cols}u) {{ return 0.0; }}
    return params[{weight}u + col * {stride}u + k];
}}
fn put(job: Job, row: u32, col: u32, sum: f32) {{
    if (row >= rows() || col >= {cols}u) {{ return; }}
    {dx} = {result};
}}
",
        act = fused.map_or("", |fused| fused.text),
        depth = from.width,
        cols = to.width,
        dy = from.number("row", "k"),
        dx = to.number("row", "col"),
    );
    let product = Product {
        tile: *tile,
        locate: &across_and_down(*tile),
        depth: &format!("{}u", from.width),
        left: Along::Depth,
        right: Along::Depth,
    };
    head(row_words) + &functions + &product.main()
}

/// Statements for tiles that groups count along x and y.
fn across_and_down(tile: Tile) -> String {
    let side = tile.side();
    format!("    let job = Job(0u);\n    let row_0 = group.y * {side}u;\n    let col_0 = group.x * {side}u;")
}
