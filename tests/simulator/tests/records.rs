//! Records by other ways than a query: by id and external id, through relationships, many at once, and what changed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{SCHEMA, Served, refused, serve, serve_with};
use reqwest::Method;
use serde_json::{Value, json};

const V: &str = "/services/data/v62.0";
const ACME: &str = "0015g0000000001AAA";
const BOLT: &str = "0015g0000000002AAA";

/// The small org with a key that is not unique, and rows of today.
async fn keyed() -> Served {
    let schema = SCHEMA.replace(
        "      Since__c: {type: date}\n",
        "      Since__c: {type: date}\n      Key__c: {type: string, length: 40, externalId: true}\n      \
         Number__c: {type: double, precision: 10, scale: 0, externalId: true}\n",
    );
    let csv = "Id,Name,Key__c,ParentId,SystemModstamp,IsDeleted,Number__c\n\
               acme,Acme,A 1,,NOW,,7\nbolt,Bolt,B,acme,NOW,,\ncog,Cog,B,,,,\ngone,Gone,G,,NOW,true,\n";
    let csv = csv.replace("NOW", &minutes_ago(30).replace("+00:00", "Z"));
    serve_with(&[("schema.yaml", &schema), ("data/Account.csv", &csv)], &[]).await
}

/// A time in the form of these calls: `2026-01-31T00:00:00+00:00`.
fn minutes_ago(minutes: u64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let at = now - minutes * 60;
    let (year, month, day) =
        orgkeep_simulator::value::calendar::civil_from_days(i32::try_from(at / 86_400).unwrap());
    let clock = at % 86_400;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}+00:00",
        clock / 3_600,
        clock / 60 % 60,
        clock % 60
    )
}

fn window(start: u64, end: u64) -> String {
    let encoded =
        |minutes| url::form_urlencoded::byte_serialize(minutes_ago(minutes).as_bytes()).collect::<String>();
    format!("start={}&end={}", encoded(start), encoded(end))
}

#[tokio::test]
async fn by_id_with_the_fields_that_were_asked_for() {
    let served = serve().await;
    let record = served.json(&format!("{V}/sobjects/Account/{BOLT}?fields=Name,Parent.Name")).await;
    assert_eq!(
        record,
        json!({
            "attributes": {"type": "Account", "url": format!("{V}/sobjects/Account/{BOLT}")},
            "Name": "Bolt, Inc.",
            "Parent": {"attributes": {"type": "Account", "url": format!("{V}/sobjects/Account/{ACME}")}, "Name": "Acme"},
            "Id": BOLT,
        })
    );
    let path = format!("{V}/sobjects/Account/{BOLT}?fields=Name,Sacred__c");
    let message = refused(served.get(&path).await, 400, "INVALID_FIELD").await;
    assert_eq!(message, "No such column 'Sacred__c' on sobject of type Account");
}

#[tokio::test]
async fn by_external_id_and_several_that_match() {
    let served = keyed().await;
    let record = served.json(&format!("{V}/sobjects/Account/Key__c/A%201")).await;
    assert_eq!((&record["Id"], &record["Name"]), (&json!(ACME), &json!("Acme")));
    let number = served.json(&format!("{V}/sobjects/Account/Number__c/7?fields=Name")).await;
    assert_eq!(number["Name"], "Acme");
    for value in ["8", "seven", "7%20OR%20Name%20!=%20null", "'7'"] {
        refused(served.get(&format!("{V}/sobjects/Account/Number__c/{value}")).await, 404, "NOT_FOUND").await;
    }
    let quoted = format!("{V}/sobjects/Account/Key__c/x'%20OR%20Name%20!=%20'");
    refused(served.get(&quoted).await, 404, "NOT_FOUND").await;
    let several = served.get(&format!("{V}/sobjects/Account/Key__c/B")).await;
    assert_eq!(several.status(), 300);
    let urls: Value = several.json().await.unwrap();
    assert_eq!(
        urls,
        json!([format!("{V}/sobjects/Account/{BOLT}"), format!("{V}/sobjects/Account/0015g0000000003AAA")])
    );
    refused(served.get(&format!("{V}/sobjects/Account/Key__c/none")).await, 404, "NOT_FOUND").await;
    refused(served.get(&format!("{V}/sobjects/Account/Key__c/G")).await, 404, "NOT_FOUND").await;
    let message =
        refused(served.get(&format!("{V}/sobjects/Account/Industry/Food")).await, 404, "NOT_FOUND").await;
    assert_eq!(message, "Provided external ID field does not exist or is not accessible: Industry");
}

