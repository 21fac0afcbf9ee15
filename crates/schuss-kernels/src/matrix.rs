//! The three products of a linear layer, each parallel over its outputs.
//!
//! | product | equation | sum over |
//! |---|---|---|
//! | [`linear`] | Y = X W + b | inputs |
//! | [`weight_gradient`], [`update_weights`] | Gᵂ = Xᵀ D | samples |
//! | [`input_gradient`] | Dˣ = D Wᵀ | outputs |
//!
//! The first two are one chain of fused multiply-adds per output in index order, the third is a dot of rows:
//! 16 lanes and a fixed tree. So no result depends on threads, tiles or instruction set.

use crate::pointer::SharedMut;
use crate::sweep::{Elementwise, apply_vector};
use crate::team::share;
use crate::{Buffer, Kernel, LANES, Team, Vector, padded};
use std::cell::Cell;
use std::ops::Range;

/// A matrix whose rows are `stride` numbers apart; `stride` is a multiple of 16 and pad lanes are zero.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    stride: usize,
}

impl<'a> Matrix<'a> {
    /// `rows` x `cols`, rows padded to whole vectors.
    ///
    /// # Panics
    /// If `data` is too short.
    pub fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        let stride = padded(cols);
        assert!(data.len() >= rows * stride, "{rows} rows of {stride} need more than {} numbers", data.len());
        Self { data, rows, cols, stride }
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// Row `row`, its pad lanes included.
    pub fn row(&self, row: usize) -> &'a [f32] {
        &self.data[row * self.stride..(row + 1) * self.stride]
    }
}

/// Like [`Matrix`], to be written.
#[derive(Debug)]
pub struct MatrixMut<'a> {
    data: &'a mut [f32],
    rows: usize,
    cols: usize,
    stride: usize,
}

impl<'a> MatrixMut<'a> {
    /// `rows` x `cols`, rows padded to whole vectors.
    ///
    /// # Panics
    /// If `data` is too short.
    pub fn new(data: &'a mut [f32], rows: usize, cols: usize) -> Self {
        Matrix::new(data, rows, cols);
        Self { data, rows, cols, stride: padded(cols) }
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    pub(crate) fn into_data(self) -> &'a mut [f32] {
        self.data
    }
}

/// Whether a sum begins or goes on where the last microbatch left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// From zero.
    Fresh,
    /// From what stands in the output.
    Continue,
}

/// Y ← X W + b, then ReLU if asked. X `[m, k]`, W `[k, n]`, b `[n]`, Y `[m, n]`.
///
/// # Panics
/// If the shapes do not fit.
pub fn linear(team: &mut Team, x: Matrix, w: Matrix, bias: &[f32], relu: bool, y: MatrixMut) {
    assert!(x.cols == w.rows && y.rows == x.rows && y.cols == w.cols && bias.len() >= w.stride);
    let forward = Forward {
        bias,
        floor: if relu { 0.0 } else { f32::NEG_INFINITY },
        y: SharedMut::new(y.data),
        stride: y.stride,
    };
    let left = Left { data: x.data, row: x.stride, step: 1 };
    multiply(team, left, w.data, Shape { rows: x.rows, stride: w.stride, depth: x.cols }, &forward);
}

/// G ← Xᵀ D, from zero or going on. X `[m, k]`, D `[m, n]`, G `[k, n]`.
///
/// # Panics
/// If the shapes do not fit.
pub fn weight_gradient(team: &mut Team, x: Matrix, d: Matrix, start: Start, g: MatrixMut) {
    assert!(x.rows == d.rows && g.rows == x.cols && g.cols == d.cols);
    let sum = Sum { start, to: SharedMut::new(g.data), stride: g.stride };
    multiply(team, transposed(x), d.data, Shape { rows: x.cols, stride: d.stride, depth: x.rows }, &sum);
}

