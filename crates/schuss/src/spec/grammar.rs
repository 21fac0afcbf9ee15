//! Conversion of hyper-parameters between spec text, `name:key=value,...`, and plain data, by way of serde.

pub use schuss_data::spec::{Item, nearest};

use super::about::{About, Key};
use super::names;
use crate::{Error, Place, Result};
use documented::{Documented, DocumentedFields};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Row of a table of choices: a name, keys with their defaults, and constraints on them.
pub(crate) trait Choice:
    Default + PartialEq + Serialize + DeserializeOwned + Documented + DocumentedFields
{
    /// Name in specs.
    const NAME: &'static str;

    /// Checks the values; errors name the key.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Reads the keys of `item`, falling back to those in `defaults`, then to its own defaults.
    fn read(noun: &str, item: &Item, defaults: &str) -> Result<Self> {
        let choice = Self::unchecked(noun, item, defaults)?;
        choice.check().map_err(|error| error.or_at(Place::Api(format!("{noun} `{}`", Self::NAME))))?;
        Ok(choice)
    }

    /// Reads the keys of `item` as [`Self::read`] does, without checking the values.
    fn unchecked(noun: &str, item: &Item, defaults: &str) -> Result<Self> {
        if item.args.is_empty() && defaults.is_empty() {
            return Ok(Self::default());
        }
        let form = Form { noun, name: Self::NAME, reread: &|keys| Ok(fields(&from_fields::<Self>(keys)?)) };
        let keys = form.read(item, defaults, fields(&Self::default()))?;
        from_fields(keys).map_err(|error| Error::usage(error.to_string()))
    }

    /// Returns its documentation, with the values that [`Self::read`] gives its keys. If `item` has no keys, the values
    /// are not checked, since some have no valid default.
    fn about(noun: &'static str, line: &'static str, item: &Item, defaults: &str) -> Result<About> {
        let choice = match item.args[..] {
            [] => Self::unchecked(noun, item, defaults)?,
            _ => Self::read(noun, item, defaults)?,
        };
        let doc = |key: &str| Self::get_field_docs(key).unwrap_or_default();
        let keys = about_keys(&fields(&Self::default()), fields(&choice), &doc);
        Ok(About { name: Self::NAME, noun, line, text: Self::DOCS, keys })
    }
}

