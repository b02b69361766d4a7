//! A vault in a directory: what the storage promises, who may open it, and what verification finds.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use age::secrecy::ExposeSecret;
use orgkeep_core::reason::Reason;
use orgkeep_vault::{Access, Key, Rekey, Vault, verify};
use support::*;

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() { found.extend(files(&entry.path())) } else { found.push(entry.path()) }
    }
    found.sort();
    found
}

fn find(dir: &Path, word: &str) -> PathBuf {
    files(dir).into_iter().find(|file| file.to_string_lossy().contains(word)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_storage_keeps_its_promises() {
    let dir = tempfile::tempdir().unwrap();
    contract(volume(&dir.path().join("not/there/yet")).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_do_not_disturb_writers() {
    let dir = tempfile::tempdir().unwrap();
    let storage = volume(dir.path()).await;
    let probing = (0..4).map(|_| {
        let storage = Arc::clone(&storage);
        tokio::spawn(async move {
            for _ in 0..20 {
                orgkeep_vault::storage::probe(&*storage).await.unwrap();
            }
        })
    });
    let probing: Vec<_> = probing.collect();
    for number in 0..100 {
        storage.put_if_absent(&format!("a/{number}.json"), "x".into()).await.unwrap();
    }
    for probe in probing {
        probe.await.unwrap();
    }
    assert_eq!(listing(&*storage).await.len(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_after_a_kill_and_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    whole_run(volume(dir.path()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_thought_dead_loses() {
    let dir = tempfile::tempdir().unwrap();
    takeover(volume(dir.path()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_race_make_one_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    commit_race(volume(dir.path()).await).await;
}

#[tokio::test]
async fn only_its_keys_open_a_vault_and_others_write_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let storage = volume(dir.path()).await;
    let recovery = age::x25519::Identity::generate();
    let with = |key: Option<Key>| Access { key, ..Access::default() };
    assert_eq!(
        Vault::open_read_only(Arc::clone(&storage), &access()).await.unwrap_err().reason(),
        Reason::ReferenceNotFound
    );
    assert_eq!(files(dir.path()), Vec::<PathBuf>::new());
    let bad = Access { recipients: vec!["age1nonsense".into()], ..access() };
    assert_eq!(
        Vault::create_or_open(Arc::clone(&storage), &bad).await.unwrap_err().reason(),
        Reason::InvalidEncryptionKey
    );
    assert_eq!(files(dir.path()), Vec::<PathBuf>::new());

    let made = Vault::create_or_open(Arc::clone(&storage), &access()).await.unwrap();
    assert_eq!(made.recovery_recipients(), 0);
    let before = files(dir.path());
    let other = Key::parse("//////////////////////////////////////////8=").unwrap();
    for wrong in [Some(other), Some(Key::Age(recovery.clone())), None] {
        let error = Vault::create_or_open(Arc::clone(&storage), &with(wrong)).await.unwrap_err();
        assert_eq!(error.reason(), Reason::WrongEncryptionKey, "{error}");
    }
    assert_eq!(files(dir.path()), before);

    // A recipient that the spec gains can open what was there before.
    let more = Access { recipients: vec![recovery.to_public().to_string()], ..access() };
    let opened = Vault::create_or_open(Arc::clone(&storage), &more).await.unwrap();
    assert_eq!((opened.id(), opened.recovery_recipients()), (made.id(), 1));
    let text = recovery.to_string();
    let key = Key::parse(text.expose_secret()).unwrap();
    let recovered = Vault::create_or_open(Arc::clone(&storage), &with(Some(key))).await.unwrap();
    assert_eq!(recovered.signing_key(), made.signing_key());
    assert_eq!(recovered.recovery_recipients(), 0);

    let pinned = Access { signing_key: Some(made.signing_key().into()), ..access() };
    Vault::open_read_only(Arc::clone(&storage), &pinned).await.unwrap();
    let pinned = Access { signing_key: Some("AAAA".into()), ..access() };
    let error = Vault::open_read_only(Arc::clone(&storage), &pinned).await.unwrap_err();
    assert_eq!(error.reason(), Reason::VaultCorrupted);
    let read_only = Vault::open_read_only(storage, &access()).await.unwrap();
    assert_eq!(read_only.create_line(&owner(), &org()).await.unwrap_err().reason(), Reason::VaultReadOnly);
}

#[tokio::test]
async fn rekeying_changes_who_opens_it_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let storage = volume(dir.path()).await;
    let vault = Vault::create_or_open(Arc::clone(&storage), &access()).await.unwrap();
    let line = vault.create_line(&owner(), &org()).await.unwrap();
    snapshot(&line, "run", 1).await;
    let before = files(dir.path());
    let old = Vault::recipients(&storage).await.unwrap().remove(0);
    let new = || Key::parse("//////////////////////////////////////////8=").unwrap();
    let recovery = age::x25519::Identity::generate();
    let with = |key: Key| Access { key: Some(key), ..Access::default() };

    // Refused, and nothing is written: a key that is none, one to be removed that is not there, nobody left.
    let remove = |id: &str| Rekey { remove: vec![id.to_owned()], ..Rekey::default() };
    let wrong = Vault::rekey(&storage, &with(new()), &Rekey::default()).await.unwrap_err();
    assert_eq!(wrong.reason(), Reason::WrongEncryptionKey);
    for change in [remove("0011223344556677"), remove(&old.id)] {
        let error = Vault::rekey(&storage, &access(), &change).await.unwrap_err();
        assert_eq!(error.reason(), Reason::InvalidEncryptionKey, "{error}");
    }
    assert_eq!(files(dir.path()), before);

    let change = Rekey {
        add_key: Some(new()),
        add_recipients: vec![recovery.to_public().to_string()],
        remove: vec![old.id.clone()],
    };
    let recipients = Vault::rekey(&storage, &access(), &change).await.unwrap();
    assert_eq!(recipients.iter().map(|r| r.kind.as_str()).collect::<Vec<_>>(), ["key", "age"]);
    let error = Vault::open_read_only(Arc::clone(&storage), &access()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::WrongEncryptionKey);
    for key in [new(), Key::Age(recovery)] {
        let vault = Vault::open_read_only(Arc::clone(&storage), &with(key)).await.unwrap();
        let full = verify::Options { full: true, rows: true, ..Default::default() };
        let report = verify::verify(&vault, &full).await.unwrap();
        assert_eq!((report.problems.as_slice(), report.rows), (&[][..], 2));
    }
    // Nothing but the vault's document is another.
    let after = files(dir.path());
    let changed: Vec<_> = after.iter().filter(|file| !before.contains(file)).collect();
    assert_eq!(changed, [&dir.path().join("vault.2.json")]);
    assert_eq!(after.len(), before.len());
}

#[tokio::test]
async fn an_auditor_needs_no_key() {
    let dir = tempfile::tempdir().unwrap();
    let storage = volume(dir.path()).await;
    let vault = Vault::create_or_open(Arc::clone(&storage), &access()).await.unwrap();
    let line = vault.create_line(&owner(), &org()).await.unwrap();
    let committed = snapshot(&line, "run", 1).await;
    let auditor = Vault::open_read_only(storage, &Access::default()).await.unwrap();
    assert!(auditor.is_encrypted() && !auditor.can_open());
    let full = verify::Options { full: true, ..Default::default() };
    let report = verify::verify(&auditor, &full).await.unwrap();
    assert_eq!((report.problems.as_slice(), report.files, report.rows), (&[][..], 2, 0));
    let error = auditor.rows(&committed.manifest, "Account", None).await.err().unwrap();
    assert_eq!(error.reason(), Reason::WrongEncryptionKey);
    flip(&find(dir.path(), ".parquet"), 100);
    assert_eq!(verify::verify(&auditor, &full).await.unwrap().problems.len(), 1);
}

#[tokio::test]
async fn a_vault_without_encryption_is_one_on_purpose() {
    let dir = tempfile::tempdir().unwrap();
    let storage = volume(dir.path()).await;
    let vault = Vault::create_or_open(Arc::clone(&storage), &Access::default()).await.unwrap();
    assert!(!vault.is_encrypted());
    assert_eq!(
        Vault::create_or_open(storage, &access()).await.unwrap_err().reason(),
        Reason::WrongEncryptionKey
    );
    let line = vault.create_line(&owner(), &org()).await.unwrap();
    snapshot(&line, "run", 1).await;
    let report = verify::verify(&vault, &verify::Options { full: true, ..Default::default() }).await.unwrap();
    assert_eq!((report.problems.as_slice(), report.rows), (&[][..], 2));
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let storage = volume(dir.path()).await;
    Vault::create_or_open(Arc::clone(&storage), &access()).await.unwrap();
    std::fs::write(dir.path().join("vault.2.json"), "{\"formatVersion\":2,\"kind\":\"other\"}").unwrap();
    assert_eq!(
        Vault::create_or_open(storage, &access()).await.unwrap_err().reason(),
        Reason::VaultFormatUnsupported
    );
}

#[tokio::test]
async fn a_vault_whose_document_is_gone_is_not_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let storage = volume(dir.path()).await;
    let vault = Vault::create_or_open(Arc::clone(&storage), &access()).await.unwrap();
    vault.create_line(&owner(), &org()).await.unwrap();
    std::fs::remove_file(dir.path().join("vault.1.json")).unwrap();
    assert_eq!(Vault::create_or_open(storage, &access()).await.unwrap_err().reason(), Reason::VaultCorrupted);
}

#[tokio::test]
async fn lines_are_adopted_explicitly() {
    let dir = tempfile::tempdir().unwrap();
    let vault = Vault::create_or_open(volume(dir.path()).await, &access()).await.unwrap();
    let mut line = vault.create_line(&owner(), &org()).await.unwrap();
    let other = orgkeep_vault::Owner { cluster: "elsewhere".into(), ..owner() };
    assert!(vault.find_line(&other).await.unwrap().is_none());
    line.adopt(&other).await.unwrap();
    assert_eq!(vault.find_line(&other).await.unwrap().unwrap().id(), line.id());
    assert!(vault.find_line(&owner()).await.unwrap().is_none());
    assert_eq!(vault.line("../x").await.unwrap_err().reason(), Reason::ReferenceNotFound);
    assert_eq!(vault.find_snapshot("latest").await.unwrap_err().reason(), Reason::ReferenceNotFound);
}

/// Makes two snapshots that share nothing, hurts the vault, and says what verification finds.
async fn found(hurt: impl FnOnce(&Path), full: bool) -> verify::Report {
    let dir = tempfile::tempdir().unwrap();
    let vault = Vault::create_or_open(volume(dir.path()).await, &access()).await.unwrap();
    let line = vault.create_line(&owner(), &org()).await.unwrap();
    snapshot(&line, "run-1", 1).await;
    snapshot(&line, "run-2", 1).await;
    hurt(dir.path());
    verify::verify(&vault, &verify::Options { full, ..Default::default() }).await.unwrap()
}

fn flip(file: &Path, at: usize) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[at] ^= 1;
    std::fs::remove_file(file).unwrap();
    std::fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn a_flipped_bit_is_found_by_its_kind_of_file() {
    let part = |dir: &Path| find(dir, "run-2.1/000000-0.parquet");
    let quick = found(|dir| flip(&part(dir), 200), false).await;
    assert!(quick.is_good(), "sizes do not tell: {quick:?}");
    let full = found(|dir| flip(&part(dir), 200), true).await;
    assert_eq!(full.problems.len(), 1, "{full:?}");
    assert!(full.problems[0].file.ends_with("run-2.1/000000-0.parquet"));
    assert!(full.problems[0].problem.contains("SHA-256"));
    assert_eq!(full.problems[0].snapshots.len(), 1);
    assert!(full.problems[0].snapshots[0].ends_with("/2"));

    let state = found(|dir| flip(&find(dir, "run-1.1/state.json"), 30), false).await;
    assert!(state.problems[0].file.ends_with("run-1.1/state.json"), "{state:?}");

    // A manifest that was changed, and its child that no longer has a parent.
    let manifest = found(|dir| flip(&find(dir, "snapshots/0000000001.json"), 40), false).await;
    assert!(manifest.problems.iter().any(|p| p.file.ends_with("0000000001.json")), "{manifest:?}");
    assert!(!manifest.is_good());
}

#[tokio::test]
async fn what_is_missing_or_cut_is_found_by_a_quick_look() {
    let gone = found(|dir| std::fs::remove_file(find(dir, "run-1.1/000000-0.parquet")).unwrap(), false).await;
    assert_eq!(gone.problems.len(), 1);
    assert!(gone.problems[0].problem.contains("missing"));
    let cut = found(
        |dir| {
            let file = find(dir, "run-1.1/000000-0.parquet");
            let bytes = std::fs::read(&file).unwrap();
            std::fs::write(&file, &bytes[..100]).unwrap();
        },
        false,
    )
    .await;
    assert!(cut.problems[0].problem.contains("100 bytes"), "{cut:?}");
    let line = found(|dir| std::fs::remove_file(find(dir, "line.1.json")).unwrap(), false).await;
    assert!(
        line.problems[0].file.ends_with("line.json") && line.problems[0].problem.contains("missing"),
        "{line:?}"
    );
    let line = found(|dir| std::fs::write(find(dir, "line.1.json"), "{").unwrap(), false).await;
    assert!(line.problems[0].file.ends_with("line.json"), "{line:?}");
    let manifest =
        found(|dir| std::fs::remove_file(find(dir, "snapshots/0000000001.json")).unwrap(), false).await;
    assert!(manifest.problems.iter().any(|p| p.problem.contains("no gaps")), "{manifest:?}");
}

#[tokio::test]
async fn a_bucket_wound_back_is_found_by_the_expected_digest() {
    let dir = tempfile::tempdir().unwrap();
    let vault = Vault::create_or_open(volume(dir.path()).await, &access()).await.unwrap();
    let line = vault.create_line(&owner(), &org()).await.unwrap();
    snapshot(&line, "run-1", 1).await;
    let last = snapshot(&line, "run-2", 1).await;
    let options = verify::Options { expect: Some(last.facts.manifest_digest.clone()), ..Default::default() };
    assert!(verify::verify(&vault, &options).await.unwrap().is_good());
    std::fs::remove_file(find(dir.path(), "snapshots/0000000002.json")).unwrap();
    let report = verify::verify(&vault, &options).await.unwrap();
    assert!(report.problems[0].problem.contains("wound back"), "{report:?}");
}

#[tokio::test]
async fn what_a_crash_leaves_is_no_part_of_the_vault() {
    let dir = tempfile::tempdir().unwrap();
    let storage = volume(dir.path()).await;
    let vault = Vault::create_or_open(Arc::clone(&storage), &access()).await.unwrap();
    let line = vault.create_line(&owner(), &org()).await.unwrap();
    let attempt = line.run("run-1").unwrap().begin_attempt().await.unwrap();
    page(&attempt, 0).await;
    std::fs::create_dir_all(dir.path().join(".tmp")).unwrap();
    std::fs::write(dir.path().join(".tmp/half"), "half a file").unwrap();
    assert!(line.snapshots().await.unwrap().is_empty());
    assert!(!listing(&*storage).await.iter().any(|path| path.contains("half")));
    let committed = snapshot(&line, "run-2", 1).await;
    assert_eq!(committed.facts.snapshot_id, "1");
    assert!(
        verify::verify(&vault, &verify::Options { full: true, ..Default::default() })
            .await
            .unwrap()
            .is_good()
    );
}
