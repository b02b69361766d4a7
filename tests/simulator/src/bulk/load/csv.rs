//! CSV as loads have it. How a file is refused follows the reader that Salesforce published with its Bulk client
//! (`com.sforce.async.CSVReader`), whose words its servers use.

use std::borrow::Cow;
use std::io;

use memchr::{memchr, memchr_iter, memchr2_iter};

use crate::web::Spooled;

/// Bytes that are looked at in one piece.
const PIECE: usize = 1024 * 1024;
/// Characters of a value, of a record, and of the header; columns. (Bulk API 2.0 limits.)
const LONGEST_VALUE: usize = 32_000;
const LONGEST_ROW: usize = 400_000;
const LONGEST_HEADER: usize = 32_000;
const MOST_COLUMNS: usize = 5_000;

/// How a file is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) delimiter: u8,
    /// What lines have to end with; none where either is taken, as Bulk 1.0 does.
    pub(crate) crlf: Option<bool>,
    /// A value may have a line break of the other kind in it. [K]: the guide's example has one, some report failures.
    pub(crate) free_values: bool,
}

/// Where the rows of a file are.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    pub(crate) names: Vec<String>,
    /// Where each row begins, and behind the last one the end of the file.
    starts: Vec<u32>,
}

impl Scanned {
    /// How many rows there are below the header.
    pub(crate) fn rows(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The bytes of some rows: where they begin, and how many there are.
    pub(crate) fn place(&self, rows: std::ops::Range<usize>) -> (u64, usize) {
        let from = self.starts[rows.start];
        (u64::from(from), (self.starts[rows.end] - from) as usize)
    }

    /// One row of bytes that begin with row `first`, without its line ending.
    pub(crate) fn row<'a>(&self, piece: &'a [u8], first: usize, row: usize) -> &'a [u8] {
        let base = self.starts[first];
        let row = &piece[(self.starts[row] - base) as usize..(self.starts[row + 1] - base) as usize];
        trim(row)
    }
}

/// Rows without line endings and blank lines behind them. A value that ends with a line break has a quote behind it.
fn trim(row: &[u8]) -> &[u8] {
    let end = row.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |at| at + 1);
    &row[..end]
}

/// Finds the rows of a file. The error is what the job says that fails of it.
pub(crate) fn scan(file: &Spooled, layout: Layout) -> Result<Scanned, String> {
    let unreadable = |error: io::Error| format!("InternalServerError : {error}");
    let mut found = Scanned::default();
    let (mut at, mut start, mut quoted, mut last) = (0_u64, 0_u64, false, 0_u8);
    let mut header = None;
    loop {
        let piece = file.read_at(at, PIECE).map_err(unreadable)?;
        if piece.is_empty() {
            break;
        }
        for hit in memchr2_iter(b'"', b'\n', &piece) {
            if piece[hit] == b'"' {
                quoted = !quoted;
                continue;
            }
            let before = if hit > 0 { piece[hit - 1] } else { last };
            check_ending(layout, before, quoted)?;
            if quoted {
                continue;
            }
            let end = at + hit as u64;
            let begins = std::mem::replace(&mut start, end + 1);
            end_row(&mut found, &mut header, begins, end - u64::from(before == b'\r' && end > begins));
            if end - begins > LONGEST_VALUE as u64 {
                check_long(file, layout, begins, end)?;
            }
        }
        last = piece[piece.len() - 1];
        at += piece.len() as u64;
    }
    if quoted {
        return Err(parse_error("EOF reached before closing an opened quote"));
    }
    end_row(&mut found, &mut header, start, at);
    if at > start && at - start > LONGEST_VALUE as u64 {
        check_long(file, layout, start, at)?;
    }
    let Some((from, to)) = header else { return Ok(found) };
    found.starts.push(u32::try_from(at).unwrap_or(u32::MAX));
    let line = file.read_at(from, usize::try_from(to - from).unwrap_or(usize::MAX)).map_err(unreadable)?;
    let line = String::from_utf8_lossy(trim(&line)).into_owned();
    if line.chars().count() > LONGEST_HEADER {
        return Err(parse_error(&format!("Exceeded max length for one record: {}", line.chars().count())));
    }
    let mut values = Vec::new();
    split(&line, layout.delimiter, &mut values).map_err(parse_error)?;
    if values.len() > MOST_COLUMNS {
        return Err(parse_error(&format!("Exceeded max number of columns per record : {MOST_COLUMNS}")));
    }
    found.names = values.into_iter().map(Cow::into_owned).collect();
    Ok(found)
}

