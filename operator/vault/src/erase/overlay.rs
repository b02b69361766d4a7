//! What the redactions of a line make of its manifests.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use futures::stream::{self, StreamExt};

use super::redaction::{Redaction, ReplacedState, ReplacedTree};
use crate::error::{Result, VaultError};
use crate::layout;
use crate::manifest::{FileRef, Manifest, ParentRef};
use crate::vault::Vault;

/// Documents read at a time.
const IN_FLIGHT: usize = 8;
/// Redactions that were read so long ago at most count as all there are; what must not miss one reads anew.
const FRESH: Duration = Duration::from_secs(1);

/// The redactions of a line, ready to be laid over its manifests.
#[derive(Debug, Default)]
pub struct Overlay {
    steps: Vec<Step>,
    last: Option<ParentRef>,
    /// Keyed hashes of all ids that were erased.
    erased: Arc<BTreeSet<String>>,
}

/// One redaction.
#[derive(Debug)]
struct Step {
    number: u64,
    digest: String,
    /// Snapshots after this number were made from what it left.
    through: u64,
    files: HashMap<String, (FileRef, Option<FileRef>)>,
    states: HashMap<String, ReplacedState>,
    trees: HashMap<String, ReplacedTree>,
}

/// Overlays that were read, by line, each with its time.
pub(crate) type Cache = std::sync::Mutex<HashMap<String, (Instant, Arc<Overlay>)>>;

impl Overlay {
    /// Of redactions in their order.
    pub(crate) fn new(redactions: Vec<Redaction>) -> Self {
        let mut overlay = Self::default();
        let mut erased = BTreeSet::new();
        for redaction in redactions {
            overlay.last = Some(ParentRef { seq: redaction.number, digest: redaction.digest.clone() });
            erased.extend(redaction.id_hashes);
            overlay.steps.push(Step {
                number: redaction.number,
                digest: redaction.digest,
                through: redaction.through,
                files: redaction.files.into_iter().map(|f| (f.old.path.clone(), (f.old, f.new))).collect(),
                states: redaction.states.into_iter().map(|state| (state.old.clone(), state)).collect(),
                trees: redaction.trees.into_iter().map(|tree| (tree.old.clone(), tree)).collect(),
            });
        }
        overlay.erased = Arc::new(erased);
        overlay
    }

    /// The newest redaction, void or not.
    pub fn last(&self) -> Option<&ParentRef> {
        self.last.as_ref()
    }

    /// Whether a redaction stands.
    pub(crate) fn has(&self, wanted: &ParentRef) -> bool {
        self.steps.iter().any(|step| step.number == wanted.seq && step.digest == wanted.digest)
    }

    /// What stands in the place of a file now; `None`: nothing does.
    pub(crate) fn file(&self, file: &FileRef) -> Result<Option<FileRef>> {
        self.file_at(file, 0)
    }

    /// As [`Self::file`], of the files of one snapshot.
    fn file_at(&self, file: &FileRef, seq: u64) -> Result<Option<FileRef>> {
        let mut now = file.clone();
        for step in self.steps.iter().filter(|step| step.through >= seq) {
            if let Some((old, new)) = step.files.get(&now.path) {
                if *old != now {
                    let why = format!("redaction {} says otherwise of its size or digest", step.number);
                    return Err(VaultError::corrupted(&now.path, why));
                }
                match new {
                    Some(new) => now = new.clone(),
                    None => return Ok(None),
                }
            }
        }
        Ok(Some(now))
    }

    /// The manifest with what was erased since taken out: other files, fewer rows. Its digest stays.
    pub(crate) fn apply(&self, mut manifest: Manifest) -> Result<Manifest> {
        if self.steps.is_empty() || manifest.is_void() {
            return Ok(manifest);
        }
        manifest.erased = Arc::clone(&self.erased);
        let mut numbers = BTreeSet::new();
        for entry in &mut manifest.objects {
            let Some(state) = &mut entry.state else { continue };
            for step in self.steps.iter().filter(|step| step.through >= manifest.seq) {
                let Some(replaced) = step.states.get(&state.path) else { continue };
                let Some((old, Some(new))) = step.files.get(&state.path) else { continue };
                if old != state {
                    let why = format!("redaction {} says otherwise of its size or digest", step.number);
                    return Err(VaultError::corrupted(&state.path, why));
                }
                let gone = entry.records.saturating_sub(replaced.records);
                manifest.counts.records = manifest.counts.records.saturating_sub(gone);
                entry.records = replaced.records;
                *state = new.clone();
                numbers.insert(step.number);
            }
        }
        for tree in &mut manifest.trees {
            for step in self.steps.iter().filter(|step| step.through >= manifest.seq) {
                let Some(replaced) = step.trees.get(&tree.tree.file.path) else { continue };
                let name = std::mem::take(&mut tree.name);
                *tree = crate::tree::TreeRef { name, ..replaced.new.clone() };
                numbers.insert(step.number);
            }
        }
        let mut files = BTreeSet::new();
        for file in std::mem::take(&mut manifest.files) {
            files.extend(self.file_at(&file, manifest.seq)?);
        }
        manifest.files = files.into_iter().collect();
        manifest.redactions = numbers.into_iter().collect();
        Ok(manifest)
    }
}

