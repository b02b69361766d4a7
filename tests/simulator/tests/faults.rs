//! The fault plan: everything that it can make go wrong is seen to go wrong, is counted, and is in the log.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::io::Read as _;
use std::time::{Duration, Instant};

use common::{Served, refused, serve, serve_with};
use orgkeep_simulator::faults::FaultPlan;
use reqwest::{Method, Response};
use serde_json::{Value, json};

const V: &str = "/services/data/v62.0";
const ALL: &str = "SELECT Id, Name FROM Account";

fn set(served: &Served, plan: &str) {
    served.simulator.set_faults(FaultPlan::from_yaml(plan).unwrap());
}

/// How often each fault fired.
fn fired(served: &Served) -> Vec<u64> {
    served.simulator.faults().iter().map(|count| count.fired).collect()
}

/// A plan of one fault that fires at every call of a resource.
fn at(resource: &str, done: &str) -> String {
    format!("faults: [{{match: {{resource: {resource}}}, do: {{{done}}}}}]")
}

fn header(answer: &Response, name: &str) -> String {
    answer.headers()[name].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn errors_have_the_form_of_the_api_that_was_called() {
    let served = serve().await;
    let limits = format!("{V}/limits");
    set(&served, &at("Limits", "error: INVALID_SESSION_ID"));
    assert_eq!(
        refused(served.get(&limits).await, 401, "INVALID_SESSION_ID").await,
        "Session expired or invalid"
    );
    set(&served, &at("Limits", "error: REQUEST_LIMIT_EXCEEDED"));
    refused(served.get(&limits).await, 403, "REQUEST_LIMIT_EXCEEDED").await;
    set(&served, &at("Limits", "error: UNABLE_TO_LOCK_ROW, message: too late"));
    assert_eq!(refused(served.get(&limits).await, 400, "UNABLE_TO_LOCK_ROW").await, "too late");
    set(&served, &at("Limits", "status: 429, retryAfter: 7"));
    let answer = served.get(&limits).await;
    assert_eq!(header(&answer, "retry-after"), "7");
    refused(answer, 429, "REQUEST_LIMIT_EXCEEDED").await;
    for (done, status) in [("status: 503, retryAfter: 2", 503), ("status: 500", 500), ("html: true", 200)] {
        set(&served, &at("Limits", done));
        let answer = served.get(&limits).await;
        assert_eq!(answer.status(), status);
        assert!(header(&answer, "content-type").starts_with("text/html"));
        assert!(answer.text().await.unwrap().starts_with("<!DOCTYPE HTML>"));
    }
    set(&served, &at("Token", "error: invalid_grant, message: expired access/refresh token"));
    let (status, body) = served.oauth(&[("grant_type", "client_credentials")]).await;
    let wanted = json!({"error": "invalid_grant", "error_description": "expired access/refresh token"});
    assert_eq!((status, body), (400, wanted));
    set(&served, &at("Bulk1*", "error: INVALID_SESSION_ID"));
    let url = format!("{}/services/async/62.0/job", served.simulator.address);
    let answer = served.client.post(url).header("X-SFDC-Session", &served.token).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("<exceptionCode>InvalidSessionId</exceptionCode>"));
    set(&served, &at("Soap*", "error: INVALID_LOGIN"));
    let url = format!("{}/services/Soap/u/60.0", served.simulator.address);
    let answer = served.client.post(url).body("<x/>").send().await.unwrap();
    assert_eq!(answer.status(), 500);
    assert!(answer.text().await.unwrap().contains("<faultcode>sf:INVALID_LOGIN</faultcode>"));
    let told: Vec<String> =
        served.simulator.log().entries().iter().filter_map(|entry| entry.fault.clone()).collect();
    assert_eq!(told.len(), 10);
    assert_eq!(told[0], r#"#0 at 1: {"error":"INVALID_SESSION_ID"}"#);
}

#[tokio::test]
async fn plans_are_put_shown_and_taken_back_over_http() {
    let served = serve().await;
    let url = format!("{}/_simulator/faults", served.simulator.address);
    let put = async |body: &str| served.client.put(&url).body(body.to_owned()).send().await.unwrap();
    let wrong = put("faults: [{do: {statsu: 1}}]").await;
    let message = refused(wrong, 400, "INVALID_FAULT_PLAN").await;
    assert!(message.starts_with("fault 0: unknown field `statsu`"), "{message}");
    // the plan of the documentation
    let plan = r#"
seed: 42
faults:
  - {match: {method: GET, path: "/services/data/*/limits"}, n: 2, do: {status: 503, retryAfter: 2}}
  - {match: {resource: Query}, chance: 0.02, do: {status: 503, retryAfter: 2}}
  - {name: tokens, match: {resource: Token}, n: 5, do: {error: invalid_grant}}
"#;
    let shown: Value = put(plan).await.json().await.unwrap();
    assert_eq!((&shown["seed"], &shown["faults"][0]["fired"]), (&json!(42), &json!(0)));
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(served.get(&format!("{V}/limits")).await.status().as_u16());
    }
    assert_eq!(statuses, [200, 503, 200]);
    let shown: Value = served.client.get(&url).send().await.unwrap().json().await.unwrap();
    assert_eq!((&shown["faults"][0]["seen"], &shown["faults"][0]["fired"]), (&json!(3), &json!(1)));
    assert_eq!(shown["faults"][2]["name"], "tokens");
    assert_eq!(served.client.delete(&url).send().await.unwrap().status(), 204);
    assert!(served.simulator.faults().is_empty());
    let log = served.client.get(format!("{}/_simulator/requests", served.simulator.address));
    let log: Value = log.send().await.unwrap().json().await.unwrap();
    let fault = log["requests"].as_array().unwrap().iter().find_map(|entry| entry["fault"].as_str()).unwrap();
    assert!(fault.starts_with("#0 at 2: "), "{fault}");
}

