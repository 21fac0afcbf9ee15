//! Choices for a trial and its data as text, the same on the command line, in `--trial` and in a study file.

mod concerns;
mod resolve;
mod row;
mod source;
mod table;

pub(crate) use concerns::Concerns;
pub(crate) use row::{Context, Effect, Line, Loading};
pub use row::{Group, Row, ValueType};
pub use source::Source;
pub use table::ChoiceKey;

use crate::recipe::Trial;
use crate::spec;
use crate::{Error, Place, Result};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::str::FromStr;

impl ChoiceKey {
    /// Returns everything that is known about the choice.
    pub fn row(self) -> &'static Row {
        &table::ROWS[self as usize]
    }

    /// Returns the choice of a name, as in study files or as a flag.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.to_lowercase().replace('-', "_");
        Self::ALL.iter().copied().find(|key| key.row().key == name)
    }

    /// Returns all choices, sorted by group.
    pub fn by_group() -> Vec<Self> {
        sorted(|key| key.row().group)
    }

    /// Returns all choices in the order of their lines in identities.
    pub(crate) fn by_line() -> Vec<Self> {
        sorted(|key| key.row().line)
    }

    /// Returns the names of those that `takes` is true for.
    pub(crate) fn names(takes: fn(&Row) -> bool) -> Vec<&'static str> {
        Self::by_group().into_iter().map(Self::row).filter(|row| takes(row)).map(|row| row.key).collect()
    }

    /// Returns the choice of a trial as canonical text; `None` if it is unset.
    pub(crate) fn get(self, trial: &Trial) -> Option<String> {
        match self.row().effect {
            Effect::Trial { get, .. } => get(trial),
            Effect::Data { .. } => None,
        }
    }
}

fn sorted<K: Ord>(by: fn(&ChoiceKey) -> K) -> Vec<ChoiceKey> {
    let mut keys = ChoiceKey::ALL.to_vec();
    keys.sort_by_key(by);
    keys
}

/// A choice as typed, and where. Two are equal if they choose the same.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) text: String,
    pub(crate) source: Source,
}

impl PartialEq for Given {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Choices as text; unset ones are filled in from elsewhere, finally by the defaults. Two are equal if they choose the
/// same, wherever that was given.
///
/// # Example
/// ```
/// use schuss::recipe::{ChoiceKey, Choices};
///
/// let mut choices = Choices::default();
/// choices.set(ChoiceKey::Optimizer, "adam:lr=0.001")?;
/// choices.set(ChoiceKey::Epochs, "3")?;
/// let data = schuss::data::load("digits:train=100,test=10")?;
/// assert_eq!(choices.resolve("adam", &data)?.budget.epochs, 3);
/// # Ok::<(), schuss::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choices(BTreeMap<ChoiceKey, Given>);

impl Choices {
    /// Returns a choice as text.
    pub fn get(&self, key: ChoiceKey) -> Option<&str> {
        self.0.get(&key).map(|given| given.text.as_str())
    }

    /// Makes a choice.
    ///
    /// # Errors
    /// A usage error if the text is not of the choice's type; specs are checked by [`Self::resolve`].
    pub fn set(&mut self, key: ChoiceKey, text: &str) -> Result<()> {
        self.give(key, text, Source::Api)
    }

    /// Makes a choice that was given in a place, which messages name.
    ///
    /// # Errors
    /// As for [`Self::set`].
    pub fn give(&mut self, key: ChoiceKey, text: &str, source: Source) -> Result<()> {
        let text = key.row().canonical(text).map_err(|error| source.locate(key, error))?;
        self.0.insert(key, Given { text, source });
        Ok(())
    }

    /// Takes a choice back.
    pub fn remove(&mut self, key: ChoiceKey) {
        self.0.remove(&key);
    }

    /// True if no choice is made.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Choices that are made.
    pub fn made(&self) -> impl Iterator<Item = ChoiceKey> {
        self.0.keys().copied()
    }

    /// Choices that are made and their texts.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (ChoiceKey, &str)> {
        self.0.iter().map(|(key, given)| (*key, given.text.as_str()))
    }

    /// Returns these choices, with unset ones taken from `base`.
    #[must_use]
    pub fn over(mut self, base: &Self) -> Self {
        for (key, given) in &base.0 {
            self.0.entry(*key).or_insert_with(|| given.clone());
        }
        self
    }

    /// Returns those that `keep` is true for.
    #[must_use]
    pub(crate) fn only(mut self, keep: impl Fn(ChoiceKey) -> bool) -> Self {
        self.0.retain(|key, _| keep(*key));
        self
    }

    /// Returns a choice, parsed.
    pub(crate) fn parsed<T: FromStr<Err = Error>>(&self, key: ChoiceKey) -> Result<Option<T>> {
        self.get(key).map(str::parse).transpose().map_err(|error| self.locate(key, error))
    }

    /// Adds the place of a choice, if it is made, to an error about it.
    pub(crate) fn locate(&self, key: ChoiceKey, error: Error) -> Error {
        match self.0.get(&key) {
            Some(given) => given.source.locate(key, error),
            None => error,
        }
    }

