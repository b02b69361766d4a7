//! Records made, changed and deleted by REST: one by one, in collections, trees, composites and graphs.

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
      Key__c: {type: string, length: 40, externalId: true, unique: true}
      Loose__c: {type: string, length: 40, externalId: true}
      Secret__c: {type: string, length: 20}
      AnnualRevenue: {type: currency, precision: 18, scale: 2}
      ParentId: {type: reference, to: [Account], relationship: Parent, children: ChildAccounts}
  Contact:
    fields:
      AccountId: {type: reference, to: [Account], relationship: Account, children: Contacts}
";

/// A name that is refused.
fn long() -> Value {
    json!("x".repeat(300))
}

async fn served() -> Served {
    serve_with(
        &[
            ("schema.yaml", SCHEMA),
            ("data/Account.csv", "Id,Name,Key__c,Loose__c\nacme,Acme,A-1,x\nbolt,Bolt,B-1,x\n"),
            ("data/Contact.csv", "Name\nAnn\n"),
        ],
        &[],
    )
    .await
}

impl Served {
    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let answer = self.send(method, &self.token, path, body).await;
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        (status, body)
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(Method::POST, path, Some(body)).await
    }

    async fn one(&self, soql: &str) -> Value {
        let answer: Value = self.query(soql).await.json().await.unwrap();
        answer["records"].clone()
    }

    async fn count(&self, soql: &str) -> u64 {
        let answer: Value = self.query(soql).await.json().await.unwrap();
        answer["totalSize"].as_u64().unwrap()
    }
}

#[tokio::test]
async fn a_record_is_made_changed_and_deleted() {
    let served = served().await;
    let accounts = format!("{V}/sobjects/Account");
    let answer = served
        .send(
            Method::POST,
            &served.token,
            &format!("{accounts}/"),
            Some(json!({"Name": "New", "AnnualRevenue": 1.5})),
        )
        .await;
    assert_eq!(answer.status(), 201);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let body: Value = answer.json().await.unwrap();
    let id = body["id"].as_str().unwrap().to_owned();
    assert_eq!(body, json!({"id": id, "success": true, "errors": []}));
    let record = format!("{accounts}/{id}");
    assert_eq!(location, record);
    let (status, body) =
        served.call(Method::PATCH, &record, Some(json!({"Name": "Newer", "AnnualRevenue": null}))).await;
    assert_eq!((status, body), (204, Value::Null));
    let seen = served.json(&record).await;
    assert_eq!((&seen["Name"], &seen["AnnualRevenue"]), (&json!("Newer"), &Value::Null));
    // for clients without PATCH
    assert_eq!(served.post(&format!("{record}?_HttpMethod=PATCH"), json!({"Name": "Newest"})).await.0, 204);
    assert_eq!(served.json(&record).await["Name"], "Newest");
    assert_eq!(served.call(Method::DELETE, &record, None).await.0, 204);
    let answer = served.send(Method::DELETE, &served.token, &record, None).await;
    assert_eq!(refused(answer, 404, "ENTITY_IS_DELETED").await, "entity is deleted");
    // an upsert by Id without one
    assert_eq!(served.post(&format!("{accounts}/Id"), json!({"Name": "By Id"})).await.0, 201);
    let id_in_body = served.post(&accounts, json!({"Name": "x", "Id": "0015g0000000001AAA"})).await;
    assert_eq!(id_in_body.1[0]["message"], "The Id field should not be specified in the sobject data.");
    refused(served.get(&record).await, 404, "NOT_FOUND").await;
    let wrong = served.send(Method::PUT, &served.token, &record, Some(json!({}))).await;
    refused(wrong, 405, "METHOD_NOT_ALLOWED").await;
}

#[tokio::test]
async fn upserts_by_an_external_id() {
    let served = served().await;
    let by_key =
        |version: &str, key: &str| format!("/services/data/v{version}/sobjects/Account/Key__c/{key}");
    let (status, made) =
        served.call(Method::PATCH, &by_key("62.0", "N%2F1"), Some(json!({"Name": "N"}))).await;
    assert_eq!((status, &made["created"], &made["success"]), (201, &json!(true), &json!(true)));
    let (status, changed) =
        served.call(Method::PATCH, &by_key("62.0", "N%2F1"), Some(json!({"Name": "M"}))).await;
    assert_eq!((status, &changed["created"], &changed["id"]), (200, &json!(false), &made["id"]));
    let (status, body) =
        served.call(Method::PATCH, &by_key("45.0", "A-1"), Some(json!({"Name": "Older"}))).await;
    assert_eq!((status, body), (204, Value::Null));
    assert_eq!(served.one("SELECT Name, Key__c FROM Account WHERE Key__c = 'N/1'").await[0]["Name"], "M");
    let absent = served
        .send(Method::PATCH, &served.token, &by_key("62.0", "no?updateOnly=true"), Some(json!({"Name": "M"})))
        .await;
    refused(absent, 404, "NOT_FOUND").await;
    assert_eq!(served.call(Method::DELETE, &by_key("62.0", "A-1"), None).await.0, 204);
    let named = served.call(Method::PATCH, &by_key("62.0", "B-1"), Some(json!({"Key__c": "B-1"}))).await;
    assert_eq!(named.1[0]["message"], "The Key__c field should not be specified in the sobject data.");
}

