//! What the org tells of its allowances: the limits resource, its header, counts of records.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::{ORG, serve, serve_with};
use reqwest::Method;
use serde_json::{Value, json};

const RECORDED: &str = include_str!("data/recorded/limits.json");

#[tokio::test]
async fn has_every_entry_of_the_recorded_answer() {
    let served = serve().await;
    let recorded: Value = serde_json::from_str(RECORDED).unwrap();
    let told = served.json("/services/data/v42.0/limits").await;
    for (name, entry) in recorded.as_object().unwrap() {
        for key in ["Max", "Remaining"] {
            assert!(entry[key].is_u64() && told[name][key].is_u64(), "{name} {key}: {}", told[name]);
        }
    }
    assert_eq!(told["DailyApiRequests"]["app"], json!({"Max": 0, "Remaining": 0}), "apps are in there, too");
    let names = |told: &Value| told.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert!(names(&told).is_sorted());
    let newest = served.json("/services/data/v67.0/limits").await;
    assert!(names(&newest).len() > 50, "{}", names(&newest).len());
    for (name, old, new) in [
        ("DailyBulkApiRequests", true, false),
        ("DailyBulkApiBatches", false, true),
        ("DailyBulkV2QueryJobs", false, true),
        ("DailyAsyncApexTests", false, true),
    ] {
        assert_eq!((told.get(name).is_some(), newest.get(name).is_some()), (old, new), "{name}");
    }
}

#[tokio::test]
async fn the_day_s_calls_and_jobs_count_and_fade() {
    let served = serve().await;
    let limits = async || served.json("/services/data/v62.0/limits").await;
    assert_eq!(limits().await["DailyApiRequests"]["Remaining"], 99_999);
    assert_eq!(served.create_job("SELECT Id FROM Account").await.status(), 200);
    let told = limits().await;
    assert_eq!(told["DailyApiRequests"]["Remaining"], 99_997);
    assert_eq!(told["DailyBulkV2QueryJobs"], json!({"Max": 10_000, "Remaining": 9_999}));
    let body = Some(json!({"calls": 50_000, "bulkJobs": 10}));
    let usage = served.send(Method::POST, "", "/_simulator/usage", body).await;
    let usage: Value = usage.json().await.unwrap();
    assert_eq!(usage["callers"][0], json!({"user": "admin@acme.example", "app": "app", "calls": 3}));
    let told = limits().await;
    assert_eq!(told["DailyApiRequests"]["Remaining"], 49_996);
    assert_eq!(told["DailyBulkV2QueryJobs"]["Remaining"], 9_989);
    served.simulator.advance(Duration::from_hours(24) + Duration::from_secs(1));
    let token = served.sign_in("admin@acme.example").await;
    let answer = served.send(Method::GET, &token, "/services/data/v62.0/limits", None).await;
    assert_eq!(answer.headers()["sforce-limit-info"], "api-usage=1/100000");
}

#[tokio::test]
async fn the_header_may_lag_and_tells_an_app_of_its_quota() {
    let org = ORG
        .replace("dailyApiRequests: 100000", "dailyApiRequests: 100, lagSeconds: 60, overrun: 2")
        .replace("certificate: app.crt,", "certificate: app.crt, apiQuota: 250,");
    let served = serve_with(&[("org.yaml", &org)], &[]).await;
    let told = async || {
        let answer = served.get("/services/data/v62.0/limits").await;
        (answer.status().as_u16(), answer.headers()["sforce-limit-info"].to_str().unwrap().to_owned())
    };
    assert_eq!(told().await, (200, "api-usage=0/100; per-app-api-usage=0/250(appName=app)".to_owned()));
    served.simulator.advance(Duration::from_secs(61));
    assert_eq!(told().await.1, "api-usage=1/100; per-app-api-usage=1/250(appName=app)");
    for _ in 0..100 {
        assert_eq!(told().await.0, 200, "the org lets a few more through");
    }
    assert_eq!(told().await.0, 403);
    served.simulator.advance(Duration::from_secs(61));
    assert!(told().await.1.starts_with("api-usage=102/100;"));
}

#[tokio::test]
async fn records_take_storage() {
    let org = ORG.replace("dailyApiRequests: 100000", "dataStorageMB: 100");
    let served = serve_with(&[("org.yaml", &org)], &[("Account", 10_240)]).await;
    let told = served.json("/services/data/v62.0/limits").await;
    assert_eq!(told["DataStorageMB"], json!({"Max": 100, "Remaining": 80}), "2 KB each");
}

#[tokio::test]
async fn counts_of_records() {
    let served = serve().await;
    let counts = served.json("/services/data/v62.0/limits/recordCount?sObjects=Account").await;
    // the shape of the recorded answer of the same call
    assert_eq!(counts, json!({"sObjects": [{"count": 2, "name": "Account"}]}));
    let counts =
        served.json("/services/data/v62.0/limits/recordCount?sObjects=Contact,Account,Nothing").await;
    assert_eq!(counts["sObjects"].as_array().unwrap().len(), 2);
    let all = served.json("/services/data/v62.0/limits/recordCount").await;
    assert!(all["sObjects"].as_array().unwrap().iter().any(|entry| entry["name"] == "User"));
}

#[tokio::test]
async fn counts_of_records_may_be_old() {
    let org = ORG.replace("dailyApiRequests: 100000", "recordCountSeconds: 3600, othersPerHour: 600");
    let served = serve_with(&[("org.yaml", &org)], &[]).await;
    let path = "/services/data/v62.0/limits/recordCount?sObjects=Account";
    let count = async |token: &str| {
        let answer = served.send(Method::GET, token, path, None).await;
        answer.json::<Value>().await.unwrap()["sObjects"][0]["count"].as_u64().unwrap()
    };
    assert_eq!(count(&served.token).await, 2);
    let insert = format!("/_simulator/orgs/{}/records/Account", served.simulator.orgs[0].id);
    let inserted = served.send(Method::POST, "", &insert, Some(json!({"Name": "New"}))).await;
    assert_eq!(inserted.status(), 201);
    assert_eq!(count(&served.token).await, 2);
    served.simulator.advance(Duration::from_mins(61));
    assert_eq!(count(&served.token).await, 3);
    let limits = served.get(path).await;
    let info = limits.headers()["sforce-limit-info"].to_str().unwrap().to_owned();
    let used: u64 = info.trim_start_matches("api-usage=").split('/').next().unwrap().parse().unwrap();
    assert!((600..640).contains(&used), "others call as well: {info}");
}
