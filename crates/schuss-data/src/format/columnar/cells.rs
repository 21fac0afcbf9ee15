//! Conversion of a batch's columns to cells.

use super::decimals::decimals;
use super::kind;
use crate::format::table::Cell;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use std::ops::Range;

/// Row of a batch that does not fit, and the reason.
pub(super) struct Wrong {
    pub(super) row: usize,
    pub(super) what: String,
}

/// Returns true if columns of a type are supported.
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
    let plain = kind.is_numeric() || matches!(kind, DataType::Boolean | DataType::Null);
    plain || unit(kind).is_some()
}

/// Returns the unit of a column of dates or times: as in a text, days for dates and seconds for times.
pub(super) fn unit(kind: &DataType) -> Option<&'static str> {
    match kind {
        DataType::Date32 | DataType::Date64 => Some("days since 1970"),
        DataType::Timestamp(..) => Some("seconds since 1970, UTC"),
        DataType::Time32(_) | DataType::Time64(_) => Some("seconds of the day"),
        DataType::Duration(_) => Some("seconds"),
        DataType::Dictionary(_, values) => unit(values),
        _ => None,
    }
}

/// Returns the length of the first list of a column of lists.
pub(super) fn first_length(array: &ArrayRef) -> Option<usize> {
    (0..array.len()).find_map(|row| list(array, row)).map(|list| list.len())
}

/// Returns the list in a row, unless it is null.
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

/// Receiver of a cell, by its row among those requested, and its place among the column's cells in that row.
pub(super) type Put<'a, 'b> = dyn FnMut(usize, usize, Cell<'a>) + 'b;
/// Receiver of a cell, by its row among those requested.
pub(super) type PutOne<'a, 'b> = dyn FnMut(usize, Cell<'a>) + 'b;

/// Puts the cells of a column in some of its rows: one per row, or `width` of them for lists.
pub(super) fn each<'a>(
    array: &'a ArrayRef,
    rows: Range<usize>,
    width: usize,
    put: &mut Put<'a, '_>,
) -> Result<(), Wrong> {
    if is_list(array) {
        return lists(array, rows, width, put);
    }
    let unknown = || Wrong {
        row: 0,
        what: format!("is a column of {}, which is not supported", kind(array.data_type())),
    };
    single(array, rows, &mut |row, cell| put(row, 0, cell)).ok_or_else(unknown)
}

fn lists(array: &ArrayRef, rows: Range<usize>, width: usize, put: &mut Put) -> Result<(), Wrong> {
    for (to, row) in rows.enumerate() {
        let Some(list) = list(array, row) else {
            (0..width).for_each(|at| put(to, at, Cell::NULL));
            continue;
        };
        if list.len() != width {
            let what = format!("is a list of {} numbers, but the first list has {width}", list.len());
            return Err(Wrong { row, what });
        }
        all_numbers(&list, 0..width, &mut |at, number| put(to, at, number))
            .ok_or_else(|| Wrong { row, what: format!("is a list of {}", kind(list.data_type())) })?;
    }
    Ok(())
}

fn single<'a>(array: &'a ArrayRef, rows: Range<usize>, put: &mut PutOne<'a, '_>) -> Option<()> {
    all_numbers(array, rows.clone(), put)
        .or_else(|| words(array, rows.clone(), put))
        .or_else(|| dictionary(array, rows, put))
}

/// Puts the cells of any type that becomes numbers.
fn all_numbers(array: &ArrayRef, rows: Range<usize>, put: &mut PutOne) -> Option<()> {
    numbers(array, rows.clone(), put)
        .or_else(|| decimals(array, rows.clone(), put))
        .or_else(|| times(array, rows, put))
}

/// Puts the cells of some rows, with nulls as missing.
pub(super) fn put_all<'a>(
    array: &ArrayRef,
    rows: Range<usize>,
    put: &mut PutOne<'a, '_>,
    cell: impl Fn(usize) -> Cell<'a>,
) {
    let nulls = array.nulls();
    for (to, row) in rows.enumerate() {
        let is_there = nulls.is_none_or(|nulls| nulls.is_valid(row));
        put(to, if is_there { cell(row) } else { Cell::NULL });
    }
}

