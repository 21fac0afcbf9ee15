//! Gradient transforms, applied before the update rule.

use super::arithmetic::{Arithmetic, Tensor, Tensors};
use super::rule::blend::{Blend, Lengths};
use crate::Result;
use crate::spec::{Choice, choices, non_negative, positive};
use documented::{Documented, DocumentedFields};
use schuss_data::random::{Key, Purpose};
use schuss_kernels::sweep::Elementwise;
use schuss_kernels::{Lane, Math, padded};
use serde::{Deserialize, Serialize};

/// Declares a transform: its name, its keys with their defaults, and the check of their values.
macro_rules! transforms {
    ($($(#[$doc:meta])* $transform:ident = $name:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)* } => $check:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
            #[serde(default, deny_unknown_fields)]
            pub struct $transform {
                $($(#[$field_doc])* pub $field: $type,)*
            }

            impl Default for $transform {
                fn default() -> Self {
                    Self { $($field: $default,)* }
                }
            }

            impl Choice for $transform {
                const NAME: &'static str = $name;

                fn check(&self) -> Result<()> {
                    let check: fn(&Self) -> Result<()> = $check;
                    check(self)
                }
            }
        )*
    };
}

transforms! {
    /// Clips every gradient element to ±value. `torch.nn.utils.clip_grad_value_`.
    ClipValue = "clip-value" {
        /// Maximum magnitude of an element.
        value: f64 = 1.0,
    } => |clip| positive(&[("value", clip.value)]);
    /// Multiplies all gradients of the group by min(1, max_norm / (‖g‖ + 1e-6)). `torch.nn.utils.clip_grad_norm_`.
    /// Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", ICML 2013 (arXiv
    /// 1211.5063).
    ClipGlobalNorm = "clip-global-norm" {
        /// Maximum norm.
        max_norm: f64 = 1.0,
    } => |clip| positive(&[("max_norm", clip.max_norm)]);
    /// Clips the gradient norm of every unit (the weights into one output, or a whole bias vector) to `clipping` times
    /// the norm of its weights, which counts as at least 0.001. Brock et al., "High-Performance Large-Scale Image
    /// Recognition Without Normalization", ICML 2021 (arXiv 2102.06171); `optax.adaptive_grad_clip`.
    ClipAdaptive = "clip-adaptive" {
        /// Maximum ratio of gradient norm to weight norm.
        clipping: f64 = 0.01,
    } => |clip| positive(&[("clipping", clip.clipping)]);
    /// Subtracts the mean gradient of the weights into an output from each of their gradients. Yong et al., "Gradient
    /// Centralization", ECCV 2020 (arXiv 2004.01461); `optax.centralize`.
    Centralize = "centralize" {} => |_| Ok(());
    /// g ← g + λ w: an L2 penalty.
    WeightDecay = "weight-decay" {
        /// Coefficient λ.
        weight_decay: f64 = 1e-4,
    } => |decay| non_negative(&[("weight_decay", decay.weight_decay)]);
    /// w ← w − η λ w, applied outside the rule: decoupled weight decay. Loshchilov and Hutter, ICLR 2019 (arXiv
    /// 1711.05101).
    Decay = "decay" {
        /// Coefficient λ.
        decay: f64 = 0.01,
    } => |decay| non_negative(&[("decay", decay.decay)]);
    /// g ← g + normal noise of variance η / t^γ. Neelakantan et al., "Adding Gradient Noise Improves Learning for Very
    /// Deep Networks", 2015 (arXiv 1511.06807); `optax.add_noise`.
    Noise = "noise" {
        /// Variance η at the first update.
        eta: f64 = 0.01,
        /// Exponent γ with which the variance decays.
        gamma: f64 = 0.55,
    } => |noise| non_negative(&[("eta", noise.eta), ("gamma", noise.gamma)]);
    /// Skips the update of a group if one of its gradients is not finite. `optax.apply_if_finite`.
    SkipNonFinite = "skip-non-finite" {} => |_| Ok(());
}

choices! {
    /// A transform of a group's gradients, applied before its rule.
    pub enum Transform ("optimizer", always &["value", "max_norm", "clipping", "weight_decay", "decay"]) {
        /// Clips every gradient element.
        ClipValue,
        /// Clips the norm of all gradients of a group.
        ClipGlobalNorm,
        /// Clips the gradient norm of each unit relative to its weight norm.
        ClipAdaptive,
        /// Subtracts the mean gradient of each unit.
        Centralize,
        /// L2 penalty.
        WeightDecay,
        /// Decoupled weight decay.
        Decay,
        /// Gaussian noise added to the gradients.
        Noise,
        /// Skips updates with non-finite gradients.
        SkipNonFinite,
    }
}

/// Context of an update that transforms may use besides gradients and weights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) seed: u64,
    /// Update number, from 1.
    pub(crate) t: u64,
    /// The rule's learning rate.
    pub(crate) lr: f64,
}

impl Transform {
    /// Applies the transform. Returns true if the update continues.
    pub(crate) fn apply<A: Arithmetic>(
        &self,
        arithmetic: &mut A,
        moment: Moment,
        group: &mut Tensors<A>,
    ) -> bool {
        match self {
            Self::ClipValue(clip) => each(group, |_, g, w| {
                arithmetic.sweep(&Clamp { most: clip.value }, w, 1.0, g, []);
            }),
            Self::ClipGlobalNorm(clip) => {
                let mut sum = 0.0;
                each(group, |_, g, w| sum += arithmetic.reduce(&Lengths { weight_decay: 0.0 }, g, w, [])[0]);
                let factor = clip.max_norm / (sum.sqrt() + 1e-6);
                if factor < 1.0 {
                    each(group, |_, g, w| arithmetic.sweep(&Scale { factor }, w, 1.0, g, []));
                }
            }
            Self::ClipAdaptive(clip) => each(group, |tensor, g, w| clip_units(clip.clipping, tensor, g, w)),
            Self::Centralize(_) => each(group, |tensor, g, _| centralize(tensor, g)),
            Self::WeightDecay(decay) => each(group, |_, g, w| {
                arithmetic.sweep(&Blend { keep: 1.0, share: decay.weight_decay }, w, 1.0, g, []);
            }),
            Self::Decay(decay) => each(group, |_, g, w| {
                arithmetic.sweep(&Scale { factor: 1.0 - moment.lr * decay.decay }, g, 1.0, w, []);
            }),
            Self::Noise(noise) => each(group, |tensor, g, _| noise.add(moment, tensor, g)),
            Self::SkipNonFinite(_) => {
                let mut finite = true;
                each(group, |_, g, _| finite &= g.iter().all(|&g| Into::<f64>::into(g).is_finite()));
                return finite;
            }
        }
        true
    }
}

/// x ← x, clipped to ±most
#[derive(Clone, Copy)]
struct Clamp {
    most: f64,
}

impl Elementwise<0> for Clamp {
    #[inline(always)]
    fn apply<L: Lane>(&self, _: L, x: L, _: &mut [L; 0]) -> L {
        L::splat(self.most).min(L::splat(-self.most).max(x))
    }
}

/// x ← factor x
#[derive(Clone, Copy)]
struct Scale {
    factor: f64,
}

impl Elementwise<0> for Scale {
    #[inline(always)]
    fn apply<L: Lane>(&self, _: L, x: L, _: &mut [L; 0]) -> L {
        L::splat(self.factor) * x
    }
}

/// Calls `act` with every tensor, its gradients and its weights.
fn each<A: Arithmetic>(
    group: &mut Tensors<A>,
    mut act: impl FnMut(&Tensor<A::Buffer>, &mut [A::T], &mut [A::T]),
) {
    for tensor in group.all.iter() {
        let place = tensor.place.clone();
        act(tensor, &mut group.gradients[place.clone()], &mut group.weights[place]);
    }
}

/// Returns the norm of a unit: column `col` of a matrix, or a whole vector.
fn unit_norm<B, T: Lane + Into<f64>>(tensor: &Tensor<B>, col: usize, numbers: &[T]) -> f64 {
    let square = |x: &T| Into::<f64>::into(*x).powi(2);
    let sum: f64 = if tensor.is_matrix {
        numbers.chunks_exact(padded(tensor.cols)).map(|row| square(&row[col])).sum()
    } else {
        numbers.iter().map(square).sum()
    };
    sum.sqrt()
}

fn clip_units<B, T: Lane + Into<f64>>(clipping: f64, tensor: &Tensor<B>, g: &mut [T], w: &[T]) {
    let units = if tensor.is_matrix { tensor.cols } else { 1 };
    for unit in 0..units {
        let most = clipping * unit_norm(tensor, unit, w).max(1e-3);
        let norm = unit_norm(tensor, unit, g);
        if norm > most {
            let factor = T::splat(most / norm.max(1e-6));
            if tensor.is_matrix {
                g.chunks_exact_mut(padded(tensor.cols)).for_each(|row| row[unit] = factor * row[unit]);
            } else {
                g.iter_mut().for_each(|g| *g = factor * *g);
            }
        }
    }
}

fn centralize<B, T: Lane + Into<f64>>(tensor: &Tensor<B>, g: &mut [T]) {
    let stride = padded(tensor.cols);
    for col in (0..tensor.cols).filter(|_| tensor.is_matrix) {
        let sum: f64 = g.chunks_exact(stride).map(|row| Into::<f64>::into(row[col])).sum();
        let mean = T::splat(sum / tensor.rows as f64);
        g.chunks_exact_mut(stride).for_each(|row| row[col] = row[col] - mean);
    }
}

impl Noise {
    /// Adds the noise drawn for this update and tensor.
    fn add<B, T: Lane>(&self, moment: Moment, tensor: &Tensor<B>, g: &mut [T]) {
        let deviation = (self.eta * Math::exp(-self.gamma * Math::ln(moment.t as f64))).sqrt();
        let key = Key { seed: moment.seed, purpose: Purpose::GradientNoise, epoch: tensor.entry as u32 };
        let mut draws = key.draws(moment.t);
        for row in g.chunks_exact_mut(padded(tensor.cols)) {
            row[..tensor.cols].iter_mut().for_each(|g| {
                *g = *g + T::splat(deviation * f64::from(draws.normal()));
            });
        }
    }
}
