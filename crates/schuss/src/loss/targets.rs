//! Targets that outputs are compared with.

use crate::spec;
use crate::{Cause, Error, Place, Result};
use schuss_data::reader::LabelKind;
use schuss_data::{Dataset, TargetKind};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Kind of target that outputs are compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Targets {
    /// Class label.
    #[default]
    Class,
    /// Numeric targets: one or more numbers for a regression, several 0s and 1s for multi-label classification.
    Real,
    /// The sample itself, without noise, for an autoencoder.
    Input,
}

impl Targets {
    /// Returns true for class labels.
    pub fn is_class(&self) -> bool {
        *self == Self::Class
    }

    /// Returns the kind that labels are read as.
    pub(crate) fn label_kind(self) -> LabelKind {
        match self {
            Self::Class => LabelKind::Class,
            Self::Real => LabelKind::Real,
            Self::Input => LabelKind::Guess,
        }
    }

    /// Returns the kind of target for labelled data.
    ///
    /// # Errors
    /// A usage error if the data have no labels: the user must choose.
    pub fn of(kind: TargetKind) -> Result<Self> {
        match kind {
            TargetKind::Class(_) => Ok(Self::Class),
            TargetKind::Real(_) => Ok(Self::Real),
            TargetKind::Nothing => {
                Err(Error::usage("the data have no labels, so there is nothing to compare outputs with")
                    .because(Cause::Mismatch)
                    .advise("--label COLUMN, or --targets input for an autoencoder"))
            }
        }
    }

    /// Checks that every split of the data has such targets.
    ///
    /// # Errors
    /// A usage error if the training split has other targets, or a data error that names another split that has.
    pub fn check(self, data: &Dataset) -> Result<()> {
        let kind = data.target_kind();
        if self == Self::Input {
            return Ok(());
        }
        if Self::of(kind)? != self {
            return Err(Error::usage(format!("targets are set to `{self}`, but the data have {kind}"))
                .because(Cause::Mismatch)
                .at(Place::flag("targets"))
                .advise(format!("--targets {} or input", Self::of(kind)?)));
        }
        match data.splits().find(|(_, split)| data.target_kind_of(split) != kind) {
            Some((name, split)) => {
                let other = data.target_kind_of(split);
                Err(Error::data(format!("the {name} split has {other}, the train split {kind}"))
                    .because(Cause::Mismatch)
                    .at(Place::data(&data.name)))
            }
            None => Ok(()),
        }
    }
}

impl FromStr for Targets {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_lowercase().as_str() {
            "class" => Ok(Self::Class),
            "real" => Ok(Self::Real),
            "input" => Ok(Self::Input),
            other => Err(spec::unknown("targets", other, &["class", "real", "input"])),
        }
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Class => "class",
            Self::Real => "real",
            Self::Input => "input",
        })
    }
}
