//! Dtypes an NPY array may hold, and the conversion of its bytes to numbers.

use crate::offsets::rounded;

/// Type of number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dtype {
    Bool,
    U1,
    U2,
    U4,
    U8,
    I1,
    I2,
    I4,
    I8,
    F2,
    F4,
    F8,
}

/// Dtype and byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    pub(crate) kind: Dtype,
    pub(crate) big: bool,
}

impl Number {
    /// Parses a NumPy `descr`: byte order, letter, bytes.
    pub(super) fn parse(descr: &str) -> Result<Self, String> {
        let order = descr.chars().next().filter(|order| matches!(order, '<' | '>' | '|' | '='));
        let name = descr.strip_prefix(['<', '>', '|', '=']).unwrap_or(descr);
        let kind = match name {
            "b1" => Dtype::Bool,
            "u1" => Dtype::U1,
            "u2" => Dtype::U2,
            "u4" => Dtype::U4,
            "u8" => Dtype::U8,
            "i1" => Dtype::I1,
            "i2" => Dtype::I2,
            "i4" => Dtype::I4,
            "i8" => Dtype::I8,
            "f2" => Dtype::F2,
            "f4" => Dtype::F4,
            "f8" => Dtype::F8,
            _ => return Err(refused(name)),
        };
        Ok(Self { kind, big: order == Some('>') || order == Some('=') && cfg!(target_endian = "big") })
    }

    /// Returns the bytes per number.
    pub(crate) fn size(self) -> usize {
        match self.kind {
            Dtype::Bool | Dtype::U1 | Dtype::I1 => 1,
            Dtype::U2 | Dtype::I2 | Dtype::F2 => 2,
            Dtype::U4 | Dtype::I4 | Dtype::F4 => 4,
            Dtype::U8 | Dtype::I8 | Dtype::F8 => 8,
        }
    }

    /// Returns true for integer types.
    pub(crate) fn is_whole(self) -> bool {
        !matches!(self.kind, Dtype::F2 | Dtype::F4 | Dtype::F8)
    }

    /// Calls `see` with each number in `bytes`; integers beyond 2^53 are rounded.
    pub(crate) fn each(self, bytes: &[u8], see: impl FnMut(f64)) {
        match self.kind {
            Dtype::Bool => self.map(bytes, |[byte]| f64::from(u8::from(byte != 0)), see),
            Dtype::U1 => self.map(bytes, |[byte]| f64::from(byte), see),
            Dtype::U2 => self.map(bytes, |bytes| f64::from(u16::from_le_bytes(bytes)), see),
            Dtype::U4 => self.map(bytes, |bytes| f64::from(u32::from_le_bytes(bytes)), see),
            Dtype::U8 => self.map(bytes, |bytes| u64::from_le_bytes(bytes) as f64, see),
            Dtype::I1 => self.map(bytes, |bytes| f64::from(i8::from_le_bytes(bytes)), see),
            Dtype::I2 => self.map(bytes, |bytes| f64::from(i16::from_le_bytes(bytes)), see),
            Dtype::I4 => self.map(bytes, |bytes| f64::from(i32::from_le_bytes(bytes)), see),
            Dtype::I8 => self.map(bytes, |bytes| i64::from_le_bytes(bytes) as f64, see),
            Dtype::F2 => self.map(bytes, |bytes| half(u16::from_le_bytes(bytes)), see),
            Dtype::F4 => self.map(bytes, |bytes| f64::from(f32::from_le_bytes(bytes)), see),
            Dtype::F8 => self.map(bytes, f64::from_le_bytes, see),
        }
    }

    /// Appends each number in `bytes`, rounded to 32 bits.
    pub(crate) fn push_floats(self, bytes: &[u8], to: &mut Vec<f32>) {
        match self.kind {
            // The usual kind, without a detour.
            Dtype::F4 if !self.big => {
                to.extend(bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)))
            }
            _ => self.each(bytes, |number| to.push(rounded(number, 0.0))),
        }
    }

    /// Calls `see` with each number in `bytes`, exactly, if the type is an integer type.
    pub(crate) fn each_whole(self, bytes: &[u8], mut see: impl FnMut(i128)) {
        match self.kind {
            Dtype::U8 => self.map(bytes, |bytes| i128::from(u64::from_le_bytes(bytes)), see),
            Dtype::I8 => self.map(bytes, |bytes| i128::from(i64::from_le_bytes(bytes)), see),
            #[allow(clippy::cast_possible_truncation, reason = "whole numbers of at most 32 bits")]
            _ if self.is_whole() => self.each(bytes, |number| see(number as i128)),
            _ => {}
        }
    }

    fn map<const SIZE: usize, N>(
        self,
        bytes: &[u8],
        number: impl Fn([u8; SIZE]) -> N,
        mut see: impl FnMut(N),
    ) {
        let (numbers, _) = bytes.as_chunks::<SIZE>();
        for &(mut bytes) in numbers {
            if self.big {
                bytes.reverse();
            }
            see(number(bytes));
        }
    }
}

fn refused(name: &str) -> String {
    match name.chars().next() {
        Some('O') => {
            "holds Python objects (a pickle), which are never loaded: they could run any code".into()
        }
        Some('U' | 'S' | 'a') => "holds text, not numbers".into(),
        Some('c') => "holds complex numbers".into(),
        Some('M' | 'm') => "holds dates, not numbers".into(),
        _ => format!("holds numbers of the unknown kind `{}`", crate::format::table::shown(name)),
    }
}

/// Decodes IEEE 754 binary16: sign, 5 bits of exponent, 10 of fraction.
fn half(bits: u16) -> f64 {
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f64::from(bits & 0x3ff) / 1024.0;
    let magnitude = match exponent {
        0 => fraction / 16_384.0,
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction) * power_of_two(exponent.saturating_sub(15)),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// Returns 2 to the power `exponent`, for -14..=15.
fn power_of_two(exponent: i32) -> f64 {
    f64::from(1_u32 << exponent.clamp(-14, 15).saturating_add(14)) / 16_384.0
}
