//! The journal of a run: what a later attempt needs to go on where an earlier one stopped.
//!
//! Everything in it is put once, so that of two attempts at the same thing the first one counts and both know it.
//! It holds no value of a record.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt, TryStreamExt};
use orgkeep_core::ledger::ObjectLedger;
use orgkeep_core::run::{Failure, Outcome};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::attempt::Attempt;
use crate::error::{Result, VaultError};
use crate::keys::DataKey;
use crate::keys::envelope::random;
use crate::layout;
use crate::line::Line;
use crate::state::Part;
use crate::vault::now;

/// Documents read at a time.
const IN_FLIGHT: usize = 8;

/// A page of a shard whose parts stand.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PageEntry {
    /// Number of the page in its shard.
    pub page: u64,
    /// Attempt that wrote it; set by [`Attempt::note_page`].
    pub attempt: u32,
    /// The files; none where the page had no rows.
    pub parts: Vec<Part>,
    /// Rows that the page had.
    pub rows: u64,
    /// Calls to the org that the attempt had made by then.
    pub api_calls: u64,
    /// Whatever the caller needs to go on: locators, job ids, counts.
    pub facts: Value,
}

/// A shard that is done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ShardRecord {
    /// API name of the object.
    pub object: String,
    /// Attempt that counts; set by [`Attempt::put_shard`].
    pub attempt: u32,
    /// The files that count.
    pub parts: Vec<Part>,
    /// What was counted at each station.
    pub ledger: ObjectLedger,
    /// Why it is incomplete, if it is.
    pub failure: Option<Failure>,
    /// Calls to the org that the attempt had made by then.
    pub api_calls: u64,
    /// Whatever the caller needs when it proves and commits.
    pub facts: Value,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttemptDocument {
    attempt: u32,
    token: String,
    started_at: String,
    /// How often the line had been swept when it began; absent in journals of before there were collections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
}

/// `closed/<run>.json`: the run may not go on, its files may be gone.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClosedDocument {
    run_id: String,
    reason: String,
    closed_at: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyDocument {
    wrapped_key: String,
}

/// A run's journal. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Run {
    line: Line,
    id: String,
}

impl Run {
    pub(crate) fn new(line: Line, id: &str) -> Result<Self> {
        Ok(Self { line, id: layout::name(id)?.to_owned() })
    }

    /// The run's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The line.
    pub fn line(&self) -> &Line {
        &self.line
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", layout::run(self.line.id(), &self.id))
    }

    pub(crate) fn page_path(&self, object: &str, page: u64) -> Result<String> {
        Ok(self.path(&format!("shards/{}/pages/{page:08}.json", layout::name(object)?)))
    }

    pub(crate) fn shard_path(&self, object: &str) -> Result<String> {
        Ok(self.path(&format!("shards/{}/record.json", layout::name(object)?)))
    }

