//! Rows of a CSV file written chunk by chunk.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::prepare::Given;
use super::write::Ready;
use super::{CHUNK, Columns, Layout, Load, Outcome, Outcomes, Scanned, split};
use crate::store::transaction::Refusal;
use crate::web::Spooled;

/// A file whose rows were found.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) file: Arc<Spooled>,
    pub(crate) layout: Layout,
    pub(crate) scanned: Scanned,
}

impl Load {
    /// Writes rows of a file, 200 in a transaction, until they end or `ends` says so; it is asked before each.
    pub(crate) fn write_rows(
        &self,
        columns: &mut Columns,
        source: &Source,
        rows: Range<usize>,
        outcomes: &Mutex<Outcomes>,
        ends: impl Fn(usize) -> bool,
    ) -> Result<(), String> {
        let (from, bytes) = source.scanned.place(rows.clone());
        let piece = source.file.read_at(from, bytes);
        let piece = piece.map_err(|error| format!("InternalServerError : {error}"))?;
        let first = rows.start;
        for chunk in rows.clone().step_by(CHUNK) {
            if ends(chunk) {
                break;
            }
            let chunk = chunk..(chunk + CHUNK).min(rows.end);
            let done = match self.follow(columns, &source.scanned.names) {
                Ok(()) => self.write_chunk(columns, source, &piece, first, chunk),
                // the schema has changed, and not to the better
                Err(message) => chunk
                    .map(|_| Outcome::Failed { id: None, refusal: Refusal::new("INVALID_FIELD", &message) })
                    .collect(),
            };
            let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            for outcome in done {
                outcomes.push(outcome);
            }
        }
        Ok(())
    }

    /// Looks the columns up again if the schema is another one by now.
    pub(crate) fn follow(&self, columns: &mut Columns, names: &[String]) -> Result<(), String> {
        let world = self.org.now();
        if !Arc::ptr_eq(&world.schema, &columns.schema) {
            *columns = self.columns(&world, names)?;
        }
        Ok(())
    }

    fn write_chunk(
        &self,
        columns: &Columns,
        source: &Source,
        piece: &[u8],
        first: usize,
        chunk: Range<usize>,
    ) -> Vec<Outcome> {
        let width = source.scanned.names.len();
        let row = |row: usize| source.scanned.row(piece, first, row);
        let ready = |number: usize| -> Ready {
            let text = String::from_utf8_lossy(row(number));
            let mut values = Vec::with_capacity(width);
            // the guide: a space beside a quote is an error of the row; its code is not known [K]
            split(&text, source.layout.delimiter, &mut values)
                .map_err(|message| Refusal::new("CLIENT_INPUT_ERROR", message))?;
            if values.len() > width {
                let message = format!("the row has {} values, the header {width}", values.len());
                return Err(Refusal::new("CLIENT_INPUT_ERROR", message));
            }
            columns.prepare(self, values.into_iter().map(Given::of_csv))
        };
        let mut rows: Vec<Ready> = chunk.clone().map(ready).collect();
        self.refuse(chunk.start as u64 + 1, &mut rows, chunk.map(row));
        self.write(columns, &rows)
    }
}