/// Puts numbers of any type; NaN is missing.
fn numbers(array: &ArrayRef, rows: Range<usize>, put: &mut PutOne) -> Option<()> {
    let cell = |number: f64| if number.is_nan() { Cell::NULL } else { Cell::Number(number) };
    macro_rules! of_type {
        ($($type:ty, $as_number:expr;)*) => {
            $(if let Some(typed) = array.as_primitive_opt::<$type>() {
                return Some(put_all(array, rows, put, |row| cell($as_number(typed.value(row)))));
            })*
        };
    }
    of_type! {
        Float32Type, f64::from;
        Float64Type, f64::from;
        Int32Type, f64::from;
        Int16Type, f64::from;
        Int8Type, f64::from;
        UInt32Type, f64::from;
        UInt16Type, f64::from;
        UInt8Type, f64::from;
        Float16Type, f64::from;
    }
    if let Some(typed) = array.as_primitive_opt::<Int64Type>() {
        let cell = |value: i64| whole(value.unsigned_abs(), value < 0);
        put_all(array, rows, put, |row| cell(typed.value(row)));
        return Some(());
    }
    if let Some(typed) = array.as_primitive_opt::<UInt64Type>() {
        put_all(array, rows, put, |row| whole(typed.value(row), false));
        return Some(());
    }
    if *array.data_type() == DataType::Null {
        rows.enumerate().for_each(|(to, _)| put(to, Cell::NULL));
        return Some(());
    }
    let truths = array.as_boolean_opt()?;
    put_all(array, rows, put, |row| cell(f64::from(u8::from(truths.value(row)))));
    Some(())
}

/// Returns a whole number, with all of its digits.
fn whole<'a>(magnitude: u64, is_negative: bool) -> Cell<'a> {
    match magnitude < 1 << 53 {
        true if is_negative => Cell::Number(-(magnitude as f64)),
        true => Cell::Number(magnitude as f64),
        false => Cell::Whole { magnitude, is_negative },
    }
}

/// Puts dates in days since 1970, and all else in seconds; a timestamp's time zone only affects its display.
fn times(array: &ArrayRef, rows: Range<usize>, put: &mut PutOne) -> Option<()> {
    macro_rules! of_type {
        ($($type:ty, $cell:expr, $in_unit:expr;)*) => {
            $(if let Some(typed) = array.as_primitive_opt::<$type>() {
                let cell = |row| $cell(typed.value(row) as f64 / $in_unit);
                return Some(put_all(array, rows, put, cell));
            })*
        };
    }
    let date = |days: f64| Cell::Moment { seconds: days * 86_400.0, is_date: true };
    let moment = |seconds: f64| Cell::Moment { seconds, is_date: false };
    of_type! {
        Date32Type, date, 1.0;
        Date64Type, date, 86_400e3;
        TimestampSecondType, moment, 1.0;
        TimestampMillisecondType, moment, 1e3;
        TimestampMicrosecondType, moment, 1e6;
        TimestampNanosecondType, moment, 1e9;
        Time32SecondType, Cell::Number, 1.0;
        Time32MillisecondType, Cell::Number, 1e3;
        Time64MicrosecondType, Cell::Number, 1e6;
        Time64NanosecondType, Cell::Number, 1e9;
        DurationSecondType, Cell::Number, 1.0;
        DurationMillisecondType, Cell::Number, 1e3;
        DurationMicrosecondType, Cell::Number, 1e6;
        DurationNanosecondType, Cell::Number, 1e9;
    }
    None
}

fn words<'a>(array: &'a ArrayRef, rows: Range<usize>, put: &mut PutOne<'a, '_>) -> Option<()> {
    if let Some(words) = array.as_string_opt::<i32>() {
        put_all(array, rows, put, |row| Cell::Word(words.value(row)));
    } else if let Some(words) = array.as_string_opt::<i64>() {
        put_all(array, rows, put, |row| Cell::Word(words.value(row)));
    } else {
        let words = array.as_string_view_opt()?;
        put_all(array, rows, put, |row| Cell::Word(words.value(row)));
    }
    Some(())
}

/// Puts dictionary-encoded cells.
fn dictionary<'a>(array: &'a ArrayRef, rows: Range<usize>, put: &mut PutOne<'a, '_>) -> Option<()> {
    let dictionary = array.as_any_dictionary_opt()?;
    let mut values = Vec::with_capacity(dictionary.values().len());
    single(dictionary.values(), 0..dictionary.values().len(), &mut |_, cell| values.push(cell))?;
    if values.is_empty() {
        rows.enumerate().for_each(|(to, _)| put(to, Cell::NULL));
        return Some(());
    }
    let some = array.slice(rows.start, rows.len());
    for (to, key) in some.as_any_dictionary_opt()?.normalized_keys().into_iter().enumerate() {
        let there = values.get(key).filter(|_| !some.is_null(to));
        put(to, there.copied().unwrap_or(Cell::NULL));
    }
    Some(())
}
