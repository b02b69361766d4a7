//! One query's pages, followed to their end.

use std::collections::HashSet;

use super::cells::{Page, parse};
use crate::client::{Client, encode};
use crate::error::{Error, Result};
use crate::soql::Select;
use crate::transport::{Call, Resource, path_of};

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
    /// `None` after the last page.
    next: Option<String>,
    seen: HashSet<String>,
}

impl Cursor {
    /// Before the first page.
    pub(super) fn new(client: &Client, select: &Select, all: bool) -> Self {
        Self {
            object: select.object().to_owned(),
            columns: select.columns().to_vec(),
            next: Some(query_path(client.base(), &select.to_soql(), all)),
            seen: HashSet::new(),
        }
    }

    /// The next page; `None` after the last.
    pub(super) async fn next_page(&mut self, client: &Client) -> Result<Option<Page>> {
        let Some(path) = self.next.clone() else { return Ok(None) };
        let what = format!("query of {}", self.object);
        let body = client.transport().fetch(&Call::get(Resource::Query, path)).await?;
        let page = parse(&body, &self.columns)
            .map_err(|detail| Error::WrongAnswer { what: what.clone(), detail })?;
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
        Ok(Some(page))
    }
}
