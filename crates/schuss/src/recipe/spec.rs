//! Hyper-parameters as spec text: `name:key=value,...` to and from plain data, by way of serde.

pub use schuss_data::spec::{Item, nearest};

use crate::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The usage error for a name that is not in the list, with the nearest one.
pub(crate) fn unknown(noun: &str, name: &str, known: &[&str]) -> Error {
    schuss_data::spec::unknown(noun, name, "", known)
}

/// The keys of `item` over the defaults of `T`; a value without a key belongs to the key of its position.
pub(crate) fn read_keys<T: Default + Serialize + DeserializeOwned>(noun: &str, item: &Item) -> Result<T> {
    let mut keys = fields(&T::default());
    let names: Vec<String> = keys.keys().cloned().collect();
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    let place = format!("{noun} `{}`", item.name);
    for (position, (key, text)) in item.args.iter().enumerate() {
        let name = match key {
            Some(key) => key.as_str(),
            None => known.get(position).ok_or_else(|| {
                Error::usage(format!("`{text}` is one value too many for {place}"))
                    .advise(format!("keys: {}", known.join(" ")))
            })?,
        };
        let value = keys
            .get_mut(name)
            .ok_or_else(|| schuss_data::spec::unknown("key", name, &format!(" for {place}"), &known))?;
        *value = read_value(name, text, value).map_err(|error| error.at(&place))?;
    }
    serde_json::from_value(Value::Object(keys)).map_err(|error| Error::usage(error.to_string()).at(place))
}

/// A value of the same type as the default.
fn read_value(key: &str, text: &str, default: &Value) -> Result<Value> {
    let wrong = |wanted: &str| Error::usage(format!("{key} must be {wanted}, not `{text}`"));
    match default {
        Value::Bool(_) => text.parse().map(Value::Bool).map_err(|_| wrong("true or false")),
        Value::Number(_) => text
            .parse()
            .ok()
            .and_then(serde_json::Number::from_f64) // none for NaN and infinities
            .map(Value::Number)
            .ok_or_else(|| wrong("a finite number")),
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// Canonical text: the keys that `always` stand, and those that differ from their default.
pub(crate) fn write_keys<T: Default + Serialize>(name: &str, value: &T, always: &[&str]) -> String {
    let defaults = fields(&T::default());
    let written: Vec<String> = fields(value)
        .iter()
        .filter(|(key, value)| always.contains(&key.as_str()) || defaults.get(*key) != Some(value))
        .map(|(key, value)| format!("{key}={}", write_value(value)))
        .collect();
    if written.is_empty() { name.to_owned() } else { format!("{name}:{}", written.join(",")) }
}

/// Numbers as short as they read back the same: `0.0001`, `1e-8`, `10`.
fn write_value(value: &Value) -> String {
    let text = value.to_string();
    text.strip_suffix(".0").unwrap_or(&text).trim_matches('"').to_owned()
}

/// A number as canonical spec text.
pub(crate) fn write_number(number: f64) -> String {
    write_value(&Value::from(number))
}

fn fields<T: Serialize>(value: &T) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(), // hyper-parameters are structs, which always become maps
    }
}
