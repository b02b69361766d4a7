//! An org is saved while it runs, and served again from what was saved.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use common::serve;
use orgkeep_simulator::{Simulator, StartOptions};
use serde_json::{Value, json};

async fn ask(
    client: &reqwest::Client,
    method: reqwest::Method,
    url: &str,
    body: Option<Value>,
) -> (u16, Value) {
    let mut request = client.request(method, url);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or(Value::Null))
}

/// What the org's own calls tell of all its records.
async fn told(client: &reqwest::Client, simulator: &Simulator) -> Vec<(String, Value)> {
    let org = format!("{}/_simulator/orgs/{}", simulator.address, simulator.orgs[0].id);
    let (_, overview) = ask(client, reqwest::Method::GET, &org, None).await;
    let mut told = vec![("users".to_owned(), overview["users"].clone())];
    for name in overview["objects"].as_object().unwrap().keys() {
        let url = format!("{org}/records/{name}?deleted=true&limit=1000");
        told.push((name.clone(), ask(client, reqwest::Method::GET, &url, None).await.1));
    }
    told
}

#[tokio::test]
async fn a_saved_org_is_served_as_it_was() {
    let served = serve().await;
    let org = format!("{}/_simulator/orgs/{}", served.simulator.address, served.simulator.orgs[0].id);
    let client = &served.client;
    let post = |path: &str, body: Value| {
        let url = format!("{org}/{path}");
        async move { ask(client, reqwest::Method::POST, &url, Some(body)).await }
    };
    let (status, made) = post("records/Account", json!({"Name": "Kept, \"Inc.\"\nTwo lines"})).await;
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().unwrap().to_owned();
    post("delete", json!({"ids": [id]})).await;
    post("records/Account", json!({"Name": "Other", "Description": " spaces "})).await;
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("kept");
    let (status, saved) = post("save", json!({"directory": directory})).await;
    assert_eq!(status, 201, "{saved}");
    assert!(saved["rows"].as_u64().unwrap() > 2);
    assert_eq!(post("save", json!({"directory": directory})).await.0, 409);
    let again = Simulator::start(StartOptions::org(&directory)).await.unwrap();
    assert_eq!(told(client, &again).await, told(client, &served.simulator).await);
    let restored = format!("{}/_simulator/orgs/{}/records/{id}/undelete", again.address, again.orgs[0].id);
    assert!(ask(client, reqwest::Method::POST, &restored, None).await.0 < 300);
    // both give the next record the same id
    let (_, here) = post("records/Account", json!({"Name": "Next"})).await;
    let there = format!("{}/_simulator/orgs/{}/records/Account", again.address, again.orgs[0].id);
    let (_, there) = ask(client, reqwest::Method::POST, &there, Some(json!({"Name": "Next"}))).await;
    assert_eq!(here["id"], there["id"]);
}

#[test]
fn the_program_saves_when_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let org = folder.path().join("org");
    std::fs::create_dir(&org).unwrap();
    std::fs::write(org.join("org.yaml"), "name: Acme\nusers: [{username: a@acme.example}]\n").unwrap();
    std::fs::write(org.join("schema.yaml"), "objects: {Account: {fields: {}}}\n").unwrap();
    let saved = folder.path().join("saved");
    let mut child = Command::new(env!("CARGO_BIN_EXE_orgkeep-simulator"))
        .args(["--listen", "127.0.0.1:0", "--until-stdin-ends", "--org"])
        .arg(&org)
        .arg("--save-on-exit")
        .arg(&saved)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert!(saved.join("saved.yaml").is_file() && saved.join("describes/Account.json").is_file());
}
