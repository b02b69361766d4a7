//! One object: its rows through one door or the other into parts, its ledger, its record.

use orgkeep_core::run::{Failure, cut_to};
use orgkeep_core::schema::ObjectSchema;
use orgkeep_salesforce::{Error, QueryJob, Select};
use orgkeep_vault::{DataKey, PageEntry, Part, ShardRecord};
use serde::{Deserialize, Serialize};

use super::plan::{Door, PlannedObject};
use super::select::ends_the_run;
use super::{Work, bulk, failure, prove, rest};
use crate::ending::Ending;

/// Times that an object is begun again before it is given up.
const BEGINNINGS: u32 = 4;
/// Numbers of pages that belong to one beginning.
const SPAN: u64 = 1_000_000;

/// What an object gave.
#[derive(Debug, Default)]
pub(super) struct Captured {
    /// Files, in the order of the pages.
    pub(super) parts: Vec<Part>,
    /// Rows that the org announced.
    pub(super) delivered: u64,
    /// Rows that the decoder gave.
    pub(super) decoded: u64,
    /// The job that gave them, to be deleted in the org.
    pub(super) job: Option<QueryJob>,
}

/// Why a reading of an object did not come to its end.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It is about more than this object.
    Ends(Ending),
    /// This object cannot be read.
    GiveUp(Failure),
    /// Bulk does not serve it.
    FallBack(String),
    /// What was read so far does not fit together; another reading may.
    Again(Failure),
}

impl Trouble {
    /// What an error of the client means while an object is read.
    pub(super) fn of(object: &str, error: Error) -> Self {
        use orgkeep_core::problem::Reaction;
        if ends_the_run(&error) {
            return Self::Ends(error.into());
        }
        match error.reaction() {
            Reaction::FallBackToRest => Self::FallBack(error.to_string()),
            Reaction::Retry { .. } | Reaction::ReadAgain => Self::Again(failure(object, &error)),
            _ => Self::GiveUp(failure(object, &error)),
        }
    }
}

impl From<Ending> for Trouble {
    fn from(ending: Ending) -> Self {
        Self::Ends(ending)
    }
}

impl From<orgkeep_vault::VaultError> for Trouble {
    fn from(error: orgkeep_vault::VaultError) -> Self {
        Self::Ends(error.into())
    }
}

/// How a beginning reads, as its first entry in the journal says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Beginning {
    /// The way.
    pub(super) door: Door,
    /// The Bulk job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) job: Option<String>,
    /// The API version that the job was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) api_version: Option<String>,
}

/// An object at work.
pub(super) struct Shard<'a> {
    pub(super) work: &'a Work,
    pub(super) object: &'a PlannedObject,
    pub(super) key: DataKey,
}

/// Reads an object, unless its record says that this was done before, and leaves the record.
pub(super) async fn capture(work: &Work, object: &PlannedObject) -> Result<(), Ending> {
    let name = object.schema.name.as_str();
    if was_done(work, name).await? {
        return Ok(());
    }
    work.context.tracker.object_begins(name);
    let reading = async {
        let key = work.run.data_key(name).await?;
        Shard { work, object, key }.read().await
    };
    let read = tokio::select! {
        biased;
        () = work.context.cancel.cancelled() => return Err(Ending::stopped()),
        read = reading => read?,
    };
    match read {
        Ok(captured) => {
            let counted = prove::counted(work, &[&object.schema]).await?.pop().flatten();
            done(work, object, captured, counted).await
        }
        Err(failed) => given_up(work, name, failed).await,
    }
}

/// Whether an earlier attempt, or another pod, has left the record of an object.
pub(super) async fn was_done(work: &Work, name: &str) -> Result<bool, Ending> {
    let Some(record) = work.run.shard(name).await? else { return Ok(false) };
    work.context.tracker.add_records(record.ledger.written);
    work.context.tracker.object_done(name);
    Ok(true)
}

/// Leaves the record of an object that was read.
pub(super) async fn done(
    work: &Work,
    object: &PlannedObject,
    captured: Captured,
    counted: Option<u64>,
) -> Result<(), Ending> {
    let name = object.schema.name.as_str();
    let ledger = prove::ledger(work, &object.schema, &captured, counted).await?;
    tracing::info!(object = name, rows = ledger.written, files = ledger.files, "captured");
    let record = ShardRecord {
        object: name.to_owned(),
        parts: captured.parts,
        ledger,
        api_calls: work.client.calls().api_calls(),
        ..ShardRecord::default()
    };
    work.attempt.put_shard(record).await?;
    if let Some(job) = captured.job
        && let Err(error) = job.delete().await
    {
        tracing::debug!(object = name, %error, "the job stays in the org until it expires");
    }
    work.context.tracker.object_done(name);
    Ok(())
}

