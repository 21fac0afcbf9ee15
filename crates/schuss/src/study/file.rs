//! Study files in TOML, and the built-in studies of the lectures.

use super::choices::{Choices, KEYS};
use crate::loss::Targets;
use crate::network::ModelFile;
use crate::record::ReferenceRecord;
use crate::spec;
use crate::{Error, Result, machine};
use schuss_data::format::csv::Form;
use schuss_data::format::table::{Table, Target};
use schuss_data::reader::{LabelKind, Missing, ReadOptions};
use schuss_data::text::plain_io;
use schuss_data::{Centring, DataSource, Dataset, Request};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::str::FromStr;

/// Maximum size of a study file, in bytes.
const LONGEST: u64 = 4 << 20;

/// A study file. Every key is optional.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StudyFile {
    /// One-line title.
    pub title: String,
    /// Paragraphs shown beside the figures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Seeds; each trial runs once per seed.
    pub seeds: Option<Vec<u64>>,
    /// True if the command fails when a trial misses its target.
    #[serde(skip_serializing_if = "is_default")]
    pub require_target: bool,
    /// Data, and the network to train on it.
    pub workload: Workload,
    /// Choices shared by all trials, which may include the budget.
    #[serde(skip_serializing_if = "is_default")]
    pub recipe: Choices,
    /// Budget shared by all trials; the same keys as in `recipe`, separate for readability.
    #[serde(skip_serializing_if = "is_default")]
    pub budget: Choices,
    /// Recordings in addition to the evaluation after each epoch.
    #[serde(skip_serializing_if = "is_default")]
    pub observe: Observe,
    /// Lists of choices; every combination is a trial.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub axes: BTreeMap<String, Vec<String>>,
    /// One entry per recipe.
    #[serde(rename = "trial", skip_serializing_if = "Vec::is_empty")]
    pub trials: Vec<TrialEntry>,
    /// Names of error surfaces to descend.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub surfaces: Vec<String>,
}

/// Data, and the network to train on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Workload {
    /// Data spec; by default MNIST if found, else the built-in digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Label column(s) of a table to predict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Height and width to resize images to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<usize>,
    /// Fraction of the training samples held out for curves and choices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<f64>,
    /// Feature columns of a table; by default all but the label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<String>,
    /// Columns of a table to ignore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop: Option<String>,
    /// Header line of a text table: yes, no, or its line number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Delimiter between the cells of a text table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// Prefix of comment lines in a text table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Decimal separator of a text table: point or comma.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<String>,
    /// Order of dates that do not begin with the year: day-first or month-first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dates: Option<String>,
    /// Handling of empty cells of a table: refuse, mean or drop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// Spellings that mark a cell as missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing_values: Option<String>,
    /// Handling of categories not seen in training: zeros or refuse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
    /// Normalisation of stored numbers into network inputs; the default depends on their kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalisation: Option<String>,
}

impl Workload {
    /// Loads or generates the data, within half of `memory` bytes if given; labels are interpreted as `targets`, or by
    /// their values if that is `None`.
    ///
    /// # Errors
    /// Usage errors for invalid choices, data errors for missing or damaged files.
    pub fn load(&self, memory: Option<u64>, targets: Option<Targets>) -> Result<Dataset> {
        self.load_with(self.missing()?.unwrap_or_default(), memory, targets)
    }

    /// Loads data to look at, as [`Self::load`] does, but fills in missing cells unless `missing` is given.
    ///
    /// # Errors
    /// As for [`Self::load`].
    pub fn load_to_show(&self, memory: Option<u64>, targets: Option<Targets>) -> Result<Dataset> {
        self.load_with(self.missing()?.unwrap_or(Missing::Mean), memory, targets)
    }

    fn load_with(&self, missing: Missing, memory: Option<u64>, targets: Option<Targets>) -> Result<Dataset> {
        let label_kind = targets.map_or(LabelKind::Guess, Targets::label_kind);
        let source = self.data.as_deref().map(str::parse::<DataSource>).transpose()?.unwrap_or_default();
        let request = self.request(memory)?;
        let ask = ReadOptions { label_kind, missing, ..request.ask };
        let data = source.load(&Request { ask, ..request })?;
        self.check_effect(&data)?;
        Ok(data)
    }

    /// Refuses options without effect on the data.
    fn check_effect(&self, data: &Dataset) -> Result<()> {
        let is_idle = |option: &DataOption| match option.value.as_deref() {
            None => false,
            Some("none") if option.key == "label" => false, // holds for data without labels
            Some(_) => !option.concerns.are(data),
        };
        match self.options().into_iter().find(is_idle) {
            Some(DataOption { key, concerns, .. }) => {
                Err(Error::usage(format!("--{key} has no effect on {}, it is for {concerns}", data.name))
                    .at(format!("--{key}"))
                    .advise("leave it out"))
            }
            None => Ok(()),
        }
    }

