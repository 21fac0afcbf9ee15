//! Notes and warnings about a table's columns: their contents, how they are read, and anything doubtful.

use super::row_numbers::is_called_identifier;
use super::survey::{Spellings, Survey};
use super::tally::{Role, Tally};
use super::{Column, ColumnKind, Notation, RowSource, Target, shown};
use crate::reader::{LabelKind, Missing, ReadOptions};
use crate::text::{grouped, listed};
use crate::{Result, classes};

/// Notes missing cells and how they are handled, or refuses them.
pub(super) fn missing(
    source: &dyn RowSource,
    roles: &[Role],
    ask: &ReadOptions,
    survey: &Survey,
    notes: &mut Vec<String>,
) -> Result<()> {
    let columns = source.names().iter().zip(roles).zip(&survey.tallies);
    let lacking: Vec<_> = columns.filter(|(_, tally)| tally.missing > 0).collect();
    let counts =
        lacking.iter().map(|((name, _), tally)| format!("{} in `{}`", grouped(tally.missing), shown(name)));
    let counts = listed(counts, lacking.len());
    let refused = |role: Role| ask.missing == Missing::Refuse || role == Role::Label;
    if let Some(((name, role), tally)) = lacking.iter().find(|((_, role), _)| refused(**role)) {
        let strays = strays(name, tally).map_or(String::new(), |strays| format!(". {strays}"));
        let spelled = spelled(&survey.spellings);
        let what = format!("has missing cells: {counts}{spelled}; the first is here{strays}");
        let advice = match role {
            Role::Label => "--missing drop leaves such rows out; a missing label cannot be filled in",
            _ => "--missing mean fills them in, --missing drop leaves such rows out",
        };
        let advice = format!("{advice}{}", if_a_word(&survey.spellings, ask));
        return Err(source.origin().refuse_cell(tally.first_missing(), name, what).advise(advice));
    }
    if !lacking.is_empty() {
        notes.push(format!(
            "missing cells: {counts}{}; missing numbers become the mean of their column over the training samples, missing categories a level of their own",
            spelled(&survey.spellings)
        ));
    }
    if survey.dropped.rows > 0 {
        let all = grouped(survey.rows.saturating_add(survey.dropped.rows));
        notes.push(format!(
            "missing cells: {} of {all} rows have one and were left out{}",
            grouped(survey.dropped.rows),
            spelled(&survey.dropped.spellings)
        ));
    }
    Ok(())
}

/// ", taken as missing: `NA` 15 times, empty cells 3 times"
fn spelled(spellings: &Spellings) -> String {
    let times = |count: u64| match count {
        1 => "once".to_owned(),
        _ => format!("{} times", grouped(count)),
    };
    let one = |(spelling, count): (&String, &u64)| match spelling.is_empty() {
        true => format!("empty cells {}", times(*count)),
        false => format!("`{}` {}", shown(spelling), times(*count)),
    };
    match spellings.is_empty() {
        true => String::new(),
        false => format!(", taken as missing: {}", listed(spellings.iter().map(one), spellings.len())),
    }
}

/// Returns advice about a word that was taken as missing.
fn if_a_word(spellings: &Spellings, ask: &ReadOptions) -> String {
    let word = spellings.keys().find(|spelling| !spelling.is_empty() && ask.missing_values.is_usual());
    let way = |word: &String| {
        format!("; if `{}` is a real value, put it in quotes or use --missing-values none", shown(word))
    };
    word.map_or_else(String::new, way)
}

/// Notes how a label of whole numbers was read, if that is a guess, and warns of numeric targets that are identifiers.
pub(super) fn label(column: &str, tally: &Tally, kind: LabelKind, are_classes: bool) -> Vec<String> {
    let name = shown(column);
    let guess = (kind == LabelKind::Guess && tally.is_guessed())
        .then(|| format!("label `{name}`: {}", classes::guess(are_classes)));
    let is_identifier = tally.has_many_codes() || tally.is_unique() && is_called_identifier(column);
    let warning = (!are_classes && is_identifier && !tally.holds_words()).then(|| {
        format!(
            "warning: `{name}` looks like an identifier, but is predicted as a number, which is meaningless; --targets class takes it as classes, --label chooses another column"
        )
    });
    guess.into_iter().chain(warning).collect()
}

