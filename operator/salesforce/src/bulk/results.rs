//! A job's result pages: streamed as decoded CSV, in sequence by locator or in parallel by the list of pages.

use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError};

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use http::HeaderMap;
use serde::Deserialize;

use super::check::{PageCheck, PagesSeen};
use super::job::QueryJob;
use crate::client::encode;
use crate::error::{Error, Result};
use crate::transport::{Body, Call, Flaw, Reply, Resource, is_html, path_of};

/// One page of a job's results. Every page begins with the CSV header line.
pub struct BulkPage {
    /// Rows that the page's head announces (`Sforce-NumberOfRecords`), to hold against the rows that come.
    pub rows_announced: Option<u64>,
    /// Locator of the next page; `None` on the last.
    pub next: Option<String>,
    /// CSV, decoded, as it comes. It holds a place among the calls in flight until it is dropped. A body that
    /// breaks off ends with [`Error::PageCut`], and one that is not as its head or the job's other pages say (rows,
    /// a row cut in two, a web page, the rows of another page) with [`Error::PageWrong`]: drop what came of it, and
    /// ask for the same page again.
    pub body: BoxStream<'static, Result<Bytes>>,
    counted: Arc<OnceLock<u64>>,
}

impl BulkPage {
    /// Rows that were counted in the body, once it came to its end without an error.
    pub fn rows_counted(&self) -> Option<u64> {
        self.counted.get().copied()
    }
}

impl fmt::Debug for BulkPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkPage")
            .field("rows_announced", &self.rows_announced)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

/// Some of a job's pages (up to five a call), to be fetched in parallel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultPages {
    /// Their locators; `None` is the first page of all.
    pub locators: Vec<Option<String>>,
    /// What to ask for next; `None` after the last.
    pub next: Option<String>,
}

/// The documentation's table spells the key `nextRecordUrl`, its example `nextRecordsUrl`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PagesAnswer {
    result_pages: Vec<PageAnswer>,
    #[serde(default, alias = "nextRecordUrl")]
    next_records_url: Option<String>,
    #[serde(default)]
    done: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageAnswer {
    result_url: String,
}

impl QueryJob {
    /// Opens a page: the first for `None`, else the one of a locator. `max_records` asks for smaller pages; the
    /// server's choice is large ones.
    pub async fn page(&self, locator: Option<&str>, max_records: Option<u32>) -> Result<BulkPage> {
        self.open_page(locator, max_records, false).await
    }

    /// The same; an urgent page goes before others that wait for a place among the calls in flight.
    pub(super) async fn open_page(
        &self,
        locator: Option<&str>,
        max_records: Option<u32>,
        urgent: bool,
    ) -> Result<BulkPage> {
        let mut query = Vec::new();
        query.extend(max_records.map(|rows| format!("maxRecords={rows}")));
        query.extend(locator.map(|locator| format!("locator={}", encode(locator))));
        let separator = if query.is_empty() { "" } else { "?" };
        let page = locator.unwrap_or("first");
        let mut call =
            Call::get(Resource::BulkResults, self.path(&format!("/results{separator}{}", query.join("&"))))
                .about(format!("{}, page {page}", self.object()));
        call.accept = "text/csv";
        call.urgent = urgent;
        // What a node or a proxy says instead of the page, and a head that is spoilt, may be gone at another try.
        let check = |reply: &Reply| {
            let flaw = match rows_announced(&reply.headers) {
                _ if is_html(&reply.headers, &[]) => Flaw::passing(0, "it is an HTML page, not CSV"),
                Ok(_) => return Ok(()),
                Err(flaw) => flaw,
            };
            Err(flaw.of(call.what()))
        };
        let reply = self.client.transport().open_checked(&call, check).await?;
        let rows_announced = rows_announced(&reply.headers).map_err(|flaw| flaw.of(call.what()))?;
        let next = next_locator(&reply.headers);
        if let Some(next) = &next {
            self.check_new(next, locator)?;
        }
        let reading = Reading {
            object: self.object().to_owned(),
            job: self.id().to_owned(),
            page: page.to_owned(),
            announced: rows_announced,
            check: PageCheck::new(),
            seen: self.seen.clone(),
            counted: Arc::default(),
        };
        let counted = reading.counted.clone();
        Ok(BulkPage { rows_announced, next, body: pieces(reply.body, reading), counted })
    }

