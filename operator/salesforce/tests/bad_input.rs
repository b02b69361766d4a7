//! Answers that are not what they should be: an error with call, object, page and byte, or taken by design; never a
//! silent skip.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::io::Write as _;

use common::{Answer, Org, Seen, answer, json};
use orgkeep_core::problem::{Fault, Reaction};
use orgkeep_core::schema::FieldType;
use orgkeep_salesforce::{Client, Error, Select};
use tokio_util::sync::CancellationToken;

const QUERY: &str = "/services/data/v64.0/queryAll";
const NEXT: &str = "/services/data/v64.0/queryAll/01g5g00000AAAAAAA4-2";
const THIRD: &str = "/services/data/v64.0/queryAll/01g5g00000AAAAAAA4-4";
const DESCRIBE: &str = "/services/data/v64.0/sobjects/Account/describe";

fn page(rows: &[&str], total: usize, next: Option<&str>) -> Answer {
    let records: Vec<String> = rows.iter().map(|id| format!(r#"{{"Id":"{id}"}}"#)).collect();
    let next = next.map_or(String::new(), |url| format!(r#","nextRecordsUrl":"{url}""#));
    json(
        200,
        &format!(
            r#"{{"totalSize":{total},"done":{},"records":[{}]{next}}}"#,
            next.is_empty(),
            records.join(",")
        ),
    )
}

async fn read(client: &Client) -> Result<Vec<String>, Error> {
    let mut query = client.query(&Select::new("Account", &["Id"]), true);
    let mut ids = Vec::new();
    while let Some(page) = query.next_page().await? {
        ids.extend(page.rows.into_iter().flatten().flatten());
    }
    Ok(ids)
}

/// An org with three pages; the second as given.
async fn second(page_two: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> (Org, Client) {
    let org = Org::start().await;
    org.on(QUERY, |_| page(&["1", "2"], 5, Some(NEXT)));
    org.on(NEXT, page_two);
    org.on(THIRD, |_| page(&["5"], 5, None));
    let client = org.connect().await;
    (org, client)
}

fn good(_: &Seen) -> Answer {
    page(&["3", "4"], 5, Some(THIRD))
}

#[tokio::test]
async fn pages_that_are_whole_come_whole() {
    let (_org, client) = second(good).await;
    assert_eq!(read(&client).await.unwrap(), ["1", "2", "3", "4", "5"]);
}

#[tokio::test]
async fn a_web_page_and_a_cut_are_asked_for_again() {
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let text = r#"{"totalSize":5,"done":false,"records":[{"Id":"3"},{"Id":"4"}],
        "nextRecordsUrl":"/services/data/v64.0/queryAll/01g5g00000AAAAAAA4-4"}"#;
    let packed = gzip(text.as_bytes());
    let bad: [fn(&[u8]) -> Answer; 7] = [
        |_| answer(200, &[("content-type", "text/html")], "<html>maintenance</html>"),
        |_| answer(200, &[], "  <!DOCTYPE html>"),
        |_| answer(200, &[], r#"{"totalSize":5,"done":false,"records":[{"Id":"3"#),
        |_| answer(200, &[], r#"{"totalSize":5,"done":false,"rec~~ds":[{"Id":"3"},{"I]}"#),
        |_| page(&["3", "3"], 5, Some(THIRD)),
        |packed| answer(200, &[("content-encoding", "gzip")], packed[..packed.len() / 2].to_vec()),
        |_| answer(200, &[], ""),
    ];
    for bad in bad {
        let packed = packed.clone();
        let (org, client) = second(move |seen| match seen.nth {
            0 => bad(&packed),
            _ => answer(200, &[("content-encoding", "gzip")], packed.clone()),
        })
        .await;
        assert_eq!(read(&client).await.unwrap(), ["1", "2", "3", "4", "5"]);
        assert_eq!(org.seen(NEXT).len(), 2);
    }
}

#[tokio::test]
async fn what_stays_wrong_is_said_with_its_place() {
    for (body, offset, detail, fault) in [
        ("<html>x</html>", 0, "HTML page of 14 bytes", Fault::BodyUnreadable),
        (r#"{"totalSize":5,"done":tru"#, 24, "EOF", Fault::BodyUnreadable),
        (r#"{"totalSize":"five","done":true,"records":[]}"#, 18, "invalid type", Fault::WrongAnswer),
        (
            r#"{"totalSize":5,"done":true,"records":[{"Name":"x"}]}"#,
            46,
            "lacks the column Id",
            Fault::WrongAnswer,
        ),
        (r#"{"totalSize":5,"done":false,"records":[]}"#, 41, "names no next page", Fault::WrongAnswer),
        ("[1,\n 2]", 5, "invalid type", Fault::WrongAnswer),
    ] {
        let (_org, client) = second(move |_| answer(200, &[], body)).await;
        let error = read(&client).await.unwrap_err();
        let Error::BodyUnreadable { what, offset: at, detail: said, .. } = &error else { panic!("{error}") };
        assert!(what.starts_with(&format!("GET {NEXT} (query of Account, page 2")), "{what}");
        assert_eq!(*at, offset, "{body}: {error}");
        assert!(said.contains(detail), "{body}: {error}");
        assert_eq!(error.reaction(), fault.reaction(), "{body}");
    }
}

#[tokio::test]
async fn a_page_twice_or_not_at_all_is_noticed() {
    // The same page again, and it names itself as its next.
    let (_org, client) = second(|_| page(&["3", "4"], 5, Some(NEXT))).await;
    assert!(matches!(read(&client).await.unwrap_err(), Error::LocatorRepeated { .. }));
    // The first page's rows again.
    let (_org, client) = second(|_| page(&["1", "2"], 5, Some(THIRD))).await;
    let error = read(&client).await.unwrap_err();
    assert!(error.to_string().contains("query of Account, page 2"), "{error}");
    // One page left out; too many rows.
    let (_org, client) = second(|_| page(&["5"], 5, None)).await;
    let error = read(&client).await.unwrap_err();
    assert!(matches!(&error, Error::RowsMissing { got: 3, expected: 5, .. }), "{error}");
    assert_eq!(error.reaction(), Reaction::ReadAgain);
    let (_org, client) = second(|_| page(&["3", "4", "6", "7"], 5, Some(THIRD))).await;
    assert!(matches!(read(&client).await.unwrap_err(), Error::RowsMissing { got: 6, expected: 5, .. }));
}

#[tokio::test]
async fn a_next_page_on_another_host_is_asked_for_on_ours() {
    let (org, client) = second(|_| page(&["3", "4"], 5, Some(&format!("https://evil.example{THIRD}")))).await;
    assert_eq!(read(&client).await.unwrap().len(), 5);
    assert_eq!(org.seen(THIRD).len(), 1);
}

#[tokio::test]
async fn a_describe_of_a_later_release_is_taken() {
    let org = Org::start().await;
    org.on(DESCRIBE, |_| {
        json(
            200,
            r#"{"name":"Account","keyPrefix":"001","newFlag":{"a":[1]},"fields":[
            {"name":"Id","type":"id","length":18},
            {"name":"Qubit__c","type":"quantumstate","length":-1,"precision":1e99,"extra":null},
            {"name":"Score__c","type":"double","precision":18,"scale":17,"calculated":null}]}"#,
        )
    });
    let schema = org.connect().await.describe("Account").await.unwrap();
    assert_eq!(schema.fields[1].field_type, FieldType::Other("quantumstate".to_owned()));
    assert!(schema.fields[1].is_column());
    org.on(DESCRIBE, |_| json(200, r#"{"name":"Account","fields":[{"name":5}]}"#));
    let error = org.connect().await.describe("Account").await.unwrap_err();
    assert!(
        error.to_string().contains("(describe of Account): the answer cannot be understood at byte"),
        "{error}"
    );
}

#[tokio::test]
async fn a_state_that_no_release_has_named_is_waited_on() {
    let org = Org::start().await;
    let job = "/services/data/v64.0/jobs/query/750x";
    org.on(job, |seen| match seen.nth {
        0 => json(200, r#"{"id":"750x","state":"Hibernating","apiVersion":64.0,"retries":2}"#),
        _ => json(200, r#"{"id":"750x","state":"JobComplete","numberRecordsProcessed":3}"#),
    });
    let info = org.connect().await.resume_query_job("750x", "Account", "64.0");
    let info = info.wait(&CancellationToken::new(), None).await.unwrap();
    assert_eq!(info.number_records_processed, Some(3));
}

#[tokio::test]
async fn limits_are_told_by_name_and_without_the_allowance_refused() {
    let org = Org::start().await;
    let client = org.connect().await;
    org.on("/services/data/v64.0/limits", |_| {
        json(200, r#"{"DailyApiRequests":{"Max":5000,"Remaining":4900},"Later":{"Max":1,"Remaining":1,"x":{}},"Odd":7}"#)
    });
    let limits = client.limits().await.unwrap();
    assert_eq!(limits.len(), 2);
    assert_eq!((limits["DailyApiRequests"].used(), client.usage().used), (100, 100));
    org.on("/services/data/v64.0/limits", |_| json(200, "{}"));
    assert!(client.limits().await.unwrap_err().to_string().contains("names no DailyApiRequests"));
}
