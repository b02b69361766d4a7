//! What the simulator refuses, as Salesforce does, by the numbers of the list.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::{ORG, refused, serve, serve_with};
use reqwest::Method;
use serde_json::Value;

const V: &str = "/services/data/v62.0";

#[tokio::test]
async fn refuses_08_an_unknown_resource() {
    let served = serve().await;
    for path in [format!("{V}/nothing"), "/nothing".to_owned(), format!("{V}/sobjects/Nothing/describe")] {
        assert_eq!(
            refused(served.get(&path).await, 404, "NOT_FOUND").await,
            "The requested resource does not exist"
        );
    }
    refused(
        served.send(Method::POST, &served.token, &format!("{V}/limits"), None).await,
        405,
        "METHOD_NOT_ALLOWED",
    )
    .await;
}

#[tokio::test]
async fn refuses_09_an_unknown_object_and_a_hidden_one_in_the_same_words() {
    let served = serve().await;
    let unknown = refused(served.query("SELECT Id FROM Nothing").await, 400, "INVALID_TYPE").await;
    let blind = served.sign_in("blind@acme.example").await;
    let hidden = refused(served.query_as(&blind, "SELECT Id FROM Contact").await, 400, "INVALID_TYPE").await;
    assert_eq!(unknown, hidden.replace("Contact", "Nothing"));
    let children = |name: &str| format!("SELECT Id, (SELECT Id FROM {name}) FROM Account");
    let unknown = refused(served.query(&children("Nothings")).await, 400, "INVALID_TYPE").await;
    let hidden = refused(served.query_as(&blind, &children("Contacts")).await, 400, "INVALID_TYPE").await;
    assert_eq!(unknown, hidden.replace("Contacts", "Nothings"));
    for path in ["describe", "updated", "0035g0000000001AAA"] {
        let path = format!("{V}/sobjects/Contact/{path}");
        refused(served.send(Method::GET, &blind, &path, None).await, 404, "NOT_FOUND").await;
    }
}

#[tokio::test]
async fn refuses_10_an_unknown_field_and_a_hidden_one_in_the_same_words() {
    let served = serve().await;
    let unknown = refused(served.query("SELECT Sacred__c FROM Account").await, 400, "INVALID_FIELD").await;
    let blind = served.sign_in("blind@acme.example").await;
    let hidden =
        refused(served.query_as(&blind, "SELECT Secret__c FROM Account").await, 400, "INVALID_FIELD").await;
    assert_eq!(unknown, hidden.replace("Secret__c", "Sacred__c"));
    // wherever it is named, by whatever resource
    for soql in [
        "SELECT Id FROM Account WHERE Secret__c = 'x'",
        "SELECT Id FROM Account ORDER BY Secret__c",
        "SELECT Secret__c, COUNT(Id) FROM Account GROUP BY Secret__c",
        "SELECT Parent.Secret__c FROM Account",
        "SELECT (SELECT Secret__c FROM ChildAccounts) FROM Account",
        "SELECT MAX(Secret__c) FROM Account",
        "SELECT FORMAT(Secret__c) FROM Account",
    ] {
        refused(served.query_as(&blind, soql).await, 400, "INVALID_FIELD").await;
        assert_eq!(served.query(soql).await.status(), 200, "{soql}");
    }
    let path = format!("{V}/sobjects/Account/0015g0000000001AAA");
    let seen: Value = served.send(Method::GET, &blind, &path, None).await.json().await.unwrap();
    assert!(seen["Name"] == "Acme" && seen.get("Secret__c").is_none());
    refused(
        served.send(Method::GET, &blind, &format!("{path}?fields=Secret__c"), None).await,
        400,
        "INVALID_FIELD",
    )
    .await;
}

#[tokio::test]
async fn refuses_11_malformed_soql() {
    let served = serve().await;
    refused(served.query("SELEKT Id FROM Account").await, 400, "MALFORMED_QUERY").await;
    refused(served.get(&format!("{V}/query")).await, 400, "MALFORMED_QUERY").await;
    let nested = "SELECT+Id,(SELECT+Id,(SELECT+Id+FROM+Contacts)+FROM+ChildAccounts)+FROM+Account";
    assert_eq!(served.get(&format!("{V}/query?q={nested}")).await.status(), 200);
    let path = format!("/services/data/v57.0/query?q={nested}");
    refused(served.get(&path).await, 400, "MALFORMED_QUERY").await;
}

#[tokio::test]
async fn refuses_12_a_uri_of_16385_bytes() {
    let served = serve().await;
    let head = format!("{V}/query?q=SELECT+Id+FROM+Account");
    let padded = |length: usize| format!("{head}{}", "+".repeat(length - head.len()));
    assert_eq!(served.get(&padded(16_384)).await.status(), 200);
    assert_eq!(served.get(&padded(16_385)).await.status(), 414);
}

#[tokio::test]
async fn refuses_13_a_dead_query_cursor() {
    let served = serve_with(&[], &[("Account", 3_000)]).await;
    let first: Value = served.query("SELECT Id FROM Account").await.json().await.unwrap();
    let next = first["nextRecordsUrl"].as_str().unwrap();
    assert_eq!(served.get(next).await.status(), 200);
    let other = served.sign_in("blind@acme.example").await;
    refused(served.send(Method::GET, &other, next, None).await, 400, "INVALID_QUERY_LOCATOR").await;
    served.simulator.end_cursors();
    refused(served.get(next).await, 400, "INVALID_QUERY_LOCATOR").await;
}

