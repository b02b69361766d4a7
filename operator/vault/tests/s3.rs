//! A vault in S3, against a real server: runs where `ORGKEEP_TEST_S3_ENDPOINT` names one (and
//! `ORGKEEP_TEST_S3_BUCKET` a bucket in it, `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` who may use it, and
//! `ORGKEEP_TEST_S3_READER` as `id:secret` who may only read; `ORGKEEP_TEST_S3_CA`: the endpoint's CA, a PEM file).

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::Arc;

use orgkeep_core::reason::Reason;
use orgkeep_vault::storage::{Storage, probe};
use orgkeep_vault::{Location, S3Credentials, S3Options};
use support::*;

fn options(prefix: &str) -> Option<S3Options> {
    let Ok(endpoint) = std::env::var("ORGKEEP_TEST_S3_ENDPOINT") else {
        eprintln!("skipped: ORGKEEP_TEST_S3_ENDPOINT is not set");
        return None;
    };
    let variable = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let unique = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    Some(S3Options {
        bucket: variable("ORGKEEP_TEST_S3_BUCKET", "orgkeep-test"),
        prefix: format!("{prefix}-{unique}"),
        endpoint: Some(endpoint),
        path_style: true,
        credentials: Some(S3Credentials {
            access_key_id: variable("AWS_ACCESS_KEY_ID", "test"),
            secret_access_key: variable("AWS_SECRET_ACCESS_KEY", "testtest").into(),
            session_token: None,
        }),
        ca_bundle: std::env::var_os("ORGKEEP_TEST_S3_CA").map(|path| std::fs::read(path).unwrap()),
        ..S3Options::default()
    })
}

async fn open(options: S3Options) -> Arc<dyn Storage> {
    Location::S3(options).open().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_storage_keeps_its_promises() {
    let Some(options) = options("contract") else { return };
    contract(open(options).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_after_a_kill_and_reads_back() {
    let Some(options) = options("run") else { return };
    whole_run(open(options).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_thought_dead_loses() {
    let Some(options) = options("takeover") else { return };
    takeover(open(options).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_race_make_one_snapshot() {
    let Some(options) = options("race") else { return };
    commit_race(open(options).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_has_a_reason() {
    let Some(good) = options("wrong") else { return };
    let reason = |options: S3Options| async move { probe(&*open(options).await).await.unwrap_err().reason() };
    let nowhere = S3Options { bucket: "no-such-bucket-here".into(), ..good.clone() };
    assert_eq!(reason(nowhere).await, Reason::BucketNotFound);
    let credentials = good.credentials.clone().unwrap();
    let wrong = S3Credentials { secret_access_key: "wrong".to_owned().into(), ..credentials };
    let forged = S3Options { credentials: Some(wrong), ..good.clone() };
    assert_eq!(reason(forged).await, Reason::VaultAccessDenied);
    if let Ok(reader) = std::env::var("ORGKEEP_TEST_S3_READER") {
        let (id, secret) = reader.split_once(':').unwrap();
        let credentials = S3Credentials {
            access_key_id: id.to_owned(),
            secret_access_key: secret.to_owned().into(),
            session_token: None,
        };
        let only = S3Options { credentials: Some(credentials), ..good.clone() };
        assert_eq!(reason(only).await, Reason::VaultReadOnly);
    }
    let closed = S3Options { endpoint: Some("http://127.0.0.1:1".into()), ..good.clone() };
    let error = probe(&*open(closed).await).await.unwrap_err();
    assert_eq!(error.reason(), Reason::VaultUnreachable);
    assert!(error.to_string().len() < 300, "{error}");
    eprintln!("{error}");
    let bundle = S3Options {
        endpoint: Some("https://127.0.0.1:1".into()),
        ca_bundle: Some(b"no certificate".to_vec()),
        ..good
    };
    assert_eq!(Location::S3(bundle).open().await.unwrap_err().reason(), Reason::VaultUnreachable);
}
