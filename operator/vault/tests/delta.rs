//! Delta tables: each snapshot that changed an object is a version, whole or not there, with exactly its rows.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/faulty.rs"]
mod faulty;
mod support;
#[path = "support/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow_array::cast::AsArray;
use faulty::{FAULTS, Fault, Faulty};
use orgkeep_vault::Manifest;
use orgkeep_vault::export::{ExportError, Format, Options, What, export};
use orgkeep_vault::read::Keys;
use orgkeep_vault::storage::Storage;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use support::*;
use world::*;

fn options() -> Options {
    Options { rows_per_file: 20, ..Options::new(Format::Delta) }
}

/// The versions of a table, oldest first: the snapshot, and the paths of its files.
fn versions(dir: &Path) -> Vec<(u64, BTreeSet<String>)> {
    let (mut found, mut files) = (Vec::new(), BTreeSet::new());
    for version in 0.. {
        let Ok(text) = std::fs::read_to_string(dir.join(format!("Account/_delta_log/{version:020}.json")))
        else {
            break;
        };
        let mut snapshot = 0;
        for line in text.lines() {
            let action: Value = serde_json::from_str(line).unwrap();
            if let Some(txn) = action.pointer("/txn/version") {
                snapshot = txn.as_u64().unwrap();
            }
            if let Some(path) = action.pointer("/remove/path") {
                assert!(files.remove(path.as_str().unwrap()));
            }
            if let Some(path) = action.pointer("/add/path") {
                assert!(files.insert(path.as_str().unwrap().to_owned()));
            }
        }
        found.push((snapshot, files.clone()));
    }
    found
}

/// Names by number of the record.
fn rows(dir: &Path, files: &BTreeSet<String>) -> BTreeMap<u32, String> {
    let mut found = BTreeMap::new();
    for file in files {
        let bytes = bytes::Bytes::from(std::fs::read(dir.join("Account").join(file)).unwrap());
        for batch in ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let text = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
            for (id, name) in text("Id").iter().zip(text("Name").iter()) {
                let number = id.unwrap()[3..15].parse().unwrap();
                assert!(found.insert(number, name.unwrap().to_owned()).is_none(), "{number} is in two files");
            }
        }
    }
    found
}

async fn expected(world: &World, manifest: &Manifest) -> BTreeMap<u32, String> {
    let rows = world.read(manifest, Keys::All).await;
    rows.into_iter().map(|(number, cells)| (number, cells[1].clone().unwrap())).collect()
}

/// Every version of the table is its snapshot.
async fn same(world: &World, dir: &Path) -> Vec<u64> {
    let mut snapshots = Vec::new();
    for (snapshot, files) in versions(dir) {
        let manifest = world.line.manifest(&snapshot.to_string()).await.unwrap();
        assert_eq!(rows(dir, &files), expected(world, &manifest).await, "snapshot {snapshot}");
        snapshots.push(snapshot);
    }
    snapshots
}

fn changed(numbers: &[u32], name: &str) -> Vec<(u32, Option<Record>)> {
    numbers.iter().map(|number| (*number, Some(record(name, 2)))).collect()
}

