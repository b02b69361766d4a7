//! What holds a record: parts by their sealed ranges of Ids, then by Ids alone; trees by the paths of their entries.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use orgkeep_core::id::SalesforceId;
use orgkeep_core::schema::ObjectSchema;

use super::Ids;
use crate::codec::CodecError;
use crate::codec::file::PartFile;
use crate::codec::key::key_of;
use crate::error::{Result, VaultError};
use crate::line::Line;
use crate::manifest::FileRef;
use crate::state::Part;
use crate::tree::TreeRef;
use crate::vault::Vault;

/// Rows read at a time when only Ids are.
const ROWS: usize = 8192;

/// A row of a record that is to be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) key: u128,
    /// It says that the record is gone.
    pub(super) deletes: bool,
}

/// A part that holds some.
#[derive(Debug, Clone)]
pub(super) struct FoundPart {
    pub(super) object: String,
    pub(super) part: Part,
    /// The schema that it was written by.
    pub(super) schema: ObjectSchema,
    /// Rows that go.
    pub(super) rows: u64,
}

/// A state that names such a part.
#[derive(Debug, Clone, Default)]
pub(super) struct FoundState {
    pub(super) object: String,
    pub(super) file: FileRef,
    /// Rows that go, after deltas are merged.
    pub(super) erased: u64,
    pub(super) snapshots: Vec<u64>,
}

/// All that holds them.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) parts: BTreeMap<String, FoundPart>,
    pub(super) states: Vec<FoundState>,
    /// Trees with entries that go.
    pub(super) trees: Vec<TreeRef>,
    /// All trees, by the path of their blob.
    pub(super) all_trees: BTreeMap<String, (TreeRef, Vec<u64>)>,
    pub(super) tree_entries: u64,
    /// Keys found, by object.
    pub(super) keys: BTreeMap<String, BTreeSet<u128>>,
    pub(super) prefixes: BTreeSet<String>,
    /// The newest number that was looked at.
    pub(super) through: u64,
    pub(super) snapshots: BTreeSet<u64>,
    pub(super) parts_read: u64,
    pub(super) parts_of_line: u64,
}

/// Looks through all snapshots of a line; `alive` is called now and then.
pub(super) async fn look(
    line: &Line,
    ids: &Ids,
    mut alive: impl AsyncFnMut() -> Result<()>,
) -> Result<Found> {
    let vault = line.vault();
    let mut found = Found::default();
    let mut states: BTreeMap<FileRef, FoundState> = BTreeMap::new();
    let deletions = line.deletions().await?;
    for seq in line.numbers().await? {
        found.through = seq;
        // Retired: it may come back, unless its files are being deleted already.
        let retired = deletions.get(seq);
        if retired.is_some_and(|retired| retired.sweeping) {
            continue;
        }
        let manifest = match line.read_number(seq).await {
            Err(error) if error.is_not_found() && retired.is_some() => continue,
            other => other?,
        };
        for entry in &manifest.objects {
            let Some(file) = &entry.state else { continue };
            let state = states.entry(file.clone()).or_insert_with(|| FoundState {
                object: entry.name.clone(),
                file: file.clone(),
                ..FoundState::default()
            });
            state.snapshots.push(seq);
        }
        for tree in &manifest.trees {
            let known = found.all_trees.entry(tree.tree.file.path.clone());
            known.or_insert_with(|| (tree.clone(), Vec::new())).1.push(seq);
        }
        alive().await?;
    }
    let mut looked: HashMap<String, Vec<Hit>> = HashMap::new();
    for mut known in states.into_values() {
        let keys: Arc<[u128]> = ids.of(&known.object).into();
        if keys.is_empty() {
            continue;
        }
        let state = vault.read_state(&known.file).await?;
        found.prefixes.extend(state.schema.key_prefix.clone());
        if state.schema.columns().all(|field| field.name != "Id") {
            continue;
        }
        let mut last: HashMap<u128, bool> = HashMap::new();
        let mut touched = false;
        for part in &state.parts {
            if !looked.contains_key(&part.path) {
                found.parts_of_line += 1;
                let hits = if vault.may_hold(part, &keys)? {
                    found.parts_read += 1;
                    alive().await?;
                    vault.hits(part, Arc::clone(&keys)).await?
                } else {
                    Vec::new()
                };
                if !hits.is_empty() {
                    let schema = state.schema_of(part).cloned().ok_or_else(|| {
                        VaultError::corrupted(
                            &part.path,
                            "its state does not hold the schema it was written by",
                        )
                    })?;
                    let object = state.object.clone();
                    found.keys.entry(object.clone()).or_default().extend(hits.iter().map(|hit| hit.key));
                    let rows = hits.len() as u64;
                    let part = FoundPart { object, part: part.clone(), schema, rows };
                    found.parts.insert(part.part.path.clone(), part);
                }
                looked.insert(part.path.clone(), hits);
            }
            for hit in looked.get(&part.path).into_iter().flatten() {
                touched = true;
                last.insert(hit.key, hit.deletes);
            }
        }
        if touched {
            known.erased = last.values().filter(|deletes| !**deletes).count() as u64;
            found.snapshots.extend(&known.snapshots);
            found.states.push(known);
        }
    }
    found.trees(vault, ids, &mut alive).await?;
    Ok(found)
}