/// Defines the enum of a table of choices, one variant per row, with names, parsing, canonical text and conversion from
/// a row. The canonical text has the keys in `always` and those that are not at their defaults. The last `untyped` rows
/// cannot be named in specs.
macro_rules! choices {
    (
        $(#[$about:meta])* $vis:vis enum $name:ident ($noun:literal, always $always:expr $(, untyped $untyped:literal)?) {
            $($(#[doc = $line:literal])* $row:ident,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        $vis enum $name {
            $($(#[doc = $line])* $row($row),)*
        }

        impl $name {
            /// Names that can be used in specs.
            pub const NAMES: &'static [&'static str] = {
                const ALL: &[&str] = &[$(<$row as $crate::spec::Choice>::NAME,)*];
                ALL.split_at(ALL.len() $(- $untyped)?).0
            };

            /// Reads the choice with the item's name and keys; `None` if there is no such name.
            pub(crate) fn read(item: &$crate::spec::Item) -> Option<$crate::Result<Self>> {
                Self::read_over(item, "")
            }

            /// Reads the choice with other defaults, `key=value,...`, for omitted keys.
            pub(crate) fn read_over(
                item: &$crate::spec::Item,
                defaults: &str,
            ) -> Option<$crate::Result<Self>> {
                use $crate::spec::Choice;
                let item = &*$crate::spec::names::canonical($noun, item, Self::NAMES);
                match item.name.as_str() {
                    $(<$row as Choice>::NAME => {
                        Some(<$row as Choice>::read($noun, item, defaults).map(Self::$row))
                    })*
                    _ => None,
                }
            }

            /// Returns the documentation of the choice, its keys read as by `read_over`.
            pub(crate) fn about(
                item: &$crate::spec::Item,
                defaults: &str,
            ) -> Option<$crate::Result<$crate::spec::About>> {
                use $crate::spec::Choice;
                let item = &*$crate::spec::names::canonical($noun, item, Self::NAMES);
                match item.name.as_str() {
                    $(<$row as Choice>::NAME => {
                        Some(<$row as Choice>::about($noun, concat!($($line),*), item, defaults))
                    })*
                    _ => None,
                }
            }
        }

        $(impl From<$row> for $name {
            fn from(row: $row) -> Self {
                Self::$row(row)
            }
        })*

        impl std::str::FromStr for $name {
            type Err = $crate::Error;

            /// Parses `name:key=value,...`; omitted keys keep their defaults.
            fn from_str(text: &str) -> $crate::Result<Self> {
                let item = $crate::spec::Item::parse(text)?;
                Self::read(&item)
                    .unwrap_or_else(|| Err($crate::spec::unknown($noun, &item.name, Self::NAMES)))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                use $crate::spec::{Choice, write_keys};
                f.write_str(&match self { $(Self::$row(row) => write_keys(<$row as Choice>::NAME, row, $always),)* })
            }
        }
    };
}
pub(crate) use choices;

/// Refuses negative, infinite and NaN values.
pub(crate) fn non_negative(keys: &[(&str, f64)]) -> Result<()> {
    refuse(keys, "a finite number, at least 0", |value| value.is_finite() && value >= 0.0)
}

/// Refuses infinite and NaN values.
pub(crate) fn finite(keys: &[(&str, f64)]) -> Result<()> {
    refuse(keys, "a finite number", f64::is_finite)
}

/// Refuses values that are not finite and positive.
pub(crate) fn positive(keys: &[(&str, f64)]) -> Result<()> {
    refuse(keys, "a positive finite number", |value| value.is_finite() && value > 0.0)
}

/// Refuses values that underflow when rounded to f32; for divisors.
pub(crate) fn normal(keys: &[(&str, f64)]) -> Result<()> {
    refuse(keys, "positive", |value| value.is_finite() && value >= f64::from(f32::MIN_POSITIVE))
}

/// Refuses values that are below 0, or 1 and above; for decay rates.
pub(crate) fn below_one(keys: &[(&str, f64)]) -> Result<()> {
    refuse(keys, "at least 0 and below 1", |value| (0.0..1.0).contains(&value))
}

/// Refuses values that are not counts: fractions and numbers below 1.
pub(crate) fn whole(keys: &[(&str, f64)]) -> Result<()> {
    refuse(keys, "a whole number, at least 1", |value| value.fract() == 0.0 && (1.0..=1e15).contains(&value))
}

fn refuse(keys: &[(&str, f64)], wanted: &str, fine: impl Fn(f64) -> bool) -> Result<()> {
    match keys.iter().find(|(_, value)| !fine(*value)) {
        Some((key, value)) => Err(Error::usage(format!("{key} must be {wanted}, not {value}"))),
        None => Ok(()),
    }
}

/// Returns the usage error for an unknown name, with our counterpart of it or the nearest known name.
pub(crate) fn unknown(noun: &str, name: &str, known: &[&str]) -> Error {
    let error = schuss_data::spec::unknown(noun, name, "", known);
    match names::elsewhere(noun, name) {
        Some(advice) => error.advise(advice),
        None => error,
    }
}

/// Returns the usage error for a key that `place` does not have.
fn unknown_key(name: &str, place: &str, known: &[&str]) -> Error {
    let error = schuss_data::spec::unknown("key", name, &format!(" for {place}"), known);
    match names::key_elsewhere(name) {
        Some(advice) => error.advise(format!("{advice}   known: {}", known.join(" "))),
        None => error,
    }
}

/// Expands braces: `adam:lr={1e-4,1e-3}` gives two texts, and several braces give every combination.
///
/// # Errors
/// A usage error for braces that are not closed or contain an empty value.
pub(crate) fn sweep(text: &str) -> Result<Vec<String>> {
    let form = || {
        Error::usage(format!("`{text}` has braces that do not contain comma-separated values"))
            .advise("write adam:lr={1e-4,1e-3}")
    };
    let Some((before, rest)) = text.split_once('{') else {
        return if text.contains('}') { Err(form()) } else { Ok(vec![text.to_owned()]) };
    };
    let (values, after) = rest.split_once('}').ok_or_else(form)?;
    let values: Vec<&str> = values.split(',').map(str::trim).collect();
    if before.contains('}') || values.iter().any(|value| value.is_empty() || value.contains('{')) {
        return Err(form());
    }
    let ends = sweep(after)?;
    let with = |value: &&str| ends.iter().map(|end| format!("{before}{value}{end}")).collect::<Vec<_>>();
    Ok(values.iter().flat_map(with).collect())
}

/// Splits a chain into its items and the last item. `+` separates only before a letter: `1e+5` is a number.
pub(crate) fn chain(text: &str) -> (Vec<&str>, &str) {
    let mut items = vec![];
    let mut start = 0;
    for (at, _) in text.match_indices('+') {
        if text[at + 1..].trim_start().starts_with(char::is_alphabetic) {
            items.push(&text[start..at]);
            start = at + 1;
        }
    }
    (items, &text[start..])
}

/// Keys of a choice and their values.
type Fields = Map<String, Value>;

/// Documentation of the keys with values `values` and defaults `own`.
fn about_keys(own: &Fields, values: Fields, doc: &dyn Fn(&str) -> &'static str) -> Vec<Key> {
    let key = |(name, value): (String, Value)| Key {
        default: own.get(&name).map(write_value).unwrap_or_default(),
        value: write_value(&value),
        doc: doc(&name),
        name,
    };
    values.into_iter().map(key).collect()
}

/// A choice without its type, so that the grammar is compiled once and not for every choice.
struct Form<'a> {
    noun: &'a str,
    name: &'static str,
    /// Converts keys to the choice and back, which refuses values of another type.
    reread: &'a dyn Fn(Fields) -> serde_json::Result<Fields>,
}

impl Form<'_> {
    /// Returns `own`, overridden by the keys in `defaults`, then by those of `item`.
    fn read(&self, item: &Item, defaults: &str, own: Fields) -> Result<Fields> {
        let over = match defaults {
            "" => own,
            keys => self.read_keys(&Item::parse(&format!("{}:{keys}", self.name))?, own)?,
        };
        self.read_keys(item, over)
    }

    /// Overrides `keys` with those of `item`; a value without a key belongs to the key at its position.
    fn read_keys(&self, item: &Item, mut keys: Fields) -> Result<Fields> {
        let names: Vec<String> = keys.keys().cloned().collect();
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let place = format!("{} `{}`", self.noun, item.name);
        let args = names::arguments(item, &known)?;
        refuse_bare_row(self.noun, item, &args, &known)?;
        for (position, (key, text)) in args.iter().enumerate() {
            let name = match key {
                Some(key) => key.as_str(),
                None => known.get(position).ok_or_else(|| {
                    Error::usage(format!("`{text}` is one value too many for {place}"))
                        .advise(format!("keys: {}", known.join(" ")))
                })?,
            };
            let value = keys.get_mut(name).ok_or_else(|| unknown_key(name, &place, &known))?;
            let at_place = |error: Error| error.at(Place::Api(place.clone()));
            *value = read_value(name, text, value).map_err(at_place)?;
            let wrong = |error| Error::usage(format!("{name} cannot be `{text}`: {error}"));
            keys = (self.reread)(keys).map_err(wrong).map_err(at_place)?;
        }
        Ok(keys)
    }
}

/// Refuses `adam:0.001,0.01`, which looks like two learning rates but would be a learning rate and a decay rate.
fn refuse_bare_row(noun: &str, item: &Item, args: &[(Option<String>, String)], known: &[&str]) -> Result<()> {
    let [(None, first), (None, second), ..] = args else { return Ok(()) };
    if noun != "optimizer" {
        return Ok(());
    }
    let (name, key) = (&item.name, known.first().copied().unwrap_or("lr"));
    Err(Error::usage(format!("`{second}` in {noun} `{name}` has no key")).advise(format!(
        "write key=value; to try several values: schuss compare with '{name}:{key}={{{first},{second}}}'"
    )))
}

/// Reads a value of the same type as the previous one; an optional key takes a number.
fn read_value(key: &str, text: &str, before: &Value) -> Result<Value> {
    let wrong = |wanted: &str| {
        let error = Error::usage(format!("{key} must be {wanted}, not `{text}`"));
        let list = text.replace(':', ",");
        if list == text {
            error
        } else {
            error.advise(format!("to try several values: schuss compare with {key}={{{list}}}"))
        }
    };
    match before {
        Value::Bool(_) => match text.to_lowercase().as_str() {
            "true" | "yes" | "1" => Ok(Value::Bool(true)),
            "false" | "no" | "0" => Ok(Value::Bool(false)),
            _ => Err(wrong("true or false")),
        },
        Value::Null if text.eq_ignore_ascii_case("none") => Ok(Value::Null),
        Value::Number(number) if number.is_u64() => {
            read_number(text).filter(Value::is_u64).ok_or_else(|| wrong("a whole number"))
        }
        Value::Number(_) | Value::Null => read_number(text).ok_or_else(|| wrong("a finite number")),
        Value::Array(_) => text
            .split(':')
            .map(read_number)
            .collect::<Option<_>>()
            .ok_or_else(|| wrong("finite numbers separated by `:`")),
        _ => Ok(Value::String(text.to_lowercase().replace('_', "-"))), // one of several names
    }
}

/// Reads a number, whole numbers as integers; `None` for NaN and infinities.
fn read_number(text: &str) -> Option<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53: f64 represents every whole number up to here
    let number: f64 = text.parse().ok()?;
    let whole = number.fract() == 0.0 && (0.0..=EXACT).contains(&number);
    if whole {
        Some(Value::from(number as u64))
    } else {
        serde_json::Number::from_f64(number).map(Value::Number)
    }
}

