//! Sweeps and reductions shared by staged rules.

use schuss_kernels::Lane;
use schuss_kernels::reduce::Reduction;
use schuss_kernels::sweep::Elementwise;

/// x ← keep x + share y, where y is passed in place of the gradient.
#[derive(Clone, Copy)]
pub(crate) struct Blend {
    pub(crate) keep: f64,
    pub(crate) share: f64,
}

impl Blend {
    /// x ← x + share (y − x)
    pub(crate) fn toward(share: f64) -> Self {
        Self { keep: 1.0 - share, share }
    }
}

impl Elementwise<0> for Blend {
    #[inline(always)]
    fn apply<L: Lane>(&self, y: L, x: L, _: &mut [L; 0]) -> L {
        y.mul_add(L::splat(self.share), L::splat(self.keep) * x)
    }
}

/// w ← w − η (g + λ w)
#[derive(Clone, Copy)]
pub(crate) struct Descend {
    pub(crate) lr: f64,
    pub(crate) weight_decay: f64,
}

impl Elementwise<0> for Descend {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, _: &mut [L; 0]) -> L {
        let g = w.mul_add(L::splat(self.weight_decay), g);
        g.mul_add(L::splat(-self.lr), w)
    }
}

/// x ← x + y²
#[derive(Clone, Copy)]
pub(crate) struct AddSquare;

impl Elementwise<0> for AddSquare {
    #[inline(always)]
    fn apply<L: Lane>(&self, y: L, x: L, _: &mut [L; 0]) -> L {
        y.mul_add(y, x)
    }
}

/// x ← x + share (y² − x)
#[derive(Clone, Copy)]
pub(crate) struct TowardSquare {
    pub(crate) share: f64,
}

impl Elementwise<0> for TowardSquare {
    #[inline(always)]
    fn apply<L: Lane>(&self, y: L, x: L, _: &mut [L; 0]) -> L {
        L::splat(1.0 - self.share).mul_add(x, L::splat(self.share) * y * y)
    }
}

/// Σ (g + λ w)² and Σ w².
pub(crate) struct Lengths {
    pub(crate) weight_decay: f64,
}

impl Reduction<0, 2> for Lengths {
    #[inline(always)]
    fn terms<L: Lane>(&self, g: L, w: L, _: [L; 0]) -> [L; 2] {
        let g = w.mul_add(L::splat(self.weight_decay), g);
        [g * g, w * w]
    }
}

/// Σ x
pub(crate) struct Sum;

impl Reduction<0, 1> for Sum {
    #[inline(always)]
    fn terms<L: Lane>(&self, x: L, _: L, _: [L; 0]) -> [L; 1] {
        [x]
    }
}

/// Σ |x|
pub(crate) struct Magnitude;

impl Reduction<0, 1> for Magnitude {
    #[inline(always)]
    fn terms<L: Lane>(&self, x: L, _: L, _: [L; 0]) -> [L; 1] {
        [x.abs()]
    }
}
