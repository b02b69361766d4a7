//! Rows as CSV or JSON lines, every value exactly as `orgkeep vault read` gives it.

use std::io::Write;

use serde_json::Value;

use super::options::{Format, Options};
use crate::read::cell;
use crate::read::render::{is_number, json_text, quote, separate};
use crate::read::{ReadError, Row};

/// Bytes gathered before they are handed on.
const CHUNK: usize = 64 << 10;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Csv {
        /// Text that a spreadsheet would take for a formula gets a `'` before it.
        safe: bool,
    },
    Json,
}

impl Style {
    pub(super) fn of(options: &Options) -> Self {
        match options.format {
            Format::Json => Self::Json,
            _ => Self::Csv { safe: options.safe_for_spreadsheets },
        }
    }
}

/// Writes rows. Columns that a row lacks are null.
pub(super) struct RecordWriter<'a, W> {
    out: &'a mut W,
    style: Style,
    columns: &'a [String],
    /// Their names as JSON, each with its colon.
    names: Vec<Vec<u8>>,
    /// The columns' places in a row.
    places: Vec<Option<usize>>,
    buffer: Vec<u8>,
    text: Vec<u8>,
    rows: u64,
}

impl<'a, W: Write> RecordWriter<'a, W> {
    /// For these columns; `row` are those that rows have.
    pub(super) fn new(out: &'a mut W, style: Style, columns: &'a [String], row: &[String]) -> Self {
        let places = columns.iter().map(|name| row.iter().position(|known| known == name)).collect();
        let member = |name: &String| {
            let mut json = Vec::new();
            json_text(name, &mut json);
            json.push(b':');
            json
        };
        let names = columns.iter().map(member).collect();
        let (buffer, text) = (Vec::with_capacity(2 * CHUNK), Vec::new());
        Self { out, style, columns, names, places, buffer, text, rows: 0 }
    }

    /// The line of the names: these, and the columns.
    pub(super) fn head(&mut self, before: &[&str]) -> Result<(), ReadError> {
        if let Style::Csv { .. } = self.style {
            let names = before.iter().copied().chain(self.columns.iter().map(String::as_str));
            for (at, name) in names.enumerate() {
                separate(at, &mut self.buffer);
                quote(name.as_bytes(), &mut self.buffer);
            }
            self.buffer.push(b'\n');
        }
        self.hand_on(0)
    }

    /// One row, with these cells before it.
    pub(super) fn row(&mut self, before: &[(&str, Value)], row: &Row<'_>) -> Result<(), ReadError> {
        let raw = row.raw_cells()?;
        self.begin(before);
        for at in 0..self.columns.len() {
            self.between(before.len() + at);
            let place = self.places[at];
            let typed = place.and_then(|place| row.typed(place));
            let text = typed.is_none().then(|| raw.get(&self.columns[at])).flatten();
            self.text.clear();
            if let Some((column, at)) = typed {
                cell::write_text(column, at, &mut self.text).map_err(|source| row.error(source))?;
            }
            let bare = place.is_some_and(|place| row.is_bare(place));
            match self.style {
                Style::Csv { safe } => {
                    if let Some(text) = text {
                        self.text.extend_from_slice(text.as_bytes());
                    }
                    if safe
                        && is_formula(&self.text)
                        && !(bare && is_number(&String::from_utf8_lossy(&self.text)))
                    {
                        self.text.insert(0, b'\'');
                    }
                    quote(&self.text, &mut self.buffer);
                }
                Style::Json => {
                    self.buffer.extend_from_slice(&self.names[at]);
                    match (typed, text) {
                        (Some((column, _)), _) if bare && cell::is_bare(column.data_type()) => {
                            self.buffer.extend_from_slice(&self.text);
                        }
                        (Some(_), _) => {
                            let text = String::from_utf8_lossy(&self.text);
                            // A part of a time when the field was text.
                            if bare && is_number(&text) {
                                self.buffer.extend_from_slice(text.as_bytes());
                            } else {
                                json_text(&text, &mut self.buffer);
                            }
                        }
                        (None, Some(raw)) if bare && is_number(raw) => {
                            self.buffer.extend_from_slice(raw.as_bytes());
                        }
                        (None, Some(raw)) => json_text(raw, &mut self.buffer),
                        (None, None) => self.buffer.extend_from_slice(b"null"),
                    }
                }
            }
        }
        self.end()
    }

    /// A row of which only the Id is known: it is gone.
    pub(super) fn gone(&mut self, before: &[(&str, Value)], id: &str) -> Result<(), ReadError> {
        self.begin(before);
        for at in 0..self.columns.len() {
            self.between(before.len() + at);
            let is_id = self.columns[at] == "Id";
            match self.style {
                Style::Csv { .. } => quote(if is_id { id.as_bytes() } else { b"" }, &mut self.buffer),
                Style::Json => {
                    self.buffer.extend_from_slice(&self.names[at]);
                    if is_id {
                        json_text(id, &mut self.buffer);
                    } else {
                        self.buffer.extend_from_slice(b"null");
                    }
                }
            }
        }
        self.end()
    }

    /// Hands the rest on; the rows.
    pub(super) fn finish(mut self) -> Result<u64, ReadError> {
        self.hand_on(0)?;
        Ok(self.rows)
    }

    fn begin(&mut self, before: &[(&str, Value)]) {
        if self.style == Style::Json {
            self.buffer.push(b'{');
        }
        for (at, (name, value)) in before.iter().enumerate() {
            self.between(at);
            match (self.style, value) {
                (Style::Csv { .. }, Value::String(text)) => quote(text.as_bytes(), &mut self.buffer),
                (Style::Csv { .. }, other) => quote(other.to_string().as_bytes(), &mut self.buffer),
                (Style::Json, value) => {
                    json_text(name, &mut self.buffer);
                    self.buffer.push(b':');
                    self.buffer.extend_from_slice(value.to_string().as_bytes());
                }
            }
        }
    }

    fn between(&mut self, at: usize) {
        separate(at, &mut self.buffer);
    }

    fn end(&mut self) -> Result<(), ReadError> {
        if self.style == Style::Json {
            self.buffer.push(b'}');
        }
        self.buffer.push(b'\n');
        self.rows += 1;
        self.hand_on(CHUNK)
    }

    fn hand_on(&mut self, above: usize) -> Result<(), ReadError> {
        if self.buffer.len() > above {
            self.out.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

/// Whether a spreadsheet would take text for a formula.
fn is_formula(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r'))
}