    /// Loads or generates data for predictions of a trained model: all samples if there is no test split, and tables
    /// encoded as in the model's training. The label column of a table is read only if predictions are to be scored
    /// (`judged`).
    ///
    /// # Errors
    /// As for [`Self::load`].
    pub fn load_for(&self, model: &ModelFile, judged: bool) -> Result<Dataset> {
        let source = self.data.as_deref().map(str::parse::<DataSource>).transpose()?.unwrap_or_default();
        let request = self.request(None)?;
        let size = request.ask.size.or(model.shape.image().map(|image| image.height));
        let offsets = Centring::By(model.offsets.clone());
        let pictures = model.pictures().filter(|_| self.size.is_none());
        let unlabelled = |table: Table| Table { target: Target::Absent, ..table };
        let table = model.table.clone().map(|table| if judged { table } else { unlabelled(table) });
        let label_kind = model.targets.label_kind();
        let ask = ReadOptions { table, offsets, size, pictures, label_kind, ..request.ask };
        source.load(&Request { ask, whole: true, ..request })
    }

    /// Builds the request for the data: everything but their source.
    fn request(&self, memory: Option<u64>) -> Result<Request> {
        let ask = ReadOptions {
            label: self.label.clone(),
            size: self.size,
            pictures: None,
            label_kind: LabelKind::Guess,
            missing_values: read(self.missing_values.as_deref(), "missing-values")?.unwrap_or_default(),
            unknown: read(self.unknown.as_deref(), "unknown")?.unwrap_or_default(),
            missing: self.missing()?.unwrap_or_default(),
            memory: memory.map_or_else(machine::memory_for_data, |memory| memory / 2),
            columns: self.columns.clone(),
            drop: self.drop.clone(),
            form: self.form()?,
            table: None,
            offsets: Centring::AsNeeded,
        };
        let normalisation = read(self.normalisation.as_deref(), "normalisation")?;
        Ok(Request { ask, validation: self.validation, normalisation, whole: false })
    }

    /// Parses the format of a text table.
    fn form(&self) -> Result<Form> {
        Ok(Form {
            header: read(self.header.as_deref(), "header")?,
            delimiter: read(self.delimiter.as_deref(), "delimiter")?,
            comment: read(self.comment.as_deref(), "comment")?,
            decimal: read(self.decimal.as_deref(), "decimal")?,
            dates: read(self.dates.as_deref(), "dates")?,
        })
    }

    fn missing(&self) -> Result<Option<Missing>> {
        read(self.missing.as_deref(), "missing")
    }

    /// The options that change the data.
    fn options(&self) -> [DataOption; 14] {
        let option =
            |key, value: &Option<String>, concerns| DataOption { key, value: value.clone(), concerns };
        let size = self.size.map(|size| size.to_string());
        let validation = self.validation.map(|share| share.to_string());
        [
            option("label", &self.label, Concerns::Labels),
            option("size", &size, Concerns::Images),
            option("validation", &validation, Concerns::All),
            option("columns", &self.columns, Concerns::Tables),
            option("drop", &self.drop, Concerns::Tables),
            option("header", &self.header, Concerns::Tables),
            option("delimiter", &self.delimiter, Concerns::Tables),
            option("comment", &self.comment, Concerns::Tables),
            option("decimal", &self.decimal, Concerns::Tables),
            option("dates", &self.dates, Concerns::Tables),
            option("missing", &self.missing, Concerns::Tables),
            option("missing-values", &self.missing_values, Concerns::Tables),
            option("unknown", &self.unknown, Concerns::Tables),
            option("normalisation", &self.normalisation, Concerns::All),
        ]
    }

    /// Formats the data spec `name` and all options that change the data, on one line.
    pub(crate) fn spec(&self, name: &str) -> String {
        let given = |option: DataOption| Some(format!(" {}={}", option.key, option.value?));
        std::iter::once(name.to_owned()).chain(self.options().into_iter().filter_map(given)).collect()
    }
}

/// An option of a workload, as typed.
struct DataOption {
    key: &'static str,
    value: Option<String>,
    concerns: Concerns,
}

/// Data that an option has an effect on.
#[derive(Clone, Copy)]
enum Concerns {
    All,
    Tables,
    /// Tables, and images in one.
    Labels,
    Images,
}

impl Concerns {
    fn are(self, data: &Dataset) -> bool {
        match self {
            Self::All => true,
            Self::Tables => data.table.is_some(),
            Self::Labels => data.table.is_some() || data.pictures,
            Self::Images => data.pictures,
        }
    }
}

impl fmt::Display for Concerns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all data",
            Self::Tables | Self::Labels => "tables",
            Self::Images => "image files",
        })
    }
}

