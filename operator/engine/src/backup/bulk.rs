//! Fetch by Bulk API 2.0: a job, and its result pages streamed into the encoder, each noted when it stands.

use orgkeep_salesforce::{BulkPage, QueryJob};
use orgkeep_vault::{PageEntry, Part};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;

use super::Work;
use super::encode::{self, CsvError};
use super::plan::{Door, page_rows};
use super::shard::{Beginning, Captured, Shard, Trouble, first, selection};
use crate::ending::Ending;

/// Times that one page is asked for when its body breaks off.
const PAGE_TRIES: u32 = 5;

/// What the journal keeps of a page besides its files.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageFacts {
    /// Rows that the page's head announced.
    announced: u64,
    /// Locator of the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Reads the object: the journal's pages first, then what the job has beyond them.
pub(super) async fn read(
    shard: &Shard<'_>,
    beginning: u64,
    journal: Vec<PageEntry>,
) -> Result<Captured, Trouble> {
    let (job, resumed) = job(shard, beginning, &journal).await?;
    let result = pages(shard, beginning, &journal, &job).await;
    match result {
        Ok(captured) => Ok(Captured { job: Some(job), ..captured }),
        // The org has forgotten the job of an earlier attempt: its pages are no longer to be had.
        Err(Trouble::GiveUp(failed)) if resumed => Err(Trouble::Again(failed)),
        Err(trouble) => Err(trouble),
    }
}

/// The job of this beginning: the one in the journal, or a new one that goes there.
async fn job(shard: &Shard<'_>, beginning: u64, journal: &[PageEntry]) -> Result<(QueryJob, bool), Trouble> {
    let client = &shard.work.client;
    let resume = |how: &Beginning| {
        let (id, version) = (how.job.as_deref()?, how.api_version.as_deref()?);
        Some(client.resume_query_job(id, shard.name(), version))
    };
    if let Some(job) = first(journal).as_ref().and_then(resume) {
        tracing::info!(
            object = shard.name(),
            job = job.id(),
            pages = journal.len() - 1,
            "goes on with a job"
        );
        return Ok((job, true));
    }
    let (select, all) = selection(&shard.object.schema);
    let made =
        client.create_query_job(&select, all).await.map_err(|error| Trouble::of(shard.name(), error))?;
    let how = Beginning {
        door: Door::Bulk,
        job: Some(made.id().to_owned()),
        api_version: Some(made.api_version().to_owned()),
    };
    let counts = shard.note_beginning(beginning, &how).await?;
    match resume(&counts) {
        Some(job) if counts != how => {
            // Another attempt was first; ours gives way.
            if let Err(error) = made.abort().await {
                tracing::debug!(%error, "a job that is not needed stays in the org");
            }
            Ok((job, true))
        }
        _ => Ok((made, false)),
    }
}

async fn pages(
    shard: &Shard<'_>,
    beginning: u64,
    journal: &[PageEntry],
    job: &QueryJob,
) -> Result<Captured, Trouble> {
    let work = shard.work;
    let mut walk = Walk::default();
    walk.journaled(beginning, journal);
    if walk.finished {
        return Ok(walk.captured());
    }
    // A job that has given a page is complete.
    if walk.number == 0 {
        job.wait(&work.context.cancel, None).await.map_err(|error| Trouble::of(shard.name(), error))?;
    }
    let rows = u32::try_from(page_rows(&shard.object.schema)).ok();
    let mut running = JoinSet::new();
    while !walk.finished {
        let place = tokio::select! {
            place = work.pages.clone().acquire_owned() => place.map_err(|_| Trouble::Ends(Ending::stopped()))?,
            // A page that failed ends the others at once.
            Some(done) = running.join_next() => { walk.take(joined(done)?); continue; }
        };
        let number = walk.next_number();
        if let Some((entry, facts)) = walk.ahead.remove(&number) {
            walk.locator.clone_from(&facts.next);
            walk.finished = facts.next.is_none();
            walk.take((number, entry.parts, facts.announced, entry.rows));
            continue;
        }
        let locator = walk.locator.clone();
        let page =
            job.page(locator.as_deref(), rows).await.map_err(|error| Trouble::of(shard.name(), error))?;
        walk.locator.clone_from(&page.next);
        walk.finished = page.next.is_none();
        let one = OnePage {
            work: work.clone(),
            object: shard.object.clone(),
            key: shard.key.clone(),
            job: job.clone(),
            page: Shard::page(beginning, number),
            number,
            locator,
            rows,
        };
        running.spawn(one.fetch(page, place));
    }
    while let Some(done) = running.join_next().await {
        walk.take(joined(done)?);
    }
    Ok(walk.captured())
}

