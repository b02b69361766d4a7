//! Bulk 2.0 query jobs: states, pages in every form they may take, lists.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{Served, serve, serve_as};
use reqwest::Method;
use serde_json::{Value, json};

const V: &str = "/services/data/v62.0";

/// Ids of a job's rows in their order, read page by page, and how many rows each page had.
async fn read(served: &Served, job: &str, most: u64) -> (Vec<String>, Vec<usize>) {
    let (mut ids, mut sizes, mut locator) = (Vec::new(), Vec::new(), String::new());
    loop {
        let answer = served.get(&format!("{job}/results?maxRecords={most}{locator}")).await;
        assert_eq!(answer.status(), 200);
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let (next, told) = (header("sforce-locator"), header("sforce-numberofrecords"));
        assert!(header("content-type").starts_with("text/csv"));
        let text = answer.text().await.unwrap();
        let rows: Vec<&str> = text.lines().skip(1).collect();
        assert!(text.starts_with("\"Id\"\n"));
        assert_eq!(rows.len().to_string(), told);
        sizes.push(rows.len());
        ids.extend(rows.iter().map(|row| row.trim_matches('"').to_owned()));
        if next == "null" {
            return (ids, sizes);
        }
        locator = format!("&locator={next}");
    }
}

#[tokio::test]
async fn a_job_goes_through_its_states_and_tells_all_of_itself() {
    let served = serve_as(&[], &[], |options| options.bulk_job = Duration::from_millis(600)).await;
    let job = served.job("SELECT Id FROM Account").await;
    let mut states = Vec::new();
    let info = loop {
        let info = served.json(&job).await;
        let state = info["state"].as_str().unwrap().to_owned();
        if states.last() != Some(&state) {
            states.push(state.clone());
        }
        if state == "JobComplete" {
            break info;
        }
        assert_eq!((&info["numberRecordsProcessed"], &info["totalProcessingTime"]), (&json!(0), &json!(0)));
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(states, ["UploadComplete", "InProgress", "JobComplete"]);
    let mut keys: Vec<&str> = info.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let wanted = [
        "apiVersion",
        "columnDelimiter",
        "concurrencyMode",
        "contentType",
        "createdById",
        "createdDate",
        "id",
        "isPkChunkingSupported",
        "jobType",
        "lineEnding",
        "numberRecordsProcessed",
        "object",
        "operation",
        "retries",
        "state",
        "systemModstamp",
        "totalProcessingTime",
    ];
    assert_eq!(keys, wanted);
    assert_eq!((info["apiVersion"].to_string(), &info["jobType"]), ("62.0".to_owned(), &json!("V2Query")));
    assert_eq!(info["numberRecordsProcessed"], 2);
    assert!(info["totalProcessingTime"].as_u64().unwrap() >= 600);
}

#[tokio::test]
async fn pages_have_every_row_once_in_whatever_form_they_come() {
    let forms: [&[&str]; 5] = [
        &[],
        &["bulkPage=short"],
        &["bulkOrder=shuffled"],
        &["bulkLastPage=empty"],
        &["bulkPage=short", "bulkOrder=shuffled", "bulkLastPage=empty"],
    ];
    for form in forms {
        let set = |options: &mut orgkeep_simulator::StartOptions| {
            for fact in form {
                options.facts.set(fact).unwrap();
            }
        };
        let served = serve_as(&[], &[("Account", 5_000)], set).await;
        let job = served.complete_job("SELECT Id FROM Account").await;
        let (ids, sizes) = read(&served, &job, 900).await;
        let unique: BTreeSet<&String> = ids.iter().collect();
        assert_eq!((ids.len(), unique.len()), (5_002, 5_002), "{form:?}");
        assert_eq!(ids.is_sorted(), !form.contains(&"bulkOrder=shuffled"), "{form:?}");
        let is_short = form.contains(&"bulkPage=short");
        let has_empty = form.contains(&"bulkLastPage=empty");
        assert_eq!(sizes.last() == Some(&0), has_empty);
        assert_eq!(sizes[..5].iter().all(|size| *size == 900), !is_short, "{sizes:?}");
        // what is ordered stays ordered
        let job = served.complete_job("SELECT Id FROM Account ORDER BY Id").await;
        assert!(read(&served, &job, 900).await.0.is_sorted());
    }
}

#[tokio::test]
async fn no_rows_are_a_header_and_the_end() {
    let served = serve().await;
    let job = served.complete_job("SELECT Id FROM Account WHERE Name = 'nobody'").await;
    assert_eq!(read(&served, &job, 10).await, (vec![], vec![0]));
    let pages = served.json(&format!("{job}/resultPages")).await;
    assert_eq!((pages["done"].as_bool(), pages["resultPages"].as_array().unwrap().len()), (Some(true), 1));
    assert_eq!(pages["nextRecordsUrl"], Value::Null);
}

#[tokio::test]
async fn what_is_told_may_lag() {
    let served = serve_as(&[], &[], |options| {
        options.facts.set("bulkState=late").unwrap();
        options.facts.set("bulkPagesKey=nextRecordUrl").unwrap();
    })
    .await;
    let job = served.job("SELECT Id FROM Account").await;
    tokio::time::sleep(Duration::from_millis(170)).await;
    assert_ne!(served.json(&job).await["state"], "JobComplete");
    assert_eq!(served.get(&format!("{job}/results")).await.status(), 200);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(served.json(&job).await["state"], "JobComplete");
    let pages = served.json(&format!("{job}/resultPages")).await;
    assert!(pages.get("nextRecordUrl").is_some() && pages.get("nextRecordsUrl").is_none());
    let served = serve_as(&[], &[], |options| options.facts.set("bulkCount=late").unwrap()).await;
    let job = served.complete_job("SELECT Id FROM Account").await;
    let first = served.json(&job).await["numberRecordsProcessed"].clone();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((first, &served.json(&job).await["numberRecordsProcessed"]), (json!(0), &json!(2)));
}

#[tokio::test]
async fn jobs_are_kept_for_seven_days() {
    let mut served = serve().await;
    let job = served.complete_job("SELECT Id FROM Account").await;
    served.simulator.advance(Duration::from_hours(7 * 24 - 1));
    // two hours without use would end a session, not a job
    served.token = served.sign_in("admin@acme.example").await;
    assert_eq!(served.get(&format!("{job}/results")).await.status(), 200);
    served.simulator.advance(Duration::from_hours(1));
    served.token = served.sign_in("admin@acme.example").await;
    common::refused(served.get(&format!("{job}/results")).await, 404, "NOT_FOUND").await;
}

#[tokio::test]
async fn query_all_has_the_deleted_rows_and_every_delimiter_its_name() {
    let served = serve().await;
    for (name, delimiter) in
        [("BACKQUOTE", '`'), ("CARET", '^'), ("COMMA", ','), ("PIPE", '|'), ("SEMICOLON", ';'), ("TAB", '\t')]
    {
        let query = "SELECT Name, IsDeleted FROM Account WHERE Name = 'Gone'";
        let body =
            json!({"operation": "queryAll", "query": query, "columnDelimiter": name, "lineEnding": "CRLF"});
        let made: Value = served
            .send(Method::POST, &served.token, &format!("{V}/jobs/query"), Some(body))
            .await
            .json()
            .await
            .unwrap();
        assert_eq!((&made["operation"], &made["columnDelimiter"]), (&json!("queryAll"), &json!(name)));
        tokio::time::sleep(Duration::from_millis(180)).await;
        let path = format!("{V}/jobs/query/{}/results", made["id"].as_str().unwrap());
        let text = served.get(&path).await.text().await.unwrap();
        assert_eq!(text, format!("\"Name\"{delimiter}\"IsDeleted\"\r\n\"Gone\"{delimiter}\"true\"\r\n"));
    }
}

#[tokio::test]
async fn results_come_compressed_to_whoever_takes_that() {
    let mut served = serve_as(&[], &[("Account", 2_000)], |_| {}).await;
    served.client = common::client().gzip(false).build().unwrap();
    let job = served.complete_job("SELECT Id FROM Account").await;
    let url = format!("{}{job}/results", served.simulator.address);
    let answer = served
        .client
        .get(url)
        .bearer_auth(&served.token)
        .header("accept-encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let bytes = answer.bytes().await.unwrap();
    assert!(bytes.starts_with(&[0x1f, 0x8b]) && bytes.len() < 20_000);
}

#[tokio::test]
async fn lists_have_the_jobs_of_both_apis_in_pages_of_a_thousand() {
    let served = serve().await;
    for _ in 0..1_003 {
        assert_eq!(served.create_job("SELECT Id FROM Account").await.status(), 200);
    }
    let url = format!("{}/services/async/62.0/job", served.simulator.address);
    let body = json!({"operation": "query", "object": "Contact", "contentType": "CSV"});
    let made = served
        .client
        .post(url)
        .header("x-sfdc-session", &served.token)
        .header("sforce-enable-pkchunking", "true")
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(made.status(), 201);
    let count = async |query: &str| {
        let (mut count, mut url) = (Vec::new(), format!("{V}/jobs/query?{query}"));
        loop {
            let list = served.json(&url).await;
            count.push(list["records"].as_array().unwrap().len());
            match list["nextRecordsUrl"].as_str() {
                Some(next) => url = next.to_owned(),
                None => {
                    assert_eq!(list["done"], true);
                    return count;
                }
            }
        }
    };
    assert_eq!(count("").await, [1_000, 4]);
    assert_eq!(count("jobType=V2Query&concurrencyMode=parallel").await, [1_000, 3]);
    assert_eq!(count("jobType=Classic").await, [1]);
    assert_eq!(count("isPkChunkingEnabled=true").await, [1]);
    assert_eq!(count("jobType=V2Ingest").await, [0]);
    assert_eq!(count("concurrencyMode=serial").await, [0]);
    let one = served.json(&format!("{V}/jobs/query?jobType=Classic")).await["records"][0].clone();
    assert_eq!((&one["object"], &one["jobType"]), (&json!("Contact"), &json!("Classic")));
    assert_eq!(served.get(&format!("{V}/jobs/query?jobType=Other")).await.status(), 400);
}