impl Vault {
    /// Numbers of a line's redactions that are there, lowest first.
    pub(crate) async fn redaction_numbers(&self, line: &str) -> Result<Vec<u64>> {
        let mut numbers: Vec<u64> = self
            .storage()
            .list(&layout::redactions(line))
            .try_filter_map(|entry| async move { Ok(layout::seq_of(&entry.path)) })
            .try_collect()
            .await?;
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// A redaction, checked.
    pub(crate) async fn redaction(&self, line: &str, number: u64) -> Result<Redaction> {
        let path = layout::redaction(line, number);
        let bytes = match self.storage().get(&path).await {
            Err(error) if error.is_not_found() => {
                return Err(VaultError::corrupted(path, "it is missing: redactions have no gaps"));
            }
            other => other?,
        };
        Redaction::read(&bytes, self.id(), line, number, self.signing_key())
    }

    /// All redactions of a line in their order; an error where one is missing or not what was written.
    pub async fn redactions(&self, line: &str) -> Result<Vec<Redaction>> {
        let last = self.redaction_numbers(line).await?.last().copied().unwrap_or(0);
        let read: Vec<Redaction> = stream::iter(1..=last)
            .map(|number| self.redaction(line, number))
            .buffered(IN_FLIGHT)
            .try_collect()
            .await?;
        for pair in read.windows(2) {
            if pair[1].parent.as_ref().is_none_or(|parent| parent.digest != pair[0].digest) {
                let why = format!("redaction {} is not the one that the next was made after", pair[0].number);
                return Err(VaultError::corrupted(pair[0].path(), why));
            }
        }
        Ok(read)
    }

    /// The redactions of a line, read at most a second ago.
    pub(crate) async fn overlay(&self, line: &str) -> Result<Arc<Overlay>> {
        let known = self.overlays().lock().ok().and_then(|cache| cache.get(line).cloned());
        match known {
            Some((read, overlay)) if read.elapsed() < FRESH => Ok(overlay),
            _ => self.overlay_now(line).await,
        }
    }

    /// The redactions of a line as they are now.
    pub(crate) async fn overlay_now(&self, line: &str) -> Result<Arc<Overlay>> {
        // the time before: what is put while they are read may be missing
        let read = Instant::now();
        let overlay = Arc::new(Overlay::new(self.redactions(line).await?));
        if let Ok(mut cache) = self.overlays().lock() {
            cache.insert(line.to_owned(), (read, Arc::clone(&overlay)));
        }
        Ok(overlay)
    }

    /// Forgets what is known of a line's redactions.
    pub(crate) fn forget_overlay(&self, line: &str) {
        if let Ok(mut cache) = self.overlays().lock() {
            cache.remove(line);
        }
    }

    /// A manifest as it was read, with what was erased since taken out of it.
    pub(crate) async fn redacted(&self, manifest: Manifest) -> Result<Manifest> {
        let mut overlay = self.overlay(&manifest.line_id).await?;
        if let Some(named) = &manifest.redaction
            && !overlay.has(named)
        {
            overlay = self.overlay_now(&manifest.line_id).await?;
            if !overlay.has(named) {
                return Err(missing(&manifest, named));
            }
        }
        overlay.apply(manifest)
    }
}

/// A redaction that a manifest was made after is gone, or another.
pub(crate) fn missing(manifest: &Manifest, named: &ParentRef) -> VaultError {
    let why = format!("snapshot {} was made after it, and it is missing or another one", manifest.seq);
    VaultError::corrupted(layout::redaction(&manifest.line_id, named.seq), why)
}
