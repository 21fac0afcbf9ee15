//! Dates and times of day as numbers: days or seconds since 1970-01-01, in UTC where no offset is given.

use serde::{Deserialize, Serialize};

/// Seconds per day, without leap seconds.
pub(crate) const DAY: f64 = 86_400.0;
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const MONTHS_IN_FULL: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Order of day and month in dates such as `01/02/2024`; it does not affect `2024-02-01`, which starts with the year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DateOrder {
    /// Day before month.
    DayFirst,
    /// Month before day.
    MonthFirst,
}

/// A date, with an optional time of day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moment {
    /// Days since 1970-01-01.
    pub(crate) days: i64,
    /// Seconds since midnight UTC, if a time was given.
    pub(crate) seconds: Option<f64>,
}

impl Moment {
    /// Parses `2024-03-01`, `01.03.2024`, `1 March 2024`, `2024-03-01T12:30:00.5+01:00`, `3/1/24 1:30 PM`.
    pub(crate) fn parse(text: &str, order: DateOrder) -> Option<Self> {
        let Some(colon) = text.find(':') else {
            return Some(Self { days: date(text, order)?, seconds: None });
        };
        let before = text.get(..colon)?;
        let start = before.rfind([' ', 'T', 't'])?;
        let days = date(before.get(..start)?.trim_end_matches([',', ' ']), order)?;
        let seconds = time_of_day(text.get(start.saturating_add(1)..)?)?;
        Some(Self { days, seconds: Some(seconds) })
    }

    /// Returns the seconds since 1970-01-01T00:00:00Z.
    pub(crate) fn seconds(self) -> f64 {
        self.days as f64 * DAY + self.seconds.unwrap_or(0.0)
    }
}

/// Returns the days from 1970-01-01 to a date of the Gregorian calendar; none if there is no such date.
///
/// After Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
pub(crate) fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(0..=9_999).contains(&year) || !(1..=12).contains(&month) || !(1..=length(year, month)).contains(&day)
    {
        return None;
    }
    // Years that begin in March end with the leap day.
    let year = year.checked_sub(i64::from(month <= 2))?;
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month = month.checked_add(9)?.rem_euclid(12);
    let day_of_year = 153_i64.checked_mul(month)?.checked_add(2)?.div_euclid(5).checked_add(day)?;
    let leap_days = year_of_era.div_euclid(4).checked_sub(year_of_era.div_euclid(100))?;
    let day_of_era = year_of_era.checked_mul(365)?.checked_add(leap_days)?.checked_add(day_of_year)?;
    era.checked_mul(146_097)?.checked_add(day_of_era)?.checked_sub(719_469)
}

fn length(year: i64, month: i64) -> i64 {
    let is_leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Parses a date without a time, as days since 1970-01-01.
fn date(text: &str, order: DateOrder) -> Option<i64> {
    if text.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        return date_with_words(text);
    }
    let separator = text.chars().find(|letter| !letter.is_ascii_digit())?;
    if !['-', '/', '.'].contains(&separator) {
        return None;
    }
    let parts: Vec<&str> = text.split(separator).collect();
    match (&parts[..], order) {
        (&[year, month, day], _) if year.len() == 4 => {
            days(whole(year, 4)?, whole(month, 2)?, whole(day, 2)?)
        }
        (&[year, month], _) if year.len() == 4 && separator == '-' => {
            days(whole(year, 4)?, whole(month, 2)?, 1)
        }
        (&[day, month, year], DateOrder::DayFirst) | (&[month, day, year], DateOrder::MonthFirst) => {
            days(self::year(year)?, whole(month, 2)?, whole(day, 2)?)
        }
        _ => None,
    }
}

/// Parses `1 March 2024`, `01-Mar-24`, `Mar 1, 2024`, `Fri, 1 Mar 2024`, `March 2024`.
fn date_with_words(text: &str) -> Option<i64> {
    let parts = text.split([' ', '-', '/', '.', ',']).filter(|part| !part.is_empty());
    let parts: Vec<&str> = parts.skip_while(|part| is_weekday(part)).collect();
    match parts[..] {
        [first, second, third] => match (month(first), month(second)) {
            (Some(month), _) => days(year(third)?, month, whole(second, 2)?),
            (_, Some(month)) if first.len() == 4 => days(whole(first, 4)?, month, whole(third, 2)?),
            (_, Some(month)) => days(year(third)?, month, whole(first, 2)?),
            _ => None,
        },
        [first, second] if second.len() == 4 => days(whole(second, 4)?, month(first)?, 1),
        _ => None,
    }
}

