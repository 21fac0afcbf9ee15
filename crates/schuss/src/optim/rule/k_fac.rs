use super::blend::{Blend, Descend};
use super::shampoo::scale_and_square;
use super::{Describe, Needs, Slot, SlotShape, Staged, Step, knobs};
use crate::Result;
use crate::network::{Entry, Role};
use crate::optim::arithmetic::{Arithmetic, Tensor, Tensors};
use crate::optim::eigen::Eigen;
use crate::spec::{Choice, below_one, non_negative, normal, whole};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::matrix::{Matrix, MatrixMut};
use serde::{Deserialize, Serialize};

/// K-FAC: natural gradient, with the curvature of a linear layer approximated by the Kronecker product of two small
/// matrices, A for the inputs and G for the backpropagated gradients.
///
/// ```text
/// g ← g + λ w                     weights and bias as one matrix, [inputs + 1, outputs]
/// A ← κ A + (1 − κ) mean of [x 1]ᵀ [x 1]        κ = min(1 − 1/t, decay)
/// G ← κ G + (1 − κ) mean of δᵀ δ                δ: gradient at the outputs, of a target drawn from the network's own answer
/// u ← (A + π √γ)⁻¹ g (G + √γ / π)⁻¹             γ: damping, π² = (tr A / rows of A) / (tr G / rows of G)
/// v ← μ v + u
/// w ← w − η v
/// ```
///
/// Targets are drawn from the distribution that the loss implies, once per sample: classes from the softmax
/// (`cross-entropy`, `nll`), or signs times the root of the loss's own curvature (`mse`, `bce`); other losses are
/// rejected. Drawing costs a second backward pass. The inverses are recomputed at update 1 and after every `every`
/// updates, from eigenvectors in f64 on one thread: 0.8 s for all of 784-400-256-10. The rule takes whole linear layers
/// and no others: give other layers a rule of their own, as in `1@sgd/k-fac`. Without statistics of the layers, as on
/// an error surface, A and G are 0 and u = g / γ. It is meant for updates of a hundred samples or more; smaller updates
/// need a smaller η and a decay closer to 1.
///
/// Martens and Grosse, "Optimizing Neural Networks with Kronecker-factored Approximate Curvature", ICML 2015 (arXiv
/// 1503.05671): κ and `decay` of section 5, damping of section 6.3, inverses every 20 updates as in section 8. Differs:
/// η, μ and γ are constants with schuss's own defaults, or driven by a schedule; the paper recomputes them at every
/// update (sections 6.4 to 7), for which it evaluates the loss more than once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct KFac {
    /// Learning rate η.
    pub lr: f64,
    /// Momentum μ.
    pub momentum: f64,
    /// Damping γ, which keeps steps short where the curvature is small.
    pub damping: f64,
    /// Decay rate of A and G in the long run.
    pub decay: f64,
    /// Updates between recomputations of the inverses.
    pub every: f64,
    /// L2 penalty λ, added to the gradient as λ w.
    pub weight_decay: f64,
}

impl Default for KFac {
    fn default() -> Self {
        Self { lr: 0.01, momentum: 0.9, damping: 0.03, decay: 0.95, every: 20.0, weight_decay: 0.0 }
    }
}

impl Choice for KFac {
    const NAME: &'static str = "k-fac";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        below_one(&[("momentum", self.momentum), ("decay", self.decay)])?;
        normal(&[("damping", self.damping)])?;
        whole(&[("every", self.every)])
    }
}

impl Describe for KFac {
    fn wants(&self) -> Needs {
        Needs { curvature: true, ..Needs::default() }
    }

    fn slots(&self) -> Vec<Slot> {
        let slot = |name, shape| Slot::new(name).shaped(shape);
        vec![
            slot("A", SlotShape::SquareOfInputs),
            slot("G", SlotShape::SquareOfCols),
            slot("inverse of A", SlotShape::SquareOfInputs),
            slot("inverse of G", SlotShape::SquareOfCols),
            Slot::new("velocity"),
        ]
    }

    /// An intermediate product, and square matrices.
    fn scratch(&self) -> Vec<SlotShape> {
        vec![SlotShape::Layer, SlotShape::SquareOfInputs, SlotShape::SquareOfCols]
    }

    fn needs(&self, shape: SlotShape, tensor: &Entry) -> bool {
        shape == SlotShape::Like || tensor.role == Role::Weight
    }

    knobs!(lr = lr, momentum = momentum);
}

impl Staged for KFac {
    /// Adds the moments of an update's samples, [x 1]ᵀ [x 1] and δᵀ δ, to A and G of a layer's weights.
    fn take_in<A: Arithmetic>(
        &self,
        t: u64,
        arithmetic: &mut A,
        weight: &mut Tensor<A::Buffer>,
        moments: [&[A::T]; 2],
    ) {
        let keep = self.decay.min(1.0 - 1.0 / t as f64);
        for (kept, found) in weight.slots.iter_mut().zip(moments) {
            arithmetic.sweep(&Blend { keep, share: 1.0 - keep }, found, 1.0, kept, []);
        }
    }

