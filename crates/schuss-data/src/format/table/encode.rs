//! Encoding of a row's cells as the features and label of a sample.

use super::cell::Cell;
use super::unseen::Unseen;
use super::{ColumnKind, Notation, Origin, RowPlace, Table, Target, Unknown, shown};
use crate::{Error, Labels, Offsets, Result, Values, offsets};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Encoder of rows as samples, by the columns of a table.
#[derive(Clone, Debug)]
pub(crate) struct Encoder {
    origin: Origin,
    features: Vec<Feature>,
    target: Aim,
    unknown: Unknown,
    /// Categories not seen in training, counted so far.
    unseen: Arc<Mutex<Unseen>>,
}

/// A feature column and its index in the file.
#[derive(Clone, Debug)]
struct Feature {
    at: usize,
    name: String,
    code: Code,
    /// Offset subtracted from its numbers.
    offset: f64,
    notation: Option<Notation>,
}

#[derive(Clone, Debug)]
enum Code {
    Number { fill: Option<f32> },
    Category { levels: HashMap<String, usize>, missing: bool },
}

/// The target and its columns in the file.
#[derive(Clone, Debug)]
enum Aim {
    Class { at: usize, name: String, classes: HashMap<String, u32>, notation: Option<Notation> },
    Real(Vec<TargetColumn>),
    Absent,
}

/// A numeric target column.
#[derive(Clone, Debug)]
struct TargetColumn {
    at: usize,
    name: String,
    offset: f64,
    notation: Option<Notation>,
}

impl Encoder {
    /// Looks up the columns of `table` among the `names` in the file, which may lack the target.
    ///
    /// # Errors
    /// A data error that names the missing column.
    pub(crate) fn new(table: &Table, names: &[String], origin: &Origin) -> Result<Self> {
        let places: HashMap<&str, usize> = names.iter().map(String::as_str).zip(0..).collect();
        let find = |wanted: &str| places.get(wanted).copied();
        let features = table.columns.iter().map(|column| {
            let at = find(&column.name).ok_or_else(|| lacks(origin, &column.name, names))?;
            let (name, code) = (column.name.clone(), Code::of(&column.kind));
            let notation = table.notations.get(&name).copied();
            Ok(Feature { at, name, code, offset: 0.0, notation })
        });
        Ok(Self {
            origin: origin.clone(),
            features: features.collect::<Result<_>>()?,
            target: Aim::of(table, find),
            unknown: Unknown::Refuse,
            unseen: Arc::default(),
        })
    }

    /// Sets how categories not seen in training are handled.
    pub(crate) fn unknown(self, unknown: Unknown) -> Self {
        Self { unknown, ..self }
    }

    /// Returns warnings about the unseen categories found so far.
    pub(crate) fn unseen(&self) -> Vec<String> {
        self.unseen.lock().unwrap_or_else(PoisonError::into_inner).notes().collect()
    }

    /// Encodes an unseen category as zeros if that is allowed; returns true if it did.
    fn push_unknown(&self, feature: &Feature, cell: Cell, values: &mut Vec<f32>) -> bool {
        let Some(word) = cell.word().filter(|_| self.unknown == Unknown::Zeros) else { return false };
        if !matches!(feature.code, Code::Category { .. }) {
            return false;
        }
        values.extend(std::iter::repeat_n(0.0, feature.code.width()));
        self.unseen.lock().unwrap_or_else(PoisonError::into_inner).count(&feature.name, &word);
        true
    }

    /// Subtracts `offsets` from the numbers.
    pub(crate) fn less(mut self, offsets: &Offsets) -> Self {
        let mut first = 0_usize;
        for feature in &mut self.features {
            feature.offset = offsets.value(first);
            first = first.saturating_add(feature.code.width());
        }
        if let Aim::Real(columns) = &mut self.target {
            columns.iter_mut().zip(0..).for_each(|(target, number)| target.offset = offsets.label(number));
        }
        self
    }

    /// Returns empty labels of the target's kind.
    pub(crate) fn labels(&self) -> Labels {
        match &self.target {
            Aim::Class { .. } => Labels::Class(Vec::new()),
            Aim::Real(columns) => Labels::Real { values: Vec::new(), width: columns.len() },
            Aim::Absent => Labels::Absent(0),
        }
    }

