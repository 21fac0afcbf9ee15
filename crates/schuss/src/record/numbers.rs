//! Numbers and lists in words, for sentences, tables and charts.

pub use schuss_data::text::grouped as count;

/// Placeholder for a missing number.
pub const NONE: &str = "–";

/// Shortens text to at most `limit` characters; `…` marks truncation.
pub fn shorten(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Formats a number to `digits` significant digits, with at most six decimals; integers keep all their digits.
pub fn significant(number: f64, digits: usize) -> String {
    if !number.is_finite() {
        return NONE.to_owned();
    }
    let size = number.abs();
    if size >= 1e15 || (size > 0.0 && size < 1e-4) {
        return minus(&format!("{number:.*e}", digits.saturating_sub(1)));
    }
    let exponent = if size > 0.0 { size.log10().floor() as i64 } else { 0 };
    let decimals = (digits as i64 - 1 - exponent).max(0) as usize;
    let text = format!("{number:.decimals$}");
    if size >= 1e3 && decimals == 0 { count_signed(number) } else { minus(&text) }
}

fn count_signed(number: f64) -> String {
    let sign = if number < 0.0 { "−" } else { "" };
    format!("{sign}{}", count(number.abs().round() as u64))
}

/// Formats a tick or a bound as briefly as possible: `0.5`, `2,000`, and `1e6` for 10⁶.
pub fn plain(number: f64) -> String {
    let size = number.abs();
    if size >= 1e6 || (size > 0.0 && size < 1e-3) {
        return trimmed_exponent(number);
    }
    if size >= 1e3 {
        return count_signed(number);
    }
    let text = format!("{number:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    minus(text)
}

/// Replaces hyphens by minus signs, which are as wide as a plus.
fn minus(number: &str) -> String {
    number.replace('-', "−")
}

fn trimmed_exponent(number: f64) -> String {
    let text = format!("{number:.1e}").replace(".0e", "e");
    minus(&text)
}

/// Formats a loss to four significant digits, in scientific notation if very large.
pub fn loss(loss: f64) -> String {
    if loss.is_finite() && loss.abs() >= 1e6 {
        return minus(&schuss_data::text::significant(loss, 4));
    }
    significant(loss, 4)
}

/// Formats a fraction as a percentage without its sign: `97.72`.
pub fn percent(fraction: f64) -> String {
    if fraction.is_finite() { format!("{:.2}", 100.0 * fraction) } else { NONE.to_owned() }
}

/// Formats a fraction as a tick: `90 %`.
pub fn percent_tick(fraction: f64) -> String {
    format!("{} %", plain(100.0 * fraction))
}

/// Formats seconds to three significant digits.
pub fn seconds(seconds: f64) -> String {
    significant(seconds, 3)
}

/// Formats a count with its noun: `1 seed`, `2 seeds`.
pub fn plural(number: usize, noun: &str) -> String {
    format!("{} {noun}{}", count(number as u64), if number == 1 { "" } else { "s" })
}

/// Joins items: `a`, `a and b`, `a, b and c`.
pub fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_short_as_their_digits_allow() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(significant(0.033_333, 3), "0.0333");
        assert_eq!(significant(12.345, 3), "12.3");
        assert_eq!(significant(182_345.6, 3), "182,346");
        assert_eq!(significant(0.000_012, 3), "1.20e−5");
        assert_eq!(significant(f64::NAN, 3), "–");
        assert_eq!(plain(0.05), "0.05");
        assert_eq!(plain(60_000.0), "60,000");
        assert_eq!(plain(1_000.0), "1,000");
        assert_eq!(plain(2e6), "2e6");
        assert_eq!(plain(-0.5), "−0.5");
    }
}
