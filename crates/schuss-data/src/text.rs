//! Numbers as people read them, for messages and tables.

/// Digits in groups of three: `31,204`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
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

#[cfg(test)]
mod tests {
    use super::*;

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
