//! Bulk's CSV as rows, for joining the parts of a wide object. (What goes straight to the vault is decoded there.)

use std::collections::VecDeque;

use crate::wide::Row;

/// The longest cell, bytes: Salesforce's longest text is 131,072 characters.
const CELL_LIMIT: usize = 131_072 * 4 + 2;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// What is wrong with CSV, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("row {row}, byte {offset}: {detail}")]
pub(crate) struct CsvFlaw {
    /// Row within the page; 0 is the header.
    pub(crate) row: u64,
    /// Byte within the page.
    pub(crate) offset: u64,
    pub(crate) detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    CellStart,
    Quoted,
    /// After a quote in a quoted cell: its end, or half of an escaped one.
    Quote,
    Unquoted,
    CarriageReturn,
}

/// Reads pages, each with its header line.
#[derive(Debug)]
pub(crate) struct CsvRows {
    columns: Vec<String>,
    /// Where the page's cells go; `None` before its header.
    places: Option<Vec<usize>>,
    state: State,
    cell: Vec<u8>,
    row: Vec<Option<String>>,
    rows: VecDeque<Row>,
    number: u64,
    offset: u64,
}

impl CsvRows {
    /// A reader of pages that have these columns, in any order; rows come in this order.
    pub(crate) fn new(columns: &[String]) -> Self {
        Self {
            columns: columns.to_vec(),
            places: None,
            state: State::CellStart,
            cell: Vec::new(),
            row: Vec::new(),
            rows: VecDeque::new(),
            number: 0,
            offset: 0,
        }
    }

    /// The next row that is whole.
    pub(crate) fn pop(&mut self) -> Option<Row> {
        self.rows.pop_front()
    }

