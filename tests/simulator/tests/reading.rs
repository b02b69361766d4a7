//! Rows by REST and by Bulk: whole, in pages, the same by either way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Served, serve, serve_with};
use serde_json::Value;

const V: &str = "/services/data/v62.0";

async fn rest_dump(served: &Served, soql: &str) -> Vec<Value> {
    let mut page: Value = served.query(soql).await.json().await.unwrap();
    let mut rows: Vec<Value> = page["records"].as_array().unwrap().clone();
    while let Some(next) = page["nextRecordsUrl"].as_str().map(str::to_owned) {
        assert_eq!(page["done"], false);
        page = served.json(&next).await;
        rows.extend(page["records"].as_array().unwrap().iter().cloned());
    }
    assert_eq!(page["done"], true);
    assert_eq!(page["totalSize"], rows.len());
    rows
}

/// Rows of a page, its announced count and its locator.
async fn bulk_page(served: &Served, path: &str) -> (Vec<BTreeMap<String, String>>, Option<String>) {
    let answer = served.get(path).await;
    assert_eq!(answer.status(), 200);
    let announced: usize = answer.headers()["sforce-numberofrecords"].to_str().unwrap().parse().unwrap();
    let locator = answer.headers()["sforce-locator"].to_str().unwrap().to_owned();
    let text = answer.text().await.unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    assert_eq!(rows.len(), announced);
    (rows, (locator != "null").then_some(locator))
}

