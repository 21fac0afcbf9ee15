//! What the columns of a table hold, seen in one pass over its rows.

use super::cell::Cell;
use super::{Place, Source, shown};
use crate::classes::{MAX_WHOLE_CLASSES, whole};
use crate::found::Missing;
use crate::offsets::Spread;
use crate::text::grouped;
use crate::{Error, Result};
use std::collections::{BTreeSet, HashSet};

/// Most different words of a category.
const MAX_LEVELS: usize = 1_000;
/// Most different words, or whole numbers and words, of a label.
const MAX_CLASSES: usize = 10_000;
/// Most memory that the words of all columns may take.
const MAX_WORDS: usize = 64 << 20;

/// What a column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Feature,
    Label,
    Ignored,
}

/// What one column holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) numbers: u64,
    pub(super) missing: u64,
    first_missing: u64,
    pub(super) first_word: Option<(u64, String)>,
    pub(super) spread: Spread,
    words: HashSet<String>,
    wholes: Wholes,
    keep_numbers: bool,
}

/// The different numbers of a label, while they are whole and few.
#[derive(Clone, Debug)]
enum Wholes {
    Few(BTreeSet<i64>),
    Other,
}

impl Default for Wholes {
    fn default() -> Self {
        Self::Few(BTreeSet::new())
    }
}

/// What all columns hold.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) tallies: Vec<Tally>,
    pub(super) rows: u64,
    /// Rows left out because they lack a cell.
    pub(super) dropped: u64,
    words: usize,
}

/// Shows every row that is not left out: under [`Missing::Drop`], one lacking a cell that is made use of is.
/// Returns how many were left out.
pub(super) fn pass_kept(
    source: &dyn Source,
    roles: &[Role],
    missing: Missing,
    visit: &mut super::Visit,
) -> Result<u64> {
    let mut dropped = 0_u64;
    source.pass(&mut |place, cells| {
        let lacks = |(cell, role): (&Cell, &Role)| *cell == Cell::Missing && *role != Role::Ignored;
        if missing == Missing::Drop && cells.iter().zip(roles).any(lacks) {
            dropped = dropped.saturating_add(1);
            return Ok(());
        }
        visit(place, cells)
    })?;
    Ok(dropped)
}

impl Survey {
    /// Goes through the rows; once more where a column holds numbers and words, whose numbers are words then.
    pub(super) fn take(source: &dyn Source, roles: &[Role], missing: Missing) -> Result<Self> {
        let keep: Vec<bool> = roles.iter().map(|role| *role == Role::Label).collect();
        let survey = Self::pass(source, roles, missing, &keep)?;
        let mixed = |tally: &Tally| tally.numbers > 0 && tally.first_word.is_some();
        if !survey.tallies.iter().zip(&keep).any(|(tally, keep)| mixed(tally) && !keep) {
            return Ok(survey);
        }
        let keep: Vec<bool> =
            survey.tallies.iter().zip(keep).map(|(tally, keep)| keep || mixed(tally)).collect();
        Self::pass(source, roles, missing, &keep)
    }

    fn pass(source: &dyn Source, roles: &[Role], missing: Missing, keep_numbers: &[bool]) -> Result<Self> {
        let tallies = keep_numbers.iter().map(|&keep_numbers| Tally { keep_numbers, ..Tally::default() });
        let mut survey = Self { tallies: tallies.collect(), rows: 0, dropped: 0, words: 0 };
        let dropped =
            pass_kept(source, roles, missing, &mut |place, cells| survey.see(source, roles, place, cells))?;
        survey.dropped = dropped;
        Ok(survey)
    }

    fn see(&mut self, source: &dyn Source, roles: &[Role], place: Place, cells: &[Cell]) -> Result<()> {
        self.rows = self.rows.saturating_add(1);
        for (at, ((tally, &role), &cell)) in self.tallies.iter_mut().zip(roles).zip(cells).enumerate() {
            let words = tally.see(role, place, cell).map_err(|what| {
                let name = source.names().get(at).map_or("", String::as_str);
                refuse_column(source, place, name, &what, tally, role)
            })?;
            self.words = self.words.saturating_add(words);
        }
        if self.words > MAX_WORDS {
            let what = "holds more than 64 MiB of different words";
            return Err(source
                .origin()
                .refuse_row(place.number, what)
                .advise("leave columns of free text out"));
        }
        Ok(())
    }
}

