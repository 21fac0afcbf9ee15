//! Passes over matrices, 16 columns at a time: element-wise, row by row, and column sums.

use crate::matrix::{Matrix, MatrixMut, Start};
use crate::pointer::SharedMut;
use crate::{Kernel, LANES, PASS_WORK, Team, Vector, padded};
use std::ops::Range;

// No closures on vectors here: a closure that the compiler does not inline is compiled without the
// instruction set.

/// Function of 16 columns of a row, from the same place in `N` matrices.
pub(crate) trait Map<const N: usize>: Sync {
    /// Must be `#[inline(always)]`.
    fn apply<V: Vector>(&self, row: usize, col: usize, inputs: [V; N]) -> V;
}

/// to ← map(inputs), pad lanes zero. `work` is the approximate cost of one element, in multiply-adds.
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
    if cols == 0 {
        return;
    }
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
                    let mut inputs = [V::splat(0.0); N];
                    for (input, matrix) in inputs.iter_mut().zip(self.inputs) {
                        *input = load(matrix, row, col);
                    }
                    self.map.apply(row, col, inputs).store(self.to.at(row * stride + col));
                }
            }
            // SAFETY: as above.
            unsafe { clear_pad(self.to, row, self.cols) };
        }
    }
}

/// Pass over one row as a whole; the implementation knows where to write.
pub(crate) trait RowPass: Sync {
    /// Called once for every row. Must be `#[inline(always)]`.
    fn row<V: Vector>(&self, row: usize);
}

/// Runs a pass over the rows of a matrix, unless it is empty. `work` is the approximate cost of one element,
/// in multiply-adds.
pub(crate) fn each_row<P: RowPass>(team: &mut Team, pass: &P, work: usize, rows: usize, cols: usize) {
    if cols == 0 {
        return;
    }
    let isa = team.isa();
    team.split(rows * cols * work, rows, |rows| isa.run(EachRow { pass, rows }));
}

struct EachRow<'a, P> {
    pass: &'a P,
    rows: Range<usize>,
}

impl<P: RowPass> Kernel for EachRow<'_, P> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        for row in self.rows {
            self.pass.row::<V>(row);
        }
    }
}

/// Returns the term of 16 columns in a sum over a row of `cols`: zero in pad lanes.
#[inline(always)]
pub(crate) fn counted<V: Vector>(cols: usize, col: usize, term: V) -> V {
    if col + LANES <= cols {
        return term;
    }
    first_lanes::<V>(cols - col).where_positive(term, V::splat(0.0))
}

/// Returns 1 in the first `count` lanes, 0 in the others.
#[inline(always)]
fn first_lanes<V: Vector>(count: usize) -> V {
    const ONES_THEN_ZEROS: [f32; 2 * LANES] = {
        let mut lanes = [0.0; 2 * LANES];
        let mut i = 0;
        while i < LANES {
            lanes[i] = 1.0;
            i += 1;
        }
        lanes
    };
    // SAFETY: `count` is at most 16, so 16 numbers follow.
    unsafe { V::load(ONES_THEN_ZEROS[LANES - count..].as_ptr()) }
}

/// # Safety
/// The matrix has this row, and `col` is the first of 16 of its padded columns.
#[inline(always)]
pub(crate) unsafe fn load<V: Vector>(matrix: Matrix, row: usize, col: usize) -> V {
    // SAFETY: promised by the caller; a matrix holds all its rows, padded.
    unsafe { V::load(matrix.data().as_ptr().add(row * matrix.stride() + col)) }
}

/// Zeroes the pad lanes of a row.
///
/// # Safety
/// The matrix `to` has this row of `cols` columns, and it belongs to this part.
#[inline(always)]
pub(crate) unsafe fn clear_pad(to: SharedMut, row: usize, cols: usize) {
    let stride = padded(cols);
    // SAFETY: promised by the caller.
    unsafe { to.slice(row * stride + cols, stride - cols) }.fill(0.0);
}

/// Contribution of 16 columns of a row to the sums of their columns.
pub(crate) trait Chain<const N: usize>: Sync {
    /// Returns the next value of the chain. Must be `#[inline(always)]`.
    fn add<V: Vector>(&self, row: usize, col: usize, inputs: [V; N], sum: V) -> V;
}

/// Sums every column: one accumulation chain in row order, from zero or continuing.
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
    assert!(inputs.iter().all(|input| input.shape() == (rows, cols)) && sums.len() >= padded(cols));
    let isa = team.isa();
    team.for_chunks(rows * cols * PASS_WORK, &mut sums[..padded(cols)], LANES, |panel, sums| {
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
            let mut inputs = [V::splat(0.0); N];
            for (input, matrix) in inputs.iter_mut().zip(self.inputs) {
                // SAFETY: all matrices have the shape that `column_chains` checked.
                *input = unsafe { load(matrix, row, self.col) };
            }
            sum = self.chain.add(row, self.col, inputs, sum);
        }
        // SAFETY: as above.
        unsafe { sum.store(self.sums.as_mut_ptr()) };
    }
}
