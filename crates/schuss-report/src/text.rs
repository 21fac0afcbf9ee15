//! Formatting of numbers and of text from users.

/// Placeholder for a missing number.
pub(crate) const NONE: &str = "–";

/// Escapes text for XML and HTML, in content and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(character),
            // XML 1.0 cannot represent these at all.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Shortens text to at most `limit` characters; `…` marks truncation.
pub(crate) fn shorten(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Returns a slug for a file name: lower-case letters, digits and single dashes.
pub(crate) fn slug(text: &str) -> String {
    let kept: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let words: Vec<&str> = kept.split('-').filter(|word| !word.is_empty()).collect();
    words.join("-").chars().take(60).collect()
}

/// Formats an integer with thousands separators: `60,000`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Formats a number to `digits` significant digits, with at most six decimals; integers keep all their digits.
pub(crate) fn significant(number: f64, digits: usize) -> String {
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
pub(crate) fn plain(number: f64) -> String {
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
pub(crate) fn loss(loss: f64) -> String {
    if loss.is_finite() && loss.abs() >= 1e6 {
        return minus(&schuss_data::text::significant(loss, 4));
    }
    significant(loss, 4)
}

/// Replaces every path in a text by its last component, so that reports do not reveal folders of the machine.
pub(crate) fn without_folders(text: &str) -> String {
    let last = |word: &str| match word.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next() {
        Some(last) if word.contains(['/', '\\']) && !word.contains("://") => last.to_owned(),
        _ => word.to_owned(),
    };
    text.split(' ').map(last).collect::<Vec<_>>().join(" ")
}

/// Quotes a word for a shell where needed.
pub fn shell_word(word: &str) -> String {
    let plain = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_./:=,+@%".contains(c));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Capitalizes the first letter.
pub(crate) fn capital(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// Formats a fraction as a percentage without its sign: `97.72`.
pub(crate) fn percent(fraction: f64) -> String {
    if fraction.is_finite() { format!("{:.2}", 100.0 * fraction) } else { NONE.to_owned() }
}

/// Formats a fraction as a tick: `90 %`.
pub(crate) fn percent_tick(fraction: f64) -> String {
    format!("{} %", plain(100.0 * fraction))
}

/// Formats seconds to three significant digits.
pub(crate) fn seconds(seconds: f64) -> String {
    significant(seconds, 3)
}

/// Formats bytes in MB (10⁶ bytes).
pub(crate) fn megabytes(bytes: u64) -> String {
    significant(bytes as f64 / 1e6, 3)
}

/// Formats a finite number with `format`, or returns [`NONE`].
pub(crate) fn or_none(number: Option<f64>, format: impl Fn(f64) -> String) -> String {
    number.filter(|number| number.is_finite()).map_or_else(|| NONE.to_owned(), format)
}

/// Formats a count with its noun: `1 seed`, `2 seeds`.
pub(crate) fn plural(number: usize, noun: &str) -> String {
    format!("{} {noun}{}", count(number as u64), if number == 1 { "" } else { "s" })
}

/// Joins items: `a`, `a and b`, `a, b and c`.
pub(crate) fn list(items: &[String]) -> String {
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
    fn escaped_text_can_neither_open_a_tag_nor_leave_an_attribute() {
        assert_eq!(escape(r#"<a b="c" d='e'>&"#), "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
        assert_eq!(escape("\u{1b}[31m\0"), "\u{fffd}[31m\u{fffd}");
    }

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

    #[test]
    fn a_slug_is_fit_for_a_file_name() {
        assert_eq!(slug("SGD lr=1e-4, <µ>/../x"), "sgd-lr-1e-4-x");
    }
}
