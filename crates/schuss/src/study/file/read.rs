//! Reading of study files, with the line of everything in them.

use super::{StudyFile, TrialEntry};
use crate::recipe::{ChoiceKey, Choices, Row, Source, ValueType, unknown_key};
use crate::study::seeds::{Seeds, check_seeds};
use crate::study::surface;
use crate::{Error, Place, Result};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// Text of a study file.
struct File<'t> {
    name: Arc<str>,
    text: &'t str,
}

/// A key of a table, its value and its place.
struct Entry<'a> {
    file: &'a File<'a>,
    key: &'a str,
    value: &'a Spanned<DeValue<'a>>,
    line: usize,
    table: Arc<str>,
}

/// Reads an entry into a `T`.
type Read<T> = fn(&mut T, &Entry<'_>) -> Result<()>;

/// Form of a table that is read into a `T`.
struct Form<T: 'static> {
    /// Keys other than choices.
    keys: &'static [(&'static str, Read<T>)],
    /// Place of its choices, if it has any.
    choices: fn(&mut T) -> Option<&mut Choices>,
    /// True for the choices that it takes.
    takes: fn(&Row) -> bool,
}

const STUDY: Form<StudyFile> = Form {
    keys: &[
        ("title", |study, entry| entry.put(&mut study.title)),
        ("notes", |study, entry| entry.put(&mut study.notes)),
        ("seeds", seeds),
        ("require_target", |study, entry| entry.put(&mut study.require_target)),
        ("tie", |study, entry| entry.put(&mut study.tie)),
        ("surfaces", surfaces),
        ("workload", |study, entry| entry.table(&WORKLOAD, &mut study.workload.choices)),
        ("recipe", |study, entry| entry.table(&RECIPE, &mut study.recipe)),
        ("budget", |study, entry| entry.table(&RECIPE, &mut study.budget)),
        ("tune", |study, entry| {
            let mut tune = None;
            entry.put(&mut tune)?;
            study.tune = tune;
            Ok(())
        }),
        ("observe", |study, entry| entry.table(&OBSERVE, study)),
        ("axes", axes),
        ("trial", trials),
    ],
    choices: |_| None,
    takes: |_| false,
};

/// Data, and choices of trials that go with them.
const WORKLOAD: Form<Choices> = Form {
    keys: &[],
    choices: |choices| Some(choices),
    takes: |row| row.group == crate::recipe::Group::Workload,
};

const RECIPE: Form<Choices> = Form { keys: &[], choices: |choices| Some(choices), takes: Row::is_of_trial };

/// Recordings, and the choice that may stand with them.
const OBSERVE: Form<StudyFile> = Form {
    keys: &[
        ("losses", |study, entry| entry.put(&mut study.observe.losses)),
        ("accumulation", |study, entry| entry.put(&mut study.observe.accumulation)),
    ],
    choices: |study| Some(&mut study.budget),
    takes: |row| row.key == ChoiceKey::EvalEvery.row().key,
};

const TRIAL: Form<TrialEntry> = Form {
    keys: &[
        ("name", |trial, entry| entry.put(&mut trial.name)),
        ("reference", |trial, entry| entry.put(&mut trial.reference)),
        ("reference_seconds", |trial, entry| entry.put(&mut trial.reference_seconds)),
    ],
    choices: |trial| Some(&mut trial.choices),
    takes: Row::is_of_trial,
};

/// Reads a study file called `name` in messages.
pub(super) fn study(text: &str, name: &str) -> Result<StudyFile> {
    let file = File { name: name.into(), text };
    let table =
        DeTable::parse(text).map_err(|error| file.refuse(&error, Place::study_file(name, Some(1))))?;
    let mut study = StudyFile::default();
    file.fill(&STUDY, &mut study, table.get_ref(), "")?;
    Ok(study)
}

impl File<'_> {
    /// Returns the number of the line at a byte of the text.
    fn line(&self, at: usize) -> usize {
        self.text.get(..at).unwrap_or_default().matches('\n').count() + 1
    }

    /// Returns an error of the TOML library about `place`, at its own line if it knows one.
    fn refuse(&self, error: &toml::de::Error, mut place: Place) -> Error {
        if let (Place::StudyFile { line, .. }, Some(span)) = (&mut place, error.span()) {
            *line = Some(self.line(span.start));
        }
        Error::usage(error.message().replace('\n', " ")).at(place)
    }

    /// Reads all keys of the table called `name` into `into`.
    fn fill<T>(&self, form: &Form<T>, into: &mut T, table: &DeTable<'_>, name: &str) -> Result<()> {
        let name: Arc<str> = name.into();
        for (key, value) in table {
            let line = self.line(key.span().start);
            let key = key.get_ref().as_ref();
            form.read(into, &Entry { file: self, key, value, line, table: name.clone() })?;
        }
        Ok(())
    }
}

impl<T> Form<T> {
    /// Reads one entry.
    fn read(&self, into: &mut T, entry: &Entry<'_>) -> Result<()> {
        if let Some((_, set)) = self.keys.iter().find(|(key, _)| *key == entry.key) {
            return set(into, entry);
        }
        let choice = entry.choice().filter(|choice| (self.takes)(choice.row()));
        match (choice, (self.choices)(into)) {
            (Some(choice), Some(choices)) => {
                choices.give(choice, &entry.text(choice.row(), entry.value)?, entry.source(entry.line))
            }
            _ => {
                let keys: Vec<&str> = self.keys.iter().map(|(key, _)| *key).collect();
                let table = entry.table.split(' ').next().filter(|table| !table.is_empty());
                Err(unknown_key(table.unwrap_or("a study"), entry.key, &keys, self.takes).at(entry.place()))
            }
        }
    }
}

