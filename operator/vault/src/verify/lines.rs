//! Manifests, their chain, and the states that they name.

use std::collections::BTreeSet;

use futures::TryStreamExt;

use super::{Checks, Named};
use crate::collect::Deletions;
use crate::error::{Result, VaultError};
use crate::layout;
use crate::line::Line;
use crate::manifest::{FileRef, Manifest};
use crate::state::Part;
use crate::tree::TreeRef;

impl Checks<'_> {
    /// Looks at all lines, or at one.
    pub(super) async fn lines(&mut self, only: Option<&str>) -> Result<()> {
        if let Some(id) = only {
            let line = self.vault.line(id).await?;
            self.report.lines = 1;
            return self.line(&line).await;
        }
        let mut names = self.vault.storage().list_folders(layout::LINES).await?;
        names.sort();
        for name in names {
            match self.vault.line(&name).await {
                Ok(line) => {
                    self.report.lines += 1;
                    self.line(&line).await?;
                }
                // Begun by a process that died, unless it has snapshots.
                Err(VaultError::LineNotFound(_)) => {
                    let there = self.numbered(&name).await?;
                    if !there.is_empty() {
                        let file = layout::line_document(&name);
                        self.problem(&file, there, "it is missing, though there are snapshots");
                    }
                }
                Err(error) if is_finding(&error) => {
                    let there = self.numbered(&name).await?;
                    self.problem(&layout::line_document(&name), there, words(&error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Names of what a line whose document cannot be read has of snapshots.
    async fn numbered(&self, line: &str) -> Result<Vec<String>> {
        let listed = self.vault.storage().list(&layout::snapshots(line));
        let mut names: Vec<String> = listed
            .try_filter_map(|entry| async move { Ok(layout::seq_of(&entry.path)) })
            .map_ok(|seq| format!("{line}/{seq}"))
            .try_collect()
            .await?;
        names.sort();
        Ok(names)
    }

    async fn line(&mut self, line: &Line) -> Result<()> {
        // The snapshot before: its number and its manifest's digest, where that is known.
        let mut before: Option<(u64, Option<String>)> = None;
        let mut next = Some(1);
        let overlay = self.redactions(line).await?;
        let numbers = line.numbers().await?;
        let deletions = match line.deletions().await {
            // told with the documents; what it names is told as missing
            Err(error) if is_finding(&error) => Deletions::default(),
            other => other?,
        };
        let first = deletions.through.as_ref().map_or(1, |through| through.seq + 1);
        if let Some(last) = deletions.through.as_ref().and_then(|through| through.last.clone()) {
            before = Some((last.seq, Some(last.digest)));
        }
        for seq in first..=numbers.last().copied().unwrap_or(0) {
            next = None;
            let path = layout::snapshot(line.id(), seq);
            let name = format!("{}/{seq}", line.id());
            if let Some(retired) = deletions.get(seq) {
                // Retired: there or not, nobody reads it; a later one may name it as its parent.
                if !retired.void {
                    before = Some((seq, Some(retired.digest.clone())));
                }
                next = Some(seq + 1);
                continue;
            }
            if numbers.binary_search(&seq).is_err() {
                self.problem(&path, [name], "it is missing: numbers have no gaps");
                continue;
            }
            self.snapshots.insert(name.clone());
            match line.read_as_put(seq).await.and_then(|manifest| overlay.apply(manifest)) {
                Ok(manifest) if manifest.is_void() => {
                    self.snapshots.remove(&name);
                    next = Some(seq + 1);
                }
                Ok(manifest) => {
                    self.report.snapshots += 1;
                    self.digests.insert(manifest.digest.clone());
                    self.redaction_of(&name, &manifest, &overlay);
                    self.chain(&path, &name, &manifest, before.as_ref());
                    self.states(&path, &name, &manifest).await?;
                    before = Some((seq, Some(manifest.digest)));
                    next = Some(seq + 1);
                }
                Err(error) if is_finding(&error) => self.problem(&path, [name], words(&error)),
                Err(error) => return Err(error),
            }
        }
        self.next.insert(line.id().to_owned(), next);
        Ok(())
    }

    fn chain(&mut self, path: &str, name: &str, manifest: &Manifest, before: Option<&(u64, Option<String>)>) {
        match (&manifest.parent, before) {
            (None, None) => {}
            (Some(parent), Some((seq, digest))) if parent.seq == *seq => {
                if digest.as_ref().is_some_and(|digest| parent.digest != *digest) {
                    let why = format!("snapshot {seq} is not the one that this one was made after");
                    self.problem(path, [name.to_owned()], why);
                }
            }
            // A broken parent was told already; this one's own place still counts.
            (Some(parent), _) => {
                let file = layout::snapshot(&manifest.line_id, parent.seq);
                self.problem(&file, [name.to_owned()], "the parent of this snapshot cannot be read");
            }
            (None, Some((seq, _))) => {
                self.problem(path, [name.to_owned()], format!("it does not name {seq} as its parent"));
            }
        }
    }

    async fn states(&mut self, path: &str, name: &str, manifest: &Manifest) -> Result<()> {
        let listed: BTreeSet<&FileRef> = manifest.files.iter().collect();
        for file in &manifest.files {
            self.name(file, name, path);
        }
        for object in &manifest.objects {
            let Some(file) = &object.state else { continue };
            let state = match self.vault.read_state(file).await {
                Ok(state) => state,
                Err(error) if is_finding(&error) => {
                    self.problem(&file.path, [name.to_owned()], words(&error));
                    continue;
                }
                Err(error) => return Err(error),
            };
            if state.object != object.name || state.rows != object.records {
                self.problem(&file.path, [name.to_owned()], "the manifest says otherwise of object or rows");
            }
            for part in &state.parts {
                for file in part.files() {
                    if !listed.contains(&file) {
                        let why = "a state names it, the manifest does not";
                        self.problem(&file.path, [name.to_owned()], why);
                    }
                }
                self.note(part);
            }
        }
        self.trees(path, name, manifest, &listed).await
    }

    async fn trees(
        &mut self,
        path: &str,
        name: &str,
        manifest: &Manifest,
        listed: &BTreeSet<&FileRef>,
    ) -> Result<()> {
        let before = std::mem::take(&mut self.trees);
        for tree in &manifest.trees {
            for file in [&tree.tree.file, &tree.list] {
                if !listed.contains(file) {
                    let why = "a tree rests on it, the manifest does not name it";
                    self.problem(&file.path, [name.to_owned()], why);
                }
            }
            let files = match before.iter().find(|(known, _)| known == tree) {
                Some((_, files)) => files.clone(),
                None => match self.vault.tree_files(&tree.list).await {
                    Ok(files) => files,
                    Err(error) if is_finding(&error) => {
                        self.problem(&tree.list.path, [name.to_owned()], words(&error));
                        continue;
                    }
                    Err(error) => return Err(error),
                },
            };
            for file in &files {
                self.name(file, name, path);
            }
            if before.iter().any(|(known, _)| known == tree) || self.tree(tree, &files, name).await? {
                self.trees.push((tree.clone(), files));
            }
        }
        Ok(())
    }

    /// Holds a tree's entries against its list and the manifest, where there is a key; whether nothing is wrong.
    async fn tree(&mut self, tree: &TreeRef, files: &[FileRef], name: &str) -> Result<bool> {
        if !self.vault.can_open() {
            return Ok(true);
        }
        let why = match self.vault.tree(&tree.tree).await {
            Ok(entries) => {
                let rests: BTreeSet<&FileRef> = entries.iter().map(|entry| &entry.blob.file).collect();
                let bytes: u64 = entries.iter().map(|entry| entry.blob.size).sum();
                if rests.into_iter().eq(files) && (entries.len() as u64, bytes) == (tree.files, tree.bytes) {
                    return Ok(true);
                }
                "the tree says otherwise of files or bytes than its list or the manifest".to_owned()
            }
            Err(error) if is_finding(&error) => words(&error),
            Err(error) => return Err(error),
        };
        self.problem(&tree.tree.file.path, [name.to_owned()], why);
        Ok(false)
    }

    fn name(&mut self, file: &FileRef, snapshot: &str, manifest: &str) {
        let named = self.files.entry(file.path.clone()).or_insert_with(|| Named {
            file: file.clone(),
            part: None,
            snapshots: BTreeSet::new(),
        });
        named.snapshots.insert(snapshot.to_owned());
        if named.file != *file {
            self.problem(manifest, [snapshot.to_owned()], format!("others say otherwise of {}", file.path));
        }
    }

    fn note(&mut self, part: &Part) {
        for file in part.files() {
            // one that the manifest says otherwise of is told already
            if let Some(named) = self.files.get_mut(&file.path).filter(|named| named.file == file) {
                named.part = Some(part.clone());
            }
        }
    }
}

/// Whether an error is about what is stored, not about reaching it.
pub(super) fn is_finding(error: &VaultError) -> bool {
    matches!(error, VaultError::Corrupted { .. } | VaultError::FormatUnsupported { .. })
        || error.is_not_found()
}

/// What is wrong, without the file's name.
pub(super) fn words(error: &VaultError) -> String {
    match error {
        VaultError::Corrupted { why, .. } => why.clone(),
        error if error.is_not_found() => "it is missing".to_owned(),
        other => other.to_string(),
    }
}