/// W ← update(Xᵀ D / count, W, slots): the product writes the new weights, no gradient is stored.
///
/// # Panics
/// If the shapes do not fit.
pub fn update_weights<U: Elementwise<S>, const S: usize>(
    team: &mut Team,
    x: Matrix,
    d: Matrix,
    count: f32,
    update: &U,
    w: MatrixMut,
    slots: [&mut [f32]; S],
) {
    assert!(x.rows == d.rows && w.rows == x.cols && w.cols == d.cols);
    assert!(slots.iter().all(|slot| slot.len() >= w.rows * w.stride));
    let slots = slots.map(SharedMut::new);
    let step = Step { update, count, w: SharedMut::new(w.data), slots, stride: w.stride };
    multiply(team, transposed(x), d.data, Shape { rows: x.cols, stride: d.stride, depth: x.rows }, &step);
}

/// Dˣ ← D Wᵀ, zero where `active` (the layer's input after its ReLU) is not positive. D `[m, n]`, W `[k, n]`, Dˣ `[m, k]`.
///
/// # Panics
/// If the shapes do not fit.
pub fn input_gradient(team: &mut Team, d: Matrix, w: Matrix, active: Option<Matrix>, dx: MatrixMut) {
    assert!(d.cols == w.cols && dx.rows == d.rows && dx.cols == w.rows);
    assert!(active.is_none_or(|active| active.rows == dx.rows && active.cols == dx.cols));
    let (rows, stride) = (d.rows, dx.stride);
    let to = SharedMut::new(dx.data);
    let blocks = w.rows.div_ceil(DOT_BLOCK);
    let isa = team.isa();
    let threads = team.threads();
    team.run(rows * d.stride * w.rows, |worker| {
        let outputs = share(blocks, worker, threads);
        let outputs = outputs.start * DOT_BLOCK..(outputs.end * DOT_BLOCK).min(w.rows);
        isa.run(Dots { d, w, active, to, stride, rows: 0..rows, outputs });
    });
}

/// Sum of every column, one chain in order of rows. D `[m, n]`, `sums` `[n]`.
///
/// # Panics
/// If the shapes do not fit.
pub fn column_sums(team: &mut Team, d: Matrix, start: Start, sums: &mut [f32]) {
    let sums = &mut sums[..d.stride];
    team.for_chunks(d.rows * d.stride, sums, LANES, |panel, sums| {
        if start == Start::Fresh {
            sums.fill(0.0);
        }
        for row in d.data.chunks_exact(d.stride).take(d.rows) {
            for (sum, x) in sums.iter_mut().zip(&row[panel * LANES..]) {
                *sum += x;
            }
        }
    });
}

/// The left factor: element (row, k) stands at `row * self.row + k * self.step`.
#[derive(Clone, Copy)]
struct Left<'a> {
    data: &'a [f32],
    row: usize,
    step: usize,
}

fn transposed(x: Matrix) -> Left {
    Left { data: x.data, row: 1, step: x.stride }
}

/// Of a product: output rows, numbers from one row of the right factor to the next, terms per sum.
#[derive(Clone, Copy)]
struct Shape {
    rows: usize,
    stride: usize,
    depth: usize,
}

/// What happens before and after the chain of one vector of outputs.
trait Epilogue: Sync {
    /// Whether outputs whose sum is zero need no `finish`.
    fn skips_zero_sums(&self) -> bool {
        false
    }

    /// Where the chain starts.
    ///
    /// # Safety
    /// The output at (row, col..col + 16) exists and belongs to this worker.
    unsafe fn start<V: Vector>(&self, row: usize, col: usize) -> V;

    /// Takes the end of the chain.
    ///
    /// # Safety
    /// As for `start`.
    unsafe fn finish<V: Vector>(&self, row: usize, col: usize, sum: V);
}

/// Bias and ReLU.
struct Forward<'a> {
    bias: &'a [f32],
    floor: f32,
    y: SharedMut,
    stride: usize,
}

impl Epilogue for Forward<'_> {
    #[inline(always)]
    unsafe fn start<V: Vector>(&self, _row: usize, _col: usize) -> V {
        V::splat(0.0)
    }

    #[inline(always)]
    unsafe fn finish<V: Vector>(&self, row: usize, col: usize, sum: V) {
        // SAFETY: `linear` checked that bias and y hold col..col + 16 of this row. The floor comes first, so
        // that a NaN in the sum passes through.
        unsafe {
            let biased = sum + V::load(self.bias.as_ptr().add(col));
            V::splat(f64::from(self.floor)).max(biased).store(self.y.at(row * self.stride + col));
        }
    }
}