impl Entry<'_> {
    /// Returns the choice that the key is exactly.
    fn choice(&self) -> Option<ChoiceKey> {
        ChoiceKey::named(self.key).filter(|choice| choice.row().key == self.key)
    }

    fn place(&self) -> Place {
        Place::StudyFile {
            path: self.file.name.clone(),
            line: Some(self.line),
            key: Some(self.key.to_owned()),
            table: self.table.clone(),
            part: None,
        }
    }

    /// Returns the source of a choice on this line.
    fn source(&self, line: usize) -> Source {
        Source::StudyFile { path: self.file.name.clone(), line, table: self.table.clone() }
    }

    /// Reads the value.
    fn put<T: DeserializeOwned>(&self, into: &mut T) -> Result<()> {
        let read = T::deserialize(ValueDeserializer::from(self.value.clone()));
        *into = read.map_err(|error| self.file.refuse(&error, self.place()))?;
        Ok(())
    }

    /// Reads the value as a table.
    fn table<T>(&self, form: &Form<T>, into: &mut T) -> Result<()> {
        let name = format!("[{}]", self.key);
        self.file.fill(form, into, as_table(self.value).ok_or_else(|| self.refuse("a table"))?, &name)
    }

    /// Returns the error for a value of another type.
    fn refuse(&self, wanted: &str) -> Error {
        let found = self.value.get_ref().type_str();
        Error::usage(format!("{} must be {wanted}, not {found}", self.key)).at(self.place())
    }

    /// Returns the value of a choice as text.
    fn text(&self, row: &Row, value: &Spanned<DeValue<'_>>) -> Result<String> {
        let written = self.file.text.get(value.span()).unwrap_or_default();
        match (row.value, value.get_ref()) {
            (
                ValueType::Text | ValueType::AnyPath | ValueType::FilePath | ValueType::WholeOr { .. },
                DeValue::String(text),
            ) => Ok(text.to_string()),
            (ValueType::Whole { .. } | ValueType::WholeOr { .. }, DeValue::Integer(number)) => {
                let number = i64::from_str_radix(number.as_str(), number.radix());
                Ok(number.map_or_else(|_| written.to_owned(), |number| number.to_string()))
            }
            (ValueType::Share, DeValue::Integer(number)) => Ok(number.to_string()),
            (ValueType::Share, DeValue::Float(number)) => Ok(number.as_str().to_owned()),
            (ValueType::Switch, DeValue::Boolean(on)) => Ok(on.to_string()),
            (wanted, DeValue::String(text)) => Err(wanted.refuse(self.key, text).at(self.place())),
            (wanted, _) => Err(wanted.refuse(self.key, written).at(self.place())),
        }
    }
}

fn as_table<'a>(value: &'a Spanned<DeValue<'a>>) -> Option<&'a DeTable<'a>> {
    value.get_ref().as_table()
}

/// Reads the seeds: a list, a number of them, or `"auto"`.
fn seeds(study: &mut StudyFile, entry: &Entry<'_>) -> Result<()> {
    let seeds = match entry.value.get_ref() {
        DeValue::String(text) => text.parse().map_err(|error: Error| error.at(entry.place()))?,
        DeValue::Integer(number) => {
            number.as_str().parse().map_err(|error: Error| error.at(entry.place()))?
        }
        _ => {
            let mut listed = Vec::new();
            entry.put(&mut listed)?;
            check_seeds(&listed).map_err(|error| error.at(entry.place()))?;
            Seeds::Listed(listed)
        }
    };
    study.seeds = Some(seeds);
    Ok(())
}

/// Reads the names of error surfaces.
fn surfaces(study: &mut StudyFile, entry: &Entry<'_>) -> Result<()> {
    entry.put(&mut study.surfaces)?;
    study.surfaces.iter().try_for_each(|name| surface::check(name)).map_err(|error| error.at(entry.place()))
}

/// Reads `[axes]`: lists of values.
fn axes(study: &mut StudyFile, entry: &Entry<'_>) -> Result<()> {
    let table = as_table(entry.value).ok_or_else(|| entry.refuse("a table"))?;
    for (key, value) in table {
        let (file, line) = (entry.file, entry.file.line(key.span().start));
        let key = key.get_ref().as_ref();
        let axis = Entry { file, key, value, line, table: "[axes]".into() };
        let choice = axis.choice().filter(|choice| choice.row().is_axis);
        let choice =
            choice.ok_or_else(|| unknown_key("[axes]", key, &[], |row| row.is_axis).at(axis.place()))?;
        let values = value.get_ref().as_array().ok_or_else(|| axis.refuse("a list of values"))?;
        if values.is_empty() {
            return Err(Error::usage(format!("axis `{key}` has no value")).at(axis.place()));
        }
        for value in values {
            let text = axis.text(choice.row(), value)?;
            study.axes.add(choice, &text, axis.source(file.line(value.span().start)))?;
        }
    }
    Ok(())
}

/// Reads `[[trial]]`: a list of tables.
fn trials(study: &mut StudyFile, entry: &Entry<'_>) -> Result<()> {
    let wanted = || entry.refuse("a list of tables, [[trial]]");
    for (number, value) in entry.value.get_ref().as_array().ok_or_else(wanted)?.iter().enumerate() {
        let mut trial = TrialEntry::default();
        let table = as_table(value).ok_or_else(wanted)?;
        entry.file.fill(&TRIAL, &mut trial, table, &format!("[[trial]] {}", number + 1))?;
        study.trials.push(trial);
    }
    Ok(())
}
