//! Largest eigenvalue of a symmetric matrix that is known by its products with vectors.

use crate::Result;
use crate::optim::Eigen;

/// Most products, each with a vector that is kept.
const MOST_PRODUCTS: usize = 50;

/// Fewest products, however long the vectors are.
const FEWEST_PRODUCTS: usize = 10;

/// Most numbers in the vectors that are kept.
const MOST_NUMBERS: usize = 1 << 26;

/// Returns the most products for vectors of `len` numbers.
pub(super) fn most_products(len: usize) -> usize {
    (MOST_NUMBERS / len.max(1)).clamp(FEWEST_PRODUCTS, MOST_PRODUCTS)
}

/// The largest eigenvalue, and how it was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Largest {
    pub(crate) value: f64,
    /// Number of products.
    pub(crate) products: usize,
    /// Residual ‖A u − λ u‖ relative to |λ|, for the eigenvector u of length 1: some eigenvalue is as near as that.
    pub(crate) residual: f64,
}

/// Finds the largest eigenvalue of A by the Lanczos iteration from `start`, with full reorthogonalisation.
///
/// ```text
/// w = A qₖ − βₖ₋₁ qₖ₋₁        αₖ = wᵀ qₖ        w ← w − Σ (wᵀ qⱼ) qⱼ, twice        βₖ = ‖w‖        qₖ₊₁ = w / βₖ
/// ```
///
/// The eigenvalues of the tridiagonal matrix of α and β approach those of A from inside. Golub and Van Loan, "Matrix
/// Computations", chapter 10. Vectors are f32, sums over them f64.
///
/// It ends when the residual is at most `tolerance`.
///
/// # Errors
/// Any error of `product`.
pub(super) fn largest_eigenvalue(
    start: Vec<f32>,
    tolerance: f64,
    mut product: impl FnMut(&[f32]) -> Result<Vec<f32>>,
) -> Result<Largest> {
    let most = most_products(start.len());
    let mut basis: Vec<Vec<f32>> = vec![];
    let mut tridiagonal = Tridiagonal::default();
    let mut next = unit(start);
    loop {
        let mut w = product(&next)?;
        basis.push(next);
        let alpha = dot(&w, &basis[basis.len() - 1]);
        for _ in 0..2 {
            for q in &basis {
                let along = dot(&w, q);
                subtract(&mut w, along, q);
            }
        }
        let beta = dot(&w, &w).sqrt();
        tridiagonal.push(alpha, beta);
        let found = tridiagonal.largest();
        let is_found = found.residual <= tolerance || beta == 0.0 || !found.value.is_finite();
        if is_found || basis.len() >= most {
            return Ok(found);
        }
        next = unit(w);
    }
}

/// Diagonal α and off-diagonal β so far; the last β couples to the vector that comes next.
#[derive(Default)]
struct Tridiagonal {
    diagonal: Vec<f64>,
    beside: Vec<f64>,
}

impl Tridiagonal {
    fn push(&mut self, alpha: f64, beta: f64) {
        self.diagonal.push(alpha);
        self.beside.push(beta);
    }

    /// Returns its largest eigenvalue, with the residual β |uₖ| of the vector u for it.
    fn largest(&self) -> Largest {
        let side = self.diagonal.len();
        let eigen = Eigen::of(side, |row, col| match row.abs_diff(col) {
            0 => self.diagonal[row],
            1 => self.beside[row.min(col)],
            _ => 0.0,
        });
        let (value, last) = (eigen.value(0), eigen.vector(0)[side - 1]);
        let residual = self.beside[side - 1] * last.abs() / value.abs();
        Largest { value, products: side, residual }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// w ← w − factor q
fn subtract(w: &mut [f32], factor: f64, q: &[f32]) {
    w.iter_mut().zip(q).for_each(|(w, q)| *w = (f64::from(*w) - factor * f64::from(*q)) as f32);
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = dot(&vector, &vector).sqrt();
    vector.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
    vector
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns diag(values) v, reflected by 1 − 2 u uᵀ from both sides, so that eigenvectors are no unit vectors.
    fn product(values: &[f64], v: &[f32]) -> Vec<f32> {
        let u: Vec<f32> = unit((0..v.len()).map(|i| 1.0 + (i % 7) as f32).collect());
        let reflect = |v: &[f32]| {
            let mut reflected = v.to_vec();
            subtract(&mut reflected, 2.0 * dot(v, &u), &u);
            reflected
        };
        let scaled: Vec<f32> =
            reflect(v).iter().zip(values).map(|(x, k)| (f64::from(*x) * k) as f32).collect();
        reflect(&scaled)
    }

    #[test]
    fn the_largest_eigenvalue_of_a_known_spectrum_is_found_within_its_residual() {
        for (name, values) in [
            (
                "one above the others",
                (0..300).map(|i| if i == 7 { 25.0 } else { 0.01 * f64::from(i) }).collect(),
            ),
            ("dense", (0..300).map(f64::from).collect::<Vec<_>>()),
            ("negative ones are larger in magnitude", (0..300).map(|i| f64::from(i) - 270.0).collect()),
            ("all negative", (0..40).map(|i| -1.0 - f64::from(i)).collect()),
        ] {
            let start = (0..values.len()).map(|i| (i as f32).sin()).collect();
            let found = largest_eigenvalue(start, 1e-3, |v| Ok(product(&values, v))).unwrap();
            let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let error = (found.value - largest).abs() / largest.abs();
            assert!(error <= found.residual + 1e-5 && error < 0.05, "{name}: {found:?}, not {largest}");
        }
    }

    #[test]
    fn a_multiple_of_the_identity_needs_one_product() {
        let found =
            largest_eigenvalue(vec![1.0, 2.0, 3.0], 1e-3, |v| Ok(v.iter().map(|x| 4.0 * x).collect()))
                .unwrap();
        assert!((found.value - 4.0).abs() < 1e-5 && found.products <= 2, "{found:?}");
    }
}
