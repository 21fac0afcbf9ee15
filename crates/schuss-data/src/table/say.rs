//! What is said of a table's columns: what they hold, how they are read, and what about them is doubtful.

use super::survey::{Role, Survey, Tally};
use super::{Column, Kind, Notation, Source, Target, shown};
use crate::Result;
use crate::found::Missing;
use crate::text::{grouped, listed};

/// Says what is missing and what was done about it, or refuses it.
pub(super) fn missing(
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
        let strays = strays(name, tally).map_or(String::new(), |strays| format!(". {strays}"));
        let what = format!("lacks cells: {counts}; the first of them here{strays}");
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

pub(super) fn columns(columns: &[Column], target: &Target, notes: &mut Vec<String>) {
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
            notes.push(format!("`{}` has {} classes", shown(column), grouped(classes.len() as u64)));
        }
        Target::Real { columns } => notes.push(format!(
            "{} to predict, as numbers: {}",
            if columns.len() == 1 { "a number" } else { "several numbers" },
            listed(columns.iter().map(|name| format!("`{}`", shown(name))), columns.len())
        )),
        Target::Absent => {}
    }
}

/// Which cells of a column are not in its notation, and how often.
fn strays(name: &str, tally: &Tally) -> Option<String> {
    let all: u64 = tally.strays.values().sum();
    let mut strays: Vec<(&String, &u64)> = tally.strays.iter().collect();
    strays.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let count = strays.len();
    let strays = strays.into_iter().map(|(cell, count)| format!("`{}` {}", shown(cell), grouped(*count)));
    let plural = if all == 1 { "cell is no number and counts" } else { "cells are no numbers and count" };
    (all > 0).then(|| {
        format!("In `{}` {} {plural} as missing: {}", shown(name), grouped(all), listed(strays, count))
    })
}

/// Says which columns are read in a notation of their own, with an example of each, and which of their cells are not.
pub(super) fn notations(source: &dyn Source, survey: &Survey, notes: &mut Vec<String>) {
    let mut kinds: Vec<(Notation, Vec<String>)> = Vec::new();
    for (name, tally) in source.names().iter().zip(&survey.tallies) {
        let (Some(decision), Some((cell, number))) = (tally.decision, &tally.example) else { continue };
        let doubt = decision.doubt.map_or(String::new(), |flag| format!("; if not: {flag}"));
        let column = format!("`{}` (`{}` is {number}{doubt})", shown(name), shown(cell));
        match kinds.iter_mut().find(|(notation, _)| *notation == decision.notation) {
            Some((_, columns)) => columns.push(column),
            None => kinds.push((decision.notation, vec![column])),
        }
    }
    for (notation, columns) in kinds {
        let count = columns.len();
        notes.push(format!("read as {}: {}", notation.called(), listed(columns.into_iter(), count)));
    }
    notes.extend(source.names().iter().zip(&survey.tallies).filter_map(|(name, tally)| strays(name, tally)));
}

/// Says which columns may not be what they seem.
pub(super) fn doubtful(source: &dyn Source, roles: &[Role], survey: &Survey, notes: &mut Vec<String>) {
    let columns = source.names().iter().zip(roles).zip(&survey.tallies);
    for ((name, role), tally) in columns.filter(|((_, role), _)| **role != Role::Ignored) {
        notes.extend(stray_word(source, name, tally, survey.rows));
        if *role == Role::Feature {
            notes.extend(identifier(name, tally));
        }
    }
}

/// A column of words in which most cells are numbers.
fn stray_word(source: &dyn Source, name: &str, tally: &Tally, rows: u64) -> Option<String> {
    let (row, word) = tally.first_word.as_ref().filter(|_| tally.numbers > rows / 2)?;
    let (name, word, unit) = (shown(name), shown(word), source.origin().unit);
    Some(format!("`{name}` holds mostly numbers, but is read as words: {unit} {row} has `{word}`"))
}

/// A column that tells rows apart and nothing else.
fn identifier(name: &str, tally: &Tally) -> Option<String> {
    let name = shown(name);
    if let Some(different) = tally.own_words() {
        let different = grouped(different);
        return Some(format!(
            "warning: nearly every row has a word of its own in `{name}` ({different} different ones), so it tells nothing of other rows; --drop '{name}' leaves it out"
        ));
    }
    (tally.counting.counts() && !tally.holds_words()).then(|| {
        format!(
            "warning: `{name}` counts the rows, so it tells where a row stands; --drop '{name}' leaves it out"
        )
    })
}
