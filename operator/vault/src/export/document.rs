//! The documents of an export in its target.
//!
//! `_export/begun.json` says what is being exported, `_export/attempts/<n>.json` numbers those who try,
//! `_export/pieces/<Object>/<piece>.json` names the file of a piece: all put once, so that of two attempts the first
//! counts. `export.json` ends it; the others are then removed.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use orgkeep_core::schema::Field;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::ExportError;
use super::options::Options;
use super::sink::Packing;
use super::{Exported, Result};
use crate::canonical;
use crate::keys::envelope::{derive, random};
use crate::layout::FORMAT_VERSION;
use crate::manifest::{FileRef, Manifest};
use crate::storage::{Storage, StorageErrorKind};
use crate::vault::{Vault, compare_digest, now};

/// The last file of an export.
const FINISHED: &str = "export.json";
/// Folder of what is needed to go on.
const WORK: &str = "_export/";
const BEGUN: &str = "_export/begun.json";
/// Attempts that may be made at one export.
const MOST_ATTEMPTS: u32 = 10_000;
/// Files looked at at a time.
const IN_FLIGHT: usize = 8;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedFile {
    /// Path in the target.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Hex of the SHA-256 of its bytes.
    pub sha256: String,
    /// Rows.
    pub rows: u64,
}

/// One object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExportedObject {
    /// API name.
    pub name: String,
    /// Rows of all its files.
    pub rows: u64,
    /// Its columns, as describe tells them; our own begin with `_`.
    pub columns: Vec<Field>,
    /// Its files, in the order of their rows.
    pub files: Vec<ExportedFile>,
}

/// An object of which there is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingObject {
    /// API name.
    pub name: String,
    /// Why.
    pub why: String,
}

/// What is exported: two exports with the same are the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The vault.
    pub vault_id: String,
    /// The line.
    pub line_id: String,
    /// The snapshot.
    pub snapshot: u64,
    /// `sha256:…` of its manifest.
    pub manifest_digest: String,
    /// Format, objects, fields, and so on.
    pub options: Value,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BegunDocument {
    format_version: u32,
    /// `exportBegun`
    kind: String,
    export_id: String,
    request: Request,
}

/// `export.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportDocument {
    /// Version of this document.
    pub format_version: u32,
    /// `export`
    pub kind: String,
    /// Drawn when it began.
    pub export_id: String,
    /// What was asked for.
    pub request: Request,
    /// RFC 3339: when the snapshot was complete.
    pub snapshot_time: String,
    /// `Succeeded` or `PartiallySucceeded`.
    pub phase: String,
    /// Id of the org.
    pub org_id: String,
    /// RFC 3339: when the export was.
    pub finished_at: String,
    /// Program that wrote it.
    pub written_by: String,
    /// Key of Parquet files (32 bytes in base64) in an age file for the recipients, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parquet_key: Option<String>,
    /// Rows in all.
    pub rows: u64,
    /// The objects, by name.
    pub objects: Vec<ExportedObject>,
    /// Objects that were asked for and of which there is nothing.
    pub missing: Vec<MissingObject>,
}

/// An export that is being made.
pub(super) struct Target {
    storage: Arc<dyn Storage>,
    export_id: String,
    request: Request,
    attempt: u32,
    /// Files that count.
    counted: BTreeSet<String>,
}

/// What a target is found to be.
#[allow(clippy::large_enum_variant)] // there is one of it at a time
pub(super) enum Begun {
    /// It was finished before.
    Finished(Exported),
    /// It is open, with how its files are encrypted.
    Open(Target, Packing),
}

/// The document of a finished export, if there is one.
pub(super) async fn finished(target: &Arc<dyn Storage>) -> Result<Option<ExportDocument>> {
    read(target, FINISHED).await
}

