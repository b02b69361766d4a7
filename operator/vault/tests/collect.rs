//! Retention: what is retired vanishes at once and its files a while later; what is held, young or in use stays.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(non_snake_case)] // names bear the rows of the checklist

#[path = "support/memory.rs"]
mod memory;
mod support;
#[path = "support/world.rs"]
mod world;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use memory::Memory;
use orgkeep_core::reason::Reason;
use orgkeep_core::retention::Retention;
use orgkeep_vault::collect::{self, Collection, LineCollection, Options};
use orgkeep_vault::erase::{self, Ids, erase};
use orgkeep_vault::storage::Storage;
use orgkeep_vault::{Manifest, Vault, VaultError, copy, verify};
use support::*;
use world::*;

fn last(keep: u32) -> Option<Retention> {
    Some(Retention { keep_last: Some(keep), ..Retention::default() })
}

fn hours(hours: i64) -> Option<Timestamp> {
    Some(Timestamp::now() + SignedDuration::from_hours(hours))
}

async fn run(world: &World, policy: Option<Retention>, now: Option<Timestamp>) -> LineCollection {
    let options = Options { policy, now, ..Options::default() };
    only(collect::collect(&world.vault, &options).await.unwrap())
}

fn only(mut collection: Collection) -> LineCollection {
    collection.lines.pop().unwrap()
}

async fn good(vault: &Vault) -> verify::Report {
    let options = verify::Options { full: true, rows: true, ..Default::default() };
    let report = verify::verify(vault, &options).await.unwrap();
    assert_eq!(report.problems, []);
    report
}

/// Full, delta, compaction, full, delta: with trees, and what each holds.
async fn history(storage: Arc<dyn Storage>) -> (World, Vec<(Manifest, Org)>) {
    let mut world = World { trees: true, ..World::on(storage).await.unwrap() };
    let mut org: Org = start(40).into_iter().collect();
    let mut history = vec![(world.full(&start(40), 25).await, org.clone())];
    for number in 1..=4 {
        let day: Vec<(u32, Option<Record>)> =
            (0..6).map(|n| (n * 7 + number, (n != number).then(|| record("changed", number)))).collect();
        for (id, record) in &day {
            match record {
                Some(record) => drop(org.insert(*id, record.clone())),
                None => drop(org.remove(id)),
            }
        }
        let manifest = if number == 3 {
            world.full(&org.clone().into_iter().collect::<Vec<_>>(), 25).await
        } else {
            world.delta(&[day], (number == 2).then(eager).as_ref()).await
        };
        history.push((manifest, org.clone()));
    }
    (world, history)
}

#[tokio::test]
async fn s3_2__6_what_no_rule_keeps_vanishes_at_once_and_its_files_after_the_grace() {
    let storage = Memory::default();
    let (world, history) = history(Arc::new(storage.clone())).await;
    let before = good(&world.vault).await;
    let unlimited = run(&world, Some(Retention::default()), None).await;
    assert_eq!((unlimited.kept, unlimited.retired.len()), (5, 0));

    let planned = only(
        collect::collect(&world.vault, &Options { policy: last(2), dry_run: true, ..Options::default() })
            .await
            .unwrap(),
    );
    assert_eq!((planned.kept, planned.retired.clone(), planned.freed.files), (2, vec![1, 2, 3], 0));
    assert_eq!(world.line.snapshots().await.unwrap().len(), 5, "a dry run changes nothing");
    let marked = run(&world, last(2), None).await;
    assert_eq!((marked.kept, &marked.retired, marked.freed.files), (2, &planned.retired, 0));
    assert_eq!(marked.waiting.len(), 3);

    // Gone from the catalog, and still there for who reads it.
    let seqs: Vec<u64> = world.line.snapshots().await.unwrap().iter().map(|manifest| manifest.seq).collect();
    assert_eq!(seqs, [4, 5]);
    assert!(matches!(world.line.manifest("2").await, Err(VaultError::SnapshotNotFound(_))));
    assert!(world.vault.find_snapshot("1").await.is_err());
    for (manifest, org) in &history {
        world.holds(manifest, org).await;
    }
    assert_eq!(good(&world.vault).await.snapshots, 2);
    assert_eq!(world.vault.facts().await.unwrap().snapshots, 2);
    let early = run(&world, last(2), hours(23)).await;
    assert_eq!((early.freed.files, early.swept.len()), (0, 0));

    let options = Options { policy: last(2), now: hours(25), dry_run: true, ..Options::default() };
    let planned = only(collect::collect(&world.vault, &options).await.unwrap());
    let swept = run(&world, last(2), hours(25)).await;
    assert_eq!((swept.swept.clone(), swept.retired.len()), (vec![1, 2, 3], 0), "{swept:?}");
    assert!(swept.freed.files > 5 && swept.shared.files > 0, "{swept:?}");
    assert_eq!((planned.swept, planned.shared), (swept.swept, swept.shared));
    let after = good(&world.vault).await;
    assert!(after.bytes < before.bytes);
    for (manifest, org) in &history[3..] {
        world.holds(manifest, org).await;
    }
    // Nothing is left that nobody needs, and the next run goes on as ever.
    let named: usize = after.files as usize;
    let there =
        storage.paths().into_iter().filter(|p| p.contains("/objects/") || p.contains("/blobs/")).count();
    assert_eq!(there, named);
    let again = run(&world, last(2), hours(26)).await;
    assert_eq!((again.freed.files, again.swept.len()), (0, 0), "{again:?}");
    assert_eq!(
        world.line.epoch().await.unwrap(),
        2,
        "leftovers, and what was retired: a collection without work does not sweep"
    );

    // A copy is of what stands, and is accepted without the rest.
    let to: Arc<dyn Storage> = Arc::new(Memory::default());
    let copied = copy::copy(&world.vault, &to, |_| {}).await.unwrap();
    assert_eq!(copied.snapshots, 2);
    let copied = Vault::open_read_only(to, &access()).await.unwrap();
    assert_eq!(good(&copied).await.snapshots, 2);
    let mut world = world;
    let full: Vec<(u32, Record)> = start(10);
    assert_eq!(world.full(&full, 25).await.seq, 8, "a void took a number for each sweep");
    good(&world.vault).await;
}

