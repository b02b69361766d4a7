use std::sync::Arc;

use arrow_array::{RecordBatch, StringArray};

use super::*;
use crate::keys::{Access, Key};
use crate::search::keys;
use crate::search::{Builder, Index};

fn index(groups: usize, rows: usize) -> Index {
    let mut builder = Builder::new();
    for group in 0..groups {
        let texts: Vec<String> = (0..rows).map(|row| format!("word{} same", group * rows + row)).collect();
        let column: arrow_array::ArrayRef = Arc::new(StringArray::from(texts));
        builder.add(&RecordBatch::try_from_iter([("Name", column)]).unwrap()).unwrap();
        builder.end_group();
    }
    builder.finish()
}

async fn stored(key: bool, groups: usize, rows: usize) -> (tempfile::TempDir, Vault, Part) {
    let directory = tempfile::tempdir().unwrap();
    let storage = crate::Location::Volume(directory.path().into()).open().await.unwrap();
    let key = key.then(|| Key::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap());
    let access = Access { key, ..Access::default() };
    let vault = Vault::create_or_open(storage, &access).await.unwrap();
    let data = vault.keys().new_data_key().unwrap();
    let path = "lines/l/objects/A/r.1/p.terms".to_owned();
    let bytes = seal(&index(groups, rows), &path, &data).unwrap();
    vault.storage().put_if_absent(&path, bytes.clone()).await.unwrap();
    let file = FileRef { path, size: bytes.len() as u64, sha256: digest::sha256(&bytes) };
    let part = Part {
        path: "lines/l/objects/A/r.1/p.parquet".into(),
        wrapped_key: data.wrapped().to_owned(),
        index: Some(file),
        ..Part::default()
    };
    (directory, vault, part)
}

#[tokio::test]
async fn an_index_says_where_a_word_may_be() {
    for (key, groups, rows) in [(true, 3, 500), (false, 3, 500), (true, 40, 20_000)] {
        let (_directory, vault, part) = stored(key, groups, rows).await;
        let terms = Terms::open(&vault, &part).await.unwrap().unwrap();
        assert_eq!(terms.groups(), groups);
        for (group, row) in [(0, 0), (1, 17), (groups - 1, rows - 1)] {
            let word = format!("word{}", group * rows + row);
            let found = terms.groups_with(&vault, keys::word(&word)).await.unwrap();
            assert!(found[group], "{word}");
            assert!(found.iter().filter(|yes| **yes).count() <= 2);
        }
        assert!(terms.groups_with(&vault, keys::word("same")).await.unwrap().iter().all(|yes| *yes));
        vault.check_index(&part).await.unwrap();
    }
}

#[tokio::test]
async fn an_index_that_is_not_what_was_written_is_told() {
    let (directory, vault, part) = stored(true, 40, 20_000).await;
    let file = part.index.clone().unwrap();
    let path = directory.path().join(&file.path);
    let good = std::fs::read(&path).unwrap();
    assert!(good.len() as u64 > WHOLE, "{}", good.len());
    let tells = async |bytes: &[u8], what: &str| {
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, bytes).unwrap();
        assert!(vault.check_index(&part).await.is_err(), "{what}");
        // what a search reads of it is authentic by itself
        let found = match Terms::open(&vault, &part).await {
            Ok(Some(terms)) => terms.groups_with(&vault, keys::word("word1")).await,
            Ok(None) => panic!("{what}: taken for one of another version"),
            Err(error) => Err(error),
        };
        if let Ok(found) = found {
            assert!(found[0], "{what}: a hit was lost");
        }
    };
    for at in (0..good.len()).step_by(good.len() / 37) {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        tells(&bytes, &format!("byte {at}")).await;
    }
    for at in good.len() - 20..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0x80;
        tells(&bytes, &format!("byte {at}")).await;
        tells(&good[..at], &format!("cut at {at}")).await;
    }
    tells(&[], "empty").await;
}
