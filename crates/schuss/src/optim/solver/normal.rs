//! The normal equations of a sum of squares, (JᵀJ + μ I) δ = −Jᵀr.

use crate::network::{Layout, Role};
use crate::optim::arithmetic::Arithmetic;
use schuss_kernels::matrix::{Matrix, MatrixMut};
use schuss_kernels::padded;
use std::ops::DerefMut;

/// Rows of J per product.
const ROWS: usize = 256;

/// JᵀJ and Jᵀr for n weights, summed over rows of J in f64 by products of [`ROWS`] rows.
#[derive(Clone, Debug)]
pub(crate) struct Normal<B> {
    /// Indices of the weights within the parameters.
    places: Vec<usize>,
    /// J `[ROWS, n]`
    rows: B,
    filled: usize,
    /// `[n, n]`
    product: B,
    /// JᵀJ, `[n, n padded]`
    matrix: Vec<f64>,
    /// Jᵀr
    slope: Vec<f64>,
    /// Lower triangle L of L Lᵀ = JᵀJ + μ I.
    factor: Vec<f64>,
    /// δ
    step: Vec<f64>,
}

impl<B> Normal<B> {
    /// Number of elements of all buffers, as multiples of `f32`.
    pub(super) fn floats(layout: &Layout) -> usize {
        let (n, stride) = (layout.parameters(), padded(layout.parameters()));
        let (singles, doubles, places) = (ROWS * stride + n * stride, 2 * n * stride + 2 * n, n);
        singles + 2 * (doubles + places)
    }
}

impl<T: Copy + Into<f64>, B: DerefMut<Target = [T]>> Normal<B> {
    /// Creates the equations for all trained weights.
    pub(super) fn new<A: Arithmetic<T = T, Buffer = B>>(layout: &Layout) -> Self {
        let trained = layout.entries().iter().filter(|entry| entry.role != Role::Buffer);
        let places: Vec<usize> = trained.flat_map(|entry| entry.places()).collect();
        let (n, stride) = (places.len(), padded(places.len()));
        Self {
            rows: A::zeros(ROWS * stride),
            filled: 0,
            product: A::zeros(n * stride),
            matrix: vec![0.0; n * stride],
            slope: vec![0.0; n],
            factor: vec![0.0; n * stride],
            step: vec![0.0; n],
            places,
        }
    }

    /// Resets all sums to zero.
    pub(crate) fn clear(&mut self) {
        self.filled = 0;
        self.matrix.fill(0.0);
        self.slope.fill(0.0);
    }

    /// Adds a residual and its gradient, laid out like the parameters.
    pub(crate) fn add<A: Arithmetic<T = T, Buffer = B>>(
        &mut self,
        arithmetic: &mut A,
        residual: f64,
        gradient: &[T],
    ) {
        let row = &mut self.rows[self.filled * padded(self.places.len())..];
        for ((to, slope), &place) in row.iter_mut().zip(&mut self.slope).zip(&self.places) {
            *to = gradient[place];
            *slope += residual * gradient[place].into();
        }
        self.filled += 1;
        if self.filled == ROWS {
            self.close(arithmetic);
        }
    }

    /// Adds the remaining rows; to be called after the last row.
    pub(crate) fn close<A: Arithmetic<T = T, Buffer = B>>(&mut self, arithmetic: &mut A) {
        if self.filled > 0 {
            let n = self.places.len();
            let rows = || Matrix::new(&self.rows[..], self.filled, n);
            arithmetic.product_of_columns(rows(), rows(), MatrixMut::new(&mut self.product, n, n));
            let product = self.product.iter().map(|&value| value.into());
            self.matrix.iter_mut().zip(product).for_each(|(total, value)| *total += value);
            self.filled = 0;
        }
    }

