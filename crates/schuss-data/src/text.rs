//! Human-readable numbers and system errors, for messages and tables.

mod decimals;

pub use decimals::{push_millionths, push_shortest, push_whole};

use crate::{Error, Result};
use std::io;
use std::time::Duration;

/// Formats a number with digits in groups of three: `31,204`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// Formats a number with this many significant digits, and with a power of ten if it is very large or small:
/// `0.693147`, `1.23457e9`, `3.4e-12`.
pub fn significant(number: f64, digits: usize) -> String {
    let (size, digits) = (number.abs(), digits.max(1));
    if size >= 10f64.powi(digits as i32) || (size > 0.0 && size < 1e-4) {
        return with_power(number, digits);
    }
    let before = if size >= 1.0 { size.log10().floor() as usize + 1 } else { 0 };
    let leading = if size > 0.0 && size < 1.0 { (-size.log10()).ceil() as usize - 1 } else { 0 };
    format!("{number:.*}", (digits + leading).saturating_sub(before.max(usize::from(size == 0.0))))
}

/// As [`significant`], without trailing zeros: `0.1`, `1e-17`.
pub fn brief(number: f64, digits: usize) -> String {
    let text = significant(number, digits);
    match text.contains('.') && !text.contains('e') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn with_power(number: f64, digits: usize) -> String {
    let text = format!("{number:.*e}", digits - 1);
    match text.split_once('e') {
        Some((mantissa, power)) if mantissa.contains('.') => {
            format!("{}e{power}", mantissa.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

/// Joins the first few items, and adds how many more there are.
pub fn listed(items: impl Iterator<Item = String>, count: usize) -> String {
    const FEW: usize = 8;
    let mut listed = items.take(FEW).collect::<Vec<_>>().join(", ");
    if count > FEW {
        listed.push_str(&format!(" and {} more", grouped(count.saturating_sub(FEW) as u64)));
    }
    listed
}

/// Replaces control characters, since names from files could otherwise send commands to the terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Formats a size in decimal units: `812 bytes`, `6.1 MB`, `12 GB`.
pub fn bytes(size: u64) -> String {
    const UNITS: [(f64, &str); 4] = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let Some((unit, name)) = UNITS.into_iter().find(|(unit, _)| size as f64 >= *unit) else {
        return format!("{size} bytes");
    };
    let value = size as f64 / unit;
    format!("{value:.*} {name}", usize::from(value < 9.95))
}

/// Describes a system error in plain words: `no such file or folder`.
pub fn plain_io(error: &io::Error) -> String {
    use io::ErrorKind;
    let plain = match error.kind() {
        ErrorKind::NotFound => "no such file or folder",
        ErrorKind::PermissionDenied => "permission denied",
        ErrorKind::StorageFull => "the disk is full",
        ErrorKind::QuotaExceeded => "the disk quota is used up",
        ErrorKind::ReadOnlyFilesystem => "the disk is read-only",
        ErrorKind::AlreadyExists => "it already exists",
        ErrorKind::IsADirectory => "it is a folder",
        ErrorKind::NotADirectory => "a part of the path is not a folder",
        ErrorKind::UnexpectedEof => "it ends too early",
        ErrorKind::InvalidFilename => "the name is too long or not allowed here",
        _ => return without_code(&error.to_string()),
    };
    // an error of our own is more precise than its kind
    if error.get_ref().is_some() { without_code(&error.to_string()) } else { plain.to_owned() }
}

/// Turns `Too many open files (os error 24)` into `too many open files`.
fn without_code(text: &str) -> String {
    let text = text.split(" (os error").next().unwrap_or(text);
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_lowercase().collect::<String>()).unwrap_or_default();
    first + letters.as_str()
}

/// Parses a time: `90s`, `10m` or `10min`, `1.5h`.
///
/// # Errors
/// A usage error for anything else, zero and times of more than a year.
pub fn parse_time(text: &str) -> Result<Duration> {
    let refuse = || Error::usage(format!("`{text}` is not a time")).advise("90s, 10m or 1.5h");
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(char::is_alphabetic).ok_or_else(refuse)?);
    let seconds = match unit {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        _ => return Err(refuse()),
    };
    let time = number.trim().parse::<f64>().map_err(|_| refuse())? * seconds;
    if time > 0.0 && time <= 366.0 * 86_400.0 { Ok(Duration::from_secs_f64(time)) } else { Err(refuse()) }
}

/// Parses a size: `512MiB`, `2GiB`, `800 MB`, `1e9`, `1073741824`.
///
/// # Errors
/// A usage error for anything else, and for less than a byte.
pub fn parse_bytes(text: &str) -> Result<u64> {
    let refuse =
        || Error::usage(format!("`{text}` is not a size")).advise("512MiB, 2GiB, 1e9, or a number of bytes");
    const UNITS: [(&str, f64); 9] = [
        ("kib", 1024.0),
        ("mib", 1_048_576.0),
        ("gib", 1_073_741_824.0),
        ("tib", 1_099_511_627_776.0),
        ("kb", 1e3),
        ("mb", 1e6),
        ("gb", 1e9),
        ("tb", 1e12),
        ("", 1.0),
    ];
    let typed = text.trim().to_lowercase();
    let unit = UNITS.iter().find_map(|(unit, bytes)| Some((typed.strip_suffix(unit)?, *bytes)));
    let (number, unit) = unit.ok_or_else(refuse)?;
    let number: f64 = number.trim().parse().map_err(|_| refuse())?;
    let bytes = number * unit;
    if (1.0..9e18).contains(&bytes) { Ok(bytes as u64) } else { Err(refuse()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        let cases = [("90s", 90.0), ("10m", 600.0), ("2 min", 120.0), ("1.5h", 5_400.0), ("0.25s", 0.25)];
        for (text, seconds) in cases {
            assert_eq!(parse_time(text).unwrap(), Duration::from_secs_f64(seconds), "{text}");
        }
        for text in ["", "10", "s", "0s", "-1m", "nan s", "inf s", "10 days", "9000h", "1m30s"] {
            assert_eq!(parse_time(text).unwrap_err().exit_code(), 2, "{text}");
        }
    }

    #[test]
    fn the_system_is_quoted_in_plain_words() {
        let cases = [
            (io::Error::from_raw_os_error(2), "no such file or folder"),
            (io::ErrorKind::NotFound.into(), "no such file or folder"),
            (io::Error::from_raw_os_error(13), "permission denied"),
            (io::Error::from_raw_os_error(24), "too many open files"),
            (io::Error::other("it is not a regular file"), "it is not a regular file"),
            (
                io::Error::new(io::ErrorKind::UnexpectedEof, "it is shorter than it was"),
                "it is shorter than it was",
            ),
        ];
        for (error, expected) in cases {
            assert_eq!(plain_io(&error), expected);
        }
    }

    #[test]
    fn losses_have_six_digits_at_most_and_powers_of_ten_where_needed() {
        let six = |number| significant(number, 6);
        assert_eq!([0.693_247_18, 12.345_678_9, 123_456.0].map(six), ["0.693247", "12.3457", "123456"]);
        assert_eq!([1_234_567_890.0, 3.4e-12, -2e7].map(six), ["1.23457e9", "3.4e-12", "-2e7"]);
        assert_eq!([0.0, 0.012_345_678, 1.0].map(six), ["0.00000", "0.0123457", "1.00000"]);
        assert_eq!([0.1, 1e-17, 500.0, 0.0].map(|number| brief(number, 3)), ["0.1", "1e-17", "500", "0"]);
    }

    #[test]
    fn sizes_are_read_in_binary_and_decimal_units() {
        let expected = [
            ("512MiB", 512 << 20),
            ("2 GiB", 2 << 30),
            ("1e9", 1_000_000_000),
            ("800mb", 800_000_000),
            ("7", 7),
        ];
        for (text, size) in expected {
            assert_eq!(parse_bytes(text).unwrap(), size, "{text}");
        }
        for text in ["", "MiB", "-1", "0", "nan", "inf", "1e30", "12 parsecs"] {
            assert_eq!(parse_bytes(text).unwrap_err().exit_code(), 2, "{text}");
        }
    }

    #[test]
    fn long_numbers_are_grouped_by_three() {
        let expected =
            [(0, "0"), (999, "999"), (1_000, "1,000"), (31_204, "31,204"), (1 << 32, "4,294,967,296")];
        for (number, text) in expected {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn sizes_have_two_digits_and_a_unit() {
        let expected =
            [(812, "812 bytes"), (6_100_000, "6.1 MB"), (9_960_000, "10 MB"), (12_000_000_000, "12 GB")];
        for (size, text) in expected {
            assert_eq!(bytes(size), text);
        }
    }
}
