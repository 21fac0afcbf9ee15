//! Passes over matrices, 16 columns at a time: each element on its own, and sums of columns.

use crate::matrix::{Matrix, MatrixMut, Start};
use crate::pointer::SharedMut;
use crate::{Kernel, LANES, Team, Vector, padded};
use std::ops::Range;

/// What becomes of 16 columns of a row, from the same place of `N` matrices.
pub(crate) trait Map<const N: usize>: Sync {
    /// Must be `#[inline(always)]`.
    fn apply<V: Vector>(&self, row: usize, col: usize, inputs: [V; N]) -> V;
}

/// to ← map(inputs), pad lanes zero. `work` is about how many multiply-adds one element takes.
///
/// # Panics
/// If the shapes differ.
pub(crate) fn map<M: Map<N>, const N: usize>(
    team: &mut Team,
    map: &M,
    work: usize,
    inputs: [Matrix; N],
    to: MatrixMut,
) {
    let (rows, cols) = to.shape();
    assert!(inputs.iter().all(|input| input.shape() == (rows, cols)));
    let to = SharedMut::new(to.into_data());
    let isa = team.isa();
    team.split(rows * cols * work, rows, |rows| isa.run(Rows { map, inputs, to, rows, cols }));
}

struct Rows<'a, M, const N: usize> {
    map: &'a M,
    inputs: [Matrix<'a>; N],
    to: SharedMut,
    rows: Range<usize>,
    cols: usize,
}

impl<M: Map<N>, const N: usize> Kernel for Rows<'_, M, N> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let stride = padded(self.cols);
        for row in self.rows {
            for col in (0..stride).step_by(LANES) {
                // SAFETY: all matrices have the shape that `map` checked, and this row of `to` belongs to this part.
                unsafe {
                    let inputs = self.inputs.map(|input| load(input, row, col));
                    self.map.apply::<V>(row, col, inputs).store(self.to.at(row * stride + col));
                }
            }
            // SAFETY: as above.
            unsafe { self.to.slice(row * stride + self.cols, stride - self.cols) }.fill(0.0);
        }
    }
}

/// # Safety
/// The matrix has this row, and `col` is the first of 16 of its padded columns.
#[inline(always)]
pub(crate) unsafe fn load<V: Vector>(matrix: Matrix, row: usize, col: usize) -> V {
    // SAFETY: promised by the caller; a matrix holds all its rows, padded.
    unsafe { V::load(matrix.data().as_ptr().add(row * matrix.stride() + col)) }
}

/// What 16 columns of a row add to the sums of their columns.
pub(crate) trait Chain<const N: usize>: Sync {
    /// The chain's next value. Must be `#[inline(always)]`.
    fn add<V: Vector>(&self, row: usize, col: usize, inputs: [V; N], sum: V) -> V;
}

/// Sum of every column: one chain in order of rows, from zero or going on.
///
/// # Panics
/// If the shapes differ or `sums` is shorter than a padded row.
pub(crate) fn column_chains<C: Chain<N>, const N: usize>(
    team: &mut Team,
    chain: &C,
    inputs: [Matrix; N],
    start: Start,
    sums: &mut [f32],
) {
    let (rows, cols) = inputs[0].shape();
    assert!(inputs.iter().all(|input| input.shape() == (rows, cols)));
    let isa = team.isa();
    team.for_chunks(rows * cols, &mut sums[..padded(cols)], LANES, |panel, sums| {
        isa.run(Column { chain, inputs, start, sums, col: panel * LANES });
    });
}

struct Column<'a, C, const N: usize> {
    chain: &'a C,
    inputs: [Matrix<'a>; N],
    start: Start,
    sums: &'a mut [f32],
    col: usize,
}

impl<C: Chain<N>, const N: usize> Kernel for Column<'_, C, N> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let mut sum = match self.start {
            Start::Fresh => V::splat(0.0),
            // SAFETY: `column_chains` hands over 16 sums.
            Start::Continue => unsafe { V::load(self.sums.as_ptr()) },
        };
        for row in 0..self.inputs[0].shape().0 {
            // SAFETY: all matrices have the shape that `column_chains` checked.
            let inputs = self.inputs.map(|input| unsafe { load(input, row, self.col) });
            sum = self.chain.add(row, self.col, inputs, sum);
        }
        // SAFETY: as above.
        unsafe { sum.store(self.sums.as_mut_ptr()) };
    }
}
