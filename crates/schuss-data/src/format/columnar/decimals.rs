//! Decimals: whole numbers of tenths, hundredths and so on, as databases write amounts and keys.

use super::cells::{PutOne, put_all};
use crate::format::table::Cell;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use std::ops::Range;

/// Puts the cells of some rows, if the column holds decimals.
pub(super) fn decimals(array: &ArrayRef, rows: Range<usize>, put: &mut PutOne) -> Option<()> {
    use DataType::{Decimal32, Decimal64, Decimal128, Decimal256};
    let (Decimal32(_, scale) | Decimal64(_, scale) | Decimal128(_, scale) | Decimal256(_, scale)) =
        *array.data_type()
    else {
        return None;
    };
    macro_rules! of_type {
        ($($type:ty, $whole:expr;)*) => {
            $(if let Some(typed) = array.as_primitive_opt::<$type>() {
                let number = |row| Cell::Number(scaled($whole(typed.value(row)), scale));
                return Some(put_all(array, rows, put, number));
            })*
        };
    }
    of_type! {
        Decimal32Type, f64::from;
        Decimal64Type, |value| value as f64;
        Decimal128Type, |value| value as f64;
        // beyond 128 bits, parsing the digits gives the nearest number
        Decimal256Type, |value: <Decimal256Type as arrow_array::ArrowPrimitiveType>::Native| {
            value.to_i128().map_or_else(|| value.to_string().parse().unwrap_or(f64::NAN), |value| value as f64)
        };
    }
    None
}

/// Returns `whole` times 10 to the minus `scale`; powers up to 22 are exact, so that 1234 hundredths equal `12.34`.
fn scaled(whole: f64, scale: i8) -> f64 {
    let power = 10_f64.powi(i32::from(scale.unsigned_abs()));
    if scale < 0 { whole * power } else { whole / power }
}
