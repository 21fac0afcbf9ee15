//! From a table to samples: which column is told, what the others hold, and whether it all fits into memory.

use super::survey::{Role, Survey, Tally, pass_kept};
use super::{Column, Encoder, Kind, Source, Table, Target, shown};
use crate::found::{Ask, Found, Missing, Part, Usual};
use crate::text::{bytes, grouped, listed};
use crate::{Centring, Error, Offsets, Result, Samples, Shape, Values, offsets, spec};
use std::collections::{HashMap, HashSet};

/// Reads a table: by `ask.table` if that is given, else by what its own columns hold.
pub(crate) fn read(source: &dyn Source, ask: &Ask) -> Result<Found> {
    let mut notes = Vec::new();
    refuse_twins(source)?;
    let (table, offsets, rows) = match &ask.table {
        Some(table) => (table.clone(), ask.offsets.given(), None),
        None => find_out(source, ask, &mut notes)?,
    };
    let encoder = Encoder::new(&table, source.names(), source.origin())?.less(&offsets);
    let roles = roles(&table, source.names());
    let train = part(source, ask, &encoder, &roles, rows)?;
    Ok(Found {
        shape: Shape::Flat(table.features()),
        classes: table.classes().to_vec(),
        train,
        validation: None,
        test: None,
        table: Some(table),
        offsets,
        usual: Usual::Standard,
        notes,
    })
}

fn refuse_twins(source: &dyn Source) -> Result<()> {
    let mut seen = HashMap::new();
    for (name, at) in source.names().iter().zip(1_u64..) {
        if let Some(first) = seen.insert(name, at) {
            let what = format!("has two columns called `{}`: column {first} and column {at}", shown(name));
            return Err(source.origin().refuse(what).advise("give each column a name of its own"));
        }
    }
    Ok(())
}

/// What each of a file's columns is for.
fn roles(table: &Table, names: &[String]) -> Vec<Role> {
    let features: HashSet<&str> = table.columns.iter().map(|column| &*column.name).collect();
    let told: HashSet<&str> = match &table.target {
        Target::Class { column, .. } => [&**column].into(),
        Target::Real { columns } => columns.iter().map(|column| &**column).collect(),
        Target::Absent => HashSet::new(),
    };
    let role = |name: &String| match () {
        () if features.contains(&**name) => Role::Feature,
        () if told.contains(&**name) => Role::Label,
        () => Role::Ignored,
    };
    names.iter().map(role).collect()
}

/// The table that the columns make, what is taken off their numbers, and how many rows there are.
fn find_out(
    source: &dyn Source,
    ask: &Ask,
    notes: &mut Vec<String>,
) -> Result<(Table, Offsets, Option<u64>)> {
    let names = source.names();
    let told = told(source, ask.label.as_deref(), notes)?;
    let roles: Vec<Role> =
        (0..names.len()).map(|at| if told.contains(&at) { Role::Label } else { Role::Feature }).collect();
    if !roles.contains(&Role::Feature) {
        let advice = "add columns to learn from, or --label none to learn the columns themselves";
        return Err(source.origin().refuse("has no column besides its label").advise(advice));
    }
    let survey = Survey::take(source, &roles, ask.missing)?;
    if survey.rows == 0 {
        return Err(no_rows(source, survey.dropped));
    }
    say_missing(source, &roles, ask.missing, &survey, notes)?;
    let columns =
        names.iter().zip(&roles).zip(&survey.tallies).filter(|((_, role), _)| **role == Role::Feature);
    let columns = columns.map(|((name, _), tally)| column(name, tally, ask.missing)).collect::<Vec<_>>();
    let target = target(source, &told, &survey, ask.real)?;
    say_columns(&columns, &target, notes);
    notes.extend(stray_words(source, &survey));
    let table = Table { columns, target };
    let offsets = offsets(&table, source.names(), &survey, &ask.offsets, notes);
    Ok((table, offsets, Some(survey.rows)))
}

/// What is taken off the columns of numbers, which is said.
fn offsets(
    table: &Table,
    names: &[String],
    survey: &Survey,
    asked: &Centring,
    notes: &mut Vec<String>,
) -> Offsets {
    let tallies: HashMap<&String, &Tally> = names.iter().zip(&survey.tallies).collect();
    let offset = |name: &String| tallies.get(name).map_or(0.0, |tally| tally.spread.offset());
    let of_column = |column: &Column| match column.kind {
        Kind::Number { .. } => vec![offset(&column.name)],
        Kind::Category { .. } => vec![0.0; column.width()],
    };
    let told: &[String] = if let Target::Real { columns } = &table.target { columns } else { &[] };
    let needed = Offsets {
        values: offsets::list(table.columns.iter().flat_map(of_column)),
        labels: offsets::list(told.iter().map(offset)),
    };
    let quoted = |name: &String| format!("`{}`", shown(name));
    let numbers = table.columns.iter().filter(|column| matches!(column.kind, Kind::Number { .. }));
    let columns = numbers.map(|column| (quoted(&column.name), offset(&column.name)));
    let offsets = asked.settle_named(needed, columns, notes);
    if !matches!(asked, Centring::By(_)) {
        notes.extend(offsets.note_labels(told.iter().map(quoted)));
    }
    offsets
}

