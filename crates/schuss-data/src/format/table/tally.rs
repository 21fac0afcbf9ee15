//! Tally of one table column, cell by cell.

use super::cell::Cell;
use super::evidence::{Decision, Evidence, Hints, nearly_all};
use super::row_numbers::Counting;
use super::{Notation, RowPlace};
use crate::Result;
use crate::classes::{self, MAX_CLASSES};
use crate::offsets::Spread;
use crate::reader::LabelKind;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Maximum levels of a category.
const MAX_LEVELS: usize = 1_000;
/// Number of distinct numbers above which a column with only a few other cells is numeric.
const MANY_NUMBERS: usize = 30;
/// Role of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Feature,
    Label,
    Ignored,
}

/// Contents of one column.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) numbers: u64,
    pub(super) missing: u64,
    first_missing: u64,
    pub(super) first_word: Option<(u64, String)>,
    pub(super) spread: Spread,
    pub(super) words: HashSet<String>,
    wholes: Wholes,
    /// True if a number looks like a code: it has a leading zero, or more digits than a float keeps.
    is_code: bool,
    keep_numbers: bool,
    pub(super) evidence: Evidence,
    /// Notation of the column, once it is known.
    pub(super) decision: Option<Decision>,
    /// Example of a cell in that notation, and its number.
    pub(super) example: Option<(String, f64)>,
    /// Cells not in that notation, with counts.
    pub(super) strays: BTreeMap<String, u64>,
    pub(super) counting: Counting,
    /// First row with too many distinct words, if any.
    pub(super) overflow: Option<RowPlace>,
    /// Plain numbers with a point, and those whose points can separate thousands.
    points: u64,
    thousands: u64,
}

/// Distinct numbers of a label, as long as they are few and whole.
#[derive(Clone, Debug)]
enum Wholes {
    Few(BTreeSet<i128>),
    Other,
}

impl Default for Wholes {
    fn default() -> Self {
        Self::Few(BTreeSet::new())
    }
}

/// Treatment of a column in a pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) role: Role,
    pub(super) keep_numbers: bool,
    pub(super) decision: Option<Decision>,
    /// True if it is one of several labels.
    pub(super) is_one_of_several: bool,
    /// True if points in plain numbers may separate thousands.
    pub(super) watch_points: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            role: Role::Feature,
            keep_numbers: false,
            decision: None,
            is_one_of_several: false,
            watch_points: false,
        }
    }
}

impl Plan {
    pub(super) fn as_use(&self) -> Use {
        Use { role: self.role, notation: self.decision.map(|decision| decision.notation) }
    }
}

/// Role and notation of a column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use {
    pub(super) role: Role,
    pub(super) notation: Option<Notation>,
}

/// Returns the maximum number of distinct words in a column.
pub(super) fn most_words(role: Role) -> usize {
    if role == Role::Label { MAX_CLASSES } else { MAX_LEVELS }
}

impl Tally {
    pub(super) fn new(name: &str, plan: &Plan) -> Self {
        let (keep_numbers, decision) = (plan.keep_numbers, plan.decision);
        Self { keep_numbers, decision, counting: Counting::of(name), ..Self::default() }
    }

    /// Returns the plan for the column in the next pass.
    pub(super) fn plan(&self, plan: Plan, hints: Hints) -> Plan {
        if plan.role == Role::Ignored || plan.decision.is_some() {
            return plan;
        }
        let watch_points = hints.comma_elsewhere && self.first_word.is_none();
        let thousands = plan.watch_points && self.points > 0 && self.points == self.thousands;
        let decision = match thousands {
            true => Some(Decision { notation: Notation::Comma, doubt: Some("--decimal point") }),
            false => self.evidence.decide(self.numbers, hints).or_else(|| self.nearly_numbers(plan)),
        };
        // A boolean label is one of two classes.
        let is_class = |decision: &Decision| {
            plan.role == Role::Label && !plan.is_one_of_several && decision.notation == Notation::Truth
        };
        let decision = decision.filter(|decision| !is_class(decision));
        let is_mixed = self.numbers > 0 && (self.first_word.is_some() || self.is_code) && decision.is_none();
        Plan { keep_numbers: plan.keep_numbers || is_mixed, decision, watch_points, ..plan }
    }

