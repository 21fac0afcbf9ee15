//! Conversion of a table to samples: its target, its features, and whether they fit into memory.

use super::evidence::Hints;
use super::survey::{Survey, pass_kept};
use super::tally::{Role, Tally, Use};
use super::{Column, ColumnKind, Encoder, Notation, RowSource, Table, Target, Unknown, chosen, say, shown};
use crate::format::csv::Decimal;
use crate::reader::{DefaultNormalisation, LabelKind, Loaded, LoadedSplit, Missing, ReadOptions};
use crate::text::{bytes, grouped};
use crate::{Cause, Centring, Error, Offsets, Result, Samples, Shape, Values, offsets};
use std::collections::{HashMap, HashSet};

/// Reads a table by `ask.table` if given, else by the contents of its own columns.
pub(crate) fn read(source: &dyn RowSource, ask: &ReadOptions) -> Result<Loaded> {
    let mut notes = Vec::new();
    refuse_twins(source)?;
    let (table, offsets, rows) = match &ask.table {
        Some(table) => (given(table, ask)?, ask.offsets.given(), None),
        None => find_out(source, ask, &mut notes)?,
    };
    let unknown = if ask.table.is_some() { ask.unknown } else { Unknown::Refuse };
    let encoder = Encoder::new(&table, source.names(), source.origin())?.less(&offsets).unknown(unknown);
    let uses = uses(&table, source.names());
    let train = part(source, ask, &encoder, &uses, rows)?;
    notes.extend(encoder.unseen());
    Ok(Loaded {
        shape: Shape::Flat(table.features()),
        classes: table.classes().to_vec(),
        train,
        validation: None,
        test: None,
        table: Some(table),
        offsets,
        pictures: false,
        usual: DefaultNormalisation::Standard,
        notes,
    })
}

fn refuse_twins(source: &dyn RowSource) -> Result<()> {
    let mut seen = HashMap::new();
    for (name, at) in source.names().iter().zip(1_u64..) {
        if let Some(first) = seen.insert(name, at) {
            let what = format!("has two columns called `{}`: column {first} and column {at}", shown(name));
            return Err(source.origin().refuse(what).advise("give each column a unique name"));
        }
    }
    Ok(())
}

/// Returns the role and notation of each column of a file.
fn uses(table: &Table, names: &[String]) -> Vec<Use> {
    let features: HashSet<&str> = table.columns.iter().map(|column| &*column.name).collect();
    let targets: HashSet<&str> = match &table.target {
        Target::Class { column, .. } => [&**column].into(),
        Target::Real { columns } => columns.iter().map(|column| &**column).collect(),
        Target::Absent => HashSet::new(),
    };
    let role = |name: &String| match () {
        () if features.contains(&**name) => Role::Feature,
        () if targets.contains(&**name) => Role::Label,
        () => Role::Ignored,
    };
    names.iter().map(|name| Use { role: role(name), notation: table.notations.get(name).copied() }).collect()
}

/// Returns the table of a model, with the notations requested for this file.
fn given(table: &Table, ask: &ReadOptions) -> Result<Table> {
    chosen::check(table, ask)?;
    let mut table = table.clone();
    let of_decimal = |decimal| match decimal {
        Decimal::Point => Notation::Point,
        Decimal::Comma => Notation::Comma,
    };
    if let Some(notation) = ask.form.decimal.map(of_decimal) {
        let numbers = table.columns.iter().filter(|column| matches!(column.kind, ColumnKind::Number { .. }));
        let targets: &[String] = if let Target::Real { columns } = &table.target { columns } else { &[] };
        for name in numbers.map(|column| &column.name).chain(targets) {
            let known = table.notations.get(name).copied();
            if known.is_none_or(|known| matches!(known, Notation::Point | Notation::Comma)) {
                table.notations.insert(name.clone(), notation);
            }
        }
    }
    for written in table.notations.values_mut() {
        if let (Notation::Date { order, .. }, Some(targets)) = (written, ask.form.dates) {
            *order = targets;
        }
    }
    Ok(table)
}

