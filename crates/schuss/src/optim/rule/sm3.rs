use super::{Describe, Slot, SlotShape, Staged, Step};
use crate::Result;
use crate::network::{Entry, Role};
use crate::optim::arithmetic::{Arithmetic, Tensor, Tensors};
use crate::spec::{Choice, below_one, non_negative};
use documented::{Documented, DocumentedFields};
use schuss_kernels::sweep::Elementwise;
use schuss_kernels::{LANES, Lane, padded};
use serde::{Deserialize, Serialize};

/// SM3: Adagrad that keeps one value per row and column instead of one per weight.
///
/// ```text
/// v_ij ← min(r_i, c_j) + g_ij²    a bias keeps v itself: v ← v + g²
/// r_i ← max_j v_ij                c_j ← max_i v_ij
/// m ← μ m + (1 − μ) g / √(v + ε)  0 where v = 0
/// w ← w − η m
/// ```
///
/// Anil, Gupta, Koren and Singer, "Memory-Efficient Adaptive Optimization", NeurIPS 2019 (arXiv 1901.11150), algorithm
/// SM3-II; without momentum, its only state is r and c. Keys, defaults and ε = 1e-8 are `optax.sm3`'s, which has none
/// for lr; the paper has neither ε nor momentum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Sm3 {
    /// Learning rate η.
    pub lr: f64,
    /// Momentum μ.
    pub momentum: f64,
}

const EPS: f64 = 1e-8;

impl Default for Sm3 {
    fn default() -> Self {
        Self { lr: 0.1, momentum: 0.9 }
    }
}

impl Choice for Sm3 {
    const NAME: &'static str = "sm3";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr)])?;
        below_one(&[("momentum", self.momentum)])
    }
}

impl Describe for Sm3 {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::new("m"), Slot::new("r").shaped(SlotShape::Rows), Slot::new("c").shaped(SlotShape::Cols)]
    }

    /// v of a row, and the new c.
    fn scratch(&self) -> Vec<SlotShape> {
        vec![SlotShape::Cols, SlotShape::Cols]
    }

    fn needs(&self, shape: SlotShape, tensor: &Entry) -> bool {
        shape != SlotShape::Rows || tensor.role == Role::Weight
    }

    fn lr(&mut self) -> Option<&mut f64> {
        Some(&mut self.lr)
    }

    fn momentum(&mut self) -> Option<&mut f64> {
        Some(&mut self.momentum)
    }
}

impl Staged for Sm3 {
    fn step<A: Arithmetic>(&self, _: &Step, arithmetic: &mut A, tensors: Tensors<A>) {
        let Self { lr, momentum } = *self;
        for Tensor { place, cols, slots, scratch, .. } in tensors.all {
            let (w, g) = (&mut tensors.weights[place.clone()], &tensors.gradients[place.clone()]);
            let ([m, r, c], [v, new_c]) = (slots.as_mut_slice(), scratch.as_mut_slice()) else { continue };
            let stride = padded(*cols);
            new_c.fill(A::T::default());
            let rows = w.chunks_exact_mut(stride).zip(g.chunks_exact(stride)).zip(m.chunks_exact_mut(stride));
            for (row, ((w, g), m)) in rows.enumerate() {
                let most = r.get(row).map_or(f64::INFINITY, |&r| r.into()); // a bias has no r
                arithmetic.sweep(&Cover { lr, momentum, most }, g, 1.0, w, [m, c, v, new_c]);
                if let Some(r) = r.get_mut(row) {
                    *r = largest(v);
                }
            }
            c.copy_from_slice(new_c);
        }
    }
}

/// Returns the largest of values that are not negative.
fn largest<T: Lane + PartialOrd + Default>(values: &[T]) -> T {
    let mut lanes = [T::default(); LANES];
    for values in values.as_chunks::<LANES>().0 {
        lanes.iter_mut().zip(values).for_each(|(lane, &value)| *lane = lane.max(value));
    }
    lanes.into_iter().fold(T::default(), T::max)
}

/// Update of one row of weights.
#[derive(Clone, Copy)]
struct Cover {
    lr: f64,
    momentum: f64,
    /// r of the row.
    most: f64,
}

impl Elementwise<4> for Cover {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [m, c, v, new_c]: &mut [L; 4]) -> L {
        *v = g.mul_add(g, L::splat(self.most).min(*c));
        *new_c = new_c.max(*v);
        let step = v.where_positive(g / (*v + L::splat(EPS)).sqrt(), L::splat(0.0));
        *m = L::splat(self.momentum).mul_add(*m, L::splat(1.0 - self.momentum) * step);
        m.mul_add(L::splat(-self.lr), w)
    }
}
