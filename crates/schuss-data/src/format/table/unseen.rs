//! Categories in a file that the model did not see in training.

use super::shown;
use crate::Error;
use crate::spec::unknown;
use crate::text::{grouped, listed};
use std::collections::BTreeMap;
use std::str::FromStr;

/// Handling of a category that training never saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unknown {
    /// Encode it as zeros in all places of its column.
    #[default]
    Zeros,
    /// Refuse the table.
    Refuse,
}

impl FromStr for Unknown {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.trim().to_lowercase().as_str() {
            "zeros" => Ok(Self::Zeros),
            "refuse" => Ok(Self::Refuse),
            _ => Err(unknown("unknown", text, "", &["zeros", "refuse"])),
        }
    }
}

/// Categories that training never saw, with counts, by column.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unseen(BTreeMap<String, BTreeMap<String, u64>>);

/// Maximum distinct words of a column that are counted separately.
const COUNTED: usize = 1_000;

impl Unseen {
    /// Counts a word of a column.
    pub(crate) fn count(&mut self, column: &str, word: &str) {
        let words = self.0.entry(column.to_owned()).or_default();
        let word = if words.len() < COUNTED || words.contains_key(word) { word } else { "others" };
        let count = words.entry(word.to_owned()).or_default();
        *count = count.saturating_add(1);
    }

    /// Returns warnings with the categories found and how they are handled.
    pub(crate) fn notes(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(column, words)| {
            format!(
                "warning: `{}` holds categories that training never saw, {}: encoded as all zeros (--unknown refuse rejects them)",
                shown(column),
                counts(words)
            )
        })
    }
}

/// `green` (2), `blue` (1)
fn counts(words: &BTreeMap<String, u64>) -> String {
    let list = words.iter().map(|(word, count)| {
        let word = if word.is_empty() { "nothing".into() } else { format!("`{}`", shown(word)) };
        format!("{word} ({})", grouped(*count))
    });
    listed(list, words.len())
}