impl Target {
    /// Begins in an empty place, or goes on where the same was begun.
    pub(super) async fn begin(
        vault: &Vault,
        manifest: &Manifest,
        storage: &Arc<dyn Storage>,
        options: &Options,
    ) -> Result<Begun> {
        let request = Request {
            vault_id: vault.id().to_owned(),
            line_id: manifest.line_id.clone(),
            snapshot: manifest.seq,
            manifest_digest: manifest.digest.clone(),
            options: serde_json::to_value(options).map_err(|e| ExportError::Internal(e.to_string()))?,
        };
        let taken = |why: &str| ExportError::TargetTaken { target: storage.describe(), why: why.to_owned() };
        if let Some(done) = finished(storage).await? {
            if !options.resume || done.request != request {
                return Err(taken("it holds a finished export; name an empty place"));
            }
            let present = done.objects.iter().map(|object| object.files.len() as u64).sum();
            let (objects, missing) = (done.objects.len() as u64, done.missing.len() as u64);
            tidy(storage).await;
            return Ok(Begun::Finished(Exported { objects, present, missing, ..Exported::default() }));
        }
        let begun = match read::<BegunDocument>(storage, BEGUN).await? {
            Some(_) if !options.resume => {
                return Err(taken("it holds an export that was begun; go on by --resume, or empty it"));
            }
            Some(begun) if begun.request != request => {
                return Err(taken("it holds another export that was begun; name an empty place"));
            }
            Some(begun) => begun,
            None => {
                let mut there = storage.list("");
                if there.try_next().await.map_err(|error| ExportError::target(storage, error))?.is_some() {
                    return Err(taken("it is not empty; name an empty place"));
                }
                let export_id = format!("x-{}", hex::encode(random::<8>()?));
                let kind = "exportBegun".to_owned();
                let begun = BegunDocument {
                    format_version: FORMAT_VERSION,
                    kind,
                    export_id,
                    request: request.clone(),
                };
                if !put_once(storage, BEGUN, &begun).await? {
                    return Err(taken("another export begins there at the same time"));
                }
                begun
            }
        };
        let attempt = attempt(storage).await?;
        let root = vault.keys().root();
        if attempt > 1
            && root.is_none()
            && options.format == super::Format::Parquet
            && !options.encrypt_to.is_empty()
        {
            return Err(taken(
                "its key is gone, as the vault has none that it follows from; begin in an empty place",
            ));
        }
        let packing = Packing::new(options, || match root {
            Some(root) => Ok(*derive(root.as_ref(), vault.id(), &format!("export {}", begun.export_id))?),
            None => Ok(random::<32>()?),
        })?;
        let export_id = begun.export_id;
        let target =
            Self { storage: Arc::clone(storage), export_id, request, attempt, counted: BTreeSet::new() };
        Ok(Begun::Open(target, packing))
    }

    /// Where it goes.
    pub(super) fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// Path of the file of a piece, as this attempt writes it.
    pub(super) fn path(&self, piece: &str, suffix: &str) -> String {
        format!("{piece}-{}{suffix}", self.attempt)
    }

    /// The file of a piece, if it is finished and what was written.
    pub(super) async fn done(&mut self, piece: &str) -> Result<Option<ExportedFile>> {
        if self.attempt == 1 {
            return Ok(None);
        }
        let path = record(piece);
        let Some(file) = read::<ExportedFile>(&self.storage, &path).await? else { return Ok(None) };
        let wanted = FileRef { path: file.path.clone(), size: file.size, sha256: file.sha256.clone() };
        let good = match compare_digest(&self.storage, &wanted).await {
            Ok(wrong) => wrong.is_none(),
            Err(error) if error.is_not_found() => false,
            Err(error) => return Err(error.into()),
        };
        if good {
            self.counted.insert(file.path.clone());
            return Ok(Some(file));
        }
        let gone = self.storage.delete(&path).await;
        gone.map_err(|error| ExportError::target(&self.storage, error))?;
        Ok(None)
    }

    /// Notes the file of a piece; the one that counts.
    pub(super) async fn note(&mut self, piece: &str, file: ExportedFile) -> Result<ExportedFile> {
        let path = record(piece);
        let file = if put_once(&self.storage, &path, &file).await? {
            file
        } else {
            let first = read(&self.storage, &path).await?;
            first.ok_or_else(|| ExportError::Altered { path, why: "it was there, and is gone".to_owned() })?
        };
        self.counted.insert(file.path.clone());
        Ok(file)
    }

