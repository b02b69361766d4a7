//! One query's pages, followed to their end, and held against what the org says of them.

use std::collections::HashSet;

use super::cells::{Page, names_a_row, parse};
use crate::client::{Client, encode};
use crate::error::{Error, Result};
use crate::soql::Select;
use crate::transport::{Call, Flaw, Resource, path_of};

/// Path and query of a REST query.
pub(crate) fn query_path(base: &str, soql: &str, all: bool) -> String {
    let resource = if all { "queryAll" } else { "query" };
    format!("{base}/{resource}?q={}", encode(soql))
}

/// A position in a query's pages.
#[derive(Debug)]
pub(super) struct Cursor {
    object: String,
    columns: Vec<String>,
    id: Option<usize>,
    limited: bool,
    /// `None` after the last page.
    next: Option<String>,
    seen: HashSet<String>,
    /// The first id of each page.
    firsts: HashSet<String>,
    /// A page that another call brought.
    brought: Option<Page>,
    pages: u64,
    rows: u64,
}

impl Cursor {
    /// Before the first page.
    pub(super) fn new(client: &Client, select: &Select, all: bool) -> Self {
        Self {
            object: select.object().to_owned(),
            columns: select.columns().to_vec(),
            id: select.columns().iter().position(|column| column == "Id"),
            limited: select.is_limited(),
            next: Some(query_path(client.base(), &select.to_soql(), all)),
            seen: HashSet::new(),
            firsts: HashSet::new(),
            brought: None,
            pages: 0,
            rows: 0,
        }
    }

    /// Takes a first page that another call brought.
    pub(super) fn bring(&mut self, body: &[u8]) -> std::result::Result<(), Flaw> {
        self.brought = Some(parse(body, &self.columns)?);
        Ok(())
    }

    /// Whether the last page was given.
    pub(super) fn is_done(&self) -> bool {
        self.next.is_none()
    }

    /// The next page; `None` after the last.
    pub(super) async fn next_page(&mut self, client: &Client) -> Result<Option<Page>> {
        let Some(path) = self.next.clone() else { return Ok(None) };
        let what = format!("query of {}, page {}", self.object, self.pages + 1);
        let page = match self.brought.take() {
            Some(page) => page,
            None => {
                let call = Call::get(Resource::Query, path).about(&what);
                client.transport().fetch_as(&call, |whole| parse(&whole.body, &self.columns)).await?
            }
        };
        self.check(&page, what)?;
        Ok(Some(page))
    }

    /// Holds a page against those before it, and goes on to the next.
    fn check(&mut self, page: &Page, what: String) -> Result<()> {
        self.pages += 1;
        self.rows += page.rows.len() as u64;
        if let Some(first) = self.id.and_then(|at| page.rows.first()?.get(at)?.clone())
            && names_a_row(&first)
            && !self.firsts.insert(first.clone())
        {
            return Err(Error::LocatorRepeated { what, locator: format!("that begins with {first}") });
        }
        self.next = match &page.next {
            None => None,
            Some(named) => {
                let next = path_of(named, &what)?;
                if !self.seen.insert(next.clone()) {
                    return Err(Error::LocatorRepeated { what, locator: next });
                }
                Some(next)
            }
        };
        // A query with a limit tells the limited count, too, but nobody promises it.
        let short = self.next.is_none() && self.rows < page.total_size && !self.limited;
        if self.rows > page.total_size || short {
            return Err(Error::RowsMissing { what, got: self.rows, expected: page.total_size });
        }
        Ok(())
    }
}
