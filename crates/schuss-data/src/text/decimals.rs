//! Decimals appended to text: the digits of the standard library's formatting in a fraction of its time.

use std::fmt::Write;

/// Digits of the largest `u64`.
const DIGITS: usize = 20;

/// Appends `number` like `{}`.
pub fn push_whole(text: &mut String, number: u64) {
    push_digits(text, number, 1);
}

/// Appends `number` like `{:.6}`: exact, with ties to even.
pub fn push_millionths(text: &mut String, number: f32) {
    const ONE: u64 = 1_000_000;
    const BOUND: f32 = 1e9; // times 1e6 far below 2^53
    if !(number.is_sign_positive() && number < BOUND) {
        let _ = write!(text, "{number:.6}");
        return;
    }
    // Exact: 24 bits of the number and 14 of 5^6.
    let millionths = (f64::from(number) * ONE as f64).round_ties_even() as u64;
    push_digits(text, millionths / ONE, 1);
    text.push('.');
    push_digits(text, millionths % ONE, 6);
}

/// Appends a number with the fewest digits that identify it at its precision.
pub fn push_shortest(text: &mut String, number: f64) {
    let narrow = number as f32;
    let _ = if f64::from(narrow) == number { write!(text, "{narrow}") } else { write!(text, "{number}") };
}

/// Appends at least `least` digits of `number`.
fn push_digits(text: &mut String, mut number: u64, least: usize) {
    let mut digits = [b'0'; DIGITS];
    let mut from = DIGITS;
    while number > 0 {
        from -= 1;
        digits[from] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    let shown = &digits[from.min(DIGITS - least)..];
    text.push_str(std::str::from_utf8(shown).unwrap_or_default()); // digits are UTF-8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_the_digits_of_the_standard_library() {
        let powers = (0..20).flat_map(|power| [10u64.pow(power), 10u64.pow(power) - 1]);
        for number in powers.chain([0, 7, 4_294_967_296, u64::MAX]) {
            let mut text = String::from("x");
            push_whole(&mut text, number);
            assert_eq!(text, format!("x{number}"));
        }
    }

    #[test]
    fn millionths_have_the_digits_of_the_standard_library_at_ties_too() {
        let ties = (0..1 << 12).map(|k| k as f32 / 2048.0 / 8.0);
        let spread = (0..200_000u32).map(|k| f32::from_bits(k.wrapping_mul(2_654_435_761)));
        let small = (0..200_000u32).map(|k| f32::from_bits(0x3000_0000 + k * 1_347));
        let special =
            [0.0, -0.0, 1.0, f32::MIN_POSITIVE, f32::NAN, f32::INFINITY, f32::MAX, 999_999_999.0, 1e9];
        for number in ties.chain(spread).chain(small).chain(special) {
            let mut text = String::new();
            push_millionths(&mut text, number);
            assert_eq!(text, format!("{number:.6}"), "{:x}", number.to_bits());
        }
    }
}
