//! An erasure of a line, from the look to the sweep.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::find::{Found, FoundPart, is_of, look};
use super::redaction::{ObjectErased, Redaction, Replaced, ReplacedState, ReplacedTree};
use super::rewrite::name_of;
use super::{ERASES, Erased, Ids, Options, TOLD};
use crate::attempt::Attempt;
use crate::canonical;
use crate::codec::key::id_of;
use crate::digest;
use crate::error::{Result, VaultError};
use crate::keys::envelope::random;
use crate::layout::{self, FORMAT_VERSION};
use crate::lease::Lease;
use crate::line::Line;
use crate::manifest::{FileRef, ParentRef};
use crate::state::{Part, State};
use crate::vault::now;

/// How often it is tried whether the other run is done.
const ASK: Duration = Duration::from_secs(5);

/// A part that was written anew, `runs/<run>/parts/<list>/<name>.json`: an interrupted erasure goes on from there.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    old: FileRef,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    new: Option<Part>,
}

/// Erases records from all snapshots of a line. The vault must have been opened for writing, unless it is a dry run.
pub async fn erase(line: &Line, ids: &Ids, options: &Options) -> Result<Erased> {
    let mut report = Erased {
        line: line.id().to_owned(),
        dry_run: options.dry_run,
        ids: ids.len() as u64,
        ..Erased::default()
    };
    if !line.vault().can_open() {
        let why = "erasing reads and writes rows: open the vault with a key".to_owned();
        return Err(VaultError::WrongKey { vault: line.vault().id().to_owned(), why });
    }
    if options.dry_run {
        let found = look(line, ids, async || Ok(())).await?;
        tell(&mut report, &found, ids);
        return Ok(report);
    }
    line.vault().check_writable()?;
    let lease = take(line, options).await?;
    let mut work = Work { line, ids, options, lease, renewed: Instant::now(), report };
    match work.run().await {
        Ok(()) => {
            let Work { lease, report, .. } = work;
            lease.release().await?;
            Ok(report)
        }
        Err(error) => {
            // The next one need not wait for it to expire.
            if let Err(unreleased) = work.lease.release().await {
                tracing::debug!(%unreleased, "the lease expires by itself");
            }
            Err(error)
        }
    }
}

/// Takes the line's lease, under a name that no other process has.
async fn take(line: &Line, options: &Options) -> Result<Lease> {
    let name = format!("{ERASES}{}", hex::encode(random::<8>()?));
    let since = Instant::now();
    loop {
        match line.lease(&name, options.lease).await {
            Err(VaultError::LineBusy { .. }) if since.elapsed() < options.wait => {
                tokio::time::sleep(ASK.min(options.wait)).await;
            }
            other => return other,
        }
    }
}

pub(super) struct Work<'a> {
    pub(super) line: &'a Line,
    ids: &'a Ids,
    options: &'a Options,
    lease: Lease,
    renewed: Instant,
    pub(super) report: Erased,
}

