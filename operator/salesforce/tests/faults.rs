//! Each fault that an org shows, made on purpose, and what the client makes of it.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Org, answer, cut, json, refusal, token};
use futures::StreamExt as _;
use orgkeep_core::problem::Reaction;
use orgkeep_core::reason::Reason;
use orgkeep_salesforce::{Client, Error, Resource, Select};
use tokio_util::sync::CancellationToken;

const DESCRIBE: &str = "/services/data/v64.0/sobjects/Account/describe";
const DESCRIBED: &str = r#"{"name":"Account","fields":[{"name":"Id","type":"id"}]}"#;
const JOBS: &str = "/services/data/v64.0/jobs/query";
const JOB: &str = "/services/data/v64.0/jobs/query/750x";
const RESULTS: &str = "/services/data/v64.0/jobs/query/750x/results";

fn account() -> Select {
    Select::new("Account", &["Id"])
}

#[tokio::test]
async fn a_busy_node_is_tried_again_and_every_try_is_counted() {
    let org = Org::start().await;
    org.on(DESCRIBE, |seen| match seen.nth {
        0 => answer(500, &[("content-type", "text/html")], "<html>restarting</html>"),
        1 => answer(503, &[], ""),
        _ => json(200, DESCRIBED),
    });
    let client = org.connect().await;
    assert_eq!(client.describe("Account").await.unwrap().name, "Account");
    let stats = client.calls().by_resource[&Resource::Describe];
    assert_eq!((stats.calls, stats.failed), (3, 2));
}