    /// Returns the δ for damping μ, with the index of each weight; `None` if the matrix is not numerically positive
    /// definite.
    pub(super) fn solve(&mut self, damping: f64) -> Option<impl Iterator<Item = (usize, f64)>> {
        let stride = padded(self.places.len());
        self.factor.copy_from_slice(&self.matrix);
        let diagonal = self.factor.iter_mut().step_by(stride + 1).take(self.places.len());
        diagonal.for_each(|value| *value += damping);
        factorise(&mut self.factor, stride, self.places.len())?;
        self.step.iter_mut().zip(&self.slope).for_each(|(step, slope)| *step = -slope);
        substitute(&self.factor, stride, &mut self.step);
        Some(self.places.iter().copied().zip(self.step.iter().copied()))
    }
}

/// A ← L, its Cholesky factor, in the lower triangle; `None` if A is not positive definite.
fn factorise(a: &mut [f64], stride: usize, n: usize) -> Option<()> {
    for i in 0..n {
        let (above, row) = a.split_at_mut(i * stride);
        for j in 0..i {
            let l = &above[j * stride..][..=j];
            row[j] = (row[j] - dot(&row[..j], &l[..j])) / l[j];
        }
        let square = row[i] - dot(&row[..i], &row[..i]);
        if square.is_nan() || square <= 0.0 {
            return None;
        }
        row[i] = square.sqrt();
    }
    Some(())
}

/// b ← x with L Lᵀ x = b.
fn substitute(l: &[f64], stride: usize, b: &mut [f64]) {
    for i in 0..b.len() {
        let row = &l[i * stride..][..=i];
        b[i] = (b[i] - dot(&row[..i], &b[..i])) / row[i];
    }
    for i in (0..b.len()).rev() {
        let row = &l[i * stride..][..=i];
        let (solved, x) = (b[i] / row[i], &mut b[..=i]);
        x[i] = solved;
        x[..i].iter_mut().zip(row).for_each(|(x, l)| *x -= l * solved);
    }
}

/// xᵀ y, with eight accumulators so that it can be vectorized.
fn dot(x: &[f64], y: &[f64]) -> f64 {
    const SIDE: usize = 8;
    let mut sums = [0.0; SIDE];
    let (x, y) = (x.chunks_exact(SIDE), y.chunks_exact(SIDE));
    let rest: f64 = x.remainder().iter().zip(y.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in x.zip(y) {
        (0..SIDE).for_each(|lane| sums[lane] += x[lane] * y[lane]);
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::arithmetic::ScalarF64;

    /// Returns 300 residuals of 5 weights, enough for more than one product. Residual r has the gradient (r mod 7)^i,
    /// so J has full rank.
    fn rows() -> impl Iterator<Item = (f64, Vec<f64>)> {
        (0..300).map(|r| {
            let x = f64::from(r % 7) / 7.0;
            (f64::from(r % 11) - 5.0, (0..16).map(|i| if i < 5 { x.powi(i) } else { 0.0 }).collect())
        })
    }

    #[test]
    fn the_step_solves_the_damped_equations() {
        let mut normal = Normal::<Vec<f64>>::new::<ScalarF64>(&Layout::of_vector(5));
        normal.clear();
        rows().for_each(|(residual, gradient)| normal.add(&mut ScalarF64, residual, &gradient));
        normal.close(&mut ScalarF64);
        for damping in [0.0, 1e-3, 10.0] {
            let step: Vec<f64> = normal.solve(damping).unwrap().map(|(_, step)| step).collect();
            for i in 0..5 {
                let mut left = damping * step[i];
                for (residual, gradient) in rows() {
                    let linear: f64 = gradient.iter().zip(&step).map(|(g, step)| g * step).sum();
                    left += gradient[i] * (linear + residual);
                }
                assert!(left.abs() < 1e-8, "equation {i} at damping {damping} is off by {left:e}");
            }
        }
    }

    #[test]
    fn a_matrix_that_is_not_positive_definite_has_no_step() {
        let mut normal = Normal::<Vec<f64>>::new::<ScalarF64>(&Layout::of_vector(2));
        normal.clear();
        let mut gradient = vec![0.0; 16];
        gradient[0] = 1.0;
        normal.add(&mut ScalarF64, 1.0, &gradient);
        normal.close(&mut ScalarF64);
        assert!(normal.solve(0.0).is_none());
        assert!(normal.solve(1.0).is_some());
    }
}
