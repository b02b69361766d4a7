//! The power is cut at any moment: every prefix of what a vault does to a disk, with what was not synced kept, lost, or
//! lost in part. Whatever was acknowledged is there, whole. A seeded sample; all of it with `ORGKEEP_FAULTS=all`.
//!
//! The disk of the model promises what POSIX promises and no more: bytes last once their file is synced, names once
//! their folder is.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::needless_range_loop)] // calls are told by their numbers

mod support;
#[path = "support/world.rs"]
mod world;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use orgkeep_vault::storage::{Disk, Storage, probe, volume_on};
use orgkeep_vault::{Vault, verify};
use support::*;
use world::*;

#[derive(Debug, Clone)]
enum Call {
    Create(PathBuf),
    Write(PathBuf, Vec<u8>),
    SyncFile(PathBuf),
    Link(PathBuf, PathBuf),
    CreateDir(PathBuf),
    SyncDir(PathBuf),
    Remove(PathBuf),
    /// Somebody was told that a snapshot stands.
    Told(String),
}

/// What is left out, to see that it is missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Careless {
    Not,
    FileSync,
    FolderSync,
    /// Writes over what is there instead of linking.
    Link,
}

/// A disk that writes down what is done to it.
#[derive(Debug)]
struct Recorder {
    root: PathBuf,
    careless: Careless,
    calls: Mutex<Vec<Call>>,
}

struct System;
impl std::fmt::Debug for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("System")
    }
}
impl Disk for System {}

impl Recorder {
    fn new(root: &Path, careless: Careless) -> Arc<Self> {
        Arc::new(Self { root: root.to_owned(), careless, calls: Mutex::default() })
    }

    fn note(&self, call: impl FnOnce(&dyn Fn(&Path) -> PathBuf) -> Call) {
        let within = |path: &Path| path.strip_prefix(&self.root).unwrap_or(Path::new("")).to_owned();
        self.calls.lock().unwrap().push(call(&within));
    }
}

impl Disk for Recorder {
    fn create(&self, path: &Path) -> io::Result<File> {
        let file = System.create(path)?;
        self.note(|within| Call::Create(within(path)));
        Ok(file)
    }
    fn write(&self, path: &Path, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        System.write(path, file, bytes)?;
        self.note(|within| Call::Write(within(path), bytes.to_vec()));
        Ok(())
    }
    fn sync_file(&self, path: &Path, _file: &File) -> io::Result<()> {
        // Nothing is lost here: the model says what would have been.
        if self.careless != Careless::FileSync {
            self.note(|within| Call::SyncFile(within(path)));
        }
        Ok(())
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.careless == Careless::Link {
            std::fs::copy(from, to)?;
        } else {
            System.link(from, to)?;
        }
        self.note(|within| Call::Link(within(from), within(to)));
        Ok(())
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        System.create_dir(path)?;
        self.note(|within| Call::CreateDir(within(path)));
        Ok(())
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if self.careless != Careless::FolderSync {
            self.note(|within| Call::SyncDir(within(path)));
        }
        Ok(())
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        System.remove(path)?;
        self.note(|within| Call::Remove(within(path)));
        Ok(())
    }
}

/// Files of the disk after a cut: which of the calls before `until` that were not synced took place is up to `kept`.
fn after_cut(
    calls: &[Call],
    until: usize,
    kept: &dyn Fn(usize) -> bool,
) -> (HashMap<PathBuf, Vec<u8>>, Vec<String>) {
    let parent = |path: &Path| path.parent().unwrap_or(Path::new("")).to_owned();
    let lasts = |at: usize| {
        let later = &calls[at + 1..until];
        match &calls[at] {
            Call::Write(path, _) => later.iter().any(|c| matches!(c, Call::SyncFile(p) if p == path)),
            Call::Link(_, to) => later.iter().any(|c| matches!(c, Call::SyncDir(p) if *p == parent(to))),
            Call::CreateDir(path) | Call::Remove(path) => {
                later.iter().any(|c| matches!(c, Call::SyncDir(p) if *p == parent(path)))
            }
            _ => true,
        }
    };
    let mut bytes: HashMap<PathBuf, Vec<u8>> = HashMap::new();
    let mut names: HashMap<PathBuf, PathBuf> = HashMap::new();
    let mut folders = vec![PathBuf::new(), PathBuf::from(".tmp")];
    let mut told = Vec::new();
    for (at, call) in calls.iter().enumerate().take(until) {
        if !lasts(at) && !kept(at) {
            continue;
        }
        match call {
            Call::Create(path) => drop(bytes.insert(path.clone(), Vec::new())),
            Call::Write(path, more) => bytes.entry(path.clone()).or_default().extend_from_slice(more),
            Call::Link(from, to) if folders.contains(&parent(to)) => {
                names.insert(to.clone(), from.clone());
            }
            Call::CreateDir(path) if folders.contains(&parent(path)) => folders.push(path.clone()),
            Call::Remove(path) => drop(names.remove(path)),
            Call::Told(digest) => told.push(digest.clone()),
            _ => {}
        }
    }
    let files = names.into_iter().map(|(to, from)| (to, bytes.get(&from).cloned().unwrap_or_default()));
    (files.collect(), told)
}