impl Work<'_> {
    async fn run(&mut self) -> Result<()> {
        let line = self.line;
        let (lease, renewed) = (&mut self.lease, &mut self.renewed);
        let found = look(line, self.ids, async || renew(lease, renewed).await).await?;
        tell(&mut self.report, &found, self.ids);
        if !found.is_empty() {
            self.check_free(&found).await?;
            let redaction = self.write(&found).await?;
            self.commit(redaction).await?;
        }
        self.sweep().await
    }

    /// Holds the lease on, unless that was done just now.
    pub(super) async fn alive(&mut self) -> Result<()> {
        renew(&mut self.lease, &mut self.renewed).await
    }

    /// Writes what is to stand in the place of what was found.
    async fn write(&mut self, found: &Found) -> Result<Redaction> {
        let (line, vault) = (self.line, self.line.vault());
        let last = vault.overlay_now(line.id()).await?.last().cloned();
        let number = last.as_ref().map_or(1, |last| last.seq + 1);
        let attempt = line.run(&format!("{ERASES}{number}"))?.begin_attempt().await?;
        let list = self.list()?;
        let before = self.done(&list).await?;
        let mut made: BTreeMap<&str, Option<Part>> = BTreeMap::new();
        let mut files = Vec::new();
        for (path, part) in &found.parts {
            self.alive().await?;
            let new = match before.get(path) {
                Some(done) if self.stands(done, &part.part).await? => {
                    self.report.parts_resumed += 1;
                    done.new.clone()
                }
                _ => self.part(&attempt, part, &list).await?,
            };
            self.report.bytes_after += new.as_ref().map_or(0, |new| new.size);
            files.push(Replaced { old: part.part.file(), new: new.as_ref().map(Part::file) });
            if let Some(old) = &part.part.index {
                files
                    .push(Replaced { old: old.clone(), new: new.as_ref().and_then(|new| new.index.clone()) });
            }
            made.insert(path, new);
        }
        let mut states = Vec::new();
        for known in &found.states {
            self.alive().await?;
            let state = vault.read_state(&known.file).await?;
            let records = state.rows.checked_sub(known.erased).ok_or_else(|| {
                VaultError::corrupted(&known.file.path, "more of its rows would go than it has")
            })?;
            let new = put_state(&attempt, &known.file, state, records, &made).await?;
            files.push(Replaced { old: known.file.clone(), new: Some(new) });
            states.push(ReplacedState {
                object: known.object.clone(),
                old: known.file.path.clone(),
                records,
                erased: known.erased,
            });
        }
        let trees = self.trees(found, &mut files).await?;
        files.sort_by(|a, b| a.old.cmp(&b.old));
        files.dedup();
        let hashes: BTreeSet<String> =
            self.ids.iter().map(|id| vault.keys().id_hash(id.as_str())).collect::<Result<_>>()?;
        Ok(Redaction {
            format_version: FORMAT_VERSION,
            kind: "redaction".to_owned(),
            vault_id: vault.id().to_owned(),
            line_id: line.id().to_owned(),
            number,
            parent: last.map(|last| ParentRef { seq: last.seq, digest: last.digest }),
            time: now(),
            by: self.options.by.clone(),
            reason: self.options.reason.clone(),
            ids: hashes.len() as u64,
            id_hashes: hashes.into_iter().collect(),
            through: found.through,
            objects: self.report.objects.clone(),
            files,
            states,
            trees,
            written_by: concat!("orgkeep ", env!("CARGO_PKG_VERSION")).to_owned(),
            ..Redaction::default()
        })
    }

    async fn part(&mut self, attempt: &Attempt, found: &FoundPart, list: &str) -> Result<Option<Part>> {
        let keys: Arc<[u128]> = self.ids.of(&found.object).into();
        let new = attempt.without(found, keys).await?;
        let done = Done { old: found.part.file(), new: new.clone() };
        let path = attempt.run().path(&format!(
            "parts/{list}/{}.{}.json",
            name_of(&found.part.path),
            attempt.number()
        ));
        self.line.vault().put_or_read(&path, &done).await?;
        Ok(new)
    }

    /// The name of the list in journals: nobody without the key can tell what is in it.
    fn list(&self) -> Result<String> {
        Ok(self.line.vault().keys().id_hash(&self.ids.text())?.get(..24).unwrap_or_default().to_owned())
    }

    /// Parts that interrupted erasures of the same list wrote, by old path.
    async fn done(&self, list: &str) -> Result<BTreeMap<String, Done>> {
        let vault = self.line.vault();
        let mut all = BTreeMap::new();
        for run in self.runs().await?.iter().filter(|run| run.starts_with(ERASES)) {
            let folder = format!("{}/parts/{list}/", layout::run(self.line.id(), run));
            for (path, _) in self.listed(&folder).await? {
                if let Some(done) = vault.read::<Done>(&path).await? {
                    all.insert(done.old.path.clone(), done);
                }
            }
        }
        Ok(all)
    }

    /// Whether what an earlier attempt wrote is of this part, and still there.
    async fn stands(&self, done: &Done, part: &Part) -> Result<bool> {
        if done.old != part.file() {
            return Ok(false);
        }
        for file in done.new.iter().flat_map(Part::files) {
            match self.line.vault().compare_digest(&file).await {
                Ok(None) => {}
                Ok(Some(_)) => return Ok(false),
                Err(error) if error.is_not_found() => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Trees without the files of erased records, and the blobs that nothing rests on then.
    async fn trees(&mut self, found: &Found, files: &mut Vec<Replaced>) -> Result<Vec<ReplacedTree>> {
        let (line, vault) = (self.line, self.line.vault());
        let mut replaced = Vec::new();
        if found.trees.is_empty() {
            return Ok(replaced);
        }
        let (mut gone, mut stays) = (BTreeSet::new(), BTreeSet::new());
        for (path, (tree, _)) in &found.all_trees {
            self.alive().await?;
            let listed = vault.tree_files(&tree.list).await?;
            if !found.trees.iter().any(|known| known.tree.file.path == *path) {
                stays.extend(listed);
                stays.extend([tree.tree.file.clone(), tree.list.clone()]);
                continue;
            }
            let mut entries = vault.tree(&tree.tree).await?;
            entries.retain(|entry| !is_of(&entry.path, self.ids));
            let new = line.put_tree(&tree.name, entries).await?;
            stays.extend(vault.tree_files(&new.list).await?);
            gone.extend(listed);
            files.push(Replaced { old: tree.tree.file.clone(), new: Some(new.tree.file.clone()) });
            files.push(Replaced { old: tree.list.clone(), new: Some(new.list.clone()) });
            replaced.push(ReplacedTree { old: path.clone(), new });
        }
        files.extend(gone.difference(&stays).map(|old| Replaced { old: old.clone(), new: None }));
        Ok(replaced)
    }

    /// Makes it count.
    async fn commit(&mut self, mut redaction: Redaction) -> Result<()> {
        let vault = self.line.vault();
        let bytes = redaction.sign(vault.keys())?;
        self.lease.renew().await?;
        self.renewed = Instant::now();
        let put = vault.put_once(&redaction.path(), bytes.into()).await;
        vault.forget_overlay(self.line.id());
        if !put? {
            return Err(VaultError::LineBusy {
                line: self.line.id().to_owned(),
                run: "of another erasure, or one that took the line over,".to_owned(),
                until: "it is done; erase again".to_owned(),
            });
        }
        tracing::info!(
            line = self.line.id(),
            number = redaction.number,
            files = redaction.files.len(),
            "erased"
        );
        self.report.redaction = Some(redaction.number);
        Ok(())
    }
}

async fn renew(lease: &mut Lease, renewed: &mut Instant) -> Result<()> {
    if renewed.elapsed() >= lease.duration() / 4 {
        lease.renew().await?;
        *renewed = Instant::now();
    }
    Ok(())
}

/// Writes a state with other parts in the place of those that were written anew.
async fn put_state(
    attempt: &Attempt,
    old: &FileRef,
    mut state: State,
    records: u64,
    made: &BTreeMap<&str, Option<Part>>,
) -> Result<FileRef> {
    let line = attempt.run().line();
    let mut parts = Vec::with_capacity(state.parts.len());
    for part in std::mem::take(&mut state.parts) {
        match made.get(part.path.as_str()) {
            None => parts.push(part),
            Some(None) => {}
            Some(Some(new)) => {
                parts.push(Part { kind: part.kind, schema_digest: part.schema_digest, ..new.clone() });
            }
        }
    }
    state.former_schemas.retain(|digest, _| parts.iter().any(|part| part.schema_digest == *digest));
    let state = State {
        run_id: attempt.run().id().to_owned(),
        attempt: attempt.number(),
        rows: records,
        parts,
        ..state
    };
    let folder = layout::object_folder(line.id(), &state.object, attempt.run().id(), attempt.number());
    let bytes = bytes::Bytes::from(canonical::to_vec(&state)?);
    let file = FileRef {
        path: format!("{folder}/state-{}.json", name_of(&old.path)),
        size: bytes.len() as u64,
        sha256: digest::sha256(&bytes),
    };
    if !line.vault().put_once(&file.path, bytes).await? {
        return Err(VaultError::internal(format!("{} was written twice, differently", file.path)));
    }
    Ok(file)
}

/// What was found, in the report.
fn tell(report: &mut Erased, found: &Found, ids: &Ids) {
    let all: BTreeSet<u128> = found.keys.values().flatten().copied().collect();
    report.found = all.len() as u64;
    let missing = ids.keys().filter(|key| !all.contains(key)).filter_map(id_of);
    let (mut prefixes, mut told) = (BTreeSet::new(), Vec::new());
    for id in missing {
        if !found.prefixes.contains(id.key_prefix()) {
            prefixes.insert(id.key_prefix().to_owned());
        }
        if told.len() < TOLD {
            told.push(id.to_string());
        }
    }
    report.not_found = told;
    report.unknown_prefixes = prefixes.into_iter().collect();
    let mut objects: BTreeMap<&str, ObjectErased> = BTreeMap::new();
    for (object, keys) in &found.keys {
        let entry = objects.entry(object).or_default();
        entry.name.clone_from(object);
        entry.records = keys.len() as u64;
    }
    for part in found.parts.values() {
        let entry = objects.entry(&part.object).or_default();
        entry.rows += part.rows;
        entry.files += 1;
        report.bytes_before += part.part.size;
    }
    report.objects = objects.into_values().collect();
    report.snapshots = found.snapshots.iter().copied().collect();
    report.parts = found.parts.len() as u64;
    report.parts_read = found.parts_read;
    report.parts_of_line = found.parts_of_line;
    report.states = found.states.len() as u64;
    report.tree_entries = found.tree_entries;
}
