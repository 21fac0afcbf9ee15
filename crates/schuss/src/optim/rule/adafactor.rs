use super::blend::{AddSquare, Blend, Lengths, Sum, TowardSquare};
use super::{Describe, Slot, SlotShape, Staged, Step};
use crate::network::{Entry, Role};
use crate::optim::arithmetic::{Arithmetic, Tensor, Tensors};
use crate::schedule::powf;
use crate::spec::{Choice, non_negative, normal, positive};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use schuss_kernels::sweep::Elementwise;
use schuss_kernels::{Lane, padded};
use serde::{Deserialize, Serialize};

/// Adafactor: Adam without momentum, with second moments factored into a row and a column, and with steps relative to
/// the size of the weights.
///
/// ```text
/// η ← max(ε₂, rms(w)) min(lr, 1 / √t)                      rms(x) = ‖x‖ / √n over a tensor
/// w ← w − lr λ w
/// r_i ← r_i + t^δ (mean_j g_ij² − r_i)                     c_j ← c_j + t^δ (mean_i g_ij² − c_j)
/// u_ij ← g_ij / √max(r_i c_j / max(mean_j c_j, ε₁), ε₁²)   a bias keeps v ← v + t^δ (g² − v) itself
/// w ← w − η / max(1, rms(u) / d) u
/// ```
///
/// Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", ICML 2018 (arXiv 1804.04235).
/// Keys and defaults are `torch.optim.Adafactor`'s, δ being beta2_decay; its eps1 is the machine epsilon, here f32's.
/// Differs: the paper adds ε₁ = 1e-30 to g² instead and has no decay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Adafactor {
    /// Maximum learning rate, relative to the weights; at most 1 / √t at update t.
    pub lr: f64,
    /// Exponent δ: the share of update t in the second moment is t^δ.
    pub beta2_decay: f64,
    /// ε₁, lower bound of the second moment's root.
    pub eps1: f64,
    /// ε₂, lower bound of the weights' root mean square.
    pub eps2: f64,
    /// Maximum root mean square d of u.
    pub d: f64,
    /// Decoupled weight decay λ.
    pub weight_decay: f64,
}

impl Default for Adafactor {
    fn default() -> Self {
        let eps1 = 1.192_092_9e-7; // f32's epsilon, in the fewest digits that round-trip
        Self { lr: 0.01, beta2_decay: -0.8, eps1, eps2: 1e-3, d: 1.0, weight_decay: 0.0 }
    }
}

impl Choice for Adafactor {
    const NAME: &'static str = "adafactor";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay), ("eps2", self.eps2)])?;
        positive(&[("d", self.d)])?;
        normal(&[("eps1", self.eps1), ("the square of eps1", self.eps1 * self.eps1)])?;
        if self.beta2_decay.is_finite() && self.beta2_decay <= 0.0 {
            return Ok(());
        }
        Err(Error::usage(format!("beta2_decay must be at most 0, not {}", self.beta2_decay)))
    }
}

impl Describe for Adafactor {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::new("r").shaped(SlotShape::Rows), Slot::new("c").shaped(SlotShape::Cols), Slot::new("v")]
    }

    /// Sums of the columns.
    fn scratch(&self) -> Vec<SlotShape> {
        vec![SlotShape::Cols]
    }

    fn needs(&self, shape: SlotShape, tensor: &Entry) -> bool {
        (shape == SlotShape::Like) == (tensor.role != Role::Weight)
    }

    fn lr(&mut self) -> Option<&mut f64> {
        Some(&mut self.lr)
    }
}

impl Staged for Adafactor {
    fn step<A: Arithmetic>(&self, step: &Step, arithmetic: &mut A, tensors: Tensors<A>) {
        let (t, &Self { lr, weight_decay, .. }) = (step.t as f64, self);
        let share = 1.0 / powf(t, -self.beta2_decay);
        for tensor in tensors.all {
            let place = tensor.place.clone();
            let (w, u) = (&mut tensors.weights[place.clone()], &mut tensors.gradients[place]);
            let count = tensor.len() as f64;
            let [_, w_squared] = arithmetic.reduce(&Lengths { weight_decay: 0.0 }, u, w, []);
            if tensor.is_matrix {
                self.direct_matrix(arithmetic, tensor, u, share);
            } else {
                self.direct_vector(arithmetic, tensor, u, share);
            }
            let [u_squared, _] = arithmetic.reduce(&Lengths { weight_decay: 0.0 }, u, u, []);
            let length = self.eps2.max((w_squared / count).sqrt()) * lr.min(1.0 / t.sqrt());
            let excess = ((u_squared / count).sqrt() / self.d).max(1.0);
            let step = Blend { keep: 1.0 - lr * weight_decay, share: -length / excess };
            arithmetic.sweep(&step, u, 1.0, w, []);
        }
    }
}

impl Adafactor {
    /// Updates r and c, and overwrites the gradient with u.
    fn direct_matrix<A: Arithmetic>(
        &self,
        arithmetic: &mut A,
        tensor: &mut Tensor<A::Buffer>,
        g: &mut [A::T],
        share: f64,
    ) {
        let ([r, c, _], [sums]) = (tensor.slots.as_mut_slice(), tensor.scratch.as_mut_slice()) else {
            return;
        };
        let (rows, cols, stride) = (tensor.rows as f64, tensor.cols as f64, padded(tensor.cols));
        sums.fill(A::T::default());
        for (r, g) in r.iter_mut().zip(g.chunks_exact(stride)) {
            arithmetic.sweep(&AddSquare, g, 1.0, sums, []);
            let [square, _] = arithmetic.reduce(&Lengths { weight_decay: 0.0 }, g, g, []);
            *r = A::T::splat((1.0 - share) * (*r).into() + share * (square / cols)).flush();
        }
        arithmetic.sweep(&Blend::toward(share), sums, rows, c, []);
        let [sum] = arithmetic.reduce(&Sum, c, c, []);
        let mean = (sum / cols).max(self.eps1);
        for (r, g) in r.iter().zip(g.chunks_exact_mut(stride)) {
            let factor = (*r).into() / mean;
            arithmetic.sweep(&Quotient { factor, least: self.eps1 * self.eps1 }, c, 1.0, g, []);
        }
    }

    /// Updates v, and overwrites the gradient with u.
    fn direct_vector<A: Arithmetic>(
        &self,
        arithmetic: &mut A,
        tensor: &mut Tensor<A::Buffer>,
        g: &mut [A::T],
        share: f64,
    ) {
        let [_, _, v] = tensor.slots.as_mut_slice() else { return };
        arithmetic.sweep(&TowardSquare { share }, g, 1.0, v, []);
        arithmetic.sweep(&Quotient { factor: 1.0, least: self.eps1 * self.eps1 }, v, 1.0, g, []);
    }
}

/// g ← g / √max(factor v, least), where v is passed in place of the gradient.
#[derive(Clone, Copy)]
struct Quotient {
    factor: f64,
    least: f64,
}

impl Elementwise<0> for Quotient {
    #[inline(always)]
    fn apply<L: Lane>(&self, v: L, g: L, _: &mut [L; 0]) -> L {
        g / (L::splat(self.factor) * v).max(L::splat(self.least)).sqrt()
    }
}
