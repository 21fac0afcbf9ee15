//! Evidence for the notation of a column, from its cells that are not plain numbers.

use super::date::{DateOrder, Moment, duration};
use super::notation::{Notation, truth};
use crate::format::csv::{Decimal, Form};

/// Pairs of letters for true and false, which may have other meanings: these count only if both occur.
const LETTERS: [usize; 2] = [2, 3];

/// Counts of cells that are not plain numbers, by the notations that can read them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    cells: u64,
    point: u64,
    comma: u64,
    day_first: u64,
    month_first: u64,
    /// Dates that differ between day-first and month-first order.
    ambiguous: u64,
    timed: u64,
    time: u64,
    /// False and true cells for each pair of words.
    truths: [[u64; 2]; 5],
}

/// Information from outside a column's own cells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hints {
    pub(super) decimal: Option<Decimal>,
    pub(super) dates: Option<DateOrder>,
    /// True if another column has numbers with a decimal comma.
    pub(super) comma_elsewhere: bool,
}

/// Notation chosen for a column, and the flag for any other that fits as well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Decision {
    pub(super) notation: Notation,
    /// Flag that selects another reading of the same cells.
    pub(super) doubt: Option<&'static str>,
}

/// Returns true if `some` is at least 90 % of `all`.
pub(super) fn nearly_all(some: u64, all: u64) -> bool {
    some > 0 && some.saturating_mul(10) >= all.saturating_mul(9)
}

impl Hints {
    pub(super) fn of(form: &Form) -> Self {
        Self { decimal: form.decimal, dates: form.dates, comma_elsewhere: false }
    }
}

impl Evidence {
    /// Returns the number of cells that are not plain numbers.
    pub(super) fn cells(&self) -> u64 {
        self.cells
    }

    /// Counts a cell that is not a plain number.
    pub(super) fn see(&mut self, text: &str) {
        let add = |count: &mut u64, is: bool| *count = count.saturating_add(u64::from(is));
        add(&mut self.cells, true);
        if let Some((pair, is_true)) = truth(text) {
            self.truths
                .get_mut(pair)
                .and_then(|pair| pair.get_mut(usize::from(is_true)))
                .into_iter()
                .for_each(|count| add(count, true));
        }
        if !text.bytes().any(|byte| byte.is_ascii_digit()) {
            return;
        }
        add(&mut self.point, Notation::Point.read(text).is_some());
        add(&mut self.comma, Notation::Comma.read(text).is_some());
        let [day_first, month_first] =
            [DateOrder::DayFirst, DateOrder::MonthFirst].map(|order| Moment::parse(text, order));
        add(&mut self.day_first, day_first.is_some());
        add(&mut self.month_first, month_first.is_some());
        add(&mut self.ambiguous, day_first.is_some() && month_first.is_some() && day_first != month_first);
        add(&mut self.timed, day_first.or(month_first).is_some_and(|moment| moment.seconds.is_some()));
        add(&mut self.time, duration(text).is_some());
    }

    /// Returns true if the column needs a decimal comma, given its count of plain `numbers`.
    pub(super) fn needs_comma(&self, numbers: u64) -> bool {
        self.comma > self.point
            && nearly_all(self.comma.saturating_add(numbers), self.cells.saturating_add(numbers))
    }

    /// Returns the notation that reads nearly all of the column, given its count of plain `numbers`.
    pub(super) fn decide(&self, numbers: u64, hints: Hints) -> Option<Decision> {
        let all = self.cells.saturating_add(numbers);
        let sure = |notation| Decision { notation, doubt: None };
        if numbers == 0 && self.is_truth() {
            return Some(sure(Notation::Truth));
        }
        if nearly_all(self.time, all) {
            return Some(sure(Notation::Time));
        }
        if nearly_all(self.day_first.max(self.month_first), all) {
            return Some(self.date(hints));
        }
        let reads = |cells: u64| cells > 0 && nearly_all(cells.saturating_add(numbers), all);
        match hints.decimal {
            Some(Decimal::Point) => reads(self.point).then(|| sure(Notation::Point)),
            Some(Decimal::Comma) => reads(self.comma).then(|| sure(Notation::Comma)),
            None if reads(self.point)
                && self.point >= self.comma.saturating_add(u64::from(hints.comma_elsewhere)) =>
            {
                let doubt =
                    (self.point == self.comma && self.comma > 0 && numbers == 0).then_some("--decimal comma");
                Some(Decision { notation: Notation::Point, doubt })
            }
            None => reads(self.comma).then(|| sure(Notation::Comma)),
        }
    }

