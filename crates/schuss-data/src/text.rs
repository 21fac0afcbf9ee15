//! Numbers as people read them, for messages and tables.

use crate::{Error, Result};

/// Digits in groups of three: `31,204`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// The first few, and how many more there are.
pub fn listed(items: impl Iterator<Item = String>, count: usize) -> String {
    const FEW: usize = 8;
    let mut listed = items.take(FEW).collect::<Vec<_>>().join(", ");
    if count > FEW {
        listed.push_str(&format!(" and {} more", grouped(count.saturating_sub(FEW) as u64)));
    }
    listed
}

/// A size in decimal units: `812 bytes`, `6.1 MB`, `12 GB`.
pub fn bytes(size: u64) -> String {
    const UNITS: [(f64, &str); 4] = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let Some((unit, name)) = UNITS.into_iter().find(|(unit, _)| size as f64 >= *unit) else {
        return format!("{size} bytes");
    };
    let value = size as f64 / unit;
    format!("{value:.*} {name}", usize::from(value < 9.95))
}

/// Reads a size: `512MiB`, `2GiB`, `800 MB`, `1e9`, `1073741824`.
///
/// # Errors
/// A usage error for anything else, and for less than a byte.
pub fn parse_bytes(text: &str) -> Result<u64> {
    let refuse =
        || Error::usage(format!("`{text}` is no size")).advise("512MiB, 2GiB, 1e9, or a number of bytes");
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
