//! The suite of the vault's core on every store that is there (see `support/stores.rs`): what a storage promises, runs,
//! deltas, comparison, compaction, trees, verification, repair, rekey, copy, leases, two writers, and what is refused.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/faulty.rs"]
mod faulty;
#[path = "support/runs.rs"]
mod runs;
#[path = "support/stores.rs"]
mod stores;
mod support;
#[path = "support/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use faulty::{FAULTS, Fault, Faulty};
use futures::FutureExt;
use futures::future::join_all;
use orgkeep_core::reason::Reason;
use orgkeep_vault::read::Keys;
use orgkeep_vault::storage::StorageErrorKind;
use orgkeep_vault::{Access, Key, Vault, verify};
use runs::{apply, day, three_runs};
use stores::{Store, stores};
use support::*;
use world::*;

/// Does something on every store, on all at the same time, and says how long each took.
async fn on_each<F: Future<Output = ()>>(name: &str, work: impl Fn(Store) -> F) {
    let all = stores(name).await.into_iter().map(|store| {
        let (kind, began) = (store.kind.name(), std::time::Instant::now());
        let result = std::panic::AssertUnwindSafe(work(store)).catch_unwind();
        async move {
            let good = result.await.is_ok();
            let word = if good { "good" } else { "FAILED" };
            eprintln!("{name:<10} {kind:<10} {:>6} ms  {word}", began.elapsed().as_millis());
            if good { None } else { Some(kind) }
        }
    });
    let failed: Vec<_> = join_all(all).await.into_iter().flatten().collect();
    assert!(failed.is_empty(), "{name} failed on {failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_store_keeps_its_promises() {
    on_each("contract", |store| async move { contract(Arc::clone(&store.storage)).await }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_after_a_kill_and_reads_back() {
    on_each("run", |store| async move { whole_run(Arc::clone(&store.storage)).await }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_thought_dead_that_wakes_up_loses() {
    on_each("takeover", |store| async move { takeover(Arc::clone(&store.storage)).await }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_race_make_one_snapshot() {
    on_each("race", |store| async move { commit_race(Arc::clone(&store.storage)).await }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn days_of_changes_compaction_a_copy_and_a_wrong_key_on_each() {
    on_each("days", |store| async move {
        let mut world = World::on(Arc::clone(&store.storage)).await.unwrap();
        world.trees = true;
        let mut org: Org = start(60).into_iter().collect();
        let mut known = vec![(world.full(&start(60), 25).await, org.clone())];
        for number in 1..=4 {
            let changes = day(number);
            apply(&mut org, &changes);
            let rule = eager();
            let manifest = world.delta(&[changes], (number > 2).then_some(&rule)).await;
            known.push((manifest, org.clone()));
        }
        for (manifest, org) in &known {
            world.holds(manifest, org).await;
        }
        let some = world.read(&known[4].0, Keys::between(Some(&id(10)), Some(&id(20)))).await;
        assert!(some.keys().all(|number| (10..=20).contains(number)) && !some.is_empty());
        for (before, after) in [(0, 1), (0, 4), (2, 3)] {
            let (found, _) = world.compare(&known[before].0, &known[after].0).await;
            assert_eq!(found, difference(&known[before].1, &known[after].1), "{before} to {after}");
        }
        world.verify().await;

        // Another key: the old one opens it no more, and the data stays.
        let other = Key::parse(&KEY.replace("AAEC", "AQEC")).unwrap();
        let wrong = Access { key: Some(other), ..Access::default() };
        let error = Vault::open_read_only(Arc::clone(&store.storage), &wrong).await.unwrap_err();
        assert_eq!(error.reason(), Reason::WrongEncryptionKey, "{error}");

        // A copy elsewhere.
        let to = tempfile::tempdir().unwrap();
        let target = volume(to.path()).await;
        orgkeep_vault::copy::copy(&world.vault, &target, |_| {}).await.unwrap();
        let copied = Vault::open_read_only(target, &access()).await.unwrap();
        let options = verify::Options { full: true, rows: true, ..Default::default() };
        assert_eq!(verify::verify(&copied, &options).await.unwrap().problems, []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_altered_is_named_and_a_list_is_built_anew() {
    on_each("harm", |store| async move {
        let storage = &store.storage;
        let mut world = World::on(Arc::clone(storage)).await.unwrap();
        world.trees = true;
        world.full(&start(40), 25).await;
        let manifest = world.delta(&[day(1)], None).await;
        let options = verify::Options { full: true, rows: true, ..Default::default() };
        let mut random = Random(20_261_125);
        for _ in 0..6 {
            let file = &manifest.files[random.below(manifest.files.len() as u64) as usize];
            let good = storage.get(&file.path).await.unwrap();
            let mut bad = good.to_vec();
            let at = random.below(bad.len() as u64) as usize;
            bad[at] ^= 1 << random.below(8);
            for harmed in [Some(bad), None] {
                storage.delete(&file.path).await.unwrap();
                if let Some(bad) = &harmed {
                    storage.put_if_absent(&file.path, bad.clone().into()).await.unwrap();
                }
                let report = verify::verify(&world.vault, &options).await.unwrap();
                let told = report.problems.iter().find(|problem| problem.file == file.path);
                let what = format!("{}, altered: {}", file.path, harmed.is_some());
                assert!(told.is_some_and(|problem| !problem.snapshots.is_empty()), "{what}: {report:?}");
            }
            storage.put_if_absent(&file.path, good).await.unwrap();
            assert_eq!(verify::verify(&world.vault, &options).await.unwrap().problems, []);
        }
        storage.delete(&manifest.trees[0].list.path).await.unwrap();
        let done = verify::repair::repair(&world.vault, &options).await.unwrap();
        assert_eq!((done.rebuilt.len(), done.lost.len()), (1, 0), "{done:?}");
        world.verify().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_of_a_newer_format_is_refused() {
    on_each("newer", |store| async move {
        World::on(Arc::clone(&store.storage)).await.unwrap();
        let (bytes, version) = store.storage.read_mutable("vault.json").await.unwrap().unwrap();
        let mut document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        document["formatVersion"] = 99.into();
        document.as_object_mut().unwrap().remove("check");
        let newer = serde_json::to_vec(&document).unwrap().into();
        store.storage.replace_if_match("vault.json", Some(&version), newer).await.unwrap();
        let error = Vault::create_or_open(Arc::clone(&store.storage), &access()).await.unwrap_err();
        assert_eq!(error.reason(), Reason::VaultFormatUnsupported, "{error}");
    })
    .await;
}

/// An upload that its writer dropped leaves nothing, and one beyond a request goes in parts, once.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_beyond_one_request_goes_in_parts() {
    on_each("parts", |store| async move {
        let storage = &store.storage;
        let chunk = bytes::Bytes::from((0..18 << 20).map(|n: u32| (n % 251) as u8).collect::<Vec<_>>());
        let begin = async |path: &str, chunks: usize| {
            let mut upload = storage.upload(path).await.unwrap();
            for _ in 0..chunks {
                upload.write(chunk.clone()).await.unwrap();
            }
            upload
        };
        drop(begin("t/dropped", 2).await);
        let stored = begin("t/large", 4).await.finish().await.unwrap();
        assert_eq!((stored.size, storage.head("t/large").await.unwrap()), (72 << 20, 72 << 20));
        let middle = 36 << 20;
        let read = storage.get_range("t/large", middle - 3..middle + 5).await.unwrap();
        assert_eq!(read, [&chunk[chunk.len() - 3..], &chunk[..5]].concat());
        let mut running = ring::digest::Context::new(&ring::digest::SHA256);
        (0..4).for_each(|_| running.update(&chunk));
        assert_eq!(stored.sha256, hex::encode(running.finish()));
        let other = begin("t/large", 1).await.finish().await.map_err(|error| error.kind);
        assert_eq!(other.unwrap_err(), StorageErrorKind::AlreadyExists);
        let error = storage.head("t/dropped").await.unwrap_err();
        assert!(error.is_not_found(), "{error}");
    })
    .await;
}

/// The n-th call of the storage fails: a seeded sample, every call with `ORGKEEP_FAULTS=all`.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_fails_costs_nothing() {
    let all = std::env::var_os("ORGKEEP_FAULTS").is_some_and(|value| value == "all");
    println!("store       fault     runs  went on  were done by the next   (seed 20261125)");
    on_each("calls", move |first| async move {
        let mut random = Random(20_261_125);
        let mut table: BTreeMap<Fault, [u32; 3]> = BTreeMap::new();
        for fault in FAULTS {
            let mut call = 0;
            loop {
                call += if all { 1 } else { 1 + random.below(120) as i64 };
                let location = first.kind.location("calls").unwrap();
                let storage = location.open().await.unwrap();
                let store = Store { kind: first.kind, location, storage };
                let left = Arc::new(AtomicI64::new(call));
                let inner = Arc::clone(&store.storage);
                let faulty = Arc::new(Faulty { inner, left: Arc::clone(&left), fault });
                let what = format!("{}, {fault:?}, call {call}", store.kind.name());
                let well = three_runs(faulty, &store.storage, &what).await.is_none();
                let counts = table.entry(fault).or_default();
                counts[0] += 1;
                counts[if well { 1 } else { 2 }] += 1;
                if !all || left.load(Ordering::SeqCst) > 0 {
                    break;
                }
            }
        }
        for (fault, [runs, well, ill]) in &table {
            println!("{:<11} {:<9} {runs:>4}  {well:>7}  {ill:>21}", first.kind.name(), format!("{fault:?}"));
        }
    })
    .await;
}
