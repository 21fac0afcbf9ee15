//! Terms shared by element-wise rules.

use schuss_kernels::Lane;

/// g + λ w
#[inline(always)]
pub(super) fn penalised<L: Lane>(g: L, w: L, weight_decay: f64) -> L {
    w.mul_add(L::splat(weight_decay), g)
}

/// √v + ε, or √(v + ε) with ε inside.
#[inline(always)]
pub(super) fn root_with<L: Lane>(v: L, eps: f64, inside: bool) -> L {
    let eps = L::splat(eps);
    if inside { (v + eps).sqrt() } else { v.sqrt() + eps }
}

/// m + share (x − m): a running mean that moves toward x.
#[inline(always)]
pub(super) fn toward<L: Lane>(m: L, x: L, share: f64) -> L {
    (x - m).mul_add(L::splat(share), m)
}

/// v + (1 − keep) (x² − v). With rounding, this reaches a constant x² exactly, which keep v + (1 − keep) x² would miss
/// if the two factors do not add up to 1.
#[inline(always)]
pub(super) fn mean_square<L: Lane>(v: L, x: L, keep: f64) -> L {
    toward(v, x * x, 1.0 - keep)
}
