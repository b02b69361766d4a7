//! A page of results as CSV, and the names of its forms in the API.

use std::io::{self, Write};

use crate::soql::{CsvForm, Cursor};

/// Bytes that are gathered before they are handed on.
const PIECE: usize = 128 * 1024;
/// Rows that tell the size of all.
const SAMPLE: u64 = 200;

const DELIMITERS: [(&str, u8); 6] = [
    ("BACKQUOTE", b'`'),
    ("CARET", b'^'),
    ("COMMA", b','),
    ("PIPE", b'|'),
    ("SEMICOLON", b';'),
    ("TAB", b'\t'),
];

/// Delimiter and line ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    delimiter: u8,
    crlf: bool,
}

impl Format {
    /// The format by its names in the API; COMMA and LF if none are given.
    pub(super) fn named(delimiter: Option<&str>, ending: Option<&str>) -> Option<Self> {
        let wanted = delimiter.unwrap_or("COMMA");
        let (_, delimiter) = DELIMITERS.iter().find(|(name, _)| *name == wanted)?;
        let crlf = match ending.unwrap_or("LF") {
            "LF" => false,
            "CRLF" => true,
            _ => return None,
        };
        Some(Self { delimiter: *delimiter, crlf })
    }

    fn form(self) -> CsvForm {
        CsvForm { delimiter: self.delimiter, crlf: self.crlf }
    }

    /// The byte between values.
    pub(super) fn delimiter(self) -> u8 {
        self.delimiter
    }

    /// Whether lines end with CRLF.
    pub(super) fn is_crlf(self) -> bool {
        self.crlf
    }

    /// `COMMA`, …
    pub(super) fn delimiter_name(self) -> &'static str {
        DELIMITERS.iter().find(|(_, byte)| *byte == self.delimiter).map_or("COMMA", |(name, _)| name)
    }

    /// `LF` or `CRLF`.
    pub(super) fn ending_name(self) -> &'static str {
        if self.crlf { "CRLF" } else { "LF" }
    }
}

/// Writes a page: the header and runs of rows, `(from, how many)`.
pub(super) fn write(
    cursor: &Cursor,
    runs: &[(u64, u64)],
    format: Format,
    out: &mut dyn Write,
) -> io::Result<()> {
    let form = format.form();
    let mut piece = Vec::with_capacity(PIECE + 16 * 1024);
    cursor.write_csv_header(form, &mut piece);
    write_rows(cursor, runs, form, piece, out)
}

/// About how many bytes all of a cursor's rows have: those of the first ones tell.
pub(super) fn about(cursor: &Cursor, format: Format) -> u64 {
    let (mut bytes, mut scratch) = (Vec::new(), String::new());
    let columns = cursor.csv_columns();
    let sample = cursor.total().min(SAMPLE);
    for row in cursor.rows(0, sample) {
        cursor.write_csv_row(&columns, row, format.form(), &mut scratch, &mut bytes);
    }
    (bytes.len() as u64).saturating_mul(cursor.total()) / sample.max(1)
}

/// Writes runs of rows behind what was gathered before.
pub(crate) fn write_rows(
    cursor: &Cursor,
    runs: &[(u64, u64)],
    form: CsvForm,
    mut piece: Vec<u8>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let columns = cursor.csv_columns();
    let mut scratch = String::new();
    for (from, rows) in runs {
        for row in cursor.rows(*from, *rows) {
            cursor.write_csv_row(&columns, row, form, &mut scratch, &mut piece);
            if piece.len() >= PIECE {
                out.write_all(&piece)?;
                piece.clear();
            }
        }
    }
    out.write_all(&piece)
}
