//! Row of the table of choices: everything that is known about one.

use super::{Choices, Concerns};
use crate::recipe::Trial;
use crate::{Error, Result};
use schuss_data::{DataSource, Dataset, Request};
use serde_json::Value;

/// Heading of a choice in help and reports; study files list choices in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Group {
    /// Data, network, targets, noise.
    Workload,
    /// Training procedure.
    Recipe,
    /// Stopping criteria.
    Budget,
}

impl Group {
    /// Returns the heading.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Workload => "Workload",
            Self::Recipe => "Recipe",
            Self::Budget => "Budget",
        }
    }
}

/// Type of a choice's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueType {
    /// Spec text, checked when it is resolved.
    Text,
    /// A path or data spec: text that shells complete with any path.
    AnyPath,
    /// A path of a file.
    FilePath,
    /// A whole number in these bounds.
    Whole {
        /// Smallest value.
        least: u64,
        /// Largest value.
        most: u64,
    },
    /// A whole number from 1, or one of these words.
    WholeOr {
        /// The words.
        words: &'static [&'static str],
    },
    /// A fraction.
    Share,
    /// True or false; a flag without a value.
    Switch,
}

impl ValueType {
    /// Returns a description of a value, and an example.
    fn wanted(self) -> (String, &'static str) {
        let (wanted, example) = match self {
            Self::Text | Self::AnyPath | Self::FilePath => ("text", "\"text\""),
            Self::Whole { .. } => ("a non-negative integer", "10"),
            Self::WholeOr { words } => {
                return (format!("a positive integer or one of: {}", words.join(" ")), "100");
            }
            Self::Share => ("a number", "0.1"),
            Self::Switch => ("true or false", "true"),
        };
        (wanted.to_owned(), example)
    }

    /// Returns the usage error for a value of another type.
    pub(crate) fn refuse(self, key: &str, value: &str) -> Error {
        let (wanted, example) = self.wanted();
        Error::usage(format!("`{value}` is not {wanted}"))
            .advise(format!("{key} takes {wanted}, such as {example}"))
    }

    /// Returns the value in the form that is compared and written: numbers without leading zeros.
    ///
    /// # Errors
    /// A usage error if it is not of this type or out of bounds.
    fn canonical(self, key: &str, text: &str) -> Result<String> {
        let wrong = || self.refuse(key, text);
        match self {
            Self::Text | Self::AnyPath | Self::FilePath => Ok(text.to_owned()),
            Self::Whole { least, most } => match text.parse::<u64>() {
                Ok(number) if number < least => {
                    Err(Error::usage(format!("{key} must be at least {least}, not {number}")))
                }
                Ok(number) if number > most => {
                    Err(Error::usage(format!("{key} must be at most {most}, not {number}")))
                }
                number => number.map(|number| number.to_string()).map_err(|_| wrong()),
            },
            Self::WholeOr { words } => match words.iter().find(|word| text.eq_ignore_ascii_case(word)) {
                Some(word) => Ok((*word).to_owned()),
                None if text.parse::<u64>().is_ok() => {
                    Self::Whole { least: 1, most: u64::MAX }.canonical(key, text)
                }
                None => Err(wrong()),
            },
            Self::Share => text.parse::<f64>().map(|share| share.to_string()).map_err(|_| wrong()),
            Self::Switch => text.parse::<bool>().map(|on| on.to_string()).map_err(|_| wrong()),
        }
    }
}

/// Line of a choice in the canonical text whose hash identifies a trial. Numbers are fixed for ever, since they order
/// lines; a choice that is added takes [`Line::Later`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Line {
    /// This line, always; for data, this place in the line `data`.
    Number(u8),
    /// A line behind all numbered ones, left out at the value of unset ones.
    Later,
    /// A line behind all numbered ones, for this value alone.
    Only(&'static str),
    /// No line: another choice's says it.
    Elsewhere,
}

/// What a data set is loaded by.
#[derive(Debug, Default)]
pub(crate) struct Loading {
    /// Source of the data, if it is not the default.
    pub(crate) source: Option<DataSource>,
    /// Options of loading them.
    pub(crate) request: Request,
}

/// What else a trial's choices are resolved with.
pub(crate) struct Context<'a> {
    /// Data of the trial.
    pub(crate) data: &'a Dataset,
    /// All choices of the trial.
    pub(crate) choices: &'a Choices,
}

