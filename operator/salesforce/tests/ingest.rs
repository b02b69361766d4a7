//! Rows by Bulk ingest against the simulated org: every input row ends in exactly one outcome, whatever the org, its
//! locks and its jobs do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bed;

use std::collections::BTreeMap;
use std::time::Duration;

use bed::{Bed, account_rows, accounts, duplicates_and_missing, journal, stream, text};
use orgkeep_salesforce::ingest::{IngestOptions, IngestReport, PartLimits};
use orgkeep_salesforce::write::{Cell, Column, InputRow, Operation, Outcome, Target};
use orgkeep_salesforce::{Client, Error, Result, Select};
use serde_json::json;
use tokio_util::sync::CancellationToken;

fn options(rows: usize) -> IngestOptions {
    IngestOptions {
        limits: PartLimits { bytes: 4 << 20, rows },
        settle: Duration::from_secs(2),
        ..IngestOptions::default()
    }
}

async fn write(
    client: &Client,
    target: &Target,
    rows: &[InputRow],
    options: &IngestOptions,
) -> Result<(IngestReport, BTreeMap<String, Outcome>)> {
    let mut outcomes = Vec::new();
    let (_, intents) = journal();
    let cancel = CancellationToken::new();
    let report =
        client.ingest(intents, "test", target, stream(rows), &mut outcomes, options, &cancel).await?;
    let told = outcomes.len();
    let outcomes: BTreeMap<String, Outcome> = outcomes.into_iter().collect();
    assert_eq!((told, outcomes.len()), (rows.len(), rows.len()), "each row has one outcome");
    Ok((report, outcomes))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_ends_in_one_outcome_and_is_there_as_it_was_given() {
    let bed = Bed::start().await;
    let client = bed.connect().await;
    let columns = ["Name", "Tag__c", "Description"].map(Column::text).to_vec();
    let target = Target::new("Account", Operation::Insert, columns);
    let mut wanted: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut rows = Vec::new();
    for at in 0..1_000 {
        let name = format!("Row {at}, \"x\" {}", if at % 7 == 0 { "\n" } else { "" });
        let description = match at {
            3 => Cell::Text("#N/A".into()),
            4 => Cell::Text("y".repeat(31_999)),
            5 => Cell::Text("a\u{1}b".into()),
            6 => Cell::Null,
            7 => Cell::Text("z".repeat(200_000)),
            8 => Cell::Text("N/A".into()),
            9 => Cell::Text(" NULL ".into()),
            _ if at % 2 == 0 => Cell::Text(format!("line\nline {at}")),
            _ => Cell::Absent,
        };
        let name = if at == 10 { "x".repeat(300) } else { name };
        if at != 7 && at != 10 {
            wanted.insert(name.trim().to_owned(), description.as_text().map(|text| text.trim().to_owned()));
        }
        rows.push(InputRow { key: at.to_string(), cells: vec![text(name), text("t"), description] });
    }
    let (report, outcomes) = write(&client, &target, &rows, &options(400)).await.unwrap();
    assert_eq!(
        (report.succeeded, report.created, report.failed, report.unknown, report.strays),
        (998, 998, 2, 0, 0),
        "{report:?}"
    );
    assert_eq!((report.by_rest, report.jobs.len()), (2, 3), "{report:?}");
    assert!(matches!(&outcomes["7"], Outcome::Failed(error) if error.code == "FieldTooLong"));
    assert!(
        matches!(&outcomes["10"], Outcome::Failed(error) if error.code == "STRING_TOO_LONG" && error.fields == ["Name"]),
        "{:?}",
        outcomes["10"]
    );
    let select = Select::new("Account", &["Id", "Name", "Description"]).filter("Tag__c = 't'");
    let mut query = client.query(&select, false);
    let mut got = BTreeMap::new();
    let mut ids = BTreeMap::new();
    while let Some(page) = query.next_page().await.unwrap() {
        for mut row in page.rows {
            let (description, name, id) = (row.pop().unwrap(), row.pop().unwrap(), row.pop().unwrap());
            let name = name.unwrap().trim().to_owned();
            ids.insert(name.clone(), id.unwrap());
            let twice = got.insert(name, description.map(|text| text.trim().to_owned()));
            assert!(twice.is_none());
        }
    }
    assert_eq!(got, wanted);
    // results come in another order: the id told for a row is that row's
    for row in rows.iter().filter(|row| !["7", "10"].contains(&row.key.as_str())) {
        let name = row.cells[0].as_text().unwrap().trim();
        assert!(
            matches!(&outcomes[&row.key], Outcome::Succeeded { id, created: Some(true) } if *id == ids[name]),
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn update_keeps_what_is_absent_and_empties_what_is_null_and_delete_takes_ids() {
    let bed = Bed::start().await;
    let client = bed.connect().await;
    let (rows, _) = account_rows("u", 300);
    let (_, made) = write(&client, &accounts(), &rows, &options(200)).await.unwrap();
    let id = |key: &str| match &made[key] {
        Outcome::Succeeded { id, .. } => id.clone(),
        other => panic!("{other:?}"),
    };
    let columns = ["Id", "Name", "AnnualRevenue"].map(Column::text).to_vec();
    let target = Target::new("Account", Operation::Update, columns);
    let change = |(at, row): (usize, &InputRow)| InputRow {
        key: row.key.clone(),
        cells: vec![
            text(id(&row.key)),
            if at % 2 == 0 { Cell::Absent } else { text(format!("changed {at}")) },
            if at % 2 == 0 { Cell::Null } else { Cell::Absent },
        ],
    };
    let changes: Vec<InputRow> = rows.iter().enumerate().map(change).collect();
    let (report, outcomes) = write(&client, &target, &changes, &options(1000)).await.unwrap();
    assert_eq!((report.succeeded, report.created), (300, 0), "{report:?}");
    for row in &rows {
        assert!(matches!(&outcomes[&row.key], Outcome::Succeeded { id: got, .. } if *got == id(&row.key)));
    }
    let names = bed.counts("Account", "Name", "u").await;
    let revenue = bed.counts("Account", "AnnualRevenue", "u").await;
    assert!(names.contains_key("u 0") && names.contains_key("changed 1") && !names.contains_key("u 1"));
    assert_eq!(revenue.values().sum::<u64>(), 300);
    assert_eq!(revenue[""], 100 + 100, "a third had none, half is emptied, and a sixth is both");
    let delete = Target::new("Account", Operation::Delete, vec![Column::text("Id")]);
    let gone: Vec<InputRow> =
        rows.iter().map(|row| InputRow { key: row.key.clone(), cells: vec![text(id(&row.key))] }).collect();
    let (report, _) = write(&client, &delete, &gone, &options(1000)).await.unwrap();
    assert_eq!(report.succeeded, 300, "{report:?}");
    assert!(bed.counts("Account", "Name", "u").await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_were_locked_are_written_apart_and_no_row_is_lost_or_doubled() {
    let bed = Bed::start().await;
    let client = bed.connect().await;
    for (tag, until, rows) in [
        ("third", 1, json!({"every": 3})),
        ("some", 4, json!({"chance": 0.5})),
        ("all", 2, json!({"every": 1})),
        (
            "trigger",
            1,
            json!({"every": 2, "error": "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
            "message": "T: execution of AfterInsert caused by: UNABLE_TO_LOCK_ROW, unable to obtain exclusive access"}),
        ),
    ] {
        let path = "/services/data/*/jobs/ingest";
        bed.faults(json!([{"match": {"path": path, "method": "POST"}, "every": 1, "until": until, "do": {"rows": rows}}]))
            .await;
        let (rows, names) = account_rows(tag, 500);
        let (report, _) = write(&client, &accounts(), &rows, &options(1000)).await.unwrap();
        bed.no_faults().await;
        assert_eq!(report.succeeded, 500, "{tag} {report:?}");
        assert!(report.jobs.len() > 1, "{tag} {report:?}");
        let counts = bed.counts("Account", "Name", tag).await;
        assert_eq!(duplicates_and_missing(&counts, &names), (0, 0), "{tag}");
    }
    // a lock that never goes away ends, with the org's words
    bed.faults(json!([{"match": {"method": "POST"}, "every": 1, "do": {"rows": {"n": 5}}}])).await;
    let (rows, _) = account_rows("never", 20);
    let few = IngestOptions { rounds: 3, ..options(1000) };
    let (report, outcomes) = write(&client, &accounts(), &rows, &few).await.unwrap();
    assert!(report.succeeded >= 19, "{report:?}");
    for outcome in outcomes.values().filter(|outcome| !outcome.succeeded()) {
        assert!(
            matches!(outcome, Outcome::Failed(error) if error.code == "UNABLE_TO_LOCK_ROW"),
            "{outcome:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_on_one_parent_end_with_every_row_once() {
    // 200 rows hold their parents for 20 ms, and others wait for them for 10
    let bed = Bed::start_with(&[], ", bulkChunkMs: 20, lockWaitMs: 10").await;
    let (one, other) = (bed.connect().await, bed.connect().await);
    let (parents, _) = account_rows("p", 3);
    let (_, made) = write(&one, &accounts(), &parents, &options(10)).await.unwrap();
    let ids: Vec<String> = made
        .values()
        .map(|outcome| match outcome {
            Outcome::Succeeded { id, .. } => id.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    let target =
        Target::new("Contact", Operation::Insert, ["Name", "AccountId", "Tag__c"].map(Column::text).to_vec())
            .parent("AccountId");
    let rows = |writer: &str| -> (Vec<InputRow>, Vec<String>) {
        let names: Vec<String> = (0..4_000).map(|at| format!("{writer} {at}")).collect();
        let row = |(at, name): (usize, &String)| InputRow {
            key: name.clone(),
            cells: vec![text(name.clone()), text(ids[at % ids.len()].clone()), text("c")],
        };
        (names.iter().enumerate().map(row).collect(), names)
    };
    let (first, second) = (rows("one"), rows("two"));
    let options = options(2_000);
    let written =
        tokio::join!(write(&one, &target, &first.0, &options), write(&other, &target, &second.0, &options));
    let reports = [written.0.unwrap().0, written.1.unwrap().0];
    println!("two writers on three parents: {reports:?}");
    assert!(reports.iter().all(|report| report.succeeded == 4_000), "{reports:?}");
    let again: u64 = reports.iter().map(|report| report.written_again).sum();
    assert!(again > 0, "no row was locked");
    let counts = bed.counts("Contact", "Name", "c").await;
    let names = [first.1, second.1].concat();
    assert_eq!(duplicates_and_missing(&counts, &names), (0, 0));
    assert_eq!(counts.len(), 8_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_ends_in_the_middle_loses_and_doubles_nothing() {
    let bed = Bed::start().await;
    let client = bed.connect().await;
    let path = "/services/data/*/jobs/ingest";
    for (tag, job) in [
        ("fails", json!({"failAfter": {"rows": 200, "message": "InternalServerError : gone"}})),
        ("aborted", json!({"abortAfter": {"rows": 200}})),
    ] {
        bed.faults(json!([{"match": {"path": path, "method": "POST"}, "n": 1, "do": {"job": job}}])).await;
        let (rows, names) = account_rows(tag, 700);
        let (report, _) = write(&client, &accounts(), &rows, &options(1000)).await.unwrap();
        assert_eq!(bed.fired().await, 1);
        bed.no_faults().await;
        assert_eq!(report.succeeded, 700, "{tag} {report:?}");
        let counts = bed.counts("Account", "Name", tag).await;
        assert_eq!(duplicates_and_missing(&counts, &names), (0, 0), "{tag}");
    }
    // refused for good: nothing is tried again, and every row says why
    bed.faults(json!([{"match": {"path": path, "method": "POST"}, "every": 1,
        "do": {"job": {"fail": "InvalidBatch : Field name not found : Nonsense"}}}]))
        .await;
    let (rows, _) = account_rows("refused", 30);
    let (report, outcomes) = write(&client, &accounts(), &rows, &options(1000)).await.unwrap();
    bed.no_faults().await;
    assert_eq!((report.unprocessed, report.jobs.len()), (30, 1), "{report:?}");
    for outcome in outcomes.values() {
        assert!(
            matches!(outcome, Outcome::Unprocessed { why } if why.contains("Field name not found")),
            "{outcome:?}"
        );
    }
    assert!(bed.counts("Account", "Name", "refused").await.is_empty());
    // gone: of an insert nobody knows, and it is not sent again; an upsert is
    let vanish = json!([{"match": {"path": "/services/data/*/jobs/ingest/*", "method": "GET"}, "n": 1, "do": {"job": "vanish"}}]);
    bed.faults(vanish.clone()).await;
    let (rows, _) = account_rows("gone", 30);
    let (report, _) = write(&client, &accounts(), &rows, &options(1000)).await.unwrap();
    bed.no_faults().await;
    assert_eq!(report.unknown, 30, "{report:?}");
    assert!(bed.counts("Account", "Name", "gone").await.values().all(|count| *count == 1));
    bed.faults(vanish).await;
    let operation = Operation::Upsert { external_id: "Key__c".to_owned() };
    let target = Target::new("Account", operation, ["Key__c", "Name", "Tag__c"].map(Column::text).to_vec());
    let row = |at: usize| InputRow {
        key: at.to_string(),
        cells: vec![text(format!("k{at}")), text(format!("n{at}")), text("upserted")],
    };
    let rows: Vec<InputRow> = (0..30).map(row).collect();
    let (report, _) = write(&client, &target, &rows, &options(1000)).await.unwrap();
    bed.no_faults().await;
    assert_eq!(report.succeeded, 30, "{report:?}");
    assert_eq!(bed.counts("Account", "Key__c", "upserted").await.values().sum::<u64>(), 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_that_break_off_or_lack_rows_are_read_again() {
    let bed = Bed::start().await;
    let client = bed.connect().await;
    for (tag, action) in [
        ("cut", json!({"cutAfterBytes": 700, "gzip": false})),
        ("clean", json!({"cutAfterBytes": 700, "cut": "clean", "framing": "chunked", "gzip": false})),
        ("html", json!({"html": true})),
        ("quote", json!({"csv": "openQuote"})),
    ] {
        let path = "/services/data/*/jobs/ingest/*/successfulResults";
        bed.faults(json!([{"match": {"path": path}, "n": 1, "do": action}])).await;
        let (rows, names) = account_rows(tag, 200);
        let (report, _) = write(&client, &accounts(), &rows, &options(1000)).await.unwrap();
        assert_eq!(bed.fired().await, 1, "{tag}");
        bed.no_faults().await;
        assert_eq!((report.succeeded, report.jobs.len(), report.strays), (200, 1, 0), "{tag} {report:?}");
        let counts = bed.counts("Account", "Name", tag).await;
        assert_eq!(duplicates_and_missing(&counts, &names), (0, 0), "{tag}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_leaves_a_job_that_is_resumed_and_other_rows_are_refused() {
    let bed = Bed::start().await;
    let client = bed.connect().await;
    let (rows, names) = account_rows("d", 50);
    let (_, intents) = journal();
    let cancel = CancellationToken::new();
    bed.faults(json!([{"match": {"path": "/services/data/*/jobs/ingest/*", "method": "GET"}, "every": 1,
        "do": {"body": "{\"id\":\"750x\",\"state\":\"InProgress\"}"}}]))
        .await;
    let deadline = Some(tokio::time::Instant::now() + Duration::from_millis(400));
    let late = IngestOptions { deadline, ..options(20) };
    let mut outcomes = Vec::new();
    let error = client
        .ingest(intents.clone(), "w", &accounts(), stream(&rows), &mut outcomes, &late, &cancel)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::JobDeadline { .. }), "{error}");
    bed.no_faults().await;
    // the same write with other rows is refused before anything is sent
    let mut other = rows.clone();
    other[3].cells[0] = text("another");
    let error = client
        .ingest(intents.clone(), "w", &accounts(), stream(&other), &mut outcomes, &options(20), &cancel)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::JournalWrong { .. }), "{error}");
    let report = client
        .ingest(intents.clone(), "w", &accounts(), stream(&rows), &mut outcomes, &options(20), &cancel)
        .await
        .unwrap();
    assert_eq!((report.succeeded, report.jobs.len()), (50, 3), "{report:?}");
    assert_eq!(duplicates_and_missing(&bed.counts("Account", "Name", "d").await, &names), (0, 0));
    // once more: all is done
    let calls = client.calls().api_calls();
    let report = client
        .ingest(intents, "w", &accounts(), stream(&rows), &mut outcomes, &options(20), &cancel)
        .await
        .unwrap();
    assert_eq!((report.parts_done_before, client.calls().api_calls()), (3, calls));
    // cancelled before it begins
    cancel.cancel();
    let (_, intents) = journal();
    let error = client
        .ingest(intents, "w", &accounts(), stream(&rows), &mut outcomes, &options(20), &cancel)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Cancelled { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_bulk_refuses_is_written_by_rest() {
    let bed = Bed::start().await;
    let client = bed.connect().await;
    bed.faults(json!([{"match": {"path": "/services/data/*/jobs/ingest"}, "every": 1,
        "do": {"error": "INVALIDENTITY", "message": "Entity 'Account' is not supported by the Bulk API."}}]))
        .await;
    let (rows, names) = account_rows("rest", 12);
    let (report, _) = write(&client, &accounts(), &rows, &options(5)).await.unwrap();
    assert_eq!((report.succeeded, report.by_rest, report.jobs.len()), (12, 12, 0), "{report:?}");
    assert!(report.bulk_refused.is_some_and(|error| error.code() == "INVALIDENTITY"));
    bed.no_faults().await;
    assert_eq!(duplicates_and_missing(&bed.counts("Account", "Name", "rest").await, &names), (0, 0));
}

/// What nobody could confirm of Bulk, in each of its forms: the same rows, the same outcomes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_form_of_what_is_not_confirmed_ends_the_same() {
    for fact in [
        "ingestOrder=input",
        "ingestBreaks=refused",
        "ingestClosed=accepted",
        "ingestSecondUpload=atClose",
        "bulkState=late",
        "bulkCount=late",
        "bulkRefusal=later",
    ] {
        let bed = Bed::start_as(&[fact]).await;
        let client = bed.connect().await;
        let columns = ["Name", "Tag__c", "Description"].map(Column::text).to_vec();
        let target = Target::new("Account", Operation::Insert, columns);
        let breaks = ["one", "a\nb", "a\r\nb", "a\r\nb\nc"];
        let row = |at: usize| InputRow {
            key: at.to_string(),
            cells: vec![text(format!("f {at}")), text("f"), text(breaks[at % 4])],
        };
        let rows: Vec<InputRow> = (0..100).map(row).collect();
        let (report, _) = write(&client, &target, &rows, &options(60)).await.unwrap();
        assert_eq!((report.succeeded, report.by_rest, report.jobs.len()), (100, 25, 4), "{fact} {report:?}");
        let counts = bed.counts("Account", "Name", "f").await;
        assert_eq!((counts.len(), counts.values().sum::<u64>()), (100, 100), "{fact}");
        let described = bed.counts("Account", "Description", "f").await;
        assert!(described["a\r\nb"] == 25 && described["a\r\nb\nc"] == 25, "{fact} {described:?}");
        // the answer to UploadComplete is lost
        bed.faults(json!([{"match": {"method": "PATCH"}, "n": 1, "do": {"close": "after"}}])).await;
        let (rows, names) = account_rows("lost", 30);
        let (report, _) = write(&client, &accounts(), &rows, &options(60)).await.unwrap();
        assert_eq!(report.succeeded, 30, "{fact} {report:?}");
        bed.no_faults().await;
        assert_eq!(
            duplicates_and_missing(&bed.counts("Account", "Name", "lost").await, &names),
            (0, 0),
            "{fact}"
        );
    }
}
