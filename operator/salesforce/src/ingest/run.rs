//! A write by Bulk: parts one after the other, each journaled, its rows' outcomes told, then the next.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::drive::{Driven, Driver};
use super::join::Slots;
use super::part::{Part, PartBuilder, PartLimits};
use crate::bulk::csv::CsvRows;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::write::{
    Cell, InputRow, Intents, Journal, Operation, Outcome, Outcomes, SETTLE, Step, Target, WriteOptions,
    insert, journal_wrong, write_collection,
};

/// How a write goes.
#[derive(Debug, Clone)]
pub struct IngestOptions {
    /// How large parts are; each is a job.
    pub limits: PartLimits,
    /// Rounds for rows that were locked, or that a job did not take up.
    pub rounds: u32,
    /// When to stop waiting for jobs; they go on in the org, and the write is resumed by its journal.
    pub deadline: Option<Instant>,
    /// How long a REST insert may still be at work after its answer was lost; see [`SETTLE`].
    pub settle: Duration,
    /// How rows are written that go by REST.
    pub write: WriteOptions,
}

impl Default for IngestOptions {
    fn default() -> Self {
        Self {
            limits: PartLimits::default(),
            rounds: 8,
            deadline: None,
            settle: SETTLE,
            write: WriteOptions::default(),
        }
    }
}

/// What a write did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IngestReport {
    /// Rows written.
    pub succeeded: u64,
    /// Of them, records made.
    pub created: u64,
    /// Rows refused.
    pub failed: u64,
    /// Rows not taken up.
    pub unprocessed: u64,
    /// Rows of which nobody knows.
    pub unknown: u64,
    /// Rows that were sent once more by Bulk, as they were locked or not taken up; each time counts.
    pub written_again: u64,
    /// Of all, rows that went by REST.
    pub by_rest: u64,
    /// Results that belong to no row that was sent.
    pub strays: u64,
    /// Parts that an earlier life of this write had done and told.
    pub parts_done_before: u32,
    /// Bulk jobs whose results were read, in order.
    pub jobs: Vec<String>,
    /// Why Bulk was not used, where the org refused it.
    pub bulk_refused: Option<Error>,
}

impl Client {
    /// Writes rows by Bulk 2.0, and by REST what Bulk cannot carry or does not serve. Every row's outcome is told, in
    /// the order of the rows within a part. What is about to be sent is in the journal before; the same `write` with
    /// the same rows and journal goes on where a crash or an error ended it, and writes no row twice.
    #[allow(clippy::too_many_arguments)] // each is another's: the run's, the object's, the caller's
    pub async fn ingest<S>(
        &self,
        intents: Arc<dyn Intents>,
        write: &str,
        target: &Target,
        rows: S,
        outcomes: &mut dyn Outcomes,
        options: &IngestOptions,
        cancel: &CancellationToken,
    ) -> Result<IngestReport>
    where
        S: Stream<Item = Result<InputRow>> + Send,
    {
        let mut builder = PartBuilder::new(target, options.limits)?;
        let mut journal = Journal::open(intents, write).await?;
        let mut run = Run { client: self, target, options, cancel, report: IngestReport::default() };
        let mut rows = std::pin::pin!(rows);
        while let Some(row) = rows.next().await {
            if let Some(part) = builder.push(row?)? {
                run.part(part, &mut journal, outcomes).await?;
            }
        }
        if let Some(part) = builder.take() {
            run.part(part, &mut journal, outcomes).await?;
        }
        Ok(run.report)
    }
}

struct Run<'a> {
    client: &'a Client,
    target: &'a Target,
    options: &'a IngestOptions,
    cancel: &'a CancellationToken,
    report: IngestReport,
}

