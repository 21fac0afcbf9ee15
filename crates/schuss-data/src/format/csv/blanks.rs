//! Lines whose cells are separated by runs of spaces and tabs.

/// Splits a line into cells: their concatenated `bytes`, and the `ends` of each. A cell in double quotes may hold
/// blanks; a double quote in it is doubled.
pub(super) fn split(line: &[u8], bytes: &mut Vec<u8>, ends: &mut Vec<usize>) {
    bytes.clear();
    ends.clear();
    let mut rest = line.trim_ascii();
    while !rest.is_empty() {
        rest = match rest.strip_prefix(b"\"") {
            Some(quoted) => take_quoted(quoted, bytes),
            None => take_plain(rest, bytes),
        };
        ends.push(bytes.len());
        rest = rest.trim_ascii_start();
    }
}

fn take_plain<'a>(text: &'a [u8], bytes: &mut Vec<u8>) -> &'a [u8] {
    let length = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    let (cell, rest) = text.split_at_checked(length).unwrap_or((text, &[]));
    bytes.extend_from_slice(cell);
    rest
}

fn take_quoted<'a>(mut text: &'a [u8], bytes: &mut Vec<u8>) -> &'a [u8] {
    while let Some(length) = text.iter().position(|byte| *byte == b'"') {
        let (cell, rest) = text.split_at_checked(length).unwrap_or((text, &[]));
        bytes.extend_from_slice(cell);
        match rest.strip_prefix(b"\"\"") {
            Some(rest) => {
                bytes.push(b'"');
                text = rest;
            }
            None => return rest.get(1..).unwrap_or_default(),
        }
    }
    bytes.extend_from_slice(text);
    &[]
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    #[test]
    fn runs_of_blanks_separate_cells_and_quotes_keep_them_together() {
        let cells = |line: &str| {
            let (mut bytes, mut ends) = (vec![], vec![]);
            super::split(line.as_bytes(), &mut bytes, &mut ends);
            let starts = std::iter::once(0).chain(ends.iter().copied());
            let cells = starts
                .zip(&ends)
                .map(|(start, &end)| String::from_utf8_lossy(&bytes[start..end]).into_owned());
            cells.collect::<Vec<_>>()
        };
        assert_eq!(cells("  1.5   2\t x  "), ["1.5", "2", "x"]);
        assert_eq!(cells("\"a b\" \"say \"\"x\"\"\" 3"), ["a b", "say \"x\"", "3"]);
        assert_eq!(cells("\"open 1"), ["open 1"]);
        assert!(cells("  ").is_empty());
    }
}