#[tokio::test]
async fn conditional_headers_hold_against_the_last_change() {
    let served = served().await;
    let made = served.post(&format!("{V}/sobjects/Account"), json!({"Name": "New"})).await.1;
    let record = format!("{}{V}/sobjects/Account/{}", served.simulator.address, made["id"].as_str().unwrap());
    let send = |method: Method, header: &'static str, value: String| {
        served
            .client
            .request(method, &record)
            .bearer_auth(&served.token)
            .header(header, value)
            .json(&json!({"Name": "x"}))
            .send()
    };
    let read = served.client.get(&record).bearer_auth(&served.token).send().await.unwrap();
    let changed = read.headers()["last-modified"].to_str().unwrap().to_owned();
    let known = send(Method::GET, "if-modified-since", changed.clone()).await.unwrap();
    assert_eq!(known.status(), 304);
    let stale =
        send(Method::PATCH, "if-unmodified-since", "Sat, 1 Jan 2000 00:00:01 GMT".to_owned()).await.unwrap();
    refused(stale, 412, "PRECONDITION_FAILED").await;
    assert_eq!(send(Method::PATCH, "if-unmodified-since", changed).await.unwrap().status(), 204);
}

#[tokio::test]
async fn collections_answer_row_by_row() {
    let served = served().await;
    let path = format!("{V}/composite/sobjects");
    let account = |name: Value| json!({"attributes": {"type": "Account"}, "Name": name});
    let contact = json!({"attributes": {"type": "Contact"}, "Name": "Cleo", "Account": {"Key__c": "A-1"}});
    let body = json!({"records": [account(json!("One")), account(long()), contact, account(json!("Two"))]});
    let (status, made) = served.post(&path, body).await;
    assert_eq!(status, 200);
    let good: Vec<bool> = made.as_array().unwrap().iter().map(|row| row["success"] == true).collect();
    assert_eq!(good, [true, false, true, true]);
    assert!(made[0].get("created").is_none());
    let error = &made[1]["errors"][0];
    assert_eq!((&error["statusCode"], &error["fields"]), (&json!("STRING_TOO_LONG"), &json!(["Name"])));
    let ids: Vec<&str> = [0, 3].iter().map(|row| made[*row]["id"].as_str().unwrap()).collect();
    let update = json!({"records": [
        {"attributes": {"type": "Account"}, "id": ids[0], "Name": "Uno"}, {"attributes": {"type": "Account"}, "Id": "no", "Name": "x"},
        {"attributes": {"type": "Account"}, "Name": "no id"},
    ]});
    let (_, changed) = served.call(Method::PATCH, &path, Some(update)).await;
    assert_eq!(changed[0], json!({"id": ids[0], "success": true, "errors": []}));
    assert_eq!(changed[1]["errors"][0]["statusCode"], "MALFORMED_ID");
    assert_eq!(changed[2]["errors"][0]["statusCode"], "MISSING_ARGUMENT");
    let rows = json!({"records": [
        {"attributes": {"type": "Account"}, "Key__c": "A-1", "Name": "Acme 2"}, {"attributes": {"type": "Account"}, "Key__c": "Z", "Name": "Z"},
        {"attributes": {"type": "Account"}, "Name": "no key"},
        {"attributes": {"type": "Account"}, "Key__c": "T", "Name": "T"}, {"attributes": {"type": "Account"}, "Key__c": "t", "Name": "T"},
    ]});
    let (status, upserted) = served.call(Method::PATCH, &format!("{path}/Account/Key__c"), Some(rows)).await;
    assert_eq!(
        (status, &upserted[0]["created"], &upserted[1]["created"]),
        (200, &json!(false), &json!(true))
    );
    assert_eq!(upserted[2]["errors"][0]["message"], "Key__c not specified");
    assert_eq!(upserted[3]["errors"][0]["statusCode"], "DUPLICATE_VALUE");
    let (status, gone) =
        served.call(Method::DELETE, &format!("{path}?ids={},{},{}", ids[0], ids[1], ids[1]), None).await;
    assert_eq!(
        (status, &gone[0]["success"], &gone[2]["errors"][0]["statusCode"]),
        (200, &json!(true), &json!("ENTITY_IS_DELETED"))
    );
    assert_eq!(served.count("SELECT Id FROM Account").await, 3);
}

