//! Loss of every sample, its gradient, and whether its class is predicted.

use super::{Rows, THREADS, head};
use crate::places::Targets;

/// Text of the loss; `text` declares `fn loss(row: u32) -> f32`. Writes two scores per sample of the chunk: its loss, and
/// 1 if the largest output, the first of equals, is that of its class.
pub(crate) fn loss(row_words: usize, text: &str, outputs: Rows, slopes: Rows, targets: Targets) -> String {
    let target = match targets {
        Targets::Classes { at } => {
            format!("fn class_of(row: u32) -> u32 {{ return chunk[{at}u + table_word(1u) + row]; }}")
        }
        Targets::Numbers { at, width } => format!(
            "fn target_at(row: u32, index: u32) -> f32 {{
    return bitcast<f32>(chunk[{at}u + (table_word(1u) + row) * {width}u + index]);
}}"
        ),
        Targets::Inputs(rows) => {
            format!("fn target_at(row: u32, index: u32) -> f32 {{ return {}; }}", rows.number("row", "index"))
        }
    };
    let correct = match targets {
        Targets::Classes { .. } => "f32(largest(row) == class_of(row))",
        Targets::Numbers { .. } | Targets::Inputs(_) => "0.0",
    };
    // a number is not finite if all bits of its exponent are set; comparisons of NaN cannot be trusted everywhere
    format!(
        "{head}{target}
fn output(row: u32, index: u32) -> f32 {{ return {output}; }}
fn set_slope(row: u32, index: u32, slope: f32) {{ {slope} = slope; }}
fn largest(row: u32) -> u32 {{
    var best = 0u;
    for (var i = 1u; i < {width}u; i++) {{
        best = select(best, i, output(row, i) > output(row, best));
    }}
    return best;
}}
{text}
@compute @workgroup_size({THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {{
    let row = group.x * {THREADS}u + local;
    if (row >= rows() || has_ended()) {{ return; }}
    let value = loss(row);
    let score = 2u * (table_word(1u) + row);
    scores[score] = value;
    scores[score + 1u] = {correct};
    if ((bitcast<u32>(value) & 0x7f800000u) == 0x7f800000u) {{ atomicMin(&first_bad, table_word(2u)); }}
}}
",
        head = head(row_words),
        output = outputs.number("row", "index"),
        slope = slopes.number("row", "index"),
        width = outputs.width,
    )
}
