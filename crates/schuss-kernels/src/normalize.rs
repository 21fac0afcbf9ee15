//! Layer and batch normalisation: x̂ = (x − mean) / √(variance + ε), then y = gain x̂ + bias.
//!
//! Layer normalisation uses the mean and variance of every row, batch normalisation those of every column (or
//! the running ones from training, at inference). Everything else is shared: [`normalize`],
//! [`gain_gradient`], and for the bias [`crate::matrix::column_sums`].

use crate::matrix::{Matrix, MatrixMut, Start};
use crate::passes::{self, Chain, Map, RowPass, clear_pad, counted, load};
use crate::pointer::SharedMut;
use crate::{Kernel, LANES, PASS_WORK, Team, Vector, padded};

/// Moments that rows or columns are normalised by. Per-column slices are padded to whole vectors.
#[derive(Clone, Copy, Debug)]
pub enum Moments<'a> {
    /// Layer normalisation.
    PerRow {
        /// Mean of every row.
        mean: &'a [f32],
        /// 1 / √(variance + ε) of every row.
        scale: &'a [f32],
    },
    /// Batch normalisation.
    PerColumn {
        /// Mean of every column.
        mean: &'a [f32],
        /// 1 / √(variance + ε) of every column.
        scale: &'a [f32],
    },
}

impl Moments<'_> {
    /// # Panics
    /// If there are too few for X.
    fn check(self, x: Matrix) -> Self {
        let (rows, cols) = x.shape();
        let (mean, scale, needed) = match self {
            Self::PerRow { mean, scale } => (mean, scale, rows),
            Self::PerColumn { mean, scale } => (mean, scale, padded(cols)),
        };
        assert!(mean.len() >= needed && scale.len() >= needed);
        self
    }

    /// Returns scale and x̂ of 16 columns of a row that `check` has validated.
    #[inline(always)]
    fn standardize<V: Vector>(self, row: usize, col: usize, x: V) -> (V, V) {
        let (mean, scale) = match self {
            Self::PerRow { mean, scale } => (V::splat(f64::from(mean[row])), V::splat(f64::from(scale[row]))),
            // SAFETY: `check` saw a whole padded row, and `col` is the first of 16 of its columns.
            Self::PerColumn { mean, scale } => unsafe {
                (V::load(mean.as_ptr().add(col)), V::load(scale.as_ptr().add(col)))
            },
        };
        (scale, (x - mean) * scale)
    }
}

/// Computes mean and 1 / √(variance + ε) of every row of X `[m, n]`, the variance over n: 16 lanes and a
/// fixed tree each.
///
/// # Panics
/// If the shapes do not match.
pub fn row_moments(team: &mut Team, x: Matrix, eps: f64, mean: &mut [f32], scale: &mut [f32]) {
    let (rows, cols) = x.shape();
    assert!(mean.len() >= rows && scale.len() >= rows);
    let pass = RowMoments { x, eps: eps as f32, mean: SharedMut::new(mean), scale: SharedMut::new(scale) };
    passes::each_row(team, &pass, PASS_WORK, rows, cols);
}

/// Computes mean and variance (over m) of every column of X `[m, n]`, summed in f64 in row order. `mean` and
/// `variance` `[n]`.
///
/// # Panics
/// If the shapes do not match.
pub fn column_moments(team: &mut Team, x: Matrix, mean: &mut [f32], variance: &mut [f32]) {
    let (rows, cols) = x.shape();
    assert!(mean.len() >= padded(cols) && variance.len() >= padded(cols));
    let (mean, variance) = (SharedMut::new(mean), SharedMut::new(variance));
    let isa = team.isa();
    team.split(rows * cols * PASS_WORK, cols.div_ceil(LANES), |panels| {
        panels.for_each(|panel| isa.run(ColumnMoments { x, mean, variance, col: panel * LANES }));
    });
}

/// Computes 1 / √(variance + ε), the scale of batch normalisation.
///
/// # Panics
/// If the lengths differ.
pub fn scales(variance: &[f32], eps: f64, scale: &mut [f32]) {
    assert!(variance.len() == scale.len());
    for (scale, variance) in scale.iter_mut().zip(variance) {
        *scale = 1.0 / (variance + eps as f32).sqrt();
    }
}

/// Y ← gain x̂ + bias. X and Y `[m, n]`, gain and bias `[n]`.
///
/// # Panics
/// If the shapes do not match.
pub fn normalize(team: &mut Team, x: Matrix, moments: Moments, gain: &[f32], bias: &[f32], y: MatrixMut) {
    let (moments, width) = (moments.check(x), padded(x.shape().1));
    assert!(gain.len() >= width && bias.len() >= width);
    passes::map(team, &Normalize { moments, gain, bias }, PASS_WORK, [x], y);
}

