//! Grammar of a spec, `name:key=value,value`, and suggestions for unknown words.

use crate::{Cause, Error, Result};

/// A spec as typed: `sgd:lr=0.1,momentum=0.9`, `clip-global-norm:1`, `digits`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Name, in lower case with `-` between words.
    pub name: String,
    /// Keys, if given (in lower case with `_` between words), and values, in the order typed.
    pub args: Vec<(Option<String>, String)>,
}

impl Item {
    /// Parses a spec, `name:key=value` or `name(key=value)`; only the first colon ends the name, so values may hold
    /// colons, and lists in brackets become such values. Words before the last dot of a name (`torch.optim.`) are
    /// ignored.
    ///
    /// # Errors
    /// A usage error for an empty name, key or value, a duplicate key, a value without a key after one with a key, and
    /// for braces.
    pub fn parse(text: &str) -> Result<Self> {
        if text.contains(['{', '}']) {
            return Err(Error::usage(format!("`{text}` contains braces, which stand for several trials"))
                .advise("schuss compare, which trains once with each value"));
        }
        let (name, args) = divided(text)?;
        let name = match name.rsplit_once('.') {
            Some((_, last)) if last.trim_start().starts_with(char::is_alphabetic) => last,
            _ => name,
        };
        if name.trim().is_empty() {
            return Err(
                Error::usage(format!("`{text}` has no name")).advise("write name:key=value,key=value")
            );
        }
        let mut item = Self { name: plain(name).replace('_', "-"), args: Vec::new() };
        for arg in args.into_iter().flat_map(|args| split_outside_brackets(args, ',')) {
            let (key, value) = argument(arg, text)?;
            match item.args.last() {
                Some((Some(_), _)) if key.is_none() => return Err(bare(&value, text)),
                _ if key.is_some() && item.args.iter().any(|(known, _)| *known == key) => {
                    return Err(Error::usage(format!("duplicate `{}` in `{text}`", arg.trim())));
                }
                _ => item.args.push((key, value)),
            }
        }
        Ok(item)
    }
}

/// Splits `name`, `name:arguments` or `name(arguments)` into name and arguments.
fn divided(text: &str) -> Result<(&str, Option<&str>)> {
    match text.find([':', '(']) {
        Some(at) if text[at..].starts_with('(') => {
            let args = text[at + 1..].trim_end().strip_suffix(')').ok_or_else(|| {
                Error::usage(format!("`{text}` lacks a closing parenthesis at its end"))
                    .advise("write name:key=value,key=value")
            })?;
            Ok((&text[..at], (!args.trim().is_empty()).then_some(args)))
        }
        Some(at) => Ok((&text[..at], Some(&text[at + 1..]))),
        None => Ok((text, None)),
    }
}