async fn given_up(work: &Work, name: &str, failed: Failure) -> Result<(), Ending> {
    tracing::warn!(object = name, code = failed.code, message = failed.message, "given up");
    let record = ShardRecord {
        object: name.to_owned(),
        failure: Some(failed),
        api_calls: work.client.calls().api_calls(),
        ..ShardRecord::default()
    };
    work.attempt.put_shard(record).await?;
    work.context.tracker.object_done(name);
    Ok(())
}

impl Shard<'_> {
    pub(super) fn name(&self) -> &str {
        &self.object.schema.name
    }

    /// Reads from where the journal ends; begins again, by the other door if need be, where that cannot go on.
    async fn read(&self) -> Result<Result<Captured, Failure>, Ending> {
        let mut pages = self.work.run.pages(self.name()).await?;
        let mut beginning = pages.iter().map(|entry| entry.page / SPAN).max().unwrap_or(0);
        pages.retain(|entry| entry.page / SPAN == beginning);
        let mut door = first(&pages).map_or(self.object.door, |first| first.door);
        let mut last = self.failed("GivenUp", "it never came to its end");
        for _ in 0..BEGINNINGS {
            let result = match door {
                Door::Bulk => bulk::read(self, beginning, std::mem::take(&mut pages)).await,
                Door::Rest => rest::read(self, beginning).await,
            };
            match result {
                Ok(captured) => return Ok(Ok(captured)),
                Err(Trouble::Ends(ending)) => return Err(ending),
                Err(Trouble::GiveUp(failed)) => return Ok(Err(failed)),
                Err(Trouble::FallBack(why)) if door == Door::Bulk => {
                    tracing::info!(object = self.name(), why, "read by REST instead");
                    door = Door::Rest;
                    beginning += 1;
                    let by_rest = Beginning { door, job: None, api_version: None };
                    self.note_beginning(beginning, &by_rest).await.map_err(ending_of)?;
                }
                Err(Trouble::FallBack(why)) => return Ok(Err(self.failed("NotServed", &why))),
                Err(Trouble::Again(failed)) => {
                    tracing::warn!(object = self.name(), why = failed.message, "begun again");
                    last = failed;
                    beginning += 1;
                }
            }
        }
        let message = format!("begun {BEGINNINGS} times; {}", last.message);
        cut_to(&message, 256).clone_into(&mut last.message);
        Ok(Err(last))
    }

    /// Notes how a beginning reads; what another attempt noted first is what counts.
    pub(super) async fn note_beginning(&self, beginning: u64, how: &Beginning) -> Result<Beginning, Trouble> {
        let facts = serde_json::to_value(how).unwrap_or_default();
        let api_calls = self.work.client.calls().api_calls();
        let entry = PageEntry { page: beginning * SPAN, facts, api_calls, ..PageEntry::default() };
        let counts = self.work.attempt.note_page(self.name(), entry).await?;
        serde_json::from_value(counts.facts)
            .map_err(|error| Trouble::GiveUp(self.failed("JournalUnreadable", &error.to_string())))
    }

    /// The number of a page.
    pub(super) fn page(beginning: u64, n: u64) -> u64 {
        beginning * SPAN + n
    }

    pub(super) fn failed(&self, code: &str, message: &str) -> Failure {
        Failure {
            object: self.name().to_owned(),
            code: code.to_owned(),
            message: cut_to(message, 256).to_owned(),
        }
    }
}

/// How the beginning that these entries belong to reads.
pub(super) fn first(pages: &[PageEntry]) -> Option<Beginning> {
    let entry = pages.iter().find(|entry| entry.page % SPAN == 0)?;
    serde_json::from_value(entry.facts.clone()).ok()
}

fn ending_of(trouble: Trouble) -> Ending {
    match trouble {
        Trouble::Ends(ending) => ending,
        Trouble::GiveUp(failed) | Trouble::Again(failed) => {
            Ending::failed(orgkeep_core::reason::Reason::InternalError, failed.message)
        }
        Trouble::FallBack(why) => Ending::failed(orgkeep_core::reason::Reason::InternalError, why),
    }
}

/// What is selected: all columns, archived rows (of Task and Event), no deleted ones.
pub(super) fn selection(schema: &ObjectSchema) -> (Select, bool) {
    let select = Select::of(schema);
    match living(schema) {
        Some(condition) => (select.filter(condition), true),
        None => (select, false),
    }
}

/// The condition for living rows where archived ones must be asked for by queryAll.
pub(super) fn living(schema: &ObjectSchema) -> Option<&'static str> {
    let archives = schema.field("IsArchived").is_some() && schema.field("IsDeleted").is_some();
    (archives && matches!(schema.name.as_str(), "Task" | "Event")).then_some("IsDeleted = false")
}
