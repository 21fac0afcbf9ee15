//! Weight gradients of all linear layers in one dispatch, and the steps of their optimizer.

use super::product::Weights;
use super::tile::{Along, Product, SPREAD};
use super::{BEGINS, Rows, Tile, each, head};
use std::fmt::Write as _;
use std::ops::Range;

/// Gradient of a linear layer: Xᵀ Dʸ for its weights, and the column sums of Dʸ for its bias, as one more input that is
/// always 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    /// X
    pub(crate) input: Rows,
    /// Dʸ
    pub(crate) slopes: Rows,
    pub(crate) weights: Weights,
    /// Indices of the groups of weights and bias.
    pub(crate) groups: [usize; 2],
}

/// Gradients of all linear layers, and the tiles of each.
#[derive(Clone, Debug)]
pub(crate) struct Jobs {
    pub(crate) tile: Tile,
    pub(crate) all: Vec<Job>,
}

/// Step of a group of tensors.
pub(crate) struct Applied<'a> {
    /// Index of the group.
    pub(crate) group: usize,
    /// WGSL of `rule_GROUP`.
    pub(crate) text: &'a str,
    /// Number of slots.
    pub(crate) slots: usize,
}

impl Jobs {
    /// Number of tiles of a layer.
    fn tiles(&self, job: &Job) -> u32 {
        let side = self.tile.side();
        (job.input.width as u32 + 1).div_ceil(side) * (job.slopes.width as u32).div_ceil(side)
    }

    /// Number of tiles of all layers.
    pub(crate) fn total(&self) -> u32 {
        self.all.iter().map(|job| self.tiles(job)).sum()
    }

    /// Text of `fn job_of(id: u32) -> Job`.
    fn table(&self) -> String {
        let mut text = String::from(
            "struct Job { inputs: u32, outputs: u32, x: u32, x_stride: u32, dy: u32, dy_stride: u32,
    weight: u32, weight_stride: u32, bias: u32, first: u32, of_weight: u32, of_bias: u32 }
fn job_of(id: u32) -> Job {
",
        );
        let mut first = 0;
        for job in &self.all {
            let Job { input, slopes, weights, groups } = job;
            let end = first + self.tiles(job);
            let x = if input.of_chunk {
                format!("{}u + table_word(1u) * {}u", input.at, input.stride)
            } else {
                format!("{}u", input.at)
            };
            let _ = writeln!(
                text,
                "    if (id < {end}u) {{ return Job({}u, {}u, {x}, {}u, {}u, {}u, {}u, {}u, {}u, {first}u, {}u, {}u); }}",
                input.width,
                slopes.width,
                input.stride,
                slopes.at,
                slopes.stride,
                weights.weight,
                weights.stride,
                weights.bias,
                groups[0],
                groups[1],
            );
            first = end;
        }
        text + "    return Job(0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u);\n}\n"
    }
}

/// Text of the gradients of all layers. Their weights take a step at once if `applied` has the steps of all groups;
/// otherwise the gradients are added up from place `sums` of the arena on, laid out like the parameters.
pub(crate) fn gradients(
    row_words: usize,
    jobs: &Jobs,
    applied: &[Applied],
    slot_len: usize,
    sums: usize,
) -> String {
    let write = if applied.is_empty() {
        format!(
            "    if ((table_word(3u) & {BEGINS}u) != 0u) {{ arena[{sums}u + place] = sum; }} else {{ arena[{sums}u + place] += sum; }}"
        )
    } else {
        "    apply(group, place, sum / bitcast<f32>(table_word(4u)));".to_owned()
    };
    let functions = format!(
        "{table}{steps}
fn left(job: Job, row: u32, k: u32) -> f32 {{
    if (row > job.inputs || k >= rows()) {{ return 0.0; }}
    if (row == job.inputs) {{ return 1.0; }}
    return arena[job.x + k * job.x_stride + row];
}}
fn right(job: Job, k: u32, col: u32) -> f32 {{
    if (k >= rows() || col >= job.outputs) {{ return 0.0; }}
    return arena[job.dy + k * job.dy_stride + col];
}}
fn put(job: Job, row: u32, col: u32, sum: f32) {{
    if (row > job.inputs || col >= job.outputs) {{ return; }}
    let is_bias = row == job.inputs;
    let group = select(job.of_weight, job.of_bias, is_bias);
    let place = select(job.weight + row * job.weight_stride, job.bias, is_bias) + col;
{write}
}}
",
        table = jobs.table(),
        steps = steps(applied, slot_len),
    );
    let side = jobs.tile.side();
    let locate = format!(
        "    let id = group.x + group.y * {SPREAD}u;
    if (id >= {total}u) {{ return; }}
    let job = job_of(id);
    let tiles_across = (job.outputs + {side}u - 1u) / {side}u;
    let row_0 = (id - job.first) / tiles_across * {side}u;
    let col_0 = (id - job.first) % tiles_across * {side}u;",
        total = jobs.total(),
    );
    let product = Product {
        tile: jobs.tile,
        locate: &locate,
        depth: &format!("table[which.row * {row_words}u]"),
        left: Along::Outputs,
        right: Along::Outputs,
    };
    head(row_words) + &functions + &product.main()
}