type Done = (u64, Vec<Part>, u64, u64);

fn joined(done: Result<Result<Done, Trouble>, tokio::task::JoinError>) -> Result<Done, Trouble> {
    done.unwrap_or_else(|error| {
        Err(Trouble::Ends(Ending::failed(orgkeep_core::reason::Reason::InternalError, error.to_string())))
    })
}

/// Where the reading is: the chain of locators, and what has been written.
#[derive(Default)]
struct Walk {
    number: u64,
    locator: Option<String>,
    finished: bool,
    done: Vec<Done>,
    /// Pages of the journal behind one that is missing: they were written while it was still on its way.
    ahead: std::collections::BTreeMap<u64, (PageEntry, PageFacts)>,
}

impl Walk {
    /// Takes over what the journal has; the chain of locators goes as far as there is no gap.
    fn journaled(&mut self, beginning: u64, journal: &[PageEntry]) {
        for entry in journal {
            let number = entry.page - Shard::page(beginning, 0);
            if number > 0
                && let Ok(facts) = serde_json::from_value::<PageFacts>(entry.facts.clone())
            {
                self.ahead.insert(number, (entry.clone(), facts));
            }
        }
        while let Some((entry, facts)) = self.ahead.remove(&(self.number + 1)) {
            self.number += 1;
            self.locator.clone_from(&facts.next);
            self.finished = facts.next.is_none();
            self.take((self.number, entry.parts, facts.announced, entry.rows));
        }
    }

    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    fn take(&mut self, done: Done) {
        self.done.push(done);
    }

    fn captured(mut self) -> Captured {
        self.done.sort_by_key(|(number, ..)| *number);
        let mut captured = Captured::default();
        for (_, parts, announced, rows) in self.done {
            captured.parts.extend(parts);
            captured.delivered += announced;
            captured.decoded += rows;
        }
        captured
    }
}

/// One page, with all that it takes to ask for it again.
struct OnePage {
    work: Work,
    object: super::plan::PlannedObject,
    key: orgkeep_vault::DataKey,
    job: QueryJob,
    page: u64,
    number: u64,
    locator: Option<String>,
    rows: Option<u32>,
}

impl OnePage {
    async fn fetch(self, page: BulkPage, place: OwnedSemaphorePermit) -> Result<Done, Trouble> {
        let name = self.object.schema.name.clone();
        let shard = Shard { work: &self.work, object: &self.object, key: self.key.clone() };
        let mut page = page;
        for attempt in 1.. {
            let (announced, next) = (page.rows_announced, page.next.clone());
            match encode::csv(&shard, &format!("{:08}-{attempt}", self.page), page.body).await {
                Ok(written) => {
                    let announced = announced.unwrap_or(written.decoded);
                    let facts = serde_json::to_value(PageFacts { announced, next }).unwrap_or_default();
                    let entry = PageEntry {
                        page: self.page,
                        parts: written.parts,
                        rows: written.decoded,
                        facts,
                        api_calls: self.work.client.calls().api_calls(),
                        ..PageEntry::default()
                    };
                    let counts = self.work.attempt.note_page(&name, entry).await?;
                    let announced = serde_json::from_value::<PageFacts>(counts.facts)
                        .map_or(announced, |facts| facts.announced);
                    drop(place);
                    return Ok((self.number, counts.parts, announced, counts.rows));
                }
                Err(CsvError::Body(why)) if attempt < PAGE_TRIES => {
                    tracing::warn!(object = name, why, "the page is asked for again");
                    let again = self.job.page(self.locator.as_deref(), self.rows).await;
                    page = again.map_err(|error| Trouble::of(&name, error))?;
                }
                Err(CsvError::Body(why)) => return Err(Trouble::Again(shard.failed("PageCut", &why))),
                Err(CsvError::Trouble(trouble)) => return Err(trouble),
            }
        }
        Err(Trouble::Again(shard.failed("PageCut", "a page broke off again and again")))
    }
}
