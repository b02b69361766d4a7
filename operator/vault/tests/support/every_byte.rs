//! A search through every byte of a vault, raw and after decryption: columns, states, sealed ranges, trees, blobs,
//! journals. It walks the storage, not the manifests, so it sees what nothing rests on, too.
#![allow(dead_code, missing_docs, unreachable_pub)] // each test binary uses its part

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use orgkeep_vault::storage::Storage;
use orgkeep_vault::{BlobRef, FileRef, Part, Vault};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::encryption::decrypt::FileDecryptionProperties;

use crate::support::*;

/// Where a text still stands, sorted.
pub async fn left(storage: &Arc<dyn Storage>, wanted: &str) -> Vec<String> {
    left_of(storage, &[wanted]).await
}

/// Where any of these texts still stands, sorted.
pub async fn left_of(storage: &Arc<dyn Storage>, wanted: &[&str]) -> Vec<String> {
    let vault = Vault::create_or_open(Arc::clone(storage), &access()).await.unwrap();
    let mut found = Vec::new();
    let (mut parts, mut blobs) = (BTreeMap::new(), BTreeMap::new());
    let files = listing(&**storage).await;
    for path in &files {
        let bytes = storage.get(path).await.unwrap();
        if holds(&bytes, wanted) {
            found.push(format!("{path} (raw)"));
        }
        if std::path::Path::new(path).extension().is_some_and(|of| of == "json") {
            let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            walk(&document, &mut |value| {
                if value.get("wrappedKey").is_some() && value.get("path").is_some() {
                    let part: Part = serde_json::from_value(value.clone()).unwrap();
                    let key = (part.path.clone(), path.clone());
                    parts.insert(key, part);
                }
                if let Some(blob) = value.get("tree")
                    && let Ok(blob) = serde_json::from_value::<BlobRef>(blob.clone())
                {
                    blobs.insert(blob.file.path.clone(), blob);
                }
            });
        }
    }
    let mut seen = BTreeSet::new();
    for ((path, told_by), part) in &parts {
        if let Ok(Some(ids)) = vault.ids(part)
            && [&ids.min, &ids.max].iter().any(|id| holds(id.as_bytes(), wanted))
        {
            found.push(format!("{told_by} (sealed range of {path})"));
        }
        if !seen.insert(path.clone()) || !files.contains(path) {
            continue;
        }
        let bytes = storage.get(path).await.unwrap();
        let key = vault.open_key(part).unwrap();
        let mut options = ArrowReaderOptions::new();
        if let Some(key) = key.bytes() {
            let properties = FileDecryptionProperties::builder(key.to_vec()).build().unwrap();
            options = options.with_file_decryption_properties(properties);
        }
        let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options).unwrap();
        let footer = format!("{:?}", reader.metadata());
        if holds(footer.as_bytes(), wanted) {
            found.push(format!("{path} (footer)"));
        }
        for group in reader.metadata().row_groups() {
            for column in group.columns() {
                let sides = column
                    .statistics()
                    .map(|s| [s.min_bytes_opt().map(<[u8]>::to_vec), s.max_bytes_opt().map(<[u8]>::to_vec)]);
                if sides.into_iter().flatten().flatten().any(|side| holds(&side, wanted)) {
                    found.push(format!("{path} (statistics)"));
                }
            }
        }
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                if let Some(texts) = column.as_string_opt::<i32>()
                    && texts.iter().flatten().any(|text| holds(text.as_bytes(), wanted))
                {
                    found.push(format!("{path} ({})", field.name()));
                }
            }
        }
    }
    // parts that no document tells of any more cannot be opened: they must not be there
    for path in files.iter().filter(|path| path.ends_with(".parquet")) {
        if !seen.contains(path) {
            found.push(format!("{path} (told by nothing)"));
        }
    }
    let mut known: BTreeMap<String, BlobRef> = blobs.clone();
    for (path, tree) in &blobs {
        if !files.contains(path) {
            continue;
        }
        let content = vault.blob(tree).await.unwrap();
        for entry in serde_json::from_slice::<Vec<orgkeep_vault::TreeEntry>>(&content).unwrap_or_default() {
            known.insert(entry.blob.file.path.clone(), entry.blob);
        }
    }
    for path in files.iter().filter(|path| {
        path.contains("/blobs/") && std::path::Path::new(path).extension().is_none_or(|of| of != "json")
    }) {
        let size = storage.head(path).await.unwrap();
        let blob = known.get(path).cloned().unwrap_or_else(|| {
            // its content's size follows from its own, and its key from its name
            let chunks = (size - 8).div_ceil((1 << 20) + 16);
            let file = FileRef { path: path.clone(), size, sha256: String::new() };
            BlobRef { file, size: size - 8 - 16 * chunks }
        });
        match vault.blob(&blob).await {
            Ok(content) if holds(&content, wanted) => found.push(format!("{path} (content)")),
            Ok(_) => {}
            Err(error) => found.push(format!("{path} (not opened: {error})")),
        }
    }
    found.sort();
    found.dedup();
    found
}

fn holds(bytes: &[u8], wanted: &[&str]) -> bool {
    let first = |text: &&str| text.as_bytes().first().copied().unwrap_or_default();
    let begins: BTreeSet<u8> = wanted.iter().map(first).collect();
    bytes.iter().enumerate().any(|(at, byte)| {
        begins.contains(byte) && wanted.iter().any(|text| bytes[at..].starts_with(text.as_bytes()))
    })
}

fn walk(value: &serde_json::Value, visit: &mut impl FnMut(&serde_json::Value)) {
    visit(value);
    match value {
        serde_json::Value::Object(members) => members.values().for_each(|value| walk(value, visit)),
        serde_json::Value::Array(values) => values.iter().for_each(|value| walk(value, visit)),
        _ => {}
    }
}
