//! Random draws in shaders, the same as on the processor: dropout, and noise on inputs.

use super::{Rows, each};
use schuss::data::random::Purpose;
use schuss::network::Noise;
use schuss_kernels::padded;

/// Functions of draws for a trial's seed.
pub(super) fn functions(seed: u64) -> String {
    let [low, high] = [seed as u32, (seed >> 32) as u32];
    format!(
        "fn seed() -> vec2<u32> {{ return vec2<u32>({low}u, {high}u); }}\n{}",
        include_str!("philox.wgsl")
    )
}

/// A dropout layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dropout {
    /// Index of the layer in the model.
    pub(crate) layer: usize,
    /// Probability of zeroing an input.
    pub(crate) p: f64,
    pub(crate) seed: u64,
}

/// Text of Y = dropout(X) in training and Y = X in evaluation; with Dʸ and Dˣ, of its gradient.
pub(crate) fn dropout(row_words: usize, layer: Dropout, input: Rows, output: Rows) -> String {
    let Dropout { layer, p, seed } = layer;
    let stride = padded(output.width);
    let body = format!(
        "    let row = index / {stride}u;
    let col = index % {stride}u;
    if (col >= {width}u || has_ended()) {{ return; }}
    var factor = 1.0;
    if (is_training()) {{
        factor = select({kept:e}f, 0.0, drawn(row, col, {high}u) < {threshold}u);
    }}
    {y} = {x} * factor;",
        width = output.width,
        kept = (1.0 / (1.0 - p)) as f32,
        high = (layer as u32) << 8 | (Purpose::Dropout as u32) << 24,
        threshold = (p * 4_294_967_296.0) as u32,
        y = output.number("row", "col"),
        x = input.number("row", "col"),
    );
    each(row_words, &functions(seed), &format!("(rows() * {stride}u)"), &body)
}

/// Statements that turn `clean`, the input in column `col` of sample `row`, into `noisy`.
pub(super) fn disturbed(noise: Option<&Noise>) -> String {
    let below = |p: f64| format!("(draw >> 8u) < {}u", (p * 16_777_216.0).ceil() as u32);
    let high = format!(
        "    let high = select({}u, {}u, is_training());\n",
        (Purpose::EvaluationNoise as u32) << 24,
        (Purpose::Noise as u32) << 24
    );
    let draw = "    let draw = drawn(row, col, high);\n";
    match noise {
        Some(Noise::Masking(noise)) => {
            format!("{high}{draw}    let noisy = select(clean, 0.0, {});", below(noise.p))
        }
        Some(Noise::SaltAndPepper(noise)) => format!(
            "{high}{draw}    let noisy = select(clean, select(1.0, 0.0, {}), {});",
            below(noise.p / 2.0),
            below(noise.p)
        ),
        Some(Noise::Gaussian(noise)) => format!(
            "{high}    var normal = 0.0;
    for (var i = 0u; i < 12u; i++) {{
        normal += f32(drawn(row, 12u * col + i, high) >> 8u) * {unit:e}f;
    }}
    let noisy = clean + {std:e}f * (normal - 6.0);",
            unit = 1.0 / 16_777_216.0_f32,
            std = noise.std as f32
        ),
        _ => "    let noisy = clean;".to_owned(),
    }
}
