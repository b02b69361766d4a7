//! A wide object read by REST in parts, evenly, and joined.

use super::cursor::Cursor;
use super::query::RestPage;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::soql::Select;
use crate::wide::{Join, JoinFault, Joined, read_again};

/// A query read in parts.
#[derive(Debug)]
pub(super) struct SplitQuery {
    object: String,
    parts: Vec<Select>,
    all: bool,
    cursors: Vec<Cursor>,
    join: Join,
    /// Rows of the first part, as the org counted.
    total: u64,
    /// Rows given so far.
    rows: u64,
    done: bool,
}

impl SplitQuery {
    pub(super) fn new(client: &Client, select: &Select, parts: Vec<Select>, all: bool) -> Self {
        Self {
            object: select.object().to_owned(),
            cursors: parts.iter().map(|part| Cursor::new(client, part, all)).collect(),
            join: Join::new(select, &parts),
            parts,
            all,
            total: 0,
            rows: 0,
            done: false,
        }
    }

    /// The rows that became whole by the next pages of the parts; `None` after the last.
    ///
    /// Each part gave all rows that the org counted, and each of their ids is joined, read again or gone: so the
    /// last page tells the rows given as the count of the whole query.
    pub(super) async fn next_page(&mut self, client: &Client) -> Result<Option<RestPage>> {
        if self.done {
            return Ok(None);
        }
        let (mut rows, mut changed) = (Vec::new(), Vec::new());
        while rows.is_empty() && changed.is_empty() {
            // Pages of wide rows are shorter, so the parts would drift apart if each gave a page in turn.
            let next = self.join.behind(|part| self.cursors[part].is_done());
            let Some(part) = next else {
                self.done = true;
                changed = self.join.left();
                break;
            };
            let Some(page) = self.cursors[part].next_page(client).await? else { continue };
            if part == 0 {
                self.total = page.total_size;
            }
            for row in page.rows {
                match self.join.put(part, row).map_err(|fault| self.fault(&fault))? {
                    Joined::Waits => {}
                    Joined::Whole(row) => rows.push(row),
                    Joined::Changed(id) => changed.push(id),
                }
            }
        }
        rows.extend(read_again(client, &self.join, &self.parts, self.all, &changed).await?);
        self.rows += rows.len() as u64;
        let total_size = if self.done { self.rows } else { self.total };
        Ok(Some(RestPage { total_size, rows }))
    }

    fn fault(&self, fault: &JoinFault) -> Error {
        Error::RowsMoved { object: self.object.clone(), detail: fault.to_string() }
    }
}
