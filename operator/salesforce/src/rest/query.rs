//! A REST query: one cursor, or several over parts of the columns.

use super::cells::Row;
use super::cursor::{Cursor, query_path};
use super::split::{SplitQuery, split};
use crate::client::Client;
use crate::error::Result;
use crate::soql::Select;

/// One page of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestPage {
    /// Rows of the whole query, as the org counted when it began.
    pub total_size: u64,
    /// Rows in the order of [`RestQuery::columns`]; `None` for null and for the empty text. Numbers, dates and
    /// times are the org's own text.
    pub rows: Vec<Vec<Option<String>>>,
}

/// A query being read; made by [`Client::query`].
#[derive(Debug)]
pub struct RestQuery {
    client: Client,
    select: Select,
    all: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Unread,
    Whole(Cursor),
    Split(Box<SplitQuery>),
}

impl RestQuery {
    pub(crate) fn new(client: Client, select: Select, all: bool) -> Self {
        Self { client, select, all, state: State::Unread }
    }

    /// The columns, in the order of the cells.
    pub fn columns(&self) -> &[String] {
        self.select.columns()
    }

    /// The next page; `None` after the last. After an error the query is over: begin it again.
    pub async fn next_page(&mut self) -> Result<Option<RestPage>> {
        if matches!(self.state, State::Unread) {
            self.state = self.begin()?;
        }
        match &mut self.state {
            State::Unread => Ok(None),
            State::Whole(cursor) => {
                let page = cursor.next_page(&self.client).await?;
                Ok(page.map(|page| RestPage { total_size: page.total_size, rows: page.rows }))
            }
            State::Split(query) => query.next_page(&self.client).await,
        }
    }

    fn begin(&self) -> Result<State> {
        let room = |select: &Select| query_path(self.client.base(), &select.to_soql(), self.all).len();
        let parts = split(&self.select, room)?;
        Ok(match parts {
            None => State::Whole(Cursor::new(&self.client, &self.select, self.all)),
            Some(parts) => {
                State::Split(Box::new(SplitQuery::new(&self.client, &self.select, parts, self.all)))
            }
        })
    }
}

/// Reads all rows of a query that gives a few.
pub(super) async fn read_all(client: &Client, select: &Select, all: bool) -> Result<Vec<Row>> {
    let mut cursor = Cursor::new(client, select, all);
    let mut rows = Vec::new();
    while let Some(page) = cursor.next_page(client).await? {
        rows.extend(page.rows);
    }
    Ok(rows)
}