    /// The plan, if one was put.
    pub async fn plan<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        self.line.vault().read(&self.path("plan.json")).await
    }

    /// Puts the plan, and says the one that counts.
    pub async fn put_plan<T: Serialize + DeserializeOwned>(&self, plan: &T) -> Result<T> {
        self.line.vault().put_or_read(&self.path("plan.json"), plan).await
    }

    /// A number for this process, so that its files never meet another's.
    pub async fn begin_attempt(&self) -> Result<Attempt> {
        self.check_open().await?;
        let epoch = Some(self.line.epoch().await?);
        let folder = self.path("attempts/");
        loop {
            let attempt = self.attempts().await?.into_iter().max().unwrap_or(0) + 1;
            let document =
                AttemptDocument { attempt, token: hex::encode(random::<16>()?), started_at: now(), epoch };
            let path = format!("{folder}{attempt:06}.json");
            let bytes = crate::vault::to_bytes(&path, &document)?;
            if self.line.vault().put_once(&path, bytes).await? {
                return Ok(Attempt::new(self.clone(), attempt));
            }
        }
    }

    /// Numbers of the attempts that were begun, in no order.
    async fn attempts(&self) -> Result<Vec<u32>> {
        let storage = self.line.vault().storage();
        let numbers = storage
            .list(&self.path("attempts/"))
            .try_filter_map(|entry| async move { Ok(number_of(&entry.path)) })
            .try_collect();
        Ok(numbers.await?)
    }

    /// Refuses a run that a collection closed.
    pub(crate) async fn check_open(&self) -> Result<()> {
        let path = layout::closed(self.line.id(), &self.id);
        match self.line.vault().read::<ClosedDocument>(&path).await? {
            Some(closed) => Err(VaultError::RunClosed {
                line: self.line.id().to_owned(),
                run: self.id.clone(),
                why: format!("{} at {}", closed.reason, closed.closed_at),
            }),
            None => Ok(()),
        }
    }

    /// Says for good that the run may not go on.
    pub(crate) async fn close(&self, reason: &str) -> Result<()> {
        let document =
            ClosedDocument { run_id: self.id.clone(), reason: reason.to_owned(), closed_at: now() };
        self.line.vault().put_or_read(&layout::closed(self.line.id(), &self.id), &document).await.map(drop)
    }

    /// Whether the line was swept since the run began: what the run means to name may be gone.
    pub(crate) async fn was_swept(&self) -> Result<bool> {
        let first: Option<AttemptDocument> =
            self.line.vault().read(&self.path("attempts/000001.json")).await?;
        Ok(first.and_then(|first| first.epoch) != Some(self.line.epoch().await?))
    }

    /// When the run's first attempt began, and when its last one did; `None` without a journal.
    pub(crate) async fn life(&self) -> Result<Option<(jiff::Timestamp, jiff::Timestamp)>> {
        let Some(last) = self.attempts().await?.into_iter().max() else { return Ok(None) };
        let last: Option<AttemptDocument> =
            self.line.vault().read(&self.path(&format!("attempts/{last:06}.json"))).await?;
        let last = last.and_then(|last| last.started_at.parse().ok());
        Ok(self.begun().await?.zip(last))
    }

    /// When the run's first attempt began.
    pub(crate) async fn begun(&self) -> Result<Option<jiff::Timestamp>> {
        let first: Option<AttemptDocument> =
            self.line.vault().read(&self.path("attempts/000001.json")).await?;
        Ok(first.and_then(|first| first.started_at.parse().ok()))
    }

    /// The data key of an object in this run: the same for all attempts.
    pub async fn data_key(&self, object: &str) -> Result<DataKey> {
        let vault = self.line.vault();
        if !vault.is_encrypted() {
            return vault.keys().new_data_key();
        }
        let path = self.path(&format!("keys/{}.json", layout::name(object)?));
        let document = match vault.read::<KeyDocument>(&path).await? {
            Some(document) => document,
            None => {
                let fresh = KeyDocument { wrapped_key: vault.keys().new_data_key()?.wrapped };
                vault.put_or_read(&path, &fresh).await?
            }
        };
        vault.keys().open_data_key(&path, &document.wrapped_key)
    }

    /// Pages of a shard that stand, in their order.
    pub async fn pages(&self, object: &str) -> Result<Vec<PageEntry>> {
        self.read_all(&self.path(&format!("shards/{}/pages/", layout::name(object)?))).await
    }

    /// The record of a shard, if it is done.
    pub async fn shard(&self, object: &str) -> Result<Option<ShardRecord>> {
        self.line.vault().read(&self.shard_path(object)?).await
    }

    /// Records of all shards that are done, by object.
    pub async fn shards(&self) -> Result<Vec<ShardRecord>> {
        let records: Vec<Option<ShardRecord>> = stream::iter(self.objects().await?)
            .map(|name| async move { self.shard(&name).await })
            .buffered(IN_FLIGHT)
            .try_collect()
            .await?;
        Ok(records.into_iter().flatten().collect())
    }

    /// Calls to the org of all attempts but one, as far as their journal tells: what an attempt called for after
    /// its last entry is not in it.
    pub async fn api_calls_beside(&self, attempt: &Attempt) -> Result<u64> {
        if self.attempts().await?.len() < 2 {
            return Ok(0);
        }
        let mut most: BTreeMap<u32, u64> = BTreeMap::new();
        let mut note = |attempt: u32, calls: u64| {
            let known = most.entry(attempt).or_default();
            *known = calls.max(*known);
        };
        for object in self.objects().await? {
            for page in self.pages(&object).await? {
                note(page.attempt, page.api_calls);
            }
            if let Some(record) = self.shard(&object).await? {
                note(record.attempt, record.api_calls);
            }
        }
        most.remove(&attempt.number());
        Ok(most.values().sum())
    }

    /// How the run ended, by the newest attempt that said so.
    pub async fn record(&self) -> Result<Option<Outcome>> {
        let mut paths = self.paths(&self.path("records/")).await?;
        match paths.pop() {
            Some(path) => self.line.vault().read(&path).await,
            None => Ok(None),
        }
    }

    /// Objects that the journal has anything of, sorted.
    async fn objects(&self) -> Result<Vec<String>> {
        let mut names = self.line.vault().storage().list_folders(&self.path("shards")).await?;
        names.sort();
        Ok(names)
    }

    async fn paths(&self, folder: &str) -> Result<Vec<String>> {
        let mut paths: Vec<String> =
            self.line.vault().storage().list(folder).map_ok(|entry| entry.path).try_collect().await?;
        paths.sort();
        Ok(paths)
    }

    async fn read_all<T: DeserializeOwned>(&self, folder: &str) -> Result<Vec<T>> {
        stream::iter(self.paths(folder).await?)
            .map(|path| async move {
                self.line
                    .vault()
                    .read(&path)
                    .await?
                    .ok_or_else(|| VaultError::corrupted(path, "it was there, and is gone"))
            })
            .buffered(IN_FLIGHT)
            .try_collect()
            .await
    }
}

/// The number that a file is named by.
fn number_of(path: &str) -> Option<u32> {
    path.rsplit('/').next()?.strip_suffix(".json")?.parse().ok()
}