/// A plain sum.
struct Sum {
    start: Start,
    to: SharedMut,
    stride: usize,
}

impl Epilogue for Sum {
    #[inline(always)]
    unsafe fn start<V: Vector>(&self, row: usize, col: usize) -> V {
        match self.start {
            Start::Fresh => V::splat(0.0),
            // SAFETY: `weight_gradient` checked that the output holds col..col + 16 of this row.
            Start::Continue => unsafe { V::load(self.to.at(row * self.stride + col)) },
        }
    }

    #[inline(always)]
    unsafe fn finish<V: Vector>(&self, row: usize, col: usize, sum: V) {
        // SAFETY: as in `start`.
        unsafe { sum.store(self.to.at(row * self.stride + col)) }
    }
}

/// An optimizer's step on the weights whose gradient was just summed.
struct Step<'a, U, const S: usize> {
    update: &'a U,
    count: f32,
    w: SharedMut,
    slots: [SharedMut; S],
    stride: usize,
}

impl<U: Elementwise<S>, const S: usize> Epilogue for Step<'_, U, S> {
    #[inline(always)]
    fn skips_zero_sums(&self) -> bool {
        self.update.rests_at_zero()
    }

    #[inline(always)]
    unsafe fn start<V: Vector>(&self, _row: usize, _col: usize) -> V {
        V::splat(0.0)
    }

    #[inline(always)]
    unsafe fn finish<V: Vector>(&self, row: usize, col: usize, sum: V) {
        let at = row * self.stride + col;
        let gradient = sum / V::splat(f64::from(self.count));
        // SAFETY: `update_weights` checked that weights and slots hold col..col + 16 of this row.
        unsafe { apply_vector(self.update, gradient, self.w.at(at), self.slots.map(|slot| slot.at(at))) }
    }
}

/// C = A B with the epilogue's start and finish, spread over the team.
fn multiply<E: Epilogue>(team: &mut Team, a: Left, b: &[f32], shape: Shape, epilogue: &E) {
    let (isa, threads) = (team.isa(), team.threads());
    team.run(shape.rows * shape.stride * shape.depth, |worker| {
        isa.run(Multiply { a, b, shape, epilogue, worker, threads });
    });
}

struct Multiply<'a, E> {
    a: Left<'a>,
    b: &'a [f32],
    shape: Shape,
    epilogue: &'a E,
    worker: usize,
    threads: usize,
}

/// Panels of 16 columns that one row is multiplied with at once: enough chains to hide the latency of FMA.
const WIDE: usize = 4;
/// Sums shorter than this go row by row: packing would cost more than it saves.
const SHORT: usize = 12;

impl<E: Epilogue> Kernel for Multiply<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        if self.shape.rows < V::TILE_ROWS || self.shape.depth < SHORT {
            self.row_by_row::<V>();
        } else {
            self.panel_by_panel::<V>();
        }
    }
}

