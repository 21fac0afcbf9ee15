//! What readers make of a path: samples in up to three parts, and what is to be said about them.

#[cfg(feature = "parquet")]
use crate::columnar;
use crate::csv::Form;
use crate::encoded::Pictures;
use crate::recognise::{self, Format};
use crate::spec::unknown;
use crate::table::{MissingValues, Table, Unknown};
use crate::{
    Centring, Error, Offsets, Result, Samples, Shape, Store, csv, images, npy, npz, packed, shards, tables,
    zipped,
};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

/// What a reader made of a path.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Shape of one sample.
    pub shape: Shape,
    /// Names of the classes, in order of label; none unless the labels are classes.
    pub classes: Vec<String>,
    /// What is trained on, or everything where no split is given.
    pub train: LoadedSplit,
    /// What choices are made by, where it is given.
    pub validation: Option<LoadedSplit>,
    /// What is evaluated on, where it is given.
    pub test: Option<LoadedSplit>,
    /// How the columns of a table became numbers; the same makes other files fit the same model.
    pub table: Option<Table>,
    /// What was taken off its numbers before they were rounded to 32 bits.
    pub offsets: Offsets,
    /// The normalisation such numbers usually get.
    pub usual: DefaultNormalisation,
    /// Whether samples were made of the files of pictures.
    pub pictures: bool,
    /// What was decided along the way, to be said aloud: "label: the last column, `price`".
    pub notes: Vec<String>,
}

/// Samples in memory, or read when they are needed.
#[derive(Clone)]
pub enum LoadedSplit {
    /// All in memory.
    Resident(Samples),
    /// Read when needed.
    Streamed(Arc<dyn Store>),
}

/// Normalisation that suits numbers of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultNormalisation {
    /// Pixels: divided by 255.
    Unit,
    /// Anything else: mean 0 and deviation 1 per number, over the samples that are trained on.
    Standard,
}

/// What to do about a cell of a table that holds nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// Refuse the table.
    #[default]
    Refuse,
    /// A number becomes NaN, and in a data set the mean of its column over the samples that are trained on; a category
    /// becomes a level of its own. A missing label is refused.
    Mean,
    /// Leave its row out.
    Drop,
}

/// What labels are taken as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LabelKind {
    /// What they look like.
    #[default]
    Guess,
    /// Classes, whatever numbers they are.
    Class,
    /// Numbers, even where they look like classes.
    Real,
}

/// What was asked of a reader.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// Column or columns (`a,b`) of a table that are to be predicted; `none` if nothing is.
    pub label: Option<String>,
    /// What that is taken as.
    pub label_kind: LabelKind,
    /// What to do about words that a model never saw.
    pub unknown: Unknown,
    /// Height and width pictures are brought to.
    pub size: Option<usize>,
    /// Pictures as the model takes them that is to look at these.
    pub pictures: Option<Pictures>,
    /// What to do about cells that hold nothing.
    pub missing: Missing,
    /// Which spellings of a cell say that nothing is known.
    pub missing_values: MissingValues,
    /// Bytes that may be used to hold data; what is larger is streamed, or refused with advice.
    pub memory: u64,
    /// Columns of a table to learn from (`a,b`); all but the label without it.
    pub columns: Option<String>,
    /// Columns of a table to leave out (`a,b`).
    pub drop: Option<String>,
    /// How a text of columns is written.
    pub form: Form,
    /// How columns became numbers for a model that is to read this table too; without it the table itself decides.
    pub table: Option<Table>,
    /// What is taken off numbers before they are rounded to 32 bits.
    pub offsets: Centring,
}

impl ReadOptions {
    /// The spellings of nothing that were asked for, else those of the model.
    pub(crate) fn spellings(&self) -> MissingValues {
        let of_model = self.table.as_ref().map(|table| &table.missing_values);
        self.missing_values.or(of_model.unwrap_or(&MissingValues::default()))
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
    /// Nothing in particular, within 8 GiB.
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
            columns: None,
            drop: None,
            form: Form::default(),
            table: None,
            offsets: Centring::default(),
        }
    }
}

impl LoadedSplit {
    /// How many samples.
    pub fn len(&self) -> u64 {
        match self {
            Self::Resident(samples) => samples.len() as u64,
            Self::Streamed(store) => store.len(),
        }
    }

    /// Whether there is none.
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
    /// As it is typed after `--normalisation`.
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
/// A data error that names file and place, for what is absent, damaged or of no known format; a usage error for a label
/// that is no column.
pub fn open(path: &Path, ask: &ReadOptions) -> Result<Loaded> {
    if path.is_dir() {
        return folder(path, ask);
    }
    if packed::is_pack(path) {
        return packed::read(path, ask);
    }
    match recognise::format(path)? {
        Format::Text => csv::read(path, ask),
        Format::Npy => npy::read(path, ask),
        Format::Zip => match zipped::read(path, ask)? {
            Some(found) => Ok(found),
            None => npz::read(path, ask),
        },
        #[cfg(feature = "parquet")]
        Format::Parquet => columnar::read(path, columnar::Format::Parquet, ask),
        #[cfg(feature = "parquet")]
        Format::Arrow => columnar::read(path, columnar::Format::Arrow, ask),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet | Format::Arrow => Err(recognise::left_out(path)),
        Format::Tar => shards::read(path, ask)?.ok_or_else(|| recognise::unknown_folder(path)),
    }
}

fn folder(path: &Path, ask: &ReadOptions) -> Result<Loaded> {
    if let Some(found) = shards::read(path, ask)? {
        return Ok(found);
    }
    if let Some(found) = images::read(path, ask)? {
        return Ok(found);
    }
    tables::read(path, ask)?.ok_or_else(|| recognise::unknown_folder(path))
}