#[tokio::test]
async fn trees_are_made_whole_or_not_at_all() {
    let served = served().await;
    let path = format!("{V}/composite/tree/Account");
    let contact = |reference: &str, name: Value| json!({"attributes": {"type": "Contact", "referenceId": reference}, "Name": name});
    let tree = |last: Value| {
        json!({"records": [{
            "attributes": {"type": "Account", "referenceId": "a"}, "Name": "A",
            "ChildAccounts": {"records": [{"attributes": {"type": "Account", "referenceId": "b"}, "Name": "B",
                "Contacts": {"records": [contact("c", json!("C")), contact("d", last)]}}]},
        }]})
    };
    let (status, failed) = served.post(&path, tree(long())).await;
    assert_eq!(
        (status, &failed["hasErrors"], &failed["results"][0]["referenceId"]),
        (400, &json!(true), &json!("d"))
    );
    assert_eq!(failed["results"][0]["errors"][0]["statusCode"], "STRING_TOO_LONG");
    assert_eq!(served.count("SELECT Id FROM Account").await, 2);
    let (status, made) = served.post(&path, tree(json!("D"))).await;
    assert_eq!(
        (status, &made["hasErrors"], made["results"].as_array().unwrap().len()),
        (201, &json!(false), 4)
    );
    let found = served.one("SELECT Account.Name, Account.Parent.Name FROM Contact WHERE Name = 'D'").await;
    assert_eq!(
        (&found[0]["Account"]["Name"], &found[0]["Account"]["Parent"]["Name"]),
        (&json!("B"), &json!("A"))
    );
}

#[tokio::test]
async fn composites_write_with_references_and_fall_together() {
    let served = served().await;
    let composite = |all: bool, last: Value| {
        json!({"allOrNone": all, "compositeRequest": [
            {"method": "POST", "url": format!("{V}/sobjects/Account"), "referenceId": "acc", "body": {"Name": "Comp", "Key__c": "C-1"}},
            {"method": "GET", "url": format!("{V}/query?q=SELECT+Name+FROM+Account+WHERE+Key__c='C-1'"), "referenceId": "seen"},
            {"method": "POST", "url": format!("{V}/sobjects/Contact"), "referenceId": "con", "body": {"Name": last, "AccountId": "@{acc.id}"}},
        ]})
    };
    let path = format!("{V}/composite");
    let (status, undone) = served.post(&path, composite(true, long())).await;
    let parts = &undone["compositeResponse"];
    assert_eq!((status, &parts[0]["body"][0]["errorCode"]), (200, &json!("PROCESSING_HALTED")));
    assert_eq!(parts[2]["body"][0]["errorCode"], "STRING_TOO_LONG");
    assert_eq!(served.count("SELECT Id FROM Account").await, 2);
    let (_, done) = served.post(&path, composite(true, json!("Carl"))).await;
    let parts = &done["compositeResponse"];
    assert_eq!((&parts[0]["httpStatusCode"], &parts[1]["body"]["totalSize"]), (&json!(201), &json!(1)));
    let id = parts[0]["body"]["id"].as_str().unwrap();
    assert_eq!(parts[0]["httpHeaders"]["Location"], format!("{V}/sobjects/Account/{id}"));
    assert_eq!(served.one("SELECT AccountId FROM Contact WHERE Name = 'Carl'").await[0]["AccountId"], id);
    // each for itself: what worked stays
    let (_, kept) = served.post(&path, composite(false, long())).await;
    assert_eq!(kept["compositeResponse"][0]["body"][0]["errorCode"], "DUPLICATE_VALUE");
    assert_eq!(kept["compositeResponse"][2]["body"][0]["errorCode"], "PROCESSING_HALTED");
    let graph = |id: &str, name: Value| {
        json!({"graphId": id, "compositeRequest": [
            {"method": "POST", "url": format!("{V}/sobjects/Account"), "referenceId": "a", "body": {"Name": id}},
            {"method": "POST", "url": format!("{V}/sobjects/Contact"), "referenceId": "b", "body": {"Name": name, "AccountId": "@{a.id}"}},
        ]})
    };
    let body = json!({"graphs": [graph("g1", json!("G")), graph("g2", long())]});
    let (_, graphs) = served.post(&format!("{V}/composite/graph"), body).await;
    let well: Vec<bool> =
        graphs["graphs"].as_array().unwrap().iter().map(|graph| graph["isSuccessful"] == true).collect();
    assert_eq!(well, [true, false]);
    assert_eq!(served.count("SELECT Id FROM Account WHERE Name IN ('g1', 'g2')").await, 1);
    let batch = json!({"batchRequests": [{"method": "POST", "url": "v62.0/sobjects/Account", "richInput": {"Name": "In batch"}}]});
    let (_, batch) = served.post(&format!("{V}/composite/batch"), batch).await;
    assert_eq!((&batch["hasErrors"], &batch["results"][0]["statusCode"]), (&json!(false), &json!(201)));
}