impl<E: Epilogue> Multiply<'_, E> {
    /// For few rows or short sums: each row times groups of panels, B read where it stands.
    #[inline(always)]
    fn row_by_row<V: Vector>(&self) {
        let panels = self.shape.stride / LANES;
        let groups = panels.div_ceil(WIDE);
        let tasks = share(self.shape.rows * groups, self.worker, self.threads);
        let (mut row, mut group, mut left) = (tasks.start / groups, tasks.start % groups, tasks.len());
        while left > 0 {
            let here = left.min(groups - group);
            if !(self.epilogue.skips_zero_sums() && self.left_row_is_zero(row)) {
                for group in group..group + here {
                    self.group::<V>(row, group * WIDE, panels);
                }
            }
            (row, group, left) = (row + 1, 0, left - here);
        }
    }

    /// One row times up to `WIDE` of the panels from `first` on.
    #[inline(always)]
    fn group<V: Vector>(&self, row: usize, first: usize, panels: usize) {
        let (col, b, stride) = (first * LANES, self.b.as_ptr(), self.shape.stride);
        // SAFETY: rows and panels lie within the shape, and each group belongs to one worker.
        unsafe {
            match panels - first {
                1 => self.tile::<V, 1, 1>(row, col, b, stride),
                2 => self.tile::<V, 1, 2>(row, col, b, stride),
                3 => self.tile::<V, 1, 3>(row, col, b, stride),
                _ => self.tile::<V, 1, WIDE>(row, col, b, stride),
            }
        }
    }

    fn left_row_is_zero(&self, row: usize) -> bool {
        let Left { data, row: stride, step } = self.a;
        (0..self.shape.depth).all(|k| data[row * stride + k * step] == 0.0)
    }

    /// For everything else: tiles of `TILE_ROWS` x 16, panel after panel, each packed once into cache.
    #[inline(always)]
    fn panel_by_panel<V: Vector>(&self) {
        let blocks = self.shape.rows.div_ceil(V::TILE_ROWS);
        let tasks = share(blocks * self.shape.stride / LANES, self.worker, self.threads);
        // Not `with_borrow_mut`: a closure would be compiled without the registers of this instruction set.
        let mut packed = PACKED.take();
        if packed.len() < self.shape.depth * LANES {
            packed = Buffer::zeros(self.shape.depth * LANES);
        }
        let mut task = tasks.start;
        while task < tasks.end {
            let panel = task / blocks;
            let last = tasks.end.min((panel + 1) * blocks);
            self.pack::<V>(panel, &mut packed);
            self.column_of_tiles::<V>(panel, task % blocks..last - panel * blocks, &packed);
            task = last;
        }
        PACKED.set(packed);
    }

    /// Copies panel `panel` of B, so that its rows of 16 stand side by side.
    #[inline(always)]
    fn pack<V: Vector>(&self, panel: usize, packed: &mut [f32]) {
        for (row, to) in packed.chunks_exact_mut(LANES).take(self.shape.depth).enumerate() {
            let from = &self.b[row * self.shape.stride + panel * LANES..][..LANES];
            // SAFETY: both slices are 16 numbers long.
            unsafe { V::load(from.as_ptr()).store(to.as_mut_ptr()) };
        }
    }

    #[inline(always)]
    fn column_of_tiles<V: Vector>(&self, panel: usize, blocks: Range<usize>, packed: &[f32]) {
        for block in blocks {
            let row = block * V::TILE_ROWS;
            // SAFETY: rows and panel lie within the shape, each tile belongs to one worker, and `packed` holds
            // `depth` rows of 16.
            unsafe { self.short_tile::<V>(row, panel * LANES, packed.as_ptr().wrapping_sub(panel * LANES)) };
        }
    }

    /// A tile of as many rows as are left, at most `TILE_ROWS`.
    ///
    /// # Safety
    /// As for `tile`, with 16 numbers from one row of `b` to the next.
    #[inline(always)]
    unsafe fn short_tile<V: Vector>(&self, row: usize, col: usize, b: *const f32) {
        macro_rules! tiles {
            ($rows:expr; $($count:literal)*) => {
                // SAFETY: promised by the caller.
                match $rows { $($count => unsafe { self.tile::<V, $count, 1>(row, col, b, LANES) },)* _ => unreachable!() }
            };
        }
        tiles!((self.shape.rows - row).min(V::TILE_ROWS); 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
    }

    /// R rows times P panels of 16 columns in registers: one chain per output, in order of k.
    ///
    /// # Safety
    /// Rows `row..row + R` and columns `col..col + 16 P` are outputs of this worker; `b + k * stride + col` is
    /// readable for 16 P numbers for every k below the depth.
    #[inline(always)]
    unsafe fn tile<V: Vector, const R: usize, const P: usize>(
        &self,
        row: usize,
        col: usize,
        b: *const f32,
        stride: usize,
    ) {
        let Left { data, row: a_row, step } = self.a;
        // SAFETY: the public functions checked that A holds `rows` x `depth` elements with these strides, and
        // the caller promises the rest.
        unsafe {
            let mut sums = [[V::splat(0.0); P]; R];
            for (r, sums) in sums.iter_mut().enumerate() {
                for (p, sum) in sums.iter_mut().enumerate() {
                    *sum = self.epilogue.start(row + r, col + p * LANES);
                }
            }
            let a = data.as_ptr().wrapping_add(row * a_row);
            for k in 0..self.shape.depth {
                if R == 1 && *a.wrapping_add(k * step) == 0.0 {
                    continue; // adds nothing; half of all activations and most pixels are zero
                }
                let mut panels = [V::splat(0.0); P];
                for (p, panel) in panels.iter_mut().enumerate() {
                    *panel = V::load(b.wrapping_add(k * stride + col + p * LANES));
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let factor = V::splat(f64::from(*a.wrapping_add(r * a_row + k * step)));
                    for (sum, panel) in sums.iter_mut().zip(panels) {
                        *sum = factor.mul_add(panel, *sum);
                    }
                }
            }
            for (r, sums) in sums.into_iter().enumerate() {
                for (p, sum) in sums.into_iter().enumerate() {
                    self.epilogue.finish(row + r, col + p * LANES, sum);
                }
            }
        }
    }
}

