//! The three matrix products of a linear layer, each parallel over its outputs.
//!
//! | product | equation | sum over |
//! |---|---|---|
//! | [`linear`] | Y = X W + b | inputs |
//! | [`weight_gradient`], [`update_weights`] | Gᵂ = Xᵀ D | samples |
//! | [`input_gradient`] | Dˣ = D Wᵀ | outputs |
//!
//! The first two are one chain of fused multiply-adds per output in index order, the third is a dot product
//! of rows: 16 lanes and a fixed tree. So no result depends on threads, tiles or instruction set.

mod dots;
mod epilogue;
mod pack;
mod product;
mod tile;

use crate::bf16::{self, Factor};
use crate::count::Count;
use crate::pointer::SharedMut;
use crate::single::RankOne;
use crate::sweep::Elementwise;
use crate::team::share;
use crate::{LANES, PASS_WORK, Team, padded};
pub(crate) use dots::{DOT_BLOCK, Dots};
pub(crate) use epilogue::{Epilogue, Sum};
use epilogue::{Forward, Masked, Step};
pub(crate) use pack::{pack_left, pack_panel};
use product::multiply;
pub(crate) use product::{Left, Multiply, Shape};
pub(crate) use tile::{Factors, Outputs, Sums, block_height};

/// Matrix whose rows are padded with zeros to whole vectors of 16. It holds exactly its rows: kernels rely on
/// that when they skip bounds checks.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a, T = f32> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// Wraps `data` as `rows` x `cols`, rows padded to whole vectors; the rest of `data` is left out.
    ///
    /// # Panics
    /// If `data` is too short.
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        let data = &data[..needed(data.len(), rows, cols)];
        Self { data, rows, cols, stride: padded(cols) }
    }

    /// Returns the number of rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// Returns the stride: numbers from one row to the next.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// Returns the numbers, row after row, pad lanes included.
    pub fn data(&self) -> &'a [T] {
        self.data
    }

    /// Returns row `row`, its pad lanes included.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row: usize) -> &'a [T] {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        &self.data[row * self.stride..(row + 1) * self.stride]
    }
}

/// Returns the length of a padded matrix, checked against the available `len`.
///
/// # Panics
/// If `len` is too small.
fn needed(len: usize, rows: usize, cols: usize) -> usize {
    let needed = rows.checked_mul(padded(cols)).filter(|needed| *needed <= len);
    needed.unwrap_or_else(|| panic!("{rows} rows of {cols} numbers, padded, need more than {len} numbers"))
}

/// Mutable counterpart of [`Matrix`].
#[derive(Debug)]
pub struct MatrixMut<'a, T = f32> {
    data: &'a mut [T],
    rows: usize,
    cols: usize,
    stride: usize,
}

impl<'a, T> MatrixMut<'a, T> {
    /// Wraps `data` as `rows` x `cols`, rows padded to whole vectors; the rest of `data` is left out.
    ///
    /// # Panics
    /// If `data` is too short.
    pub fn new(data: &'a mut [T], rows: usize, cols: usize) -> Self {
        let needed = needed(data.len(), rows, cols);
        Self { data: &mut data[..needed], rows, cols, stride: padded(cols) }
    }

    /// Returns the number of rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// Returns the numbers, row after row, pad lanes included.
    pub fn into_data(self) -> &'a mut [T] {
        self.data
    }
}

/// Start of a sum: from zero, or from the result of the last microbatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// From zero.
    Fresh,
    /// From the current content of the output.
    Continue,
}

/// Y ← X W + b, then ReLU if `relu`. X `[m, k]`, W `[k, n]`, b `[n]`, Y `[m, n]`.
///
/// # Panics
/// If the shapes do not match.
pub fn linear(team: &mut Team, x: Matrix, w: Matrix, bias: &[f32], relu: bool, y: MatrixMut) {
    assert!(x.cols == w.rows && y.rows == x.rows && y.cols == w.cols && bias.len() >= w.stride);
    let forward = Forward {
        bias,
        floor: if relu { 0.0 } else { f32::NEG_INFINITY },
        y: SharedMut::new(y.data),
        stride: y.stride,
    };
    if let Some(mode) = team.bf16_mode(w.rows, w.cols) {
        return bf16::multiply(team, mode, Factor::rows(x), Factor::columns(w), &forward);
    }
    multiply(team, Left::rows(x), w.data, Shape { rows: x.rows, stride: w.stride, depth: x.cols }, &forward);
}

