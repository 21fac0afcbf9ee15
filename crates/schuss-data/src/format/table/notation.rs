//! Notations of numbers in a column: separators, signs and units, dates, times, and booleans.

use super::date::{DAY, DateOrder, Moment, duration};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Digit group separators, besides `,` with a decimal point and `.` with a decimal comma: spaces, no-break spaces, and
/// the apostrophes used in Switzerland.
const GROUPING: [char; 6] = [' ', '\u{a0}', '\u{202f}', '\u{2009}', '\'', '\u{2019}'];
/// Currency symbols and codes before or after an amount.
const CURRENCIES: [&str; 26] = [
    "US$", "R$", "$", "€", "£", "¥", "₹", "₽", "₩", "₺", "¢", "USD", "EUR", "GBP", "JPY", "CHF", "CNY",
    "INR", "SEK", "NOK", "DKK", "PLN", "CAD", "AUD", "Fr.", "kr",
];
const TRUTHS: [(&str, &str); 5] = [("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"), ("off", "on")];

/// Notation of the numbers in a column that does not hold plain numbers only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notation {
    /// Numbers with a decimal point: `1,234.5`, `$ 12`, `(3.50)`, `12 %` (0.12), `1e-3`.
    Point,
    /// Numbers with a decimal comma: `1.234,5`, `12,75 €`, `3,5 %`.
    Comma,
    /// Dates, as days since 1970-01-01; with times of day, as seconds since then.
    Date {
        /// Order of day and month in dates that do not start with the year.
        order: DateOrder,
        /// True if they have times of day.
        timed: bool,
    },
    /// Times of day and durations, as seconds.
    Time,
    /// Booleans, as 1 or 0: true or false, yes or no, t or f, y or n, on or off.
    Truth,
}

impl Notation {
    /// Parses a cell in this notation.
    pub(crate) fn read(self, text: &str) -> Option<f64> {
        let text = text.trim();
        match self {
            Self::Point => number(text, '.'),
            Self::Comma => number(text, ','),
            Self::Date { order, timed: true } => Moment::parse(text, order).map(Moment::seconds),
            Self::Date { order, timed: false } => {
                Moment::parse(text, order).map(|moment| moment.seconds() / DAY)
            }
            Self::Time => duration(text),
            Self::Truth => truth(text).map(|(_, truth)| f64::from(u8::from(truth))),
        }
    }

    /// Returns its name in notes, in the plural.
    pub(crate) fn called(self) -> &'static str {
        match self {
            Self::Point => "numbers with signs or separators",
            Self::Comma => "numbers with a decimal comma",
            Self::Date { timed: false, .. } => "dates, as days since 1970-01-01",
            Self::Date { timed: true, .. } => "dates with times, as seconds since 1970-01-01",
            Self::Time => "times, as seconds",
            Self::Truth => "booleans, as 0 and 1",
        }
    }
}

/// Returns true if a cell is a number, a date or a time in any notation.
pub(crate) fn is_value(text: &str) -> bool {
    let text = text.trim();
    if !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let date = |order| Notation::Date { order, timed: true };
    let notations = [
        Notation::Point,
        Notation::Comma,
        date(DateOrder::DayFirst),
        date(DateOrder::MonthFirst),
        Notation::Time,
    ];
    text.parse::<f64>().is_ok() || notations.iter().any(|notation| notation.read(text).is_some())
}

/// Returns the index of a boolean's word pair, and its value.
pub(crate) fn truth(text: &str) -> Option<(usize, bool)> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    let pair = TRUTHS.iter().position(|(no, yes)| is(no) || is(yes))?;
    Some((pair, TRUTHS.get(pair).is_some_and(|(_, yes)| is(yes))))
}

/// Parses a number with any sign, currency, percent sign or parentheses around it.
fn number(text: &str, decimal: char) -> Option<f64> {
    let accounted = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
    let (text, negative) = accounted.map_or((text, false), |text| (text.trim(), true));
    let (text, before) = strip_sign(strip_currency(text));
    let text = strip_currency(text);
    let (text, divisor) = match text.strip_suffix(['%', '٪']).or_else(|| text.strip_prefix('%')) {
        Some(share) => (share.trim(), 100.0),
        None => (text, 1.0),
    };
    let (text, after) = text.strip_suffix('-').map_or((text, false), |text| (text, true));
    if [negative, before == Some(true), after].into_iter().filter(|minus| *minus).count() > 1 {
        return None;
    }
    let size: f64 = plain(text, decimal)?.parse().ok()?;
    let sign = if negative || before == Some(true) || after { -1.0 } else { 1.0 };
    Some(sign * size / divisor)
}

/// Strips a sign; returns the rest, and true if the sign was a minus.
fn strip_sign(text: &str) -> (&str, Option<bool>) {
    let minus = text.strip_prefix(['-', '\u{2212}']).map(|text| (text, Some(true)));
    let signed = minus.or_else(|| text.strip_prefix('+').map(|text| (text, Some(false))));
    signed.map_or((text, None), |(text, minus)| (text.trim_start(), minus))
}

fn strip_currency(text: &str) -> &str {
    let stripped = CURRENCIES.iter().find_map(|sign| {
        let ahead = text.get(..sign.len()).filter(|start| start.eq_ignore_ascii_case(sign));
        let behind = text.len().checked_sub(sign.len()).and_then(|start| text.get(start..));
        match (ahead, behind) {
            (Some(_), _) => text.get(sign.len()..),
            (None, Some(end)) if end.eq_ignore_ascii_case(sign) => {
                text.get(..text.len().saturating_sub(sign.len()))
            }
            _ => None,
        }
    });
    stripped.map_or(text, str::trim)
}

