//! Columns of pictures: `{bytes, path}` structs, as Hugging Face stores them, or bytes alone.

use super::cells;
use super::groups::Groups;
use crate::format::encoded::{self, Blob, Blobs, Encoded};
use crate::format::table::{Origin, shown};
use crate::reader::{Loaded, ReadOptions};
use crate::text::{bytes, listed};
use crate::{Labels, Result, classes, spec};
use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_schema::DataType;
use std::collections::HashMap;
use std::io::Cursor;
use std::sync::Arc;

/// Returns the first column that holds pictures: structs with bytes, or bytes of which some begin like a picture.
pub(super) fn column(groups: &Groups) -> Result<Option<usize>> {
    for (at, field) in groups.schema.fields().iter().enumerate() {
        if may_be(field.data_type()) && (field.data_type().is_nested() || begins_as_one(groups, at)?) {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// Returns true if a column of this type may hold pictures.
fn may_be(kind: &DataType) -> bool {
    let is_bytes =
        |kind: &DataType| matches!(kind, DataType::Binary | DataType::LargeBinary | DataType::BinaryView);
    let is_plain = |kind: &DataType| is_bytes(kind) || cells::are_read(kind) || *kind == DataType::Null;
    match kind {
        DataType::Struct(fields) => {
            fields.iter().any(|field| field.name() == "bytes" && is_bytes(field.data_type()))
                && fields.iter().all(|field| is_plain(field.data_type()))
        }
        other => is_bytes(other),
    }
}

/// Returns true if any bytes in the first rows of a column begin like a picture, or if there are none.
fn begins_as_one(groups: &Groups, column: usize) -> Result<bool> {
    let (mut has_any, mut is_one) = (false, false);
    groups.clone().only(&[column])?.visit(0, &mut |batch| {
        for bytes in batch.columns().iter().flat_map(packed).flatten() {
            has_any = true;
            is_one |= image::guess_format(&bytes).is_ok();
        }
        Ok(())
    })?;
    Ok(is_one || !has_any)
}

/// Reads pictures and their labels; keeps the encoded pictures in memory.
pub(super) fn read(groups: Groups, picture: usize, ask: &ReadOptions) -> Result<Loaded> {
    let label = label(&groups, picture, ask.label.as_deref())?;
    let mut columns: Vec<usize> = label.into_iter().chain([picture]).collect();
    columns.sort_unstable();
    columns.dedup();
    let left_out = left_out(&groups, &columns);
    let groups = groups.only(&columns)?;
    let place = |column: usize| columns.iter().position(|&other| other == column).unwrap_or(0);
    let (picture, label) = (place(picture), label.map(place));
    if let Some(label) = label {
        groups.schema.fields().get(label).map_or(Ok(()), |field| groups.check_kind(field))?;
    }
    let (mut pictures, mut words, mut held) = (Vec::new(), Vec::new(), 0_u64);
    for part in 0..groups.parts.len() {
        groups.visit(part, &mut |batch| {
            let row = |at: usize| (pictures.len().saturating_add(at) as u64).saturating_add(1);
            let lacks = |at: usize| groups.origin.refuse_row(row(at), "has no picture bytes");
            let found = packed(batch.column(picture));
            if let Some(at) = found.iter().position(Option::is_none) {
                return Err(lacks(at));
            }
            held = found.iter().flatten().fold(held, |sum, picture| sum.saturating_add(picture.len() as u64));
            if held > ask.memory {
                let what =
                    format!("holds more than {} of encoded pictures, the memory limit", bytes(ask.memory));
                return Err(groups
                    .origin
                    .refuse(what)
                    .advise("unpack them into a folder or tar shards, or give more --memory"));
            }
            if let Some(label) = label {
                words.extend(labels(&groups, batch.column(label), row(0))?);
            }
            pictures.extend(found.into_iter().flatten());
            Ok(())
        })?;
    }
    if pictures.is_empty() {
        return Err(groups.origin.refuse("holds no rows"));
    }
    let mut names: Vec<String> = words.clone();
    classes::sort_names(&mut names);
    names.dedup();
    let numbers: HashMap<&String, u32> = names.iter().zip(0..).collect();
    let labels = match label {
        Some(_) => Labels::Class(words.iter().filter_map(|word| numbers.get(word).copied()).collect()),
        None => Labels::Absent(pictures.len()),
    };
    let blobs = Arc::new(Pictures { origin: groups.origin.clone(), pictures });
    encoded::found(Encoded { blobs, labels }, None, None, names, left_out.into_iter().collect(), ask)
}

/// Notes the columns that are neither pictures nor labels.
fn left_out(groups: &Groups, columns: &[usize]) -> Option<String> {
    let others = groups.schema.fields().iter().enumerate().filter(|(at, _)| !columns.contains(at));
    let others: Vec<String> = others.map(|(_, field)| format!("`{}`", shown(field.name()))).collect();
    let listed = listed(others.iter().cloned(), others.len());
    (!others.is_empty())
        .then(|| format!("left out: columns other than the pictures and their label: {listed}"))
}

/// Returns the label column: as requested, else `label`, else the last other than the pictures.
fn label(groups: &Groups, picture: usize, asked: Option<&str>) -> Result<Option<usize>> {
    let names: Vec<&str> = groups.schema.fields().iter().map(|field| field.name().as_str()).collect();
    let find = |wanted: &str| names.iter().position(|name| *name == wanted);
    match asked {
        Some("none") => Ok(None),
        Some(asked) => find(asked).map(Some).ok_or_else(|| {
            spec::unknown("column", asked, " for --label", &names).at(groups.origin.path.display())
        }),
        None => Ok(find("label").or_else(|| (0..names.len()).rev().find(|&at| at != picture))),
    }
}

fn labels(groups: &Groups, column: &ArrayRef, first: u64) -> Result<Vec<String>> {
    let refuse = |row: usize, what: String| groups.origin.refuse_row(first.saturating_add(row as u64), what);
    let mut cells = Vec::with_capacity(column.len());
    cells::each(column, 0..column.len(), 1, &mut |_, _, cell| cells.push(cell))
        .map_err(|wrong| refuse(wrong.row, wrong.what))?;
    let word = |(row, cell): (usize, crate::format::table::Cell)| match (cell.word(), cell.number()) {
        (None, _) => Err(refuse(row, "has no label".into())),
        (Some(word), Some(number)) if classes::whole(number).is_none() => {
            Err(refuse(row, format!("has the label {}, which is not a class", shown(&word))))
        }
        (Some(word), _) => Ok(word.into_owned()),
    };
    cells.into_iter().enumerate().map(word).collect()
}

/// Returns the bytes in each row, if any.
fn packed(array: &ArrayRef) -> Vec<Option<Vec<u8>>> {
    if let Some(record) = array.as_struct_opt() {
        return record.column_by_name("bytes").map_or_else(Vec::new, packed);
    }
    fn owned<'a>(all: impl Iterator<Item = Option<&'a [u8]>>) -> Vec<Option<Vec<u8>>> {
        all.map(|bytes| bytes.map(<[u8]>::to_vec)).collect()
    }
    if let Some(all) = array.as_binary_opt::<i32>() {
        return owned(all.iter());
    }
    if let Some(all) = array.as_binary_opt::<i64>() {
        return owned(all.iter());
    }
    array.as_binary_view_opt().map_or_else(Vec::new, |all| owned(all.iter()))
}

/// Encoded pictures in memory.
struct Pictures {
    origin: Origin,
    pictures: Vec<Vec<u8>>,
}

impl Blobs for Pictures {
    fn len(&self) -> usize {
        self.pictures.len()
    }

    fn open(&self, index: usize) -> Result<(Box<dyn Blob>, u64)> {
        let picture = self.pictures.get(index).cloned().unwrap_or_default();
        let length = picture.len() as u64;
        Ok((Box::new(Cursor::new(picture)), length))
    }

    fn origin(&self, index: usize) -> Origin {
        let place = format!("{}@{}", self.origin.path.display(), index.saturating_add(1));
        Origin::new(std::path::Path::new(&place), crate::RowUnit::Row)
    }
}
