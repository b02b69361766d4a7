//! All pages of a job: in order, in parallel, within memory, resumable, and never one too few or one twice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use common::{Answer, Org, Seen, answer, cut, json, parameter, refusal};
use orgkeep_core::problem::Fault;
use orgkeep_salesforce::{
    BulkEvent, Client, Discovery, Error, Opened, PageDone, QueryJob, ReadOptions, Select, Totals,
};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

const JOBS: &str = "/services/data/v64.0/jobs/query";
const JOB: &str = "/services/data/v64.0/jobs/query/750x";
const RESULTS: &str = "/services/data/v64.0/jobs/query/750x/results";
const PAGES: &str = "/services/data/v64.0/jobs/query/750x/resultPages";

fn page_text(number: usize, rows: usize) -> String {
    (0..rows).fold("\"Id\",\"Name\"\n".to_owned(), |mut text, n| {
        text.push_str(&format!("\"001{number:05}{n:07}\",\"a \"\"quoted\"\"\nname\"\n"));
        text
    })
}

/// Which page is asked for.
fn asked(seen: &Seen) -> usize {
    parameter(&seen.query, "locator").map_or(0, |locator| locator.trim_start_matches('L').parse().unwrap())
}

fn head(number: usize, pages: usize, rows: usize, body: impl Into<Body>) -> Answer {
    let next = if number + 1 == pages { "null".to_owned() } else { format!("L{}", number + 1) };
    answer(200, &[("sforce-locator", &next), ("sforce-numberofrecords", &rows.to_string())], body)
}

fn good(seen: &Seen, pages: usize, rows: usize) -> Answer {
    head(asked(seen), pages, rows, page_text(asked(seen), rows))
}

async fn job(org: &Org) -> QueryJob {
    org.connect().await.resume_query_job("750x", "Account", "64.0")
}

fn options(parallel: usize, memory: usize) -> ReadOptions {
    ReadOptions { parallel, memory, ..ReadOptions::default() }
}

/// Reads to the end; the text of each page, and what its end told.
async fn read(
    job: &QueryJob,
    options: ReadOptions,
    expected: Option<u64>,
) -> Result<(Vec<String>, Vec<PageDone>, Totals), Error> {
    let mut reader = job.read(options, expected);
    let (mut texts, mut ends) = (Vec::new(), Vec::new());
    let mut text = Vec::new();
    while let Some(event) = reader.next().await? {
        match event {
            BulkEvent::Begins { number, .. } => {
                assert_eq!(number as usize, texts.len());
                text.clear();
            }
            BulkEvent::Csv(piece) => text.extend_from_slice(&piece),
            BulkEvent::Ends(done) => {
                assert_eq!(done.bytes, text.len() as u64);
                texts.push(String::from_utf8(std::mem::take(&mut text)).unwrap());
                ends.push(done);
            }
        }
    }
    assert_eq!(reader.next().await?, None);
    Ok((texts, ends, reader.totals()))
}

fn whole(pages: usize, rows: usize) -> Vec<String> {
    (0..pages).map(|number| page_text(number, rows)).collect()
}

#[tokio::test]
async fn pages_come_in_order_by_chain_and_by_list() {
    let org = Org::start().await;
    org.on(RESULTS, |seen| good(seen, 7, 40));
    org.on(PAGES, |seen| match parameter(&seen.query, "locator") {
        None => json(
            200,
            r#"{"resultPages":[{"resultUrl":"/r"},{"resultUrl":"/r?locator=L1"},{"resultUrl":"/r?locator=L2"},
            {"resultUrl":"/r?locator=L3"},{"resultUrl":"/r?locator=L4"}],
            "nextRecordsUrl":"/services/data/v64.0/jobs/query/750x/resultPages?locator=L5","done":false}"#,
        ),
        Some(_) => json(
            200,
            r#"{"resultPages":[{"resultUrl":"/r?locator=L5"},{"resultUrl":"/r?locator=L6"}],"done":true}"#,
        ),
    });
    let job = job(&org).await;
    for discovery in [Discovery::Chain, Discovery::ResultPages] {
        let options = ReadOptions { discovery, ..options(3, 1 << 20) };
        let (texts, ends, totals) = read(&job, options, Some(280)).await.unwrap();
        assert_eq!(texts, whole(7, 40));
        assert_eq!((totals.pages, totals.rows), (7, 280));
        assert_eq!(ends[0].next.as_deref(), Some("L1"));
        assert_eq!((ends[6].locator.as_deref(), &ends[6].next), (Some("L6"), &None));
    }
    assert_eq!(org.seen(PAGES).len(), 2);
    // An org without the list.
    org.on(PAGES, |_| refusal(404, "NOT_FOUND", "The requested resource does not exist"));
    let by_list = ReadOptions { discovery: Discovery::ResultPages, ..options(3, 1 << 20) };
    assert_eq!(read(&job, by_list, Some(280)).await.unwrap().0, whole(7, 40));
}