/// 60 records, then changes in one range, growth at the end, nothing, and deletions with compaction.
async fn history(world: &mut World) {
    let mut records = start(60);
    records.sort();
    world.full(&records, 20).await;
    world.delta(&[changed(&[3, 5], "second")], None).await;
    world.delta(&[changed(&(60..100).collect::<Vec<_>>(), "third")], None).await;
    world.delta(&[], None).await;
    let gone: Vec<_> = (20..40).map(|number| (number, None)).collect();
    world.delta(&[gone], Some(&eager())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_snapshot_that_changed_is_a_version_and_exporting_again_adds_what_is_new() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path()).await;
    history(&mut world).await;
    let out = tempfile::tempdir().unwrap();
    let target = volume(out.path()).await;
    let second = world.line.manifest("2").await.unwrap();
    let done = export(&world.vault, &second, &target, &options(), |_| {}).await.unwrap();
    assert_eq!((done.versions, done.files, done.objects), (2, 4, 1), "three files, then one of them");
    assert_eq!(same(&world, out.path()).await, [1, 2]);
    let latest = world.line.latest().await.unwrap().unwrap();
    let done = export(&world.vault, &latest, &target, &options(), |_| {}).await.unwrap();
    assert_eq!((done.versions, done.present), (2, 2));
    assert_eq!(same(&world, out.path()).await, [1, 2, 3, 5], "the fourth changed nothing");
    let before = versions(out.path());
    assert_eq!(before[2].1.len(), 5, "the last range was cut in three: {before:?}");
    assert_eq!(before[3].1.len(), 4, "a range without rows has no file");
    let done = export(&world.vault, &latest, &target, &options(), |_| {}).await.unwrap();
    assert_eq!((done.versions, done.files), (0, 0));

    // Rows come again in a range that had none, and a field comes and goes.
    world.delta(&[changed(&[25, 26], "again")], None).await;
    world
        .schema
        .fields
        .push(serde_json::from_value(serde_json::json!({"name": "Extra__c", "type": "string"})).unwrap());
    world.delta(&[changed(&[1, 70], "extra")], None).await;
    world.schema.fields.pop();
    world.delta(&[changed(&[1], "plain")], Some(&eager())).await;
    let latest = world.line.latest().await.unwrap().unwrap();
    let done = export(&world.vault, &latest, &target, &options(), |_| {}).await.unwrap();
    assert_eq!(done.versions, 3);
    assert_eq!(same(&world, out.path()).await, [1, 2, 3, 5, 6, 7, 8]);

    // Other fields, or another line, make another table.
    let other = Options { fields: vec!["Name".into()], ..options() };
    let error = export(&world.vault, &latest, &target, &other, |_| {}).await.unwrap_err();
    assert!(matches!(&error, ExportError::Table { why, .. } if why.contains("empty place")), "{error}");
    let elsewhere = tempfile::tempdir().unwrap();
    let mut another = World::new(elsewhere.path()).await;
    let manifest = another.full(&start(5), 5).await;
    let error = export(&another.vault, &manifest, &target, &options(), |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("orgkeep.vault"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_call_fails_every_version_is_its_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path()).await;
    history(&mut world).await;
    let latest = world.line.latest().await.unwrap().unwrap();
    let mut table: BTreeMap<Fault, [u32; 2]> = BTreeMap::new();
    for fault in FAULTS {
        for call in 1.. {
            let out = tempfile::tempdir().unwrap();
            let target = volume(out.path()).await;
            let left = Arc::new(AtomicI64::new(call));
            let faulty: Arc<dyn Storage> =
                Arc::new(Faulty { inner: Arc::clone(&target), left: Arc::clone(&left), fault });
            let result = export(&world.vault, &latest, &faulty, &options(), |_| {}).await;
            let seen = same(&world, out.path()).await;
            assert!(
                result.is_err() || seen == [1, 2, 3, 5],
                "{fault:?}, call {call}: said done, has {seen:?}"
            );
            if let Err(error) = &result {
                let typed = matches!(error, ExportError::Target { .. } | ExportError::Table { .. });
                assert!(typed, "{fault:?}, call {call}: {error:?}");
            }
            table.entry(fault).or_default()[usize::from(result.is_err())] += 1;
            export(&world.vault, &latest, &target, &options(), |_| {}).await.unwrap();
            assert_eq!(same(&world, out.path()).await, [1, 2, 3, 5], "{fault:?}, call {call}");
            if left.load(Ordering::SeqCst) > 0 {
                break;
            }
        }
    }
    eprintln!("Delta export, a call fails: done in spite of it, cut: {table:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_became_another_type_is_that_type_from_there_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path()).await;
    let mut records = start(30);
    records.sort();
    world.full(&records, 20).await;
    world.schema.fields[2] =
        serde_json::from_value(serde_json::json!({"name": "AnnualRevenue", "type": "string", "length": 40}))
            .unwrap();
    let retyped =
        world.delta(&[vec![(4, Some(("n".into(), "about 7".into(), "2".into(), user(3))))]], None).await;
    let out = tempfile::tempdir().unwrap();
    let target = volume(out.path()).await;
    export(&world.vault, &retyped, &target, &options(), |_| {}).await.unwrap();
    assert_eq!(same(&world, out.path()).await, [1, 2]);
    let expected: BTreeMap<u32, Option<String>> = world
        .read(&retyped, Keys::All)
        .await
        .into_iter()
        .map(|(number, cells)| (number, cells[2].clone()))
        .collect();
    let all = versions(out.path());
    let mut found = BTreeMap::new();
    for file in &all[1].1 {
        assert!(!all[0].1.contains(file), "a file of the old type is in the new version");
        let bytes = bytes::Bytes::from(std::fs::read(out.path().join("Account").join(file)).unwrap());
        for batch in ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let text = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
            for (id, revenue) in text("Id").iter().zip(text("AnnualRevenue").iter()) {
                found.insert(id.unwrap()[3..15].parse::<u32>().unwrap(), revenue.map(str::to_owned));
            }
        }
    }
    assert_eq!(found, expected);
    // Every version of a row, each in the newest type, and in text as it was.
    for format in [Format::Parquet, Format::Csv] {
        let out = tempfile::tempdir().unwrap();
        let target = volume(out.path()).await;
        let changes = Options { what: What::Changes { since: None }, ..Options::new(format) };
        let done = export(&world.vault, &retyped, &target, &changes, |_| {}).await.unwrap();
        assert_eq!(done.rows, 31, "{format:?}");
    }
}
