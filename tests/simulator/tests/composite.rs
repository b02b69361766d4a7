//! Several calls in one, as recorded: `composite`, `composite/batch`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{ORG, Served, refused, serve, serve_with};
use reqwest::Method;
use serde_json::{Value, json};

const V: &str = "/services/data/v62.0";

async fn composite(served: &Served, body: Value) -> Value {
    let answer = served.send(Method::POST, &served.token, &format!("{V}/composite"), Some(body)).await;
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

fn part(reference: &str, path: &str) -> Value {
    json!({"method": "GET", "url": format!("{V}/{path}"), "referenceId": reference})
}

#[tokio::test]
async fn parts_use_what_earlier_parts_found() {
    let served = serve().await;
    let body = json!({"compositeRequest": [
        part("bolt", "query/?q=SELECT Id, ParentId FROM Account WHERE Name = 'Bolt, Inc.'"),
        part("parent", "sobjects/Account/@{bolt.records[0].ParentId}?fields=Name"),
        part("nobody", "sobjects/Account/@{bolt.records[1].ParentId}"),
        part("foo", "sobjects/Foo"),
        part("more", "query?q=SELECT+Name+FROM+Account+WHERE+Id+=+'@{parent.Id}'"),
    ]});
    let answer = composite(&served, body).await;
    let parts = answer["compositeResponse"].as_array().unwrap();
    let shown: Vec<(u64, &str)> = parts
        .iter()
        .map(|part| (part["httpStatusCode"].as_u64().unwrap(), part["referenceId"].as_str().unwrap()))
        .collect();
    assert_eq!(shown, [(200, "bolt"), (200, "parent"), (400, "nobody"), (404, "foo"), (200, "more")]);
    assert_eq!(parts[1]["body"]["Name"], "Acme");
    assert_eq!(parts[2]["body"][0]["errorCode"], "PROCESSING_HALTED");
    assert!(
        parts[2]["body"][0]["message"]
            .as_str()
            .unwrap()
            .starts_with("Invalid reference specified. No value for bolt.records[1].ParentId found in bolt.")
    );
    // as recorded
    assert_eq!(
        parts[3],
        json!({
            "body": [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}],
            "httpHeaders": {}, "httpStatusCode": 404, "referenceId": "foo",
        })
    );
    assert_eq!(parts[4]["body"]["records"][0]["Name"], "Acme");
}

#[tokio::test]
async fn describes_come_with_their_dates() {
    let served = serve().await;
    let mut describe = part("one", "sobjects/Account/describe");
    let first = composite(&served, json!({"compositeRequest": [describe.clone()]})).await;
    let headers = &first["compositeResponse"][0]["httpHeaders"];
    assert!(headers["ETag"].is_string());
    describe["httpHeaders"] = json!({"If-Modified-Since": headers["Last-Modified"]});
    let again = composite(&served, json!({"compositeRequest": [describe]})).await;
    let part = &again["compositeResponse"][0];
    assert_eq!((&part["body"], &part["httpStatusCode"]), (&Value::Null, &json!(304)));
}

#[tokio::test]
async fn all_or_none_undoes_the_others() {
    let served = serve().await;
    let body = json!({"allOrNone": true, "compositeRequest": [
        part("one", "query?q=SELECT Id FROM Account"), part("two", "query?q=SELECT Nothing FROM Account"),
        part("three", "query?q=SELECT Id FROM Contact"),
    ]});
    let answer = composite(&served, body).await;
    let codes: Vec<&str> = answer["compositeResponse"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["body"][0]["errorCode"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["PROCESSING_HALTED", "INVALID_FIELD", "PROCESSING_HALTED"]);
}

#[tokio::test]
async fn a_composite_is_one_call_and_a_batch_is_many() {
    let served = serve_with(&[("org.yaml", &ORG.replace("100000", "7"))], &[]).await;
    let used =
        |answer: &reqwest::Response| answer.headers()["sforce-limit-info"].to_str().unwrap().to_owned();
    let queries: Vec<Value> =
        (0..5).map(|n| part(&format!("q{n}"), "query?q=SELECT Id FROM Account")).collect();
    let body = json!({"compositeRequest": queries});
    let answer = served.send(Method::POST, &served.token, &format!("{V}/composite"), Some(body)).await;
    assert_eq!(used(&answer), "api-usage=1/7");
    let requests: Vec<Value> =
        (0..3).map(|_| json!({"method": "GET", "url": "v62.0/query?q=SELECT+Name+FROM+Account"})).collect();
    let path = format!("{V}/composite/batch");
    let body = json!({"batchRequests": requests});
    let answer = served.send(Method::POST, &served.token, &path, Some(body.clone())).await;
    assert_eq!(used(&answer), "api-usage=4/7");
    let answer: Value = answer.json().await.unwrap();
    assert_eq!((&answer["hasErrors"], &answer["results"][2]["statusCode"]), (&json!(false), &json!(200)));
    assert_eq!(answer["results"][0]["result"]["totalSize"], 2);
    let mut four = body["batchRequests"].as_array().unwrap().clone();
    four.push(four[0].clone());
    let body = json!({"batchRequests": four});
    let answer = served.send(Method::POST, &served.token, &path, Some(body)).await;
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["hasErrors"], true);
    assert_eq!(answer["results"][3]["statusCode"], 403);
    assert_eq!(answer["results"][3]["result"][0]["errorCode"], "REQUEST_LIMIT_EXCEEDED");
}

