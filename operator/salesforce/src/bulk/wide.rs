//! A wide object read by Bulk: several jobs, each over some of the columns, joined by `Id`.
//!
//! Bulk takes a query of 100,000 characters, so few objects need this; an org may also refuse fewer columns than it
//! has (a failure at 125 columns was reported in 2019), for which the caller can set a number. Each job orders by
//! `Id`, which switches off the chunking by key.

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::csv::{CsvFlaw, CsvRows};
use super::job::QueryJob;
use super::reader::{BulkEvent, BulkReader, ReadOptions};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::rest;
use crate::soql::{SOQL_LIMIT, Select};
use crate::wide::{Join, JoinFault, Joined, Row, read_again, split};

/// Characters that a part leaves free for a condition on ids.
const ROOM: usize = 1_000;
/// Rows that are handed out at once.
const ROWS_AT_ONCE: usize = 2_000;

/// The jobs of a wide select.
#[derive(Debug, Clone)]
pub struct WideJob {
    client: Client,
    select: Select,
    all: bool,
    parts: Vec<(Select, QueryJob)>,
}

impl WideJob {
    /// Makes the jobs; one only, where the select is not too wide. Those that were made are aborted if one cannot be.
    pub(crate) async fn create(
        client: Client,
        select: &Select,
        all: bool,
        max_columns: Option<usize>,
    ) -> Result<Self> {
        let fits = |select: &Select, room: usize| {
            select.to_soql().chars().count() + room <= SOQL_LIMIT
                && max_columns.is_none_or(|max| select.columns().len() <= max.max(3))
        };
        let selects = split(select, |select| fits(select, 0), |part| fits(part, ROOM))?
            .unwrap_or_else(|| vec![select.clone()]);
        let mut made = Self { client, select: select.clone(), all, parts: Vec::new() };
        for part in selects {
            match QueryJob::create(made.client.clone(), &part, all).await {
                Ok(job) => made.parts.push((part, job)),
                Err(error) => {
                    made.abort().await;
                    return Err(error);
                }
            }
        }
        Ok(made)
    }

    /// The jobs.
    pub fn jobs(&self) -> impl Iterator<Item = &QueryJob> {
        self.parts.iter().map(|(_, job)| job)
    }

    /// Waits until all jobs have their results, and reads their rows joined. The options' `from` and `discovery` are
    /// left out of account: a join begins at the first page. Their memory is for each job.
    pub async fn read(
        &self,
        options: &ReadOptions,
        cancel: &CancellationToken,
        deadline: Option<Instant>,
    ) -> Result<BulkRows> {
        let mut readers = Vec::with_capacity(self.parts.len());
        for (select, job) in &self.parts {
            let info = job.wait(cancel, deadline).await?;
            let options = ReadOptions { from: None, ..options.clone() };
            let reader = job.read(options, info.number_records_processed);
            readers.push(Part {
                reader,
                csv: CsvRows::new(select.columns()),
                page: String::new(),
                done: false,
            });
        }
        let selects: Vec<Select> = self.parts.iter().map(|(select, _)| select.clone()).collect();
        Ok(BulkRows {
            wide: self.clone(),
            join: Join::new(&self.select, &selects),
            parts: readers,
            done: false,
        })
    }

    /// Deletes the jobs with their results, as far as the org lets.
    pub async fn delete(&self) {
        for job in self.jobs() {
            if let Err(error) = job.delete().await {
                tracing::debug!(job = job.id(), %error, "a job stays in the org until it expires");
            }
        }
    }

    async fn abort(&self) {
        for job in self.jobs() {
            if let Err(error) = job.abort().await {
                tracing::debug!(job = job.id(), %error, "a job that is not needed stays in the org");
            }
        }
    }
}

/// Rows of a wide job.
#[derive(Debug)]
pub struct BulkRows {
    wide: WideJob,
    join: Join,
    parts: Vec<Part>,
    done: bool,
}

#[derive(Debug)]
struct Part {
    reader: BulkReader,
    csv: CsvRows,
    page: String,
    done: bool,
}

impl BulkRows {
    /// The columns, in the order of the cells.
    pub fn columns(&self) -> &[String] {
        self.wide.select.columns()
    }

    /// The next rows; `None` after the last. Dates and times are Bulk's text; of rows that changed meanwhile, and
    /// were read again, REST's.
    pub async fn next_rows(&mut self) -> Result<Option<Vec<Vec<Option<String>>>>> {
        if self.done {
            return Ok(None);
        }
        let (mut rows, mut changed) = (Vec::new(), Vec::new());
        while rows.len() + changed.len() < ROWS_AT_ONCE {
            let Some(index) = self.join.behind(|part| self.parts[part].done) else {
                self.done = true;
                changed.extend(self.join.left());
                break;
            };
            let Some(row) = self.parts[index].csv.pop() else {
                self.advance(index).await?;
                continue;
            };
            match self.join.put(index, row).map_err(|fault| self.moved(&fault))? {
                Joined::Waits => {}
                Joined::Whole(row) => rows.push(row),
                Joined::Changed(id) => changed.push(id),
            }
        }
        rows.extend(self.again(&changed).await?);
        Ok(Some(rows).filter(|rows| !rows.is_empty() || !self.done))
    }

    /// Takes the next event of a part.
    async fn advance(&mut self, index: usize) -> Result<()> {
        let part = &mut self.parts[index];
        let flaw = match part.reader.next().await? {
            None => {
                part.done = true;
                None
            }
            Some(BulkEvent::Begins { locator, .. }) => {
                part.page = locator.unwrap_or_else(|| "first".to_owned());
                None
            }
            Some(BulkEvent::Csv(piece)) => part.csv.push(&piece).err(),
            Some(BulkEvent::Ends(_)) => part.csv.end_page().err(),
        };
        match flaw {
            None => Ok(()),
            Some(CsvFlaw { row, offset, detail }) => {
                let job = &self.wide.parts[index].1;
                Err(Error::PageWrong {
                    object: job.object().into(),
                    job: job.id().into(),
                    page: self.parts[index].page.clone(),
                    offset,
                    detail: format!("row {row}: {detail}"),
                })
            }
        }
    }

    /// Reads rows again by REST, whose URIs hold fewer columns.
    async fn again(&self, ids: &[String]) -> Result<Vec<Row>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let WideJob { client, select, all, .. } = &self.wide;
        let parts = match rest::parts(client, select, *all)? {
            Some(parts) => parts,
            None => {
                let others = select.columns().iter().filter(|column| *column != "Id").cloned();
                vec![select.with_columns(std::iter::once("Id".to_owned()).chain(others).collect())]
            }
        };
        read_again(client, &Join::new(select, &parts), &parts, *all, ids).await
    }

    fn moved(&self, fault: &JoinFault) -> Error {
        Error::RowsMoved { object: self.wide.select.object().to_owned(), detail: fault.to_string() }
    }
}
