//! Rows as Bulk 2.0 writes them: every value in double quotes, null as nothing between them, UTC with `Z`.

use super::Cursor;
use crate::store::RowRef;
use crate::value::Cell;
use crate::value::calendar::{write_clock, write_date, write_datetime};
use crate::value::decimal::write_integer;

/// Delimiter and line ending.
#[derive(Clone, Copy, Debug)]
pub struct CsvForm {
    /// Between the values.
    pub delimiter: u8,
    /// `\r\n` instead of `\n`.
    pub crlf: bool,
}

impl Default for CsvForm {
    fn default() -> Self {
        Self { delimiter: b',', crlf: false }
    }
}

impl CsvForm {
    fn end_line(self, out: &mut Vec<u8>) {
        // the last value left a delimiter
        out.pop();
        out.extend_from_slice(if self.crlf { b"\r\n" } else { b"\n" });
    }
}

impl Cursor {
    /// Appends the header line.
    pub fn write_csv_header(&self, form: CsvForm, out: &mut Vec<u8>) {
        for column in self.columns() {
            out.push(b'"');
            out.extend_from_slice(column.name.as_bytes());
            out.extend_from_slice(&[b'"', form.delimiter]);
        }
        form.end_line(out);
    }

    /// Appends the line of a row.
    pub fn write_csv_row(&self, row: RowRef<'_>, form: CsvForm, scratch: &mut String, out: &mut Vec<u8>) {
        for column in 0..self.columns().len() {
            out.push(b'"');
            write_cell(self.cell(row, column, scratch), out);
            out.extend_from_slice(&[b'"', form.delimiter]);
        }
        form.end_line(out);
    }
}

fn write_cell(cell: Cell<'_>, out: &mut Vec<u8>) {
    match cell {
        Cell::Null => {}
        Cell::Text(text) => write_text(text.as_bytes(), out),
        Cell::Bool(true) => out.extend_from_slice(b"true"),
        Cell::Bool(false) => out.extend_from_slice(b"false"),
        Cell::Int(number) => write_integer(number, out),
        Cell::Number(number) => number.write(out),
        Cell::Date(days) => write_date(days, out),
        Cell::DateTime(millis) => {
            write_datetime(millis, out);
            out.push(b'Z');
        }
        Cell::Time(millis) => {
            write_clock(millis, out);
            out.push(b'Z');
        }
        Cell::Id(id) => out.extend_from_slice(&id.to_bytes()),
    }
}

fn write_text(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(b'"', text) {
        out.extend_from_slice(&text[..=at]);
        out.push(b'"');
        text = &text[at + 1..];
    }
    out.extend_from_slice(text);
}
