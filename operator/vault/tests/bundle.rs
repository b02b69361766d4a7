//! Bundles: whole, in steps, cut and gone on with, altered and refused.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/faulty.rs"]
mod faulty;
mod support;
#[path = "support/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use faulty::{FAULTS, Fault, Faulty};
use orgkeep_vault::bundle::{BundleError, Bundled, Result, Selection, apply, create, verify as read_through};
use orgkeep_vault::storage::Storage;
use orgkeep_vault::verify::{Options, verify};
use orgkeep_vault::{Access, Vault};
use support::*;
use world::*;

/// Five snapshots with trees: full, deltas, one that changes nothing, one with compaction.
async fn history(dir: &Path) -> World {
    let mut world = World::new(dir).await;
    world.trees = true;
    world.full(&start(40), 25).await;
    let day = |number: u32| {
        (0..6).map(|n| (n * 7 + number, (n != number).then(|| record("day", number)))).collect()
    };
    for number in 1..=2 {
        world.delta(&[day(number)], None).await;
    }
    world.delta(&[], None).await;
    world.delta(&[day(3)], Some(&eager())).await;
    world
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn made(vault: &Vault, since: Option<u64>, until: Option<u64>) -> (Bundled, Vec<u8>) {
    let out = Shared::default();
    let selection = Selection { line: None, since, until };
    let done = create(vault, &selection, out.clone(), |_| {}).await.unwrap();
    let bytes = out.0.lock().unwrap().clone();
    (done, bytes)
}

async fn put(bytes: &[u8], target: &Arc<dyn Storage>) -> Result<Bundled> {
    apply(Cursor::new(bytes.to_vec()), target, None, |_| {}).await
}

/// Snapshots of a place, all in order; none if there is no vault.
async fn good(target: &Arc<dyn Storage>) -> u64 {
    if target.read_mutable("vault.json").await.unwrap().is_none() {
        return 0;
    }
    let vault = Vault::open_read_only(Arc::clone(target), &access()).await.unwrap();
    let report = verify(&vault, &Options { full: true, rows: true, ..Options::default() }).await.unwrap();
    assert!(report.is_good(), "{:?}", report.problems);
    report.snapshots
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_the_same_vault_at_the_other_side_at_once_or_in_steps() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let world = history(here.path()).await;
    let (done, all) = made(&world.vault, None, None).await;
    assert_eq!((done.snapshots, done.lines, done.needs.len()), (5, 1, 0));
    let whole = read_through(Cursor::new(all.clone()), Some(done.signing_key.clone())).await.unwrap();
    assert_eq!((whole.snapshots, whole.files, whole.bytes), (done.snapshots, done.files, done.bytes));
    let target = volume(there.path()).await;
    let applied = put(&all, &target).await.unwrap();
    assert_eq!((applied.snapshots, applied.files), (5, done.files));
    assert_eq!(good(&target).await, 5);
    let again = put(&all, &target).await.unwrap();
    assert_eq!((again.snapshots, again.present, again.files), (0, 5, 0));
    let copied = Vault::open_read_only(target, &access()).await.unwrap();
    let line = copied.line(world.line.id()).await.unwrap();
    for manifest in world.line.snapshots().await.unwrap() {
        assert_eq!(line.manifest(&manifest.snapshot_id()).await.unwrap().digest, manifest.digest);
    }

    // In steps: each follows the one before, and no other.
    let steps = [
        made(&world.vault, None, Some(2)).await,
        made(&world.vault, Some(2), Some(4)).await,
        made(&world.vault, Some(4), None).await,
    ];
    assert_eq!(steps[1].0.needs, [format!("{}/2", world.line.id())]);
    assert!(steps[2].1.len() < all.len());
    let there = tempfile::tempdir().unwrap();
    let target = volume(there.path()).await;
    assert!(matches!(put(&steps[1].1, &target).await.unwrap_err(), BundleError::Gap { .. }));
    assert_eq!(listing(&*target).await, Vec::<String>::new(), "a refused bundle left something");
    put(&steps[0].1, &target).await.unwrap();
    assert!(matches!(put(&steps[2].1, &target).await.unwrap_err(), BundleError::Gap { .. }));
    assert_eq!(good(&target).await, 2);
    put(&steps[1].1, &target).await.unwrap();
    put(&steps[2].1, &target).await.unwrap();
    assert_eq!(good(&target).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_of_another_vault_or_of_another_key_is_refused() {
    let (here, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (world, another) = (history(here.path()).await, history(other.path()).await);
    let (done, all) = made(&world.vault, None, None).await;
    let target = volume(other.path()).await;
    assert!(matches!(put(&all, &target).await.unwrap_err(), BundleError::OtherVault(_)));
    let empty = tempfile::tempdir().unwrap();
    let target = volume(empty.path()).await;
    let key = Some(another.vault.signing_key().to_owned());
    let error = apply(Cursor::new(all.clone()), &target, key, |_| {}).await.unwrap_err();
    assert!(error.to_string().contains(&done.signing_key), "{error}");
    assert_eq!(listing(&*target).await, Vec::<String>::new());

    // A history that went on by itself, and one that lost a file.
    put(&made(&world.vault, None, Some(2)).await.1, &target).await.unwrap();
    let copied = Vault::create_or_open(Arc::clone(&target), &access()).await.unwrap();
    let line = copied.line(world.line.id()).await.unwrap();
    snapshot(&line, "by-itself", 1).await;
    let error = put(&all, &target).await.unwrap_err();
    assert!(error.to_string().contains("no longer one history"), "{error}");
    assert_eq!(good(&target).await, 3);

    let auditor = Vault::open_read_only(volume(here.path()).await, &Access::default()).await.unwrap();
    let selection = Selection::default();
    let error = create(&auditor, &selection, Vec::new(), |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("with a key"), "{error}");
    let nothing = Selection { since: Some(9), ..Selection::default() };
    assert!(matches!(
        create(&world.vault, &nothing, Vec::new(), |_| {}).await.unwrap_err(),
        BundleError::Nothing(_)
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_byte_is_another_or_wherever_it_is_cut_nothing_wrong_is_seen() {
    let here = tempfile::tempdir().unwrap();
    let world = history(here.path()).await;
    let (_, all) = made(&world.vault, None, None).await;
    let seed = 20_261_125;
    eprintln!("seed {seed}, {} bytes", all.len());
    let mut random = Random(seed);
    // The end mark is not looked at when a bundle is applied.
    let body = all.len() as u64 - 1024;
    for round in 0..60 {
        let at = random.below(body) as usize;
        let mut bytes = all.clone();
        let what = if round % 3 == 0 {
            bytes.truncate(at);
            "cut"
        } else {
            bytes[at] ^= 1 << random.below(8);
            "bent"
        };
        let there = tempfile::tempdir().unwrap();
        let target = volume(there.path()).await;
        assert!(put(&bytes, &target).await.is_err(), "{what} at {at}");
        assert!(read_through(Cursor::new(bytes), None).await.is_err(), "{what} at {at}");
        assert!(good(&target).await < 5, "{what} at {at}");
        if round % 10 == 0 {
            put(&all, &target).await.unwrap();
            assert_eq!(good(&target).await, 5, "{what} at {at}");
        }
    }
}

/// The first call that fails, and from which to which it goes on: every one with `ORGKEEP_FAULTS=all`.
fn sample() -> (i64, usize) {
    if std::env::var("ORGKEEP_FAULTS").is_ok_and(|value| value == "all") { (1, 1) } else { (2, 11) }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_that_is_cut_anywhere_goes_on() {
    let here = tempfile::tempdir().unwrap();
    let world = history(here.path()).await;
    let (_, all) = made(&world.vault, None, None).await;
    let mut table: BTreeMap<Fault, [u32; 2]> = BTreeMap::new();
    let (first, step) = sample();
    for (at, fault) in FAULTS.into_iter().enumerate() {
        for call in (first + at as i64..).step_by(step) {
            let there = tempfile::tempdir().unwrap();
            let target = volume(there.path()).await;
            let left = Arc::new(AtomicI64::new(call));
            let faulty: Arc<dyn Storage> =
                Arc::new(Faulty { inner: Arc::clone(&target), left: Arc::clone(&left), fault });
            let result = put(&all, &faulty).await;
            let seen = good(&target).await;
            assert!(result.is_err() || seen == 5, "{fault:?}, call {call}: said done, has {seen}");
            table.entry(fault).or_default()[usize::from(result.is_err())] += 1;
            put(&all, &target).await.unwrap();
            assert_eq!(good(&target).await, 5, "{fault:?}, call {call}");
            if left.load(Ordering::SeqCst) > 0 {
                break;
            }
        }
    }
    eprintln!("applying a bundle, a call fails: done in spite of it, cut: {table:?}");
    // And the source's calls: what was written before is no bundle.
    let mut cut = 0;
    for call in (first..).step_by(step) {
        let left = Arc::new(AtomicI64::new(call));
        let inner = volume(here.path()).await;
        let faulty: Arc<dyn Storage> =
            Arc::new(Faulty { inner, left: Arc::clone(&left), fault: Fault::Denied });
        let Ok(vault) = Vault::open_read_only(faulty, &access()).await else { continue };
        let out = Shared::default();
        let result = create(&vault, &Selection::default(), out.clone(), |_| {}).await;
        let bytes = out.0.lock().unwrap().clone();
        let whole = read_through(Cursor::new(bytes), None).await;
        assert_eq!(result.is_ok(), whole.is_ok(), "call {call}: {whole:?}");
        cut += u32::from(result.is_err());
        if left.load(Ordering::SeqCst) > 0 {
            break;
        }
    }
    eprintln!("making a bundle, a call is denied: cut {cut} times, never taken for whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_retired_is_not_carried_and_not_missed() {
    let here = tempfile::tempdir().unwrap();
    let mut world = history(here.path()).await;
    let (early, target) = (tempfile::tempdir().unwrap(), volume(tempfile::tempdir().unwrap().path()).await);
    let older = volume(early.path()).await;
    put(&made(&world.vault, None, Some(2)).await.1, &older).await.unwrap();
    let policy = orgkeep_core::retention::Retention { keep_last: Some(2), ..Default::default() };
    let later = |hours| Some(jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours));
    for hours in [0, 100, 200] {
        let options =
            orgkeep_vault::collect::Options { policy: Some(policy), now: later(hours), ..Default::default() };
        orgkeep_vault::collect::collect(&world.vault, &options).await.unwrap();
    }
    world.delta(&[vec![(1, Some(record("after", 4)))]], None).await;
    let standing = world.line.snapshots().await.unwrap();
    assert!(standing.len() < 6, "nothing was retired");
    let (done, all) = made(&world.vault, None, None).await;
    assert!(done.snapshots >= standing.len() as u64);
    put(&all, &target).await.unwrap();
    assert_eq!(good(&target).await, standing.len() as u64);
    // A site that has older snapshots takes it, too, and follows what was retired.
    put(&all, &older).await.unwrap();
    assert_eq!(good(&older).await, standing.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_erased_goes_from_the_other_side_with_the_next_bundle() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut world = history(here.path()).await;
    let target = volume(there.path()).await;
    put(&made(&world.vault, None, None).await.1, &target).await.unwrap();
    let because =
        orgkeep_vault::erase::Options { reason: "asked".into(), by: "test".into(), ..Default::default() };
    let ids = orgkeep_vault::erase::Ids::parse(&id(5).to_string()).unwrap();
    orgkeep_vault::erase::erase(&world.line, &ids, &because).await.unwrap();
    world.delta(&[vec![(1, Some(record("after", 4)))]], None).await;
    let (_, next) = made(&world.vault, Some(5), None).await;
    put(&next, &target).await.unwrap();
    assert_eq!(good(&target).await, 6);
    let copied =
        World { vault: Vault::open_read_only(Arc::clone(&target), &access()).await.unwrap(), ..world };
    for manifest in copied.line.snapshots().await.unwrap() {
        assert!(
            !copied.read(&manifest, orgkeep_vault::read::Keys::All).await.contains_key(&5),
            "{}",
            manifest.seq
        );
    }
    // Nothing stays there that the source does not have, too.
    let source = volume(here.path()).await;
    let source = listing(&*source).await;
    let stale: Vec<String> = listing(&*target)
        .await
        .into_iter()
        .filter(|path| path.ends_with(".parquet") && !source.contains(path))
        .collect();
    assert_eq!(stale, Vec::<String>::new());
}
