//! The files that snapshots name: by their sizes, and by every byte.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use futures::stream::{self, StreamExt};

use super::lines::{is_finding, words};
use super::{Checks, Options};
use crate::error::Result;
use crate::layout;
use crate::manifest::FileRef;
use crate::rows::Depth;
use crate::state::Part;
use crate::vault::Vault;

/// Files read at a time.
const IN_FLIGHT: usize = 2;

impl Checks<'_> {
    /// Holds the listing against what the manifests name.
    pub(super) async fn sizes(&mut self) -> Result<()> {
        let mut there: BTreeMap<String, u64> = BTreeMap::new();
        let mut lines: Vec<String> =
            self.files.keys().filter_map(|path| Some(path.split('/').nth(1)?.to_owned())).collect();
        lines.dedup();
        for line in lines {
            for folder in ["objects", "blobs"] {
                let mut listing = self.vault.storage().list(&format!("{}/{folder}/", layout::line(&line)));
                while let Some(entry) = listing.try_next().await? {
                    if self.files.contains_key(&entry.path) {
                        there.insert(entry.path, entry.size);
                    }
                }
            }
        }
        let mut wrong = Vec::new();
        for (path, named) in &self.files {
            let problem = match there.get(path) {
                None => "it is missing".to_owned(),
                Some(size) if *size != named.file.size => {
                    format!("it has {size} bytes, {} were written", named.file.size)
                }
                Some(_) => continue,
            };
            if !self.report.problems.iter().any(|known| known.file == *path) {
                wrong.push((path.clone(), named.snapshots.clone(), problem));
            }
        }
        for (path, snapshots, problem) in wrong {
            self.problem(&path, snapshots, problem);
        }
        Ok(())
    }

    /// Reads what is not yet known to be wrong, each file once: every byte, or of the files that are drawn.
    pub(super) async fn contents(&mut self, options: &Options) -> Result<()> {
        let known: BTreeSet<&str> =
            self.report.problems.iter().map(|problem| problem.file.as_str()).collect();
        let wanted: Vec<(FileRef, Option<Part>)> = self
            .files
            .values()
            .filter(|named| !known.contains(named.file.path.as_str()))
            .filter(|named| options.sample.is_none_or(|sample| sample.draws(&named.file)))
            .map(|named| (named.file.clone(), named.part.clone()))
            .collect();
        let observer = options.observer.as_deref();
        let all: u64 = wanted.iter().map(|(file, _)| file.size).sum();
        let (mut done, mut rows, mut found) = (0, 0, Vec::new());
        self.report.read = wanted.len() as u64;
        let vault = self.vault;
        let mut results = stream::iter(wanted)
            .map(|(file, part)| async move {
                if observer.is_some_and(|observer| observer.knows(&file)) {
                    let rows = part.filter(|part| part.path == file.path).map_or(0, |part| part.rows);
                    return (file, Ok(Ok(if vault.can_open() { rows } else { 0 })));
                }
                let looked = look(vault, &file, part.as_ref(), options.rows).await;
                (file, looked)
            })
            .buffered(IN_FLIGHT);
        while let Some((file, looked)) = results.next().await {
            let looked = looked?;
            done += file.size;
            if let Some(observer) = observer {
                observer.read(&file, looked.is_ok(), done, all);
            }
            match looked {
                Ok(counted) => rows += counted,
                Err(problem) => found.push((file.path, problem)),
            }
        }
        drop(results);
        self.report.rows = rows;
        for (path, problem) in found {
            let snapshots = self.files.get(&path).map(|named| named.snapshots.clone()).unwrap_or_default();
            self.problem(&path, snapshots, problem);
        }
        Ok(())
    }
}

/// Rows of a file (none for a state, nor without a key), or what is wrong with it.
async fn look(vault: &Vault, file: &FileRef, part: Option<&Part>, rows: bool) -> Result<Result<u64, String>> {
    let counted = match part.filter(|_| vault.can_open()) {
        Some(part) if part.path != file.path => vault.check_index(part).await.map(|()| Ok(0)),
        None => vault.compare_digest(file).await.map(|problem| problem.map_or(Ok(0), Err)),
        Some(part) => {
            let depth = if rows { Depth::Rows } else { Depth::Pages };
            vault.check_to(part, depth).await.map(|rows| {
                if rows == part.rows {
                    Ok(rows)
                } else {
                    Err(format!("it has {rows} rows, {} were written", part.rows))
                }
            })
        }
    };
    match counted {
        Err(error) if is_finding(&error) => Ok(Err(words(&error))),
        other => other,
    }
}
