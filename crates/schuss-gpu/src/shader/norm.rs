//! Norms of the gradients of groups of tensors, by fixed trees.

use super::{Swept, THREADS, head};
use crate::places::PARTS;
use std::fmt::Write as _;

/// Text of the partial sums of squared gradients: `PARTS` of each of `groups` groups, from place `to` of the arena on.
/// Gradients are added up from place `sums` on.
pub(crate) fn norm_parts(
    row_words: usize,
    tensors: &[Swept],
    groups: usize,
    sums: usize,
    to: usize,
) -> String {
    let mut belongs = String::new();
    for Swept { place, cols, stride, group } in tensors {
        let (start, end) = (place.start, place.end);
        let _ = writeln!(
            belongs,
            "    if (place >= {start}u && place < {end}u) {{ return group_index == {group}u && (place - {start}u) % {stride}u < {cols}u; }}"
        );
    }
    let end = tensors.iter().map(|tensor| tensor.place.end).max().unwrap_or(0);
    format!(
        "{head}
var<workgroup> squares: array<f32, {THREADS}>;
fn belongs(place: u32, group_index: u32) -> bool {{
{belongs}    return false;
}}
@compute @workgroup_size({THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {{
    let id = group.x;
    if (id >= {all}u) {{ return; }}
    let count = bitcast<f32>(table_word(4u));
    var sum = 0.0;
    for (var place = id % {PARTS}u * {THREADS}u + local; place < {end}u; place += {step}u) {{
        let gradient = select(0.0, arena[{sums}u + place] / count, belongs(place, id / {PARTS}u));
        sum = fma(gradient, gradient, sum);
    }}
    squares[local] = sum;
    for (var half = {THREADS}u / 2u; half > 0u; half /= 2u) {{
        workgroupBarrier();
        if (local < half) {{ squares[local] += squares[local + half]; }}
    }}
    if (local == 0u) {{ arena[{to}u + id] = squares[0]; }}
}}
",
        head = head(row_words),
        all = groups * PARTS,
        step = PARTS as u32 * THREADS,
    )
}

/// Text of the factor of every group's gradients, max / (norm + 1e-6) if that is below 1, from place `factors` of the arena
/// on; the partial sums stand behind the factors.
pub(crate) fn norm_factors(row_words: usize, clips: &[Option<f64>], factors: usize) -> String {
    let groups = clips.len();
    let mut bounds = String::new();
    for (group, bound) in clips.iter().enumerate() {
        if let Some(bound) = bound {
            let _ = writeln!(
                bounds,
                "        if (id == {group}u) {{ factor = min(1.0, {bound:e}f / (norm + 1e-6f)); }}"
            );
        }
    }
    format!(
        "{head}
@compute @workgroup_size({THREADS})
fn main(@builtin(local_invocation_index) local: u32) {{
    for (var id = local; id < {groups}u; id += {THREADS}u) {{
        var sum = 0.0;
        for (var part = 0u; part < {PARTS}u; part++) {{
            sum += arena[{parts}u + id * {PARTS}u + part];
        }}
        let norm = sqrt(sum);
        var factor = 1.0;
{bounds}        arena[{factors}u + id] = factor;
    }}
}}
",
        head = head(row_words),
        parts = factors + groups,
    )
}