#[tokio::test]
async fn a_bulk_dump_has_the_rows_of_a_rest_dump() {
    let served = serve_with(&[], &[("Account", 5_000)]).await;
    let columns = [
        "Id",
        "Name",
        "Industry",
        "AnnualRevenue",
        "Description",
        "Since__c",
        "SystemModstamp",
        "IsDeleted",
        "ParentId",
    ];
    let soql = format!("SELECT {}, Parent.Name FROM Account", columns.join(", "));
    let rest = rest_dump(&served, &soql).await;
    assert_eq!(rest.len(), 5_002);
    let job = served.complete_job(&soql).await;
    let mut bulk = Vec::new();
    let mut path = format!("{job}/results?maxRecords=999");
    let mut seen = BTreeSet::new();
    loop {
        let (rows, next) = bulk_page(&served, &path).await;
        bulk.extend(rows);
        let Some(next) = next else { break };
        assert!(seen.insert(next.clone()));
        path = format!("{job}/results?maxRecords=999&locator={next}");
    }
    assert_eq!((bulk.len(), seen.len()), (5_002, 5));
    assert_eq!(served.json(&job).await["numberRecordsProcessed"], 5_002);
    for (rest, bulk) in rest.iter().zip(&bulk) {
        for column in columns {
            let value = match &rest[column] {
                Value::Null => String::new(),
                Value::String(text) if column == "SystemModstamp" => text.replace("+0000", "Z"),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            if column == "AnnualRevenue" && !value.is_empty() {
                // the reader of JSON rounds; both by the same one
                assert_eq!(rest[column], serde_json::from_str::<Value>(&bulk[column]).unwrap());
            } else {
                assert_eq!(value, bulk[column], "{column} of {}", bulk["Id"]);
            }
        }
        assert_eq!(rest["Parent"]["Name"].as_str().unwrap_or_default(), bulk["Parent.Name"]);
    }
}

#[tokio::test]
async fn result_pages_cover_every_row_once() {
    let served = serve_with(&[], &[("Account", 700_000)]).await;
    let job = served.complete_job("SELECT Id FROM Account").await;
    let mut urls = Vec::new();
    let mut list = served.json(&format!("{job}/resultPages")).await;
    loop {
        urls.extend(
            list["resultPages"]
                .as_array()
                .unwrap()
                .iter()
                .map(|p| p["resultUrl"].as_str().unwrap().to_owned()),
        );
        let Some(next) = list["nextRecordsUrl"].as_str().map(str::to_owned) else { break };
        list = served.json(&next).await;
    }
    assert_eq!((list["done"].as_bool(), urls.len()), (Some(true), 3));
    let mut ids = BTreeSet::new();
    for url in urls {
        for row in bulk_page(&served, &url).await.0 {
            assert!(ids.insert(row["Id"].clone()));
        }
    }
    assert_eq!(ids.len(), 700_002);
}

#[tokio::test]
async fn pages_of_rest_are_as_large_as_asked_for_and_smaller_for_wide_rows() {
    let served = serve_with(&[], &[("Account", 3_000)]).await;
    let size = async |soql: &str, options: Option<&str>| {
        let query: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
        let mut request = served
            .client
            .get(format!("{}{V}/query?q={query}", served.simulator.address))
            .bearer_auth(&served.token);
        if let Some(options) = options {
            request = request.header("Sforce-Query-Options", options);
        }
        request.send().await.unwrap().json::<Value>().await.unwrap()["records"].as_array().unwrap().len()
    };
    assert_eq!(size("SELECT Id FROM Account", None).await, 2_000);
    assert_eq!(size("SELECT Id FROM Account", Some("batchSize=500")).await, 500);
    assert_eq!(size("SELECT Id FROM Account", Some("batchSize=1")).await, 200);
}

#[tokio::test]
async fn rows_keep_their_digits_nest_their_parents_and_leave_out_the_bin() {
    let served = serve().await;
    let text = served
        .query("SELECT Name, AnnualRevenue, Parent.Name, Parent.Owner.Username FROM Account ORDER BY Name")
        .await;
    let text = text.text().await.unwrap();
    assert!(text.contains("\"AnnualRevenue\":123456789012345.67"), "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    let bolt = &answer["records"][1];
    assert_eq!(answer["totalSize"], 2);
    assert_eq!(bolt["Parent"]["attributes"]["url"], format!("{V}/sobjects/Account/0015g0000000001AAA"));
    assert_eq!(bolt["Parent"]["Owner"]["Username"], "admin@acme.example");
    assert_eq!(answer["records"][0]["Parent"], Value::Null);
    let all = served.json(&format!("{V}/queryAll?q=SELECT+Id+FROM+Account")).await;
    assert_eq!(all["totalSize"], 3);
    let record = served.json(&format!("{V}/sobjects/Account/0015g0000000001AAA")).await;
    assert_eq!(record["Description"], "two\nlines, and \"quotes\"");
    assert_eq!(record["attributes"]["type"], "Account");
}

#[tokio::test]
async fn csv_in_the_form_that_was_asked_for() {
    let served = serve().await;
    let body = serde_json::json!({
        "operation": "query", "query": "SELECT Name, Description FROM Account ORDER BY Name", "columnDelimiter": "PIPE", "lineEnding": "CRLF",
    });
    let made: Value = served
        .send(reqwest::Method::POST, &served.token, &format!("{V}/jobs/query"), Some(body))
        .await
        .json()
        .await
        .unwrap();
    let path = format!("{V}/jobs/query/{}", made["id"].as_str().unwrap());
    while served.json(&path).await["state"] != "JobComplete" {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let answer = served.get(&format!("{path}/results")).await;
    assert_eq!(answer.headers()["sforce-locator"], "null");
    let text = answer.text().await.unwrap();
    assert_eq!(
        text,
        "\"Name\"|\"Description\"\r\n\"Acme\"|\"two\nlines, and \"\"quotes\"\"\"\r\n\"Bolt, Inc.\"|\"\"\r\n"
    );
}

#[tokio::test]
async fn describes_and_counts() {
    let served = serve().await;
    let global = served.json(&format!("{V}/sobjects")).await;
    assert!(global["sobjects"].as_array().unwrap().iter().any(|object| object["name"] == "Account"));
    let describe = served.json(&format!("{V}/sobjects/Account/describe")).await;
    assert!(describe["fields"].as_array().unwrap().iter().any(|field| field["name"] == "Secret__c"));
    let counts = served.json(&format!("{V}/limits/recordCount?sObjects=Account,Contact")).await;
    assert_eq!(
        counts,
        serde_json::json!({"sObjects": [{"count": 2, "name": "Account"}, {"count": 2, "name": "Contact"}]})
    );
    let versions = served.json("/services/data").await;
    let last = versions.as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        last,
        serde_json::json!({"label": "Summer '26", "url": "/services/data/v67.0", "version": "67.0"})
    );
    assert_eq!(served.json(&format!("{V}/")).await["sobjects"], format!("{V}/sobjects"));
}
