//! Readers of the samples at a path, in up to three splits, with notes for the user.

use crate::file::OpenFile;
use crate::format::csv::Form;
use crate::format::encoded::Pictures;
use crate::format::table::{MissingValues, Table, Unknown};
use crate::format::{images, recognise, shards, tables};
use crate::spec::unknown;
use crate::{Cause, Centring, Error, Offsets, Place, Result, Samples, Shape, Store};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

/// Data loaded from a path.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Shape of one sample.
    pub shape: Shape,
    /// Class names, in order of label; empty unless labels are classes.
    pub classes: Vec<String>,
    /// Training split, or all samples if no split is given.
    pub train: LoadedSplit,
    /// Validation split, if one is given.
    pub validation: Option<LoadedSplit>,
    /// Test split, if one is given.
    pub test: Option<LoadedSplit>,
    /// Encoding of the columns of a table as numbers; with it, other files fit the same model.
    pub table: Option<Table>,
    /// Offsets subtracted from its numbers before they were rounded to 32 bits.
    pub offsets: Offsets,
    /// Default normalisation for such data.
    pub usual: DefaultNormalisation,
    /// True if the samples were decoded from picture files.
    pub pictures: bool,
    /// Notes for the user on decisions made while reading: "label: the last column, `price`".
    pub notes: Vec<String>,
}

/// Samples of a split, in memory or streamed.
#[derive(Clone)]
pub enum LoadedSplit {
    /// Held in memory.
    Resident(Samples),
    /// Streamed: read when needed.
    Streamed(Arc<dyn Store>),
}

/// Default normalisation for a kind of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultNormalisation {
    /// Pixels: divided by 255.
    Unit,
    /// Anything else: mean 0 and standard deviation 1 per feature, over the training split.
    Standard,
}

/// Handling of missing cells of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// Refuse the table.
    #[default]
    Refuse,
    /// A missing number becomes NaN, and in a data set the mean of its column over the training split; a missing
    /// category becomes a level of its own. A missing label is refused.
    Mean,
    /// Drop the row.
    Drop,
}

/// Interpretation of labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LabelKind {
    /// Guessed from their values.
    #[default]
    Guess,
    /// Classes, whatever their values.
    Class,
    /// Numbers, even if they look like classes.
    Real,
}

/// Options of a reader.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// Label column(s) of a table to predict (`a,b`); `none` for no label.
    pub label: Option<String>,
    /// Interpretation of the labels.
    pub label_kind: LabelKind,
    /// Handling of categories that a model never saw.
    pub unknown: Unknown,
    /// Height and width that pictures are resized to.
    pub size: Option<usize>,
    /// Form in which the model expects pictures.
    pub pictures: Option<Pictures>,
    /// Handling of missing cells.
    pub missing: Missing,
    /// Spellings of a cell that mean a missing value.
    pub missing_values: MissingValues,
    /// Memory budget for data, in bytes; larger data are streamed, or refused with advice.
    pub memory: u64,
    /// True if samples are read once and in order: those that can be read as fast from their file are then streamed
    /// even if they would fit into memory.
    pub read_once: bool,
    /// Feature columns of a table (`a,b`); by default all but the label.
    pub columns: Option<String>,
    /// Columns of a table to leave out (`a,b`).
    pub drop: Option<String>,
    /// Format of a delimited text file.
    pub form: Form,
    /// Column encoding of the model that will read this table; if absent, inferred from the table.
    pub table: Option<Table>,
    /// Offsets to subtract from numbers before they are rounded to 32 bits.
    pub offsets: Centring,
}

impl ReadOptions {
    /// Returns the requested spellings of missing values, else those of the model.
    pub(crate) fn spellings(&self) -> MissingValues {
        let of_model = self.table.as_ref().map(|table| &table.missing_values);
        self.missing_values.or(of_model.unwrap_or(&MissingValues::default()))
    }

    /// Refuses the options for text tables, for a file that is none.
    pub(crate) fn refuse_text_options(&self, path: &Path) -> Result<()> {
        let Form { header, delimiter, comment, .. } = &self.form;
        refuse(
            path,
            "text tables",
            &[
                ("header", header.is_some()),
                ("delimiter", delimiter.is_some()),
                ("comment", comment.is_some()),
            ],
        )
    }

    /// Refuses the options that only have an effect when a table is packed, for a pack.
    pub(crate) fn refuse_table_options(&self, path: &Path) -> Result<()> {
        let Form { decimal, dates, .. } = &self.form;
        self.refuse_text_options(path)?;
        refuse(
            path,
            "tables that are not packed yet",
            &[
                ("columns", self.columns.is_some()),
                ("drop", self.drop.is_some()),
                ("decimal", decimal.is_some()),
                ("dates", dates.is_some()),
            ],
        )
    }
}

/// Refuses the first of these options that is given, which are for another kind of data than `path`.
fn refuse(path: &Path, kind: &str, options: &[(&str, bool)]) -> Result<()> {
    match options.iter().find(|(_, is_given)| *is_given) {
        Some((key, _)) => {
            Err(Error::usage(format!("{key} has no effect on {}, it is for {kind}", path.display()))
                .because(Cause::NoEffect)
                .at(Place::flag(*key))
                .advise("leave it out"))
        }
        None => Ok(()),
    }
}

impl FromStr for Missing {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_lowercase().as_str() {
            "refuse" => Ok(Self::Refuse),
            "mean" => Ok(Self::Mean),
            "drop" => Ok(Self::Drop),
            _ => Err(unknown("missing", text, "", &["refuse", "mean", "drop"])),
        }
    }
}

impl Default for ReadOptions {
    /// Default options, with a memory budget of 8 GiB.
    fn default() -> Self {
        Self {
            label: None,
            label_kind: LabelKind::default(),
            unknown: Unknown::default(),
            size: None,
            pictures: None,
            missing: Missing::default(),
            missing_values: MissingValues::default(),
            memory: 8 << 30,
            read_once: false,
            columns: None,
            drop: None,
            form: Form::default(),
            table: None,
            offsets: Centring::default(),
        }
    }
}

impl LoadedSplit {
    /// Returns the number of samples.
    pub fn len(&self) -> u64 {
        match self {
            Self::Resident(samples) => samples.len() as u64,
            Self::Streamed(store) => store.len(),
        }
    }

    /// Returns true if there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl std::fmt::Debug for LoadedSplit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Resident(samples) => write!(f, "{} samples in memory", samples.len()),
            Self::Streamed(store) => write!(f, "{} samples read when needed", store.len()),
        }
    }
}

impl DefaultNormalisation {
    /// Returns the name as typed after `--normalisation`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Standard => "standard",
        }
    }
}

/// Reads the samples at a path, in whichever format they are.
///
/// # Errors
/// A data error that names file and place if something is missing, damaged or of unknown format; a usage error for a
/// label that is not a column.
pub fn open(path: &Path, ask: &ReadOptions) -> Result<Loaded> {
    if path.is_dir() {
        return folder(path, ask);
    }
    read_file(&OpenFile::open(path)?, ask)
}

/// Recognises an open file and reads its samples.
pub(crate) fn read_file(file: &OpenFile, ask: &ReadOptions) -> Result<Loaded> {
    (recognise::format(file)?.read)(file, ask)
}

fn folder(path: &Path, ask: &ReadOptions) -> Result<Loaded> {
    if let Some(found) = shards::read_folder(path, ask)? {
        return Ok(found);
    }
    if let Some(found) = images::read(path, ask)? {
        return Ok(found);
    }
    tables::read(path, ask)?.ok_or_else(|| recognise::unknown_folder(path))
}
