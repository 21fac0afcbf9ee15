//! Losses: what is minimised, one file per loss.

use crate::recipe::spec::{self, Item};
use crate::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// What is minimised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loss {
    /// Softmax and cross-entropy with class targets, mean over samples; the gradient at the logits is
    /// softmax(z) − onehot(label). `torch.nn.CrossEntropyLoss`. This is the default.
    #[default]
    CrossEntropy,
}

impl Loss {
    /// Loss of a guess that gives every class the same probability: ln(classes).
    pub fn chance(self, classes: usize) -> f64 {
        match self {
            Self::CrossEntropy => (classes as f64).ln(),
        }
    }
}

impl FromStr for Loss {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let item = Item::parse(text)?;
        match (item.name.as_str(), item.args.as_slice()) {
            ("cross-entropy", []) => Ok(Self::CrossEntropy),
            ("cross-entropy", [(_, value), ..]) => {
                Err(Error::usage(format!("loss `cross-entropy` has no key for `{value}`")))
            }
            (name, _) => Err(spec::unknown("loss", name, &["cross-entropy"])),
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CrossEntropy => f.write_str("cross-entropy"),
        }
    }
}