    /// Takes a piece of a page.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), CsvFlaw> {
        for &byte in piece {
            self.take(byte).map_err(|detail| self.flaw(detail))?;
            self.offset += 1;
        }
        Ok(())
    }

    /// Ends a page: it must have a header and end with a whole row.
    pub(crate) fn end_page(&mut self) -> Result<(), CsvFlaw> {
        if self.places.is_none() {
            return Err(self.flaw("it has no header line".to_owned()));
        }
        if self.state != State::CellStart || !self.row.is_empty() {
            return Err(self.flaw("it ends within a row".to_owned()));
        }
        (self.places, self.number, self.offset) = (None, 0, 0);
        Ok(())
    }

    fn take(&mut self, byte: u8) -> Result<(), String> {
        match (self.state, byte) {
            (State::CellStart, b'"') if self.cell.is_empty() || self.cell == BOM && self.number == 0 => {
                self.cell.clear();
                self.state = State::Quoted;
            }
            (State::CellStart, 0xef | 0xbb | 0xbf) if self.is_bom(byte) => self.cell.push(byte),
            (State::CellStart | State::Unquoted | State::Quote, b',') => self.end_cell()?,
            (State::CellStart | State::Unquoted | State::Quote, b'\n') => self.end_row()?,
            (State::CellStart | State::Unquoted | State::Quote, b'\r') => self.state = State::CarriageReturn,
            (State::CarriageReturn, b'\n') => self.end_row()?,
            (State::CarriageReturn, _) => return Err("a carriage return outside of quotes".to_owned()),
            (State::Quoted, b'"') => self.state = State::Quote,
            (State::Quote, b'"') => {
                self.cell.push(byte);
                self.state = State::Quoted;
            }
            (State::Quote, _) => return Err("text after a closing quote".to_owned()),
            (State::Unquoted, b'"') => return Err("a quote within a cell without quotes".to_owned()),
            (State::Quoted | State::Unquoted, _) => self.cell.push(byte),
            (State::CellStart, _) => {
                self.cell.push(byte);
                self.state = State::Unquoted;
            }
        }
        if self.cell.len() > CELL_LIMIT {
            return Err(format!("a cell of more than {CELL_LIMIT} bytes"));
        }
        Ok(())
    }

    /// Whether a byte goes on with a byte order mark at the page's beginning.
    fn is_bom(&self, byte: u8) -> bool {
        let seen = self.cell.len();
        self.offset == seen as u64 && self.number == 0 && self.row.is_empty() && BOM.get(seen) == Some(&byte)
    }

    fn end_cell(&mut self) -> Result<(), String> {
        let cell = String::from_utf8(std::mem::take(&mut self.cell))
            .map_err(|error| format!("not UTF-8: {}", error.utf8_error()))?;
        let cell = if self.number == 0 { cell.trim_start_matches('\u{feff}').to_owned() } else { cell };
        self.row.push(Some(cell).filter(|cell| !cell.is_empty()));
        self.state = State::CellStart;
        Ok(())
    }

    fn end_row(&mut self) -> Result<(), String> {
        self.end_cell()?;
        let row = std::mem::take(&mut self.row);
        match &self.places {
            None => self.places = Some(self.header(row)?),
            Some(places) if places.len() != row.len() => {
                return Err(format!("{} cells, the header has {}", row.len(), places.len()));
            }
            Some(places) => {
                let mut whole = vec![None; self.columns.len()];
                for (&place, cell) in places.iter().zip(row) {
                    whole[place] = cell;
                }
                self.rows.push_back(whole);
            }
        }
        self.number += 1;
        Ok(())
    }

    /// Where each of the header's columns goes; they must be the columns that were asked for, each once.
    fn header(&self, names: Row) -> Result<Vec<usize>, String> {
        let mut places = Vec::with_capacity(names.len());
        for name in names {
            let name = name.unwrap_or_default();
            let place = self.columns.iter().position(|column| *column == name);
            match place {
                Some(place) if !places.contains(&place) => places.push(place),
                Some(_) => return Err(format!("the header names {name} twice")),
                None => return Err(format!("the header names {name:?}, which was not asked for")),
            }
        }
        if places.len() < self.columns.len() {
            return Err(format!("the header has {} of {} columns", places.len(), self.columns.len()));
        }
        Ok(places)
    }

    fn flaw(&self, detail: String) -> CsvFlaw {
        CsvFlaw { row: self.number, offset: self.offset, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(columns: &[&str], pieces: &[&[u8]]) -> Result<Vec<Row>, CsvFlaw> {
        let columns: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
        let mut csv = CsvRows::new(&columns);
        for piece in pieces {
            csv.push(piece)?;
        }
        csv.end_page()?;
        Ok(std::iter::from_fn(|| csv.pop()).collect())
    }

    fn row(cells: &[&str]) -> Row {
        cells.iter().map(|&cell| Some(cell.to_owned()).filter(|cell| !cell.is_empty())).collect()
    }

    #[test]
    fn what_is_in_a_cell_stays_as_it_is() {
        let text = "\"B\",\"A\"\n\"x\"\"y\",\"line\r\nline, NULL\"\n\"\",\"#N/A\"\nplain,\"ü\"\n".as_bytes();
        let want = [row(&["line\r\nline, NULL", "x\"y"]), row(&["#N/A", ""]), row(&["ü", "plain"])];
        assert_eq!(read(&["A", "B"], &[text]).unwrap(), want);
        assert_eq!(read(&["A"], &[b"\xef\xbb\xbf\"A\"\r\n\"1\"\r\n"]).unwrap(), [row(&["1"])]);
        assert_eq!(read(&["A"], &[b"\xef\xbb\xbfA\n1\n"]).unwrap(), [row(&["1"])]);
        assert_eq!(read(&["A"], &[b"\"A\"\n"]).unwrap(), Vec::<Row>::new());
        let long = "é".repeat(131_072);
        let page = format!("\"A\"\n\"{long}\"\n");
        assert_eq!(read(&["A"], &[page.as_bytes()]).unwrap(), [row(&[&long])]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, row, offset, detail) in [
            ("", 0, 0, "no header line"),
            ("\"A\"", 0, 3, "no header line"),
            ("\"A\"\n\"1\"", 1, 7, "within a row"),
            ("\"A\"\n\"1", 1, 6, "within a row"),
            ("\"A\"\n\"1\"x\n", 1, 7, "after a closing quote"),
            ("\"A\"\n1\"x\n", 1, 5, "a quote within"),
            ("\"A\"\n\"1\",\"2\"\n", 1, 11, "2 cells, the header has 1"),
            ("\"A\"\n1\r2\n", 1, 6, "carriage return"),
            ("\"B\"\n", 0, 3, "\"B\", which was not asked for"),
            ("\"A\",\"A\"\n", 0, 7, "A twice"),
            ("<html>\n", 0, 6, "which was not asked for"),
        ] {
            let flaw = read(&["A"], &[text.as_bytes()]).unwrap_err();
            assert_eq!((flaw.row, flaw.offset), (row, offset), "{text:?}: {flaw}");
            assert!(flaw.detail.contains(detail), "{text:?}: {flaw}");
        }
        assert!(read(&["A", "B"], &[b"\"A\"\n"]).unwrap_err().detail.contains("1 of 2 columns"));
        assert!(read(&["A"], &[b"\"A\"\n\"\xff\"\n"]).unwrap_err().detail.contains("UTF-8"));
    }

    proptest! {
        /// What is written comes back, whatever it holds and wherever the pieces end.
        #[test]
        fn round_trip(
            rows in proptest::collection::vec(proptest::collection::vec("[a\",\n\r ü]{0,5}", 3), 0..12),
            cut in 0_usize..200,
        ) {
            let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
            let mut text = "\"A\",\"B\",\"C\"\n".to_owned();
            for row in &rows {
                text.push_str(&row.iter().map(quoted).collect::<Vec<_>>().join(","));
                text.push('\n');
            }
            let (one, two) = text.as_bytes().split_at(cut.min(text.len()));
            let want: Vec<Row> =
                rows.iter().map(|cells| cells.iter().map(|cell| Some(cell.clone()).filter(|c| !c.is_empty())).collect()).collect();
            prop_assert_eq!(read(&["A", "B", "C"], &[one, two]).unwrap(), want);
        }

        /// No input makes it panic.
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&["A"], &[&bytes]);
        }
    }
}
