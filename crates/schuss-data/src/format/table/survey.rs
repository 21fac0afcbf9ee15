//! Survey of a table's columns, in one pass over its rows.

use super::cell::Cell;
use super::evidence::Hints;
use super::tally::{Plan, Role, Tally, Use, most_words};
use super::{Notation, RowPlace, RowSource, shown};
use crate::format::csv::Decimal;
use crate::reader::Missing;
use crate::text::grouped;
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Maximum memory for the words of all columns, in bytes.
const MAX_WORDS: usize = 64 << 20;

/// Contents of all columns.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) tallies: Vec<Tally>,
    pub(super) rows: u64,
    pub(super) dropped: Dropped,
    /// Spellings taken as missing, with counts.
    pub(super) spellings: Spellings,
    words: usize,
}

/// Spellings of missing values, with counts.
pub(super) type Spellings = BTreeMap<String, u64>;

/// Rows dropped because of a missing cell.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    pub(super) rows: u64,
    pub(super) spellings: Spellings,
}

/// Counts the missing cells of a row in columns that are used.
fn count_missing(spellings: &mut Spellings, cells: &[Cell], is_used: impl Fn(usize) -> bool) {
    for (at, cell) in cells.iter().enumerate() {
        let Cell::Missing(spelling) = cell else { continue };
        if is_used(at) {
            let count = spellings.entry((*spelling).to_owned()).or_default();
            *count = count.saturating_add(1);
        }
    }
}

/// Visits every row that is kept and returns the dropped ones: with [`Missing::Drop`], those with a missing cell in a
/// column that is used.
pub(super) fn pass_kept(
    source: &dyn RowSource,
    uses: &[Use],
    missing: Missing,
    visit: &mut super::Visit,
) -> Result<Dropped> {
    let mut dropped = Dropped::default();
    source.pass(&mut |place, cells| {
        let lacks = |(cell, column): (&Cell, &Use)| {
            column.role != Role::Ignored && cell.read_as(column.notation).is_missing()
        };
        if missing == Missing::Drop && cells.iter().zip(uses).any(lacks) {
            dropped.rows = dropped.rows.saturating_add(1);
            let is_used = |at: usize| uses.get(at).is_some_and(|column| column.role != Role::Ignored);
            count_missing(&mut dropped.spellings, cells, is_used);
            return Ok(());
        }
        visit(place, cells)
    })?;
    Ok(dropped)
}

/// Maximum passes to settle how columns are read: from their own cells, from the other columns, and with mixed columns
/// kept as words.
const PASSES: usize = 4;

impl Survey {
    /// Passes over the rows, and again if a column turns out to have a notation of its own, or mixes numbers and words,
    /// so that its numbers become words too.
    pub(super) fn take(
        source: &dyn RowSource,
        roles: &[Role],
        missing: Missing,
        hints: Hints,
    ) -> Result<Self> {
        let is_one_of_several = roles.iter().filter(|role| **role == Role::Label).count() > 1;
        let keep: Vec<bool> = roles.iter().map(|role| *role == Role::Label).collect();
        let mut plans: Vec<Plan> = roles
            .iter()
            .zip(keep)
            .map(|(&role, keep_numbers)| Plan { role, keep_numbers, is_one_of_several, ..Plan::default() })
            .collect();
        let mut survey = Self::pass(source, &plans, missing)?;
        for _ in 1..PASSES {
            let next = survey.plans(&plans, hints);
            if next == plans {
                break;
            }
            plans = next;
            survey = Self::pass(source, &plans, missing)?;
        }
        survey.refuse_words(source, roles)?;
        Ok(survey)
    }

    /// Returns the plans for the next pass, given what was seen under these.
    fn plans(&self, plans: &[Plan], hints: Hints) -> Vec<Plan> {
        let commas = |(tally, plan): (&Tally, &Plan)| {
            plan.decision.is_some_and(|decision| decision.notation == Notation::Comma)
                || tally.evidence.needs_comma(tally.numbers)
        };
        let comma_elsewhere = hints.decimal == Some(Decimal::Comma)
            || hints.decimal.is_none() && self.tallies.iter().zip(plans).any(commas);
        let hints = Hints { comma_elsewhere, ..hints };
        self.tallies.iter().zip(plans).map(|(tally, plan)| tally.plan(*plan, hints)).collect()
    }

    fn pass(source: &dyn RowSource, plans: &[Plan], missing: Missing) -> Result<Self> {
        let tallies = source.names().iter().zip(plans).map(|(name, plan)| Tally::new(name, plan));
        let (dropped, spellings) = (Dropped::default(), Spellings::new());
        let mut survey = Self { tallies: tallies.collect(), rows: 0, dropped, spellings, words: 0 };
        let uses: Vec<Use> = plans.iter().map(Plan::as_use).collect();
        let dropped =
            pass_kept(source, &uses, missing, &mut |place, cells| survey.see(source, plans, place, cells))?;
        survey.dropped = dropped;
        Ok(survey)
    }

    fn see(&mut self, source: &dyn RowSource, plans: &[Plan], place: RowPlace, cells: &[Cell]) -> Result<()> {
        self.rows = self.rows.saturating_add(1);
        let is_used = |at: usize| plans.get(at).is_some_and(|plan| plan.role != Role::Ignored);
        count_missing(&mut self.spellings, cells, is_used);
        for (at, ((tally, plan), &cell)) in self.tallies.iter_mut().zip(plans).zip(cells).enumerate() {
            let words = tally.see(plan, place, cell).map_err(|what| {
                let name = source.names().get(at).map_or("", String::as_str);
                refuse_column(source, place, name, &what, tally, plan.role)
            })?;
            self.words = self.words.saturating_add(words);
        }
        if self.words > MAX_WORDS {
            let what = "holds more than 64 MiB of distinct words";
            let names = source.names().iter().zip(&self.tallies);
            let most = names.max_by_key(|(_, tally)| tally.words.iter().map(String::len).sum::<usize>());
            let name = most.map_or("", |(name, _)| name);
            return Err(source
                .origin()
                .refuse_row(place.number, what)
                .advise(format!("leave out columns of free text: --drop '{}'", shown(name))));
        }
        Ok(())
    }

    /// Refuses columns with more distinct words than a network can take.
    fn refuse_words(&self, source: &dyn RowSource, roles: &[Role]) -> Result<()> {
        for ((name, tally), &role) in source.names().iter().zip(&self.tallies).zip(roles) {
            let Some(place) = tally.overflow.filter(|_| tally.row_numbers(name, role).is_none()) else {
                continue;
            };
            let most = grouped(most_words(role) as u64);
            let what = format!("has a text column with more than {most} distinct words");
            return Err(refuse_column(source, place, name, &what, tally, role));
        }
        Ok(())
    }
}

fn refuse_column(
    source: &dyn RowSource,
    place: RowPlace,
    name: &str,
    what: &str,
    tally: &Tally,
    role: Role,
) -> Error {
    let advice = match (&tally.first_word, role) {
        (Some((row, word)), _) if tally.numbers > 0 => {
            format!("fix `{}` in {} {row} if the column is numeric", shown(word), source.origin().unit)
        }
        (_, Role::Label) => "choose the column to predict with --label NAME".into(),
        _ => format!("leave the column out: --drop '{}'", shown(name)),
    };
    source.origin().refuse_cell(place.number, name, what).advise(advice)
}
