//! Wide objects: columns in several queries whose URIs the org accepts, joined by `Id`.
//!
//! Each part selects `Id`, `SystemModstamp` and some of the columns. A row is whole when all parts gave it with
//! the same SystemModstamp; one that changed between the parts, or that some part did not give, is read again by
//! its id until its parts agree.

use std::collections::HashMap;

use super::cells::Row;
use super::cursor::Cursor;
use super::query::{RestPage, read_all};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::soql::{Select, literal};

/// The longest path and query that we send. The org's limit is 16,384 bytes for the URI, host included.
const PATH_LIMIT: usize = 16_000;
/// How often a row that changed between its parts is read again.
const READ_AGAIN: usize = 5;
/// Rows that may wait for their other parts; with the same order in all parts only rows made or deleted while
/// reading wait.
const WAITING_LIMIT: usize = 50_000;
/// Columns that every part selects before its own.
const KEYS: [&str; 2] = ["Id", "SystemModstamp"];

/// Splits a select into parts whose paths fit; `None` if it fits as it is.
pub(super) fn split(select: &Select, path_length: impl Fn(&Select) -> usize) -> Result<Option<Vec<Select>>> {
    if path_length(select) <= PATH_LIMIT {
        return Ok(None);
    }
    let too_long = |detail: &str| Error::QueryTooLong {
        object: select.object().to_owned(),
        detail: format!("the query does not fit into a URI, and {detail}"),
    };
    let has = |name: &str| select.columns().iter().any(|column| column == name);
    if !KEYS.into_iter().all(has) {
        return Err(too_long("its parts cannot be joined without Id and SystemModstamp among the columns"));
    }
    if select.is_limited() {
        return Err(too_long("a query with a limit cannot be read in parts"));
    }
    let part = |columns: &[String]| {
        let keys = KEYS.into_iter().map(str::to_owned);
        select.with_columns(keys.chain(columns.iter().cloned()).collect()).order_by("Id")
    };
    let mut rest: Vec<String> =
        select.columns().iter().filter(|column| !KEYS.contains(&column.as_str())).cloned().collect();
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let fits = (1..=rest.len()).collect::<Vec<_>>();
        // The length grows with each column, so the last count that fits is found by bisection.
        let count = fits.partition_point(|&count| path_length(&part(&rest[..count])) <= PATH_LIMIT);
        if count == 0 {
            return Err(too_long("its conditions alone are too long"));
        }
        parts.push(part(&rest[..count]));
        rest.drain(..count);
    }
    Ok(Some(parts))
}

/// A query read in parts.
#[derive(Debug)]
pub(super) struct SplitQuery {
    select: Select,
    parts: Vec<Select>,
    all: bool,
    cursors: Vec<Cursor>,
    /// By id: what each part gave so far.
    waiting: HashMap<String, Vec<Option<Row>>>,
    done: bool,
}

impl SplitQuery {
    pub(super) fn new(client: &Client, select: &Select, parts: Vec<Select>, all: bool) -> Self {
        Self {
            select: select.clone(),
            cursors: parts.iter().map(|part| Cursor::new(client, part, all)).collect(),
            parts,
            all,
            waiting: HashMap::new(),
            done: false,
        }
    }

    /// One page of each part, and of the rows those that are whole; `None` after the last.
    pub(super) async fn next_page(&mut self, client: &Client) -> Result<Option<RestPage>> {
        if self.done {
            return Ok(None);
        }
        let mut order = Vec::new();
        let mut total_size = 0;
        let mut got_any = false;
        for index in 0..self.cursors.len() {
            let Some(page) = self.cursors[index].next_page(client).await? else { continue };
            got_any = true;
            total_size = total_size.max(page.total_size);
            for row in page.rows {
                self.put(index, row, &mut order);
            }
        }
        if self.waiting.len() > WAITING_LIMIT {
            return Err(self.moved(format!("{} rows wait for their other parts", self.waiting.len())));
        }
        if !got_any {
            self.done = true;
            order = self.waiting.keys().cloned().collect();
        }
        let mut rows = Vec::with_capacity(order.len());
        for id in order {
            let Some(parts) = self.waiting.remove(&id) else { continue };
            rows.extend(match self.whole(&parts) {
                Some(row) => Some(row),
                None => self.read_again(client, &id).await?,
            });
        }
        Ok(if rows.is_empty() && self.done { None } else { Some(RestPage { total_size, rows }) })
    }