/// Effect of a choice: what it sets.
#[derive(Clone, Copy)]
pub(crate) enum Effect {
    /// The loading of data.
    Data {
        /// Sets the choice from its text.
        set: fn(&mut Loading, &str) -> Result<()>,
        /// Data that it has an effect on.
        concerns: Concerns,
    },
    /// A trial.
    Trial {
        /// Returns the choice as canonical text; `None` if it is unset or another choice says it.
        get: fn(&Trial) -> Option<String>,
        /// Sets the choice from its text.
        set: fn(&mut Trial, &str, &Context<'_>) -> Result<()>,
        /// Returns where the choice has no effect and what it is for, if it has none on this trial.
        idle: fn(&Trial, &Dataset) -> Option<String>,
    },
}

/// A choice: its names, its documentation and its effect.
#[derive(Clone, Copy)]
pub struct Row {
    /// Key in study files and in `--trial`; with dashes, the flag.
    pub key: &'static str,
    /// Heading in help.
    pub group: Group,
    /// Type of its value.
    pub value: ValueType,
    /// Name of its value in help.
    pub value_name: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// Further help.
    pub details: &'static str,
    /// Default, as text; empty if an absent choice simply does nothing.
    pub default: &'static str,
    /// Text in place of an absent choice: in identities, records and reports.
    pub unset: &'static str,
    /// Flags of other programs for the same choice.
    pub aliases: &'static [&'static str],
    /// Kinds of names that shells complete, as in `schuss list`.
    pub offers: &'static [&'static str],
    /// True if several values make several trials.
    pub is_axis: bool,
    /// True if it also applies where a trained model reads data.
    pub is_reading: bool,
    /// True if a value may begin with a dash.
    pub takes_dashes: bool,
    /// True if it stands in the record of a trial's recipe.
    pub is_recorded: bool,
    pub(crate) line: Line,
    pub(crate) effect: Effect,
}

impl Row {
    const fn new(key: &'static str, group: Group, value_name: &'static str, effect: Effect) -> Self {
        Self {
            key,
            group,
            value: ValueType::Text,
            value_name,
            help: "",
            details: "",
            default: "",
            unset: "none",
            aliases: &[],
            offers: &[],
            is_axis: false,
            is_reading: false,
            takes_dashes: false,
            line: Line::Later,
            is_recorded: false,
            effect,
        }
    }

    /// Creates the row of a choice that changes the data.
    pub(super) const fn data(
        key: &'static str,
        value_name: &'static str,
        concerns: Concerns,
        set: fn(&mut Loading, &str) -> Result<()>,
    ) -> Self {
        Self::new(key, Group::Workload, value_name, Effect::Data { set, concerns })
    }

    /// Creates the row of a choice that changes the trial.
    pub(super) const fn trial(
        key: &'static str,
        group: Group,
        value_name: &'static str,
        get: fn(&Trial) -> Option<String>,
        set: fn(&mut Trial, &str, &Context<'_>) -> Result<()>,
    ) -> Self {
        Self::new(key, group, value_name, Effect::Trial { get, set, idle: |_, _| None })
    }

    pub(super) const fn of_type(self, value: ValueType) -> Self {
        Self { value, ..self }
    }

    pub(super) const fn help(self, help: &'static str, details: &'static str) -> Self {
        Self { help, details, ..self }
    }

    pub(super) const fn default(self, default: &'static str) -> Self {
        Self { default, ..self }
    }

    pub(super) const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    pub(super) const fn offers(self, offers: &'static [&'static str]) -> Self {
        Self { offers, ..self }
    }

    pub(super) const fn unset(self, unset: &'static str) -> Self {
        Self { unset, ..self }
    }

    pub(super) const fn axis(self) -> Self {
        Self { is_axis: true, ..self }
    }

    pub(super) const fn reading(self) -> Self {
        Self { is_reading: true, ..self }
    }

    pub(super) const fn dashes(self) -> Self {
        Self { takes_dashes: true, ..self }
    }

    pub(super) const fn recorded(self) -> Self {
        Self { is_recorded: true, ..self }
    }

    pub(super) const fn line(self, line: Line) -> Self {
        Self { line, ..self }
    }

    /// Sets the check for trials on which the choice has no effect; data have [`Concerns`] instead.
    pub(super) const fn idle_if(self, idle: fn(&Trial, &Dataset) -> Option<String>) -> Self {
        match self.effect {
            Effect::Trial { get, set, .. } => Self { effect: Effect::Trial { get, set, idle }, ..self },
            Effect::Data { .. } => self,
        }
    }

    /// Returns further help and the default, if there are any.
    pub fn long_help(&self) -> Option<String> {
        let default = (!self.default.is_empty()).then(|| format!("[default: {}]", self.default));
        let details = (!self.details.is_empty()).then(|| self.details.to_owned());
        let paragraph = details.into_iter().chain(default).collect::<Vec<_>>().join(" ");
        (!paragraph.is_empty()).then_some(paragraph)
    }

    /// Returns the flag, without its dashes in front.
    pub fn flag(&self) -> String {
        self.key.replace('_', "-")
    }

    /// True if it changes a trial rather than its data.
    pub fn is_of_trial(&self) -> bool {
        matches!(self.effect, Effect::Trial { .. })
    }

    /// Returns the entry of a record for a value in canonical form.
    pub(crate) fn entry(&self, text: String) -> (&'static str, Value) {
        let number = matches!(self.value, ValueType::Whole { .. } | ValueType::WholeOr { .. })
            .then(|| text.parse::<u64>().ok())
            .flatten();
        (self.key, number.map_or(Value::String(text), Value::from))
    }

    /// Returns a value in canonical form.
    ///
    /// # Errors
    /// A usage error if it is not of the choice's type.
    pub(crate) fn canonical(&self, text: &str) -> Result<String> {
        self.value.canonical(self.key, text)
    }
}
