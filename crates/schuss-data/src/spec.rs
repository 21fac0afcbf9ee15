//! The grammar of one choice, `name:key=value,value`, and help for a word that is not known.

use crate::{Error, Result};

/// One choice as typed: `sgd:lr=0.1,momentum=0.9`, `clip-global-norm:1`, `digits`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// In lower case with `-` between words.
    pub name: String,
    /// Key, if one was given (in lower case with `_` between words), and value, in the order typed.
    pub args: Vec<(Option<String>, String)>,
}

impl Item {
    /// Reads one choice; only the first colon ends the name, so values may hold colons.
    ///
    /// # Errors
    /// A usage error for an empty name, key or value, or a key that is given twice.
    pub fn parse(text: &str) -> Result<Self> {
        let (name, args) = text.split_once(':').map_or((text, None), |(name, args)| (name, Some(args)));
        if name.trim().is_empty() {
            return Err(
                Error::usage(format!("`{text}` has no name")).advise("write name:key=value,key=value")
            );
        }
        let mut item = Self { name: plain(name).replace('_', "-"), args: Vec::new() };
        for arg in args.into_iter().flat_map(|args| args.split(',')) {
            let (key, value) = argument(arg, text)?;
            if key.is_some() && item.args.iter().any(|(known, _)| *known == key) {
                return Err(Error::usage(format!("`{}` stands twice in `{text}`", arg.trim())));
            }
            item.args.push((key, value));
        }
        Ok(item)
    }
}

fn argument(arg: &str, text: &str) -> Result<(Option<String>, String)> {
    let (key, value) = arg.split_once('=').map_or((None, arg), |(key, value)| (Some(key), value));
    let key = key.map(|key| plain(key).replace('-', "_"));
    let value = value.trim();
    if value.is_empty() || key.as_deref() == Some("") {
        return Err(Error::usage(format!("`{arg}` in `{text}` lacks a key or a value"))
            .advise("write name:key=value,key=value"));
    }
    Ok((key, value.to_owned()))
}

fn plain(word: &str) -> String {
    word.trim().to_lowercase()
}

/// The usage error for a word that is none of `known`: `` unknown key `momentm` for optimizer `sgd` ``.
///
/// `noun` says what the word should have been, `context` what follows it in the sentence.
pub fn unknown(noun: &str, word: &str, context: &str, known: &[&str]) -> Error {
    let list = known.join(" ");
    let advice = match nearest(word, known) {
        Some(guess) => format!("did you mean `{guess}`?   known: {list}"),
        None => format!("one of: {list}"),
    };
    Error::usage(format!("unknown {noun} `{word}`{context}")).advise(advice)
}

/// The candidate that takes the fewest edits to reach, if that is at most a third of the longer word (or two).
pub fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let word = plain(word).replace('_', "-");
    let edits = |candidate: &str| distance(&word, &candidate.replace('_', "-"));
    let (edits, best) =
        candidates.iter().map(|&candidate| (edits(candidate), candidate)).min_by_key(|x| x.0)?;
    let length = word.chars().count().max(best.chars().count());
    let near = edits <= 2.max(length / 3) && edits < length;
    near.then_some(best)
}

/// Edits (insert, delete, replace, swap neighbours) from `a` to `b`: the optimal string alignment distance.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str, args: &[(&str, &str)]) -> Item {
        let key = |key: &str| (!key.is_empty()).then(|| key.to_owned());
        let args = args.iter().map(|(k, v)| (key(k), (*v).to_owned())).collect();
        Item { name: name.to_owned(), args }
    }

    #[test]
    fn an_item_is_a_name_and_its_arguments() {
        let cases = [
            ("digits", item("digits", &[])),
            ("sgd:lr=0.1,momentum=0.9", item("sgd", &[("lr", "0.1"), ("momentum", "0.9")])),
            ("clip_global-Norm:1", item("clip-global-norm", &[("", "1")])),
            ("SGD: Weight-Decay = 1e-3 ", item("sgd", &[("weight_decay", "1e-3")])),
            ("step:at=30:60:90", item("step", &[("at", "30:60:90")])),
        ];
        for (text, expected) in cases {
            assert_eq!(Item::parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn an_item_with_a_hole_in_it_is_refused() {
        for text in ["", ":lr=1", "sgd:", "sgd:lr=", "sgd:=1", "sgd:lr=1,,x=2", "sgd:lr=1,LR=2"] {
            let error = Item::parse(text).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{text}");
        }
    }

    #[test]
    fn the_nearest_word_is_one_slip_away_and_a_stranger_has_none() {
        let keys = ["lr", "momentum", "dampening", "nesterov", "weight_decay"];
        let cases = [("momentm", "momentum"), ("nestreov", "nesterov"), ("weight-decai", "weight_decay")];
        for (slip, meant) in cases {
            assert_eq!(nearest(slip, &keys), Some(meant));
        }
        assert_eq!(nearest("beta1", &keys), None);
        assert_eq!(nearest("xy", &["lr"]), None);
        assert_eq!(nearest("any", &[]), None);
    }

    #[test]
    fn an_unknown_word_is_answered_with_the_nearest_and_the_list() {
        let error = unknown("key", "momentm", " for optimizer `sgd`", &["lr", "momentum"]);
        let expected = "unknown key `momentm` for optimizer `sgd`\n  try   did you mean `momentum`?   known: lr momentum";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn distance_counts_edits() {
        for (a, b, edits) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("ab", "ba", 1)] {
            assert_eq!((distance(a, b), distance(b, a)), (edits, edits), "{a} {b}");
        }
    }
}
