//! The parent state as a writer of deltas sees it: what it holds of a handful of keys.

use std::sync::{Arc, Mutex, PoisonError};

use orgkeep_core::schema::ObjectSchema;
use tokio::runtime::Handle;

use super::seen::Seen;
use crate::codec::{Candidate, CodecError, Parent, RowHash, Verdict};
use crate::error::Result;
use crate::read::adapt::Adapter;
use crate::read::cursor::Wanted;
use crate::read::keys::Keys;
use crate::read::merge::{Merge, Run};
use crate::read::{PartRef, ReadError};
use crate::state::{Part, State};
use crate::vault::Vault;

/// Rows of a block when only keys and hashes are read.
pub(super) const HASH_ROWS: usize = 8192;

/// The state below the deltas of one object in one run; clones share what they have seen.
///
/// Of the parent only row groups are read that may hold one of the keys asked for, and of these Ids and hashes.
#[derive(Debug, Clone)]
pub struct Below {
    vault: Vault,
    parts: Arc<[Part]>,
    refs: Vec<PartRef>,
    adapter: Arc<Adapter>,
    seen: Arc<Mutex<Seen>>,
    runtime: Handle,
}

impl Vault {
    /// What lies below new deltas of an object whose schema now is `schema`. `written`: deltas that earlier pages or
    /// attempts of this run have written, oldest first.
    pub async fn below(&self, parent: &State, schema: &ObjectSchema, written: &[Part]) -> Result<Below> {
        let below = Below {
            vault: self.clone(),
            refs: self.part_refs(&parent.parts)?,
            parts: parent.parts.clone().into(),
            adapter: Arc::new(Adapter::new(schema)),
            seen: Arc::default(),
            runtime: Handle::current(),
        };
        if !written.is_empty() {
            let (reading, parts) = (below.clone(), written.to_vec());
            let noted = tokio::task::spawn_blocking(move || reading.note_written(parts));
            noted.await.map_err(|error| crate::VaultError::internal(error.to_string()))??;
        }
        Ok(below)
    }
}

impl Below {
    fn note_written(&self, parts: Vec<Part>) -> Result<()> {
        let _guard = self.runtime.enter();
        let refs = self.vault.part_refs(&parts)?;
        let mut merge = Merge::new(wanted(&[], None), Keys::All, true, refs, self.vault.opener(parts));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(key) = merge.next_history(|_, _, _| Ok(())).map_err(broken)? {
            seen.note(key);
        }
        Ok(())
    }

    /// What the parent holds of these keys, which are sorted and distinct.
    fn find(&self, keys: &Arc<[u128]>) -> Result<Vec<Option<RowHash>>, ReadError> {
        let mut found = vec![None; keys.len()];
        let _guard = self.runtime.enter();
        let mut merge = Merge::new(
            wanted(&["_hash", "_hash_derived"], Some(Arc::clone(&self.adapter))),
            Keys::Near(Arc::clone(keys)),
            true,
            self.refs.clone(),
            self.vault.opener(self.parts.to_vec()),
        );
        let mut next = 0;
        while let Some(run) = merge.next_run()? {
            let there = &run.block.keys[run.start..run.start + run.many];
            let Some(last) = there.last() else { continue };
            while next < keys.len() && keys[next] <= *last {
                if let Ok(at) = there.binary_search(&keys[next]) {
                    found[next] = Some(hash_at(&run, run.start + at));
                }
                next += 1;
            }
            if next == keys.len() {
                break;
            }
        }
        Ok(found)
    }
}

/// Hashes of a row of a run that reads `_hash` and `_hash_derived` first.
pub(super) fn hash_at(run: &Run<'_>, row: usize) -> RowHash {
    super::history::hash_of(run.block, 0, row).unwrap_or_default()
}

pub(super) fn wanted(names: &[&str], adapter: Option<Arc<Adapter>>) -> Wanted {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Wanted { names, ids: false, block_rows: HASH_ROWS, adapter }
}

/// A reading that failed, as the vault tells it.
pub(crate) fn broken(error: ReadError) -> crate::VaultError {
    match error {
        ReadError::Open { path, source } => match source.downcast::<crate::VaultError>() {
            Ok(error) => *error,
            Err(other) => crate::VaultError::corrupted(path, other.to_string()),
        },
        ReadError::Part { path, source: CodecError::Read(error) } => {
            let kind = crate::storage::StorageErrorKind::Unreachable;
            crate::storage::StorageError::new(kind, path, error.to_string()).into()
        }
        ReadError::Part { path, source } => crate::VaultError::corrupted(path, source.to_string()),
        other => crate::VaultError::internal(other.to_string()),
    }
}

impl Parent for Below {
    fn settle(&mut self, rows: &[Candidate]) -> Result<Vec<Verdict>, CodecError> {
        let keys: Arc<[u128]> = rows.iter().map(|row| row.key).collect();
        let held = self.find(&keys).map_err(|error| CodecError::Parent(Box::new(error)))?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut verdicts = Vec::with_capacity(rows.len());
        for (row, held) in rows.iter().zip(held) {
            let nothing_new = if row.deletes { held.is_none() } else { held == Some(row.hash) };
            // A key that this run wrote already may hold something else there by now.
            if nothing_new && !seen.holds(row.key) {
                verdicts.push(Verdict::Drop);
            } else {
                seen.note(row.key);
                verdicts.push(Verdict::Keep(held));
            }
        }
        Ok(verdicts)
    }
}
