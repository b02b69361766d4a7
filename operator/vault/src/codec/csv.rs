//! A splitter for Bulk CSV: all cells quoted, `""` for a quote, newlines as stored.
//!
//! Fed with whatever the network gives; nothing is skipped, and what is not well formed is an error that names row
//! and byte. Unquoted cells, a byte order mark and CRLF are taken, too. Every row must end with a line end: without
//! that a page cut within `""` would pass for whole.

use orgkeep_core::id::SalesforceId;

use super::arena::{Arena, Op};
use super::error::{CsvError, CsvFault};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the start of the page, with so many bytes of a byte order mark seen.
    Start(usize),
    RowStart,
    CellStart,
    Quoted,
    /// After a quote within a quoted cell: its end, or half of an escaped quote.
    Quote,
    Unquoted,
    CarriageReturn,
}

const BOM: &[u8; 3] = b"\xef\xbb\xbf";

/// Splits the pages of one object into an [`Arena`].
#[derive(Debug)]
pub struct Splitter {
    columns: Vec<String>,
    id: Option<usize>,
    state: State,
    /// Where the cells of this page's rows go; `None` before the header, and empty when the order is ours.
    places: Option<Vec<usize>>,
    header: Arena,
    row: u64,
    offset: u64,
}

impl Splitter {
    /// A splitter for pages that have these columns, in any order; `id` is the one that must hold an Id.
    pub fn new(columns: Vec<String>, id: Option<usize>) -> Self {
        let width = columns.len();
        Self {
            columns,
            id,
            state: State::Start(0),
            places: None,
            header: Arena::new(width.max(1)),
            row: 0,
            offset: 0,
        }
    }

    /// Whether a page is begun and not ended.
    pub fn in_page(&self) -> bool {
        self.state != State::Start(0) || self.places.is_some()
    }

    /// Takes a chunk of the page and puts its rows into `rows`.
    ///
    /// Returns how much was taken: less than all when `rows` has reached `limit` bytes; the caller empties it and
    /// hands over the rest.
    pub fn push(&mut self, chunk: &[u8], rows: &mut Arena, limit: usize) -> Result<usize, CsvError> {
        let mut at = 0;
        while at < chunk.len() {
            if self.places.is_some() && self.state == State::RowStart && rows.bytes() >= limit {
                break;
            }
            match self.step(&chunk[at..], rows) {
                Ok(taken) => at += taken,
                Err((more, fault)) => {
                    return Err(CsvError { row: self.row, offset: self.offset + (at + more) as u64, fault });
                }
            }
        }
        self.offset += at as u64;
        Ok(at)
    }

    /// Ends the page and returns its rows; the next chunk begins a new page with its own header.
    pub fn end_page(&mut self) -> Result<u64, CsvError> {
        let fault = match (self.state, &self.places) {
            (State::RowStart, Some(_)) => None,
            (State::Start(0), None) => Some(CsvFault::Empty),
            _ => Some(CsvFault::Truncated),
        };
        if let Some(fault) = fault {
            return Err(CsvError { row: self.row, offset: self.offset, fault });
        }
        let rows = self.row - 1;
        (self.state, self.places, self.row, self.offset) = (State::Start(0), None, 0, 0);
        Ok(rows)
    }

