//! From the columns of a batch to cells.

use super::kind;
use crate::table::Cell;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

/// Which row of a batch does not fit, and why.
pub(super) struct Wrong {
    pub(super) row: usize,
    pub(super) what: String,
}

/// Whether columns of a type are read.
pub(super) fn are_read(kind: &DataType) -> bool {
    match kind {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            are_numbers(item.data_type())
        }
        DataType::Dictionary(_, words) => !words.is_nested() && are_read(words),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        other => are_numbers(other),
    }
}

fn are_numbers(kind: &DataType) -> bool {
    kind.is_integer() || kind.is_floating() || *kind == DataType::Boolean
}

/// Length of the first list of a column of lists.
pub(super) fn first_length(array: &ArrayRef) -> Option<usize> {
    (0..array.len()).find_map(|row| list(array, row)).map(|list| list.len())
}

/// The list in a row, if it is there.
fn list(array: &ArrayRef, row: usize) -> Option<ArrayRef> {
    if array.is_null(row) {
        return None;
    }
    let fixed = || Some(array.as_fixed_size_list_opt()?.value(row));
    let short = || Some(array.as_list_opt::<i32>()?.value(row));
    let long = || Some(array.as_list_opt::<i64>()?.value(row));
    fixed().or_else(short).or_else(long)
}

fn is_list(array: &ArrayRef) -> bool {
    array.as_fixed_size_list_opt().is_some()
        || array.as_list_opt::<i32>().is_some()
        || array.as_list_opt::<i64>().is_some()
}

/// Takes a cell, which stands in a row of a batch, and at a place of what the column has there.
pub(super) type Put<'a, 'b> = dyn FnMut(usize, usize, Cell<'a>) + 'b;
/// Takes the cell of a row.
type PutOne<'a, 'b> = dyn FnMut(usize, Cell<'a>) + 'b;

/// Shows the cells of a column, one per row or `width` of them for lists.
pub(super) fn each<'a>(array: &'a ArrayRef, width: usize, put: &mut Put<'a, '_>) -> Result<(), Wrong> {
    if is_list(array) {
        return lists(array, width, put);
    }
    let unknown =
        || Wrong { row: 0, what: format!("is a column of {}, which is not read", kind(array.data_type())) };
    single(array, &mut |row, cell| put(row, 0, cell)).ok_or_else(unknown)
}

fn lists(array: &ArrayRef, width: usize, put: &mut Put) -> Result<(), Wrong> {
    for row in 0..array.len() {
        let Some(list) = list(array, row) else {
            (0..width).for_each(|at| put(row, at, Cell::Missing));
            continue;
        };
        if list.len() != width {
            let what = format!("is a list of {} numbers, but the first one of {width}", list.len());
            return Err(Wrong { row, what });
        }
        numbers(&list, &mut |at, number| put(row, at, number))
            .ok_or_else(|| Wrong { row, what: format!("is a list of {}", kind(list.data_type())) })?;
    }
    Ok(())
}

fn single<'a>(array: &'a ArrayRef, put: &mut PutOne<'a, '_>) -> Option<()> {
    numbers(array, put).or_else(|| words(array, put)).or_else(|| dictionary(array, put))
}

/// Numbers of whatever type; what is not a number is missing.
fn numbers(array: &ArrayRef, put: &mut PutOne) -> Option<()> {
    let number =
        |number: Option<f64>| number.filter(|number| !number.is_nan()).map_or(Cell::Missing, Cell::Number);
    macro_rules! of_type {
        ($($type:ty, $as_number:expr;)*) => {
            $(if let Some(array) = array.as_primitive_opt::<$type>() {
                return Some(array.iter().enumerate().for_each(|(row, value)| put(row, number(value.map($as_number)))));
            })*
        };
    }
    of_type! {
        Float32Type, f64::from;
        Float64Type, f64::from;
        Int64Type, |value| value as f64;
        Int32Type, f64::from;
        Int16Type, f64::from;
        Int8Type, f64::from;
        UInt64Type, |value| value as f64;
        UInt32Type, f64::from;
        UInt16Type, f64::from;
        UInt8Type, f64::from;
        Float16Type, |value| value.to_f64();
    }
    let truths = array.as_boolean_opt()?.iter().enumerate();
    truths.for_each(|(row, value)| put(row, number(value.map(|value| f64::from(u8::from(value))))));
    Some(())
}

fn words<'a>(array: &'a ArrayRef, put: &mut PutOne<'a, '_>) -> Option<()> {
    let mut put_all = |words: &mut dyn Iterator<Item = Option<&'a str>>| {
        words.enumerate().for_each(|(row, word)| put(row, word.map_or(Cell::Missing, Cell::Word)));
    };
    if let Some(words) = array.as_string_opt::<i32>() {
        put_all(&mut words.iter());
    } else if let Some(words) = array.as_string_opt::<i64>() {
        put_all(&mut words.iter());
    } else {
        put_all(&mut array.as_string_view_opt()?.iter());
    }
    Some(())
}

/// Cells by their number in a list of all different ones.
fn dictionary<'a>(array: &'a ArrayRef, put: &mut PutOne<'a, '_>) -> Option<()> {
    let dictionary = array.as_any_dictionary_opt()?;
    let mut values = Vec::with_capacity(dictionary.values().len());
    single(dictionary.values(), &mut |_, cell| values.push(cell))?;
    if values.is_empty() {
        (0..array.len()).for_each(|row| put(row, Cell::Missing));
        return Some(());
    }
    for (row, key) in dictionary.normalized_keys().into_iter().enumerate() {
        let there = values.get(key).filter(|_| !array.is_null(row));
        put(row, there.copied().unwrap_or(Cell::Missing));
    }
    Some(())
}