    /// Returns the number of features per sample and of values per label.
    pub(crate) fn widths(&self) -> (usize, usize) {
        let labels = match &self.target {
            Aim::Class { .. } => 1,
            Aim::Real(columns) => columns.len(),
            Aim::Absent => 0,
        };
        (self.features.iter().map(|feature| feature.code.width()).sum(), labels)
    }

    /// Appends a row to `values`, which are floats, and to `labels`, which are of the kind of [`Self::labels`].
    pub(crate) fn push(
        &self,
        place: RowPlace,
        cells: &[Cell],
        values: &mut Values,
        labels: &mut Labels,
    ) -> Result<()> {
        let Values::Floats(values) = values else { return Ok(()) };
        let cell = |at: usize| cells.get(at).copied().unwrap_or(Cell::NULL);
        for feature in &self.features {
            let Err(wrong) = feature.push(cell(feature.at), values) else { continue };
            if self.push_unknown(feature, cell(feature.at), values) {
                continue;
            }
            let error = self.origin.refuse_cell(place.number, &feature.name, &wrong.what);
            return Err(Error { advice: wrong.advice.map(Into::into), ..error });
        }
        self.push_label(place, cell, labels)
    }

    fn push_label<'a>(
        &self,
        place: RowPlace,
        cell: impl Fn(usize) -> Cell<'a>,
        labels: &mut Labels,
    ) -> Result<()> {
        let refuse = |name: &str, what: &str| self.origin.refuse_cell(place.number, name, what);
        match (&self.target, labels) {
            (Aim::Class { at, name, classes, notation }, Labels::Class(labels)) => {
                let class = class(cell(*at).read_as(*notation), classes);
                labels.push(class.ok_or_else(|| {
                    refuse(name, &format!("holds {}, which is none of the classes", quoted(cell(*at))))
                        .advise("leave such rows out, or include some in training")
                })?);
            }
            (Aim::Real(columns), Labels::Real { values, .. }) => {
                for TargetColumn { at, name, offset, notation } in columns {
                    let number = number(cell(*at), *notation, *offset);
                    let number = number.map_err(|wrong| refuse(name, &wrong.what));
                    values.push(number?);
                }
            }
            (_, Labels::Absent(count)) => *count = count.saturating_add(1),
            _ => {}
        }
        Ok(())
    }
}

fn lacks(origin: &Origin, name: &str, names: &[String]) -> Error {
    const LISTED: usize = 12;
    let listed: Vec<String> = names.iter().take(LISTED).map(|name| format!("`{}`", shown(name))).collect();
    let more = if names.len() > LISTED { " ..." } else { "" };
    origin
        .refuse(format!("has no column `{}`, which the model reads", shown(name)))
        .advise(format!("give it the header of the training file; it has {}{more}", listed.join(" ")))
}

/// Problem with a cell, and advice.
struct Wrong {
    what: String,
    advice: Option<&'static str>,
}

impl Wrong {
    fn new(what: String) -> Self {
        Self { what, advice: None }
    }
}

impl Feature {
    fn push(&self, cell: Cell, values: &mut Vec<f32>) -> std::result::Result<(), Wrong> {
        match (&self.code, cell) {
            (Code::Number { fill: Some(fill) }, cell) if cell.read_as(self.notation).is_missing() => {
                values.push(*fill);
            }
            (Code::Number { .. }, cell) => values.push(number(cell, self.notation, self.offset)?),
            (Code::Category { levels, missing }, cell) => {
                let level = match cell {
                    Cell::Missing(_) if *missing => levels.len(),
                    _ => level(cell, levels)?,
                };
                let width = self.code.width();
                values.extend((0..width).map(|at| if at == level { 1.0 } else { 0.0 }));
            }
        }
        Ok(())
    }
}