/// Notes that a column of codes is read as words although they look like numbers, or warns that it is not.
fn codes(name: &str, tally: &Tally) -> Option<String> {
    let name = shown(name);
    if tally.is_of_codes() {
        return Some(format!(
            "`{name}` holds codes (a leading zero, or more digits than a float keeps), so each is read as a word"
        ));
    }
    tally.has_many_codes().then(|| {
        format!(
            "warning: `{name}` holds codes, but too many distinct ones for words, so they are read as numbers; --drop '{name}' leaves it out"
        )
    })
}

pub(super) fn columns(columns: &[Column], target: &Target, notes: &mut Vec<String>) {
    let categories = columns.iter().filter_map(|column| match &column.kind {
        ColumnKind::Category { .. } => Some(format!("`{}` {}", shown(&column.name), column.width())),
        ColumnKind::Number { .. } => None,
    });
    let count = categories.clone().count();
    if count > 0 {
        notes.push(format!("categorical columns, with their one-hot widths: {}", listed(categories, count)));
    }
    match target {
        Target::Class { column, classes } => {
            notes.push(format!("`{}` has {} classes", shown(column), grouped(classes.len() as u64)));
        }
        Target::Real { columns } => notes.push(format!(
            "{}: {}",
            if columns.len() == 1 { "numeric target" } else { "numeric targets" },
            listed(columns.iter().map(|name| format!("`{}`", shown(name))), columns.len())
        )),
        Target::Absent => {}
    }
}

/// Lists the cells of a column that are not in its notation, with counts.
fn strays(name: &str, tally: &Tally) -> Option<String> {
    let all: u64 = tally.strays.values().sum();
    let mut strays: Vec<(&String, &u64)> = tally.strays.iter().collect();
    strays.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let count = strays.len();
    let strays = strays.into_iter().map(|(cell, count)| format!("`{}` {}", shown(cell), grouped(*count)));
    let plural = if all == 1 { "cell is not a number and counts" } else { "cells are not numbers and count" };
    (all > 0).then(|| {
        format!("In `{}`, {} {plural} as missing: {}", shown(name), grouped(all), listed(strays, count))
    })
}

/// Notes columns that are read in a notation of their own, with an example of each, and their cells not in it.
pub(super) fn notations(source: &dyn RowSource, survey: &Survey, notes: &mut Vec<String>) {
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

/// Warns of columns that may not be what they seem.
pub(super) fn doubtful(source: &dyn RowSource, roles: &[Role], survey: &Survey, notes: &mut Vec<String>) {
    let columns = source.names().iter().zip(roles).zip(&survey.tallies);
    for ((name, role), tally) in columns.filter(|((_, role), _)| **role != Role::Ignored) {
        notes.extend(stray_word(source, name, tally, survey.rows));
        if *role == Role::Feature {
            notes.extend(identifier(name, tally));
            notes.extend(codes(name, tally));
        }
    }
}

/// Notes a column of words in which most cells are numbers.
fn stray_word(source: &dyn RowSource, name: &str, tally: &Tally, rows: u64) -> Option<String> {
    let (row, word) = tally.first_word.as_ref().filter(|_| tally.numbers > rows / 2)?;
    let (name, word, unit) = (shown(name), shown(word), source.origin().unit);
    Some(format!("`{name}` holds mostly numbers, but is read as words: {unit} {row} has `{word}`"))
}

/// Warns of a column that only identifies rows.
fn identifier(name: &str, tally: &Tally) -> Option<String> {
    let name = shown(name);
    if let Some(different) = tally.own_words() {
        let different = grouped(different);
        return Some(format!(
            "warning: nearly every row has a different word in `{name}` ({different} distinct), so it says nothing about other rows; --drop '{name}' leaves it out"
        ));
    }
    if tally.counting.identifies() && !tally.counting.counts() && !tally.holds_words() {
        return Some(format!(
            "warning: every row has a different number in `{name}`, which is named like an identifier, so it may say nothing about other rows; --drop '{name}' leaves it out"
        ));
    }
    (tally.counting.counts() && !tally.holds_words()).then(|| {
        format!(
            "warning: `{name}` counts the rows, so it only gives a row's position; --drop '{name}' leaves it out"
        )
    })
}
