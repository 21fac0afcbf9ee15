//! Activations: element-wise functions.

use super::bend::{Bend, Tangent};
use super::operation::{Backward, Forward, Operation};
use super::{Layer, layers};
use crate::spec::{self, positive};
use schuss_kernels::activation::{
    self, Activation, Moving, activate, activation_curvature, activation_gradient,
};

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
    /// 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))): the older approximation of GELU.
    GeluTanh = "gelu-tanh" {}
    /// x σ(x), also called swish. Elfwing, Uchibe and Doya, Neural Networks 107, 2018 (arXiv 1702.03118).
    Silu = "silu" {}
    /// x tanh(ln(1 + eˣ)). Misra, BMVC 2020 (arXiv 1908.08681).
    Mish = "mish" {}
    /// ln(1 + e^(βx)) / β, or x where βx is above the threshold.
    Softplus = "softplus" {
        /// β
        beta: f64 = 1.0,
        /// Value of βx above which the layer is the identity.
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
    /// x, limited to min_val..=max_val.
    HardTanh = "hard-tanh" {
        /// Lower bound.
        min_val: f64 = -1.0,
        /// Upper bound.
        max_val: f64 = 1.0,
    } => |layer| {
        spec::finite(&[("min_val", layer.min_val), ("max_val", layer.max_val)])?;
        positive(&[("max_val - min_val", layer.max_val - layer.min_val)])
    };
    /// x / 6 + 1/2, limited to 0..=1.
    HardSigmoid = "hard-sigmoid" {}
    /// x hard-sigmoid(x). Howard et al., ICCV 2019 (arXiv 1905.02244).
    HardSwish = "hard-swish" {}
    /// min(max(x, 0), 6)
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

/// A visitor that runs the arithmetic of an activation.
pub trait ActivationVisitor {
    /// Result of the visit.
    type Output;

    /// Runs `activation`.
    fn visit<F: Activation>(self, activation: F) -> Self::Output;
}

/// Implements each activation with its kernel.
macro_rules! activations {
    ($($layer:ident: |$keys:pat_param| $kernel:expr,)*) => {
        impl Layer {
            /// Passes the arithmetic of an activation to `visitor`; `None` for all other layers.
            pub fn visit_activation<V: ActivationVisitor>(&self, visitor: V) -> Option<V::Output> {
                match self {
                    $(Self::$layer($keys) => Some(visitor.visit($kernel)),)*
                    _ => None,
                }
            }
        }

        $(impl Operation for $layer {
            fn forward(&self, pass: Forward) {
                let $keys = self;
                activate(pass.team, $kernel, pass.x, pass.y);
            }

            fn backward(&self, pass: Backward) {
                let ($keys, Some(dx)) = (self, pass.dx) else { return };
                let (team, _) = pass.gradients.compute();
                activation_gradient(team, $kernel, pass.x, pass.y, pass.dy, dx);
            }

            fn is_activation(&self) -> bool {
                true
            }

            fn has_curvature(&self) -> bool {
                true
            }

            fn tangent(&self, pass: Tangent) {
                let ($keys, Some(x_rate)) = (self, pass.x_rate) else { return };
                activation_gradient(pass.team, $kernel, pass.x, pass.y, x_rate, pass.y_rate);
            }

            fn bend(&self, pass: Bend) {
                let ($keys, Some(x_rate), Some(to)) = (self, pass.x_rate, pass.dx_rate) else { return };
                let moving = |value, rate| Moving { value, rate };
                let [x, y] = [moving(pass.x, x_rate), moving(pass.y, pass.y_rate)];
                activation_curvature(pass.team, $kernel, x, y, moving(pass.dy, pass.dy_rate), to);
            }
        })*
    };
}

activations! {
    Relu: |_| activation::Relu,
    LeakyRelu: |layer| activation::LeakyRelu { slope: layer.negative_slope },
    Elu: |layer| activation::Elu::new(layer.alpha),
    Selu: |_| activation::Elu::selu(),
    Celu: |layer| activation::Elu::celu(layer.alpha),
    Gelu: |_| activation::Gelu,
    GeluTanh: |_| activation::GeluTanh,
    Silu: |_| activation::Silu,
    Mish: |_| activation::Mish,
    Softplus: |layer| activation::Softplus { beta: layer.beta, threshold: layer.threshold },
    Softsign: |_| activation::Softsign,
    Sigmoid: |_| activation::Sigmoid,
    LogSigmoid: |_| activation::LogSigmoid,
    Tanh: |_| activation::Tanh,
    HardTanh: |layer| activation::HardTanh { min: layer.min_val, max: layer.max_val },
    HardSigmoid: |_| activation::HardSigmoid,
    HardSwish: |_| activation::HardSwish,
    Relu6: |_| activation::HardTanh { min: 0.0, max: 6.0 },
    HardShrink: |layer| activation::HardShrink { lambda: layer.lambd },
    SoftShrink: |layer| activation::SoftShrink { lambda: layer.lambd },
    TanhShrink: |_| activation::TanhShrink,
    Identity: |_| activation::Identity,
}
