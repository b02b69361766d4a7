//! Objects too wide for one query, by REST and by Bulk: all rows, each of one moment, whatever happens meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use common::{Answer, Org, Seen, answer, json, parameter};
use orgkeep_salesforce::{Client, Error, ReadOptions, Select};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const QUERY: &str = "/services/data/v64.0/query";
const JOBS: &str = "/services/data/v64.0/jobs/query";

/// Rows by id: their stamp, from which every other cell follows.
type Rows = Arc<Mutex<BTreeMap<String, u32>>>;

fn rows(count: u32) -> Rows {
    Arc::new(Mutex::new((0..count).map(|n| (format!("a0X{n:012}AAA"), 1)).collect()))
}

fn value(id: &str, column: &str, stamp: u32) -> String {
    match column {
        "Id" => id.to_owned(),
        "SystemModstamp" => format!("2026-01-01T00:00:{stamp:02}.000+0000"),
        column => format!("{column}:{stamp}"),
    }
}

fn select(columns: usize) -> Select {
    let names: Vec<String> = ["Id".to_owned(), "SystemModstamp".to_owned()]
        .into_iter()
        .chain((0..columns).map(|n| format!("A_Custom_Field_With_Rather_A_Long_Name_{n}__c")))
        .collect();
    Select::new("Wide__c", &names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Columns and ids (all, if none are named) of a query.
fn parse(soql: &str) -> (Vec<String>, Option<Vec<String>>) {
    let (columns, rest) = soql.strip_prefix("SELECT ").unwrap().split_once(" FROM Wide__c").unwrap();
    let ids = rest.split_once("Id IN (").map(|(_, list)| {
        let list = list.split_once(')').unwrap().0;
        list.split(',').map(|id| id.trim_matches('\'').to_owned()).collect()
    });
    (columns.split(", ").map(str::to_owned).collect(), ids)
}

fn page(soql: &str, rows: &BTreeMap<String, u32>) -> Answer {
    let (columns, ids) = parse(soql);
    let records: Vec<Value> = rows
        .iter()
        .filter(|(id, _)| ids.as_ref().is_none_or(|ids| ids.contains(id)))
        .map(|(id, stamp)| {
            columns.iter().map(|column| (column.clone(), value(id, column, *stamp).into())).collect()
        })
        .map(Value::Object)
        .collect();
    json(200, &json!({"totalSize": records.len(), "done": true, "records": records}).to_string())
}

async fn read(client: &Client, select: &Select) -> Result<(Vec<Vec<Option<String>>>, u64), Error> {
    let mut query = client.query(select, false);
    let (mut all, mut total) = (Vec::new(), 0);
    while let Some(page) = query.next_page().await? {
        total = page.total_size;
        all.extend(page.rows);
    }
    Ok((all, total))
}

/// Every row once, every cell of the row's own stamp, and the count told right.
fn check(select: &Select, read: &[Vec<Option<String>>], rows: &BTreeMap<String, u32>) {
    let mut ids = Vec::new();
    for row in read {
        let id = row[0].as_deref().unwrap();
        ids.push(id.to_owned());
        for (column, cell) in select.columns().iter().zip(row) {
            assert_eq!(cell.as_deref(), Some(value(id, column, rows[id]).as_str()));
        }
    }
    ids.sort_unstable();
    assert_eq!(ids, rows.keys().cloned().collect::<Vec<_>>());
}

#[tokio::test]
async fn by_rest_while_rows_change_come_and_go() {
    let org = Org::start().await;
    let client = org.connect().await;
    let rows = rows(60);
    let shared = rows.clone();
    org.on(QUERY, move |seen| {
        assert!(seen.path.len() + 1 + seen.query.len() <= 16_000, "{}", seen.query.len());
        let soql = parameter(&seen.query, "q").unwrap();
        let mut rows = shared.lock().unwrap();
        let answer = page(&soql, &rows);
        if seen.nth == 1 {
            // Behind the first part's back: one changes, one goes, one comes.
            rows.insert(format!("a0X{:012}AAA", 3), 2);
            rows.remove(&format!("a0X{:012}AAA", 4));
            rows.insert(format!("a0X{:012}AAA", 70), 5);
        }
        answer
    });
    let select = select(1_200);
    let (read, total) = read(&client, &select).await.unwrap();
    check(&select, &read, &rows.lock().unwrap());
    assert_eq!(total, read.len() as u64);
    assert!(org.seen(QUERY).len() > 5, "{}", org.seen(QUERY).len());
}

#[tokio::test]
async fn a_row_that_never_stays_is_an_error() {
    let org = Org::start().await;
    let client = org.connect().await;
    let rows = rows(3);
    org.on(QUERY, move |seen| {
        let mut rows = rows.lock().unwrap();
        for stamp in rows.values_mut() {
            *stamp += 1;
        }
        page(&parameter(&seen.query, "q").unwrap(), &rows)
    });
    let error = read(&client, &select(600)).await.unwrap_err();
    assert!(matches!(&error, Error::RowsMoved { object, .. } if object == "Wide__c"), "{error}");
}

#[tokio::test]
async fn parts_with_pages_of_different_sizes_stay_together() {
    let org = Org::start().await;
    let client = org.connect().await;
    let rows = rows(450);
    let shared = rows.clone();
    // The first part has 300 rows a page, the others have 30.
    let serve = move |seen: &Seen, soql: &str, from: usize| {
        let rows = shared.lock().unwrap();
        let (columns, _) = parse(soql);
        let first = columns.iter().any(|column| column.ends_with("_0__c"));
        let size = if first { 300 } else { 30 };
        let record = |(id, stamp): (&String, &u32)| {
            Value::Object(columns.iter().map(|name| (name.clone(), value(id, name, *stamp).into())).collect())
        };
        let records: Vec<Value> = rows.iter().skip(from).take(size).map(record).collect();
        let next = from + records.len();
        let done = next == rows.len();
        let url =
            format!("/next?q={}&from={next}", seen.query.split('&').next().unwrap().trim_start_matches("q="));
        json(
            200,
            &json!({"totalSize": rows.len(), "done": done, "records": records,
                          "nextRecordsUrl": if done { Value::Null } else { url.into() }})
            .to_string(),
        )
    };
    let serve = Arc::new(serve);
    let begin = serve.clone();
    org.on(QUERY, move |seen| begin(seen, &parameter(&seen.query, "q").unwrap(), 0));
    org.on("/next", move |seen| {
        let from = parameter(&seen.query, "from").unwrap().parse().unwrap();
        serve(seen, &parameter(&seen.query, "q").unwrap(), from)
    });
    let select = select(300);
    let (read, total) = read(&client, &select).await.unwrap();
    assert_eq!(total, 450);
    check(&select, &read, &rows.lock().unwrap());
}

/// A Bulk org: jobs that are complete at once, in pages of 25 rows.
fn bulk(org: &Org, rows: &Rows) {
    let queries: Arc<Mutex<Vec<String>>> = Arc::default();
    let made = queries.clone();
    let (org_rows, shared) = (rows.clone(), org.shared_routes());
    org.on(JOBS, move |seen| {
        let job: Value = serde_json::from_str(&seen.body).unwrap();
        let soql = job["query"].as_str().unwrap().to_owned();
        let mut queries = made.lock().unwrap();
        let id = format!("750{}", queries.len());
        queries.push(soql.clone());
        let rows = org_rows.lock().unwrap().clone();
        let count = rows.len();
        shared.on(&format!("{JOBS}/{id}"), move |seen| {
            if seen.method == "DELETE" {
                return answer(204, &[], "");
            }
            json(
                200,
                &json!({"id": "x", "state": "JobComplete", "numberRecordsProcessed": count}).to_string(),
            )
        });
        shared.on(&format!("{JOBS}/{id}/results"), move |seen| csv(seen, &soql, &rows));
        // Between two jobs a row changes.
        if queries.len() == 1 {
            org_rows.lock().unwrap().insert(format!("a0X{:012}AAA", 7), 9);
        }
        json(200, &json!({"id": id, "state": "UploadComplete"}).to_string())
    });
}

fn csv(seen: &Seen, soql: &str, rows: &BTreeMap<String, u32>) -> Answer {
    let from: usize = parameter(&seen.query, "locator").map_or(0, |locator| locator.parse().unwrap());
    let (columns, _) = parse(soql);
    assert!(soql.ends_with(" ORDER BY Id"), "{soql}");
    let quoted = |cells: Vec<String>| format!("\"{}\"\n", cells.join("\",\""));
    let mut text = quoted(columns.clone());
    let some: Vec<_> = rows.iter().skip(from).take(25).collect();
    for (id, stamp) in &some {
        text.push_str(&quoted(columns.iter().map(|column| value(id, column, **stamp)).collect()));
    }
    let next = from + some.len();
    let next = if next == rows.len() { "null".to_owned() } else { next.to_string() };
    let count = some.len().to_string();
    answer(200, &[("sforce-locator", next.as_str()), ("sforce-numberofrecords", &count)], text)
}

#[tokio::test]
async fn by_bulk_over_several_jobs_of_several_pages() {
    let org = Org::start().await;
    let client = org.connect().await;
    let rows = rows(110);
    bulk(&org, &rows);
    let shared = rows.clone();
    org.on(QUERY, move |seen| page(&parameter(&seen.query, "q").unwrap(), &shared.lock().unwrap()));
    let select = select(250);
    let wide = client.create_wide_job(&select, false, Some(100)).await.unwrap();
    assert_eq!(wide.jobs().count(), 3);
    let options = ReadOptions { parallel: 3, memory: 1 << 16, ..ReadOptions::default() };
    let mut joined = wide.read(&options, &CancellationToken::new(), None).await.unwrap();
    assert_eq!(joined.columns(), select.columns());
    let mut all = Vec::new();
    while let Some(rows) = joined.next_rows().await.unwrap() {
        all.extend(rows);
    }
    check(&select, &all, &rows.lock().unwrap());
    wide.delete().await;
    assert_eq!(org.seen(QUERY).iter().filter(|seen| seen.query.contains("Id+IN")).count(), 1);
}

#[tokio::test]
async fn what_fits_is_one_job_and_what_is_too_long_for_one_falls_back() {
    let org = Org::start().await;
    let client = org.connect().await;
    org.on(JOBS, |_| json(200, r#"{"id":"750x","state":"UploadComplete"}"#));
    assert_eq!(client.create_wide_job(&select(250), true, None).await.unwrap().jobs().count(), 1);
    assert!(!org.seen(JOBS)[0].body.contains("ORDER BY"));
    let error = client.create_query_job(&select(3_000), true).await.unwrap_err();
    assert!(matches!(&error, Error::QueryTooLong { by_rest: true, .. }), "{error}");
    assert_eq!(client.create_wide_job(&select(3_000), true, None).await.unwrap().jobs().count(), 2);
}