    /// Lists the job's pages, some at a time: from the start for `None`, else from a former answer's `next`.
    /// The job must be complete.
    pub async fn result_pages(&self, from: Option<&str>) -> Result<ResultPages> {
        let what = format!("result pages of Bulk job {} on {}", self.id(), self.object());
        let path = match from {
            Some(url) => path_of(url, &what)?,
            None => self.path("/resultPages"),
        };
        let answer: PagesAnswer =
            self.client.transport().fetch_json(&Call::get(Resource::BulkResults, path)).await?;
        let locators = answer.result_pages.iter().map(|page| locator_of(&page.result_url)).collect();
        let next = answer.next_records_url.filter(|url| answer.done != Some(true) && is_locator(url));
        if let Some(next) = &next {
            self.check_new(next, from.or(Some("resultPages")))?;
        }
        Ok(ResultPages { locators, next })
    }

    /// A locator may be named again by the page that named it (when that is read again), by no other.
    fn check_new(&self, next: &str, asked: Option<&str>) -> Result<()> {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let by = named.entry(next.to_owned()).or_insert_with(|| asked.map(str::to_owned));
        if by.as_deref() == asked && asked != Some(next) {
            return Ok(());
        }
        Err(Error::LocatorRepeated {
            what: format!("Bulk job {} on {}", self.id(), self.object()),
            locator: next.to_owned(),
        })
    }
}

/// A body being read, and the page that it belongs to.
struct Reading {
    object: String,
    job: String,
    page: String,
    announced: Option<u64>,
    check: PageCheck,
    seen: PagesSeen,
    counted: Arc<OnceLock<u64>>,
}

impl Reading {
    fn end(self) -> Result<()> {
        let (object, job, page) = (self.object, self.job, self.page);
        let offset = self.check.bytes();
        let noted = self.check.end(self.announced).and_then(|facts| {
            let twice = |other| format!("it has the rows of the page at locator {other}");
            self.seen.note(&page, facts).map_err(twice)?;
            let _ = self.counted.set(facts.rows);
            Ok(())
        });
        noted.map_err(|detail| Error::PageWrong { object, job, page, offset, detail })
    }

    fn cut(self, detail: String) -> Error {
        let offset = self.check.bytes();
        Error::PageCut { object: self.object, job: self.job, page: self.page, offset, detail }
    }

    fn wrong(self, detail: String) -> Error {
        let offset = self.check.bytes();
        Error::PageWrong { object: self.object, job: self.job, page: self.page, offset, detail }
    }
}

fn pieces(body: Body, reading: Reading) -> BoxStream<'static, Result<Bytes>> {
    stream::unfold(Some((body, reading)), |state| async move {
        let (mut body, mut reading) = state?;
        match body.chunk().await {
            Ok(None) => reading.end().err().map(|error| (Err(error), None)),
            Ok(Some(piece)) => match reading.check.push(&piece) {
                Ok(()) => Some((Ok(piece), Some((body, reading)))),
                Err(detail) => Some((Err(reading.wrong(detail)), None)),
            },
            Err(detail) => Some((Err(reading.cut(detail)), None)),
        }
    })
    .boxed()
}

/// `Sforce-NumberOfRecords`; one that is no number is a flaw, as the proof of completeness rests on it.
fn rows_announced(headers: &HeaderMap) -> std::result::Result<Option<u64>, Flaw> {
    let Some(value) = headers.get("sforce-numberofrecords") else { return Ok(None) };
    let count = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    count.map(Some).ok_or_else(|| Flaw::passing(0, format!("Sforce-NumberOfRecords is {value:?}")))
}

/// `Sforce-Locator`; the last page says the word `null`.
fn next_locator(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("sforce-locator")?.to_str().ok()?;
    is_locator(text).then(|| text.to_owned())
}

fn is_locator(text: &str) -> bool {
    !text.is_empty() && text != "null"
}

/// The `locator` in a result page's URL; the first page has none.
fn locator_of(result_url: &str) -> Option<String> {
    let query = result_url.split_once('?')?.1;
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, value)| name == "locator" && is_locator(value))
        .map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locators() {
        let mut headers = HeaderMap::new();
        assert_eq!(next_locator(&headers), None);
        headers.insert("sforce-locator", "null".parse().unwrap());
        assert_eq!(next_locator(&headers), None);
        headers.insert("sforce-locator", "MTAwMA".parse().unwrap());
        assert_eq!(next_locator(&headers).as_deref(), Some("MTAwMA"));
        assert_eq!(locator_of("/x/results?locator=MTAw%3D&maxRecords=5").as_deref(), Some("MTAw="));
        assert_eq!(locator_of("/x/results"), None);
        assert_eq!(locator_of("/x/results?locator=null"), None);
    }

    #[test]
    fn both_spellings_of_the_next_url() {
        for key in ["nextRecordsUrl", "nextRecordUrl"] {
            let answer = serde_json::json!({"resultPages": [{"resultUrl": "/r"}], key: "/n", "done": false});
            let answer: PagesAnswer = serde_json::from_value(answer).unwrap();
            assert_eq!(answer.next_records_url.as_deref(), Some("/n"));
        }
    }
}
