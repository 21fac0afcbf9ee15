//! Metadata that writers add to a file: the units of times for which Parquet has no type, and the index columns of a
//! data frame.
//!
//! Nothing but these two is trusted: an embedded schema may claim any number of columns with names of any length, so it
//! is read in place.

use arrow_ipc::{Field as Embedded, TimeUnit as Unit, root_as_message};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use base64::Engine as _;
use parquet::file::metadata::KeyValue;
use std::sync::Arc;

/// Key of an Arrow schema: a message of Arrow IPC in base64.
const SCHEMA: &str = "ARROW:schema";
/// Key under which pandas describes its data frame, in JSON.
const PANDAS: &str = "pandas";
/// Marker before the length of a message.
const PREFIX: [u8; 4] = [0xff; 4];

/// Returns the schema with the embedded units of times that Parquet only stores as whole numbers; none if the writer
/// embedded no units.
pub(super) fn with_units(plain: &Schema, entries: &[KeyValue]) -> Option<SchemaRef> {
    let message = base64::prelude::BASE64_STANDARD.decode(value(entries, SCHEMA)?).ok()?;
    let message = if message.starts_with(&PREFIX) { message.get(8..)? } else { &message[..] };
    let embedded = root_as_message(message).ok()?.header_as_schema()?.fields()?;
    if embedded.len() != plain.fields().len() {
        return None;
    }
    let fields = plain.fields().iter().zip(embedded).map(|(field, embedded)| with_unit(field, &embedded));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    (schema.fields() != plain.fields()).then(|| Arc::new(schema))
}

fn with_unit(field: &Field, embedded: &Embedded) -> Field {
    let duration = || Some(DataType::Duration(unit(embedded.type_as_duration()?.unit())?));
    let timestamp = || Some(DataType::Timestamp(unit(embedded.type_as_timestamp()?.unit())?, None));
    let kind = duration().or_else(timestamp).filter(|_| *field.data_type() == DataType::Int64);
    field.clone().with_data_type(kind.unwrap_or_else(|| field.data_type().clone()))
}

fn unit(unit: Unit) -> Option<TimeUnit> {
    match unit {
        Unit::SECOND => Some(TimeUnit::Second),
        Unit::MILLISECOND => Some(TimeUnit::Millisecond),
        Unit::MICROSECOND => Some(TimeUnit::Microsecond),
        Unit::NANOSECOND => Some(TimeUnit::Nanosecond),
        _ => None,
    }
}

/// Returns the names of the index columns of the data frame in a Parquet file.
pub(super) fn index(entries: &[KeyValue]) -> Vec<String> {
    value(entries, PANDAS).map_or_else(Vec::new, index_columns)
}

/// Returns the names of the index columns of the data frame in an Arrow file.
pub(super) fn index_of(schema: &Schema) -> Vec<String> {
    schema.metadata().get(PANDAS).map_or_else(Vec::new, |json| index_columns(json))
}

/// Returns the names in `index_columns`; an index of plain numbers is described there by an object and has no column.
fn index_columns(json: &str) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Frame {
        index_columns: Vec<serde_json::Value>,
    }
    let frame = serde_json::from_str(json).unwrap_or(Frame { index_columns: Vec::new() });
    frame.index_columns.iter().filter_map(serde_json::Value::as_str).map(str::to_owned).collect()
}

fn value<'a>(entries: &'a [KeyValue], key: &str) -> Option<&'a str> {
    entries.iter().find(|entry| entry.key == key)?.value.as_deref()
}
