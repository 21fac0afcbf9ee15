//! Places where choices are given, for messages.

use super::ChoiceKey;
use crate::Error;
use std::fmt;
use std::sync::Arc;

/// Place where a choice was given.
#[derive(Clone, Debug, Default)]
pub enum Source {
    /// By a program that uses the library.
    #[default]
    Api,
    /// As a flag.
    Flag,
    /// As a word of `--trial`.
    Trial,
    /// In a study file.
    StudyFile(FileLine),
}

/// Line of a study file.
#[derive(Clone, Debug)]
pub struct FileLine {
    /// Path as typed, or name of a built-in study.
    pub path: Arc<str>,
    /// Line number, from 1.
    pub line: usize,
    /// Key on this line.
    pub key: String,
    /// Table, such as `[recipe]` or `[[trial]] 2`; empty for keys of the study itself.
    pub table: Arc<str>,
}

impl fmt::Display for FileLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, key, table } = self;
        write!(f, "{path}, line {line}, key {key}")?;
        if table.is_empty() { Ok(()) } else { write!(f, " in {table}") }
    }
}

impl Source {
    /// Returns the name that a choice has there.
    pub(crate) fn name(&self, key: ChoiceKey) -> String {
        match self {
            Self::Flag => format!("--{}", key.row().flag()),
            Self::Api | Self::Trial | Self::StudyFile(_) => key.row().key.to_owned(),
        }
    }

    /// Returns the place of a choice, if it was typed.
    fn place(&self, key: ChoiceKey) -> Option<String> {
        match self {
            Self::Api => None,
            Self::Flag => Some(self.name(key)),
            Self::Trial => Some(format!("--trial, key {}", key.row().key)),
            Self::StudyFile(line) => Some(line.to_string()),
        }
    }

    /// Adds the place of a choice to an error about it, in front of the part that the error names.
    pub(crate) fn locate(&self, key: ChoiceKey, error: Error) -> Error {
        let flag = Self::Flag.name(key);
        match (self.place(key), &error.place) {
            (None, _) => error,
            (Some(place), Some(part)) if *part != flag => {
                let both = format!("{place}: {part}");
                error.at(both)
            }
            (Some(place), _) => error.at(place),
        }
    }
}
