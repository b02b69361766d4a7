//! At every n-th call of a write the answer is lost after the org did the work, and the writer is killed at every call
//! and at every line of its journal: no row twice, no row missing. Prints a table.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bed;

use std::sync::Arc;
use std::time::Duration;

use bed::{Bed, Dying, account_rows, accounts, duplicates_and_missing, journal, stream};
use bytes::Bytes;
use futures::StreamExt as _;
use orgkeep_salesforce::ingest::{IngestOptions, PartLimits};
use orgkeep_salesforce::upload::Upload;
use orgkeep_salesforce::write::{Column, Intents, Outcome, WriteOptions};
use orgkeep_salesforce::{Client, Result};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Longer than any call of these tests is at work.
const SETTLE: Duration = Duration::from_secs(2);
const ROWS: usize = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Write {
    Ingest,
    Insert,
    Blob,
}

impl Write {
    fn rows(self) -> usize {
        match self {
            Self::Ingest => ROWS,
            Self::Insert => 4,
            Self::Blob => 2,
        }
    }

    /// Writes the rows of a tag, and tells their outcomes.
    async fn run(
        self,
        client: &Client,
        intents: Arc<dyn Intents>,
        tag: &str,
    ) -> Result<Vec<(String, Outcome)>> {
        let (rows, _) = account_rows(tag, self.rows());
        let options = WriteOptions::default();
        match self {
            Self::Ingest => {
                let mut outcomes = Vec::new();
                let options = IngestOptions {
                    // two parts
                    limits: PartLimits { bytes: 1 << 20, rows: ROWS / 2 },
                    settle: SETTLE,
                    ..IngestOptions::default()
                };
                let (rows, cancel) = (stream(&rows), CancellationToken::new());
                client.ingest(intents, tag, &accounts(), rows, &mut outcomes, &options, &cancel).await?;
                Ok(outcomes)
            }
            Self::Insert => {
                let outcomes =
                    client.insert_records(intents, tag, &accounts(), &rows, options, SETTLE).await?;
                Ok(rows.into_iter().map(|row| row.key).zip(outcomes).collect())
            }
            Self::Blob => {
                let mut outcomes = Vec::new();
                for row in &rows {
                    let upload = upload(tag, &row.key);
                    let uploaded = client.upload(intents.clone(), tag, &upload, options, SETTLE).await?;
                    outcomes.push((row.key.clone(), uploaded.outcome));
                }
                Ok(outcomes)
            }
        }
    }

    /// Rows that are there more than once, and rows that are not there.
    async fn check(self, bed: &Bed, tag: &str) -> (u64, u64) {
        let (rows, names) = account_rows(tag, self.rows());
        if self == Self::Blob {
            let keys: Vec<String> = rows.into_iter().map(|row| row.key).collect();
            return duplicates_and_missing(&bed.titles(tag).await, &keys);
        }
        duplicates_and_missing(&bed.counts("Account", "Name", tag).await, &names)
    }
}

impl Bed {
    async fn titles(&self, tag: &str) -> std::collections::BTreeMap<String, u64> {
        let client = self.connect().await;
        let select = orgkeep_salesforce::Select::new("ContentVersion", &["Title"])
            .filter(format!("PathOnClient = '{tag}.bin'"));
        let mut query = client.query(&select, false);
        let mut counts = std::collections::BTreeMap::new();
        while let Some(page) = query.next_page().await.unwrap() {
            for row in page.rows {
                *counts.entry(row[0].clone().unwrap_or_default()).or_default() += 1;
            }
        }
        counts
    }
}

/// All contents of a tag are equal but for their title, so that a wrong match would be one.
fn upload(tag: &str, key: &str) -> Upload {
    let content: Vec<Bytes> = (0..5_u8).map(|at| Bytes::from(vec![at; 30_000])).collect();
    Upload {
        key: key.to_owned(),
        object: "ContentVersion".to_owned(),
        fields: vec![
            (Column::text("Title"), bed::text(key)),
            (Column::text("PathOnClient"), bed::text(format!("{tag}.bin"))),
        ],
        file_name: format!("{tag}.bin"),
        length: 150_000,
        md5: None,
        content: Arc::new(move || futures::stream::iter(content.clone().into_iter().map(Ok)).boxed()),
    }
}

struct Line {
    write: Write,
    how: &'static str,
    calls: u64,
    duplicates: u64,
    missing: u64,
    unclear: u64,
}

fn print(lines: &[Line]) {
    println!(
        "{:10}{:34}{:>7}{:>12}{:>9}{:>9}",
        "write", "lost or killed", "n", "duplicates", "missing", "unclear"
    );
    for line in lines {
        println!(
            "{:10}{:34}{:>7}{:>12}{:>9}{:>9}",
            format!("{:?}", line.write),
            line.how,
            line.calls,
            line.duplicates,
            line.missing,
            line.unclear
        );
    }
}