impl Run<'_> {
    async fn part(&mut self, part: Part, journal: &mut Journal, outcomes: &mut dyn Outcomes) -> Result<()> {
        let content = part.hash();
        if let Some(done) = journal.state.done.get(&part.number) {
            if *done != content {
                return Err(journal_wrong(format!(
                    "part {} was written with other rows: the same write must be given the same rows",
                    part.number
                )));
            }
            self.report.parts_done_before += 1;
            return Ok(());
        }
        let part = Arc::new(part);
        let mut slots = Slots::new(part.len());
        if part.has_csv() && self.report.bulk_refused.is_none() {
            let mut driver = Driver {
                client: self.client,
                target: self.target,
                journal: &mut *journal,
                cancel: self.cancel,
                deadline: self.options.deadline,
                rounds: self.options.rounds,
                jobs: Vec::new(),
                again: 0,
            };
            let driven = driver.part(&part, &mut slots).await?;
            self.report.jobs.append(&mut driver.jobs);
            self.report.written_again += driver.again;
            if let Driven::Refused(error) = driven {
                tracing::info!(object = self.target.object, %error, "written by REST instead");
                self.report.bulk_refused = Some(error);
            }
        }
        self.report.strays += slots.strays;
        for (key, error) in &part.refused {
            self.tell(key, Outcome::Failed(error.clone()), outcomes)?;
        }
        if self.report.bulk_refused.is_none() {
            for row in 0..part.len() as u32 {
                self.tell(part.key(row), slots.outcome(row), outcomes)?;
            }
        } else {
            let rows = rows_of(&part, self.target)?;
            self.by_rest(&rows, journal, outcomes).await?;
        }
        self.by_rest(&part.diverted, journal, outcomes).await?;
        outcomes.flush()?;
        journal.append(Step::PartDone { part: part.number, content }).await
    }

    async fn by_rest(
        &mut self,
        rows: &[InputRow],
        journal: &mut Journal,
        outcomes: &mut dyn Outcomes,
    ) -> Result<()> {
        self.report.by_rest += rows.len() as u64;
        if self.target.operation != Operation::Insert && !rows.is_empty() {
            let written = write_collection(self.client, self.target, rows, self.options.write).await?;
            for (row, outcome) in rows.iter().zip(written) {
                self.tell(&row.key, outcome, outcomes)?;
            }
            return Ok(());
        }
        for row in rows {
            if self.cancel.is_cancelled() {
                return Err(Error::Cancelled { object: self.target.object.clone(), job: "by REST".into() });
            }
            let options = self.options;
            let outcome =
                insert(self.client, journal, self.target, row, options.write, options.settle).await?;
            self.tell(&row.key, outcome, outcomes)?;
        }
        Ok(())
    }

    fn tell(&mut self, key: &str, outcome: Outcome, outcomes: &mut dyn Outcomes) -> Result<()> {
        match &outcome {
            Outcome::Succeeded { created, .. } => {
                self.report.succeeded += 1;
                self.report.created += u64::from(*created == Some(true));
            }
            Outcome::Failed(_) => self.report.failed += 1,
            Outcome::Unprocessed { .. } => self.report.unprocessed += 1,
            Outcome::Unknown { .. } => self.report.unknown += 1,
        }
        outcomes.row(key, outcome)
    }
}

/// The rows of a part again, from its CSV: in it `#N/A` is always null, as a text of that goes by REST anyway.
fn rows_of(part: &Part, target: &Target) -> Result<Vec<InputRow>> {
    let columns: Vec<String> = target.columns.iter().map(|column| column.name.clone()).collect();
    let wrong = |detail: String| Error::InputRefused { what: format!("rows of {}", target.object), detail };
    let mut csv = CsvRows::new(&columns);
    let all: Vec<u32> = (0..part.len() as u32).collect();
    csv.push(&part.csv_of(&all)).map_err(|flaw| wrong(flaw.to_string()))?;
    let mut rows = Vec::with_capacity(part.len());
    while let Some(cells) = csv.pop() {
        let cell = |cell: Option<String>| match cell {
            None => Cell::Absent,
            Some(text) if text == "#N/A" => Cell::Null,
            Some(text) => Cell::Text(text),
        };
        let key = part.key(rows.len() as u32).to_owned();
        rows.push(InputRow { key, cells: cells.into_iter().map(cell).collect() });
    }
    Ok(rows)
}
