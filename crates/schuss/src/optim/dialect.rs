//! Dialects: the defaults of PyTorch, optax, Keras, Burn and scikit-learn for rules of the same name.

use crate::spec;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Framework whose defaults apply to keys that are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Dialect {
    /// PyTorch, whose defaults are schuss's own for every rule it has.
    #[default]
    Torch,
    /// optax.
    Optax,
    /// Keras.
    Keras,
    /// Burn.
    Burn,
    /// scikit-learn.
    Sklearn,
}

/// Counterpart of a rule in another framework.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counterpart {
    /// Framework.
    pub dialect: Dialect,
    /// Name of the rule in schuss.
    pub rule: &'static str,
    /// Name of the rule in the framework.
    pub original: &'static str,
    /// Keys whose defaults differ from schuss's, as `key=value,...`.
    pub keys: &'static str,
    /// Difference that keys cannot express; empty if there is none.
    pub note: &'static str,
}

const OPTAX: &[Counterpart] = &[
    row(Dialect::Optax, "sgd", "optax.sgd", "", ""),
    row(Dialect::Optax, "adam", "optax.adam", "", ""),
    row(Dialect::Optax, "adamw", "optax.adamw", "weight_decay=1e-4", ""),
    row(
        Dialect::Optax,
        "adagrad",
        "optax.adagrad",
        "initial_accumulator_value=0.1,eps=1e-7,eps_inside=true",
        "",
    ),
    row(Dialect::Optax, "adadelta", "optax.adadelta", "", ""),
    row(Dialect::Optax, "rmsprop", "optax.rmsprop", "alpha=0.9,eps_inside=true,classic=true", ""),
    row(Dialect::Optax, "adamax", "optax.adamax", "", ""),
    row(
        Dialect::Optax,
        "nadam",
        "optax.nadam",
        "momentum_decay=1e4",
        "its momentum is β₁ from the first update on, reproduced here by the large momentum_decay",
    ),
    row(Dialect::Optax, "nadamw", "optax.nadamw", "", ""),
    row(Dialect::Optax, "radam", "optax.radam", "eps_hat=false", ""),
    row(Dialect::Optax, "lion", "optax.lion", "weight_decay=1e-3", ""),
    row(Dialect::Optax, "lamb", "optax.lamb", "", ""),
    row(Dialect::Optax, "lars", "optax.lars", "", ""),
];

const KERAS: &[Counterpart] = &[
    row(Dialect::Keras, "sgd", "keras.optimizers.SGD", "lr=0.01,classic=true", DECOUPLED),
    row(Dialect::Keras, "adam", "keras.optimizers.Adam", "eps=1e-7,eps_hat=true", DECOUPLED),
    row(Dialect::Keras, "adamw", "keras.optimizers.AdamW", "weight_decay=0.004,eps=1e-7,eps_hat=true", ""),
    row(
        Dialect::Keras,
        "adagrad",
        "keras.optimizers.Adagrad",
        "lr=0.001,initial_accumulator_value=0.1,eps=1e-7,eps_inside=true",
        DECOUPLED,
    ),
    row(Dialect::Keras, "adadelta", "keras.optimizers.Adadelta", "lr=0.001,rho=0.95,eps=1e-7", DECOUPLED),
    row(
        Dialect::Keras,
        "rmsprop",
        "keras.optimizers.RMSprop",
        "lr=0.001,alpha=0.9,eps=1e-7,eps_inside=true,classic=true",
        DECOUPLED,
    ),
    row(Dialect::Keras, "adamax", "keras.optimizers.Adamax", "lr=0.001,eps=1e-7,eps_outside=true", DECOUPLED),
    row(Dialect::Keras, "nadam", "keras.optimizers.Nadam", "lr=0.001,eps=1e-7,momentum_decay=1", DECOUPLED),
    row(Dialect::Keras, "lion", "keras.optimizers.Lion", "lr=0.001", ""),
    row(Dialect::Keras, "lamb", "keras.optimizers.Lamb", "eps=1e-7", DECOUPLED),
    row(Dialect::Keras, "ftrl", "keras.optimizers.Ftrl", "", DECOUPLED),
];