fn refuse_column(
    source: &dyn Source,
    place: Place,
    name: &str,
    what: &str,
    tally: &Tally,
    role: Role,
) -> Error {
    let advice = match (&tally.first_word, role) {
        (Some((row, word)), _) if tally.numbers > 0 => {
            format!(
                "mend `{}` in {} {row} if the column is one of numbers",
                shown(word),
                source.origin().unit
            )
        }
        (_, Role::Label) => "choose the column to be told with --label NAME".into(),
        _ => "leave the column out, or write it as numbers".into(),
    };
    source.origin().refuse_cell(place.number, name, what).advise(advice)
}

impl Tally {
    /// Counts a cell; returns the bytes of a word that is new.
    fn see(&mut self, role: Role, place: Place, cell: Cell) -> std::result::Result<usize, String> {
        if role == Role::Ignored {
            return Ok(0);
        }
        if cell == Cell::Missing {
            self.first_missing = if self.missing == 0 { place.number } else { self.first_missing };
            self.missing = self.missing.saturating_add(1);
            return Ok(0);
        }
        let number = cell.number();
        if let Some(number) = number {
            self.see_number(number)?;
        } else if self.first_word.is_none() {
            self.first_word = cell.word().map(|word| (place.number, word.into_owned()));
        }
        if number.is_some() && !self.keep_numbers || self.full() {
            return Ok(0);
        }
        self.see_word(role, cell)
    }

    fn see_number(&mut self, number: f64) -> std::result::Result<(), String> {
        if number.is_nan() || number.is_infinite() {
            return Err(format!("holds {number}, with which nothing can be learnt"));
        }
        self.numbers = self.numbers.saturating_add(1);
        self.spread.see(number);
        if let (true, Wholes::Few(few)) = (self.keep_numbers, &mut self.wholes) {
            let inserted = whole(number).map(|whole| few.insert(whole));
            if inserted.is_none() || few.len() > MAX_WHOLE_CLASSES {
                self.wholes = Wholes::Other;
            }
        }
        Ok(())
    }

    /// Whether this is a column of so many numbers that its words need not be kept any longer.
    fn full(&self) -> bool {
        self.first_word.is_none() && self.words.len() > MAX_CLASSES
    }

    fn see_word(&mut self, role: Role, cell: Cell) -> std::result::Result<usize, String> {
        let Some(word) = cell.word().filter(|word| !self.words.contains(word.as_ref())) else { return Ok(0) };
        let bytes = word.len();
        self.words.insert(word.into_owned());
        let most = if role == Role::Label { MAX_CLASSES } else { MAX_LEVELS };
        if self.words.len() > most && self.first_word.is_some() {
            return Err(format!(
                "has a column of words with more than {} different ones",
                grouped(most as u64)
            ));
        }
        Ok(bytes)
    }

    /// Whether any word was seen that is not a number.
    pub(super) fn holds_words(&self) -> bool {
        self.first_word.is_some()
    }

    /// The different words, sorted.
    pub(super) fn levels(&self) -> Vec<String> {
        let mut levels: Vec<String> = self.words.iter().cloned().collect();
        levels.sort_unstable();
        levels
    }

    /// The classes this column tells apart: its words, or few whole numbers in order; none if it holds other numbers.
    pub(super) fn classes(&self) -> Option<Vec<String>> {
        match &self.wholes {
            _ if self.holds_words() => Some(self.levels()),
            Wholes::Few(few) => Some(few.iter().map(ToString::to_string).collect()),
            Wholes::Other => None,
        }
    }

    /// The first row without this cell.
    pub(super) fn first_missing(&self) -> u64 {
        self.first_missing
    }
}