#[tokio::test]
async fn refuses_13_a_cursor_that_has_outlived_its_version() {
    let days = ORG.replace("name: Acme", "name: Acme\nsessionMinutes: 10000");
    let served = serve_with(&[("org.yaml", &days)], &[("Account", 3_000)]).await;
    let open = async |version: &str| {
        let path = format!("/services/data/v{version}/query?q=SELECT+Id+FROM+Account");
        served.json(&path).await["nextRecordsUrl"].as_str().unwrap().to_owned()
    };
    let mut old = Vec::new();
    for _ in 0..11 {
        old.push(open("55.0").await);
    }
    // ten of a user, then the oldest goes
    refused(served.get(&old[0]).await, 400, "INVALID_QUERY_LOCATOR").await;
    let new = open("56.0").await;
    assert_eq!(served.get(&old[1]).await.status(), 200);
    served.simulator.advance(Duration::from_mins(16));
    refused(served.get(&old[1]).await, 400, "INVALID_QUERY_LOCATOR").await;
    assert_eq!(served.get(&new).await.status(), 200);
    served.simulator.advance(Duration::from_hours(48));
    refused(served.get(&new).await, 400, "INVALID_QUERY_LOCATOR").await;
}

#[tokio::test]
async fn refuses_14_an_unknown_record() {
    let served = serve().await;
    refused(served.get(&format!("{V}/sobjects/Account/0015g00000000zzAAA")).await, 404, "NOT_FOUND").await;
    // one that is in the recycle bin is not there, either
    let gone = served.json(&format!("{V}/queryAll?q=SELECT+Id+FROM+Account+WHERE+IsDeleted=true")).await;
    let id = gone["records"][0]["Id"].as_str().unwrap();
    refused(served.get(&format!("{V}/sobjects/Account/{id}")).await, 404, "NOT_FOUND").await;
}

#[tokio::test]
async fn refuses_15_a_malformed_id() {
    let served = serve().await;
    refused(served.get(&format!("{V}/sobjects/Account/0015g00000000zzBBB")).await, 400, "MALFORMED_ID").await;
    let message = refused(served.get(&format!("{V}/sobjects/Account/23foo")).await, 404, "NOT_FOUND").await;
    assert_eq!(message, "Provided external ID field does not exist or is not accessible: 23foo");
    let soql = "SELECT Id FROM Account WHERE Id = '23foo'";
    let message = refused(served.query(soql).await, 400, "INVALID_QUERY_FILTER_OPERATOR").await;
    assert!(message.ends_with("invalid ID field: 23foo"), "{message}");
}

#[tokio::test]
async fn refuses_24_content_document_links_without_a_filter() {
    let served = serve().await;
    let soql = "SELECT Id FROM ContentDocumentLink";
    assert_eq!(served.query(soql).await.status(), 200);
    // the permission counts since 59.0
    let path = "/services/data/v58.0/query?q=SELECT+Id+FROM+ContentDocumentLink";
    refused(served.get(path).await, 400, "MALFORMED_QUERY").await;
    let blind = served.sign_in("blind@acme.example").await;
    let message = refused(served.query_as(&blind, soql).await, 400, "MALFORMED_QUERY").await;
    assert!(message.contains("requires a filter by a single Id"), "{message}");
    let filtered = format!("{soql} WHERE LinkedEntityId IN ('0015g0000000001AAA')");
    assert_eq!(served.query_as(&blind, &filtered).await.status(), 200);
}

#[tokio::test]
async fn refuses_25_votes_and_record_access_without_a_filter() {
    let served = serve().await;
    for soql in [
        "SELECT Id FROM Vote",
        "SELECT RecordId FROM UserRecordAccess",
        "SELECT RecordId FROM UserRecordAccess WHERE RecordId = '0015g0000000001AAA'",
    ] {
        refused(served.query(soql).await, 400, "MALFORMED_QUERY").await;
    }
    let soql = "SELECT RecordId FROM UserRecordAccess WHERE UserId = '0055g0000000001AAA' AND RecordId = '0015g0000000001AAA'";
    assert_eq!(served.query(soql).await.status(), 200);
}

#[tokio::test]
async fn refuses_28_all_fields_without_a_limit() {
    let served = serve().await;
    refused(served.query("SELECT FIELDS(ALL) FROM Account").await, 400, "MALFORMED_QUERY").await;
    assert_eq!(served.query("SELECT FIELDS(ALL) FROM Account LIMIT 200").await.status(), 200);
    let too_many = served.query("SELECT FIELDS(CUSTOM) FROM Account LIMIT 201").await;
    let message = refused(too_many, 400, "MALFORMED_QUERY").await;
    assert_eq!(message, "The SOQL FIELDS function must have a LIMIT of at most 200");
    assert_eq!(served.query("SELECT FIELDS(STANDARD) FROM Account").await.status(), 200);
    let twice = served.query("SELECT FIELDS(STANDARD), Name FROM Account").await;
    assert!(refused(twice, 400, "INVALID_FIELD").await.ends_with("duplicate field selected: Name"));
    let before = "/services/data/v50.0/query?q=SELECT+FIELDS(STANDARD)+FROM+Account";
    refused(served.get(before).await, 400, "MALFORMED_QUERY").await;
}
