//! Matrix products by tiles: each group of threads computes one tile of the outputs.

use std::fmt::Write as _;

/// Shape of a tile and of the work of a thread. Each output is one chain over the depth, so no bit depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    /// Threads along rows and along columns.
    threads: u32,
    /// A thread computes 4 `blocks` x 4 `blocks` outputs.
    blocks: u32,
    /// Terms that are loaded at once.
    depth: u32,
}

const SMALL: Tile = Tile { threads: 8, blocks: 1, depth: 16 };
const MEDIUM: Tile = Tile { threads: 16, blocks: 1, depth: 16 };
const LARGE: Tile = Tile { threads: 16, blocks: 2, depth: 8 };

/// Number of tiles that keep a card busy: about one per multiprocessor of a large one. Not tuned on a card yet.
const ENOUGH: usize = 128;

impl Tile {
    /// Chooses the largest tile of which outputs of these shapes, `[rows, cols]`, have enough.
    pub(crate) fn choose(shapes: &[[usize; 2]]) -> Self {
        let tiles = |tile: &Self| -> usize {
            let side = tile.side() as usize;
            shapes.iter().map(|[rows, cols]| rows.div_ceil(side) * cols.div_ceil(side)).sum()
        };
        [LARGE, MEDIUM].into_iter().find(|tile| tiles(tile) >= ENOUGH).unwrap_or(SMALL)
    }

    /// Rows, and columns, of a tile.
    pub(crate) fn side(self) -> u32 {
        4 * self.blocks * self.threads
    }
}

/// Direction in which the numbers of a factor lie side by side in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Along {
    /// Along the terms of a sum.
    Depth,
    /// Along the outputs.
    Outputs,
}

/// A product: C[row, col] = Σ left(row, k) right(k, col), with functions of the same names in its text.
pub(super) struct Product<'a> {
    pub(super) tile: Tile,
    /// Statements that define `job`, and `row_0` and `col_0`, the first row and column of the tile.
    pub(super) locate: &'a str,
    /// Expression for the number of terms, uniform.
    pub(super) depth: &'a str,
    /// Memory order of `fn left(job: Job, row: u32, k: u32) -> f32`.
    pub(super) left: Along,
    /// Memory order of `fn right(job: Job, k: u32, col: u32) -> f32`.
    pub(super) right: Along,
}

impl Product<'_> {
    /// Text of the entry point, which calls `put(job, row, col, sum)` for every output of a tile, unless the trial has
    /// ended.
    pub(super) fn main(&self) -> String {
        let Self { tile, locate, depth, .. } = *self;
        let Tile { threads, depth: step, .. } = tile;
        let quads = tile.side() / 4;
        format!(
            "var<workgroup> left_tile: array<vec4<f32>, {room}>;
var<workgroup> right_tile: array<vec4<f32>, {room}>;
@compute @workgroup_size({all})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {{
{locate}
    let depth = {depth};
    let down = local / {threads}u;
    let across = local % {threads}u;
{zeros}
    for (var k_0 = 0u; k_0 < depth; k_0 += {step}u) {{
{load_left}{load_right}        workgroupBarrier();
        for (var k = 0u; k < {step}u; k++) {{
{terms}        }}
        workgroupBarrier();
    }}
    if (has_ended()) {{ return; }}
{puts}}}
",
            room = step * quads,
            all = threads * threads,
            zeros = self.zeros(),
            load_left = self.load("left", self.left, |row, k| format!("left(job, row_0 + {row}, {k})")),
            load_right = self.load("right", self.right, |col, k| format!("right(job, {k}, col_0 + {col})")),
            terms = self.terms(),
            puts = self.puts(),
        )
    }

    /// Names of the sums: one vector of four columns per row and block of columns.
    fn sums(&self) -> impl Iterator<Item = Sum> + use<> {
        let blocks = self.tile.blocks;
        (0..blocks).flat_map(move |down| {
            (0..4).flat_map(move |row| (0..blocks).map(move |across| Sum { down, row, across }))
        })
    }

    fn zeros(&self) -> String {
        self.sums().map(|sum| format!("    var {} = vec4<f32>(0.0);\n", sum.name())).collect()
    }

    /// Loads one factor's tile, four outputs at a time; neighbouring threads read neighbouring numbers.
    fn load(&self, name: &str, along: Along, number: impl Fn(&str, &str) -> String) -> String {
        let Tile { threads, depth, .. } = self.tile;
        let quads = self.tile.side() / 4;
        let (k, quad) = match along {
            Along::Depth => (format!("i % {depth}u"), format!("i / {depth}u")),
            Along::Outputs => (format!("i / {quads}u"), format!("i % {quads}u")),
        };
        let four: Vec<String> = (0..4).map(|i| number(&format!("4u * quad + {i}u"), "k_0 + k")).collect();
        format!(
            "        for (var i = local; i < {all}u; i += {step}u) {{
            let k = {k};
            let quad = {quad};
            {name}_tile[k * {quads}u + quad] = vec4<f32>({four});
        }}
",
            all = depth * quads,
            step = threads * threads,
            four = four.join(", "),
        )
    }

    fn terms(&self) -> String {
        let (Tile { threads, blocks, .. }, quads) = (self.tile, self.tile.side() / 4);
        let mut text = String::new();
        for block in 0..blocks {
            for (side, place) in [("left", "down"), ("right", "across")] {
                let offset = block * threads;
                let _ = writeln!(
                    text,
                    "            let {side}_{block} = {side}_tile[k * {quads}u + {offset}u + {place}];"
                );
            }
        }
        for sum in self.sums() {
            let Sum { down, row, across } = sum;
            let (name, lane) = (sum.name(), ["x", "y", "z", "w"][row as usize]);
            let _ = writeln!(
                text,
                "            {name} = fma(vec4<f32>(left_{down}.{lane}), right_{across}, {name});"
            );
        }
        text
    }

    fn puts(&self) -> String {
        let threads = self.tile.threads;
        let mut text = String::new();
        for sum in self.sums() {
            let Sum { down, row, across } = sum;
            let row = format!("row_0 + 4u * ({}u + down) + {row}u", down * threads);
            for (col, lane) in ["x", "y", "z", "w"].into_iter().enumerate() {
                let col = format!("col_0 + 4u * ({}u + across) + {col}u", across * threads);
                let _ = writeln!(text, "    put(job, {row}, {col}, {}.{lane});", sum.name());
            }
        }
        text
    }
}

/// Place of a sum among those of a thread.
#[derive(Clone, Copy)]
struct Sum {
    down: u32,
    row: u32,
    across: u32,
}

impl Sum {
    fn name(self) -> String {
        format!("sum_{}_{}_{}", self.down, self.row, self.across)
    }
}

/// Groups along x before the next row of groups begins; cards have at most 65,535 along each direction.
pub(super) const SPREAD: u32 = 1 << 15;

/// Spreads `groups` groups over two directions.
pub(crate) fn spread(groups: u32) -> [u32; 2] {
    [groups.min(SPREAD), groups.div_ceil(SPREAD)]
}