fn parse_error(message: &str) -> String {
    format!("InvalidBatch : Failed to parse CSV. {message}")
}

fn check_ending(layout: Layout, before: u8, quoted: bool) -> Result<(), String> {
    let Some(crlf) = layout.crlf.filter(|_| !(quoted && layout.free_values)) else { return Ok(()) };
    if crlf == (before == b'\r') {
        return Ok(());
    }
    let name = if crlf { "CRLF" } else { "LF" };
    // the words of jobs that failed of it
    Err(format!(
        "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {name}"
    ))
}

/// Notes a row; the first one is the header, and blank lines are none.
fn end_row(found: &mut Scanned, header: &mut Option<(u64, u64)>, begins: u64, end: u64) {
    if end <= begins {
        return;
    }
    if header.is_none() {
        *header = Some((begins, end));
        return;
    }
    found.starts.push(u32::try_from(begins).unwrap_or(u32::MAX));
}

/// Holds a row that is long against the limits.
fn check_long(file: &Spooled, layout: Layout, begins: u64, end: u64) -> Result<(), String> {
    let row = file.read_at(begins, usize::try_from(end - begins).unwrap_or(usize::MAX));
    let row = row.map_err(|error| format!("InternalServerError : {error}"))?;
    let text = String::from_utf8_lossy(&row);
    let mut values = Vec::new();
    if split(text.trim_end(), layout.delimiter, &mut values).is_err() {
        // told of the row by itself
        return Ok(());
    }
    let lengths: Vec<usize> = values.iter().map(|value| value.chars().count()).collect();
    if let Some(length) = lengths.iter().find(|length| **length > LONGEST_VALUE) {
        return Err(parse_error(&format!("Exceeded max field size: {length}")));
    }
    let length: usize = lengths.iter().sum();
    if length > LONGEST_ROW {
        let message = format!(
            "Exceeded max length for one record: {length}. Max length for one record should be less than or equal to \
             {LONGEST_ROW}"
        );
        return Err(parse_error(&message));
    }
    Ok(())
}

/// The values of a row. The error is what is wrong with it.
pub(crate) fn split<'a>(
    row: &'a str,
    delimiter: u8,
    values: &mut Vec<Cow<'a, str>>,
) -> Result<(), &'static str> {
    values.clear();
    let bytes = row.as_bytes();
    let mut at = 0;
    loop {
        if bytes.get(at) == Some(&b'"') {
            let (value, end) = quoted(row, at + 1)?;
            values.push(value);
            match bytes.get(end) {
                None => return Ok(()),
                Some(byte) if *byte == delimiter => at = end + 1,
                Some(_) => return Err("Not expecting more text after end quote"),
            }
        } else {
            let end = memchr(delimiter, &bytes[at..]).map_or(bytes.len(), |found| at + found);
            if memchr(b'"', &bytes[at..end]).is_some() {
                return Err("Found unescaped quote. A value with quote should be within a quote");
            }
            values.push(Cow::Borrowed(&row[at..end]));
            if end == bytes.len() {
                return Ok(());
            }
            at = end + 1;
        }
    }
}

