//! Batch normalisation, a thread for each column.

use super::{BEGINS, Rows, each};

/// A batch normalisation: x̂ = (x − mean) / √(variance + ε) over the samples of a group, y = γ x̂ + β.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchNorm {
    pub(crate) eps: f64,
    /// Weight of each group in the running statistics.
    pub(crate) momentum: f64,
    /// Samples per group.
    pub(crate) group: usize,
    /// Places of γ, β, running mean and running variance in the parameters.
    pub(crate) tensors: [usize; 4],
    pub(crate) input: Rows,
    pub(crate) output: Rows,
}

impl BatchNorm {
    /// Statements that define `end`, `count`, `mean`, `variance` and `scale` of the group that begins at row `start`.
    fn moments(&self) -> String {
        format!(
            "        let end = min(start + {group}u, rows());
        let count = f32(end - start);
        var sum = 0.0;
        for (var row = start; row < end; row++) {{ sum += {x}; }}
        let mean = sum / count;
        var squares = 0.0;
        for (var row = start; row < end; row++) {{
            let off = {x} - mean;
            squares = fma(off, off, squares);
        }}
        let variance = squares / count;
        let scale = 1.0 / sqrt(variance + {eps:e}f);",
            group = self.group,
            x = self.input.number("row", "i"),
            eps = self.eps,
        )
    }
}

/// Text of the outputs. In training, groups are normalised by their own moments, which enter the running ones, except those
/// of a group of one sample; in evaluation by the running ones.
pub(crate) fn batch_norm(row_words: usize, layer: &BatchNorm) -> String {
    let BatchNorm { eps, momentum, group, tensors, input, output } = layer;
    let [gain, bias, running_mean, running_variance] = tensors;
    let body = format!(
        "    if (has_ended()) {{ return; }}
    let i = index;
    let gain = params[{gain}u + i];
    let bias = params[{bias}u + i];
    if (!is_training()) {{
        let mean = params[{running_mean}u + i];
        let scale = 1.0 / sqrt(params[{running_variance}u + i] + {eps:e}f);
        for (var row = 0u; row < rows(); row++) {{ {y} = fma(gain, ({x} - mean) * scale, bias); }}
        return;
    }}
    for (var start = 0u; start < rows(); start += {group}u) {{
{moments}
        for (var row = start; row < end; row++) {{ {y} = fma(gain, ({x} - mean) * scale, bias); }}
        if (end - start > 1u) {{
            let unbiased = count / (count - 1.0) * variance;
            params[{running_mean}u + i] += {momentum:e}f * (mean - params[{running_mean}u + i]);
            params[{running_variance}u + i] += {momentum:e}f * (unbiased - params[{running_variance}u + i]);
        }}
    }}",
        x = input.number("row", "i"),
        y = output.number("row", "i"),
        moments = layer.moments(),
    );
    each(row_words, "", &format!("{}u", input.width), &body)
}

/// Text of Dˣ = γ (Dʸ − mean(Dʸ) − x̂ mean(Dʸ x̂)) / √(variance + ε), if it is needed, and of the gradients of γ and β, which
/// are added up from place `sums` of the arena on.
pub(crate) fn batch_norm_gradient(
    row_words: usize,
    layer: &BatchNorm,
    from: Rows,
    to: Option<Rows>,
    sums: usize,
) -> String {
    let BatchNorm { group, tensors: [gain, bias, ..], input, .. } = layer;
    let (x, dy) = (input.number("row", "i"), from.number("row", "i"));
    let write = to.map_or(String::new(), |to| {
        format!(
            "        for (var row = start; row < end; row++) {{
            let standard = ({x} - mean) * scale;
            {dx} = gain * scale * ({dy} - bias_sum / count - standard * (gain_sum / count));
        }}
",
            dx = to.number("row", "i"),
        )
    });
    let body = format!(
        "    let i = index;
    let gain = params[{gain}u + i];
    var of_gain = 0.0;
    var of_bias = 0.0;
    if ((table_word(3u) & {BEGINS}u) == 0u) {{
        of_gain = arena[{gain_at}u + i];
        of_bias = arena[{bias_at}u + i];
    }}
    for (var start = 0u; start < rows(); start += {group}u) {{
{moments}
        var gain_sum = 0.0;
        var bias_sum = 0.0;
        for (var row = start; row < end; row++) {{
            gain_sum = fma({dy}, ({x} - mean) * scale, gain_sum);
            bias_sum += {dy};
        }}
{write}        of_gain += gain_sum;
        of_bias += bias_sum;
    }}
    arena[{gain_at}u + i] = of_gain;
    arena[{bias_at}u + i] = of_bias;",
        gain_at = sums + gain,
        bias_at = sums + bias,
        moments = layer.moments(),
    );
    each(row_words, "", &format!("{}u", input.width), &body)
}