/// Infers the table from its columns; returns it with the offsets subtracted from its numbers and the number of rows.
fn find_out(
    source: &dyn RowSource,
    ask: &ReadOptions,
    notes: &mut Vec<String>,
) -> Result<(Table, Offsets, Option<u64>)> {
    let names = source.names();
    let mut roles = chosen::roles(source, ask, notes)?;
    let survey = Survey::take(source, &roles, ask.missing, Hints::of(&ask.form))?;
    if survey.rows == 0 {
        return Err(no_rows(source, survey.dropped.rows));
    }
    if ask.columns.is_none() {
        leave_out_row_numbers(names, &survey, &mut roles, notes);
    }
    say::missing(source, &roles, ask, &survey, notes)?;
    let columns =
        names.iter().zip(&roles).zip(&survey.tallies).filter(|((_, role), _)| **role == Role::Feature);
    let columns = columns.map(|((name, _), tally)| column(name, tally, ask.missing)).collect::<Vec<_>>();
    let targets: Vec<usize> =
        roles.iter().enumerate().filter(|(_, role)| **role == Role::Label).map(|(at, _)| at).collect();
    let target = target(source, &targets, &survey, ask.label_kind, notes)?;
    say::columns(&columns, &target, notes);
    say::notations(source, &survey, notes);
    say::doubtful(source, &roles, &survey, notes);
    let written = names.iter().zip(&survey.tallies);
    let notations =
        written.filter_map(|(name, tally)| Some((name.clone(), tally.decision?.notation))).collect();
    let table = Table { columns, target, notations, missing_values: ask.missing_values.clone() };
    let offsets = offsets(&table, names, &survey, &ask.offsets, notes);
    Ok((table, offsets, Some(survey.rows)))
}

/// Leaves out columns that number or name the rows, with a note, unless there are no other features.
fn leave_out_row_numbers(names: &[String], survey: &Survey, roles: &mut [Role], notes: &mut Vec<String>) {
    let columns = names.iter().zip(&survey.tallies).zip(roles.iter());
    let found: Vec<Option<&str>> =
        columns.map(|((name, tally), role)| tally.row_numbers(name, *role)).collect();
    let is_other = |(role, found): (&Role, &Option<&str>)| *role == Role::Feature && found.is_none();
    if !roles.iter().zip(&found).any(is_other) {
        return;
    }
    for ((name, role), what) in names.iter().zip(roles).zip(found) {
        let Some(what) = what else { continue };
        *role = Role::Ignored;
        let name = if name.is_empty() { "without a name".into() } else { format!("`{}`", shown(name)) };
        notes.push(format!("left out: the column {name}, which holds {what}"));
    }
}

/// Returns the offsets subtracted from numeric columns, with a note.
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
        ColumnKind::Number { .. } => vec![offset(&column.name)],
        ColumnKind::Category { .. } => vec![0.0; column.width()],
    };
    let targets: &[String] = if let Target::Real { columns } = &table.target { columns } else { &[] };
    let needed = Offsets {
        values: offsets::list(table.columns.iter().flat_map(of_column)),
        labels: offsets::list(targets.iter().map(offset)),
    };
    let quoted = |name: &String| format!("`{}`", shown(name));
    let numbers = table.columns.iter().filter(|column| matches!(column.kind, ColumnKind::Number { .. }));
    let columns = numbers.map(|column| (quoted(&column.name), offset(&column.name)));
    let offsets = asked.settle_named(needed, columns, notes);
    if !matches!(asked, Centring::By(_)) {
        notes.extend(offsets.note_labels(targets.iter().map(quoted)));
    }
    offsets
}

fn no_rows(source: &dyn RowSource, dropped: u64) -> Error {
    let (what, advice) = match dropped {
        0 => ("has a header but no rows", "add rows below it"),
        _ => ("has no row without a missing cell", "--missing mean"),
    };
    source.origin().refuse(what).advise(advice)
}

fn column(name: &str, tally: &Tally, missing: Missing) -> Column {
    let kind = if tally.is_of_words() {
        ColumnKind::Category {
            levels: tally.levels(),
            missing: missing == Missing::Mean && tally.missing > 0,
        }
    } else {
        ColumnKind::Number { fill: (missing == Missing::Mean).then_some(f32::NAN) }
    };
    Column { name: name.to_owned(), kind }
}

