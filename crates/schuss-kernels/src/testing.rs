//! Helpers shared by the tests of passes.

use crate::naive::unpad;
use crate::{Buffer, Isa, Team, padded};

/// Awkward shapes: one, less than a vector, whole vectors, one more.
pub(crate) const SHAPES: [(usize, usize); 6] = [(1, 1), (3, 10), (7, 16), (40, 17), (64, 31), (23, 100)];

/// Returns an output matrix filled with leftovers, as from an earlier, wider layer.
pub(crate) fn stale(rows: usize, cols: usize) -> Buffer {
    let mut buffer = Buffer::zeros(rows * padded(cols));
    buffer.fill(f32::NAN);
    buffer
}

/// Returns the dense matrix inside a padded one whose pad lanes are zero.
pub(crate) fn dense(buffer: &[f32], rows: usize, cols: usize) -> Vec<f32> {
    for row in buffer.chunks_exact(padded(cols)) {
        assert!(row[cols..].iter().all(|&x| x == 0.0), "pad lanes stay zero");
    }
    unpad(buffer, rows, cols)
}

/// Returns the result of `run`, checked to be equal for any number of threads and on every instruction set.
pub(crate) fn everywhere<T: PartialEq>(run: impl Fn(&mut Team) -> T) -> T {
    let expected = run(&mut Team::with_isa(1, Isa::available()[0]).unwrap());
    for isa in Isa::available() {
        for threads in [1, 2, 3] {
            let mut team = Team::with_isa(threads, isa).unwrap();
            assert!(run(&mut team) == expected, "{team:?}");
        }
    }
    expected
}

/// Converts to f64, for a reference implementation.
pub(crate) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}