    /// Replaces the flag that an error names by the place where the choice was made.
    pub(crate) fn relocate(&self, error: Error) -> Error {
        let key = match error.place.as_deref() {
            Some(Place::Flag { name, key: None, part: None }) => ChoiceKey::named(name),
            _ => None,
        };
        match key {
            Some(key) => self.locate(key, error),
            None => error,
        }
    }

    /// Returns a copy for each combination of values in braces, `adam:lr={1e-4,1e-3}`, labelled with these values;
    /// the label omits those of update rule and optimizer, which are part of a trial's name anyway.
    ///
    /// # Errors
    /// Usage errors for braces without values.
    pub(crate) fn each(&self) -> Result<Vec<(String, Self)>> {
        let mut all = vec![(String::new(), self.clone())];
        for axis in ChoiceKey::by_group().into_iter().filter(|key| key.row().is_axis) {
            let Some(given) = self.0.get(&axis) else { continue };
            let values = spec::sweep(&given.text).map_err(|error| given.source.locate(axis, error))?;
            let named = values.len() > 1 && ![ChoiceKey::Update, ChoiceKey::Optimizer].contains(&axis);
            let with = |(label, choices): &(String, Self), value: &String| {
                let label = if named { format!("{label} {value}") } else { label.clone() };
                (label.trim().to_owned(), choices.clone().replaced(axis, value))
            };
            all = all
                .iter()
                .flat_map(|before| values.iter().map(|value| with(before, value)).collect::<Vec<_>>())
                .collect();
        }
        Ok(all)
    }

    /// Returns a copy with a choice made from text of its type.
    pub(crate) fn with(&self, key: ChoiceKey, text: &str) -> Self {
        let mut choices = self.clone();
        choices.0.insert(key, Given { text: text.to_owned(), source: Source::Api });
        choices
    }

    /// Returns the choices with another text for one that is made.
    pub(crate) fn replaced(mut self, key: ChoiceKey, text: &str) -> Self {
        self.0.entry(key).and_modify(|given| text.clone_into(&mut given.text));
        self
    }

    /// Parses one `--trial`, such as `'name=slow update=sample optimizer=sgd:lr=0.01'`, into its name and choices.
    ///
    /// # Errors
    /// A usage error that names the word.
    pub fn parse_trial(text: &str) -> Result<(Option<String>, Self)> {
        let (mut name, mut choices) = (None, Self::default());
        for word in text.split_whitespace() {
            let (typed, value) = word.split_once('=').ok_or_else(|| {
                Error::usage(format!("`{word}` in --trial '{text}' has no `=`"))
                    .advise("--trial 'update=sample optimizer=sgd:lr=0.01'")
            })?;
            let key = typed.to_lowercase().replace('-', "_");
            let is_first = if key == "name" {
                name.replace(value.to_owned()).is_none()
            } else {
                let known = ChoiceKey::named(&key).filter(|key| key.row().is_of_trial());
                let choice =
                    known.ok_or_else(|| unknown_key("--trial", &key, &["name"], Row::is_of_trial))?;
                let is_first = choices.get(choice).is_none();
                choices.give(choice, value, Source::Trial)?;
                is_first
            };
            if !is_first {
                return Err(Error::usage(format!("duplicate key `{key}` in --trial '{text}'")));
            }
        }
        Ok((name, choices))
    }

    /// Returns the choices of a trial, all spelled out; a dialect is replaced by the keys it stands for.
    pub fn of(trial: &Trial) -> Self {
        let given = |key: &ChoiceKey| Some((*key, Given { text: key.get(trial)?, source: Source::Api }));
        Self(ChoiceKey::ALL.iter().filter_map(given).collect())
    }
}

/// Returns the error for a key that a table of a study or `--trial` does not have: there it is, if it is a choice that
/// belongs elsewhere.
pub(crate) fn unknown_key(place: &str, key: &str, others: &[&str], takes: fn(&Row) -> bool) -> Error {
    let known = [others, &ChoiceKey::names(takes)].concat();
    let error = spec::unknown(&format!("key of {place}"), key, &known);
    match ChoiceKey::named(key).map(ChoiceKey::row) {
        Some(row) if row.is_of_trial() => error.advise(format!("`{key}` belongs to [recipe] or [[trial]]")),
        Some(_) => {
            error.advise(format!("`{key}` belongs to [workload], or is the flag --{}", key.replace('_', "-")))
        }
        None => error,
    }
}

/// Writes choices as a map, sorted by group.
impl Serialize for Choices {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for key in ChoiceKey::by_group() {
            let Some(text) = self.get(key) else { continue };
            let row = key.row();
            match row.value {
                ValueType::Whole { .. } | ValueType::WholeOr { .. } => match text.parse::<u64>() {
                    Ok(number) => map.serialize_entry(row.key, &number)?,
                    Err(_) => map.serialize_entry(row.key, text)?,
                },
                ValueType::Share => map.serialize_entry(row.key, &text.parse::<f64>().unwrap_or_default())?,
                ValueType::Switch => map.serialize_entry(row.key, &(text == "true"))?,
                ValueType::Text | ValueType::AnyPath | ValueType::FilePath => {
                    map.serialize_entry(row.key, text)?
                }
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests;