    fn date(&self, hints: Hints) -> Decision {
        let is_open = self.day_first == self.month_first;
        let order = match hints.dates {
            Some(order) => order,
            None if self.month_first > self.day_first => DateOrder::MonthFirst,
            None => DateOrder::DayFirst,
        };
        let doubt = (is_open && self.ambiguous > 0 && hints.dates.is_none()).then_some("--dates month-first");
        Decision { notation: Notation::Date { order, timed: self.timed > 0 }, doubt }
    }

    /// Returns true if all cells are from one pair of words for true and false.
    fn is_truth(&self) -> bool {
        self.truths.iter().enumerate().any(|(pair, [no, yes])| {
            let both = *no > 0 && *yes > 0;
            no.saturating_add(*yes) == self.cells && self.cells > 0 && (both || !LETTERS.contains(&pair))
        })
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn decide(cells: &[&str], hints: Hints) -> Option<Decision> {
        let mut evidence = Evidence::default();
        let plain = |cell: &&&str| cell.parse::<f64>().is_ok();
        cells.iter().filter(|cell| !plain(cell)).for_each(|cell| evidence.see(cell));
        evidence.decide(cells.iter().filter(plain).count() as u64, hints)
    }

    const NONE: Hints = Hints { decimal: None, dates: None, comma_elsewhere: false };

    #[test]
    fn a_column_is_read_in_the_notation_of_nearly_all_its_cells() {
        let date = |order, timed| Notation::Date { order, timed };
        let cases = [
            (&["1,5", "2,25", "3"][..], Notation::Comma),
            (&["1.234,5", "12"], Notation::Comma),
            (&["$5", "7"], Notation::Point),
            (&["1,234", "950"], Notation::Point),
            (&["2024-01-02", "2024-12-31"], date(DateOrder::DayFirst, false)),
            (&["2024-01-02T10:00", "2024-12-31"], date(DateOrder::DayFirst, true)),
            (&["12/31/2024", "1/2/2024"], date(DateOrder::MonthFirst, false)),
            (&["31/12/2024", "1/2/2024"], date(DateOrder::DayFirst, false)),
            (&["10:30", "9:15"], Notation::Time),
            (&["yes", "No", "YES"], Notation::Truth),
            (&["t", "f"], Notation::Truth),
        ];
        for (cells, notation) in cases {
            assert_eq!(decide(cells, NONE), Some(Decision { notation, doubt: None }), "{cells:?}");
        }
        for cells in [
            &["red", "blue"][..],
            &["n"],
            &["yes", "maybe"],
            &["1", "2", "A"],
            &["12", "12a"],
            &["x", "1,5", "y"],
        ] {
            assert_eq!(decide(cells, NONE), None, "{cells:?}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_doubtful_until_it_is_told() {
        let hints = |decimal: Option<&str>, dates: Option<&str>| Hints {
            decimal: decimal.map(|word| word.parse().unwrap()),
            dates: dates.map(|word| word.parse().unwrap()),
            comma_elsewhere: false,
        };
        let dates = &["01/02/2024", "03/04/2024"][..];
        assert_eq!(decide(dates, NONE).unwrap().doubt, Some("--dates month-first"));
        let given = decide(dates, hints(None, Some("month-first"))).unwrap();
        assert_eq!(
            given,
            Decision { notation: Notation::Date { order: DateOrder::MonthFirst, timed: false }, doubt: None }
        );
        let numbers = &["1,234", "5,678"][..];
        assert_eq!(
            decide(numbers, NONE).unwrap(),
            Decision { notation: Notation::Point, doubt: Some("--decimal comma") }
        );
        assert_eq!(decide(numbers, hints(Some("comma"), None)).unwrap().notation, Notation::Comma);
        let elsewhere = Hints { comma_elsewhere: true, ..NONE };
        assert_eq!(decide(numbers, elsewhere), Some(Decision { notation: Notation::Comma, doubt: None }));
    }
}
