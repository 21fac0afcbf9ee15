//! Updates that are linear in gradient, weight and velocity.

/// One update as a linear map: (w, v) ← A (w, v) + b g, with the raw gradient g. Without a velocity, only the first
/// row and column are used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Linear {
    /// A
    pub(crate) a: Square,
    /// b
    pub(crate) b: [f64; 2],
}

/// A 2 x 2 matrix in row-major order.
pub(crate) type Square = [[f64; 2]; 2];

/// The identity.
pub(crate) const IDENTITY: Square = [[1.0, 0.0], [0.0, 1.0]];

impl Linear {
    /// Returns A times a vector.
    pub(crate) fn carry(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        self.a.map(|[p, q]| flush(p * x + q * y))
    }

    /// Returns A times a matrix.
    pub(crate) fn carry_square(&self, m: Square) -> Square {
        let [left, right] = [0, 1].map(|col| self.carry([m[0][col], m[1][col]]));
        [0, 1].map(|row| [left[row], right[row]])
    }
}

/// Flushes coefficients below 1e-30 to zero, as is done for slots.
fn flush(x: f64) -> f64 {
    if x.abs() < 1e-30 { 0.0 } else { x }
}