#[tokio::test]
async fn through_relationships() {
    let served = serve().await;
    let parent = served.json(&format!("{V}/sobjects/Account/{BOLT}/Parent?fields=Name")).await;
    assert_eq!(parent["Name"], "Acme");
    let owner = served.json(&format!("{V}/sobjects/Account/{BOLT}/Parent/Owner?fields=Username")).await;
    assert_eq!(owner["Username"], "admin@acme.example");
    refused(served.get(&format!("{V}/sobjects/Account/{ACME}/Parent")).await, 404, "NOT_FOUND").await;
    let children = served.json(&format!("{V}/sobjects/Account/{ACME}/ChildAccounts?fields=Name")).await;
    assert_eq!((&children["totalSize"], &children["done"]), (&json!(1), &json!(true)));
    assert_eq!(children["records"][0]["Name"], "Bolt, Inc.");
    refused(served.get(&format!("{V}/sobjects/Account/{ACME}/Nothings")).await, 404, "NOT_FOUND").await;
}

#[tokio::test]
async fn many_at_once_in_their_order() {
    let served = serve().await;
    let path = format!("{V}/composite/sobjects/Account");
    let body = json!({"ids": [BOLT, "0015g00000000zzAAA", ACME], "fields": ["Name"]});
    let answer = served.send(Method::POST, &served.token, &path, Some(body)).await;
    assert_eq!(answer.status(), 200);
    let records: Value = answer.json().await.unwrap();
    assert_eq!(records.as_array().unwrap().len(), 3);
    assert_eq!((&records[0]["Name"], &records[1]), (&json!("Bolt, Inc."), &Value::Null));
    assert_eq!(records[2]["attributes"]["url"], format!("{V}/sobjects/Account/{ACME}"));
    let by_url = served.json(&format!("{path}?ids={ACME},{BOLT}&fields=Name,Industry")).await;
    assert_eq!(by_url[0]["Industry"], "Energy");
    let body = json!({"ids": vec![ACME; 2_001], "fields": ["Name"]});
    refused(served.send(Method::POST, &served.token, &path, Some(body)).await, 400, "EXCEEDED_ID_LIMIT")
        .await;
    let body = json!({"ids": [ACME], "fields": ["Nothing"]});
    refused(served.send(Method::POST, &served.token, &path, Some(body)).await, 400, "INVALID_FIELD").await;
}

#[tokio::test]
async fn what_changed_and_what_was_deleted() {
    let served = keyed().await;
    let updated = served.json(&format!("{V}/sobjects/Account/updated/?{}", window(60, 10))).await;
    assert_eq!(updated["ids"], json!([ACME, BOLT]));
    assert!(updated["latestDateCovered"].as_str().unwrap().ends_with(":00.000+0000"));
    let deleted = served.json(&format!("{V}/sobjects/Account/deleted/?{}", window(60, 10))).await;
    assert_eq!(deleted["deletedRecords"].as_array().unwrap().len(), 1);
    assert_eq!(deleted["deletedRecords"][0]["id"], "0015g0000000004AAA");
    assert!(deleted["earliestDateAvailable"].as_str() < deleted["latestDateCovered"].as_str());
    let earlier = served.json(&format!("{V}/sobjects/Account/updated/?{}", window(120, 60))).await;
    assert_eq!(earlier["ids"], json!([]));
}

#[tokio::test]
async fn refuses_29_deletions_of_no_time_or_of_too_long_ago() {
    let served = serve().await;
    for (window, resource) in [
        (window(10, 60), "deleted"),
        (window(10, 10), "deleted"),
        (window(16 * 24 * 60, 10), "deleted"),
        (window(31 * 24 * 60, 10), "updated"),
        ("start=yesterday&end=today".to_owned(), "deleted"),
        (String::new(), "deleted"),
    ] {
        let path = format!("{V}/sobjects/Account/{resource}/?{window}");
        refused(served.get(&path).await, 400, "INVALID_REPLICATION_DATE").await;
    }
    let fine = format!("{V}/sobjects/Account/deleted/?{}", window(14 * 24 * 60, 10));
    assert_eq!(served.get(&fine).await.status(), 200);
    let path = format!("{V}/sobjects/UserPermissionAccess/deleted/?{}", window(60, 10));
    refused(served.get(&path).await, 400, "INVALID_TYPE_FOR_OPERATION").await;
}

#[tokio::test]
async fn describes_that_did_not_change_are_not_sent_again() {
    let served = serve().await;
    for path in [format!("{V}/sobjects"), format!("{V}/sobjects/Account/describe")] {
        let first = served.get(&path).await;
        let stamp = first.headers()["last-modified"].to_str().unwrap().to_owned();
        assert!(stamp.ends_with(" GMT") && first.headers().contains_key("etag"));
        let ask = async |stamp: &str| {
            let url = format!("{}{path}", served.simulator.address);
            let request =
                served.client.get(url).bearer_auth(&served.token).header("If-Modified-Since", stamp);
            request.send().await.unwrap()
        };
        let again = ask(&stamp).await;
        assert_eq!((again.status().as_u16(), again.bytes().await.unwrap().len()), (304, 0));
        assert_eq!(ask("Sat, 1 Jan 2000 00:00:01 GMT").await.status(), 200);
        assert_eq!(ask("nonsense").await.status(), 200);
    }
}