impl Found {
    /// Whether nothing holds any of them.
    pub(super) fn is_empty(&self) -> bool {
        self.states.is_empty() && self.trees.is_empty()
    }

    async fn trees(
        &mut self,
        vault: &Vault,
        ids: &Ids,
        alive: &mut impl AsyncFnMut() -> Result<()>,
    ) -> Result<()> {
        for (tree, snapshots) in self.all_trees.values() {
            if !is_of_records(tree) {
                continue;
            }
            alive().await?;
            let entries = vault.tree(&tree.tree).await?;
            let gone = entries.iter().filter(|entry| is_of(&entry.path, ids)).count() as u64;
            if gone > 0 {
                self.tree_entries += gone;
                self.trees.push(tree.clone());
                self.snapshots.extend(snapshots);
                let object = tree.name.split('.').next().unwrap_or_default().to_owned();
                let keys = entries.iter().flat_map(|entry| keys_in(&entry.path)).filter(|key| ids.has(*key));
                self.keys.entry(object).or_default().extend(keys);
            }
        }
        Ok(())
    }
}

/// Whether a tree holds files of records: its name is that of an object and a field.
fn is_of_records(tree: &TreeRef) -> bool {
    tree.name.contains('.')
}

/// Whether a file of a tree is of one of these records: a step of its path, or what stands before its first `.`, `-` or
/// `_`, is the Id.
pub(super) fn is_of(path: &str, ids: &Ids) -> bool {
    keys_in(path).any(|key| ids.has(key))
}

fn keys_in(path: &str) -> impl Iterator<Item = u128> + '_ {
    path.split('/').flat_map(|step| {
        let stem = step.split(['.', '-', '_']).next().unwrap_or_default();
        [step, stem]
            .into_iter()
            .filter_map(|text| SalesforceId::parse(text).ok().map(|id| key_of(id.as_bytes())))
    })
}

impl Vault {
    /// Whether a part's range of Ids has one of these keys (ascending) in it; one without a range may.
    fn may_hold(&self, part: &Part, keys: &[u128]) -> Result<bool> {
        let Some(range) = self.ids(part)? else { return Ok(true) };
        let (min, max) = (key_of(range.min.as_bytes()), key_of(range.max.as_bytes()));
        let first = keys.partition_point(|key| *key < min);
        Ok(keys.get(first).is_some_and(|key| *key <= max))
    }

    /// Rows of a part that are of these records (keys ascending); reads Ids and what the rows do, and of these only the
    /// row groups that may have one.
    async fn hits(&self, part: &Part, keys: Arc<[u128]>) -> Result<Vec<Hit>> {
        let (data, key) = self.open_part(part).await?;
        let path = part.path.clone();
        let looking = tokio::task::spawn_blocking(move || {
            let file = PartFile::open(data, key.as_ref())?;
            hits(&file, &keys)
        });
        let hits = looking.await.map_err(|error| VaultError::internal(error.to_string()))?;
        hits.map_err(|error| unreadable(&path, error))
    }
}

/// What reading a part came to: bytes that did not come are no finding.
pub(super) fn unreadable(path: &str, error: CodecError) -> VaultError {
    match error {
        CodecError::Read(error) => {
            let kind = crate::storage::StorageErrorKind::Unreachable;
            crate::storage::StorageError::new(kind, path, error.to_string()).into()
        }
        other => VaultError::corrupted(path, other.to_string()),
    }
}

fn hits(file: &PartFile, keys: &[u128]) -> Result<Vec<Hit>, CodecError> {
    let mut found = Vec::new();
    if file.schema().index_of("Id").is_err() {
        return Ok(found);
    }
    let wanted: HashSet<u128> = keys.iter().copied().collect();
    let mask = file.mask(["Id", "_op"].into_iter());
    for group in 0..file.groups() {
        let may = file.keys(group).is_none_or(|(least, greatest)| {
            keys.get(keys.partition_point(|key| *key < least)).is_some_and(|key| *key <= greatest)
        });
        if !may {
            continue;
        }
        for batch in file.read_group(group, &mask, ROWS)? {
            let batch = batch?;
            let text = |name: &str| {
                batch
                    .column_by_name(name)
                    .and_then(|column| column.as_string_opt::<i32>())
                    .ok_or_else(|| CodecError::Format(format!("{name} is no text")))
            };
            let (ids, ops) = (text("Id")?, text("_op")?);
            for row in 0..batch.num_rows() {
                let key = key_of(ids.value(row).as_bytes());
                if ids.is_valid(row) && wanted.contains(&key) {
                    found.push(Hit { key, deletes: ops.value(row) == "delete" });
                }
            }
        }
    }
    Ok(found)
}