    /// Works off one stretch of bytes and returns its length.
    #[inline]
    fn step(&mut self, bytes: &[u8], rows: &mut Arena) -> Result<usize, (usize, CsvFault)> {
        let into = if self.places.is_some() { &mut *rows } else { &mut self.header };
        match self.state {
            State::Start(seen) => {
                if seen < BOM.len() && bytes[0] == BOM[seen] {
                    self.state = if seen + 1 == BOM.len() { State::RowStart } else { State::Start(seen + 1) };
                    return Ok(1);
                }
                if seen > 0 {
                    return Err((0, CsvFault::Utf8));
                }
                self.state = State::RowStart;
                Ok(0)
            }
            State::RowStart | State::CellStart => match bytes {
                // Most cells of a wide table are empty.
                [b'"', b'"', b',', ..] => {
                    into.end_cell();
                    self.state = State::CellStart;
                    Ok(3)
                }
                [b'"', ..] => {
                    self.state = State::Quoted;
                    Ok(1)
                }
                _ => {
                    self.state = State::Unquoted;
                    Ok(0)
                }
            },
            State::Quoted => {
                let Some(quote) = memchr::memchr(b'"', bytes) else {
                    into.extend(bytes);
                    return if into.too_large() { Err((0, CsvFault::TooLarge)) } else { Ok(bytes.len()) };
                };
                into.append(bytes, quote);
                if bytes.get(quote + 1) == Some(&b',') {
                    into.end_cell();
                    self.state = State::CellStart;
                    return Ok(quote + 2);
                }
                self.state = State::Quote;
                Ok(quote + 1)
            }
            State::Quote => match bytes[0] {
                b'"' => {
                    into.extend(b"\"");
                    self.state = State::Quoted;
                    Ok(1)
                }
                b',' | b'\n' | b'\r' => self.end_cell(bytes[0], rows),
                other => Err((0, CsvFault::AfterQuote(other))),
            },
            State::Unquoted => {
                let stop = bytes.iter().position(|byte| matches!(byte, b',' | b'\n' | b'\r' | b'"'));
                into.append(bytes, stop.unwrap_or(bytes.len()));
                match stop {
                    None if into.too_large() => Err((0, CsvFault::TooLarge)),
                    None => Ok(bytes.len()),
                    Some(0) => self.end_cell(bytes[0], rows),
                    Some(stop) => Ok(stop),
                }
            }
            State::CarriageReturn => {
                if bytes[0] != b'\n' {
                    return Err((0, CsvFault::LoneCarriageReturn));
                }
                self.end_row(rows)
            }
        }
    }

    /// Ends a cell by the byte that follows it.
    #[inline]
    fn end_cell(&mut self, by: u8, rows: &mut Arena) -> Result<usize, (usize, CsvFault)> {
        if by == b'"' {
            return Err((0, CsvFault::StrayQuote));
        }
        let into = if self.places.is_some() { &mut *rows } else { &mut self.header };
        into.end_cell();
        match by {
            b',' => self.state = State::CellStart,
            b'\r' => self.state = State::CarriageReturn,
            _ => return self.end_row(rows),
        }
        Ok(1)
    }

    fn end_row(&mut self, rows: &mut Arena) -> Result<usize, (usize, CsvFault)> {
        self.state = State::RowStart;
        let Some(places) = &self.places else {
            self.places = Some(self.read_header().map_err(|fault| (0, fault))?);
            self.header.drop_open_row();
            self.row = 1;
            return Ok(1);
        };
        let found = rows.open_cells();
        if found != self.columns.len() {
            return Err((0, CsvFault::Cells { expected: self.columns.len(), found }));
        }
        if rows.too_large() {
            return Err((0, CsvFault::TooLarge));
        }
        if !rows.open_row_is_text() {
            return Err((0, CsvFault::Utf8));
        }
        if !places.is_empty() {
            rows.permute_open_row(places);
        }
        if let Some(id) = self.id.and_then(|id| rows.open_row().nth(id)) {
            SalesforceId::from_bytes(id).map_err(|error| (0, CsvFault::Id(error)))?;
        }
        rows.end_row(Op::Upsert);
        self.row += 1;
        Ok(1)
    }

    /// Where each cell of a row goes, by the header; empty when all stay where they are.
    fn read_header(&self) -> Result<Vec<usize>, CsvFault> {
        if !self.header.open_row_is_text() {
            return Err(CsvFault::Utf8);
        }
        let mut places: Vec<usize> = Vec::with_capacity(self.columns.len());
        for cell in self.header.open_row() {
            let name = String::from_utf8_lossy(cell);
            let found = self.columns.iter().position(|column| column.eq_ignore_ascii_case(&name));
            match found {
                Some(place) if !places.contains(&place) => places.push(place),
                _ => return Err(CsvFault::UnexpectedColumn(name.into_owned())),
            }
        }
        if let Some(missing) = (0..self.columns.len()).find(|column| !places.contains(column)) {
            return Err(CsvFault::MissingColumn(self.columns[missing].clone()));
        }
        let in_order = places.iter().enumerate().all(|(at, place)| at == *place);
        Ok(if in_order { Vec::new() } else { places })
    }
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;
