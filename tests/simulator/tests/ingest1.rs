//! Loads of Bulk 1.0 as CumulusCI (XML and CSV), jsforce, simple-salesforce (JSON) and salesforce-bulk make them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::{ORG, Served, serve, serve_only, serve_with};
use orgkeep_simulator::faults::FaultPlan;
use reqwest::{Method, Response};
use serde_json::{Value, json};

const NS: &str = "http://www.force.com/2009/06/asyncapi/dataload";
const XML: &str = "application/xml; charset=UTF-8";
const JSON: &str = "application/json";

const SCHEMA: &str = r"
objects:
  Parent__c:
    keyPrefix: a01
    fields:
      Key__c: {type: string, length: 40, externalId: true, unique: true}
      Size__c: {type: double, precision: 10, scale: 2}
  Child__c:
    keyPrefix: a02
    fields:
      Needed__c: {type: string, length: 10, required: true}
      Parent__c: {type: reference, to: [Parent__c], relationship: Parent__r}
";

async fn call(
    served: &Served,
    method: Method,
    path: &str,
    kind: &str,
    body: impl Into<reqwest::Body>,
) -> Response {
    let url = format!("{}/services/async/62.0/{path}", served.simulator.address);
    let request = served.client.request(method, url).header("X-SFDC-Session", &served.token);
    request.header("Content-Type", kind).body(body).send().await.unwrap()
}

fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once('<')?.0.to_owned())
}

/// A job in XML; its id.
async fn job(served: &Served, operation: &str, object: &str, more: &str, content: &str) -> String {
    let body = format!(
        "<jobInfo xmlns=\"{NS}\"><operation>{operation}</operation><object>{object}</object>{more}\
         <contentType>{content}</contentType></jobInfo>"
    );
    let made = call(served, Method::POST, "job", XML, body).await;
    let status = made.status();
    let text = made.text().await.unwrap();
    assert_eq!(status, 201, "{text}");
    element(&text, "id").unwrap()
}

async fn batch(served: &Served, job: &str, kind: &'static str, body: &str) -> String {
    let made = call(served, Method::POST, &format!("job/{job}/batch"), kind, body.to_owned()).await;
    let (status, text) = (made.status(), made.text().await.unwrap());
    assert_eq!(status, 201, "{text}");
    element(&text, "id")
        .unwrap_or_else(|| serde_json::from_str::<Value>(&text).unwrap()["id"].as_str().unwrap().to_owned())
}

async fn text(served: &Served, path: &str) -> String {
    let answer = call(served, Method::GET, path, XML, "").await;
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert_eq!(status, 200, "{path}: {text}");
    text
}