fn target(
    source: &dyn RowSource,
    targets: &[usize],
    survey: &Survey,
    kind: LabelKind,
    notes: &mut Vec<String>,
) -> Result<Target> {
    let name = |at: usize| source.names().get(at).cloned().unwrap_or_default();
    let column = |at: usize| Some((name(at), survey.tallies.get(at)?));
    let columns: Vec<(String, &Tally)> = targets.iter().filter_map(|&at| column(at)).collect();
    if let [(column, tally)] = &columns[..] {
        let too_many = |error: Error| Error { what: source.origin().refuse(&error.what).what, ..error };
        let classes = tally.classes(kind, survey.rows).map_err(too_many)?;
        notes.extend(say::label(column, tally, kind, classes.is_some()));
        if let Some(classes) = classes {
            return Ok(Target::Class { column: column.clone(), classes });
        }
    }
    for (column, tally) in &columns {
        if let Some((row, word)) = &tally.first_word {
            let what = format!("holds `{}` where a numeric label is expected", shown(word));
            return Err(source
                .origin()
                .refuse_cell(*row, column, what)
                .advise("choose a single text label, or several numeric ones"));
        }
    }
    match columns.is_empty() {
        true => Ok(Target::Absent),
        false => Ok(Target::Real { columns: columns.into_iter().map(|(column, _)| column).collect() }),
    }
}

/// Returns the samples, resident if they fit; `rows` is their number if already known.
fn part(
    source: &dyn RowSource,
    ask: &ReadOptions,
    encoder: &Encoder,
    uses: &[Use],
    rows: Option<u64>,
) -> Result<LoadedSplit> {
    let rows = rows.map_or_else(|| count(source, uses, ask.missing), Ok)?;
    let (features, labels) = encoder.widths();
    let sample = features.saturating_add(labels).saturating_mul(size_of::<f32>()) as u64;
    if rows.saturating_mul(sample) <= ask.memory {
        return resident(source, ask.missing, encoder, uses, rows).map(LoadedSplit::Resident);
    }
    let needed = rows.saturating_mul(size_of::<u64>() as u64);
    if needed > ask.memory {
        let (rows, memory) = (grouped(rows), bytes(ask.memory));
        let what = format!("has {rows} rows, too many to keep even their positions within {memory}");
        let cause = Cause::TooLarge { needed, available: Some(ask.memory) };
        return Err(source.origin().refuse(what).because(cause).advise("give more --memory"));
    }
    streamed(source, ask.missing, encoder, uses, rows)
}

fn count(source: &dyn RowSource, uses: &[Use], missing: Missing) -> Result<u64> {
    let mut rows = 0_u64;
    let dropped = pass_kept(source, uses, missing, &mut |_, _| {
        rows = rows.saturating_add(1);
        Ok(())
    })?;
    if rows == 0 { Err(no_rows(source, dropped.rows)) } else { Ok(rows) }
}

fn resident(
    source: &dyn RowSource,
    missing: Missing,
    encoder: &Encoder,
    uses: &[Use],
    rows: u64,
) -> Result<Samples> {
    let (features, _) = encoder.widths();
    let mut values = Values::Floats(reserved(rows.saturating_mul(features as u64))?);
    let mut labels = encoder.labels();
    pass_kept(source, uses, missing, &mut |place, cells| {
        encoder.push(place, cells, &mut values, &mut labels)
    })?;
    Samples::new(values, labels, features)
}

/// Encodes every row once, so that no bad cell comes up later, and records the place of each.
fn streamed(
    source: &dyn RowSource,
    missing: Missing,
    encoder: &Encoder,
    uses: &[Use],
    rows: u64,
) -> Result<LoadedSplit> {
    let mut places = reserved(rows)?;
    let (mut values, mut labels) = (Values::Floats(Vec::new()), encoder.labels());
    pass_kept(source, uses, missing, &mut |place, cells| {
        encoder.push(place, cells, &mut values, &mut labels)?;
        (values, labels) = (Values::Floats(Vec::new()), encoder.labels());
        places.push(place.offset);
        Ok(())
    })?;
    source.store(encoder.clone(), places).map(LoadedSplit::Streamed)
}

/// Returns a vector with room for `count` items, or an error if the machine lacks the memory.
pub(crate) fn reserved<T>(count: u64) -> Result<Vec<T>> {
    let mut vector = Vec::new();
    let room = usize::try_from(count).ok().and_then(|count| vector.try_reserve_exact(count).ok());
    room.map(|()| vector).ok_or_else(|| {
        let needed = count.saturating_mul(size_of::<T>() as u64);
        Error::failure(format!("the data need {} of memory, which this machine does not have", bytes(needed)))
            .because(Cause::TooLarge { needed, available: None })
            .advise("give less --memory")
    })
}