/// Splits `text` at the separators outside brackets.
pub fn split_outside_brackets(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (vec![], 0, 0_i32);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            letter if letter == separator && depth <= 0 => {
                parts.push(&text[start..at]);
                start = at + letter.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Returns the error for `0.01` in `adam:lr=0.001,0.01`: it could be meant for the next key or as a second trial.
fn bare(value: &str, text: &str) -> Error {
    let before = text.split(',').find(|arg| arg.contains('=')).unwrap_or(text).trim();
    let (name, first) = before.rsplit_once('=').unwrap_or((before, ""));
    Error::usage(format!("`{value}` in `{text}` has no key, but the value before it has one")).advise(
        format!("write key={value}; to try several values: schuss compare with '{name}={{{first},{value}}}'"),
    )
}

fn argument(arg: &str, text: &str) -> Result<(Option<String>, String)> {
    let (key, value) = arg.split_once('=').map_or((None, arg), |(key, value)| (Some(key), value));
    let key = key.map(|key| plain(key).replace('-', "_"));
    let value = listed(value.trim().trim_matches(['\'', '"']));
    if value.is_empty() || key.as_deref() == Some("") {
        return Err(Error::usage(format!("`{arg}` in `{text}` lacks a key or a value"))
            .advise("write name:key=value,key=value"));
    }
    Ok((key, value))
}

/// Converts `(0.9, 0.999)` and `[0.9, 0.999]` to the list of the grammar, `0.9:0.999`; leaves any other value
/// unchanged.
fn listed(value: &str) -> String {
    let inside = |open, close| value.strip_prefix(open)?.strip_suffix(close);
    match inside('(', ')').or_else(|| inside('[', ']')) {
        Some(list) => {
            list.split(',').map(str::trim).filter(|item| !item.is_empty()).collect::<Vec<_>>().join(":")
        }
        None => value.to_owned(),
    }
}

fn plain(word: &str) -> String {
    word.trim().to_lowercase()
}

/// Returns the usage error for a word that is not among `known`: `` unknown key `momentm` for optimizer `sgd` ``.
///
/// `noun` is what the word should have been; `context` follows it in the sentence.
pub fn unknown(noun: &str, word: &str, context: &str, known: &[&str]) -> Error {
    let list = known.join(" ");
    let nearest = nearest(word, known).filter(|guess| *guess != word);
    let advice = match nearest {
        Some(guess) => format!("did you mean `{guess}`?   known: {list}"),
        None => format!("one of: {list}"),
    };
    let cause = Cause::UnknownName {
        noun: noun.to_owned(),
        name: word.to_owned(),
        nearest: nearest.map(str::to_owned),
    };
    Error::usage(format!("unknown {noun} `{word}`{context}")).because(cause).advise(advice)
}

/// Returns the candidate with the smallest edit distance, if that is at most two or a third of the longer word.
pub fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let word = plain(word).replace('_', "-");
    let edits = |candidate: &str| distance(&word, &candidate.replace('_', "-"));
    let (edits, best) =
        candidates.iter().map(|&candidate| (edits(candidate), candidate)).min_by_key(|x| x.0)?;
    let length = word.chars().count().max(best.chars().count());
    let near = edits <= 2.max(length / 3) && edits < length;
    near.then_some(best)
}

/// Returns the number of edits (insert, delete, replace, swap neighbours) from `a` to `b`: the optimal string alignment
/// distance.
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
            (
                "torch.optim.Adam(lr=0.01, betas=(0.9, 0.99))",
                item("adam", &[("lr", "0.01"), ("betas", "0.9:0.99")]),
            ),
            ("ReLU()", item("relu", &[])),
            (
                "MultiStepLR:milestones=[30, 80],gamma='0.1'",
                item("multisteplr", &[("milestones", "30:80"), ("gamma", "0.1")]),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(Item::parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn an_item_with_a_hole_in_it_is_refused() {
        for text in
            ["", ":lr=1", "sgd:", "sgd:lr=", "sgd:=1", "sgd:lr=1,,x=2", "sgd:lr=1,LR=2", "Adam(lr=1", "()"]
        {
            let error = Item::parse(text).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{text}");
        }
    }

    #[test]
    fn a_bare_value_after_a_key_is_refused_with_the_way_to_compare_several() {
        let error = Item::parse("adam:lr=0.001,0.01,0.1").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("'adam:lr={0.001,0.01}'"), "{error}");
        assert!(Item::parse("linear:1,0.5,total_iters=60").is_ok(), "keys may follow bare values");
        assert_eq!(Item::parse("adam:lr={0.1,1}").unwrap_err().exit_code(), 2);
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
        let cause = |noun: &str, name: &str, nearest: Option<&str>| Cause::UnknownName {
            noun: noun.into(),
            name: name.into(),
            nearest: nearest.map(Into::into),
        };
        assert_eq!(*error.cause, cause("key", "momentm", Some("momentum")));
        assert_eq!(*unknown("loss", "xyz", "", &["mse"]).cause, cause("loss", "xyz", None));
    }

    #[test]
    fn distance_counts_edits() {
        for (a, b, edits) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("ab", "ba", 1)] {
            assert_eq!((distance(a, b), distance(b, a)), (edits, edits), "{a} {b}");
        }
    }
}
