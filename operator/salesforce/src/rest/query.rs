//! A REST query: one cursor, or several over parts of the columns.

use super::cells::Row;
use super::cursor::{Cursor, query_path};
use super::split::SplitQuery;
use crate::client::Client;
use crate::error::Result;
use crate::soql::Select;
use crate::transport::Flaw;
use crate::wide::split;

/// One page of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestPage {
    /// Rows of the whole query, as the org counted when it began.
    pub total_size: u64,
    /// Rows in the order of [`RestQuery::columns`]; `None` for null and for the empty text. Numbers, dates and
    /// times are the org's own text.
    pub rows: Vec<Vec<Option<String>>>,
}

/// A query being read; made by [`Client::query`] and [`Client::query_many`].
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
    Whole(Box<Cursor>),
    Split(Box<SplitQuery>),
}

impl RestQuery {
    pub(crate) fn new(client: Client, select: Select, all: bool) -> Self {
        Self { client, select, all, state: State::Unread }
    }

    /// A query whose first page another call brought.
    pub(crate) fn brought(
        client: Client,
        select: Select,
        all: bool,
        body: &[u8],
    ) -> std::result::Result<Self, Flaw> {
        let mut cursor = Cursor::new(&client, &select, all);
        cursor.bring(body)?;
        Ok(Self { client, select, all, state: State::Whole(Box::new(cursor)) })
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
        let parts = parts(&self.client, &self.select, self.all)?;
        Ok(match parts {
            None => State::Whole(Box::new(Cursor::new(&self.client, &self.select, self.all))),
            Some(parts) => {
                State::Split(Box::new(SplitQuery::new(&self.client, &self.select, parts, self.all)))
            }
        })
    }
}

/// The selects into which a select that does not fit into one URI is split; `None` if it fits.
pub(crate) fn parts(client: &Client, select: &Select, all: bool) -> Result<Option<Vec<Select>>> {
    let length = |select: &Select| query_path(client.base(), &select.to_soql(), all).len();
    split(select, |select| length(select) <= PATH_LIMIT, |part| length(part) + IDS_ROOM <= PATH_LIMIT)
}

/// The longest path and query that we send. The org's limit is 16,384 bytes for the URI, host included; the one
/// for SOQL itself (100,000 characters) is never reached before it.
const PATH_LIMIT: usize = 16_000;
/// Room for a condition on 20 ids in a part's URI: each takes 27 bytes there.
const IDS_ROOM: usize = 700;

/// Reads all rows of a query that gives a few.
pub(crate) async fn read_all(client: &Client, select: &Select, all: bool) -> Result<Vec<Row>> {
    let mut cursor = Cursor::new(client, select, all);
    let mut rows = Vec::new();
    while let Some(page) = cursor.next_page(client).await? {
        rows.extend(page.rows);
    }
    Ok(rows)
}