    /// Puts a part's row to the others of its id; an id whose parts are all there is added to `complete`.
    fn put(&mut self, part: usize, row: Row, complete: &mut Vec<String>) {
        let Some(id) = row.first().cloned().flatten() else { return };
        let width = self.parts.len();
        let parts = self.waiting.entry(id.clone()).or_insert_with(|| vec![None; width]);
        parts[part] = Some(row);
        if parts.iter().all(Option::is_some) {
            complete.push(id);
        }
    }

    /// The row in the select's own order, if all parts are there and of one SystemModstamp.
    fn whole(&self, parts: &[Option<Row>]) -> Option<Row> {
        let rows: Vec<&Row> = parts.iter().map(Option::as_ref).collect::<Option<_>>()?;
        let first = rows.first()?;
        if rows.iter().any(|row| row.get(1) != first.get(1)) {
            return None;
        }
        let mut cells: HashMap<&str, &Option<String>> = HashMap::new();
        for (select, row) in self.parts.iter().zip(&rows) {
            cells.extend(select.columns().iter().map(String::as_str).zip(row.iter()));
        }
        self.select
            .columns()
            .iter()
            .map(|column| cells.get(column.as_str()).map(|&cell| cell.clone()))
            .collect()
    }

    /// Reads one row by its id until its parts agree; `None` if it is gone or no longer meets the conditions.
    async fn read_again(&self, client: &Client, id: &str) -> Result<Option<Row>> {
        for _ in 0..READ_AGAIN {
            let mut parts = Vec::with_capacity(self.parts.len());
            for part in &self.parts {
                let select = part.clone().filter(format!("Id = {}", literal(id)));
                parts.push(read_all(client, &select, self.all).await?.into_iter().next());
            }
            if parts.iter().all(Option::is_none) {
                return Ok(None);
            }
            if let Some(row) = self.whole(&parts) {
                return Ok(Some(row));
            }
        }
        Err(self.moved(format!("{id} changed {READ_AGAIN} times")))
    }

    fn moved(&self, detail: String) -> Error {
        Error::RowsMoved { object: self.select.object().to_owned(), detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(columns: usize) -> Select {
        let names: Vec<String> = KEYS
            .into_iter()
            .map(str::to_owned)
            .chain((0..columns).map(|n| format!("Some_Quite_Long_Custom_Field_Name_{n}__c")))
            .collect();
        Select::new("Wide__c", &names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn length(select: &Select) -> usize {
        super::super::query_path("/services/data/v64.0", &select.to_soql(), true).len()
    }

    #[test]
    fn what_fits_is_left_alone() {
        assert_eq!(split(&wide(50), length).unwrap(), None);
    }

    #[test]
    fn each_part_fits_and_together_they_have_every_column_once() {
        let select = wide(800);
        let parts = split(&select, length).unwrap().unwrap();
        assert!(parts.len() >= 2);
        let mut columns: Vec<String> = KEYS.into_iter().map(str::to_owned).collect();
        for part in &parts {
            assert!(length(part) <= PATH_LIMIT);
            assert_eq!(part.columns()[..2], KEYS);
            columns.extend(part.columns()[2..].iter().cloned());
        }
        assert_eq!(columns, select.columns());
    }

    #[test]
    fn what_cannot_be_joined_is_said() {
        let keyless = wide(800);
        let keyless = keyless.with_columns(keyless.columns()[2..].to_vec());
        assert!(split(&keyless, length).unwrap_err().to_string().contains("without Id"));
        assert!(split(&wide(800).limit(5), length).unwrap_err().to_string().contains("limit"));
        let long = wide(800).filter("x".repeat(20_000));
        assert!(split(&long, length).unwrap_err().to_string().contains("conditions alone"));
    }
}
