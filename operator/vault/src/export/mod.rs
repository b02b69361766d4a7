//! Views of a vault for analysts: the rows of a snapshot, or the history of changes, as CSV, JSON lines, Parquet or
//! Delta Lake, in a directory or a bucket.
//!
//! A view is a copy that leaves the vault: what is erased from the vault later stays in it. Its last file is
//! `export.json`, with every other file's rows, size and digest: before it is there, nothing is finished
//! ([`document`]). Files are written whole or not at all, each by an attempt of its own, so that an export that was
//! cut goes on ([`Options::resume`]) and two that run at once cannot mix. A Delta table needs no `export.json`: its
//! log is what counts, and each snapshot is one version ([`delta`]).

mod changes;
pub mod delta;
mod document;
mod error;
mod options;
mod pick;
mod pieces;
mod records;
mod sink;
mod table;
mod timeline;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::manifest::{FileRef, Manifest};
use crate::storage::Storage;
use crate::vault::{Vault, compare_digest};
pub use document::{ExportDocument, ExportedFile, ExportedObject, MissingObject};
use document::{Target, finished};
pub use error::ExportError;
pub use options::{Compression, Format, Options, What};
use pieces::Piece;
use sink::Packing;

/// Result of an export.
pub type Result<T, E = ExportError> = std::result::Result<T, E>;

/// How far an export is, or came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exported {
    /// Objects that are done.
    pub objects: u64,
    /// Files written now.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Versions of Delta tables made now.
    pub versions: u64,
    /// Files that an earlier attempt had finished; versions that Delta tables had.
    pub present: u64,
    /// Objects of which the snapshot holds nothing.
    pub missing: u64,
}

/// Exports a snapshot, or the changes up to it; `told` hears how far it is after each file.
///
/// The target must be empty, or hold the same export begun (with [`Options::resume`]).
pub async fn export(
    vault: &Vault,
    manifest: &Manifest,
    target: &Arc<dyn Storage>,
    options: &Options,
    told: impl Fn(&Exported),
) -> Result<Exported> {
    options.check()?;
    if options.format == Format::Delta {
        return delta::export(vault, manifest, target, options, told).await;
    }
    let chosen = pick::objects(manifest, &options.objects)?;
    let (mut target, packing) = match Target::begin(vault, manifest, target, options).await? {
        document::Begun::Finished(done) => return Ok(done),
        document::Begun::Open(target, packing) => (target, packing),
    };
    let mut done = Exported::default();
    let mut objects = Vec::new();
    let mut missing = Vec::new();
    let line = vault.line(&manifest.line_id).await?;
    let timeline = match options.what {
        What::Changes { .. } => timeline::Timeline::read(&line, manifest.seq).await?,
        What::Difference { from } => timeline::Timeline::between(&line, from, manifest).await?,
        What::Snapshot => timeline::Timeline::default(),
    };
    for entry in chosen {
        let plan = pieces::plan(vault, manifest, entry, &timeline, options).await?;
        let plan = match plan {
            pieces::Plan::Pieces(plan) => plan,
            pieces::Plan::Missing(why) => {
                done.missing += 1;
                missing.push(MissingObject { name: entry.name.clone(), why });
                continue;
            }
        };
        let mut files = Vec::new();
        for piece in &plan.pieces {
            let file = match target.done(&piece.name).await? {
                Some(file) => {
                    done.present += 1;
                    file
                }
                None => {
                    let file = write(vault, &target, piece, &packing, options).await?;
                    done.files += 1;
                    done.rows += file.rows;
                    done.bytes += file.size;
                    target.note(&piece.name, file).await?
                }
            };
            told(&done);
            files.push(file);
        }
        let rows: u64 = files.iter().map(|file| file.rows).sum();
        // What is exported is what the snapshot says it holds, or it is no export of it.
        if let Some(expected) = plan.rows.filter(|expected| *expected != rows) {
            return Err(ExportError::Incomplete { object: entry.name.clone(), rows, expected });
        }
        done.objects += 1;
        objects.push(ExportedObject { name: entry.name.clone(), rows, columns: plan.columns, files });
    }
    target.finish(vault, manifest, options, &packing, objects, missing).await?;
    Ok(done)
}

/// Writes the file of a piece.
async fn write(
    vault: &Vault,
    target: &Target,
    piece: &Piece,
    packing: &Packing,
    options: &Options,
) -> Result<ExportedFile> {
    let path = target.path(&piece.name, &packing.suffix(options));
    let sink = sink::Sink::begin(target.storage(), &path).await?;
    let failed = sink.failure();
    let (vault, piece, packing, options) = (vault.clone(), piece.clone(), packing.clone(), options.clone());
    let written = tokio::task::spawn_blocking(move || piece.write(&vault, sink, &packing, &options));
    let written = written.await.map_err(|error| ExportError::Internal(error.to_string()))?;
    let (rows, sink) = match written {
        Ok(done) => done,
        Err(error) => return Err(failed.told(target.storage()).unwrap_or(error)),
    };
    let stored = sink.finish().await.map_err(|error| ExportError::target(target.storage(), error))?;
    let file = FileRef { path: path.clone(), size: stored.size, sha256: stored.sha256.clone() };
    if !stored.compared
        && let Some(why) = compare_digest(target.storage(), &file).await?
    {
        return Err(ExportError::Altered { path, why });
    }
    Ok(ExportedFile { path: file.path, size: file.size, sha256: file.sha256, rows })
}

/// Holds every file of a finished export against its digest; what is wrong, by path.
pub async fn check(target: &Arc<dyn Storage>) -> Result<BTreeMap<String, String>> {
    let document = finished(target).await?.ok_or_else(|| ExportError::NotFinished(target.describe()))?;
    let mut wrong = BTreeMap::new();
    for file in document.objects.iter().flat_map(|object| &object.files) {
        let wanted = FileRef { path: file.path.clone(), size: file.size, sha256: file.sha256.clone() };
        match compare_digest(target, &wanted).await {
            Ok(None) => {}
            Ok(Some(why)) => drop(wrong.insert(file.path.clone(), why)),
            Err(error) if error.is_not_found() => {
                wrong.insert(file.path.clone(), "it is gone".to_owned());
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(wrong)
}