fn read<T: FromStr<Err = Error>>(text: Option<&str>, key: &str) -> Result<Option<T>> {
    text.map(str::parse).transpose().map_err(|error: Error| error.at(format!("--{key}")))
}

/// Recordings in addition to the evaluation after each epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Observe {
    /// Additional evaluation interval, in updates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval_every: Option<u64>,
    /// True to record the loss of every update.
    #[serde(skip_serializing_if = "is_default")]
    pub losses: bool,
    /// True to show that gradients can be accumulated over microbatches of any size.
    #[serde(skip_serializing_if = "is_default")]
    pub accumulation: bool,
}

/// One recipe of a study.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrialEntry {
    /// Name; by default the choices in which it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Additional evaluation interval, in updates, instead of the study's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval_every: Option<u64>,
    /// Seconds per epoch printed in a lecture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference_seconds: Option<f64>,
    /// Choices of this trial.
    #[serde(flatten)]
    pub choices: Choices,
    /// Results printed in a lecture.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reference: Vec<ReferenceRecord>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

macro_rules! built_in {
    ($($name:literal),*) => {
        /// Names and texts of the built-in studies.
        const BUILT_IN: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../../lectures/", $name, ".toml")))),*];
    };
}

built_in!(
    "lecture-23",
    "lecture-24",
    "lecture-24a",
    "lecture-24b",
    "lecture-24c",
    "lecture-24-equal-updates",
    "lecture-25",
    "autoencoder"
);

impl StudyFile {
    /// Loads or generates the data of its trials, within half of `memory` bytes if given.
    ///
    /// # Errors
    /// As for [`Workload::load`].
    pub fn data(&self, memory: Option<u64>) -> Result<Dataset> {
        let shared = self.shared();
        let choices = || std::iter::once(&shared).chain(self.trials.iter().map(|trial| &trial.choices));
        let any = |wanted: Targets| {
            choices().any(|choices| choices.targets.as_deref().is_some_and(|text| text.parse() == Ok(wanted)))
        };
        self.workload.load(memory, [Targets::Real, Targets::Class].into_iter().find(|&targets| any(targets)))
    }

    /// Names and titles of the built-in studies.
    pub fn built_in() -> Vec<(&'static str, String)> {
        let title = |text| Self::parse(text, "").map(|study| study.title).unwrap_or_default();
        BUILT_IN.iter().map(|(name, text)| (*name, title(text))).collect()
    }

    /// Loads the study `name`: a built-in one, or a file (any name with `/` or `.`, and any existing path).
    ///
    /// # Errors
    /// A usage error that names the file and line.
    pub fn load(name: &str) -> Result<Self> {
        if let Some((name, text)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
            return Self::parse(text, name);
        }
        let known: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
        if !std::path::Path::new(name).exists() {
            if name.contains('=') {
                return Err(spec::unknown("study", name, &known)
                    .advise("quotes around values in braces: --optimizer 'adam:lr={1e-4,1e-3}'"));
            }
            if !name.contains(['/', '.']) {
                return Err(spec::unknown("study", name, &known));
            }
        }
        let unreadable = |error: std::io::Error| {
            Error::usage(format!("the study file cannot be read: {}", plain_io(&error))).at(name)
        };
        if !std::fs::metadata(name).map_err(unreadable)?.is_file() {
            return Err(unreadable(std::io::Error::other("it is not a regular file")));
        }
        let mut text = String::new();
        let read =
            std::fs::File::open(name).and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text));
        if read.map_err(unreadable)? as u64 > LONGEST {
            return Err(unreadable(std::io::Error::other("it is larger than 4 MiB, the limit for a study")));
        }
        Self::parse(&text, name)
    }

    /// Parses the text of a study file, which messages call `name`.
    ///
    /// # Errors
    /// Usage errors that name the line: invalid TOML, unknown keys.
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        let file: Self = toml::from_str(text).map_err(|error| {
            let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            Error::usage(error.message().replace('\n', " ")).at(format!("{name}, line {line}"))
        })?;
        // A flattened table accepts any key, so those of trials are checked here.
        let table: toml::Table = toml::from_str(text).unwrap_or_default();
        let trials = table.get("trial").and_then(toml::Value::as_array).into_iter().flatten();
        let known = [KEYS, &["name", "eval_every", "reference", "reference_seconds"]].concat();
        for key in trials.filter_map(toml::Value::as_table).flat_map(toml::Table::keys) {
            if !known.contains(&key.as_str()) {
                return Err(spec::unknown("key of [[trial]]", key, &known).at(name));
            }
        }
        Ok(file)
    }

    /// Choices shared by all trials.
    pub(crate) fn shared(&self) -> Choices {
        let model = Choices { model: self.workload.model.clone(), ..Choices::default() };
        self.budget.clone().over(&self.recipe).over(&model)
    }
}