/// Computes the gradient of the gain, Σ dy x̂ over each column: one chain in row order. X and Dʸ `[m, n]`,
/// `sums` `[n]`.
///
/// # Panics
/// If the shapes do not match.
pub fn gain_gradient(
    team: &mut Team,
    x: Matrix,
    moments: Moments,
    dy: Matrix,
    start: Start,
    sums: &mut [f32],
) {
    let chain = GainTerm(moments.check(x));
    passes::column_chains(team, &chain, [x, dy], start, sums);
}

/// Computes Dˣ of layer normalisation: scale (g − mean(g) − x̂ mean(g x̂)) with g = gain dy and means over
/// the row.
///
/// # Panics
/// If the shapes do not match, or the moments are per column.
pub fn layer_norm_gradient(
    team: &mut Team,
    x: Matrix,
    moments: Moments,
    gain: &[f32],
    dy: Matrix,
    dx: MatrixMut,
) {
    let (rows, cols) = x.shape();
    assert!(matches!(moments, Moments::PerRow { .. }), "layer normalisation has moments per row");
    assert!(dy.shape() == (rows, cols) && dx.shape() == (rows, cols) && gain.len() >= padded(cols));
    let dx = SharedMut::new(dx.into_data());
    let pass = LayerGradient { x, moments: moments.check(x), gain, dy, dx };
    passes::each_row(team, &pass, 2 * PASS_WORK, rows, cols);
}

/// Gradients of gain and bias over the rows of a batch, one per column and padded to whole vectors.
#[derive(Clone, Copy, Debug)]
pub struct BatchGradients<'a> {
    /// Σ dy x̂ of every column: [`gain_gradient`].
    pub gain: &'a [f32],
    /// Σ dy of every column: [`crate::matrix::column_sums`].
    pub bias: &'a [f32],
}

/// Computes Dˣ of batch normalisation by the moments of these same rows: scale gain (dy − mean(dy) − x̂
/// mean(dy x̂)) with means over the column, from the `sums` over these rows.
///
/// # Panics
/// If the shapes do not match.
pub fn batch_norm_gradient(
    team: &mut Team,
    x: Matrix,
    moments: Moments,
    gain: &[f32],
    sums: BatchGradients,
    dy: Matrix,
    dx: MatrixMut,
) {
    let (rows, cols) = x.shape();
    assert!([gain, sums.gain, sums.bias].iter().all(|columns| columns.len() >= padded(cols)));
    let pass = BatchGradient { moments: moments.check(x), gain, sums, count: rows as f32 };
    passes::map(team, &pass, PASS_WORK, [x, dy], dx);
}

/// # Safety
/// `columns` holds `col..col + 16`.
#[inline(always)]
unsafe fn at<V: Vector>(columns: &[f32], col: usize) -> V {
    // SAFETY: promised by the caller.
    unsafe { V::load(columns.as_ptr().add(col)) }
}

struct RowMoments<'a> {
    x: Matrix<'a>,
    eps: f32,
    mean: SharedMut,
    scale: SharedMut,
}

impl RowMoments<'_> {
    /// Returns the mean over the row of (x − centre)^power, power 1 or 2.
    #[inline(always)]
    fn average<V: Vector>(&self, row: usize, centre: f32, power: usize) -> f32 {
        let cols = self.x.shape().1;
        let mut sum = V::splat(0.0);
        for col in (0..cols).step_by(LANES) {
            // SAFETY: the matrix has this row and these columns.
            let x = unsafe { load::<V>(self.x, row, col) } - V::splat(f64::from(centre));
            sum = sum + counted(cols, col, if power == 1 { x } else { x * x });
        }
        sum.sum() / cols as f32
    }
}

impl RowPass for RowMoments<'_> {
    #[inline(always)]
    fn row<V: Vector>(&self, row: usize) {
        let mean = self.average::<V>(row, 0.0, 1);
        let variance = self.average::<V>(row, mean, 2);
        // SAFETY: `row_moments` checked that there is one of each per row, and this row belongs to this part.
        unsafe {
            *self.mean.at(row) = mean;
            *self.scale.at(row) = 1.0 / (variance + self.eps).sqrt();
        }
    }
}

struct ColumnMoments<'a> {
    x: Matrix<'a>,
    mean: SharedMut,
    variance: SharedMut,
    col: usize,
}