#[tokio::test]
async fn a_connection_is_closed_before_or_after_the_call_was_carried_out() {
    let served = serve().await;
    let jobs = async || served.json(&format!("{V}/jobs/query")).await["records"].as_array().unwrap().len();
    let create = || {
        let url = format!("{}{V}/jobs/query", served.simulator.address);
        served
            .client
            .post(url)
            .bearer_auth(&served.token)
            .json(&json!({"operation": "query", "query": ALL}))
            .send()
    };
    set(&served, &at("BulkCreate", "close: before"));
    create().await.unwrap_err();
    assert_eq!(jobs().await, 0);
    set(&served, &at("BulkCreate", "close: after"));
    create().await.unwrap_err();
    assert_eq!(jobs().await, 1);
    set(&served, &at("BulkCreate", "status: 504, carriedOut: true"));
    assert_eq!(create().await.unwrap().status(), 504);
    assert_eq!(jobs().await, 2);
    let statuses: Vec<u16> = served
        .simulator
        .log()
        .entries()
        .iter()
        .filter(|entry| entry.fault.is_some())
        .map(|entry| entry.status)
        .collect();
    assert_eq!(statuses, [0, 0, 504]);
}

#[tokio::test]
async fn sessions_end_for_good() {
    let served = serve().await;
    set(&served, "faults: [{match: {resource: Limits}, n: 1, do: {endSessions: true}}]");
    refused(served.get(&format!("{V}/limits")).await, 401, "INVALID_SESSION_ID").await;
    refused(served.get(&format!("{V}/limits")).await, 401, "INVALID_SESSION_ID").await;
    assert_eq!(fired(&served), [1]);
}

#[tokio::test]
async fn answers_come_late_and_slowly() {
    let mut served = serve().await;
    served.client = common::client().gzip(false).build().unwrap();
    set(&served, &at("Limits", "delayMs: 300"));
    let begun = Instant::now();
    let answer = served.get(&format!("{V}/limits")).await;
    assert!(begun.elapsed() >= Duration::from_millis(300));
    let whole = answer.bytes().await.unwrap().len();
    set(&served, &at("Limits", &format!("bytesPerSecond: {}", whole * 2)));
    let answer = served.get(&format!("{V}/limits")).await;
    let begun = Instant::now();
    assert_eq!(answer.bytes().await.unwrap().len(), whole);
    assert!(begun.elapsed() >= Duration::from_millis(350), "{:?}", begun.elapsed());
}

/// What came of a body, and whether it ended as it should.
async fn body(mut answer: Response) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return (bytes, true),
            Err(_) => return (bytes, false),
        }
    }
}

