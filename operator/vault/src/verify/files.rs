//! The files that snapshots name: by their sizes, and by every byte.

use std::collections::BTreeMap;

use futures::TryStreamExt;

use super::Checks;
use super::lines::{is_finding, words};
use crate::error::Result;
use crate::layout;

impl Checks<'_> {
    /// Holds the listing against what the manifests name.
    pub(super) async fn sizes(&mut self) -> Result<()> {
        let mut there: BTreeMap<String, u64> = BTreeMap::new();
        let mut folders: Vec<String> = self
            .files
            .keys()
            .filter_map(|path| Some(format!("{}/", layout::line(path.split('/').nth(1)?))))
            .collect();
        folders.dedup();
        for folder in folders {
            let mut listing = self.vault.storage().list(&format!("{folder}objects/"));
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
            wrong.push((path.clone(), named.snapshots.clone(), problem));
        }
        for (path, snapshots, problem) in wrong {
            let told = self.report.problems.iter().any(|known| known.file == path);
            if !told {
                self.problem(&path, snapshots, problem);
            }
        }
        Ok(())
    }

    /// Reads every byte of what is not yet known to be wrong, each file once.
    pub(super) async fn contents(&mut self) -> Result<()> {
        let known: Vec<String> = self.report.problems.iter().map(|problem| problem.file.clone()).collect();
        let mut found = Vec::new();
        let mut rows = 0;
        for (path, named) in &self.files {
            if known.contains(path) {
                continue;
            }
            let problem = match self.vault.compare(&named.file).await {
                Ok(None) => match &named.part {
                    Some(part) => match self.vault.count_rows(part).await {
                        Ok(counted) if counted == part.rows => {
                            rows += counted;
                            None
                        }
                        Ok(counted) => Some(format!("it has {counted} rows, {} were written", part.rows)),
                        Err(error) if is_finding(&error) => Some(words(&error)),
                        Err(error) => return Err(error),
                    },
                    None => None,
                },
                Ok(problem) => problem,
                Err(error) if is_finding(&error) => Some(words(&error)),
                Err(error) => return Err(error),
            };
            if let Some(problem) = problem {
                found.push((path.clone(), named.snapshots.clone(), problem));
            }
        }
        self.report.rows = rows;
        for (path, snapshots, problem) in found {
            self.problem(&path, snapshots, problem);
        }
        Ok(())
    }
}