#[tokio::test]
async fn s3_2__6_only_what_was_retired_may_be_missing() {
    let storage = Memory::default();
    let (world, _) = history(Arc::new(storage.clone())).await;
    run(&world, last(3), None).await;
    storage.delete(&format!("lines/{}/snapshots/0000000003.json", world.line.id())).await.unwrap();
    let report = verify::verify(&world.vault, &verify::Options::default()).await.unwrap();
    assert!(report.problems.iter().any(|problem| problem.file.ends_with("0000000003.json")), "{report:?}");
    let before = storage.paths();
    let blocked = run(&world, last(1), hours(48)).await;
    assert!(blocked.blocked.unwrap().contains("was not retired"));
    let after = storage.paths();
    assert!(
        before.iter().all(|path| after.contains(path) || path.ends_with("lease.json")),
        "nothing was deleted"
    );
    // Who retires by hand, without the key, is not believed.
    let storage = Memory::default();
    let (world, _) = self::history(Arc::new(storage.clone())).await;
    run(&world, last(3), None).await;
    let path = format!("lines/{}/deletions.json", world.line.id());
    let forged = String::from_utf8(storage.get(&path).await.unwrap().to_vec()).unwrap();
    let mut forged: serde_json::Value = serde_json::from_str(&forged).unwrap();
    forged["retired"][0]["seq"] = 3.into();
    forged.as_object_mut().unwrap().shift_remove("check");
    storage.delete(&path).await.unwrap();
    storage.put_if_absent(&path, serde_json::to_vec(&forged).unwrap().into()).await.unwrap();
    let error = world.line.deletions().await.unwrap_err();
    assert!(error.to_string().contains("signature"), "{error}");
    let report = verify::verify(&world.vault, &verify::Options::default()).await.unwrap();
    assert!(report.problems.iter().any(|problem| problem.file == path), "{report:?}");
}

#[tokio::test]
async fn s3_2__6_what_is_held_stays_and_what_a_longer_rule_keeps_comes_back() {
    let storage = Memory::default();
    let (world, history) = history(Arc::new(storage.clone())).await;
    world.line.add_hold("case-7", "a law suit", &[2]).await.unwrap();
    assert!(world.line.add_hold("case-8", "", &[99]).await.is_err());
    assert_eq!(world.line.holds().await.unwrap().len(), 1);
    let marked = run(&world, last(1), None).await;
    assert_eq!((marked.kept, &marked.retired, &marked.held), (2, &vec![1, 3, 4], &vec![2]));
    assert!(marked.held_bytes > 0);
    // The rule is lengthened, and somebody holds one that was retired.
    world.line.add_hold("case-9", "another", &[1]).await.unwrap();
    let longer = run(&world, last(2), hours(1)).await;
    assert_eq!((longer.restored.clone(), longer.kept), (vec![1, 4], 4), "{longer:?}");
    assert_eq!(longer.freed.files, 0, "what came back is needed");
    let swept = run(&world, last(2), hours(30)).await;
    assert_eq!(swept.swept, [3]);
    for at in [0, 1, 3, 4] {
        world.holds(&history[at].0, &history[at].1).await;
    }
    assert_eq!(good(&world.vault).await.snapshots, 4);
    assert!(world.line.add_hold("late", "", &[3]).await.is_err(), "it is gone");
    assert!(world.line.remove_hold("case-7").await.unwrap());
    assert!(!world.line.remove_hold("case-7").await.unwrap());
    assert_eq!(run(&world, last(2), hours(31)).await.retired, [2]);
    assert_eq!(run(&world, last(2), hours(56)).await.swept, [2]);
    good(&world.vault).await;
}

