//! Places where choices are given, for messages.

use super::ChoiceKey;
use crate::{Error, Place};
use std::sync::Arc;

/// Place where a choice was given.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Source {
    /// By a program that uses the library.
    #[default]
    Api,
    /// As a flag.
    Flag,
    /// As a word of `--trial`.
    Trial,
    /// In a study file.
    StudyFile {
        /// Path as typed, or name of a built-in study.
        path: Arc<str>,
        /// Line number, from 1.
        line: usize,
        /// Table, such as `[recipe]` or `[[trial]] 2`.
        table: Arc<str>,
    },
}

impl Source {
    /// Returns the name that a choice has there.
    pub(crate) fn name(&self, key: ChoiceKey) -> String {
        match self {
            Self::Flag => format!("--{}", key.row().flag()),
            Self::Api | Self::Trial | Self::StudyFile { .. } => key.row().key.to_owned(),
        }
    }

    /// Returns the place of a choice, if it was typed.
    fn place(&self, key: ChoiceKey) -> Option<Place> {
        let name = || Some(key.row().key.to_owned());
        match self.clone() {
            Self::Api => None,
            Self::Flag => Some(Place::flag(key.row().flag())),
            Self::Trial => Some(Place::Flag { name: "trial".to_owned(), key: name(), part: None }),
            Self::StudyFile { path, line, table } => {
                Some(Place::StudyFile { path, line: Some(line), key: name(), table, part: None })
            }
        }
    }

    /// Adds the place of a choice to an error about it; the place that the error names becomes the part at fault.
    pub(crate) fn locate(&self, key: ChoiceKey, error: Error) -> Error {
        let flag = Self::Flag.place(key);
        match (self.place(key), error.place.as_deref()) {
            (None, _) => error,
            (Some(place), Some(part)) if Some(part) != flag.as_ref() => {
                let place = place.with_part(part);
                error.at(place)
            }
            (Some(place), _) => error.at(place),
        }
    }
}
