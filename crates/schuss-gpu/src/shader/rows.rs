//! Layers that look at whole rows, one thread for each: log-softmax and layer normalisation.

use super::{BEGINS, Rows, each};

/// Text of Y = ln softmax(X).
pub(crate) fn log_softmax(row_words: usize, input: Rows, output: Rows) -> String {
    let body = format!(
        "    if (has_ended()) {{ return; }}
    let row = index;
    var top = {first};
    for (var i = 1u; i < {width}u; i++) {{ top = larger({x}, top); }}
    var sum = 0.0;
    for (var i = 0u; i < {width}u; i++) {{ sum += exp({x} - top); }}
    let log_sum = log(sum);
    for (var i = 0u; i < {width}u; i++) {{ {y} = {x} - top - log_sum; }}",
        width = output.width,
        first = input.number("row", "0u"),
        x = input.number("row", "i"),
        y = output.number("row", "i"),
    );
    each(row_words, "", "rows()", &body)
}

/// Text of Dˣ = Dʸ − softmax(X) Σ Dʸ, from Y = ln softmax(X).
pub(crate) fn log_softmax_gradient(row_words: usize, output: Rows, from: Rows, to: Rows) -> String {
    let body = format!(
        "    let row = index;
    var sum = 0.0;
    for (var i = 0u; i < {width}u; i++) {{ sum += {dy}; }}
    for (var i = 0u; i < {width}u; i++) {{ {dx} = {dy} - exp({y}) * sum; }}",
        width = output.width,
        y = output.number("row", "i"),
        dy = from.number("row", "i"),
        dx = to.number("row", "i"),
    );
    each(row_words, "", "rows()", &body)
}

/// A layer normalisation: x̂ = (x − mean) / √(variance + ε) over a row, y = γ x̂ + β.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayerNorm {
    pub(crate) eps: f64,
    /// Places of γ and β in the parameters.
    pub(crate) gain: usize,
    pub(crate) bias: usize,
    pub(crate) input: Rows,
    /// Mean and 1 / √(variance + ε) of every row.
    pub(crate) moments: Rows,
}

impl LayerNorm {
    /// Expression for x̂ in column `i` of a row.
    fn standard(&self) -> String {
        let [mean, scale] = ["0u", "1u"].map(|col| self.moments.number("row", col));
        format!("(({} - {mean}) * {scale})", self.input.number("row", "i"))
    }
}

/// Text of the outputs, which keeps the moments of every row.
pub(crate) fn layer_norm(row_words: usize, layer: &LayerNorm, output: Rows) -> String {
    let LayerNorm { eps, gain, bias, input, moments } = layer;
    let body = format!(
        "    if (has_ended()) {{ return; }}
    let row = index;
    var sum = 0.0;
    for (var i = 0u; i < {width}u; i++) {{ sum += {x}; }}
    let mean = sum / {width}.0;
    var squares = 0.0;
    for (var i = 0u; i < {width}u; i++) {{
        let off = {x} - mean;
        squares = fma(off, off, squares);
    }}
    {kept_mean} = mean;
    {kept_scale} = 1.0 / sqrt(squares / {width}.0 + {eps:e}f);
    for (var i = 0u; i < {width}u; i++) {{
        {y} = fma(params[{gain}u + i], {standard}, params[{bias}u + i]);
    }}",
        width = input.width,
        x = input.number("row", "i"),
        kept_mean = moments.number("row", "0u"),
        kept_scale = moments.number("row", "1u"),
        y = output.number("row", "i"),
        standard = layer.standard(),
    );
    each(row_words, "", "rows()", &body)
}

/// Text of Dˣ = (g − mean(g) − x̂ mean(g x̂)) / √(variance + ε) with g = γ Dʸ.
pub(crate) fn layer_norm_gradient(row_words: usize, layer: &LayerNorm, from: Rows, to: Rows) -> String {
    let body = format!(
        "    let row = index;
    var sum = 0.0;
    var along = 0.0;
    for (var i = 0u; i < {width}u; i++) {{
        let g = params[{gain}u + i] * {dy};
        sum += g;
        along = fma(g, {standard}, along);
    }}
    for (var i = 0u; i < {width}u; i++) {{
        let g = params[{gain}u + i] * {dy};
        {dx} = {scale} * (g - sum / {width}.0 - {standard} * (along / {width}.0));
    }}",
        width = layer.input.width,
        gain = layer.gain,
        dy = from.number("row", "i"),
        dx = to.number("row", "i"),
        scale = layer.moments.number("row", "1u"),
        standard = layer.standard(),
    );
    each(row_words, "", "rows()", &body)
}

/// Text of the gradients of γ, Σ Dʸ x̂, and β, Σ Dʸ, over the rows of a pass: a thread for each column. They are added up
/// from place `sums` of the arena on, laid out like the parameters.
pub(crate) fn layer_norm_sums(row_words: usize, layer: &LayerNorm, from: Rows, sums: usize) -> String {
    let body = format!(
        "    let i = index;
    var of_gain = 0.0;
    var of_bias = 0.0;
    for (var row = 0u; row < rows(); row++) {{
        of_gain = fma({dy}, {standard}, of_gain);
        of_bias += {dy};
    }}
    if ((table_word(3u) & {BEGINS}u) == 0u) {{
        of_gain += arena[{gain}u + i];
        of_bias += arena[{bias}u + i];
    }}
    arena[{gain}u + i] = of_gain;
    arena[{bias}u + i] = of_bias;",
        gain = sums + layer.gain,
        bias = sums + layer.bias,
        dy = from.number("row", "i"),
        standard = layer.standard(),
    );
    each(row_words, "", &format!("{}u", layer.input.width), &body)
}
