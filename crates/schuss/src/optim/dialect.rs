//! The same name, other defaults: what PyTorch, optax, Keras, Burn and scikit-learn take for granted.

use crate::recipe::spec;
use crate::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// Whose defaults keys have that are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// PyTorch's, which are ours, where it has the rule.
    #[default]
    Torch,
    /// optax's.
    Optax,
    /// Keras'.
    Keras,
    /// Burn's.
    Burn,
    /// scikit-learn's.
    Sklearn,
}

/// A rule as another system has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counterpart {
    /// The system.
    pub dialect: Dialect,
    /// Our name of the rule.
    pub rule: &'static str,
    /// What it is called there.
    pub original: &'static str,
    /// Keys whose defaults there are not ours.
    pub keys: &'static str,
    /// What keys cannot say.
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
        "its momentum is β₁ from the first update on, which so large a momentum_decay makes it here",
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
        "its MomentumConfig has 0.9, but SgdConfig none of it",
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

const DECOUPLED: &str = "its weight_decay is decoupled: `decay:0.01+` before the rule";
const MLP_SGD: &str = "sklearn.neural_network.MLPClassifier(solver='sgd')";
const MLP_ADAM: &str = "sklearn.neural_network.MLPClassifier(solver='adam')";
const MLP_ALPHA: &str =
    "its alpha=1e-4, over the samples of an update, is an L2 penalty on weights, not biases; here none";

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
    /// All, by name.
    pub const ALL: [(&'static str, Self); 5] = [
        ("torch", Self::Torch),
        ("optax", Self::Optax),
        ("keras", Self::Keras),
        ("burn", Self::Burn),
        ("sklearn", Self::Sklearn),
    ];

    /// The rules it has; none for PyTorch, whose defaults stand with the rules themselves.
    pub fn counterparts(self) -> &'static [Counterpart] {
        match self {
            Self::Torch => &[],
            Self::Optax => OPTAX,
            Self::Keras => KERAS,
            Self::Burn => BURN,
            Self::Sklearn => SKLEARN,
        }
    }

    /// The rule of this name as it has it.
    pub fn counterpart(self, rule: &str) -> Option<&'static Counterpart> {
        self.counterparts().iter().find(|row| row.rule == rule)
    }

    /// Keys of the rule of this name that have other defaults than ours, as `key=value,...`.
    pub(crate) fn defaults(self, rule: &str) -> &'static str {
        self.counterpart(rule).map_or("", |row| row.keys)
    }

    /// Whether it has no default for a learning rate, so that ours stays.
    pub fn asks_for_lr(self) -> bool {
        matches!(self, Self::Optax | Self::Burn)
    }

    /// What it does with gradients of several microbatches; ours are the mean over all samples of the update.
    pub fn accumulation(self) -> &'static str {
        match self {
            Self::Torch => {
                "sums the gradients of microbatches: k of them make a step k times as long, unless losses are \
                 divided by k"
            }
            Self::Optax => {
                "takes the mean over k microbatches (MultiSteps), whatever their sizes; what is left at the end \
                 of an epoch counts for the next"
            }
            Self::Keras => {
                "takes the mean over gradient_accumulation_steps microbatches, whatever their sizes; what is \
                 left at the end of an epoch counts for the next"
            }
            Self::Burn => {
                "sums the gradients of microbatches (GradientsAccumulator): k of them make a step k times as long"
            }
            Self::Sklearn => "has none: a batch is one update, and the last of an epoch may be smaller",
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