fn is_weekday(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    word.ends_with("day") && WEEKDAYS.iter().any(|day| word.starts_with(day)) || WEEKDAYS.contains(&&*word)
}

fn month(word: &str) -> Option<i64> {
    let word = word.to_ascii_lowercase();
    let of = |names: &[&str]| names.iter().zip(1..).find(|(name, _)| **name == word).map(|(_, month)| month);
    of(&MONTHS).or_else(|| of(&MONTHS_IN_FULL))
}

/// Parses a year of four digits, or of two digits from 1969 to 2068, as POSIX defines.
fn year(text: &str) -> Option<i64> {
    match text.len() {
        4 => whole(text, 4),
        2 => whole(text, 2)?.checked_add(if text < "69" { 2_000 } else { 1_900 }),
        _ => None,
    }
}

/// Parses a whole number of one to `most` digits.
fn whole(text: &str, most: usize) -> Option<i64> {
    let is_whole = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_whole { text.parse().ok() } else { None }
}

/// Parses a time of day as seconds since midnight UTC: `12:30`, `12:30:15.25`, `1:30 PM`, `12:30:00Z`, `12:30+01:00`.
fn time_of_day(text: &str) -> Option<f64> {
    let (clock, zone) = split_zone(text);
    let (clock, half) = split_half(clock);
    let [hours, minutes, seconds] = fields(clock)?;
    let hours = match half {
        None if hours <= 24.0 => hours,
        Some(afternoon) if (1.0..=12.0).contains(&hours) => hours % 12.0 + if afternoon { 12.0 } else { 0.0 },
        _ => return None,
    };
    Some(hours * 3_600.0 + minutes * 60.0 + seconds - zone?)
}

/// Parses a time of day or a duration, in seconds: `12:30`, `-0:05:30`, `100:00:00`, `2 days 03:00:00`, `1:30 PM`.
pub(crate) fn duration(text: &str) -> Option<f64> {
    let (days, clock) = text.split_once(" day").map_or((0.0, text), |(days, rest)| {
        let clock = rest.trim_start_matches('s').trim_start_matches([',', ' ']);
        (days.parse::<i32>().map_or(f64::NAN, f64::from), clock)
    });
    let (sign, clock) = clock.strip_prefix('-').map_or((1.0, clock), |clock| (-1.0, clock));
    let within = match split_half(clock) {
        (_, Some(_)) => time_of_day(clock)?,
        (clock, None) => {
            let [hours, minutes, seconds] = fields(clock.trim_start_matches('+'))?;
            hours * 3_600.0 + minutes * 60.0 + seconds
        }
    };
    Some(days * DAY + sign * within).filter(|seconds| seconds.is_finite())
}

/// Splits a clock time into hours, minutes, and seconds.
fn fields(clock: &str) -> Option<[f64; 3]> {
    let mut parts = clock.trim_ascii().split(':');
    let (hours, minutes) = (parts.next()?, parts.next()?);
    let seconds = parts.next().unwrap_or("0");
    let below_sixty = |number: f64| (0.0..60.0).contains(&number).then_some(number);
    let is_decimal = seconds.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','));
    if parts.next().is_some() || !is_decimal {
        return None;
    }
    let hours = i32::try_from(whole(hours, 6)?).ok()?;
    let minutes = i32::try_from(whole(minutes, 2)?).ok()?;
    let seconds = seconds.replace(',', ".").parse().ok()?;
    Some([f64::from(hours), below_sixty(f64::from(minutes))?, below_sixty(seconds)?])
}

/// Strips `AM` or `PM` from a clock time; returns the rest, and true for `PM`.
fn split_half(clock: &str) -> (&str, Option<bool>) {
    for (ending, afternoon) in [("am", false), ("pm", true), ("a.m.", false), ("p.m.", true)] {
        let start = clock.len().checked_sub(ending.len());
        if let Some((clock, half)) = start.and_then(|start| clock.split_at_checked(start))
            && half.eq_ignore_ascii_case(ending)
        {
            return (clock, Some(afternoon));
        }
    }
    (clock, None)
}

/// Splits a time from its offset from UTC, in seconds; that is none if it cannot be read.
fn split_zone(text: &str) -> (&str, Option<f64>) {
    for utc in ["Z", "z", " UTC", " GMT"] {
        if let Some(clock) = text.strip_suffix(utc) {
            return (clock, Some(0.0));
        }
    }
    let Some((at, sign)) =
        text.char_indices().rev().find(|(_, letter)| ['+', '-', '\u{2212}'].contains(letter))
    else {
        return (text, Some(0.0));
    };
    let (clock, zone) = text.split_at(at);
    (clock, zone.strip_prefix(sign).and_then(offset).map(|zone| if sign == '+' { zone } else { -zone }))
}

