//! Layers, as typed.

use crate::recipe::spec::{self, Choice, below_one, choices, normal, positive};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};

/// Widest layer that is taken seriously; beyond it a number is a slip of the finger.
pub(crate) const MAX_WIDTH: usize = 1 << 24;

/// Defines a layer without weights of its own: its name, and its keys with their defaults and checks.
macro_rules! layers {
    ($($(#[$doc:meta])* $layer:ident = $name:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)* } $(=> $check:expr;)?)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
            #[serde(default, deny_unknown_fields)]
            pub struct $layer {
                $($(#[$field_doc])* pub $field: $type,)*
            }

            impl Default for $layer {
                fn default() -> Self {
                    Self { $($field: $default,)* }
                }
            }

            impl Choice for $layer {
                const NAME: &'static str = $name;

                $(fn check(&self) -> Result<()> {
                    let check: fn(&Self) -> Result<()> = $check;
                    check(self)
                })?
            }
        )*
    };
}

layers! {
    /// y = x W + b, `torch.nn.Linear`; W `[inputs, outputs]`.
    Linear = "linear" {
        /// Outputs.
        outputs: usize = 0,
    } => |layer| match layer.outputs {
        1..=MAX_WIDTH => Ok(()),
        0 => Err(Error::usage("a linear layer needs its number of outputs, as in linear:400")),
        units => Err(Error::usage(format!("a layer has {units} units; 1 to {MAX_WIDTH} are possible"))),
    };
    /// In training, zero with probability p and else x / (1 − p); otherwise x. `torch.nn.Dropout`.
    Dropout = "dropout" {
        /// Share p of the inputs that are left out.
        p: f64 = 0.5,
    } => |layer| below_one(&[("p", layer.p)]);
    /// y = (x − mean) / √(variance + ε) γ + β over the samples of a group; evaluation uses running mean and variance.
    /// `torch.nn.BatchNorm1d`. Ioffe and Szegedy, ICML 2015 (arXiv 1502.03167).
    BatchNorm = "batch-norm" {
        /// ε
        eps: f64 = 1e-5,
        /// Share of each group in the running statistics.
        momentum: f64 = 0.1,
    } => |layer| {
        normal(&[("eps", layer.eps)])?;
        spec::non_negative(&[("momentum", layer.momentum)])
    };
    /// y = (x − mean) / √(variance + ε) γ + β over the numbers of a sample. `torch.nn.LayerNorm`. Ba, Kiros and Hinton,
    /// 2016 (arXiv 1607.06450).
    LayerNorm = "layer-norm" {
        /// ε
        eps: f64 = 1e-5,
    } => |layer| normal(&[("eps", layer.eps)]);
    /// y = x − ln Σ exp x over the numbers of a sample, `torch.nn.LogSoftmax`.
    LogSoftmax = "log-softmax" {}
    /// max(x, 0) + slope min(x, 0) with one slope per unit, which is learnt; `torch.nn.PReLU`. He et al., ICCV 2015
    /// (arXiv 1502.01852).
    Prelu = "prelu" {
        /// The slope at first.
        slope: f64 = 0.25,
    } => |layer| spec::finite(&[("slope", layer.slope)]);
    /// Passes its input on and adds weight Σ |x| (mean over samples) to what is minimised: a sparse code.
    ActivityL1 = "activity-l1" {
        /// Weight of the penalty.
        weight: f64 = 1e-4,
    } => |layer| spec::non_negative(&[("weight", layer.weight)]);
    /// Passes its input on, which lies in 0..1, and adds weight Σ KL(ρ ‖ mean x) to what is minimised, the mean taken over
    /// a group of samples. Ng, "Sparse autoencoder", CS294A lecture notes, 2011.
    ActivityKl = "activity-kl" {
        /// Mean activity ρ that is asked of every unit.
        rho: f64 = 0.05,
        /// Weight of the penalty.
        weight: f64 = 1.0,
    } => |layer| {
        spec::non_negative(&[("weight", layer.weight)])?;
        positive(&[("rho", layer.rho)])?;
        below_one(&[("rho", layer.rho)])
    };
}

layers! {
    /// max(x, 0)
    Relu = "relu" {}
    /// max(x, 0) + negative_slope min(x, 0). Maas, Hannun and Ng, ICML 2013.
    LeakyRelu = "leaky-relu" {
        /// Slope below zero.
        negative_slope: f64 = 0.01,
    } => |layer| spec::finite(&[("negative_slope", layer.negative_slope)]);
    /// x above zero, else α (eˣ − 1). Clevert, Unterthiner and Hochreiter, ICLR 2016 (arXiv 1511.07289).
    Elu = "elu" {
        /// α
        alpha: f64 = 1.0,
    } => |layer| spec::non_negative(&[("alpha", layer.alpha)]);
    /// 1.0507 (x above zero, else 1.6733 (eˣ − 1)). Klambauer et al., NIPS 2017 (arXiv 1706.02515).
    Selu = "selu" {}
    /// max(x, 0) + min(α (e^(x/α) − 1), 0). Barron, 2017 (arXiv 1704.07483).
    Celu = "celu" {
        /// α
        alpha: f64 = 1.0,
    } => |layer| positive(&[("alpha", layer.alpha)]);
    /// x Φ(x), with the exact Φ(x) = (1 + erf(x / √2)) / 2. Hendrycks and Gimpel, 2016 (arXiv 1606.08415).
    Gelu = "gelu" {}
    /// 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))): GELU's older approximation.
    GeluTanh = "gelu-tanh" {}
    /// x σ(x), also called swish. Elfwing, Uchibe and Doya, Neural Networks 107, 2018 (arXiv 1702.03118).
    Silu = "silu" {}
    /// x tanh(ln(1 + eˣ)). Misra, BMVC 2020 (arXiv 1908.08681).
    Mish = "mish" {}
    /// ln(1 + e^(βx)) / β, or x where βx is above the threshold.
    Softplus = "softplus" {
        /// β
        beta: f64 = 1.0,
        /// From here on the identity.
        threshold: f64 = 20.0,
    } => |layer| positive(&[("beta", layer.beta), ("threshold", layer.threshold)]);
    /// x / (1 + |x|)
    Softsign = "softsign" {}
    /// σ(x) = 1 / (1 + e⁻ˣ)
    Sigmoid = "sigmoid" {}
    /// ln σ(x)
    LogSigmoid = "log-sigmoid" {}
    /// tanh x
    Tanh = "tanh" {}
    /// x, but at least min_val and at most max_val.
    HardTanh = "hard-tanh" {
        /// Lower bound.
        min_val: f64 = -1.0,
        /// Upper bound.
        max_val: f64 = 1.0,
    } => |layer| {
        spec::finite(&[("min_val", layer.min_val), ("max_val", layer.max_val)])?;
        positive(&[("max_val - min_val", layer.max_val - layer.min_val)])
    };
    /// x / 6 + 1/2, but at least 0 and at most 1.
    HardSigmoid = "hard-sigmoid" {}
    /// x hard-sigmoid(x). Howard et al., ICCV 2019 (arXiv 1905.02244).
    HardSwish = "hard-swish" {}
    /// max(x, 0), but at most 6.
    Relu6 = "relu6" {}
    /// x where |x| > λ, else 0.
    HardShrink = "hard-shrink" {
        /// λ
        lambd: f64 = 0.5,
    } => |layer| spec::non_negative(&[("lambd", layer.lambd)]);
    /// x − λ above λ, x + λ below −λ, else 0.
    SoftShrink = "soft-shrink" {
        /// λ
        lambd: f64 = 0.5,
    } => |layer| spec::non_negative(&[("lambd", layer.lambd)]);
    /// x − tanh x
    TanhShrink = "tanh-shrink" {}
    /// x
    Identity = "identity" {}
}

choices! {
    /// One layer of a network.
    pub enum Layer ("layer", always &["outputs", "p"]) {
        /// y = x W + b
        Linear,
        /// Some inputs left out in training.
        Dropout,
        /// Normalised over samples.
        BatchNorm,
        /// Normalised over the numbers of a sample.
        LayerNorm,
        /// Logarithms of probabilities.
        LogSoftmax,
        /// A sparse code by the sum of its magnitudes.
        ActivityL1,
        /// A sparse code by its mean activity.
        ActivityKl,
        // From here on activations.
        /// A learnt slope below zero.
        Prelu,
        /// max(x, 0)
        Relu,
        /// A small slope below zero.
        LeakyRelu,
        /// Exponential below zero.
        Elu,
        /// Exponential below zero, scaled so that mean and variance keep.
        Selu,
        /// Exponential below zero with a continuous slope.
        Celu,
        /// x Φ(x)
        Gelu,
        /// x Φ(x), nearly.
        GeluTanh,
        /// x σ(x)
        Silu,
        /// x tanh(ln(1 + eˣ))
        Mish,
        /// ln(1 + eˣ)
        Softplus,
        /// x / (1 + |x|)
        Softsign,
        /// 1 / (1 + e⁻ˣ)
        Sigmoid,
        /// ln σ(x)
        LogSigmoid,
        /// tanh x
        Tanh,
        /// x between two bounds.
        HardTanh,
        /// A straight sigmoid.
        HardSigmoid,
        /// x times a straight sigmoid.
        HardSwish,
        /// max(x, 0), at most 6.
        Relu6,
        /// x, unless it is small.
        HardShrink,
        /// x, brought towards 0.
        SoftShrink,
        /// x − tanh x
        TanhShrink,
        /// x
        Identity,
    }
}

impl Layer {
    /// Its name in specs.
    pub(crate) fn name(&self) -> &'static str {
        let text = self.to_string();
        let name = text.split(':').next().unwrap_or_default();
        Self::NAMES.iter().find(|known| **known == name).copied().unwrap_or_default()
    }

    /// Names of layers, and of those whose outputs are functions of one number each.
    pub(crate) fn names_and_activations() -> (&'static [&'static str], &'static [&'static str]) {
        let first = Self::NAMES.iter().position(|name| *name == Prelu::NAME).unwrap_or(Self::NAMES.len());
        Self::NAMES.split_at(first)
    }

    /// Canonical text as it stands in a model: `linear:400`, `dropout:0.2`, everything else with its keys.
    pub(crate) fn short(&self) -> String {
        match self {
            Self::Linear(linear) => format!("linear:{}", linear.outputs),
            Self::Dropout(dropout) => format!("dropout:{}", spec::write_number(dropout.p)),
            other => other.to_string(),
        }
    }
}
