//! What follows from something else in a vault is built anew, byte for byte; of the rest it is told what is lost.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;
#[path = "support/world.rs"]
mod world;

use std::path::Path;
use std::sync::{Arc, Mutex};

use orgkeep_vault::verify::repair::repair;
use orgkeep_vault::verify::{self, Observer, Options, Sample};
use orgkeep_vault::{FileRef, ShardRecord};
use support::*;
use world::*;

fn full() -> Options {
    Options { full: true, ..Options::default() }
}

fn find(dir: &Path, word: &str) -> std::path::PathBuf {
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.path().to_str().unwrap().contains(word) {
                return entry.path();
            }
        }
    }
    panic!("no {word}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_from_elsewhere_is_built_anew() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path()).await;
    // The plan holds the schema, as the engine's does.
    for name in ["run-1", "run-2"] {
        world
            .line
            .run(name)
            .unwrap()
            .put_plan(&serde_json::json!({"objects": [world.schema]}))
            .await
            .unwrap();
    }
    world.full(&start(30), 30).await;
    world.delta(&[vec![(3, Some(record("changed", 1)))]], None).await;
    for (number, name) in ["run-1", "run-2"].iter().enumerate() {
        let manifest = world.line.manifest(&(number + 1).to_string()).await.unwrap();
        let state = world.state(&manifest).await;
        let parts = state.parts.iter().filter(|part| part.path.contains(name)).cloned().collect();
        let attempt = world.line.run(name).unwrap().begin_attempt().await.unwrap();
        let record = ShardRecord { object: "Account".into(), parts, ..ShardRecord::default() };
        attempt.put_shard(record).await.unwrap();
    }
    let states = ["run-1.1/state.json", "run-2.1/state.json"].map(|name| find(dir.path(), name));
    let before = states.clone().map(|file| std::fs::read(file).unwrap());
    std::fs::remove_file(&states[0]).unwrap();
    std::fs::write(&states[1], &before[1][..200]).unwrap();
    std::fs::remove_file(find(dir.path(), "/line.1.json")).unwrap();
    std::fs::write(find(dir.path(), "/epoch."), "{").unwrap();
    std::fs::write(find(dir.path(), "/plan.json"), "{}x").unwrap();
    assert!(!verify::verify(&world.vault, &full()).await.unwrap().is_good());

    let done = repair(&world.vault, &full()).await.unwrap();
    assert_eq!(done.lost, [], "{done:?}");
    assert_eq!(done.rebuilt.len(), 5, "{done:?}");
    assert_eq!(states.map(|file| std::fs::read(file).unwrap()), before);
    world.verify().await;
    assert!(world.vault.find_line(&owner()).await.unwrap().is_some());
    assert_eq!(repair(&world.vault, &full()).await.unwrap(), verify::repair::Repair::default());

    // A part exists once.
    let part = find(dir.path(), "run-1.1/0.parquet");
    std::fs::remove_file(&part).unwrap();
    let done = repair(&world.vault, &full()).await.unwrap();
    assert_eq!(done.rebuilt, []);
    assert!(done.lost[0].file.ends_with("run-1.1/0.parquet"));
    assert_eq!(
        (done.lost[0].objects.as_slice(), done.lost[0].snapshots.len()),
        (&["Account".to_owned()][..], 2)
    );
}

/// Stops to know what it was told after so many files.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<String>>);

impl Observer for Notes {
    fn knows(&self, file: &FileRef) -> bool {
        self.0.lock().unwrap().contains(&file.path)
    }
    fn read(&self, file: &FileRef, good: bool, done: u64, all: u64) {
        assert!(done <= all);
        if good {
            self.0.lock().unwrap().push(file.path.clone());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_goes_on_where_it_was_and_samples_are_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path()).await;
    let mut all = start(300);
    all.sort_by_key(|(number, _)| *number); // pages in no order would be merged
    world.full(&all, 10).await;
    let notes = Arc::new(Notes::default());
    let options = Options { observer: Some(Arc::clone(&notes) as Arc<dyn Observer>), ..full() };
    let whole = verify::verify(&world.vault, &options).await.unwrap();
    assert_eq!((whole.read, whole.rows, notes.0.lock().unwrap().len()), (61, 300, 61));
    // What was good is not read again: harm that came since is not seen.
    let part = find(dir.path(), ".parquet");
    let bytes = std::fs::read(&part).unwrap();
    let mut bent = bytes.clone();
    bent[50] ^= 1;
    std::fs::write(&part, bent).unwrap();
    let again = verify::verify(&world.vault, &options).await.unwrap();
    assert_eq!((again.problems.len(), again.rows), (0, 300));
    assert_eq!(verify::verify(&world.vault, &full()).await.unwrap().problems.len(), 1);
    std::fs::write(&part, bytes).unwrap();

    let sampled = |percent, seed| Options { sample: Some(Sample { percent, seed }), ..full() };
    let third = verify::verify(&world.vault, &sampled(30, 1)).await.unwrap();
    assert!((6..35).contains(&third.read), "{third:?}");
    assert_eq!(verify::verify(&world.vault, &sampled(30, 1)).await.unwrap(), third);
    assert_eq!(verify::verify(&world.vault, &sampled(100, 1)).await.unwrap().read, 61);
}