#[tokio::test]
async fn bodies_are_cut_in_every_framing() {
    let mut served = serve_with(&[], &[("Account", 500)]).await;
    // this client is to see what went over the wire
    served.client = common::client().gzip(false).build().unwrap();
    let job = served.complete_job(ALL).await;
    let results = format!("{job}/results");
    let (whole, is_whole) = body(served.get(&results).await).await;
    assert!(is_whole && whole.len() > 5_000);
    for (framing, is_clean) in
        [("chunked", false), ("contentLength", false), ("chunked", true), ("contentLength", true)]
    {
        let cut = if is_clean { "clean" } else { "abrupt" };
        set(&served, &at("BulkResults", &format!("cutAfterBytes: 3000, cut: {cut}, framing: {framing}")));
        let answer = served.get(&results).await;
        let length = answer.headers().get("content-length").map(|value| value.to_str().unwrap().to_owned());
        let wanted = match (framing, is_clean) {
            ("chunked", _) => None,
            (_, false) => Some(whole.len().to_string()),
            (_, true) => Some("3000".to_owned()),
        };
        assert_eq!(length, wanted);
        let (bytes, ended) = body(answer).await;
        assert_eq!((bytes.as_slice(), ended), (&whole[..3000], is_clean), "{framing} {cut}");
    }
    // inside of gzip: the bytes of the wire are counted
    set(&served, &at("BulkResults", "cutAfterBytes: 1000, cut: clean"));
    let url = format!("{}{results}", served.simulator.address);
    let get = || served.client.get(&url).bearer_auth(&served.token).header("accept-encoding", "gzip").send();
    let (bytes, _) = body(get().await.unwrap()).await;
    assert_eq!(bytes.len(), 1000);
    let mut text = Vec::new();
    assert!(flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut text).is_err());
    set(&served, &at("BulkResults", "gzip: false, cutAfterBytes: 10"));
    assert_eq!(body(get().await.unwrap()).await, (whole[..10].to_vec(), false));
    // a wrong length, longer and shorter
    set(&served, &at("BulkResults", "contentLength: 5"));
    let (bytes, ended) = body(served.get(&results).await).await;
    assert_eq!((bytes.len(), ended), (whole.len(), false));
    set(&served, &at("BulkResults", "contentLength: -5"));
    let (bytes, ended) = body(served.get(&results).await).await;
    assert_eq!((bytes.len(), ended), (whole.len() - 5, true));
    // and whole again
    set(&served, "");
    assert_eq!(body(served.get(&results).await).await, (whole, true));
}

#[tokio::test]
async fn csv_and_headers_are_damaged() {
    let served = serve().await;
    let results = format!("{}/results", served.complete_job(&format!("{ALL} ORDER BY Name")).await);
    for (bad, text) in [
        (
            "openQuote",
            "\"Id\",\"Name\"\n\"0015g0000000001AAA\",\"Acme\"\n\"0015g0000000002AAA\",\"Bolt, Inc.\n",
        ),
        ("noHeader", "\"0015g0000000001AAA\",\"Acme\"\n\"0015g0000000002AAA\",\"Bolt, Inc.\"\n"),
        ("missingValue", "\"Id\",\"Name\"\n\"0015g0000000001AAA\",\"Acme\"\n\"0015g0000000002AAA\"\n"),
    ] {
        set(&served, &at("BulkResults", &format!("csv: {bad}")));
        assert_eq!(served.get(&results).await.text().await.unwrap(), text, "{bad}");
        assert_eq!(fired(&served), [1]);
    }
    set(
        &served,
        &at("BulkResults", "recordCount: 1, headers: {Sforce-Locator: abc, Content-Type: text/html}"),
    );
    let answer = served.get(&results).await;
    assert_eq!(
        (header(&answer, "sforce-numberofrecords"), header(&answer, "sforce-locator")),
        ("3".into(), "abc".into())
    );
    assert_eq!(header(&answer, "content-type"), "text/html");
    // nothing to act on: it does not count, and is not in the log
    set(&served, &at("BulkJob", "csv: openQuote"));
    served.json(results.trim_end_matches("/results")).await;
    assert_eq!(fired(&served), [0]);
    assert!(served.simulator.log().entries().last().unwrap().fault.is_none());
}

#[tokio::test]
async fn pages_of_bulk_come_twice_not_at_all_or_again() {
    let served = serve_with(&[], &[("Account", 98)]).await;
    let job = served.complete_job(ALL).await;
    let page = async |locator: &str| {
        let answer = served.get(&format!("{job}/results?maxRecords=30{locator}")).await;
        let (next, rows) = (header(&answer, "sforce-locator"), header(&answer, "sforce-numberofrecords"));
        (next, rows, answer.text().await.unwrap())
    };
    let mut whole = vec![page("").await];
    while whole.last().unwrap().0 != "null" {
        whole.push(page(&format!("&locator={}", whole.last().unwrap().0)).await);
    }
    assert_eq!(whole.len(), 4);
    let second = format!("&locator={}", whole[0].0);
    set(&served, &at("BulkResults", "page: duplicate"));
    let twice = page(&second).await;
    assert_eq!((&twice.0, &twice.2), (&whole[1].0, &whole[0].2));
    assert_eq!(page("").await.2, whole[0].2);
    assert_eq!(fired(&served), [1]);
    set(&served, &at("BulkResults", "page: drop"));
    assert_eq!(page("").await.0, whole[1].0);
    let last = format!("&locator={}", whole[2].0);
    assert_eq!(page(&last).await, whole[3]);
    assert_eq!(fired(&served), [1]);
    set(&served, &at("BulkResults", "page: repeat"));
    let again = page(&second).await;
    assert_eq!((&again.0, &again.2), (&whole[0].0, &whole[1].2));
    let first = page("").await;
    assert_eq!(page(&format!("&locator={}", first.0)).await.2, whole[0].2);
}