async fn ended(served: &Served, job: &str, batch: &str) -> String {
    loop {
        let info = text(served, &format!("job/{job}/batch/{batch}")).await;
        if !info.contains("Queued") && !info.contains("InProgress") {
            return info;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn csv_is_upserted_as_cumulusci_does_it() {
    let served = serve_only(&[("schema.yaml", SCHEMA)]).await;
    let more = "<externalIdFieldName>Key__c</externalIdFieldName><concurrencyMode>Parallel</concurrencyMode>";
    let id = job(&served, "upsert", "Parent__c", more, "CSV").await;
    let csv = "text/csv; charset=UTF-8";
    let first = batch(
        &served,
        &id,
        csv,
        "\"Key__c\",\"Name\",\"Size__c\"\r\n\"a\",\"A\",\"1.5\"\r\n\"b\",\"B\",\"\"\r\n",
    )
    .await;
    let info = ended(&served, &id, &first).await;
    assert_eq!(element(&info, "state").as_deref(), Some("Completed"), "{info}");
    let results = text(&served, &format!("job/{id}/batch/{first}/result")).await;
    let lines: Vec<&str> = results.lines().collect();
    assert_eq!(lines[0], "\"Id\",\"Success\",\"Created\",\"Error\"");
    assert!(lines[1].starts_with("\"a01") && lines[1].ends_with("\",\"true\",\"true\",\"\""), "{results}");
    assert_eq!(lines.len(), 3);
    let second = batch(&served, &id, csv, "Key__c,Size__c\nb,x\na,#N/A\n").await;
    ended(&served, &id, &second).await;
    let results = text(&served, &format!("job/{id}/batch/{second}/result")).await;
    let lines: Vec<&str> = results.lines().collect();
    assert!(lines[1].starts_with("\"\",\"false\",\"false\",\"INVALID_TYPE_ON_FIELD_IN_RECORD:"), "{results}");
    assert!(lines[2].ends_with("\",\"true\",\"false\",\"\""), "in the order of the rows: {results}");
    let closed = format!("<jobInfo xmlns=\"{NS}\"><state>Closed</state></jobInfo>");
    let info = call(&served, Method::POST, &format!("job/{id}"), XML, closed).await.text().await.unwrap();
    for (name, value) in [
        ("operation", "upsert"),
        ("state", "Closed"),
        ("externalIdFieldName", "Key__c"),
        ("numberBatchesTotal", "2"),
        ("numberBatchesCompleted", "2"),
        ("numberRecordsProcessed", "4"),
        ("numberRecordsFailed", "1"),
    ] {
        assert_eq!(element(&info, name).as_deref(), Some(value), "{name}: {info}");
    }
    let request = text(&served, &format!("job/{id}/batch/{second}/request")).await;
    assert_eq!(request, "Key__c,Size__c\nb,x\na,#N/A\n");
    let late = call(&served, Method::POST, &format!("job/{id}/batch"), csv, "Key__c\nc\n").await;
    assert!(late.text().await.unwrap().contains("InvalidJobState"));
    // with those of Bulk 2.0 in their list
    let list = served.json("/services/data/v62.0/jobs/ingest").await;
    assert_eq!(
        (&list["records"][0]["jobType"], &list["records"][0]["operation"]),
        (&json!("Classic"), &json!("upsert"))
    );
}

#[tokio::test]
async fn json_is_loaded_one_batch_after_the_other() {
    let served = serve_only(&[("schema.yaml", SCHEMA)]).await;
    let wish = json!({"operation": "insert", "object": "Parent__c", "concurrencyMode": "Serial", "contentType": "JSON"});
    let made: Value = call(&served, Method::POST, "job", JSON, wish.to_string()).await.json().await.unwrap();
    assert_eq!((&made["concurrencyMode"], &made["externalIdFieldName"]), (&json!("Serial"), &Value::Null));
    let id = made["id"].as_str().unwrap();
    let rows = json!([{"Key__c": "a", "Size__c": 2}, {"Key__c": "a", "Name": null}, {"Key__c": "b", "Size__c": "3.25"}]);
    let made: Value = call(&served, Method::POST, &format!("job/{id}/batch"), JSON, rows.to_string())
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(made["state"], "Queued", "{made}");
    let first = made["id"].as_str().unwrap();
    ended(&served, id, first).await;
    let results: Value =
        serde_json::from_str(&text(&served, &format!("job/{id}/batch/{first}/result")).await).unwrap();
    assert_eq!(
        (&results[0]["success"], &results[0]["created"], &results[0]["errors"]),
        (&json!(true), &json!(true), &json!([]))
    );
    assert_eq!((&results[1]["success"], &results[1]["id"]), (&json!(false), &Value::Null));
    let error = &results[1]["errors"][0];
    assert_eq!((&error["statusCode"], &error["fields"]), (&json!("DUPLICATE_VALUE"), &json!(["Key__c"])));
    // children by a field of their parents, and what is required
    let children = job(&served, "insert", "Child__c", "", "JSON").await;
    let rows = json!([
        {"attributes": {"type": "Child__c"}, "Needed__c": "x", "Parent__r": {"Key__c": "b"}},
        {"Parent__r": {"attributes": {"type": "Parent__c"}, "Key__c": "b"}},
    ]);
    let second = batch(&served, &children, JSON, &rows.to_string()).await;
    ended(&served, &children, &second).await;
    let results: Value =
        serde_json::from_str(&text(&served, &format!("job/{children}/batch/{second}/result")).await).unwrap();
    assert_eq!(results[0]["success"], true, "{results}");
    assert_eq!(results[1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    let found: Value = served.query("SELECT Parent__r.Size__c FROM Child__c").await.json().await.unwrap();
    assert_eq!(found["records"][0]["Parent__r"]["Size__c"], 3.25);
    // what no object has fails the batch
    let bad = batch(&served, id, JSON, "[{\"Nothing__c\": 1}]").await;
    let info = ended(&served, id, &bad).await;
    assert!(info.contains("InvalidBatch : Field name not found : Nothing__c"), "{info}");
    let answer = call(&served, Method::GET, &format!("job/{id}/batch/{bad}/result"), JSON, "").await;
    let told: Value = answer.json().await.unwrap();
    assert_eq!(told, json!({"exceptionCode": "InvalidBatch", "exceptionMessage": "Records not processed"}));
}

#[tokio::test]
async fn xml_is_loaded_and_deleted() {
    let served = serve_only(&[("schema.yaml", SCHEMA)]).await;
    let id = job(&served, "insert", "Parent__c", "", "XML").await;
    let rows = format!(
        "<?xml version=\"1.0\"?><sObjects xmlns=\"{NS}\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
         <sObject><type>Parent__c</type><Key__c>a &amp; b</Key__c><Size__c xsi:nil=\"true\"/></sObject>\
         <sObject><Key__c>c</Key__c><Size__c>many</Size__c></sObject></sObjects>"
    );
    // `type` is an attribute of a record in SOAP alone
    let first = batch(&served, &id, XML, &rows.replace("<type>Parent__c</type>", "")).await;
    ended(&served, &id, &first).await;
    let results = text(&served, &format!("job/{id}/batch/{first}/result")).await;
    assert!(results.contains("<success>true</success><created>true</created>"), "{results}");
    assert!(
        results.contains("<fields>Size__c</fields>") && results.contains("<statusCode>INVALID_TYPE"),
        "{results}"
    );
    let made = element(&results, "id").unwrap();
    let delete = job(&served, "delete", "Parent__c", "", "CSV").await;
    let gone = batch(&served, &delete, "text/csv", &format!("Id\n{made}\na01000000000001AAA\n")).await;
    ended(&served, &delete, &gone).await;
    let results = text(&served, &format!("job/{delete}/batch/{gone}/result")).await;
    assert!(results.contains(&format!("\"{made}\",\"true\",\"false\",\"\"")), "{results}");
    assert!(results.contains("\"\",\"false\",\"false\",\"INVALID_CROSS_REFERENCE_KEY"), "{results}");
    let broken = batch(&served, &id, XML, "<sObjects><sObject>").await;
    assert!(ended(&served, &id, &broken).await.contains("InvalidXML"));
}

#[tokio::test]
async fn batches_are_refused_left_and_aborted() {
    let org = ORG.replace("dailyApiRequests: 100000", "dailyApiRequests: 100000, dailyBulkApiBatches: 6");
    let served = serve_with(&[("org.yaml", &org)], &[]).await;
    let id = job(&served, "insert", "Account", "", "CSV").await;
    let large =
        call(&served, Method::POST, &format!("job/{id}/batch"), "text/csv", vec![b'x'; 10_000_001]).await;
    assert_eq!(large.status(), 400);
    let told = large.text().await.unwrap();
    assert!(
        told.contains("ClientInputError") && told.contains("Exceeded max size limit of 10000000"),
        "{told}"
    );
    let empty = call(&served, Method::POST, &format!("job/{id}/batch"), "text/csv", "").await;
    assert!(empty.text().await.unwrap().contains("Unable to find any data to create batch"));
    let rows: String = (0..10_001).map(|row| format!("{row}\n")).collect();
    let many = batch(&served, &id, "text/csv", &format!("Name\n{rows}")).await;
    assert!(ended(&served, &id, &many).await.contains("Exceeded number of records : 10001"));
    // a batch that hangs, and one behind it, in a job that is aborted
    let plan = "faults: [{match: {resource: Bulk1Batch}, n: 1, do: {job: hang}}, \
                {match: {resource: Bulk1Batch}, n: 2, do: {rows: {every: 2}}}]";
    served.simulator.set_faults(FaultPlan::from_yaml(plan).unwrap());
    let hung = batch(&served, &id, "text/csv", "Name\nhung\n").await;
    let refused = batch(&served, &id, "text/csv", "Name\none\ntwo\n").await;
    ended(&served, &id, &refused).await;
    let results = text(&served, &format!("job/{id}/batch/{refused}/result")).await;
    assert!(results.contains("UNABLE_TO_LOCK_ROW:unable to obtain exclusive access"), "{results}");
    let aborted = format!("<jobInfo xmlns=\"{NS}\"><state>Aborted</state></jobInfo>");
    let info = call(&served, Method::POST, &format!("job/{id}"), XML, aborted).await.text().await.unwrap();
    assert_eq!(element(&info, "state").as_deref(), Some("Aborted"));
    assert_eq!(element(&ended(&served, &id, &hung).await, "state").as_deref(), Some("NotProcessed"));
    let fired: Vec<u64> = served.simulator.faults().iter().map(|fault| fault.fired).collect();
    assert_eq!(fired, [1, 1]);
    // the allowance
    let other = job(&served, "insert", "Account", "", "CSV").await;
    let mut last = String::new();
    for _ in 0..3 {
        let made = call(&served, Method::POST, &format!("job/{other}/batch"), "text/csv", "Name\nx\n").await;
        last = made.text().await.unwrap();
    }
    assert!(last.contains("ExceededQuota"), "{last}");
}

#[tokio::test]
async fn jobs_that_make_no_sense_are_refused() {
    let served = serve().await;
    for (operation, object, more, code, words) in [
        ("upsert", "Account", "", "InvalidJob", "External ID was blank for Account"),
        (
            "upsert",
            "Account",
            "<externalIdFieldName>Industry</externalIdFieldName>",
            "InvalidJob",
            "does not match an External ID",
        ),
        ("insert", "Nothing__c", "", "InvalidJob", "Unable to find object"),
        ("merge", "Account", "", "InvalidJob", "Unable to parse Job"),
    ] {
        let body = format!(
            "<jobInfo xmlns=\"{NS}\"><operation>{operation}</operation><object>{object}</object>{more}\
             <contentType>CSV</contentType></jobInfo>"
        );
        let answer = call(&served, Method::POST, "job", XML, body).await;
        assert_eq!(answer.status(), 400);
        let told = answer.text().await.unwrap();
        assert_eq!(element(&told, "exceptionCode").as_deref(), Some(code));
        assert!(told.contains(words), "{told}");
    }
}