/// A value that began with a quote before `from`, and where it ends.
fn quoted(row: &str, from: usize) -> Result<(Cow<'_, str>, usize), &'static str> {
    let bytes = row.as_bytes();
    let mut doubled = false;
    let mut quotes = memchr_iter(b'"', &bytes[from..]).map(|found| from + found).peekable();
    while let Some(quote) = quotes.next() {
        if quotes.next_if_eq(&(quote + 1)).is_some() {
            doubled = true;
            continue;
        }
        let value = &row[from..quote];
        let value = if doubled { Cow::Owned(value.replace("\"\"", "\"")) } else { Cow::Borrowed(value) };
        return Ok((value, quote + 1));
    }
    Err("EOF reached before closing an opened quote")
}

/// Writes a value in quotes.
fn write_value(value: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = value.as_bytes();
    while let Some(quote) = memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=quote]);
        out.push(b'"');
        rest = &rest[quote + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Writes a row, every value in quotes.
pub(crate) fn write_values<'a>(
    values: impl Iterator<Item = &'a str>,
    delimiter: u8,
    crlf: bool,
    out: &mut Vec<u8>,
) {
    for (number, value) in values.enumerate() {
        if number > 0 {
            out.push(delimiter);
        }
        write_value(value, out);
    }
    out.extend_from_slice(if crlf { b"\r\n" } else { b"\n" });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LF: Layout = Layout { delimiter: b',', crlf: Some(false), free_values: true };

    fn scanned(text: &str, layout: Layout) -> Result<Vec<String>, String> {
        let file = Spooled::of(text.to_owned().into());
        let found = scan(&file, layout)?;
        if found.rows() == 0 {
            return Ok(Vec::new());
        }
        let (from, bytes) = found.place(0..found.rows());
        let piece = file.read_at(from, bytes).unwrap();
        let row = |row| String::from_utf8(found.row(&piece, 0, row).to_vec()).unwrap();
        Ok((0..found.rows()).map(row).collect())
    }

    #[test]
    fn rows_are_found_and_blank_lines_are_none() {
        let found = scanned("Name,B\na,1\n\n\"b\nc\",\"2\"\"\"\n\nd,3", LF).unwrap();
        assert_eq!(found, ["a,1", "\"b\nc\",\"2\"\"\"", "d,3"]);
        assert_eq!(scanned("Name\n", LF).unwrap(), [] as [&str; 0]);
        assert_eq!(scanned("", LF).unwrap(), [] as [&str; 0]);
        let crlf = Layout { crlf: Some(true), ..LF };
        assert_eq!(scanned("Name\r\na\r\n\"b\nc\"\r\n", crlf).unwrap(), ["a", "\"b\nc\""]);
        for (text, layout) in [("Name\r\na\r\n", LF), ("Name\na\n", crlf)] {
            assert!(
                scanned(text, layout).unwrap_err().starts_with("ClientInputError : LineEnding is invalid")
            );
        }
        let strict = Layout { free_values: false, ..LF };
        assert!(
            scanned("Name\n\"a\r\nb\"\n", strict).is_err() && scanned("Name\n\"a\nb\"\n", strict).is_ok()
        );
        let either = Layout { crlf: None, ..LF };
        assert_eq!(scanned("Name\r\na\nb\r\n", either).unwrap(), ["a", "b"]);
    }

    #[test]
    fn what_is_too_long_or_open_fails() {
        let long = "x".repeat(32_001);
        assert!(scanned(&format!("A\n{long}\n"), LF).unwrap_err().contains("max field size: 32001"));
        assert!(scanned(&format!("A\n{}\n", &long[1..]), LF).is_ok());
        let row = vec![&long[1..]; 13].join(",");
        assert!(scanned(&format!("A\n{row}\n"), LF).unwrap_err().contains("one record: 416000"));
        assert!(scanned("A\n\"b\n", LF).unwrap_err().contains("EOF reached"));
        let wide = vec!["A"; 5_001].join(",");
        assert!(scanned(&format!("{wide}\n1\n"), LF).unwrap_err().contains("columns per record : 5000"));
    }

    #[test]
    fn spaces_are_kept_and_quotes_stand_alone() {
        let values = |row| {
            let mut values = Vec::new();
            split(row, b',', &mut values).map(|()| values)
        };
        assert_eq!(values("John, Smith,").unwrap(), ["John", " Smith", ""]);
        assert_eq!(values("\"a\"\"b\",\"\"").unwrap(), ["a\"b", ""]);
        for wrong in ["\"John\", \"Smith\"", "\"John\" ,Smith", "a\"b"] {
            assert!(values(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(rows in proptest::collection::vec(proptest::collection::vec("[a,\"\n;é]{0,6}", 2), 1..20)) {
            let mut text = Vec::new();
            write_values(["A", "B"].into_iter(), b',', false, &mut text);
            for row in &rows {
                write_values(row.iter().map(String::as_str), b',', false, &mut text);
            }
            let found = scanned(std::str::from_utf8(&text).unwrap(), LF).unwrap();
            prop_assert_eq!(found.len(), rows.len());
            for (found, row) in found.iter().zip(&rows) {
                let mut values = Vec::new();
                split(found, b',', &mut values).unwrap();
                prop_assert_eq!(&values, row);
            }
        }
    }
}