fn no_rows(source: &dyn Source, dropped: u64) -> Error {
    let (what, advice) = match dropped {
        0 => ("has a header but no rows", "add rows below it"),
        _ => ("has no row without a missing cell", "--missing mean"),
    };
    source.origin().refuse(what).advise(advice)
}

/// The columns to be told, by their numbers.
fn told(source: &dyn Source, label: Option<&str>, notes: &mut Vec<String>) -> Result<Vec<usize>> {
    let names = source.names();
    let find = |wanted: &str| names.iter().position(|name| name == wanted.trim_ascii());
    let Some(label) = label else {
        let last = names.len().saturating_sub(1);
        notes.push(format!(
            "label: the last column, `{}`",
            names.last().map_or(String::new(), |name| shown(name))
        ));
        return Ok(vec![last]);
    };
    if let Some(at) = find(label) {
        return Ok(vec![at]);
    }
    if label == "none" {
        notes.push("label: none".into());
        return Ok(Vec::new());
    }
    let known: Vec<&str> = names.iter().map(String::as_str).take(40).collect();
    let unknown =
        |name| spec::unknown("column", name, " for --label", &known).at(source.origin().path.display());
    label.split(',').map(|name| find(name).ok_or_else(|| unknown(name))).collect()
}

fn column(name: &str, tally: &Tally, missing: Missing) -> Column {
    let kind = if tally.holds_words() {
        Kind::Category { levels: tally.levels(), missing: missing == Missing::Mean && tally.missing > 0 }
    } else {
        Kind::Number { fill: (missing == Missing::Mean).then_some(f32::NAN) }
    };
    Column { name: name.to_owned(), kind }
}

fn target(source: &dyn Source, told: &[usize], survey: &Survey, real: bool) -> Result<Target> {
    let name = |at: usize| source.names().get(at).cloned().unwrap_or_default();
    let column = |at: usize| Some((name(at), survey.tallies.get(at)?));
    let columns: Vec<(String, &Tally)> = told.iter().filter_map(|&at| column(at)).collect();
    if let [(column, tally)] = &columns[..]
        && let Some(classes) = tally.classes().filter(|_| !real || tally.holds_words())
    {
        return Ok(Target::Class { column: column.clone(), classes });
    }
    for (column, tally) in &columns {
        if let Some((row, word)) = &tally.first_word {
            let what = format!("holds `{}` where numbers are to be told", shown(word));
            return Err(source
                .origin()
                .refuse_cell(*row, column, what)
                .advise("name one label of words, or several of numbers"));
        }
    }
    match columns.is_empty() {
        true => Ok(Target::Absent),
        false => Ok(Target::Real { columns: columns.into_iter().map(|(column, _)| column).collect() }),
    }
}

/// Says what is missing and what was done about it, or refuses it.
fn say_missing(
    source: &dyn Source,
    roles: &[Role],
    missing: Missing,
    survey: &Survey,
    notes: &mut Vec<String>,
) -> Result<()> {
    let columns = source.names().iter().zip(roles).zip(&survey.tallies);
    let lacking: Vec<_> = columns.filter(|(_, tally)| tally.missing > 0).collect();
    let counts =
        lacking.iter().map(|((name, _), tally)| format!("{} in `{}`", grouped(tally.missing), shown(name)));
    let counts = listed(counts, lacking.len());
    let refused = |role: Role| missing == Missing::Refuse || role == Role::Label;
    if let Some(((name, role), tally)) = lacking.iter().find(|((_, role), _)| refused(**role)) {
        let what = format!("lacks cells: {counts}; the first of them here");
        let advice = match role {
            Role::Label => "--missing drop leaves such rows out; a label cannot be guessed",
            _ => "--missing mean fills them in, --missing drop leaves such rows out",
        };
        return Err(source.origin().refuse_cell(tally.first_missing(), name, what).advise(advice));
    }
    if !lacking.is_empty() {
        notes.push(format!(
            "missing cells: {counts}; numbers become the mean of their column over the samples that are trained on, categories a level of their own"
        ));
    }
    if survey.dropped > 0 {
        let all = grouped(survey.rows.saturating_add(survey.dropped));
        notes.push(format!(
            "missing cells: {} of {all} rows lack one and were left out",
            grouped(survey.dropped)
        ));
    }
    Ok(())
}

