//! One part through its jobs: made, uploaded, told to begin, waited for, results joined; what a lost answer or a crash
//! leaves is looked up in the org, never guessed.
//!
//! A job writes nothing before it is told to begin. So everything up to there may be given up and begun anew, and the
//! journal has the job's id before its upload is complete: from then on only its results count.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use orgkeep_core::problem::{Reaction, react_to_job};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::job::{IngestInfo, IngestJob, IngestState, lost};
use super::join::{Slot, Slots, join};
use super::part::Part;
use super::read;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::write::{JobStep, Journal, Operation, Step, Target, journal_wrong};

/// Times that a job is begun anew because an answer on the way to its start was lost.
const STARTS: u32 = 6;
/// Times that results are read which do not have the rows that the job says.
const READS: u32 = 4;
/// Times that a job is asked where it stands after it was told to begin and the answer was lost.
const ASKS: u32 = 6;

/// What is the same for all parts of a write.
pub(crate) struct Driver<'a> {
    pub(crate) client: &'a Client,
    pub(crate) target: &'a Target,
    pub(crate) journal: &'a mut Journal,
    pub(crate) cancel: &'a CancellationToken,
    pub(crate) deadline: Option<Instant>,
    /// Rounds for rows that were locked or not taken up.
    pub(crate) rounds: u32,
    pub(crate) jobs: Vec<String>,
    /// Rows that were sent once more, each time counted.
    pub(crate) again: u64,
}

/// What is left of a part after its jobs.
pub(crate) enum Driven {
    /// All rows have what became of them.
    Done,
    /// Bulk does not serve this object: nothing was written.
    Refused(Error),
}

/// How a job ended.
enum Ended {
    /// Its results are joined; rows that it did not take up may be sent again or not.
    Joined { again: bool },
    /// It is gone, and with it what it did.
    Gone,
    /// The org makes no such job.
    Refused(Error),
}