thread_local! {
    /// One panel of the right factor; grows to the deepest product a thread has seen and stays.
    static PACKED: Cell<Buffer> = Cell::default();
}

/// Rows of W that stay in the first cache while all rows of D pass.
const DOT_BLOCK: usize = 16;

struct Dots<'a> {
    d: Matrix<'a>,
    w: Matrix<'a>,
    active: Option<Matrix<'a>>,
    to: SharedMut,
    stride: usize,
    rows: Range<usize>,
    outputs: Range<usize>,
}

impl Kernel for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        if self.outputs.end == self.w.rows && !self.outputs.is_empty() {
            self.clear_pad_lanes();
        }
        for first in self.outputs.clone().step_by(DOT_BLOCK) {
            let outputs = first..(first + DOT_BLOCK).min(self.outputs.end);
            let (full, rest) = (self.rows.end / 3 * 3, self.rows.end % 3);
            for row in (0..full).step_by(3) {
                self.strip::<V, 3>(row, outputs.clone());
            }
            match rest {
                1 => self.strip::<V, 1>(full, outputs),
                2 => self.strip::<V, 2>(full, outputs),
                _ => {}
            }
        }
    }
}

impl Dots<'_> {
    /// The worker of the last outputs also keeps the lanes behind them zero.
    fn clear_pad_lanes(&self) {
        for row in self.rows.clone() {
            // SAFETY: the pad lanes of a row stand behind its outputs, and only this worker has the last ones.
            unsafe { self.to.slice(row * self.stride + self.w.rows, self.stride - self.w.rows).fill(0.0) };
        }
    }

    /// R rows of D against some rows of W, two at a time.
    #[inline(always)]
    fn strip<V: Vector, const R: usize>(&self, row: usize, outputs: Range<usize>) {
        let mut output = outputs.start;
        while output + 2 <= outputs.end {
            self.dots::<V, R, 2>(row, output);
            output += 2;
        }
        if output < outputs.end {
            self.dots::<V, R, 1>(row, output);
        }
    }

    #[inline(always)]
    fn dots<V: Vector, const R: usize, const C: usize>(&self, row: usize, output: usize) {
        let mut sums = [[V::splat(0.0); C]; R];
        for at in (0..self.d.stride).step_by(LANES) {
            // SAFETY: rows of D and W are `d.stride` = `w.stride` long, and the caller stays within their rows.
            unsafe {
                let load = |m: &Matrix, row: usize| V::load(m.data.as_ptr().add(row * m.stride + at));
                let mut w = [V::splat(0.0); C];
                for (c, w) in w.iter_mut().enumerate() {
                    *w = load(&self.w, output + c);
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let d = load(&self.d, row + r);
                    for (sum, w) in sums.iter_mut().zip(w) {
                        *sum = d.mul_add(w, *sum);
                    }
                }
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            for (c, sum) in sums.into_iter().enumerate() {
                self.write(row + r, output + c, sum.sum());
            }
        }
    }

    #[inline(always)]
    fn write(&self, row: usize, output: usize, dot: f32) {
        let passes = self.active.is_none_or(|active| active.data[row * active.stride + output] > 0.0);
        // SAFETY: (row, output) lies within the output and belongs to this worker.
        unsafe { *self.to.at(row * self.stride + output) = if passes { dot } else { 0.0 } };
    }
}

#[cfg(test)]
mod tests;