impl ColumnMoments<'_> {
    /// Returns the mean over the rows of `term(column of the panel, x)`.
    #[inline(always)]
    fn average(&self, term: impl Fn(usize, f64) -> f64) -> [f64; LANES] {
        let rows = self.x.shape().0;
        let mut sums = [0.0; LANES];
        for row in 0..rows {
            let panel = &self.x.row(row)[self.col..self.col + LANES];
            for (i, (sum, &x)) in sums.iter_mut().zip(panel).enumerate() {
                *sum += term(i, f64::from(x));
            }
        }
        sums.map(|sum| sum / rows as f64)
    }
}

impl Kernel for ColumnMoments<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let mean = self.average(|_, x| x);
        let variance = self.average(|i, x| (x - mean[i]) * (x - mean[i]));
        for (to, values) in [(self.mean, mean), (self.variance, variance)] {
            // SAFETY: `column_moments` checked that both hold a padded row, and this panel belongs to this part.
            let to = unsafe { to.slice(self.col, LANES) };
            to.iter_mut().zip(values).for_each(|(to, value)| *to = value as f32);
        }
    }
}

struct Normalize<'a> {
    moments: Moments<'a>,
    gain: &'a [f32],
    bias: &'a [f32],
}

impl Map<1> for Normalize<'_> {
    #[inline(always)]
    fn apply<V: Vector>(&self, row: usize, col: usize, [x]: [V; 1]) -> V {
        let (_, x) = self.moments.standardize(row, col, x);
        // SAFETY: `normalize` checked that both hold a padded row.
        unsafe { x.mul_add(at(self.gain, col), at(self.bias, col)) }
    }
}

struct GainTerm<'a>(Moments<'a>);

impl Chain<2> for GainTerm<'_> {
    #[inline(always)]
    fn add<V: Vector>(&self, row: usize, col: usize, [x, dy]: [V; 2], sum: V) -> V {
        let (_, x) = self.0.standardize(row, col, x);
        dy.mul_add(x, sum)
    }
}

struct LayerGradient<'a> {
    x: Matrix<'a>,
    moments: Moments<'a>,
    gain: &'a [f32],
    dy: Matrix<'a>,
    dx: SharedMut,
}

impl LayerGradient<'_> {
    /// Loads scale, x̂ and g of 16 columns of a row.
    #[inline(always)]
    fn load<V: Vector>(&self, row: usize, col: usize) -> [V; 3] {
        // SAFETY: `layer_norm_gradient` checked that all have this row and these columns.
        let (x, g) = unsafe { (load(self.x, row, col), load::<V>(self.dy, row, col) * at(self.gain, col)) };
        let (scale, x) = self.moments.standardize(row, col, x);
        [scale, x, g]
    }
}

impl RowPass for LayerGradient<'_> {
    #[inline(always)]
    fn row<V: Vector>(&self, row: usize) {
        let (cols, stride) = (self.x.shape().1, self.x.stride());
        let (mut sum, mut along) = (V::splat(0.0), V::splat(0.0));
        for col in (0..stride).step_by(LANES) {
            let [_, x, g] = self.load::<V>(row, col);
            sum = sum + counted(cols, col, g);
            along = along + counted(cols, col, g * x);
        }
        let mean = V::splat(f64::from(sum.sum() / cols as f32));
        let along = V::splat(f64::from(along.sum() / cols as f32));
        // SAFETY: Dˣ has the shape of X, and this row belongs to this part.
        unsafe {
            for col in (0..stride).step_by(LANES) {
                let [scale, x, g] = self.load::<V>(row, col);
                (scale * (g - mean - x * along)).store(self.dx.at(row * stride + col));
            }
            clear_pad(self.dx, row, cols);
        }
    }
}

struct BatchGradient<'a> {
    moments: Moments<'a>,
    gain: &'a [f32],
    sums: BatchGradients<'a>,
    count: f32,
}

impl Map<2> for BatchGradient<'_> {
    #[inline(always)]
    fn apply<V: Vector>(&self, row: usize, col: usize, [x, dy]: [V; 2]) -> V {
        let (scale, x) = self.moments.standardize(row, col, x);
        let count = V::splat(f64::from(self.count));
        // SAFETY: `batch_norm_gradient` checked that all hold a padded row.
        unsafe {
            let mean = x.mul_add(at(self.sums.gain, col), at(self.sums.bias, col)) / count;
            scale * at(self.gain, col) * (dy - mean)
        }
    }
}

#[cfg(test)]
mod tests;