/// A tensor whose weights take steps.
#[derive(Clone, Debug)]
pub(crate) struct Swept {
    /// Place in the parameters, padding included.
    pub(crate) place: Range<usize>,
    pub(crate) cols: usize,
    pub(crate) stride: usize,
    pub(crate) group: usize,
}

/// Text of the step of all weights, from gradients added up from place `sums` of the arena on. `factors` is the place of
/// a factor for each group, if gradients are scaled.
pub(crate) fn sweep(
    row_words: usize,
    tensors: &[Swept],
    applied: &[Applied],
    slot_len: usize,
    sums: usize,
    factors: Option<usize>,
) -> String {
    let mut body = String::from("    if (has_ended()) { return; }\n    var of_group = 0u;\n");
    for (index, Swept { place, cols, stride, group }) in tensors.iter().enumerate() {
        let otherwise = if index == 0 { "" } else { "else " };
        let (start, end) = (place.start, place.end);
        let _ = writeln!(
            body,
            "    {otherwise}if (index >= {start}u && index < {end}u && (index - {start}u) % {stride}u < {cols}u) {{ of_group = {group}u; }}"
        );
    }
    if !tensors.is_empty() {
        body += "    else { return; }\n";
    }
    let factor = factors.map_or(String::new(), |at| format!(" * arena[{at}u + of_group]"));
    let _ = writeln!(
        body,
        "    apply(of_group, index, arena[{sums}u + index] / bitcast<f32>(table_word(4u)){factor});"
    );
    let end = tensors.iter().map(|tensor| tensor.place.end).max().unwrap_or(0);
    each(row_words, &steps(applied, slot_len), &format!("{end}u"), &body)
}

/// Text of `fn apply(group: u32, place: u32, gradient: f32)`.
fn steps(applied: &[Applied], slot_len: usize) -> String {
    if applied.is_empty() {
        return String::new();
    }
    let mut text: String = applied.iter().map(|step| one_step(step, slot_len)).collect();
    text += "fn apply(group: u32, place: u32, gradient: f32) {\n    switch (group) {\n";
    for Applied { group, .. } in applied {
        let _ = writeln!(text, "        case {group}u: {{ apply_{group}(place, gradient); }}");
    }
    text + "        default: {}\n    }\n}\n"
}

fn one_step(step: &Applied, slot_len: usize) -> String {
    let Applied { group, text, slots } = *step;
    let slot = |index: usize| format!("slots[{}u + place]", index * slot_len);
    let arguments: String = (0..slots).map(|index| format!(", {}", slot(index))).collect();
    let stores: String =
        (0..slots).map(|index| format!("    {} = result.s{index};\n", slot(index))).collect();
    format!(
        "{text}
fn apply_{group}(place: u32, gradient: f32) {{
    let result = rule_{group}(gradient, params[place]{arguments});
    params[place] = result.w;
{stores}}}
"
    )
}