/// Parses an offset from UTC, in seconds; `01:00`, `0100` and `01` are an hour.
fn offset(zone: &str) -> Option<f64> {
    let digits = zone.replacen(':', "", 1);
    let (hours, minutes) = if digits.len() > 2 { digits.split_at_checked(2)? } else { (&*digits, "0") };
    let seconds = whole(hours, 2)?.checked_mul(60)?.checked_add(whole(minutes, 2)?)?.checked_mul(60)?;
    i32::try_from(seconds).ok().map(f64::from)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use DateOrder::{DayFirst, MonthFirst};

    fn seconds(text: &str, order: DateOrder) -> Option<f64> {
        Moment::parse(text, order).map(Moment::seconds)
    }

    #[test]
    fn days_count_from_1970_with_leap_years() {
        let cases = [
            ((1970, 1, 1), Some(0)),
            ((1969, 12, 31), Some(-1)),
            ((2000, 2, 29), Some(11_016)),
            ((2024, 3, 1), Some(19_783)),
            ((1900, 2, 29), None),
            ((2023, 2, 29), None),
            ((2023, 13, 1), None),
            ((2023, 4, 31), None),
            ((0, 3, 1), Some(-719_468)),
            ((9999, 12, 31), Some(2_932_896)),
        ];
        for ((year, month, day), expected) in cases {
            assert_eq!(days(year, month, day), expected, "{year}-{month}-{day}");
        }
    }

    #[test]
    fn dates_are_read_as_people_write_them() {
        for text in
            ["2024-03-01", "2024/3/1", "2024.03.01", "2024-03", "1 March 2024", "01-Mar-24", "Mar 1, 2024"]
        {
            for order in [DayFirst, MonthFirst] {
                let moment = Moment { days: 19_783, seconds: None };
                assert_eq!(Moment::parse(text, order), Some(moment), "{text}");
            }
        }
        for text in ["01.03.2024", "1/3/2024", "01-03-24", "Fri, 1 Mar 2024"] {
            assert_eq!(Moment::parse(text, DayFirst).unwrap().days, 19_783, "{text}");
        }
        assert_eq!(Moment::parse("03/01/2024", MonthFirst).unwrap().days, 19_783);
        assert_eq!(Moment::parse("31/12/1999", MonthFirst), None);
        for text in
            ["", "2024", "1.5", "2024-3-1-2", "192.168.1.1", "12-34-56", "2024-02-30", "a-b-c", "é-1-2"]
        {
            assert_eq!(Moment::parse(text, DayFirst), None, "{text}");
        }
    }

    #[test]
    fn times_have_fractions_halves_and_offsets() {
        let midnight = 19_783.0 * DAY;
        let cases = [
            ("2024-03-01T12:30:15", 45_015.0),
            ("2024-03-01 12:30:15.25", 45_015.25),
            ("2024-03-01T12:30Z", 45_000.0),
            ("2024-03-01T12:30:00+01:00", 41_400.0),
            ("2024-03-01T12:30-0130", 50_400.0),
            ("01.03.2024 12:30", 45_000.0),
            ("1/3/24 1:30 PM", 48_600.0),
            ("Mar 1, 2024, 12:05 am", 300.0),
            ("2024-03-01 00:00:00 UTC", 0.0),
        ];
        for (text, expected) in cases {
            assert_eq!(seconds(text, DayFirst), Some(midnight + expected), "{text}");
        }
        for text in
            ["2024-03-01T12:60", "2024-03-01T25:00", "2024-03-01T", "12:30", "x:1", "2024-03-01 13:00 PM"]
        {
            assert_eq!(seconds(text, DayFirst), None, "{text}");
        }
    }

    #[test]
    fn durations_may_be_longer_than_a_day() {
        let cases = [
            ("12:30", Some(45_000.0)),
            ("0:05:30.5", Some(330.5)),
            ("-0:01", Some(-60.0)),
            ("100:00:00", Some(360_000.0)),
            ("2 days 03:00:00", Some(183_600.0)),
            ("1:30 PM", Some(48_600.0)),
            ("1:75", None),
            ("a:b", None),
            ("1:2:3:4", None),
        ];
        for (text, expected) in cases {
            assert_eq!(duration(text), expected, "{text}");
        }
    }
}