    /// Decides for plain numbers despite a few other cells, if there are too many distinct numbers for words.
    fn nearly_numbers(&self, plan: Plan) -> Option<Decision> {
        let all = self.evidence.cells().saturating_add(self.numbers);
        let is_so = plan.keep_numbers
            && self.evidence.cells() > 0
            && nearly_all(self.numbers, all)
            && (self.overflow.is_some() || self.words.len() > MANY_NUMBERS)
            && !(plan.role == Role::Label && matches!(self.wholes, Wholes::Few(_)));
        is_so.then_some(Decision { notation: Notation::Point, doubt: None })
    }

    /// Counts a cell; returns the length in bytes of a new word, else 0.
    pub(super) fn see(
        &mut self,
        plan: &Plan,
        place: RowPlace,
        cell: Cell,
    ) -> std::result::Result<usize, String> {
        if plan.role == Role::Ignored {
            return Ok(0);
        }
        let read = cell.read_as(self.decision.map(|decision| decision.notation));
        if self.decision.is_some() {
            self.see_written(cell, read);
        }
        if read.is_missing() {
            self.first_missing = if self.missing == 0 { place.number } else { self.first_missing };
            self.missing = self.missing.saturating_add(1);
            return Ok(0);
        }
        let number = read.number();
        if let Some(number) = number {
            self.see_number(read, number)?;
            if plan.watch_points {
                self.see_points(cell);
            }
        } else {
            self.see_text(place, read);
        }
        if number.is_some() && !self.keep_numbers || self.full() {
            return Ok(0);
        }
        Ok(self.see_word(plan.role, place, read))
    }

    /// Records an example in the column's notation, and the cells not in it.
    fn see_written(&mut self, cell: Cell, read: Cell) {
        /// Maximum distinct cells that are kept.
        const KEPT: usize = 1_000;
        let (Cell::Typed(text) | Cell::Word(text)) = cell else { return };
        match read {
            Cell::Number(number) if self.example.is_none() && text.parse() != Ok(number) => {
                self.example = Some((text.to_owned(), number));
            }
            Cell::Missing(_) if self.strays.len() < KEPT || self.strays.contains_key(text) => {
                let count = self.strays.entry(text.to_owned()).or_default();
                *count = count.saturating_add(1);
            }
            _ => {}
        }
    }

    fn see_text(&mut self, place: RowPlace, cell: Cell) {
        let (Cell::Typed(text) | Cell::Word(text)) = cell else { return };
        self.evidence.see(text);
        if self.first_word.is_none() {
            self.first_word = Some((place.number, text.to_owned()));
        }
    }

    fn see_points(&mut self, cell: Cell) {
        let Cell::Typed(text) = cell else { return };
        let has_point = text.contains('.');
        self.points = self.points.saturating_add(u64::from(has_point));
        let is_grouped = has_point && Notation::Comma.read(text).is_some();
        self.thousands = self.thousands.saturating_add(u64::from(is_grouped));
    }

    fn see_number(&mut self, cell: Cell, number: f64) -> std::result::Result<(), String> {
        if number.is_nan() || number.is_infinite() {
            return Err(format!("holds {number}, which is not finite"));
        }
        self.numbers = self.numbers.saturating_add(1);
        self.spread.see(number);
        self.counting.see(number);
        self.is_code |= cell.is_code();
        if let (true, Wholes::Few(few)) = (self.keep_numbers, &mut self.wholes) {
            let inserted = cell.whole().map(|whole| few.insert(whole));
            if inserted.is_none() || few.len() > MAX_CLASSES {
                self.wholes = Wholes::Other;
            }
        }
        Ok(())
    }

    /// Returns true if the column has so many numbers that its words need not be kept any longer.
    fn full(&self) -> bool {
        self.first_word.is_none() && self.words.len() > MAX_CLASSES
    }

    /// Keeps a word unless there are too many; returns its length in bytes if it is new, else 0.
    fn see_word(&mut self, role: Role, place: RowPlace, cell: Cell) -> usize {
        let Some(word) = cell.word().filter(|word| !self.words.contains(word.as_ref())) else {
            self.counting.repeated |= cell.number().is_none();
            return 0;
        };
        if self.words.len() >= most_words(role)
            && (self.first_word.is_some() || self.words.len() > MAX_CLASSES)
        {
            self.overflow = self.overflow.or(self.first_word.is_some().then_some(place));
            return 0;
        }
        let bytes = word.len();
        self.words.insert(word.into_owned());
        bytes
    }