    /// Removes what attempts left that were cut, sees that all is there, and ends the export.
    pub(super) async fn finish(
        self,
        vault: &Vault,
        manifest: &Manifest,
        options: &Options,
        packing: &Packing,
        objects: Vec<ExportedObject>,
        missing: Vec<MissingObject>,
    ) -> Result<()> {
        let storage = &self.storage;
        let refused = |error| ExportError::target(storage, error);
        if self.attempt > 1 {
            let there: Vec<String> =
                storage.list("").map_ok(|entry| entry.path).try_collect().await.map_err(refused)?;
            for path in there.iter().filter(|path| !path.starts_with(WORK) && !self.counted.contains(*path)) {
                storage.delete(path).await.map_err(refused)?;
            }
        }
        self.all_there(&objects).await?;
        let document = ExportDocument {
            format_version: FORMAT_VERSION,
            kind: "export".to_owned(),
            export_id: self.export_id.clone(),
            request: self.request.clone(),
            snapshot_time: manifest.completion_time.clone(),
            phase: manifest.phase.clone(),
            org_id: manifest.org.id.clone(),
            finished_at: now(),
            written_by: concat!("orgkeep ", env!("CARGO_PKG_VERSION")).to_owned(),
            parquet_key: packing.wrapped_key(),
            rows: objects.iter().map(|object| object.rows).sum(),
            objects,
            missing,
        };
        if !put_once(storage, FINISHED, &document).await? {
            let there = finished(storage).await?;
            if there.is_none_or(|there| there.export_id != self.export_id) {
                let why = "another export was finished there meanwhile".to_owned();
                return Err(ExportError::TargetTaken { target: storage.describe(), why });
            }
        }
        tracing::info!(vault = vault.id(), export = self.export_id, format = ?options.format, "exported");
        tidy(storage).await;
        Ok(())
    }
}

impl Target {
    /// Sees that every file is there, with its size.
    async fn all_there(&self, objects: &[ExportedObject]) -> Result<()> {
        let storage = &self.storage;
        let files: Vec<&ExportedFile> = objects.iter().flat_map(|object| &object.files).collect();
        let mut sizes = futures::stream::iter(files)
            .map(|file| async move { (file, storage.head(&file.path).await) })
            .buffer_unordered(IN_FLIGHT);
        while let Some((file, size)) = sizes.next().await {
            let size = size.map_err(|error| ExportError::target(storage, error))?;
            if size != file.size {
                let why = format!("it has {size} bytes, {} were written", file.size);
                return Err(ExportError::Altered { path: file.path.clone(), why });
            }
        }
        Ok(())
    }
}

fn record(piece: &str) -> String {
    format!("{WORK}pieces/{piece}.json")
}

/// Takes the next number.
async fn attempt(storage: &Arc<dyn Storage>) -> Result<u32> {
    let nonce = hex::encode(random::<8>()?);
    let taken = storage.list("_export/attempts/").map_ok(|entry| number(&entry.path));
    let taken: Vec<u32> = taken.try_collect().await.map_err(|error| ExportError::target(storage, error))?;
    for attempt in taken.into_iter().max().unwrap_or(0) + 1..MOST_ATTEMPTS {
        if put_once(storage, &format!("_export/attempts/{attempt}.json"), &nonce).await? {
            return Ok(attempt);
        }
    }
    Err(ExportError::Internal(format!("{MOST_ATTEMPTS} attempts at one export")))
}

fn number(path: &str) -> u32 {
    let name = path.rsplit('/').next().and_then(|name| name.strip_suffix(".json"));
    name.and_then(|name| name.parse().ok()).unwrap_or(0)
}

/// Removes what was needed to go on. The export is finished: what stays does no harm.
async fn tidy(storage: &Arc<dyn Storage>) {
    let there: Result<Vec<String>, _> = storage.list(WORK).map_ok(|entry| entry.path).try_collect().await;
    for path in there.unwrap_or_default() {
        if let Err(error) = storage.delete(&path).await {
            tracing::warn!(%error, "a finished export left a file behind");
            return;
        }
    }
}

async fn read<T: DeserializeOwned>(storage: &Arc<dyn Storage>, path: &str) -> Result<Option<T>> {
    match storage.get(path).await {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| ExportError::Altered {
            path: path.to_owned(),
            why: format!("it is not a document of an export: {error}"),
        }),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(ExportError::target(storage, error)),
    }
}

/// Puts a document once; false if another one is there. One with the same bytes is ours: an answer was lost.
pub(super) async fn put_once<T: Serialize>(
    storage: &Arc<dyn Storage>,
    path: &str,
    document: &T,
) -> Result<bool> {
    let bytes = Bytes::from(canonical::to_vec(document)?);
    match storage.put_if_absent(path, bytes.clone()).await {
        Ok(()) => Ok(true),
        Err(error) if error.kind == StorageErrorKind::AlreadyExists => {
            let there = storage.get(path).await.map_err(|error| ExportError::target(storage, error))?;
            Ok(there == bytes)
        }
        Err(error) => Err(ExportError::target(storage, error)),
    }
}
