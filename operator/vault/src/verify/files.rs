//! The files that snapshots name: by their sizes, and by every byte.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use futures::stream::{self, StreamExt};

use super::Checks;
use super::lines::{is_finding, words};
use crate::error::Result;
use crate::layout;
use crate::manifest::FileRef;
use crate::state::Part;
use crate::vault::Vault;

/// Files read at a time.
const IN_FLIGHT: usize = 4;

impl Checks<'_> {
    /// Holds the listing against what the manifests name.
    pub(super) async fn sizes(&mut self) -> Result<()> {
        let mut there: BTreeMap<String, u64> = BTreeMap::new();
        let mut lines: Vec<String> =
            self.files.keys().filter_map(|path| Some(path.split('/').nth(1)?.to_owned())).collect();
        lines.dedup();
        for line in lines {
            let mut listing = self.vault.storage().list(&format!("{}/objects/", layout::line(&line)));
            while let Some(entry) = listing.try_next().await? {
                if self.files.contains_key(&entry.path) {
                    there.insert(entry.path, entry.size);
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

    /// Reads every byte of what is not yet known to be wrong, each file once.
    pub(super) async fn contents(&mut self) -> Result<()> {
        let known: Vec<&str> = self.report.problems.iter().map(|problem| problem.file.as_str()).collect();
        let wanted: Vec<(FileRef, Option<Part>)> = self
            .files
            .values()
            .filter(|named| !known.contains(&named.file.path.as_str()))
            .map(|named| (named.file.clone(), named.part.clone()))
            .collect();
        let vault = self.vault;
        let mut results = stream::iter(wanted)
            .map(|(file, part)| async move {
                let looked = look(vault, &file, part.as_ref()).await;
                (file.path, looked)
            })
            .buffered(IN_FLIGHT);
        let mut found = Vec::new();
        let mut rows = 0;
        while let Some((path, looked)) = results.next().await {
            match looked? {
                Ok(counted) => rows += counted,
                Err(problem) => found.push((path, problem)),
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
async fn look(vault: &Vault, file: &FileRef, part: Option<&Part>) -> Result<Result<u64, String>> {
    let looked = match part.filter(|_| vault.can_open()) {
        None => vault.compare_digest(file).await.map(|problem| problem.map_or(Ok(0), Err)),
        Some(part) => vault.check(part).await.map(|rows| {
            if rows == part.rows {
                Ok(rows)
            } else {
                Err(format!("it has {rows} rows, {} were written", part.rows))
            }
        }),
    };
    match looked {
        Err(error) if is_finding(&error) => Ok(Err(words(&error))),
        other => other,
    }
}