#[tokio::test]
async fn retry_after_is_kept() {
    let org = Org::start().await;
    org.on(DESCRIBE, |seen| match seen.nth {
        0 => answer(503, &[("retry-after", "1")], ""),
        _ => json(200, DESCRIBED),
    });
    let client = org.connect().await;
    let began = Instant::now();
    client.describe("Account").await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_node_that_stays_down_ends_with_an_error() {
    let org = Org::start().await;
    org.on(DESCRIBE, |_| answer(503, &[], "<html>"));
    let error = org.connect().await.describe("Account").await.unwrap_err();
    assert!(matches!(&error, Error::Refused { symptom, .. } if symptom.status == Some(503)), "{error}");
    assert_eq!(error.reason(), Reason::OrgUnreachable);
    assert_eq!(org.seen(DESCRIBE).len(), 4);
}

#[tokio::test]
async fn a_refused_object_is_not_tried_again() {
    let org = Org::start().await;
    let error = org.connect().await.describe("Acount").await.unwrap_err();
    assert_eq!(error.reaction(), Reaction::GiveUpObject);
    assert_eq!(error.reason(), Reason::ObjectNotFound);
    assert_eq!(org.seen("/services/data/v64.0/sobjects/Acount/describe").len(), 1);
}

#[tokio::test]
async fn a_cut_json_body_is_read_again() {
    let org = Org::start().await;
    org.on(DESCRIBE, |seen| match seen.nth {
        0 => answer(200, &[], cut(&br#"{"name":"Acc"#[..])),
        _ => json(200, DESCRIBED),
    });
    assert_eq!(org.connect().await.describe("Account").await.unwrap().fields.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_ends_in_mid_run_is_renewed_once_for_all_tasks() {
    let org = Org::start().await;
    let expired = Arc::new(AtomicBool::new(false));
    let gate = expired.clone();
    org.on(DESCRIBE, move |seen| {
        if gate.load(Ordering::SeqCst) && seen.authorization == "Bearer token-0" {
            return refusal(401, "INVALID_SESSION_ID", "Session expired or invalid");
        }
        json(200, DESCRIBED)
    });
    let client = org.connect().await;
    client.describe("Account").await.unwrap();
    expired.store(true, Ordering::SeqCst);
    let tasks = (0..24).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.describe("Account").await })
    });
    for described in futures::future::join_all(tasks).await {
        described.unwrap().unwrap();
    }
    assert_eq!(org.seen("/services/oauth2/token").len(), 2);
}

#[tokio::test]
async fn a_session_that_is_refused_again_is_an_error_not_a_loop() {
    let org = Org::start().await;
    org.on(DESCRIBE, |_| refusal(401, "INVALID_SESSION_ID", "Session expired or invalid"));
    let error = org.connect().await.describe("Account").await.unwrap_err();
    assert_eq!(error.reason(), Reason::AuthenticationFailed);
    assert_eq!(org.seen(DESCRIBE).len(), 2);
    assert_eq!(org.seen("/services/oauth2/token").len(), 2);
}

#[tokio::test]
async fn refused_credentials_end_everything_with_one_call() {
    let org = Org::start().await;
    let address = org.address;
    org.on("/services/oauth2/token", move |seen| match seen.nth {
        0 => token(address, "first"),
        _ => json(400, r#"{"error":"invalid_grant","error_description":"expired access/refresh token"}"#),
    });
    org.on(DESCRIBE, |_| refusal(401, "INVALID_SESSION_ID", "Session expired or invalid"));
    let client = org.connect().await;
    let tasks = (0..8).map(|_| client.describe("Account"));
    for described in futures::future::join_all(tasks).await {
        let error = described.unwrap_err();
        assert_eq!(error.reaction(), Reaction::EndRun(Reason::AuthenticationFailed));
        assert_eq!(error.code(), "invalid_grant");
    }
    assert_eq!(org.seen("/services/oauth2/token").len(), 2);
}

#[tokio::test]
async fn no_secret_is_shown() {
    let org = Org::start().await;
    let client = org.connect().await;
    let shown = format!("{:?} {:?}", org.options(), client);
    assert!(!shown.contains("app-secret") && !shown.contains("token-0"), "{shown}");
    org.on("/services/oauth2/token", |_| json(400, r#"{"error":"invalid_client"}"#));
    let error = Client::connect(org.options()).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("app-secret"));
}

#[tokio::test]
async fn http_is_refused_unless_allowed_also_when_the_token_names_it() {
    let org = Org::start().await;
    let mut options = org.options();
    options.allow_http = false;
    let error = Client::connect(options).await.unwrap_err();
    assert!(matches!(error, Error::Options { .. }), "{error}");
    assert!(org.seen("/services/oauth2/token").is_empty());
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let org = Org::start().await;
    org.on(DESCRIBE, |_| answer(302, &[("location", "/elsewhere")], ""));
    assert!(org.connect().await.describe("Account").await.is_err());
    assert!(org.seen("/elsewhere").is_empty());
}

#[tokio::test]
async fn the_allowance_is_kept_by_what_every_answer_tells() {
    let org = Org::start().await;
    org.on(DESCRIBE, |seen| {
        let info = format!("api-usage={}/1000", 700 + 10 * seen.nth);
        answer(200, &[("sforce-limit-info", &info)], DESCRIBED)
    });
    let mut options = org.options();
    options.count_lag = Duration::ZERO;
    let client = Client::connect(options).await.unwrap();
    let error = loop {
        if let Err(error) = client.describe("Account").await {
            break error;
        }
    };
    let usage = client.usage();
    assert!(matches!(error, Error::AllowanceReached { mark: 750, .. }), "{error}");
    assert_eq!(error.reason(), Reason::AllowanceReached);
    assert!(usage.used <= 750, "{usage:?}");
    assert_eq!(usage.allowance, 1000);
}

#[tokio::test]
async fn an_org_without_an_allowance_left_says_so() {
    let org = Org::start().await;
    org.on(DESCRIBE, |_| refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."));
    let error = org.connect().await.describe("Account").await.unwrap_err();
    assert_eq!(error.reason(), Reason::AllowanceReached);
    assert_eq!(org.seen(DESCRIBE).len(), 1);
}

#[tokio::test]
async fn a_job_refused_and_a_job_that_fails_later_fall_back_to_rest() {
    let org = Org::start().await;
    org.on(JOBS, |_| refusal(400, "INVALIDENTITY", "Entity 'CaseStatus' is not supported by the Bulk API."));
    let client = org.connect().await;
    let error = client.create_query_job(&account(), true).await.unwrap_err();
    assert_eq!(error.reaction(), Reaction::FallBackToRest);

    org.on(JOBS, |seen| {
        assert!(seen.method == "POST" && seen.body.contains(r#""operation":"queryAll""#), "{seen:?}");
        json(200, r#"{"id":"750x","state":"UploadComplete","apiVersion":64.0}"#)
    });
    org.on(JOB, |seen| match seen.nth {
        0 => json(200, r#"{"id":"750x","state":"InProgress"}"#),
        _ => json(200, r#"{"id":"750x","state":"Failed","errorMessage":"FeatureNotEnabled: x"}"#),
    });
    let job = client.create_query_job(&account(), true).await.unwrap();
    let error = job.wait(&CancellationToken::default(), None).await.unwrap_err();
    assert_eq!(error.reaction(), Reaction::FallBackToRest);
    assert!(error.to_string().contains("Account") && error.to_string().contains("FeatureNotEnabled"));
}

#[tokio::test]
async fn a_wait_ends_by_cancel_and_by_deadline_and_the_job_lives_on() {
    let org = Org::start().await;
    org.on(JOB, |_| json(200, r#"{"id":"750x","state":"Preparing"}"#));
    let job = org.connect().await.resume_query_job("750x", "Account", "64.0");
    let soon = tokio::time::Instant::now() + Duration::from_millis(100);
    let error = job.wait(&CancellationToken::default(), Some(soon)).await.unwrap_err();
    assert!(matches!(error, Error::JobDeadline { .. }), "{error}");
    assert_eq!(error.reason(), Reason::Stopped);
    let cancel = CancellationToken::new();
    let (waited, ()) = tokio::join!(job.wait(&cancel, None), async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        cancel.cancel();
    });
    assert!(matches!(waited, Err(Error::Cancelled { .. })));
    assert!(org.seen(JOB).iter().all(|seen| seen.method == "GET"));
}

#[tokio::test]
async fn a_cut_page_says_where() {
    let org = Org::start().await;
    let head = &[("sforce-locator", "ABC"), ("sforce-numberofrecords", "3")];
    org.on(RESULTS, |_| answer(200, head, cut(&b"\"Id\"\n\"001\"\n"[..])));
    let job = org.connect().await.resume_query_job("750x", "Account", "64.0");
    let page = job.page(None, Some(2)).await.unwrap();
    assert_eq!((page.rows_announced, page.next.as_deref()), (Some(3), Some("ABC")));
    let pieces: Vec<_> = page.body.collect().await;
    let error = pieces.last().unwrap().clone().unwrap_err();
    let Error::PageCut { object, job, page, offset, .. } = &error else { panic!("{error}") };
    assert_eq!((object.as_str(), job.as_str(), page.as_str(), *offset), ("Account", "750x", "first", 11));
    assert_eq!(org.seen(RESULTS)[0].query, "maxRecords=2");
}

#[tokio::test]
async fn a_cut_gzip_page_is_noticed() {
    use std::io::Write as _;
    let org = Org::start().await;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    for row in 0..2000 {
        writeln!(encoder, "\"{row}\"").unwrap();
    }
    let packed = encoder.finish().unwrap();
    org.on(RESULTS, move |seen| {
        let sent = if seen.nth == 0 { packed[..packed.len() / 2].to_vec() } else { packed.clone() };
        answer(200, &[("content-encoding", "gzip")], sent)
    });
    let job = org.connect().await.resume_query_job("750x", "Account", "64.0");
    let pieces: Vec<_> = job.page(None, None).await.unwrap().body.collect().await;
    assert!(matches!(pieces.last().unwrap(), Err(Error::PageCut { .. })), "{pieces:?}");
    let pieces: Vec<_> = job.page(None, None).await.unwrap().body.collect().await;
    let text: Vec<u8> = pieces.into_iter().flat_map(|piece| piece.unwrap()).collect();
    assert_eq!(text.split(|&byte| byte == b'\n').count(), 2001);
}

#[tokio::test]
async fn a_stalled_page_is_cut_by_the_idle_limit() {
    let org = Org::start().await;
    org.on(RESULTS, |_| {
        let first = futures::stream::iter([Ok::<_, std::io::Error>("\"Id\"\n")]);
        answer(200, &[], axum::body::Body::from_stream(first.chain(futures::stream::pending())))
    });
    let mut options = org.options();
    options.timeouts.idle = Duration::from_millis(100);
    let client = Client::connect(options).await.unwrap();
    let page = client.resume_query_job("750x", "Account", "64.0").page(None, None).await.unwrap();
    let pieces: Vec<_> = page.body.collect().await;
    assert!(matches!(pieces.last().unwrap(), Err(Error::PageCut { offset: 5, .. })), "{pieces:?}");
}

#[tokio::test]
async fn a_locator_that_repeats_is_an_error_and_a_page_read_again_is_not() {
    let org = Org::start().await;
    org.on(RESULTS, |seen| {
        let next = if seen.query.contains("locator=B") {
            "A"
        } else if seen.query.contains('A') {
            "B"
        } else {
            "A"
        };
        answer(200, &[("sforce-locator", next)], "\"Id\"\n")
    });
    let job = org.connect().await.resume_query_job("750x", "Account", "64.0");
    assert_eq!(job.page(None, None).await.unwrap().next.as_deref(), Some("A"));
    assert_eq!(job.page(None, None).await.unwrap().next.as_deref(), Some("A"));
    assert_eq!(job.page(Some("A"), None).await.unwrap().next.as_deref(), Some("B"));
    let error = job.page(Some("B"), None).await.unwrap_err();
    assert!(matches!(&error, Error::LocatorRepeated { locator, .. } if locator == "A"), "{error}");
}

#[tokio::test]
async fn a_row_count_that_is_no_number_is_asked_for_again_and_null_is_the_end() {
    let org = Org::start().await;
    org.on(RESULTS, |seen| match seen.nth {
        0 => answer(200, &[("sforce-numberofrecords", "many")], ""),
        _ => answer(200, &[("sforce-numberofrecords", "0"), ("sforce-locator", "null")], "\"Id\"\n"),
    });
    let job = org.connect().await.resume_query_job("750x", "Account", "64.0");
    let page = job.page(None, None).await.unwrap();
    assert_eq!((page.rows_announced, page.next), (Some(0), None));
    org.on(RESULTS, |_| answer(200, &[("sforce-numberofrecords", "many")], ""));
    let error = job.page(None, None).await.unwrap_err();
    assert!(error.to_string().contains("(Account, page first)"), "{error}");
    assert!(error.to_string().contains("Sforce-NumberOfRecords is \"many\""), "{error}");
}

#[tokio::test]
async fn result_pages_are_listed_to_their_end() {
    let org = Org::start().await;
    org.on("/services/data/v64.0/jobs/query/750x/resultPages", |seen| {
        if seen.query.is_empty() {
            return json(
                200,
                r#"{"resultPages":[{"resultUrl":"/r"},{"resultUrl":"/r?locator=A"}],
                "nextRecordUrl":"/services/data/v64.0/jobs/query/750x/resultPages?locator=Z","done":false}"#,
            );
        }
        json(200, r#"{"resultPages":[{"resultUrl":"/r?locator=Z"}],"nextRecordsUrl":null,"done":true}"#)
    });
    let job = org.connect().await.resume_query_job("750x", "Account", "64.0");
    let first = job.result_pages(None).await.unwrap();
    assert_eq!(first.locators, [None, Some("A".to_owned())]);
    let second = job.result_pages(first.next.as_deref()).await.unwrap();
    assert_eq!((second.locators, second.next), (vec![Some("Z".to_owned())], None));
}