/// Returns the canonical text: the keys in `always`, and those that differ from their default.
pub(crate) fn write_keys<T: Default + Serialize>(name: &str, value: &T, always: &[&str]) -> String {
    write_fields(name, &fields(value), &fields(&T::default()), always)
}

fn write_fields(name: &str, values: &Fields, defaults: &Fields, always: &[&str]) -> String {
    let written: Vec<String> = values
        .iter()
        .filter(|(key, value)| always.contains(&key.as_str()) || defaults.get(*key) != Some(value))
        .map(|(key, value)| format!("{key}={}", write_value(value)))
        .collect();
    if written.is_empty() { name.to_owned() } else { format!("{name}:{}", written.join(",")) }
}

/// Writes numbers in their shortest exact form, `0.0001`, `1e-8`, `10`, and lists as `30:60`; a missing value is empty.
fn write_value(value: &Value) -> String {
    match value {
        Value::Array(list) => return list.iter().map(write_value).collect::<Vec<_>>().join(":"),
        Value::Null => return String::new(),
        _ => {}
    }
    let text = value.to_string();
    text.strip_suffix(".0").unwrap_or(&text).trim_matches('"').to_owned()
}

/// Returns a number as canonical spec text.
pub(crate) fn write_number(number: f64) -> String {
    write_value(&Value::from(number))
}

fn fields<T: Serialize>(value: &T) -> Fields {
    match serde_json::to_value(value) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(), // hyper-parameters are structs, which always become maps
    }
}

fn from_fields<T: DeserializeOwned>(keys: Fields) -> serde_json::Result<T> {
    serde_json::from_value(Value::Object(keys))
}