    /// Returns a description of a feature column that numbers or names the rows.
    pub(super) fn row_numbers(&self, name: &str, role: Role) -> Option<&'static str> {
        if role != Role::Feature || self.missing > 0 {
            return None;
        }
        self.counting.says(name, self.first_word.is_some(), self.words.len() as u64)
    }

    /// Returns the number of distinct words if nearly every row has a different one.
    pub(super) fn own_words(&self) -> Option<u64> {
        /// Minimum rows for this to mean anything.
        const FEWEST: u64 = 12;
        let (all, different) = (self.evidence.cells(), self.words.len() as u64);
        (self.holds_words() && self.numbers == 0 && all >= FEWEST && nearly_all(different, all))
            .then_some(different)
    }

    /// Returns true if any word was seen that is not a number.
    pub(super) fn holds_words(&self) -> bool {
        self.first_word.is_some()
    }

    /// Returns true if the column is read as words: it holds some, or codes that are not too many distinct ones.
    pub(super) fn is_of_words(&self) -> bool {
        self.holds_words() || self.is_of_codes()
    }

    /// Returns true if it holds no words, but codes that are read as words.
    pub(super) fn is_of_codes(&self) -> bool {
        self.holds_codes() && self.words.len() <= MAX_LEVELS
    }

    /// Returns true if it holds too many distinct codes to read them as words.
    pub(super) fn has_many_codes(&self) -> bool {
        self.holds_codes() && self.words.len() > MAX_LEVELS
    }

    fn holds_codes(&self) -> bool {
        self.is_code && self.decision.is_none() && !self.holds_words()
    }

    /// Returns true if it has more than two numbers, all distinct.
    pub(super) fn is_unique(&self) -> bool {
        self.numbers > 2 && self.words.len() as u64 == self.numbers
    }

    /// Returns the distinct words, sorted.
    pub(super) fn levels(&self) -> Vec<String> {
        let mut levels: Vec<String> = self.words.iter().cloned().collect();
        levels.sort_unstable();
        levels
    }

    /// Returns the classes of a label over `rows` rows: its words, or whole numbers in order; none if it is numeric.
    ///
    /// # Errors
    /// If classes are requested, but there are too many.
    pub(super) fn classes(&self, kind: LabelKind, rows: u64) -> Result<Option<Vec<String>>> {
        let names = |wholes: &BTreeSet<i128>| Some(wholes.iter().map(ToString::to_string).collect());
        let is_code = self.holds_codes() && self.words.len() <= MAX_CLASSES;
        match (kind, &self.wholes) {
            (LabelKind::Class, _) if self.words.len() > MAX_CLASSES => Err(classes::too_many()),
            (LabelKind::Class, Wholes::Other) => Ok(Some(self.sorted_numbers())),
            _ if self.is_moment() => Ok(None),
            _ if self.holds_words() => Ok(Some(self.sorted())),
            (LabelKind::Guess | LabelKind::Class, _) if is_code => Ok(Some(self.sorted())),
            (LabelKind::Class, Wholes::Few(wholes)) => Ok(names(wholes)),
            (LabelKind::Guess, Wholes::Few(wholes)) if classes::are_classes(wholes, rows) => {
                Ok(names(wholes))
            }
            _ => Ok(None),
        }
    }

    /// Returns the words of a label, with numbers among them sorted by value.
    fn sorted(&self) -> Vec<String> {
        let mut names = self.levels();
        classes::sort_names(&mut names);
        names
    }

    /// Returns the words of a numeric label, each in canonical form: `1` for `1.0`.
    fn sorted_numbers(&self) -> Vec<String> {
        let plain = |word: &String| match word.parse::<f64>() {
            Ok(number) if !self.holds_codes() => number.to_string(),
            _ => word.clone(),
        };
        let mut names: Vec<String> = self.words.iter().map(plain).collect();
        classes::sort_names(&mut names);
        names.dedup();
        names
    }

    /// Returns true if it holds only whole numbers, so that classes or not is a guess.
    pub(super) fn is_guessed(&self) -> bool {
        !self.holds_words()
            && !self.holds_codes()
            && self.decision.is_none()
            && matches!(self.wholes, Wholes::Few(_))
    }

    /// Returns true if the column holds dates or times.
    fn is_moment(&self) -> bool {
        let notation = self.decision.map(|decision| decision.notation);
        matches!(notation, Some(Notation::Date { .. } | Notation::Time))
    }

    /// Returns the first row in which the cell is missing.
    pub(super) fn first_missing(&self) -> u64 {
        self.first_missing
    }
}