    fn step<A: Arithmetic>(&self, step: &Step, arithmetic: &mut A, tensors: Tensors<A>) {
        let Tensors { all, weights, gradients, eigen, .. } = tensors;
        let renew = (step.t - 1).is_multiple_of(self.every as u64);
        let decay = Blend { keep: 1.0, share: self.weight_decay };
        for place in all.iter().map(|tensor| tensor.place.clone()) {
            arithmetic.sweep(&decay, &weights[place.clone()], 1.0, &mut gradients[place], []);
        }
        for part in all.chunk_by_mut(is_layer) {
            match part {
                [weight, bias] => {
                    let g = &mut gradients[weight.place.start..bias.place.end];
                    if renew {
                        self.renew_inverses(arithmetic, weight, eigen);
                    }
                    precondition(arithmetic, weight, g);
                }
                _ => self.scale::<A>(&mut gradients[part[0].place.clone()]),
            }
        }
        all.iter_mut().for_each(|tensor| self.descend(arithmetic, tensor, gradients, weights));
    }
}

/// Returns true if two consecutive tensors are weights and biases of a linear layer, which are adjacent in memory:
/// together they form a matrix `[inputs + 1, outputs]`.
fn is_layer<B>(weight: &Tensor<B>, bias: &Tensor<B>) -> bool {
    weight.is_matrix && bias.entry == weight.entry + 1
}

impl KFac {
    fn renew_inverses<A: Arithmetic>(
        &self,
        arithmetic: &mut A,
        weight: &mut Tensor<A::Buffer>,
        eigen: &mut Eigen,
    ) {
        let sides = [weight.rows + 1, weight.cols];
        let ([a, g, inverses @ ..], [_, rooms @ ..]) =
            (weight.slots.as_mut_slice(), weight.scratch.as_mut_slice())
        else {
            return;
        };
        let [a, g] = [Matrix::new(a, sides[0], sides[0]), Matrix::new(g, sides[1], sides[1])];
        let (root, ratio) = (self.damping.sqrt(), (mean_of_diagonal(a) / mean_of_diagonal(g)).sqrt());
        let pi = if ratio.is_normal() { ratio } else { 1.0 };
        for (k, (matrix, damping)) in [(a, pi * root), (g, root / pi)].into_iter().enumerate() {
            eigen.decompose(matrix);
            let to = MatrixMut::new(&mut inverses[k], sides[k], sides[k]);
            let root = |value: f64| (value.clamp(0.0, f64::INFINITY) + damping).sqrt();
            scale_and_square(arithmetic, eigen, root, &mut rooms[k], to);
        }
    }

    /// u of tensors without A and G: g ← g / γ
    fn scale<A: Arithmetic>(&self, g: &mut [A::T]) {
        g.iter_mut().for_each(|g| *g = *g / A::T::splat(self.damping));
    }

    /// Moves velocity and weights along u, which is passed in place of the gradient.
    fn descend<A: Arithmetic>(
        &self,
        arithmetic: &mut A,
        tensor: &mut Tensor<A::Buffer>,
        u: &[A::T],
        weights: &mut [A::T],
    ) {
        let (place, [.., velocity]) = (tensor.place.clone(), tensor.slots.as_mut_slice()) else { return };
        arithmetic.sweep(&Blend { keep: self.momentum, share: 1.0 }, &u[place.clone()], 1.0, velocity, []);
        let descend = Descend { lr: self.lr, weight_decay: 0.0 };
        arithmetic.sweep(&descend, velocity, 1.0, &mut weights[place], []);
    }
}

/// g ← inverse of A · g · inverse of G
fn precondition<A: Arithmetic>(arithmetic: &mut A, weight: &mut Tensor<A::Buffer>, g: &mut [A::T]) {
    let ([_, _, a, gs, ..], [half, ..]) = (weight.slots.as_slice(), weight.scratch.as_mut_slice()) else {
        return;
    };
    let (rows, cols) = (weight.rows + 1, weight.cols);
    let a = Matrix::new(a, rows, rows);
    arithmetic.product(a, Matrix::new(g, rows, cols), MatrixMut::new(half, rows, cols));
    let half = Matrix::new(half, rows, cols);
    arithmetic.product(half, Matrix::new(gs, cols, cols), MatrixMut::new(g, rows, cols));
}

/// Returns the trace divided by the number of rows.
fn mean_of_diagonal<T: Copy + Into<f64>>(matrix: Matrix<T>) -> f64 {
    let rows = matrix.shape().0;
    (0..rows).map(|k| matrix.row(k)[k].into()).sum::<f64>() / rows as f64
}
