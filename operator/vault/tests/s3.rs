//! What only S3 has, against a real server (the vault's suite is in `stores.rs`): runs where `ORGKEEP_TEST_S3_ENDPOINT`
//! names one (and `ORGKEEP_TEST_S3_BUCKET` a bucket in it, `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` who may use it,
//! and `ORGKEEP_TEST_S3_READER` as `id:secret` who may only read; `ORGKEEP_TEST_S3_CA`: the endpoint's CA, a PEM file).

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

/// A bucket that locks, made by the admin of the test's server; `None` where it cannot.
async fn locking_bucket(options: &S3Options) -> Option<(aws_sdk_s3::Client, String)> {
    let credentials = options.credentials.clone().unwrap();
    let config = aws_sdk_s3::config::Builder::new()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .credentials_provider(aws_sdk_s3::config::Credentials::new(
            credentials.access_key_id,
            age::secrecy::ExposeSecret::expose_secret(&credentials.secret_access_key).to_owned(),
            None,
            None,
            "test",
        ))
        .region(aws_sdk_s3::config::Region::new("us-east-1"))
        .endpoint_url(options.endpoint.clone().unwrap())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .force_path_style(true)
        .build();
    let client = aws_sdk_s3::Client::from_conf(config);
    let bucket = format!("locked-{}", options.prefix);
    match client.create_bucket().bucket(&bucket).object_lock_enabled_for_bucket(true).send().await {
        Ok(_) => Some((client, bucket)),
        Err(error) => {
            eprintln!("skipped: {error:?}");
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_locked_and_stays_so_while_it_is_needed() {
    let Some(plain) = options("lock") else { return };
    if plain.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("https")) {
        eprintln!("skipped: the test's own client speaks http");
        return;
    }
    let lock = |days| Some(orgkeep_vault::ObjectLock { mode: orgkeep_vault::LockMode::Compliance, days });
    // A bucket that does not lock is refused.
    let unlocked = S3Options { object_lock: lock(10), ..plain.clone() };
    let error = probe(&*open(unlocked).await).await.unwrap_err();
    assert_eq!(error.kind, orgkeep_vault::storage::StorageErrorKind::ObjectLockUnsupported, "{error}");

    let Some((client, bucket)) = locking_bucket(&plain).await else { return };
    let options = |days| S3Options { bucket: bucket.clone(), object_lock: lock(days), ..plain.clone() };
    let storage = open(options(10)).await;
    probe(&*storage).await.unwrap();
    let vault = orgkeep_vault::Vault::create_or_open(storage, &access()).await.unwrap();
    let line = vault.create_line(&owner(), &org()).await.unwrap();
    let first = snapshot(&line, "run-1", 1).await;
    let until = async |path: &str| {
        let key = format!("{}/{path}", plain.prefix);
        let head = client.head_object().bucket(&bucket).key(key).send().await.unwrap();
        head.object_lock_retain_until_date().map(aws_sdk_s3::primitives::DateTime::secs)
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let day = 24 * 3600;
    for path in first.manifest.files.iter().map(|file| &file.path).chain([&first.manifest.path()]) {
        let left = until(path).await.unwrap() - now;
        assert!((9 * day..=10 * day + 60).contains(&left), "{path}: {left}");
    }
    assert_eq!(until("vault.json").await, None, "what changes is not locked");

    // The next snapshot names the same part: its lock is long enough for a term of 12 days, and not for one of 40.
    for (days, expected) in [(12, 10), (40, 40)] {
        let vault = orgkeep_vault::Vault::create_or_open(open(options(days)).await, &access()).await.unwrap();
        let line = vault.line(line.id()).await.unwrap();
        let run = format!("run-{days}");
        let mut lease = line.lease(&run, TTL).await.unwrap();
        let attempt = line.run(&run).unwrap().begin_attempt().await.unwrap();
        let parts = vault.state(&first.manifest, "Account").await.unwrap().parts;
        commit(&line, &mut lease, &attempt, parts.clone()).await;
        lease.release().await.unwrap();
        let left = until(&parts[0].path).await.unwrap() - now;
        assert!(((expected - 1) * day..=expected * day + 120).contains(&left), "{days}: {left}");
    }

    // What is retired stays until its lock is over, and that is told.
    let vault = orgkeep_vault::Vault::create_or_open(open(options(40)).await, &access()).await.unwrap();
    let retention = orgkeep_core::retention::Retention { keep_last: Some(1), ..Default::default() };
    let collected = async |hours| {
        let now = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
        let policy = Some(retention);
        let options = orgkeep_vault::collect::Options {
            policy,
            now: Some(now),
            ..orgkeep_vault::collect::Options::default()
        };
        orgkeep_vault::collect::collect(&vault, &options).await.unwrap().lines.pop().unwrap()
    };
    assert_eq!(collected(0).await.retired.len(), 2);
    let locked = collected(25).await;
    assert_eq!((locked.swept.len(), locked.freed.files), (0, 0), "{locked:?}");
    assert!(
        locked.locked.files > 0 && locked.all_locked_until.unwrap().as_second() > now + 9 * day,
        "{locked:?}"
    );
    assert_eq!(line.epoch().await.unwrap(), 0, "nothing to sweep, no sweep");
    let report =
        orgkeep_vault::verify::verify(&vault, &orgkeep_vault::verify::Options::default()).await.unwrap();
    assert_eq!((report.problems, report.snapshots), (vec![], 1));
}
