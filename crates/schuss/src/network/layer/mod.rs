//! Layers: one file each for keys, shapes, tensors and passes; `activations.rs` has all activations.

mod activations;
mod activity_kl;
mod activity_l1;
mod avg_pool;
mod batch_norm;
mod bend;
mod custom;
mod dropout;
mod flatten;
mod layer_norm;
mod linear;
mod log_softmax;
mod operation;
mod prelu;

pub use activations::ActivationVisitor;
pub use custom::{Custom, CustomLayer, CustomWeights};

pub(crate) use activations::*;
pub(crate) use bend::{Bend, RateSums, Tangent};
pub(crate) use linear::Linear;
pub(crate) use operation::{Backward, Forward, Gradients, Mode, Operation, Tensor, VectorGradients, Weights};

use crate::spec::{Choice, choices};
use activity_kl::ActivityKl;
use activity_l1::ActivityL1;
use avg_pool::AvgPool;
use batch_norm::BatchNorm;
use dropout::Dropout;
use flatten::Flatten;
use layer_norm::LayerNorm;
use log_softmax::LogSoftmax;
use prelu::Prelu;
use std::sync::LazyLock;

/// Maximum width of a layer; a larger number is a typing error.
pub(crate) const MAX_WIDTH: usize = 1 << 24;

/// Defines layers: name, and keys with their defaults and checks.
macro_rules! layers {
    ($($(#[$doc:meta])* $layer:ident = $name:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)* } $(=> $check:expr;)?)*) => {
        $(
            $(#[$doc])*
            #[derive(
                Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize,
                documented::Documented, documented::DocumentedFields,
            )]
            #[serde(default, deny_unknown_fields)]
            pub struct $layer {
                $($(#[$field_doc])* pub $field: $type,)*
            }

            impl Default for $layer {
                fn default() -> Self {
                    Self { $($field: $default,)* }
                }
            }

            impl $crate::spec::Choice for $layer {
                const NAME: &'static str = $name;

                $(fn check(&self) -> $crate::Result<()> {
                    let check: fn(&Self) -> $crate::Result<()> = $check;
                    check(self)
                })?
            }
        )*
    };
}
use layers;

/// Table of all layers: code for each of them is generated here, so that a row cannot be forgotten elsewhere.
macro_rules! table {
    ($($(#[doc = $line:literal])* $row:ident,)*) => {
        choices! {
            /// One layer of a network.
            pub enum Layer ("layer", always &["outputs", "p", "kernel_size"], untyped 1) {
                $($(#[doc = $line])* $row,)*
            }
        }

        impl Layer {
            /// Its name in specs.
            pub(crate) fn name(&self) -> &'static str {
                match self { $(Self::$row(_) => <$row as Choice>::NAME,)* }
            }

            /// Its shapes, tensors and passes.
            pub(crate) fn operation(&self) -> &dyn Operation {
                match self { $(Self::$row(layer) => layer,)* }
            }

            fn all() -> Vec<Self> {
                vec![$($row::default().into(),)*]
            }
        }
    };
}

table! {
    /// y = x W + b
    Linear,
    /// Zeroes random inputs in training.
    Dropout,
    /// Normalises over samples.
    BatchNorm,
    /// Normalises over the features of a sample.
    LayerNorm,
    /// Log-probabilities.
    LogSoftmax,
    /// Flattens an image to a vector.
    Flatten,
    /// Averages over windows of an image.
    AvgPool,
    /// L1 penalty on activations, for sparse codes.
    ActivityL1,
    /// KL penalty on mean activations, for sparse codes.
    ActivityKl,
    /// A learned slope below zero.
    Prelu,
    /// max(x, 0)
    Relu,
    /// A small slope below zero.
    LeakyRelu,
    /// Exponential below zero.
    Elu,
    /// Exponential below zero, scaled to preserve mean and variance.
    Selu,
    /// Exponential below zero with a continuous slope.
    Celu,
    /// x Φ(x)
    Gelu,
    /// x Φ(x), approximately.
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
    /// x, limited to two bounds.
    HardTanh,
    /// A piecewise linear sigmoid.
    HardSigmoid,
    /// x times a piecewise linear sigmoid.
    HardSwish,
    /// max(x, 0), at most 6.
    Relu6,
    /// x, or 0 if it is small.
    HardShrink,
    /// x, shrunk towards 0.
    SoftShrink,
    /// x − tanh x
    TanhShrink,
    /// x
    Identity,
    /// A layer of your own; last in the table, since it has no name until it is registered.
    Custom,
}

/// Names of layers.
pub(crate) struct LayerNames {
    pub(crate) activations: Vec<&'static str>,
    pub(crate) others: Vec<&'static str>,
}

impl Layer {
    /// Returns the names of activations and of other layers, in the order of the table.
    pub(crate) fn names() -> &'static LayerNames {
        static NAMES: LazyLock<LayerNames> = LazyLock::new(|| {
            let all = Layer::all();
            let (activations, others): (Vec<&Layer>, Vec<&Layer>) =
                all.iter().take(Layer::NAMES.len()).partition(|layer| layer.operation().is_activation());
            let names = |layers: Vec<&Layer>| layers.into_iter().map(Layer::name).collect();
            LayerNames { activations: names(activations), others: names(others) }
        });
        &NAMES
    }

    /// Returns the canonical text in a model: `linear:400`, `dropout:0.2`, `avg-pool:2`, all others with their keys.
    pub(crate) fn short(&self) -> String {
        self.operation().sole_key().map_or_else(|| self.to_string(), |key| format!("{}:{key}", self.name()))
    }
}
