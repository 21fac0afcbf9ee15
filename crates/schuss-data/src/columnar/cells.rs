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

/// The cells of a column: one row of them each, or `width` for lists.
pub(super) fn of(array: &ArrayRef, width: usize) -> Result<Vec<Vec<Cell<'_>>>, Wrong> {
    if is_list(array) {
        return lists(array, width);
    }
    let unknown =
        || Wrong { row: 0, what: format!("is a column of {}, which is not read", kind(array.data_type())) };
    Ok(vec![single(array).ok_or_else(unknown)?])
}

fn lists(array: &ArrayRef, width: usize) -> Result<Vec<Vec<Cell<'_>>>, Wrong> {
    let mut cells = vec![Vec::new(); width];
    for row in 0..array.len() {
        let Some(list) = list(array, row) else {
            cells.iter_mut().for_each(|cells| cells.push(Cell::Missing));
            continue;
        };
        if list.len() != width {
            let what = format!("is a list of {} numbers, but the first one of {width}", list.len());
            return Err(Wrong { row, what });
        }
        let numbers = numbers(&list)
            .ok_or_else(|| Wrong { row, what: format!("is a list of {}", kind(list.data_type())) })?;
        cells.iter_mut().zip(numbers).for_each(|(cells, number)| cells.push(number));
    }
    Ok(cells)
}

fn single(array: &ArrayRef) -> Option<Vec<Cell<'_>>> {
    numbers(array).or_else(|| words(array)).or_else(|| dictionary(array))
}

/// Numbers of whatever type; what is not a number is missing.
fn numbers(array: &ArrayRef) -> Option<Vec<Cell<'static>>> {
    let number =
        |number: Option<f64>| number.filter(|number| !number.is_nan()).map_or(Cell::Missing, Cell::Number);
    macro_rules! of_type {
        ($($type:ty, $as_number:expr;)*) => {
            $(if let Some(array) = array.as_primitive_opt::<$type>() {
                return Some(array.iter().map(|value| number(value.map($as_number))).collect());
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
    let truths = array.as_boolean_opt()?;
    Some(truths.iter().map(|value| number(value.map(|value| f64::from(u8::from(value))))).collect())
}

fn words(array: &ArrayRef) -> Option<Vec<Cell<'_>>> {
    fn cells<'a>(words: impl Iterator<Item = Option<&'a str>>) -> Vec<Cell<'a>> {
        words.map(|word| word.map_or(Cell::Missing, Cell::Word)).collect()
    }
    if let Some(words) = array.as_string_opt::<i32>() {
        return Some(cells(words.iter()));
    }
    if let Some(words) = array.as_string_opt::<i64>() {
        return Some(cells(words.iter()));
    }
    array.as_string_view_opt().map(|words| cells(words.iter()))
}

/// Cells by their number in a list of all different ones.
fn dictionary(array: &ArrayRef) -> Option<Vec<Cell<'_>>> {
    let dictionary = array.as_any_dictionary_opt()?;
    let values = single(dictionary.values())?;
    if values.is_empty() {
        return Some(vec![Cell::Missing; array.len()]);
    }
    let cell = |(row, key): (usize, usize)| match array.is_null(row) {
        true => Cell::Missing,
        false => values.get(key).copied().unwrap_or(Cell::Missing),
    };
    Some(dictionary.normalized_keys().into_iter().enumerate().map(cell).collect())
}