/// Returns the finite number of a cell, read in its notation, less `offset`, rounded to 32 bits.
fn number(cell: Cell, notation: Option<Notation>, offset: f64) -> std::result::Result<f32, Wrong> {
    if cell.is_missing() {
        let what = "holds nothing where a number is expected".into();
        let advice = "--missing drop leaves such rows out; a model trained with --missing mean fills them in";
        return Err(Wrong { what, advice: Some(advice) });
    }
    let Some(number) = cell.read_as(notation).number().or_else(|| otherwise(cell, notation)) else {
        let what = format!("holds {} where a number is expected", quoted(cell));
        let other = [Notation::Point, Notation::Comma]
            .into_iter()
            .find(|other| !cell.read_as(Some(*other)).is_missing());
        let advice = match other {
            Some(Notation::Comma) => "--decimal comma",
            Some(_) => "--decimal point",
            None => {
                "if it stands for a missing value: --missing-values with that word, and --missing drop; otherwise fix the cell"
            }
        };
        return Err(Wrong { what, advice: Some(advice) });
    };
    let rounded = offsets::rounded(number, offset);
    if !rounded.is_finite() {
        return Err(Wrong::new(format!("holds {}, beyond what 32-bit numbers hold", quoted(cell))));
    }
    Ok(rounded)
}

/// Reads a cell that is not in its column's notation: a boolean as 0 or 1, or a number as text.
fn otherwise(cell: Cell, notation: Option<Notation>) -> Option<f64> {
    let (Cell::Typed(text) | Cell::Word(text)) = cell else { return None };
    let plain = || text.trim_ascii().parse().ok().filter(|number: &f64| number.is_finite());
    match notation {
        None => plain().or_else(|| Notation::Truth.read(text)),
        Some(Notation::Truth) => plain().filter(|number| *number == 0.0 || *number == 1.0),
        Some(_) => None,
    }
}

fn level(cell: Cell, levels: &HashMap<String, usize>) -> std::result::Result<usize, Wrong> {
    let known = cell.word().and_then(|word| levels.get(word.as_ref()));
    known.copied().ok_or_else(|| Wrong {
        what: format!("holds {}, which is none of the categories", quoted(cell)),
        advice: Some(match cell {
            Cell::Missing(_) => {
                "--missing drop leaves such rows out; a model trained with --missing mean has a level for them"
            }
            _ => "--unknown zeros encodes it as all zeros; or include such rows in training",
        }),
    })
}

/// Looks up a class by its word; a number also by its value, so that `1.0` is class `1`.
fn class(cell: Cell, classes: &HashMap<String, u32>) -> Option<u32> {
    let by_word = || classes.get(cell.word()?.as_ref());
    let by_whole = || classes.get(&cell.whole()?.to_string());
    let by_value = || classes.get(&cell.number()?.to_string());
    by_word().or_else(by_whole).or_else(by_value).copied()
}

fn quoted(cell: Cell) -> String {
    cell.word().map_or_else(|| "nothing".into(), |word| format!("`{}`", shown(&word)))
}

impl Code {
    fn of(kind: &ColumnKind) -> Self {
        match kind {
            ColumnKind::Number { fill } => Self::Number { fill: *fill },
            ColumnKind::Category { levels, missing } => {
                Self::Category { levels: levels.iter().cloned().zip(0..).collect(), missing: *missing }
            }
        }
    }

    fn width(&self) -> usize {
        match self {
            Self::Number { .. } => 1,
            Self::Category { levels, missing } => levels.len().saturating_add(usize::from(*missing)),
        }
    }
}

impl Aim {
    fn of(table: &Table, find: impl Fn(&str) -> Option<usize>) -> Self {
        let notation = |name: &String| table.notations.get(name).copied();
        let found = match &table.target {
            Target::Class { column, classes } => find(column).map(|at| {
                let classes = classes.iter().cloned().zip(0..).collect();
                Self::Class { at, name: column.clone(), classes, notation: notation(column) }
            }),
            Target::Real { columns } => {
                let target = |name: &String| {
                    let (at, notation) = (find(name)?, notation(name));
                    Some(TargetColumn { at, name: name.clone(), offset: 0.0, notation })
                };
                let columns = columns.iter().map(target);
                columns.collect::<Option<_>>().map(Self::Real)
            }
            Target::Absent => None,
        };
        found.unwrap_or(Self::Absent)
    }
}
