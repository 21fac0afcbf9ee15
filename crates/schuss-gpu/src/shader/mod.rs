//! Text of the shaders of a trial.

mod activation;
mod batch_norm;
mod draws;
mod gather;
mod loss;
mod norm;
mod product;
mod rows;
mod step;
mod tile;

pub(crate) use activation::{activation, activation_gradient};
pub(crate) use batch_norm::{BatchNorm, batch_norm, batch_norm_gradient};
pub(crate) use draws::{Dropout, dropout};
pub(crate) use gather::{Inputs, Normaliser, gather};
pub(crate) use loss::loss;
pub(crate) use norm::{norm_factors, norm_parts};
pub(crate) use product::{Forward, Fused, InputGradient, Weights, forward, input_gradient};
pub(crate) use rows::{
    LayerNorm, layer_norm, layer_norm_gradient, layer_norm_sums, log_softmax, log_softmax_gradient,
};
pub(crate) use step::{Applied, Job, Jobs, Swept, gradients, sweep};
pub(crate) use tile::{Tile, spread};

use std::fmt::Write as _;

/// Words at the start of a row of the table: samples, first sample within the chunk, update within the call, flags, the
/// divisor of sums, the epoch, and the position of the first sample in it.
pub(crate) const ROW_HEAD: usize = 7;

/// Flag of a row that begins the sums of an update.
pub(crate) const BEGINS: u32 = 1;

/// Flag of a row in training.
pub(crate) const TRAINING: u32 = 2;

/// Bindings, true for those that are only read.
pub(crate) const READ_ONLY: [bool; 8] = [false, false, false, true, true, true, false, false];

/// Threads of a group of an element-wise shader.
pub(crate) const THREADS: u32 = 64;

/// Rows of numbers in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rows {
    /// Place of the first number.
    pub(crate) at: usize,
    /// Numbers per row.
    pub(crate) width: usize,
    /// Numbers from one row to the next.
    pub(crate) stride: usize,
    /// True if they hold the samples of a whole chunk, not those of one pass.
    pub(crate) of_chunk: bool,
}

impl Rows {
    /// Expression for the place of column `col` of row `row`.
    fn place(&self, row: &str, col: &str) -> String {
        let Self { at, stride, of_chunk, .. } = *self;
        let row = if of_chunk { format!("(table_word(1u) + {row})") } else { row.to_owned() };
        format!("({at}u + {row} * {stride}u + {col})")
    }

    /// Expression for the number in column `col` of row `row`.
    fn number(&self, row: &str, col: &str) -> String {
        format!("arena[{}]", self.place(row, col))
    }
}

/// Declarations that all shaders share; rows of the table are `row_words` long, and the knobs begin after its head.
pub(crate) fn head(row_words: usize) -> String {
    let mut text = String::new();
    let names = ["params", "slots", "arena", "table", "samples", "chunk", "scores"];
    for (binding, name) in names.into_iter().enumerate() {
        let access = if READ_ONLY[binding] { "read" } else { "read_write" };
        let number = if matches!(name, "table" | "samples" | "chunk") { "u32" } else { "f32" };
        let _ =
            writeln!(text, "@group(0) @binding({binding}) var<storage, {access}> {name}: array<{number}>;");
    }
    let _ = write!(
        text,
        "@group(0) @binding(7) var<storage, read_write> first_bad: atomic<u32>;
struct Which {{ row: u32 }}
var<immediate> which: Which;
fn table_word(index: u32) -> u32 {{ return table[which.row * {row_words}u + index]; }}
fn knob(index: u32) -> f32 {{ return bitcast<f32>(table_word({ROW_HEAD}u + index)); }}
fn rows() -> u32 {{ return table_word(0u); }}
fn is_training() -> bool {{ return (table_word(3u) & {TRAINING}u) != 0u; }}
fn has_ended() -> bool {{ return atomicLoad(&first_bad) < table_word(2u); }}
{helpers}",
        helpers = crate::trace::HELPERS,
    );
    text
}

/// An element-wise shader: `body` runs for each `index` below `len`, an expression.
fn each(row_words: usize, functions: &str, len: &str, body: &str) -> String {
    format!(
        "{head}{functions}
@compute @workgroup_size({THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {{
    let index = (group.x + group.y * {spread}u) * {THREADS}u + local;
    if (index >= {len}) {{ return; }}
{body}
}}
",
        head = head(row_words),
        spread = tile::SPREAD,
    )
}
