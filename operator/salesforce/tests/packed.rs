//! Several calls in one: each answer to its question, each error its own, and what becomes of it where composites are
//! not to be had.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Answer, Org, Seen, answer, json, refusal};
use orgkeep_core::problem::Reaction;
use orgkeep_core::reason::Reason;
use orgkeep_salesforce::{BlobSource, CountAsk, DescribeCache, Error, ReadOptions, Resource, Select};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const COMPOSITE: &str = "/services/data/v64.0/composite";
const QUERY: &str = "/services/data/v64.0/query";

fn describe_path(object: &str) -> String {
    format!("/services/data/v64.0/sobjects/{object}/describe")
}

/// Answers each part by a function of its URL (decoded) and its own headers.
fn composite(seen: &Seen, part: impl Fn(&str, &Value) -> (u16, Value, Value)) -> Answer {
    let asked: Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(asked["allOrNone"], false);
    let asked = asked["compositeRequest"].as_array().unwrap();
    let queries = asked.iter().filter(|one| one["url"].as_str().unwrap().contains("/query")).count();
    assert!(asked.len() <= 25 && queries <= 5, "{} parts, {queries} queries", asked.len());
    let parts: Vec<Value> = asked
        .iter()
        .map(|one| {
            assert_eq!(one["method"], "GET");
            let url = one["url"].as_str().unwrap().replace('+', " ");
            let (status, headers, body) = part(&url, &one["httpHeaders"]);
            json!({"body": body, "httpHeaders": headers, "httpStatusCode": status,
                   "referenceId": one["referenceId"]})
        })
        .collect();
    json(200, &json!({"compositeResponse": parts}).to_string())
}

fn error(code: &str, message: &str) -> Value {
    json!([{"errorCode": code, "message": message}])
}

fn asks(objects: &[&str]) -> Vec<CountAsk> {
    let ask = |object: &&str| CountAsk { object: (*object).to_owned(), all: false, condition: None };
    objects.iter().map(ask).collect()
}

#[tokio::test]
async fn counts_go_by_five_and_each_has_its_own_answer_or_error() {
    let org = Org::start().await;
    org.on(COMPOSITE, |seen| {
        composite(seen, |url, _| {
            if url.contains("FROM Gone") {
                return (400, json!({}), error("INVALID_TYPE", "sObject type 'Gone' is not supported."));
            }
            let number: u64 = url.rsplit("Object").next().unwrap().parse().unwrap();
            (200, json!({}), json!({"totalSize": number, "done": true, "records": []}))
        })
    });
    let client = org.connect().await;
    let objects = ["Object0", "Object1", "Gone", "Object3", "Object4", "Object5", "Object6"];
    let before = client.calls().api_calls();
    let counts = client.count_many(&asks(&objects)).await.unwrap();
    for (index, count) in counts.iter().enumerate() {
        match count {
            Ok(count) => assert_eq!(*count, index as u64),
            Err(error) => {
                assert_eq!(index, 2);
                assert_eq!(error.code(), "INVALID_TYPE");
                assert_eq!(error.reason(), Reason::ObjectNotFound);
                assert!(error.to_string().contains("query of Gone"), "{error}");
            }
        }
    }
    assert_eq!(client.calls().api_calls() - before, 2);
    assert_eq!(client.calls().by_resource[&Resource::Composite].calls, 2);
}

#[tokio::test]
async fn a_part_whose_failure_may_pass_is_sent_again_alone() {
    let org = Org::start().await;
    org.on(COMPOSITE, |seen| {
        composite(seen, |url, _| {
            if url.contains("Slow") && seen.nth < 2 {
                return (
                    500,
                    json!({}),
                    error("QUERY_TIMEOUT", "Your query request was running for too long."),
                );
            }
            (200, json!({}), json!({"totalSize": 7, "done": true, "records": []}))
        })
    });
    let client = org.connect().await;
    let counts = client.count_many(&asks(&["A", "Slow", "B"])).await.unwrap();
    assert!(counts.iter().all(|count| *count.as_ref().unwrap() == 7));
    let parts = |seen: &Seen| {
        serde_json::from_str::<Value>(&seen.body).unwrap()["compositeRequest"].as_array().unwrap().len()
    };
    assert_eq!(org.seen(COMPOSITE).iter().map(parts).collect::<Vec<_>>(), [3, 1, 1]);
}