async fn lost(write: Write, how: &'static str, action: Value) -> Line {
    let bed = Bed::start().await;
    let mut line = Line { write, how, calls: 0, duplicates: 0, missing: 0, unclear: 0 };
    for n in 1.. {
        let client = bed.connect().await;
        bed.faults(json!([{"match": {"path": "/services/data/**"}, "n": n, "do": action}])).await;
        let tag = format!("{n}");
        let (_, intents) = journal();
        let outcomes =
            write.run(&client, intents, &tag).await.unwrap_or_else(|error| panic!("{how} {n}: {error}"));
        let fired = bed.fired().await;
        bed.no_faults().await;
        let (duplicates, missing) = write.check(&bed, &tag).await;
        let unclear = outcomes.iter().filter(|(_, outcome)| !outcome.succeeded()).count();
        assert_eq!(outcomes.len(), write.rows(), "{how} {n}");
        assert_eq!((duplicates, missing, unclear), (0, 0, 0), "{write:?}, {how}, call {n}: {outcomes:?}");
        line.duplicates += duplicates;
        line.missing += missing;
        line.unclear += unclear as u64;
        if fired == 0 {
            return line;
        }
        line.calls = n;
    }
    line
}

async fn all_losses(write: Write) {
    let mut lines = Vec::new();
    for (how, action) in [
        ("answer lost after the work", json!({"close": "after"})),
        ("503 after the work", json!({"status": 503, "carriedOut": true})),
        ("500 after the work", json!({"status": 500, "carriedOut": true})),
        (
            "UNKNOWN_EXCEPTION after the work",
            json!({"error": "UNKNOWN_EXCEPTION", "status": 500, "carriedOut": true}),
        ),
        ("200 with HTML after the work", json!({"html": true, "carriedOut": true})),
    ] {
        lines.push(lost(write, how, action).await);
    }
    print(&lines);
    assert!(lines.iter().all(|line| line.calls as usize >= write.rows().min(6)), "too few calls were tried");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_at_every_call_of_a_rest_insert() {
    all_losses(Write::Insert).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_at_every_call_of_a_blob_upload() {
    all_losses(Write::Blob).await;
}

/// Killed while the answer to the n-th call is on its way, and at every line of the journal; then the same write anew
/// with the same journal.
///
/// All writes share one journal, as those of one user should: records that another write of the same seconds made are
/// then known as its own.
async fn all_kills(write: Write) {
    let bed = Bed::start().await;
    let (shared, intents) = journal();
    let mut lines = Vec::new();
    let mut line = Line { write, how: "killed at a call", calls: 0, duplicates: 0, missing: 0, unclear: 0 };
    for n in 1.. {
        let client = bed.connect().await;
        bed.faults(json!([{"match": {"path": "/services/data/**"}, "n": n, "do": {"delayMs": 1500}}])).await;
        let tag = format!("c{n}");
        let task = tokio::spawn({
            let (intents, tag) = (intents.clone(), tag.clone());
            async move { write.run(&client, intents, &tag).await.map(drop) }
        });
        while bed.fired().await == 0 && !task.is_finished() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // the work of the call is done while its answer waits
        tokio::time::sleep(Duration::from_millis(150)).await;
        let killed = !task.is_finished();
        task.abort();
        let _ = task.await;
        bed.no_faults().await;
        if !killed {
            break;
        }
        resumed(&bed, &mut line, intents.clone(), &tag).await;
        line.calls = n;
    }
    lines.push(line);
    for (how, after) in [("killed before a line", false), ("killed after a line", true)] {
        let mut line = Line { write, how, calls: 0, duplicates: 0, missing: 0, unclear: 0 };
        for n in 1.. {
            let tag = format!("{}{n}", if after { "a" } else { "b" });
            let dying = Dying { inner: shared.clone(), left: n.into(), after };
            if write.run(&bed.connect().await, Arc::new(dying), &tag).await.is_ok() {
                break;
            }
            resumed(&bed, &mut line, intents.clone(), &tag).await;
            line.calls = n as u64;
        }
        lines.push(line);
    }
    print(&lines);
    assert!(lines.iter().all(|line| line.calls >= 4), "too few kills");
}

async fn resumed(bed: &Bed, line: &mut Line, intents: Arc<dyn Intents>, tag: &str) {
    let outcomes = line.write.run(&bed.connect().await, intents, tag).await.unwrap();
    let (duplicates, missing) = line.write.check(bed, tag).await;
    let unclear = outcomes.iter().filter(|(_, outcome)| !outcome.succeeded()).count() as u64;
    assert_eq!(
        (duplicates, missing, unclear),
        (0, 0, 0),
        "{:?}, {}, {tag}: {outcomes:?}",
        line.write,
        line.how
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_every_call_of_a_rest_insert() {
    all_kills(Write::Insert).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_every_call_of_a_blob_upload() {
    all_kills(Write::Blob).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_at_every_call_of_an_ingest() {
    all_losses(Write::Ingest).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_every_call_of_an_ingest() {
    all_kills(Write::Ingest).await;
}