/// What a vault does to a disk in a full backup and two incremental ones.
async fn record(careless: Careless) -> Vec<Call> {
    let dir = tempfile::tempdir().unwrap();
    let disk = Recorder::new(dir.path(), careless);
    let storage: Arc<dyn Storage> = volume_on(dir.path().to_owned(), Arc::clone(&disk) as Arc<dyn Disk>);
    let mut world = World::on(storage).await.unwrap();
    let tell = |digest: String| disk.calls.lock().unwrap().push(Call::Told(digest));
    tell(world.full(&start(12), 12).await.digest);
    tell(world.delta(&[vec![(3, Some(record_of(1))), (4, None)]], None).await.digest);
    tell(world.delta(&[vec![(5, Some(record_of(2)))]], Some(&eager())).await.digest);

    disk.calls.lock().unwrap().clone()
}

fn record_of(day: u32) -> Record {
    world::record("changed", day)
}

/// What is wrong with a vault after a cut, if anything.
async fn wrong(files: HashMap<PathBuf, Vec<u8>>, told: &[String]) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let storage = volume(dir.path()).await;
    let vault = match Vault::open_read_only(Arc::clone(&storage), &access()).await {
        Ok(vault) => vault,
        Err(orgkeep_vault::VaultError::NoVault(_)) if told.is_empty() => return None,
        Err(error) => return Some(error.to_string()),
    };
    let options = verify::Options { full: true, ..Default::default() };
    let report = verify::verify(&vault, &options).await.unwrap();
    if !report.is_good() {
        return Some(format!("{:?}", report.problems));
    }
    for digest in told {
        let options = verify::Options { expect: Some(digest.clone()), ..Default::default() };
        if !verify::verify(&vault, &options).await.unwrap().is_good() {
            return Some(format!("{digest} was acknowledged, and is lost"));
        }
    }
    None
}

/// States after a cut that were looked at, and what was wrong with them.
async fn cut_anywhere(calls: &[Call], all: bool, until_wrong: bool) -> (u32, Vec<String>) {
    let mut random = Random(20_260_103);
    let (mut looked, mut found) = (0, Vec::new());
    let mut until = 0;
    while until < calls.len() {
        until = (until + if all { 1 } else { 1 + random.below(24) as usize }).min(calls.len());
        let salt = random.below(u64::MAX);
        let drawn =
            |at: usize| Random(salt ^ (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)).below(2) == 0;
        let drawn_again = |at: usize| Random(!salt ^ (at as u64 + 1).wrapping_mul(0x9e37_79b9)).below(2) == 0;
        let mut ways: Vec<Box<dyn Fn(usize) -> bool>> =
            vec![Box::new(|_| false), Box::new(|_| true), Box::new(drawn), Box::new(drawn_again)];
        if all {
            for single in until.saturating_sub(24)..until {
                ways.push(Box::new(move |at| at != single));
                ways.push(Box::new(move |at| at == single));
            }
        }
        for kept in &ways {
            let (files, told) = after_cut(calls, until, kept.as_ref());
            looked += 1;
            if let Some(why) = wrong(files, &told).await {
                found.push(format!("cut at {until}: {why}"));
                if until_wrong {
                    return (looked, found);
                }
            }
        }
    }
    (looked, found)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_takes_nothing_that_was_acknowledged() {
    let all = std::env::var_os("ORGKEEP_FAULTS").is_some_and(|value| value == "all");
    let calls = record(Careless::Not).await;
    let (looked, found) = cut_anywhere(&calls, all, false).await;
    println!("{} calls, {looked} states after a cut, {} wrong", calls.len(), found.len());
    assert_eq!(found, Vec::<String>::new());
    // A vault that leaves a sync out is caught.
    for careless in [Careless::FileSync, Careless::FolderSync] {
        let calls = record(careless).await;
        let (looked, found) = cut_anywhere(&calls, false, true).await;
        println!("{careless:?} left out: caught after {looked} states: {found:?}");
        assert!(!found.is_empty(), "{careless:?}");
    }
}

#[tokio::test]
async fn a_disk_that_overwrites_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let storage = volume_on(dir.path().to_owned(), Recorder::new(dir.path(), Careless::Link));
    let error = probe(&*storage).await.unwrap_err();
    assert_eq!(error.reason(), orgkeep_core::reason::Reason::ConditionalWritesUnsupported, "{error}");
}