#[tokio::test]
async fn packed_queries_go_on_by_themselves_behind_their_first_page() {
    let org = Org::start().await;
    org.on(COMPOSITE, |seen| {
        composite(seen, |url, _| {
            let object = if url.contains("FROM Two") { "Two" } else { "One" };
            let next = if object == "Two" { json!("/services/data/v64.0/query/01g-1") } else { Value::Null };
            let done = next.is_null();
            let total = if done { 1 } else { 2 };
            (
                200,
                json!({}),
                json!({"totalSize": total, "done": done, "nextRecordsUrl": next,
                                    "records": [{"Id": format!("{object}-1")}]}),
            )
        })
    });
    org.on("/services/data/v64.0/query/01g-1", |_| {
        json(200, r#"{"totalSize":2,"done":true,"records":[{"Id":"Two-2"}]}"#)
    });
    let client = org.connect().await;
    let queries = [(Select::new("One", &["Id"]), false), (Select::new("Two", &["Id"]), true)];
    let mut read = Vec::new();
    for query in client.query_many(&queries).await.unwrap() {
        let mut query = query.unwrap();
        while let Some(page) = query.next_page().await.unwrap() {
            read.extend(page.rows.into_iter().flatten().flatten());
        }
    }
    assert_eq!(read, ["One-1", "Two-1", "Two-2"]);
    assert!(org.seen(COMPOSITE)[0].body.contains("/queryAll?q="));
}

#[tokio::test]
async fn where_composites_are_refused_calls_go_one_by_one() {
    let org = Org::start().await;
    let client = org.connect().await;
    org.on(QUERY, |_| json(200, r#"{"totalSize":3,"done":true,"records":[]}"#));
    let counts = client.count_many(&asks(&["A", "B"])).await.unwrap();
    assert!(counts.iter().all(|count| *count.as_ref().unwrap() == 3));
    // It is asked once, not again and again.
    client.count_many(&asks(&["A"])).await.unwrap();
    assert_eq!(org.seen(COMPOSITE).len(), 1);
    assert_eq!(client.calls().by_resource[&Resource::Composite].failed, 1);
    org.on(&describe_path("A"), |_| json(200, &described("A").to_string()));
    let schemas = client.describe_many(&["A".to_owned()], &mut DescribeCache::default()).await.unwrap();
    assert_eq!(schemas[0].as_ref().unwrap().name, "A");
}

#[tokio::test]
async fn an_answer_that_leaves_a_part_out_is_not_believed() {
    let org = Org::start().await;
    org.on(COMPOSITE, |_| json(200, r#"{"compositeResponse":[]}"#));
    org.on("/services/data/v64.0/queryAll", |_| json(200, r#"{"totalSize":3,"done":true,"records":[]}"#));
    let client = org.connect().await;
    let ask = CountAsk { object: "A".to_owned(), all: true, condition: Some("Name != null".to_owned()) };
    let counts = client.count_many(&[ask]).await.unwrap();
    assert_eq!(*counts[0].as_ref().unwrap(), 3);
}

fn described(object: &str) -> Value {
    json!({"name": object, "fields": [{"name": "Id", "type": "id"}, {"name": "Shape__c", "type": "hologram"}]})
}

#[tokio::test]
async fn describes_go_by_ten_and_only_what_changed_is_read_anew() {
    let org = Org::start().await;
    org.on(COMPOSITE, |seen| {
        composite(seen, |url, headers| {
            let object = url.split('/').nth(5).unwrap();
            let age = json!({"ETag": "\"2b806538\"", "Last-Modified": "Tue, 28 Jun 2022 03:46:54 GMT"});
            match headers.get("If-Modified-Since").and_then(Value::as_str) {
                _ if object == "Gone" => (404, json!({}), error("NOT_FOUND", "no such object")),
                Some("Tue, 28 Jun 2022 03:46:54 GMT") if object != "Moved" => (304, age, Value::Null),
                _ => (200, age, described(object)),
            }
        })
    });
    let client = org.connect().await;
    let mut objects: Vec<String> = (0..22).map(|n| format!("Object{n}")).collect();
    objects.extend(["Gone".to_owned(), "Moved".to_owned()]);
    let mut cache = DescribeCache::default();
    for calls in [3, 6] {
        let schemas = client.describe_many(&objects, &mut cache).await.unwrap();
        for (object, schema) in objects.iter().zip(&schemas) {
            match schema {
                Ok(schema) => assert_eq!((&schema.name, schema.fields.len()), (object, 2)),
                Err(error) => {
                    assert_eq!((object.as_str(), error.reaction()), ("Gone", Reaction::GiveUpObject));
                }
            }
        }
        assert_eq!(cache.len(), 23);
        assert_eq!(org.seen(COMPOSITE).len(), calls);
    }
    let bodies: usize =
        org.seen(COMPOSITE)[3..].iter().map(|seen| seen.body.matches("If-Modified").count()).sum();
    assert_eq!(bodies, 23);
    assert!(!client.calls().by_resource.contains_key(&Resource::Describe));
}

#[tokio::test]
async fn a_single_describe_asks_by_both_headers_and_takes_not_modified() {
    let org = Org::start().await;
    org.on(&describe_path("Account"), |seen| {
        let age = [("last-modified", "Tue, 28 Jun 2022 03:46:54 GMT"), ("etag", "\"2b806538\"")];
        if seen.headers.contains_key("if-modified-since") {
            assert_eq!(seen.headers["if-none-match"], "\"2b806538\"");
            return answer(304, &age, "");
        }
        answer(200, &age, described("Account").to_string())
    });
    let client = org.connect().await;
    let mut cache = DescribeCache::default();
    let one = client.describe_cached("Account", &mut cache).await.unwrap();
    assert_eq!(client.describe_cached("Account", &mut cache).await.unwrap(), one);
    // "Not modified" to a call that did not ask for it is no answer.
    org.on(&describe_path("Account"), |_| answer(304, &[], ""));
    let error = client.describe("Account").await.unwrap_err();
    assert!(matches!(error, Error::BodyUnreadable { .. }), "{error}");
}

#[tokio::test]
async fn a_refused_token_ends_a_packed_call_as_a_whole() {
    let org = Org::start().await;
    org.on(COMPOSITE, |_| refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."));
    let error = org.connect().await.count_many(&asks(&["A"])).await.unwrap_err();
    assert_eq!(error.reason(), Reason::AllowanceReached);
}

/// Whatever the client does can be done by a task of a runtime with several threads.
#[tokio::test]
async fn everything_can_be_sent_to_a_thread() {
    let org = Org::start().await;
    let client = org.connect().await;
    let task = tokio::spawn(async move {
        let names = vec!["A".to_owned()];
        let select = Select::new("A", &["Id"]);
        let cancel = CancellationToken::new();
        let mut blob = client.blob(BlobSource::new("A", "x", "Body"));
        let job = client.resume_query_job("750x", "A", "64.0");
        let mut reader = job.read(ReadOptions::default(), None);
        let mut failed = 0;
        failed += usize::from(
            client.describe_many(&names, &mut DescribeCache::default()).await.unwrap()[0].is_err(),
        );
        failed += usize::from(
            client
                .query_many(&[(select.clone(), true)])
                .await
                .unwrap()
                .remove(0)
                .unwrap()
                .next_page()
                .await
                .is_err(),
        );
        failed += usize::from(client.count_many(&asks(&["A"])).await.unwrap()[0].is_err());
        failed += usize::from(client.open_query(&select, true, &cancel, None).await.is_err());
        failed += usize::from(client.create_wide_job(&select, true, None).await.is_err());
        failed += usize::from(blob.next_chunk().await.is_err());
        failed += usize::from(reader.next().await.is_ok_and(|event| event.is_some()));
        failed += usize::from(reader.next().await.is_err());
        failed
    });
    assert_eq!(task.await.unwrap(), 8);
}
