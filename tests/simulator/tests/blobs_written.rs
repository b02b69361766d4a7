//! Contents written by REST: in base64, and beside their records in bodies of several parts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Served, refused, serve_with};
use reqwest::Method;
use serde_json::{Value, json};

const V: &str = "/services/data/v62.0";
const SCHEMA: &str = r"
objects:
  Account:
    fields:
      Secret__c: {type: string, length: 20}
  Contact:
    fields: {}
  Document:
    fields:
      Body: {type: base64}
      BodyLength: {type: int}
  ContentVersion: {}
  ContentDocument: {}
  ContentDocumentLink: {}
";

async fn served() -> Served {
    serve_with(
        &[("schema.yaml", SCHEMA), ("data/Contact.csv", "Name\n"), ("data/Account.csv", "Name\n")],
        &[],
    )
    .await
}

/// Name, content type with what else its headers say, and content.
type Part<'a> = (&'a str, &'a str, &'a [u8]);

impl Served {
    async fn parts(&self, path: &str, parts: &[Part<'_>]) -> reqwest::Response {
        let mut body = Vec::new();
        for (name, kind, content) in parts {
            body.extend_from_slice(
                format!("--cut\r\nContent-Disposition: form-data; name=\"{name}\"{kind}\r\n\r\n").as_bytes(),
            );
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--cut--\r\n");
        let url = format!("{}{path}", self.simulator.address);
        let request = self.client.post(url).bearer_auth(&self.token);
        request
            .header("content-type", "multipart/form-data; boundary=\"cut\"")
            .body(body)
            .send()
            .await
            .unwrap()
    }
}

const JSON: &str = ";\r\nContent-Type: application/json";
const FILE: &str = "; filename=\"a.bin\"\r\nContent-Type: application/octet-stream";

#[tokio::test]
async fn a_version_comes_in_parts_and_is_told_of() {
    let served = served().await;
    // above what a body in memory may have
    let content: Vec<u8> = (0..70_000_000_u32).map(|at| (at % 253) as u8).collect();
    let record = json!({"Title": "Large", "PathOnClient": "large.bin"}).to_string();
    let path = format!("{V}/sobjects/ContentVersion");
    let answer = served
        .parts(&path, &[("entity_content", JSON, record.as_bytes()), ("VersionData", FILE, &content)])
        .await;
    assert_eq!(answer.status(), 201);
    let made: Value = answer.json().await.unwrap();
    let version = format!("{path}/{}", made["id"].as_str().unwrap());
    let seen = served.json(&version).await;
    assert_eq!(seen["ContentSize"], 70_000_000);
    assert_eq!(seen["VersionData"], format!("{version}/VersionData"));
    let read = served.get(&format!("{version}/VersionData")).await.bytes().await.unwrap();
    assert!(read == content, "the content is another one");
    let small = served
        .parts(
            &path,
            &[("entity_content", JSON, b"{\"PathOnClient\": \"s.txt\"}"), ("VersionData", FILE, b"hello")],
        )
        .await;
    let small: Value = small.json().await.unwrap();
    let seen = served.json(&format!("{path}/{}", small["id"].as_str().unwrap())).await;
    assert_eq!(seen["Checksum"], "5d41402abc4b2a76b9719d911017c592");
}

#[tokio::test]
async fn contents_come_in_base64_and_in_collections() {
    let served = served().await;
    let made: Value = served
        .send(
            Method::POST,
            &served.token,
            &format!("{V}/sobjects/Document"),
            Some(json!({"Name": "a", "Body": "aGVsbG8="})),
        )
        .await
        .json()
        .await
        .unwrap();
    let id = made["id"].as_str().unwrap();
    let document = format!("{V}/sobjects/Document/{id}");
    assert_eq!(served.json(&document).await["BodyLength"], 5);
    // another content, with other fields as they are
    let changed = served
        .parts(
            &format!("{document}?_HttpMethod=PATCH"),
            &[("entity_document", JSON, b"{}"), ("Body", FILE, b"other!")],
        )
        .await;
    assert_eq!(changed.status(), 204);
    assert_eq!(served.get(&format!("{document}/Body")).await.bytes().await.unwrap(), "other!");
    let record = |name: &str, part: &str| json!({"attributes": {"type": "Document", "binaryPartName": part, "binaryPartNameAlias": "Body"}, "Name": name});
    let records = json!({"records": [record("one", "p1"), record("two", "p2")]}).to_string();
    let path = format!("{V}/composite/sobjects");
    let answer = served
        .parts(&path, &[("collection", JSON, records.as_bytes()), ("p1", FILE, b"1"), ("p2", FILE, b"22")])
        .await;
    let rows: Value = answer.json().await.unwrap();
    let id = rows[1]["id"].as_str().unwrap();
    assert_eq!(served.get(&format!("{V}/sobjects/Document/{id}/Body")).await.bytes().await.unwrap(), "22");
    let lacking = served.parts(&path, &[("collection", JSON, records.as_bytes()), ("p1", FILE, b"1")]).await;
    refused(lacking, 400, "INVALID_MULTIPART_REQUEST").await;
    let unknown = served
        .parts(
            &format!("{V}/sobjects/Document"),
            &[("entity_document", JSON, b"{\"Name\": \"x\"}"), ("Nothing", FILE, b"1")],
        )
        .await;
    refused(unknown, 400, "INVALID_FIELD").await;
    let no_base64 = served
        .send(
            Method::POST,
            &served.token,
            &format!("{V}/sobjects/Document"),
            Some(json!({"Name": "a", "Body": "%"})),
        )
        .await;
    refused(no_base64, 400, "INVALID_TYPE_ON_FIELD_IN_RECORD").await;
    let url = format!("{}{V}/sobjects/Document", served.simulator.address);
    let cut = served
        .client
        .post(url)
        .bearer_auth(&served.token)
        .header("content-type", "multipart/form-data; boundary=cut");
    refused(
        cut.body("--cut\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nno end").send().await.unwrap(),
        400,
        "INVALID_MULTIPART_REQUEST",
    )
    .await;
}
