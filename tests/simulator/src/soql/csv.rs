//! Rows as Bulk 2.0 writes them: every value in double quotes, null as nothing between them, UTC with `Z`.

use super::{Column, Cursor};
use crate::schema::FieldType;
use crate::store::{Generator, RowRef};
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

/// How the columns of a cursor are read. Generated rows come by the million: what their generator tells of a column is
/// taken from it without looking at schema and path again.
#[derive(Debug)]
pub struct CsvColumns<'a> {
    generator: Option<&'a Generator>,
    /// Of each column the field that the generator knows, where that is all there is to it.
    direct: Vec<Option<usize>>,
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

    /// How the columns are read; made once for many rows.
    pub fn csv_columns(&self) -> CsvColumns<'_> {
        let generator = self.table().generator().filter(|_| !self.plan().aggregate);
        let direct = |column: &Column| {
            // a checkbox without a content of its own is false, which the generator does not know
            let plain = column.take.is_none()
                && column.path.next.is_empty()
                && column.kind != FieldType::Boolean
                && !generator?.joins(column.field);
            plain.then_some(column.field)
        };
        CsvColumns { generator, direct: self.columns().iter().map(direct).collect() }
    }

    /// Appends the line of a row.
    pub fn write_csv_row(
        &self,
        columns: &CsvColumns<'_>,
        row: RowRef<'_>,
        form: CsvForm,
        scratch: &mut String,
        out: &mut Vec<u8>,
    ) {
        let generated = match (row, columns.generator) {
            (RowRef::Generated(index), Some(generator)) => Some((index, generator)),
            _ => None,
        };
        for (number, direct) in columns.direct.iter().enumerate() {
            out.push(b'"');
            match (generated, direct) {
                (Some((index, generator)), Some(field)) => {
                    write_cell(generator.cell(index, *field, scratch), out);
                }
                _ => write_cell(self.cell(row, number, scratch), out),
            }
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
