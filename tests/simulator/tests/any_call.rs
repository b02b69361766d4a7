//! Calls put together at random: whatever is sent, there is an answer, and it is not "unexpected error".

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::serve;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use reqwest::Method;

/// Calls of a run.
const CALLS: usize = 3_000;

const PARTS: &[&str] = &[
    "sobjects",
    "sobjects",
    "Account",
    "Account",
    "Contact",
    "Attachment",
    "UserPermissionAccess",
    "describe",
    "query",
    "queryAll",
    "composite",
    "batch",
    "graph",
    "tooling",
    "updated",
    "deleted",
    "0015g0000000001AAA",
    "0015g0000000002",
    "001",
    "Id",
    "Name",
    "Parent",
    "ChildAccounts",
    "Owner",
    "Body",
    "%00",
    "%",
    "..",
    "é",
    "search",
    "recent",
    "limits",
    "recordCount",
    "jobs",
    "results",
    "resultPages",
    "01g5g0000000001EAA-5",
    "01g-",
    "-",
    "",
];

const QUERIES: &[&str] = &[
    "q=SELECT+Id,(SELECT+Id+FROM+Contacts)+FROM+Account",
    "q=SELECT+COUNT()+FROM+Account",
    "q=SELECT+Industry,COUNT(Id)+FROM+Account+GROUP+BY+CUBE(Industry,Name)+HAVING+COUNT(Id)>0",
    "q=SELECT+FIELDS(ALL)+FROM+Account+LIMIT+200",
    "q=SELECT+TYPEOF+Owner+WHEN+User+THEN+Name+END+FROM+Account",
    "q=SELECT+Id+FROM+FieldDefinition+WHERE+EntityDefinitionId='Account'",
    "q=SELECT+Id+FROM+Account+WHERE+CreatedDate>LAST_N_YEARS:99999999",
    "q=SELECT+Id+FROM+Account+WHERE+CreatedDate>N_FISCAL_QUARTERS_AGO:2147483647",
    "q=%FF%00",
    "q=FIND+{a*}+IN+ALL+FIELDS+RETURNING+Account(Id,",
    "q=FIND+{Acme}",
    "explain=SELECT+Id+FROM+Account",
    "columns=true&q=SELECT+Parent.Owner.Name,MAX(Id)+FROM+Account",
    "columns=true&q=SELECT+Parent.Owner.Name,(SELECT+Id+FROM+Contacts)+FROM+Account",
    "start=2026-11-01T00:00:00Z&end=2026-11-02T00:00:00Z",
    "start=9999-12-31T23:59:59Z&end=0000-01-01T00:00:00Z",
    "fields=Name,Owner.Name,,Id",
    "fields=Owner.",
    "ids=0015g0000000001AAA,x&fields=Name",
    "sObjects=Account,Nothing",
    "maxRecords=0&locator=x",
    "",
];

const BODIES: &[&str] = &[
    "",
    "null",
    "{}",
    "[]",
    "{\"ids\":[\"0015g0000000001AAA\"],\"fields\":[\"Name\"]}",
    "{\"ids\":[],\"fields\":[]}",
    "{\"batchRequests\":[{\"method\":\"GET\",\"url\":\"v62.0/limits\"},{\"method\":\"?\",\"url\":\"\"}]}",
    "{\"compositeRequest\":[{\"method\":\"GET\",\"url\":\"/services/data/v62.0/sobjects/@{a.b[\",\"referenceId\":\"a\"}]}",
    "{\"compositeRequest\":[{\"method\":\"GET\",\"url\":\"/services/data/v/query\",\"referenceId\":\"é\"}]}",
    "{\"graphs\":[{\"graphId\":\"\\\"\",\"compositeRequest\":[]}]}",
    "{\"operation\":\"query\",\"query\":\"SELECT Id FROM Account\"}",
];

fn call() -> impl Strategy<Value = (usize, Vec<&'static str>, &'static str, &'static str)> {
    let parts = prop::collection::vec(prop::sample::select(PARTS), 0..5);
    (0usize..8, parts, prop::sample::select(QUERIES), prop::sample::select(BODIES))
}

#[tokio::test]
async fn every_call_is_answered() {
    let served = serve().await;
    let mut runner = TestRunner::deterministic();
    let (mut fine, mut refused) = (0, 0);
    for _ in 0..CALLS {
        let (kind, parts, query, body) = call().new_tree(&mut runner).unwrap().current();
        let method = match kind {
            0..=4 => Method::GET,
            5 => Method::POST,
            6 => Method::PATCH,
            _ => Method::DELETE,
        };
        let url = format!("{}/services/data/v62.0/{}?{query}", served.simulator.address, parts.join("/"));
        let request = served.client.request(method.clone(), &url).bearer_auth(&served.token).body(body);
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let json = answer
            .headers()
            .get("content-type")
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        let content = answer.bytes().await.unwrap();
        assert!(!status.is_server_error(), "{method} {url} {body}: {status} {content:?}");
        if json {
            let parsed = serde_json::from_slice::<serde_json::Value>(&content);
            assert!(parsed.is_ok(), "{method} {url} {body}: {content:?}");
        }
        if status.is_success() { fine += 1 } else { refused += 1 }
    }
    assert!(fine > CALLS / 20 && refused > CALLS / 20, "{fine} answered, {refused} refused");
}