#[tokio::test]
async fn a_reading_goes_on_behind_the_last_whole_page() {
    let org = Org::start().await;
    org.on(RESULTS, |seen| good(seen, 5, 10));
    let job = job(&org).await;
    let (_, ends, _) = read(&job, options(2, 1 << 20), None).await.unwrap();
    let from = ReadOptions { from: ends[2].next.clone(), ..options(2, 1 << 20) };
    let again = org.connect().await.resume_query_job(job.id(), job.object(), job.api_version());
    let (texts, _, totals) = read(&again, from, Some(50)).await.unwrap();
    assert_eq!(texts, whole(5, 10)[3..]);
    assert_eq!(totals.rows, 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_at_once_and_no_more() {
    let org = Org::start().await;
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counter, highest) = (now.clone(), most.clone());
    org.on(RESULTS, move |seen| {
        let (number, counter) = (asked(seen), counter.clone());
        highest.fetch_max(counter.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let body = futures::stream::once(async move {
            tokio::time::sleep(Duration::from_millis(60)).await;
            counter.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, std::io::Error>(page_text(number, 5))
        });
        head(number, 9, 5, Body::from_stream(body))
    });
    let (texts, ..) = read(&job(&org).await, options(3, 1 << 20), None).await.unwrap();
    assert_eq!(texts, whole(9, 5));
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn pages_ahead_wait_for_memory_and_never_block_the_one_in_front() {
    let org = Org::start().await;
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = sent.clone();
    org.on(RESULTS, move |seen| {
        let (number, counter) = (asked(seen), counter.clone());
        let text = Bytes::from(page_text(number, 4_000));
        let pieces: Vec<Bytes> = text.chunks(8_192).map(Bytes::copy_from_slice).collect();
        let body = futures::StreamExt::map(futures::stream::iter(pieces), move |piece| {
            counter.fetch_add(piece.len(), Ordering::SeqCst);
            Ok::<_, std::io::Error>(piece)
        });
        head(number, 12, 4_000, Body::from_stream(body))
    });
    let job = job(&org).await;
    // Memory for less than a page: it must come through all the same.
    let (texts, _, totals) = read(&job, options(6, 32 << 10), Some(48_000)).await.unwrap();
    assert_eq!(texts, whole(12, 4_000));
    assert_eq!(totals.pages, 12);
    // Nobody reads on: what is fetched ahead stays within the bound and what connections buffer.
    let size = page_text(0, 4_000).len();
    sent.store(0, Ordering::SeqCst);
    let mut reader = job.read(options(6, 32 << 10), None);
    reader.next().await.unwrap();
    reader.next().await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let fetched = sent.load(Ordering::SeqCst);
    assert!(fetched >= size / 100, "{fetched}");
    drop(reader);
}

#[tokio::test]
async fn a_page_that_breaks_off_is_read_again_and_nothing_comes_twice() {
    let org = Org::start().await;
    let breaks = Arc::new(AtomicUsize::new(0));
    let counter = breaks.clone();
    org.on(RESULTS, move |seen| {
        let text = page_text(asked(seen), 30);
        if asked(seen).is_multiple_of(2) && counter.fetch_add(1, Ordering::SeqCst) % 3 < 2 {
            let end = text.len() * (1 + counter.load(Ordering::SeqCst) % 3) / 4;
            return head(asked(seen), 5, 30, cut(text.into_bytes()[..end].to_vec()));
        }
        head(asked(seen), 5, 30, text)
    });
    let (texts, ..) = read(&job(&org).await, options(1, 1 << 20), Some(150)).await.unwrap();
    assert_eq!(texts, whole(5, 30));
    assert!(breaks.load(Ordering::SeqCst) >= 9);
}

async fn fails(
    pages: usize,
    expected: Option<u64>,
    serve: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
) -> Error {
    let org = Org::start().await;
    org.on(RESULTS, serve);
    let job = job(&org).await;
    let error = read(&job, options(1, 1 << 20), expected).await.unwrap_err();
    // What is wrong stays wrong: the reader does not go on behind it.
    assert!(org.seen(RESULTS).len() >= pages.min(2));
    error
}

fn is_wrong(error: &Error, page_wanted: &str, detail_wanted: &str) {
    let Error::PageWrong { object, job, page, detail, .. } = error else { panic!("{error}") };
    assert_eq!((object.as_str(), job.as_str(), page.as_str()), ("Account", "750x", page_wanted));
    assert!(detail.contains(detail_wanted), "{error}");
    assert_eq!(error.reaction(), Fault::PageWrong.reaction());
}

#[tokio::test]
async fn every_wrong_page_is_an_error_with_its_place() {
    let error = fails(1, None, |seen| head(asked(seen), 3, 6, page_text(asked(seen), 5))).await;
    is_wrong(&error, "first", "it has 5 rows, its head announces 6");
    let error = fails(2, None, |seen| match asked(seen) {
        1 => head(1, 3, 5, page_text(0, 5)),
        n => head(n, 3, 5, page_text(n, 5)),
    })
    .await;
    is_wrong(&error, "L1", "it has the rows of the page at locator first");
    let error = fails(2, None, |seen| match asked(seen) {
        1 => head(1, 3, 5, "<html><body>busy</body></html>\n"),
        n => head(n, 3, 5, page_text(n, 5)),
    })
    .await;
    is_wrong(&error, "L1", "web page");
    let error = fails(2, None, |seen| match asked(seen) {
        1 => head(1, 3, 5, ""),
        n => head(n, 3, 5, page_text(n, 5)),
    })
    .await;
    is_wrong(&error, "L1", "empty");
    let error = fails(1, None, |seen| {
        let text = page_text(asked(seen), 5);
        head(asked(seen), 3, 5, text[..text.len() - 4].to_owned())
    })
    .await;
    is_wrong(&error, "first", "within a row");
}

#[tokio::test]
async fn an_html_head_is_tried_again_and_then_an_error() {
    let org = Org::start().await;
    org.on(RESULTS, |seen| match seen.nth {
        0 => answer(200, &[("content-type", "text/html")], "<html>"),
        _ => good(seen, 2, 3),
    });
    assert_eq!(read(&job(&org).await, options(2, 1 << 20), None).await.unwrap().0, whole(2, 3));
    let error = fails(1, None, |_| answer(200, &[("content-type", "text/html")], "<html>")).await;
    let Error::BodyUnreadable { what, offset: 0, passing: true, .. } = &error else { panic!("{error}") };
    assert!(what.contains("/results (Account, page first)"), "{what}");
}

#[tokio::test]
async fn pages_left_out_are_noticed() {
    // By the number that the job said.
    let error = fails(2, Some(15), |seen| match asked(seen) {
        0 => answer(200, &[("sforce-locator", "L2"), ("sforce-numberofrecords", "5")], page_text(0, 5)),
        n => head(n, 3, 5, page_text(n, 5)),
    })
    .await;
    assert!(matches!(&error, Error::RowsMissing { got: 10, expected: 15, .. }), "{error}");
    assert!(error.to_string().contains("750x on Account"), "{error}");
    // A list that leaves a page out, or ends early.
    for (list, want) in [
        (r#"{"resultPages":[{"resultUrl":"/r"},{"resultUrl":"/r?locator=L2"}],"done":true}"#, "10 rows came"),
        (r#"{"resultPages":[{"resultUrl":"/r"},{"resultUrl":"/r?locator=L1"}],"done":true}"#, "locator L2"),
    ] {
        let org = Org::start().await;
        org.on(RESULTS, |seen| good(seen, 3, 5));
        org.on(PAGES, move |_| json(200, list));
        let by_list = ReadOptions { discovery: Discovery::ResultPages, ..options(2, 1 << 20) };
        let error = read(&job(&org).await, by_list, Some(15)).await.unwrap_err();
        assert!(error.to_string().contains(want), "{error}");
    }
}

#[tokio::test]
async fn a_locator_that_repeats_ends_the_reading() {
    let error = fails(2, None, |seen| {
        let next = if asked(seen) == 2 { "L1".to_owned() } else { format!("L{}", asked(seen) + 1) };
        answer(200, &[("sforce-locator", &next), ("sforce-numberofrecords", "5")], page_text(asked(seen), 5))
    })
    .await;
    assert!(matches!(&error, Error::LocatorRepeated { locator, .. } if locator == "L1"), "{error}");
}

#[tokio::test]
async fn an_org_that_refuses_bulk_is_read_by_rest() {
    let org = Org::start().await;
    let client: Client = org.connect().await;
    let select = Select::new("CaseStatus", &["Id"]);
    org.on(JOBS, |_| refusal(400, "INVALIDENTITY", "Entity 'CaseStatus' is not supported by the Bulk API."));
    org.on("/services/data/v64.0/queryAll", |_| {
        json(200, r#"{"totalSize":1,"done":true,"records":[{"Id":"01J1"}]}"#)
    });
    let cancel = CancellationToken::new();
    let Opened::Rest(mut query, why) = client.open_query(&select, true, &cancel, None).await.unwrap() else {
        panic!("by Bulk")
    };
    assert_eq!(why.code(), "INVALIDENTITY");
    assert_eq!(query.next_page().await.unwrap().unwrap().rows, [[Some("01J1".to_owned())]]);
    // A job that is refused later.
    org.on(JOBS, |_| json(200, r#"{"id":"750x","state":"UploadComplete"}"#));
    org.on(JOB, |_| json(200, r#"{"id":"750x","state":"Failed","errorMessage":"FeatureNotEnabled"}"#));
    let opened = client.open_query(&select, true, &cancel, None).await.unwrap();
    assert!(matches!(opened, Opened::Rest(_, Error::JobFailed { .. })));
    org.on(JOB, |_| json(200, r#"{"id":"750x","state":"JobComplete","numberRecordsProcessed":0,"new":{}}"#));
    assert!(matches!(client.open_query(&select, true, &cancel, None).await.unwrap(), Opened::Bulk(..)));
    // What is no refusal of Bulk is none.
    org.on(JOBS, |_| refusal(400, "INVALID_FIELD", "No such column"));
    let error = client.open_query(&select, true, &cancel, None).await.unwrap_err();
    assert_eq!(error.code(), "INVALID_FIELD");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever breaks where, with whatever parallelism and memory: every page once, in order, whole.
    #[test]
    fn any_breaks_in_any_order(
        breaks in proptest::collection::vec((0_usize..6, 0_usize..100), 0..6),
        parallel in 1_usize..6, memory in 1_usize..4_000, rows in 0_usize..60,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let texts = runtime.block_on(async {
            let org = Org::start().await;
            let left = std::sync::Mutex::new(breaks);
            org.on(RESULTS, move |seen| {
                let number = asked(seen);
                let text = page_text(number, rows + number);
                let mut left = left.lock().unwrap();
                match left.iter().position(|(page, _)| *page == number) {
                    Some(at) => {
                        let end = text.len() * left.remove(at).1 / 100;
                        head(number, 6, rows + number, cut(text.into_bytes()[..end].to_vec()))
                    }
                    None => head(number, 6, rows + number, text),
                }
            });
            let expected = (0..6).map(|number| (rows + number) as u64).sum();
            read(&job(&org).await, options(parallel, memory), Some(expected)).await.map(|read| read.0)
        });
        let want: Vec<String> = (0..6).map(|number| page_text(number, rows + number)).collect();
        // More breaks of one page than it is asked for again is an error, never a wrong result.
        match texts {
            Ok(texts) => prop_assert_eq!(texts, want),
            Err(error) => prop_assert!(matches!(error, Error::PageCut { .. }), "{}", error),
        }
    }
}
