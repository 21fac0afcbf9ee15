//! JSON, read by way of `serde_json::Value`: what reads a type is then compiled once, not once per kind of source.

use serde::de::DeserializeOwned;

/// Reads a value from JSON text.
///
/// # Errors
/// If the text is not JSON, or not of this type.
pub(crate) fn read<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    serde_json::from_value(serde_json::from_slice(text)?)
}