#[tokio::test]
async fn a_batch_halts_on_an_error_when_it_should() {
    let served = serve().await;
    let requests = [
        json!({"method": "GET", "url": "v62.0/sobjects/Foo"}),
        json!({"method": "GET", "url": "v62.0/limits"}),
    ];
    let mut body = json!({"batchRequests": requests});
    let path = format!("{V}/composite/batch");
    let answer: Value =
        served.send(Method::POST, &served.token, &path, Some(body.clone())).await.json().await.unwrap();
    let codes = |answer: &Value| {
        let results = answer["results"].as_array().unwrap();
        results.iter().map(|result| result["statusCode"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(codes(&answer), [404, 200]);
    body["haltOnError"] = json!(true);
    let answer: Value =
        served.send(Method::POST, &served.token, &path, Some(body)).await.json().await.unwrap();
    assert_eq!(codes(&answer), [404, 412]);
    assert_eq!(answer["results"][1]["result"][0]["errorCode"], "BATCH_PROCESSING_HALTED");
}

#[tokio::test]
async fn refuses_more_parts_than_a_call_holds() {
    let served = serve().await;
    let parts = |count: usize, path: &str| {
        let parts: Vec<Value> = (0..count).map(|n| part(&format!("r{n}"), path)).collect();
        json!({"compositeRequest": parts})
    };
    for (body, message) in [
        (parts(26, "sobjects"), "The request can’t contain more than 25 operations."),
        (
            parts(6, "query?q=SELECT Id FROM Account"),
            "The request can’t contain more than 5 query or collection operations.",
        ),
    ] {
        let answer = composite(&served, body).await;
        assert_eq!(
            answer,
            json!({"compositeResponse": [{
                "body": [{"errorCode": "LIMIT_EXCEEDED", "message": message}], "httpHeaders": {},
                "httpStatusCode": 400, "referenceId": null,
            }]})
        );
    }
    let body = json!({"compositeRequest": [part("same", "sobjects"), part("same", "sobjects")]});
    let answer = composite(&served, body).await;
    assert_eq!(answer["compositeResponse"][0]["body"][0]["errorCode"], "INVALID_INPUT");
    let answer = served.send(Method::POST, &served.token, &format!("{V}/composite"), Some(json!([]))).await;
    refused(answer, 400, "JSON_PARSER_ERROR").await;
}

#[tokio::test]
async fn graphs_fail_one_by_one() {
    let served = serve().await;
    let query =
        |reference: &str, field: &str| part(reference, &format!("query?q=SELECT {field} FROM Account"));
    let body = json!({"graphs": [
        {"graphId": "good", "compositeRequest": [query("a", "Id"), query("b", "Name")]},
        {"graphId": "bad", "compositeRequest": [query("a", "Id"), query("b", "Nothing")]},
    ]});
    let answer = served.send(Method::POST, &served.token, &format!("{V}/composite/graph"), Some(body)).await;
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["graphs"][0]["isSuccessful"], true);
    assert_eq!(answer["graphs"][0]["graphResponse"]["compositeResponse"][1]["body"]["totalSize"], 2);
    assert_eq!(
        (&answer["graphs"][1]["graphId"], &answer["graphs"][1]["isSuccessful"]),
        (&json!("bad"), &json!(false))
    );
    let parts = &answer["graphs"][1]["graphResponse"]["compositeResponse"];
    assert_eq!(parts[0]["body"][0]["errorCode"], "PROCESSING_HALTED");
    assert_eq!(parts[1]["body"][0]["errorCode"], "INVALID_FIELD");
}

#[tokio::test]
async fn refuses_contents_of_blobs_in_a_composite() {
    let files = [("data/Attachment.csv", "Id,Name,Body\na,A,a.bin\n"), ("files/a.bin", "not JSON")];
    let served = serve_with(&files, &[]).await;
    let id = served.query("SELECT Id FROM Attachment").await.json::<Value>().await.unwrap();
    let path = format!("sobjects/Attachment/{}/Body", id["records"][0]["Id"].as_str().unwrap());
    assert_eq!(served.get(&format!("{V}/{path}")).await.text().await.unwrap(), "not JSON");
    let answer = composite(&served, json!({"compositeRequest": [part("blob", &path)]})).await;
    assert_eq!(answer["compositeResponse"][0]["body"][0]["errorCode"], "INVALID_INPUT");
}
