//! Formatting of numbers and of text from users.

pub(crate) use schuss::record::numbers::{
    NONE, count, list, loss, percent, plain, plural, seconds, shorten, significant,
};

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

/// Returns a slug for a file name: lower-case letters, digits and single dashes.
pub(crate) fn slug(text: &str) -> String {
    let kept: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let words: Vec<&str> = kept.split('-').filter(|word| !word.is_empty()).collect();
    words.join("-").chars().take(60).collect()
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

/// Formats bytes in MB (10⁶ bytes).
pub(crate) fn megabytes(bytes: u64) -> String {
    significant(bytes as f64 / 1e6, 3)
}

/// Formats a finite number with `format`, or returns [`NONE`].
pub(crate) fn or_none(number: Option<f64>, format: impl Fn(f64) -> String) -> String {
    number.filter(|number| number.is_finite()).map_or_else(|| NONE.to_owned(), format)
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
    fn a_slug_is_fit_for_a_file_name() {
        assert_eq!(slug("SGD lr=1e-4, <µ>/../x"), "sgd-lr-1e-4-x");
    }
}
