//! Any single call of the storage fails, in a full backup, an incremental one, and one that compacts: the run ends or
//! goes on, and the next one makes of it what a run in peace would have made. A seeded sample; every call with
//! `ORGKEEP_FAULTS=all`.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/faulty.rs"]
mod faulty;
#[path = "support/runs.rs"]
mod runs;
mod support;
#[path = "support/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use faulty::{FAULTS, Fault, Faulty};
use orgkeep_vault::verify;
use runs::{after, phase};
use support::*;
use world::*;

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_call_fails_nothing_acknowledged_is_lost() {
    let all = std::env::var_os("ORGKEEP_FAULTS").is_some_and(|value| value == "all");
    let mut random = Random(20_260_102);
    let prepared = tempfile::tempdir().unwrap();
    let mut table: BTreeMap<(u32, Fault), [u32; 3]> = BTreeMap::new();
    for number in 1..=3 {
        for fault in FAULTS {
            let mut calls = 0;
            loop {
                calls += if all { 1 } else { 1 + random.below(14) as i64 };
                let dir = tempfile::tempdir().unwrap();
                copy(prepared.path(), dir.path());
                let storage = volume(dir.path()).await;
                let left = Arc::new(AtomicI64::new(calls));
                let faulty = Faulty { inner: Arc::clone(&storage), left: Arc::clone(&left), fault };
                let first = phase(Arc::new(faulty), number).await;
                let came_to_it = left.load(Ordering::SeqCst) <= 0;
                let what = format!("phase {number}, {fault:?}, call {calls}");
                let second = phase(Arc::clone(&storage), number)
                    .await
                    .unwrap_or_else(|error| panic!("{what}: {error}, after {first:?}"));
                let world = World::on(storage).await.unwrap();
                let snapshots = world.line.snapshots().await.unwrap();
                assert_eq!(snapshots.len(), number as usize, "{what}");
                if let Ok(acknowledged) = &first {
                    assert_eq!(acknowledged.facts, second.facts, "{what}");
                }
                for (at, snapshot) in snapshots.iter().enumerate() {
                    world.holds(snapshot, &after(at as u32 + 1)).await;
                }
                let options = verify::Options { full: true, rows: true, ..Default::default() };
                let report = verify::verify(&world.vault, &options).await.unwrap();
                assert_eq!(report.problems, [], "{what}");
                let counts = table.entry((number, fault)).or_default();
                counts[0] += 1;
                counts[usize::from(first.is_err()) + 1] += 1;
                if !came_to_it {
                    break;
                }
            }
        }
        phase(volume(prepared.path()).await, number).await.unwrap();
    }
    println!("phase  fault     runs  went on  were done by the next");
    for ((phase, fault), [runs, well, ill]) in &table {
        println!("{phase:<6} {:<9} {runs:>4}  {well:>7}  {ill:>21}", format!("{fault:?}"));
    }
}
