//! A copy of a vault in another place: whole, cut and gone on with, refused where it would lie.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/faulty.rs"]
mod faulty;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use faulty::{FAULTS, Fault, Faulty};
use orgkeep_core::reason::Reason;
use orgkeep_vault::copy::{Copied, copy, copy_for};
use orgkeep_vault::storage::Storage;
use orgkeep_vault::verify::{Options, verify};
use orgkeep_vault::{Access, Key, Line, Vault};
use support::*;

/// A vault of so many snapshots, opened without a key.
async fn source(storage: &Arc<dyn Storage>, snapshots: u32) -> (Line, Vault) {
    let vault = Vault::create_or_open(Arc::clone(storage), &access()).await.unwrap();
    let line = vault.create_line(&owner(), &org()).await.unwrap();
    for number in 1..=snapshots {
        snapshot(&line, &format!("run-{number}"), 2).await;
    }
    (line, auditor(storage).await)
}

async fn auditor(storage: &Arc<dyn Storage>) -> Vault {
    let none = orgkeep_vault::Access { key: None, recipients: Vec::new(), signing_key: None };
    Vault::open_read_only(Arc::clone(storage), &none).await.unwrap()
}

/// Opens with the key, and is in order; how many snapshots it has.
async fn good(storage: &Arc<dyn Storage>) -> u64 {
    let vault = Vault::open_read_only(Arc::clone(storage), &access()).await.unwrap();
    let report = verify(&vault, &Options { full: true, rows: true, ..Options::default() }).await.unwrap();
    assert!(report.is_good(), "{report:?}");
    report.snapshots
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_the_same_vault_and_follows_it() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (volume(here.path()).await, volume(there.path()).await);
    let (line, vault) = source(&from, 2).await;
    let first = copy(&vault, &to, |_| {}).await.unwrap();
    assert_eq!((first.lines, first.snapshots, first.present), (1, 2, 0));
    assert!(first.files >= 4 && first.bytes > 0, "{first:?}");
    assert_eq!(good(&to).await, 2);
    let nothing = Copied { lines: 1, present: 2, ..Copied::default() };
    assert_eq!(copy(&vault, &to, |_| {}).await.unwrap(), nothing);

    snapshot(&line, "run-3", 2).await;
    let more = copy(&vault, &to, |_| {}).await.unwrap();
    assert_eq!((more.snapshots, more.present), (1, 2));
    assert!(more.files < first.files, "{more:?}");
    assert_eq!(good(&to).await, 3);

    // It is a vault: a cluster that lost the first place goes on in it. From then on the first is no source.
    let copied = Vault::create_or_open(Arc::clone(&to), &access()).await.unwrap();
    let line = copied.find_line(&owner()).await.unwrap().unwrap();
    snapshot(&line, "run-4", 1).await;
    assert_eq!(good(&to).await, 4);
    let mut adopted = line.clone();
    let other = orgkeep_vault::Owner { cluster: "second".into(), ..owner() };
    adopted.adopt(&other).await.unwrap();
    let document = format!("lines/{}/line.json", line.id());
    let before = to.read_mutable(&document).await.unwrap().unwrap().0;
    let error = copy(&vault, &to, |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("no longer one history"), "{error}");
    assert_eq!(
        to.read_mutable(&document).await.unwrap().unwrap().0,
        before,
        "a refused copy changed its target"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_cut_anywhere_goes_on() {
    let here = tempfile::tempdir().unwrap();
    let from = volume(here.path()).await;
    let (_, vault) = source(&from, 3).await;
    let (mut cut, mut whole) = (0, 0);
    for fault in FAULTS {
        for call in 1.. {
            let there = tempfile::tempdir().unwrap();
            let to = volume(there.path()).await;
            let left = Arc::new(AtomicI64::new(call));
            let faulty: Arc<dyn Storage> =
                Arc::new(Faulty { inner: Arc::clone(&to), left: Arc::clone(&left), fault });
            let result = copy(&vault, &faulty, |_| {}).await;
            let reached = left.load(Ordering::SeqCst) <= 0;
            // Whatever became of it: what can be seen is in order.
            if to.read_mutable("vault.json").await.unwrap().is_some() {
                let seen = good(&to).await;
                assert!(result.is_err() || seen == 3, "{fault:?}, call {call}: said done, has {seen}");
            }
            cut += u32::from(result.is_err());
            whole += u32::from(result.is_ok());
            copy(&vault, &to, |_| {}).await.unwrap();
            assert_eq!(good(&to).await, 3, "{fault:?}, call {call}");
            if !reached {
                break;
            }
        }
    }
    eprintln!("{cut} copies cut, {whole} came to their end in spite of the fault or without one");
    assert!(cut > 20 && whole >= FAULTS.len() as u32);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_lie_is_refused() {
    let (here, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (volume(here.path()).await, volume(other.path()).await);
    let (_, vault) = source(&from, 1).await;
    source(&to, 1).await;
    let error = copy(&vault, &to, |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("another vault"), "{error}");

    // A file of the source that is not what was signed does not come over, nor does its snapshot.
    let manifest = vault.find_snapshot("latest").await.unwrap();
    let file = manifest.files.iter().find(|file| file.path.ends_with(".parquet")).unwrap();
    let path = here.path().join(&file.path);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[9] ^= 1;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let empty = tempfile::tempdir().unwrap();
    let to = volume(empty.path()).await;
    let error = copy(&vault, &to, |_| {}).await.unwrap_err();
    assert_eq!(error.reason(), Reason::VaultCorrupted);
    assert!(error.to_string().contains(&file.path), "{error}");
    assert_eq!(good(&to).await, 0);
    assert!(to.head(&file.path).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_expire_and_a_target_that_fills_up_are_told_and_the_copy_goes_on() {
    let here = tempfile::tempdir().unwrap();
    let from = volume(here.path()).await;
    let (_, vault) = source(&from, 3).await;
    for (fault, reason) in [(Fault::Expired, Reason::VaultAccessDenied), (Fault::Full, Reason::VaultFull)] {
        let mut seen = Vec::new();
        for call in (1..).step_by(5) {
            let there = tempfile::tempdir().unwrap();
            let to = volume(there.path()).await;
            let left = Arc::new(AtomicI64::new(call));
            let faulty: Arc<dyn Storage> =
                Arc::new(Faulty { inner: Arc::clone(&to), left: Arc::clone(&left), fault });
            match copy(&vault, &faulty, |_| {}).await {
                Ok(_) => break,
                Err(error) => assert_eq!(error.reason(), reason, "call {call}: {error}"),
            }
            if to.read_mutable("vault.json").await.unwrap().is_some() {
                seen.push(good(&to).await);
            }
            copy(&vault, &to, |_| {}).await.unwrap();
            assert_eq!(good(&to).await, 3, "{fault:?}, call {call}");
        }
        eprintln!("{fault:?}: snapshots that a cut copy shows: {seen:?}");
        assert!(seen.len() > 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redactions_holds_and_deletions_go_along() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (volume(here.path()).await, volume(there.path()).await);
    let (line, vault) = source(&from, 1).await;
    let document = |name: &str| format!("lines/{}/{name}.json", line.id());
    copy(&vault, &to, |_| {}).await.unwrap();
    let text = |text: &'static str| bytes::Bytes::from_static(text.as_bytes());
    from.replace_if_match(&document("holds"), None, text("{}")).await.unwrap();
    let (_, version) = from.read_mutable(&document("holds")).await.unwrap().unwrap();
    copy(&vault, &to, |_| {}).await.unwrap();
    assert_eq!(to.read_mutable(&document("holds")).await.unwrap().unwrap().0, "{}");
    from.replace_if_match(&document("holds"), Some(&version), text("{\"a\":1}")).await.unwrap();
    copy(&vault, &to, |_| {}).await.unwrap();
    assert_eq!(to.read_mutable(&document("holds")).await.unwrap().unwrap().0, "{\"a\":1}");
    assert!(to.read_mutable(&document("lease")).await.unwrap().is_none(), "a lease is of its place");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_for_another_key_is_opened_by_that_one_alone() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (volume(here.path()).await, volume(there.path()).await);
    let (line, auditor) = source(&from, 2).await;
    let other = || Access { key: Some(Key::parse(&"8".repeat(43)).unwrap()), ..Access::default() };
    let error = copy_for(&auditor, &to, Some(&other()), |_| {}).await.unwrap_err();
    assert_eq!(error.reason(), Reason::WrongEncryptionKey);
    assert!(to.read_mutable("vault.json").await.unwrap().is_none());
    let vault = Vault::open_read_only(Arc::clone(&from), &access()).await.unwrap();
    let error = copy_for(&vault, &to, Some(&Access::default()), |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("nobody"), "{error}");
    copy_for(&vault, &to, Some(&other()), |_| {}).await.unwrap();
    let error = Vault::open_read_only(Arc::clone(&to), &access()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::WrongEncryptionKey, "the source's key opens the copy");
    let copied = Vault::open_read_only(Arc::clone(&to), &other()).await.unwrap();
    let report = verify(&copied, &Options { full: true, rows: true, ..Options::default() }).await.unwrap();
    assert!(report.is_good() && report.snapshots == 2, "{report:?}");
    // What comes later needs no key; whoever asks for a key that does not open the copy is told.
    snapshot(&line, "run-3", 1).await;
    assert_eq!(copy(&auditor, &to, |_| {}).await.unwrap().snapshots, 1);
    let error = copy_for(&vault, &to, Some(&access()), |_| {}).await.unwrap_err();
    assert_eq!(error.reason(), Reason::WrongEncryptionKey);
}