const BURN: &[Counterpart] = &[
    row(
        Dialect::Burn,
        "sgd",
        "burn::optim::Sgd",
        "dampening=0.1",
        "its MomentumConfig defaults to 0.9, but its SgdConfig has no momentum by default",
    ),
    row(Dialect::Burn, "adam", "burn::optim::Adam", "eps=1e-5", ""),
    row(Dialect::Burn, "adamw", "burn::optim::AdamW", "eps=1e-5,weight_decay=1e-4", ""),
    row(Dialect::Burn, "adagrad", "burn::optim::AdaGrad", "eps=1e-5", ""),
    row(Dialect::Burn, "rmsprop", "burn::optim::RmsProp", "eps=1e-5,momentum=0.9", ""),
    row(Dialect::Burn, "adan", "burn::optim::Adan", "", ""),
    row(Dialect::Burn, "lion", "burn::optim::Lion", "", ""),
];

const SKLEARN: &[Counterpart] = &[
    row(Dialect::Sklearn, "sgd", MLP_SGD, "lr=0.001,momentum=0.9,nesterov=true,classic=true", MLP_ALPHA),
    row(Dialect::Sklearn, "adam", MLP_ADAM, "eps_hat=true", MLP_ALPHA),
];

const DECOUPLED: &str = "its weight_decay is decoupled; here that is `decay:0.01+` before the rule";
const MLP_SGD: &str = "sklearn.neural_network.MLPClassifier(solver='sgd')";
const MLP_ADAM: &str = "sklearn.neural_network.MLPClassifier(solver='adam')";
const MLP_ALPHA: &str =
    "its alpha=1e-4, divided by the samples of an update, is an L2 penalty on weights, not biases; none here";

const fn row(
    dialect: Dialect,
    rule: &'static str,
    original: &'static str,
    keys: &'static str,
    note: &'static str,
) -> Counterpart {
    Counterpart { dialect, rule, original, keys, note }
}

impl Dialect {
    /// All dialects, with their names.
    pub const ALL: [(&'static str, Self); 5] = [
        ("torch", Self::Torch),
        ("optax", Self::Optax),
        ("keras", Self::Keras),
        ("burn", Self::Burn),
        ("sklearn", Self::Sklearn),
    ];

    /// Returns the rules the framework has; none for PyTorch, whose defaults are those of the rules themselves.
    pub fn counterparts(self) -> &'static [Counterpart] {
        match self {
            Self::Torch => &[],
            Self::Optax => OPTAX,
            Self::Keras => KERAS,
            Self::Burn => BURN,
            Self::Sklearn => SKLEARN,
        }
    }

    /// Returns the framework's counterpart of the rule of this name.
    pub fn counterpart(self, rule: &str) -> Option<&'static Counterpart> {
        self.counterparts().iter().find(|row| row.rule == rule)
    }

    /// Returns the keys of the rule of this name whose defaults differ from schuss's, as `key=value,...`.
    pub(crate) fn defaults(self, rule: &str) -> &'static str {
        self.counterpart(rule).map_or("", |row| row.keys)
    }

    /// Returns true if the framework has no default learning rate, so that schuss's is used.
    pub fn asks_for_lr(self) -> bool {
        matches!(self, Self::Optax | Self::Burn)
    }

    /// Describes how the framework accumulates gradients of several microbatches; schuss takes the mean over all
    /// samples of the update.
    pub fn accumulation(self) -> &'static str {
        match self {
            Self::Torch => {
                "sums the gradients of microbatches: k of them make a step k times as long, unless losses are \
                 divided by k"
            }
            Self::Optax => {
                "takes the mean over k microbatches (MultiSteps), whatever their sizes; microbatches left over \
                 at the end of an epoch count toward the first update of the next"
            }
            Self::Keras => {
                "takes the mean over gradient_accumulation_steps microbatches, whatever their sizes; microbatches \
                 left over at the end of an epoch count toward the first update of the next"
            }
            Self::Burn => {
                "sums the gradients of microbatches (GradientsAccumulator): k of them make a step k times as long"
            }
            Self::Sklearn => {
                "has no accumulation: a batch is one update, and the last batch of an epoch may be smaller"
            }
        }
    }
}

impl FromStr for Dialect {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let name = text.trim().to_lowercase();
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, dialect)| *dialect)
            .ok_or_else(|| spec::unknown("dialect", &name, &Self::ALL.map(|(known, _)| known)))
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = Self::ALL.iter().find(|(_, dialect)| dialect == self);
        f.write_str(row.map_or("", |(name, _)| name))
    }
}