fn say_columns(columns: &[Column], target: &Target, notes: &mut Vec<String>) {
    let categories = columns.iter().filter_map(|column| match &column.kind {
        Kind::Category { .. } => Some(format!("`{}` {}", shown(&column.name), column.width())),
        Kind::Number { .. } => None,
    });
    let count = categories.clone().count();
    if count > 0 {
        notes.push(format!("columns of words, each word a number 0 or 1: {}", listed(categories, count)));
    }
    match target {
        Target::Class { column, classes } => {
            notes.push(format!("`{}` tells apart {} classes", shown(column), grouped(classes.len() as u64)));
        }
        Target::Real { columns } => notes.push(format!(
            "{} to be told, as numbers: {}",
            if columns.len() == 1 { "a number" } else { "several numbers" },
            listed(columns.iter().map(|name| format!("`{}`", shown(name))), columns.len())
        )),
        Target::Absent => {}
    }
}

/// Columns that are made words by a few cells among numbers.
fn stray_words(source: &dyn Source, survey: &Survey) -> impl Iterator<Item = String> {
    source.names().iter().zip(&survey.tallies).filter_map(|(name, tally)| {
        let (row, word) = tally.first_word.as_ref().filter(|_| tally.numbers > survey.rows / 2)?;
        let (name, word, unit) = (shown(name), shown(word), source.origin().unit);
        Some(format!("`{name}` holds mostly numbers, but is read as words: {unit} {row} has `{word}`"))
    })
}

/// The samples, in memory if they fit; `rows` if they have been counted already.
fn part(
    source: &dyn Source,
    ask: &Ask,
    encoder: &Encoder,
    roles: &[Role],
    rows: Option<u64>,
) -> Result<Part> {
    let rows = rows.map_or_else(|| count(source, roles, ask.missing), Ok)?;
    let (features, labels) = encoder.widths();
    let sample = features.saturating_add(labels).saturating_mul(size_of::<f32>()) as u64;
    if rows.saturating_mul(sample) <= ask.memory {
        return resident(source, ask.missing, encoder, roles, rows).map(Part::Resident);
    }
    if rows.saturating_mul(size_of::<u64>() as u64) > ask.memory {
        let (rows, memory) = (grouped(rows), bytes(ask.memory));
        let what = format!("has {rows} rows, too many even to note within {memory} where each begins");
        return Err(source.origin().refuse(what).advise("give more --memory"));
    }
    streamed(source, ask.missing, encoder, roles, rows)
}

fn count(source: &dyn Source, roles: &[Role], missing: Missing) -> Result<u64> {
    let mut rows = 0_u64;
    let dropped = pass_kept(source, roles, missing, &mut |_, _| {
        rows = rows.saturating_add(1);
        Ok(())
    })?;
    if rows == 0 { Err(no_rows(source, dropped)) } else { Ok(rows) }
}

fn resident(
    source: &dyn Source,
    missing: Missing,
    encoder: &Encoder,
    roles: &[Role],
    rows: u64,
) -> Result<Samples> {
    let (features, _) = encoder.widths();
    let mut values = Values::Floats(reserved(rows.saturating_mul(features as u64))?);
    let mut labels = encoder.labels();
    pass_kept(source, roles, missing, &mut |place, cells| {
        encoder.push(place, cells, &mut values, &mut labels)
    })?;
    Samples::new(values, labels, features)
}

/// Looks at every row once, so that no bad cell comes up later, and notes where each begins.
fn streamed(
    source: &dyn Source,
    missing: Missing,
    encoder: &Encoder,
    roles: &[Role],
    rows: u64,
) -> Result<Part> {
    let mut places = reserved(rows)?;
    let (mut values, mut labels) = (Values::Floats(Vec::new()), encoder.labels());
    pass_kept(source, roles, missing, &mut |place, cells| {
        encoder.push(place, cells, &mut values, &mut labels)?;
        (values, labels) = (Values::Floats(Vec::new()), encoder.labels());
        places.push(place.offset);
        Ok(())
    })?;
    source.store(encoder.clone(), places).map(Part::Streamed)
}

/// A vector with room for so many, or an error if the machine has no such memory.
pub(crate) fn reserved<T>(count: u64) -> Result<Vec<T>> {
    let mut vector = Vec::new();
    let room = usize::try_from(count).ok().and_then(|count| vector.try_reserve_exact(count).ok());
    room.map(|()| vector).ok_or_else(|| {
        let needed = bytes(count.saturating_mul(size_of::<T>() as u64));
        Error::failure(format!("the data need {needed} of memory, which this machine does not have"))
            .advise("give less --memory")
    })
}