#[tokio::test]
async fn pages_of_rest_come_twice_not_at_all_or_again() {
    let served = serve_with(&[], &[("Account", 7_000)]).await;
    let first: Value = served.query(ALL).await.json().await.unwrap();
    let second = first["nextRecordsUrl"].as_str().unwrap();
    let whole = served.json(second).await;
    set(&served, &at("QueryMore", "page: duplicate"));
    let twice = served.json(second).await;
    assert_eq!((&twice["records"], &twice["nextRecordsUrl"]), (&first["records"], &whole["nextRecordsUrl"]));
    set(&served, &at("Query*", "page: drop"));
    let dropped: Value = served.query(ALL).await.json().await.unwrap();
    assert!(dropped["nextRecordsUrl"].as_str().unwrap().ends_with("-4000"));
    set(&served, &at("QueryMore", "page: repeat"));
    assert_eq!(served.json(second).await["nextRecordsUrl"], second);
    assert_eq!(fired(&served), [1]);
    // the last page has nothing behind it
    let last = second.replace("-2000", "-6000");
    assert_eq!(served.json(&last).await["done"], true);
    assert_eq!(fired(&served), [1]);
}

#[tokio::test]
async fn jobs_fail_hang_and_vanish() {
    let served = serve().await;
    let settled = Duration::from_millis(250);
    set(&served, &at("BulkCreate", "job: {fail: Something went wrong}"));
    let failed = served.job(ALL).await;
    set(&served, &at("BulkCreate", "job: hang"));
    let hung = served.job(ALL).await;
    set(&served, "faults: [{match: {resource: BulkJob}, n: 2, do: {job: vanish}}]");
    let gone = served.job(ALL).await;
    assert_eq!(served.get(&gone).await.status(), 200);
    refused(served.get(&gone).await, 404, "NOT_FOUND").await;
    refused(served.get(&gone).await, 404, "NOT_FOUND").await;
    tokio::time::sleep(settled).await;
    let info = served.json(&failed).await;
    assert_eq!((&info["state"], &info["errorMessage"]), (&json!("Failed"), &json!("Something went wrong")));
    assert_eq!(served.json(&hung).await["state"], "InProgress");
    assert_eq!(
        served.send(Method::PATCH, &served.token, &hung, Some(json!({"state": "Aborted"}))).await.status(),
        200
    );
    assert_eq!(fired(&served), [1]);
}

#[tokio::test]
async fn others_act_at_the_nth_call() {
    let served = serve().await;
    set(
        &served,
        "faults: [{match: {resource: Query, query: from account}, n: 2, do: {change: [{path: /_simulator/sessions/end}]}}]",
    );
    assert_eq!(served.query(ALL).await.status(), 200);
    assert_eq!(served.query("SELECT Id FROM Contact").await.status(), 200);
    refused(served.query(ALL).await, 401, "INVALID_SESSION_ID").await;
    assert_eq!(fired(&served), [1]);
}

#[tokio::test]
async fn rows_and_schema_change_in_the_middle_of_a_run() {
    let served = serve().await;
    let write =
        "{path: \"/_simulator/orgs/{org}/records/0015g0000000001AAA\", method: PATCH, body: {Name: Renamed}}";
    let hide = "{path: \"/_simulator/orgs/{org}/users/admin@acme.example/hide\", body: {fields: [Account.Industry]}}";
    let plan = format!(
        "faults: [{{match: {{resource: Query}}, n: 2, do: {{change: [{write}]}}}}, \
         {{match: {{resource: Query}}, n: 3, do: {{change: [{hide}]}}}}]"
    );
    set(&served, &plan);
    let soql = "SELECT Name, Industry FROM Account WHERE Id = '0015g0000000001AAA'";
    let name = async || served.query(soql).await.json::<Value>().await.unwrap()["records"][0]["Name"].clone();
    assert_eq!(name().await, "Acme");
    assert_eq!(name().await, "Renamed");
    refused(served.query(soql).await, 400, "INVALID_FIELD").await;
    assert_eq!(fired(&served), [1, 1]);
}