impl Driver<'_> {
    /// Writes the rows of a part that go by Bulk.
    pub(crate) async fn part(&mut self, part: &Arc<Part>, slots: &mut Slots) -> Result<Driven> {
        let mut open: Vec<u32> = (0..part.len() as u32).collect();
        // one parent's rows in one batch: batches run side by side and would lock each other out
        open.sort_by_key(|&row| (part.crlf[row as usize], part.parents.get(row as usize), row));
        let (mut number, mut given_up) = (0, BTreeSet::new());
        for round in 0..=self.rounds {
            if round > 0 {
                self.again += open.len() as u64;
                self.pause(round).await?;
            }
            let breaks = open.partition_point(|&row| !part.crlf[row as usize]);
            let (lf, crlf) = open.split_at(breaks);
            let size = chunk_size(round, open.len());
            for rows in lf.chunks(size).chain(crlf.chunks(size)) {
                match self.job(part, number, rows, slots).await? {
                    Ended::Joined { again: true } => {}
                    Ended::Joined { again: false } => given_up.extend(rows.iter().copied()),
                    Ended::Gone => self.gone(rows, slots),
                    Ended::Refused(error) if number == 0 => return Ok(Driven::Refused(error)),
                    Ended::Refused(error) => return Err(error),
                }
                number += 1;
            }
            open.retain(|&row| self.is_open(row, slots) && !given_up.contains(&row));
            if open.is_empty() {
                break;
            }
            tracing::info!(object = self.target.object, rows = open.len(), round, "rows are written again");
        }
        Ok(Driven::Done)
    }

    /// Whether a row is to be sent once more.
    fn is_open(&self, row: u32, slots: &Slots) -> bool {
        match slots.slots[row as usize] {
            Slot::Unprocessed(_) => true,
            // no result tells of it: what may be sent twice is
            Slot::Open => matches!(self.target.operation, Operation::Update | Operation::Upsert { .. }),
            Slot::Failed(_) => slots.is_locked(row),
            Slot::Succeeded { .. } | Slot::Unknown(_) => false,
        }
    }

    /// Rows of a job that is gone: what may be sent twice stays open, of the rest nobody knows.
    fn gone(&self, rows: &[u32], slots: &mut Slots) {
        if matches!(self.target.operation, Operation::Update | Operation::Upsert { .. }) {
            return;
        }
        let why = slots.why("the job is gone, and with it what it did");
        for &row in rows {
            slots.slots[row as usize] = Slot::Unknown(why);
        }
    }

    /// One job, from wherever the journal left it.
    async fn job(&mut self, part: &Arc<Part>, number: u32, rows: &[u32], slots: &mut Slots) -> Result<Ended> {
        let content = part.hash_of(rows);
        let at = (part.number, number);
        if let Some(record) = self.journal.state.jobs.get(&at)
            && record.content != content
        {
            return Err(journal_wrong(format!(
                "job {number} of part {} was begun with other rows: the same write must be given the same rows",
                part.number
            )));
        }
        for start in 0..STARTS {
            if start > 0 {
                self.pause(start).await?;
            }
            let step = self.journal.state.jobs.get(&at).map(|record| record.step.clone());
            let uploaded = match step {
                Some(JobStep::Uploaded(id)) => IngestJob::new(self.client, &id, &self.target.object),
                Some(JobStep::Made(id)) => {
                    // It was made, and perhaps uploaded, and never told to begin.
                    let job = IngestJob::new(self.client, &id, &self.target.object);
                    self.leave(&job, at).await?;
                    continue;
                }
                Some(JobStep::Asked(since)) => {
                    self.sweep(since).await?;
                    self.journal.append(Step::JobLeft { part: at.0, number, job: String::new() }).await?;
                    continue;
                }
                Some(JobStep::Left) | None => match self.start(part, number, rows, &content).await? {
                    Started::Uploaded(job) => job,
                    Started::Lost => continue,
                    Started::Refused(error) => return Ok(Ended::Refused(error)),
                },
            };
            self.jobs.push(uploaded.id.to_string());
            return self.finish(&uploaded, part, rows, slots).await;
        }
        Err(Error::WrongAnswer {
            what: format!("a Bulk job on {}", self.target.object),
            detail: format!("it could not be started in {STARTS} tries; nothing of it was written"),
        })
    }

    /// Makes a job and uploads its rows. The job's id is in the journal before the first row goes out.
    async fn start(&mut self, part: &Arc<Part>, number: u32, rows: &[u32], content: &str) -> Result<Started> {
        let since = self.client.transport().org_now();
        let asked = Step::JobAsked { part: part.number, number, content: content.to_owned(), at: since };
        self.journal.append(asked).await?;
        let (job, content_url) = match IngestJob::create(self.client, self.target, is_crlf(part, rows)).await
        {
            Ok(made) => made,
            Err(error) if error.may_have_worked() => {
                tracing::warn!(%error, "whether a job was made is not known");
                return Ok(Started::Lost);
            }
            Err(error) => {
                let left = Step::JobLeft { part: part.number, number, job: String::new() };
                self.journal.append(left).await?;
                return match error.reaction() {
                    // the day's jobs being used up is no reason to write thousands of rows one by one
                    Reaction::FallBackToRest if error.code() != "LIMIT_EXCEEDED" => {
                        Ok(Started::Refused(error))
                    }
                    _ => Err(error),
                };
            }
        };
        self.journal.append(Step::JobMade { part: part.number, number, job: job.id.to_string() }).await?;
        match job.upload(content_url.as_deref(), part, rows, is_crlf(part, rows)).await {
            Ok(()) => {}
            Err(error) if error.may_have_worked() || is_second_upload(&error) => {
                // What the org has of the upload is not known, and a job takes one only.
                tracing::warn!(%error, job = %job.id, "the upload is begun anew with another job");
                return Ok(Started::Lost);
            }
            Err(error) => {
                self.leave(&job, (part.number, number)).await?;
                return Err(error);
            }
        }
        self.journal.append(Step::JobUploaded { part: part.number, number, job: job.id.to_string() }).await?;
        Ok(Started::Uploaded(job))
    }

    /// Gives up a job that was never told to begin: it wrote nothing, so it need not be heard that it is aborted.
    async fn leave(&mut self, job: &IngestJob, at: (u32, u32)) -> Result<()> {
        match job.abort().await {
            Ok(()) => {}
            Err(error) if error.is_final() => return Err(error),
            Err(error) => tracing::info!(%error, job = %job.id, "an empty job stays open in the org"),
        }
        self.journal.append(Step::JobLeft { part: at.0, number: at.1, job: job.id.to_string() }).await
    }

    /// Aborts the job whose making was not answered, if there is just one that it can be. It is never used: it might
    /// be another's.
    async fn sweep(&mut self, since: jiff::Timestamp) -> Result<()> {
        let margin = SignedDuration::from_secs(2);
        let since = since.checked_sub(margin).unwrap_or(since);
        let found = lost(self.client, self.target, since, &self.journal.state.known_jobs).await;
        match found {
            Ok(found) if found.len() == 1 => {
                for info in found {
                    let job = IngestJob::new(self.client, &info.id, &self.target.object);
                    if let Err(error) = job.abort().await {
                        tracing::info!(%error, job = info.id, "an empty job stays open in the org");
                    }
                }
            }
            Ok(found) if found.is_empty() => {}
            Ok(found) => {
                let jobs: Vec<String> = found.into_iter().map(|info| info.id).collect();
                tracing::info!(?jobs, "one of these empty jobs may be ours; they are left alone");
            }
            Err(error) if error.is_final() => return Err(error),
            Err(error) => tracing::info!(%error, "the jobs in the org cannot be listed"),
        }
        Ok(())
    }

    /// Tells an uploaded job to begin, unless it was told, waits, and joins its results.
    async fn finish(
        &mut self,
        job: &IngestJob,
        part: &Arc<Part>,
        rows: &[u32],
        slots: &mut Slots,
    ) -> Result<Ended> {
        let info = match self.begin(job).await {
            Ok(()) => job.wait(self.cancel, self.deadline).await,
            Err(error) => Err(error),
        };
        let info = match info {
            Ok(info) => info,
            Err(Error::Refused { symptom, .. }) if symptom.status == Some(404) => return Ok(Ended::Gone),
            Err(error) => return Err(error),
        };
        self.read(job, &info, part, rows, slots).await?;
        let again = match (&info.state, &info.error_message) {
            (IngestState::Failed, message) => {
                let message = message.as_deref().unwrap_or("no reason was given");
                let again = react_to_job(message) == Reaction::ReadAgain;
                if !again {
                    let why = slots.why(&format!("the job failed: {message}"));
                    // A job that failed before its first row wrote none, also where it lists none as unprocessed.
                    let untouched = info.number_records_processed == Some(0);
                    for &row in rows {
                        let slot = &mut slots.slots[row as usize];
                        if matches!(slot, Slot::Unprocessed(_)) || (untouched && *slot == Slot::Open) {
                            *slot = Slot::Unprocessed(why);
                        }
                    }
                }
                again
            }
            _ => true,
        };
        Ok(Ended::Joined { again })
    }

    async fn begin(&mut self, job: &IngestJob) -> Result<()> {
        // A resumed job may have been told already; a new one is told at once.
        for ask in 0..ASKS {
            if ask > 0 {
                self.pause(ask).await?;
                if job.info().await?.state != IngestState::Open {
                    return Ok(());
                }
            }
            match job.complete().await {
                Ok(()) => return Ok(()),
                // Where the job stands says whether it was heard: also where it says that this is not its state.
                Err(error) if error.may_have_worked() || is_of_state(&error) => {
                    tracing::info!(%error, job = %job.id, "asked where it stands");
                }
                Err(error) => return Err(error),
            }
        }
        match job.info().await?.state {
            IngestState::Open => Err(Error::WrongAnswer {
                what: format!("Bulk job {} on {}", job.id, self.target.object),
                detail: "it stays Open although it was told to begin; nothing of it was written".into(),
            }),
            _ => Ok(()),
        }
    }

    /// Reads and joins the results, again where they do not have the rows that the job counted.
    async fn read(
        &mut self,
        job: &IngestJob,
        info: &IngestInfo,
        part: &Arc<Part>,
        rows: &[u32],
        slots: &mut Slots,
    ) -> Result<()> {
        for reading in 1..=READS {
            let results = read::results(self.client, job, self.target, part, slots).await?;
            let failed = results.iter().filter(|row| matches!(row.slot, Slot::Failed(_))).count() as u64;
            let succeeded =
                results.iter().filter(|row| matches!(row.slot, Slot::Succeeded { .. })).count() as u64;
            let whole = info.number_records_processed.is_none_or(|processed| processed == succeeded + failed);
            if whole || reading == READS {
                if !whole {
                    tracing::warn!(job = %job.id, ?info, succeeded, failed, "the results lack rows");
                }
                join(part, rows, &results, slots);
                return Ok(());
            }
            self.pause(reading).await?;
        }
        Ok(())
    }

    async fn pause(&self, failed: u32) -> Result<()> {
        let pause = self.client.transport().pause(failed).max(Duration::from_millis(20));
        tokio::select! {
            () = self.cancel.cancelled() => {
                Err(Error::Cancelled { object: self.target.object.clone(), job: "between two tries".into() })
            }
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }
}

enum Started {
    Uploaded(IngestJob),
    /// An answer was lost; the journal says how far it was.
    Lost,
    Refused(Error),
}

/// Rows of a job in a round: what was locked is tried apart, in ever smaller jobs, at last of one transaction each.
fn chunk_size(round: u32, all: usize) -> usize {
    match round {
        0 => all,
        1 => 10_000,
        2 => 2_000,
        _ => 200,
    }
    .max(1)
}

/// Whether the lines of a job of these rows end with CR and LF: rows of the two kinds never share a job.
fn is_crlf(part: &Part, rows: &[u32]) -> bool {
    rows.first().is_some_and(|&row| part.crlf[row as usize])
}

/// A PUT that was heard, and is sent by a lower layer again, is refused as a second one.
fn is_second_upload(error: &Error) -> bool {
    matches!(error, Error::Refused { symptom, .. }
        if symptom.message.contains("multiple contents") || symptom.status == Some(409) || is_of_state(error))
}

fn is_of_state(error: &Error) -> bool {
    matches!(error, Error::Refused { symptom, .. }
        if symptom.code.eq_ignore_ascii_case("INVALIDJOBSTATE") || symptom.code.eq_ignore_ascii_case("INVALID_STATE")
            || symptom.message.contains("state"))
}
