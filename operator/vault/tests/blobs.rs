//! Blobs: stored once, read by ranges, told when they are not what was stored.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;
#[path = "support/world.rs"]
mod world;

use std::sync::Arc;

use orgkeep_core::reason::Reason;
use orgkeep_vault::copy::copy;
use orgkeep_vault::verify::{self, repair::repair};
use orgkeep_vault::{Access, BlobRef, Line, Manifest, TreeEntry, Vault};
use support::*;
use world::*;

const MIB: usize = 1 << 20;

fn content(size: usize, seed: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 + at / 251 + seed) as u8).collect()
}

async fn put(line: &Line, content: &[u8]) -> BlobRef {
    let mut blob = line.blob().unwrap();
    for piece in content.chunks(700_000) {
        blob.write(piece).unwrap();
    }
    blob.finish().await.unwrap()
}

async fn vault(dir: &std::path::Path, access: Access) -> (Vault, Line) {
    let vault = Vault::create_or_open(volume(dir).await, &access).await.unwrap();
    let line = vault.create_line(&owner(), &org()).await.unwrap();
    (vault, line)
}

#[tokio::test]
async fn content_of_any_size_comes_back_whole_and_in_ranges() {
    for access in [access(), Access::default()] {
        let dir = tempfile::tempdir().unwrap();
        let (vault, line) = vault(dir.path(), access).await;
        // Below, at and above the borders of chunks, and beyond what is held in memory.
        for size in [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB, 8 * MIB, 11 * MIB + 17] {
            let content = content(size, size);
            let blob = put(&line, &content).await;
            assert_eq!(blob.size, size as u64);
            assert_eq!(vault.storage().head(&blob.file.path).await.unwrap(), blob.file.size);
            assert!(vault.blob(&blob).await.unwrap() == content, "{size}");
            for range in [0..10, size / 2..size / 2 + 2 * MIB, size.saturating_sub(5)..size + 5] {
                let expected = &content[range.start.min(size)..range.end.min(size)];
                let read = vault.blob_range(&blob, range.start as u64..range.end as u64).await.unwrap();
                assert!(read == expected, "{size}: {range:?}");
            }
        }
        assert_eq!(std::fs::read_dir(dir.path().join(".tmp")).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn the_same_content_is_stored_once_and_its_name_says_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (first, line) = vault(&dir.path().join("one"), access()).await;
    let secret = content(2 * MIB, 3);
    let blob = put(&line, &secret).await;
    let files = listing(&**first.storage()).await;
    assert_eq!(put(&line, &secret).await, blob);
    assert_eq!(listing(&**first.storage()).await, files);
    assert_ne!(put(&line, &content(2 * MIB, 4)).await.file.path, blob.file.path);
    // In another vault the same content has another name, and other bytes.
    let (_, line) = vault(&dir.path().join("other"), access()).await;
    let other = put(&line, &secret).await;
    assert_ne!(other.file.path.rsplit('/').next(), blob.file.path.rsplit('/').next());
    assert_ne!(other.file.sha256, blob.file.sha256);
    let stored = first.storage().get(&blob.file.path).await.unwrap();
    assert!(!stored.windows(64).any(|window| window == &secret[..64]));
    // Without the key it is not read.
    let auditor = Vault::open_read_only(Arc::clone(first.storage()), &Access::default()).await.unwrap();
    assert_eq!(auditor.blob(&blob).await.unwrap_err().reason(), Reason::WrongEncryptionKey);
}

#[tokio::test]
async fn a_blob_that_is_another_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (vault, line) = vault(dir.path(), access()).await;
    let blob = put(&line, &content(2 * MIB, 1)).await;
    let other = put(&line, &content(2 * MIB, 2)).await;
    let file = dir.path().join(&blob.file.path);
    let good = std::fs::read(&file).unwrap();
    type Harm<'a> = &'a dyn Fn(&mut Vec<u8>);
    let harms: [Harm<'_>; 4] = [
        &|bytes| bytes[500] ^= 1,
        &|bytes| bytes.truncate(MIB),
        &|bytes| *bytes = std::fs::read(dir.path().join(&other.file.path)).unwrap(),
        // Two chunks in each other's place.
        &|bytes| {
            let chunk = MIB + 16;
            let (one, two) = bytes[8..].split_at_mut(chunk);
            one.swap_with_slice(two);
        },
    ];
    for (number, harm) in harms.iter().enumerate() {
        let mut bytes = good.clone();
        harm(&mut bytes);
        std::fs::write(&file, bytes).unwrap();
        let read = vault.blob(&blob).await.unwrap_err();
        assert_eq!(read.reason(), Reason::VaultCorrupted, "{number}: {read}");
        // Whoever would store it again does not take what is there for it.
        let mut again = line.blob().unwrap();
        again.write(&content(2 * MIB, 1)).unwrap();
        assert_eq!(again.finish().await.unwrap_err().reason(), Reason::VaultCorrupted, "{number}");
    }
}

#[tokio::test]
async fn a_tree_that_did_not_change_is_the_same_blob() {
    let dir = tempfile::tempdir().unwrap();
    let (vault, line) = vault(dir.path(), access()).await;
    let mut entries = Vec::new();
    for name in ["objects/Account.object", "classes/A.cls", "classes/B.cls"] {
        entries.push(TreeEntry { path: name.into(), blob: put(&line, name.as_bytes()).await });
    }
    let tree = line.put_tree("metadata", entries.clone()).await.unwrap();
    entries.reverse();
    assert_eq!(line.put_tree("metadata", entries.clone()).await.unwrap(), tree);
    let read = vault.tree(&tree.tree).await.unwrap();
    assert_eq!(
        read.iter().map(|e| e.path.as_str()).collect::<Vec<_>>(),
        ["classes/A.cls", "classes/B.cls", "objects/Account.object"]
    );
    assert_eq!(vault.blob(&read[0].blob).await.unwrap(), "classes/A.cls");
    entries.push(entries[0].clone());
    assert!(line.put_tree("metadata", entries).await.is_err());
    assert_eq!((tree.files, tree.bytes), (3, 22 + 13 + 13));
}

#[tokio::test]
async fn snapshots_rest_on_their_trees() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut world = World::new(here.path()).await;
    world.trees = true;
    let first = world.full(&start(20), 20).await;
    let second = world.delta(&[vec![(3, Some(record("changed", 1)))]], None).await;
    let third = world.delta(&[vec![(4, Some(record("changed", 2)))]], None).await;
    // A file in three was another in the second run; in the third nothing of the tree is new.
    assert_ne!(first.tree("metadata"), second.tree("metadata"));
    assert_eq!(second.tree("metadata"), third.tree("metadata"));
    let files = world.vault.files_of(&third).await.unwrap();
    let blobs: Vec<&str> = files.keys().map(String::as_str).filter(|path| path.contains("/blobs/")).collect();
    // Two contents under three paths, the tree, its list.
    assert_eq!(blobs.len(), 4, "{blobs:?}");
    let size = |manifest: &Manifest, of: &[&str]| -> u64 {
        manifest
            .files
            .iter()
            .filter(|file| of.iter().any(|word| file.path.contains(word)))
            .map(|f| f.size)
            .sum()
    };
    assert_eq!(third.size_bytes, size(&third, &["run-3.1"]), "only rows and their state are new");

    // A copy has them, and nobody needs a key for it.
    let auditor = Vault::open_read_only(Arc::clone(world.vault.storage()), &Access::default()).await.unwrap();
    let to = volume(there.path()).await;
    copy(&auditor, &to, |_| {}).await.unwrap();
    let copied = Vault::open_read_only(to, &access()).await.unwrap();
    let full = verify::Options { full: true, rows: true, ..Default::default() };
    let report = verify::verify(&copied, &full).await.unwrap();
    assert!(report.is_good(), "{report:?}");
    let entries = copied.tree(&third.tree("metadata").unwrap().tree).await.unwrap();
    assert_eq!(copied.blob(&entries[2].blob).await.unwrap(), "<CustomObject>1</CustomObject>");

    // A list that is gone follows from its tree; a blob that is gone is lost, and its snapshots are named.
    let list = here.path().join(&third.tree("metadata").unwrap().list.path);
    let before = std::fs::read(&list).unwrap();
    std::fs::remove_file(&list).unwrap();
    let done = repair(&world.vault, &full).await.unwrap();
    assert!(done.lost.is_empty() && done.rebuilt.len() == 1, "{done:?}");
    assert_eq!(std::fs::read(&list).unwrap(), before);
    std::fs::remove_file(here.path().join(&entries[2].blob.file.path)).unwrap();
    let report = verify::verify(&auditor, &verify::Options::default()).await.unwrap();
    let told: Vec<_> =
        report.problems.iter().map(|problem| (&problem.file, problem.snapshots.len())).collect();
    assert_eq!(told, [(&entries[2].blob.file.path, 2)], "{report:?}");
}