/// C ← C + A B: one chain per output in order of A's columns, continuing from C. A `[m, k or more]`, of which
/// the first k columns count, B `[k, n]`, C `[m, n]`.
///
/// # Panics
/// If the shapes do not match.
pub fn add_product(team: &mut Team, a: Matrix, b: Matrix, c: MatrixMut) {
    assert!(a.cols >= b.rows && c.rows == a.rows && c.cols == b.cols);
    let sum = Sum { start: Start::Continue, to: SharedMut::new(c.data), stride: c.stride };
    multiply(team, Left::rows(a), b.data, Shape { rows: a.rows, stride: b.stride, depth: b.rows }, &sum);
}

/// G ← Xᵀ D, from zero or continuing. X `[m, k]`, D `[m, n]`, G `[k, n]`.
///
/// # Panics
/// If the shapes do not match.
pub fn weight_gradient(team: &mut Team, x: Matrix, d: Matrix, start: Start, g: MatrixMut) {
    assert!(x.rows == d.rows && g.rows == x.cols && g.cols == d.cols);
    let sum = Sum { start, to: SharedMut::new(g.data), stride: g.stride };
    outer_product(team, x, d, &sum);
}

/// W ← update(Xᵀ D / count, W, slots): the product writes the new weights; no gradient is stored.
///
/// # Panics
/// If the shapes do not match.
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
    if x.rows == 1 && count == 1.0 && team.bf16_mode(x.cols, d.cols).is_none() {
        let (isa, rows) = (team.isa(), w.rows);
        let (x, d, w) = (x.row(0), d.row(0), SharedMut::new(w.data));
        let work = rows * d.len() * PASS_WORK;
        return team.split(work, rows, |rows| isa.run(RankOne { x, d, update, w, slots, rows }));
    }
    let step = Step {
        update: *update,
        count: Count::new(count, team.isa()),
        w: SharedMut::new(w.data),
        slots,
        stride: w.stride,
    };
    outer_product(team, x, d, &step);
}

/// Computes Xᵀ D with its epilogue.
fn outer_product<E: Epilogue>(team: &mut Team, x: Matrix, d: Matrix, epilogue: &E) {
    if let Some(mode) = team.bf16_mode(x.cols, d.cols) {
        return bf16::multiply(team, mode, Factor::columns(x), Factor::columns(d), epilogue);
    }
    let shape = Shape { rows: x.cols, stride: d.stride, depth: x.rows };
    multiply(team, Left::transposed(x), d.data, shape, epilogue);
}

/// Dˣ ← D Wᵀ, zero where `active` (the layer's input after its ReLU) is not positive. D `[m, n]`, W `[k, n]`,
/// Dˣ `[m, k]`.
///
/// # Panics
/// If the shapes do not match.
pub fn input_gradient(team: &mut Team, d: Matrix, w: Matrix, active: Option<Matrix>, dx: MatrixMut) {
    assert!(d.cols == w.cols && dx.rows == d.rows && dx.cols == w.rows);
    assert!(active.is_none_or(|active| active.rows == dx.rows && active.cols == dx.cols));
    let (rows, stride) = (d.rows, dx.stride);
    let to = SharedMut::new(dx.data);
    if let Some(mode) = team.bf16_mode(w.rows, w.cols) {
        let masked = Masked { active, cols: w.rows, to, stride };
        return bf16::multiply(team, mode, Factor::rows(d), Factor::rows(w), &masked);
    }
    let blocks = w.rows.div_ceil(DOT_BLOCK);
    let isa = team.isa();
    let parts = team.parts();
    team.run(rows.max(PASS_WORK) * d.stride * w.rows, |part| {
        let outputs = share(blocks, part, parts);
        let outputs = outputs.start * DOT_BLOCK..(outputs.end * DOT_BLOCK).min(w.rows);
        isa.run(Dots { d, w, active, to, stride, rows: 0..rows, outputs });
    });
}

/// Sums every column: one chain in row order. D `[m, n]`, `sums` `[n]`.
///
/// # Panics
/// If the shapes do not match.
pub fn column_sums(team: &mut Team, d: Matrix, start: Start, sums: &mut [f32]) {
    assert!(sums.len() >= d.stride);
    let sums = &mut sums[..d.stride];
    team.for_chunks(d.rows * d.stride * PASS_WORK, sums, LANES, |panel, sums| {
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

#[cfg(test)]
mod tests;