#[tokio::test]
async fn s3_2__6_a_run_that_may_go_on_keeps_its_files_until_it_is_closed() {
    let storage = Memory::default();
    let (world, history) = history(Arc::new(storage.clone())).await;
    assert!(run(&world, last(5), None).await.leftovers.files > 0, "of compaction");
    let run_id = world.line.run("died").unwrap();
    let attempt = run_id.begin_attempt().await.unwrap();
    let parts = page(&attempt, 0).await.parts;
    let mut blob = world.line.blob().unwrap();
    blob.write(b"of nobody").unwrap();
    let blob = blob.finish().await.unwrap();
    let held = run(&world, last(5), hours(48)).await;
    assert_eq!((held.held_back.files, held.freed.files), (2, 0), "{held:?}");
    assert!(held.open_runs.contains("died"));
    let closed = run(&world, last(5), hours(80)).await;
    assert_eq!((closed.leftovers.files, closed.closed_runs.len()), (2, 1), "{closed:?}");
    assert!(storage.head(&blob.file.path).await.is_err());
    assert!(!storage.paths().iter().any(|path| path.contains("runs/died/shards")));
    // It wakes up.
    assert_eq!(run_id.begin_attempt().await.unwrap_err().reason(), Reason::RunClosed);
    let mut lease = world.line.lease("died", TTL).await.unwrap();
    let error = try_commit(&world.line, &mut lease, &attempt, parts).await.unwrap_err();
    assert!(matches!(error, VaultError::RunClosed { .. }), "{error}");
    for (manifest, org) in &history {
        world.holds(manifest, org).await;
    }
    lease.release().await.unwrap();
    good(&world.vault).await;
    // While a run is at work nothing is collected.
    let lease = world.line.lease("at-work", TTL).await.unwrap();
    let busy = run(&world, last(1), hours(48)).await;
    assert!(busy.blocked.unwrap().contains("at-work"));
    lease.release().await.unwrap();
}

/// Old files of an erasure are nobody's, and the new ones are the snapshots'; in either order.
#[tokio::test]
async fn s3_2__6_what_was_erased_and_what_was_retired_do_not_harm_each_other() {
    let storage = Memory::default();
    let (world, history) = history(Arc::new(storage.clone())).await;
    let erased = |number: u32| Ids::parse(&id(number).to_string()).unwrap();
    let options = erase::Options { reason: "a request".into(), ..erase::Options::default() };
    erase(&world.line, &erased(9), &options).await.unwrap();
    run(&world, last(3), None).await;
    good(&world.vault).await;
    // Between mark and sweep.
    erase(&world.line, &erased(15), &options).await.unwrap();
    let swept = run(&world, last(3), hours(80)).await;
    assert_eq!(swept.swept, [1, 2], "{swept:?}");
    assert_eq!(good(&world.vault).await.snapshots, 3);
    erase(&world.line, &erased(16), &options).await.unwrap();
    run(&world, last(3), hours(160)).await;
    let report = good(&world.vault).await;
    for (manifest, org) in &history[2..] {
        let mut org = org.clone();
        org.retain(|number, _| ![9, 15, 16].contains(number));
        let manifest = world.line.manifest(&manifest.seq.to_string()).await.unwrap();
        world.holds(&manifest, &org).await;
    }
    let there =
        storage.paths().into_iter().filter(|p| p.contains("/objects/") || p.contains("/blobs/")).count();
    assert_eq!(there, report.files as usize);
}

#[tokio::test]
async fn s3_2__6_a_run_that_goes_on_after_a_sweep_does_not_name_what_is_gone() {
    let storage = Memory::default();
    let (world, _) = history(Arc::new(storage.clone())).await;
    let run_id = world.line.run("slow").unwrap();
    let attempt = run_id.begin_attempt().await.unwrap();
    let parts = page(&attempt, 0).await.parts;
    let swept = run(&world, last(1), None).await;
    assert!(swept.leftovers.files > 0 && swept.held_back.files > 0, "{swept:?}");
    assert_eq!(
        run(&world, last(1), hours(25)).await.swept.len(),
        0,
        "a run that began before may rest on them"
    );
    let mut lease = world.line.lease("slow", TTL).await.unwrap();
    storage.delete(&parts[0].path).await.unwrap();
    let error = try_commit(&world.line, &mut lease, &attempt, parts).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert_eq!(world.line.snapshots().await.unwrap().len(), 1);
    lease.release().await.unwrap();
    good(&world.vault).await;
}
