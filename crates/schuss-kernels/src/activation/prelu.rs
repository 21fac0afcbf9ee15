//! PReLU: f(x) = x above zero, else a x with a learned slope a, shared by all units or one per unit.

use crate::matrix::{Matrix, MatrixMut, Start};
use crate::passes::{self, Chain, Map, load};
use crate::{Kernel, LANES, PASS_WORK, Team, Vector, padded};

/// Learned slopes.
#[derive(Clone, Copy, Debug)]
pub enum Slopes<'a> {
    /// One slope for all units.
    Shared(f32),
    /// One slope per unit, padded to whole vectors.
    PerUnit(&'a [f32]),
}

impl Slopes<'_> {
    /// # Panics
    /// If there are fewer slopes than a padded row of `cols`.
    fn check(self, cols: usize) -> Self {
        assert!(!matches!(self, Self::PerUnit(slopes) if slopes.len() < padded(cols)));
        self
    }

    #[inline(always)]
    fn load<V: Vector>(self, col: usize) -> V {
        match self {
            Self::Shared(slope) => V::splat(f64::from(slope)),
            // SAFETY: `check` saw a whole padded row, and `col` is the first of 16 of its columns.
            Self::PerUnit(slopes) => unsafe { V::load(slopes.as_ptr().add(col)) },
        }
    }
}

/// Y ← f(X), both `[m, n]`.
///
/// # Panics
/// If the shapes do not match.
pub fn prelu(team: &mut Team, slopes: Slopes, x: Matrix, y: MatrixMut) {
    passes::map(team, &Value(slopes.check(x.shape().1)), PASS_WORK, [x], y);
}

/// Dˣ ← Dʸ f′(X), all `[m, n]`; at zero the slope is the one below zero.
///
/// # Panics
/// If the shapes do not match.
pub fn prelu_gradient(team: &mut Team, slopes: Slopes, x: Matrix, dy: Matrix, dx: MatrixMut) {
    passes::map(team, &Gradient(slopes.check(x.shape().1)), PASS_WORK, [x, dy], dx);
}

/// Gradient of per-unit slopes, Σ dy min(x, 0) over each column: one accumulation chain in row order. X and
/// Dʸ `[m, n]`, `sums` `[n]`.
///
/// # Panics
/// If the shapes do not match.
pub fn prelu_slope_gradients(team: &mut Team, x: Matrix, dy: Matrix, start: Start, sums: &mut [f32]) {
    passes::column_chains(team, &SlopeTerm, [x, dy], start, sums);
}

/// Gradient of the shared slope, continuing from `start`: each row is summed by 16 lanes and a fixed tree,
/// then rows are added in order. This is one chain, so it runs on one thread. X and Dʸ `[m, n]`.
///
/// # Panics
/// If the shapes do not match.
pub fn prelu_slope_gradient(team: &Team, x: Matrix, dy: Matrix, start: f32) -> f32 {
    assert!(x.shape() == dy.shape());
    team.isa().run(SharedSlope { x, dy, start })
}

struct Value<'a>(Slopes<'a>);

impl Map<1> for Value<'_> {
    #[inline(always)]
    fn apply<V: Vector>(&self, _row: usize, col: usize, [x]: [V; 1]) -> V {
        x.where_positive(x, self.0.load::<V>(col) * x)
    }
}

struct Gradient<'a>(Slopes<'a>);

impl Map<2> for Gradient<'_> {
    #[inline(always)]
    fn apply<V: Vector>(&self, _row: usize, col: usize, [x, dy]: [V; 2]) -> V {
        x.where_positive(dy, self.0.load::<V>(col) * dy)
    }
}

struct SlopeTerm;

impl Chain<2> for SlopeTerm {
    #[inline(always)]
    fn add<V: Vector>(&self, _row: usize, _col: usize, [x, dy]: [V; 2], sum: V) -> V {
        dy.mul_add(V::splat(0.0).min(x), sum)
    }
}

struct SharedSlope<'a> {
    x: Matrix<'a>,
    dy: Matrix<'a>,
    start: f32,
}

impl Kernel for SharedSlope<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<V: Vector>(self) -> f32 {
        let (rows, cols) = self.x.shape();
        let mut total = self.start;
        if cols == 0 {
            return self.start;
        }
        let stride = padded(cols);
        for row in 0..rows {
            let mut sum = V::splat(0.0);
            for col in (0..stride).step_by(LANES) {
                // SAFETY: both matrices have this row and these columns.
                let inputs = unsafe { [load(self.x, row, col), load(self.dy, row, col)] };
                sum = SlopeTerm.add::<V>(row, col, inputs, sum);
            }
            total += sum.sum();
        }
        total
    }
}