/// Returns an unsigned number in a form that Rust parses: without group separators, with a decimal point.
fn plain(text: &str, decimal: char) -> Option<Cow<'_, str>> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    if !exponent.is_empty() && exponent.get(1..)?.parse::<i16>().is_err() {
        return None;
    }
    let (whole, fraction) =
        mantissa.split_once(decimal).map_or((mantissa, None), |(whole, fraction)| (whole, Some(fraction)));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !fraction.is_none_or(is_digits) {
        return None;
    }
    let whole =
        if whole.is_empty() && fraction.is_some() { Cow::Borrowed("0") } else { ungrouped(whole, decimal)? };
    Some(match fraction {
        None if exponent.is_empty() => whole,
        _ => format!("{whole}.{}{exponent}", fraction.unwrap_or("0")).into(),
    })
}

/// Removes group separators from digits: `1,234,567`, `12 345`; also groups of two as in India, `1,23,456`.
fn ungrouped(text: &str, decimal: char) -> Option<Cow<'_, str>> {
    let Some(separator) = text.chars().find(|letter| !letter.is_ascii_digit()) else {
        return (!text.is_empty()).then_some(Cow::Borrowed(text));
    };
    let other = if decimal == '.' { ',' } else { '.' };
    let mut groups = text.split(separator);
    let first = groups.next()?;
    let groups: Vec<&str> = groups.collect();
    let is_digits = |group: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&group.len()) && group.bytes().all(|byte| byte.is_ascii_digit())
    };
    let shortest = if separator == ',' { 2 } else { 3 };
    let (last, middle) = groups.split_last()?;
    let is_grouped = (separator == other || GROUPING.contains(&separator))
        && is_digits(first, 1..=3)
        && !first.starts_with('0')
        && middle.iter().all(|group| is_digits(group, shortest..=3))
        && is_digits(last, 3..=3);
    is_grouped.then(|| Cow::Owned(text.replace(separator, "")))
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_with_either_decimal_sign_and_all_that_stands_around_them() {
        let point = [
            ("1,234.5", 1_234.5),
            ("1,234,567", 1_234_567.0),
            ("12,34,567.5", 1_234_567.5),
            ("1 234.5", 1_234.5),
            ("1\u{a0}234", 1_234.0),
            ("1\u{202f}234", 1_234.0),
            ("1'234.50", 1_234.5),
            ("$1,234.50", 1_234.5),
            ("-$5", -5.0),
            ("$-5", -5.0),
            ("US$ 7", 7.0),
            ("12 USD", 12.0),
            ("£3.5", 3.5),
            ("(1,234.00)", -1_234.0),
            ("($12)", -12.0),
            ("12.5-", -12.5),
            ("\u{2212}3", -3.0),
            ("12 %", 0.12),
            ("12.5%", 0.125),
            (".5", 0.5),
            ("1.5e-3", 0.0015),
            ("+7", 7.0),
        ];
        let comma = [
            ("12,75", 12.75),
            ("1.234,5", 1_234.5),
            ("1.234.567", 1_234_567.0),
            ("1 234,5", 1_234.5),
            ("1\u{202f}234,5", 1_234.5),
            ("1'234,5", 1_234.5),
            ("12,75 €", 12.75),
            ("€12,75", 12.75),
            ("-3,5", -3.5),
            ("3,5 %", 0.035),
            ("7", 7.0),
            (",5", 0.5),
            ("1,5E3", 1_500.0),
        ];
        for (notation, cases) in [(Notation::Point, &point[..]), (Notation::Comma, &comma[..])] {
            for (text, expected) in cases {
                assert_eq!(notation.read(text), Some(*expected), "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_number_is_not_made_one() {
        let neither = [
            "", "-", "$", "%", "1-2", "12a", "1,,2", "1.2.3", "()", "(-5)", "--5", "e5", "1e", "é", "nan",
            "inf",
        ];
        for text in neither {
            for notation in [Notation::Point, Notation::Comma] {
                assert_eq!(notation.read(text), None, "{text}");
            }
        }
        for text in ["1,23", "0,123", "1,", "12,75", "1234,567"] {
            assert_eq!(Notation::Point.read(text), None, "{text}");
        }
        for text in ["12.5", "0.123", "1.23", "1,2,3"] {
            assert_eq!(Notation::Comma.read(text), None, "{text}");
        }
    }

    #[test]
    fn dates_times_and_truths_are_numbers() {
        let date = |timed| Notation::Date { order: DateOrder::DayFirst, timed };
        assert_eq!(date(false).read("01.03.2024"), Some(19_783.0));
        assert_eq!(date(true).read("01.03.2024"), Some(19_783.0 * 86_400.0));
        assert_eq!(date(false).read("01.03.2024 12:00"), Some(19_783.5));
        assert_eq!(Notation::Time.read("0:01:30"), Some(90.0));
        for (text, expected) in [("TRUE", Some(1.0)), ("no", Some(0.0)), ("T", Some(1.0)), ("maybe", None)] {
            assert_eq!(Notation::Truth.read(text), expected, "{text}");
        }
    }

    #[test]
    fn a_notation_is_written_down_as_words() {
        let written =
            serde_json::to_string(&Notation::Date { order: DateOrder::MonthFirst, timed: false }).unwrap();
        assert_eq!(written, r#"{"date":{"order":"month-first","timed":false}}"#);
        assert_eq!(serde_json::to_string(&Notation::Comma).unwrap(), r#""comma""#);
    }
}
