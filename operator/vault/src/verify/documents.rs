//! Documents that no manifest names: of the vault, of lines, of leases, and the journals of runs, by their check sums.

use futures::TryStreamExt;
use serde_json::Value;

use super::Checks;
use super::lines::{is_finding, words};
use crate::error::Result;
use crate::layout::{self, VAULT};
use crate::vault::from_bytes;

impl Checks<'_> {
    /// Looks at every document outside of snapshots.
    pub(super) async fn documents(&mut self, only: Option<&str>) -> Result<()> {
        let all = self.every_snapshot(None);
        self.mutable(VAULT, all).await?;
        let mut lines = self.vault.storage().list_folders(layout::LINES).await?;
        lines.retain(|line| only.is_none_or(|only| only == line));
        lines.sort();
        for line in lines {
            let touched = self.every_snapshot(Some(&line));
            self.mutable(&layout::line_document(&line), touched).await?;
            self.mutable(&layout::lease(&line), Vec::new()).await?;
            self.mutable(&layout::epoch(&line), Vec::new()).await?;
            self.mutable(&layout::holds(&line), Vec::new()).await?;
            self.deletions(&line).await?;
            let mut paths: Vec<String> = Vec::new();
            for folder in [format!("{}/runs/", layout::line(&line)), layout::all_closed(&line)] {
                let found = self.vault.storage().list(&folder).map_ok(|entry| entry.path);
                paths.extend(found.try_collect::<Vec<String>>().await?);
            }
            paths.retain(|path| std::path::Path::new(path).extension().is_some_and(|end| end == "json"));
            paths.sort();
            for path in paths {
                let read = self.vault.read::<Value>(&path).await;
                self.told(&path, read.map(|found| found.is_some()), Vec::new())?;
            }
        }
        Ok(())
    }

    /// What was retired, by its signature: numbers that are missing and not in it are missing.
    async fn deletions(&mut self, line: &str) -> Result<()> {
        let path = layout::deletions(line);
        let there = self.vault.storage().read_mutable(&path).await?.is_some();
        let read = match self.vault.line(line).await {
            Ok(line) => line.deletions().await.map(|_| there),
            Err(_) => Ok(false), // told by its own document
        };
        self.told(&path, read, Vec::new())
    }

    async fn mutable(&mut self, path: &str, snapshots: Vec<String>) -> Result<()> {
        let read = match self.vault.storage().read_mutable(path).await {
            Ok(Some((bytes, _))) => from_bytes::<Value>(path, &bytes).map(|_| true),
            Ok(None) => Ok(false),
            Err(error) => Err(error.into()),
        };
        self.told(path, read, snapshots)
    }

    fn told(&mut self, path: &str, read: Result<bool>, snapshots: Vec<String>) -> Result<()> {
        match read {
            Ok(there) => self.report.documents += u64::from(there),
            Err(error) if is_finding(&error) => {
                if !self.report.problems.iter().any(|problem| problem.file == path) {
                    self.problem(path, snapshots, words(&error));
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Snapshots of a line, or of all.
    pub(super) fn every_snapshot(&self, line: Option<&str>) -> Vec<String> {
        let of = |name: &&String| line.is_none_or(|line| name.split('/').next() == Some(line));
        self.snapshots.iter().filter(of).cloned().collect()
    }
}
