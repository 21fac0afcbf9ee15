//! Log-softmax, row by row: y = z − max z − ln Σ exp(z − max z).

use crate::matrix::{Matrix, MatrixMut};
use crate::passes::{self, RowPass, clear_pad, counted, load};
use crate::pointer::SharedMut;
use crate::rows::argmax;
use crate::{LANES, Math, Team, Vector};

/// Cost of an element, in multiply-adds.
const WORK: usize = 16;

/// Y ← ln softmax(Z), both `[m, n]`. The row's maximum is subtracted first, so no finite logit overflows.
///
/// # Panics
/// If the shapes differ.
pub fn log_softmax(team: &mut Team, z: Matrix, y: MatrixMut) {
    let (rows, cols) = z.shape();
    assert!(y.shape() == (rows, cols));
    let pass = Forward { z, y: SharedMut::new(y.into_data()) };
    passes::each_row(team, &pass, WORK, rows, cols);
}

/// Dᶻ ← dy − softmax(z) Σ dy, from Y = ln softmax(Z); all `[m, n]`.
///
/// # Panics
/// If the shapes differ.
pub fn log_softmax_gradient(team: &mut Team, y: Matrix, dy: Matrix, dz: MatrixMut) {
    let (rows, cols) = y.shape();
    assert!(dy.shape() == (rows, cols) && dz.shape() == (rows, cols));
    let pass = Backward { y, dy, dz: SharedMut::new(dz.into_data()) };
    passes::each_row(team, &pass, WORK, rows, cols);
}

struct Forward<'a> {
    z: Matrix<'a>,
    y: SharedMut,
}

impl RowPass for Forward<'_> {
    #[inline(always)]
    fn row<V: Vector>(&self, row: usize) {
        let (cols, stride) = (self.z.shape().1, self.z.stride());
        let logits = &self.z.row(row)[..cols];
        let max = V::splat(f64::from(logits[argmax(logits)]));
        let mut sum = V::splat(0.0);
        for col in (0..stride).step_by(LANES) {
            // SAFETY: the matrix has this row and these columns.
            let z = unsafe { load::<V>(self.z, row, col) };
            sum = sum + counted(cols, col, (z - max).exp());
        }
        let sum = V::splat(Math::ln(f64::from(sum.sum())));
        // SAFETY: Y has the shape of Z, and this row belongs to this part.
        unsafe {
            for col in (0..stride).step_by(LANES) {
                (load::<V>(self.z, row, col) - max - sum).store(self.y.at(row * stride + col));
            }
            clear_pad(self.y, row, cols);
        }
    }
}

struct Backward<'a> {
    y: Matrix<'a>,
    dy: Matrix<'a>,
    dz: SharedMut,
}

impl RowPass for Backward<'_> {
    #[inline(always)]
    fn row<V: Vector>(&self, row: usize) {
        let (cols, stride) = (self.y.shape().1, self.y.stride());
        let mut sum = V::splat(0.0);
        for col in (0..stride).step_by(LANES) {
            // SAFETY: the matrix has this row and these columns.
            sum = sum + counted(cols, col, unsafe { load(self.dy, row, col) });
        }
        let sum = V::splat(f64::from(sum.sum()));
        // SAFETY: all have the shape of Y, and this row of Dᶻ belongs to this part.
        unsafe {
            for col in (0..stride).step_by(LANES) {
                let (y, dy) = (load::<V>(self.y, row, col), load::<V>(self.dy, row, col));
                (dy - y.exp() * sum).store(self.dz.at(row * stride + col));
            }
            clear_pad(self.dz, row, cols);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naive::{self, Sample, pad};
    use crate::testing::{SHAPES, dense, everywhere, stale, wide};

    /// Returns Y and Dᶻ.
    fn forth_and_back(team: &mut Team, [z, dy]: [&[f32]; 2], m: usize, n: usize) -> [Vec<f32>; 2] {
        let (z, dy) = (pad(z, m, n), pad(dy, m, n));
        let (mut y, mut dz) = (stale(m, n), stale(m, n));
        log_softmax(team, Matrix::new(&z, m, n), MatrixMut::new(&mut y, m, n));
        let (y_, dy) = (Matrix::new(&y, m, n), Matrix::new(&dy, m, n));
        log_softmax_gradient(team, y_, dy, MatrixMut::new(&mut dz, m, n));
        [y, dz].map(|padded| dense(&padded, m, n))
    }

    #[test]
    fn log_softmax_and_its_gradient_agree_with_f64_and_have_the_same_bits_everywhere() {
        for (m, n) in SHAPES {
            let mut sample = Sample::new((m * 100 + n) as u64);
            let (z, dy) = (sample.vector(m * n, 8.0), sample.vector(m * n, 1.0));
            let [y, dz] = everywhere(|team| forth_and_back(team, [&z, &dy], m, n));
            for row in 0..m {
                let columns = row * n..(row + 1) * n;
                let p = naive::softmax(&z[columns.clone()]);
                let logarithms: Vec<f64> = p.iter().map(|p| p.ln()).collect();
                let dy = wide(&dy[columns.clone()]);
                let total: f64 = dy.iter().sum();
                let gradient: Vec<f64> = dy.iter().zip(&p).map(|(dy, p)| dy - p * total).collect();
                assert!(naive::largest_difference(&y[columns.clone()], &logarithms) < 3e-6, "{m} x {n}");
                assert!(naive::largest_difference(&dz[columns], &gradient) < 5e-6, "{m} x {n}");
            }
        }
    }

    #[test]
    fn extreme_logits_give_finite_logarithms() {
        let z = [1e4, -1e4, 0.0, -1e4, -1e4, -1e4];
        let dy = [0.0, -1.0, 0.0, -1.0, 0.0, 0.0];
        let [y, dz] = everywhere(|team| forth_and_back(team, [&z, &dy], 2, 3));
        let third = -(3.0_f32.ln());
        assert_eq!(y[..3], [0.0, -2e4, -1e4]);
        assert_eq!(dz[..3], [1.0, -1.0, 0.0]);
        assert!(y[3..].iter().all(|y| (y - third).abs() < 1e-6), "{y:?}");
    }
}
