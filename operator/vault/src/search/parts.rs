//! The parts of a plan as a search opens them: indexes and footers once, and row groups as they are needed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::file::Terms;
use super::keys;
use super::plan::Plan;
use super::query::Term;
use super::rows::{Facts, Group, Wanted};
use crate::codec::CodecError;
use crate::codec::file::PartFile;
use crate::codec::key::{id_of, key_of};
use crate::error::{Result, VaultError};
use crate::read::Keys;
use crate::storage::StorageError;
use crate::vault::Vault;

/// Bytes of indexes and small parts that are kept for the next question.
const KEPT: usize = 48 << 20;

/// What indexes were good for.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    /// Parts that have no index, or none that is known here.
    pub(super) without: u64,
    /// Indexes that are not what was written, and why.
    pub(super) broken: Vec<(String, String)>,
}

/// Parts, opened as they are needed. Cheap to clone.
#[derive(Clone)]
pub(super) struct Parts(Arc<Inner>);

struct Inner {
    vault: Vault,
    plan: Plan,
    wanted: Wanted,
    ranges: Vec<Option<(u128, u128)>>,
    kept: Mutex<Kept>,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Kept {
    bytes: usize,
    indexes: HashMap<usize, Option<Arc<Terms>>>,
    files: HashMap<usize, Arc<PartFile>>,
    ids: HashMap<(usize, usize), Arc<Vec<u128>>>,
}

impl Parts {
    pub(super) fn new(vault: &Vault, plan: Plan, wanted: Wanted) -> Result<Self> {
        let mut ranges = Vec::with_capacity(plan.parts.len());
        for part in vault.part_refs(&plan.parts)? {
            let key = |id: Option<orgkeep_core::id::SalesforceId>| id.map(|id| key_of(id.as_bytes()));
            ranges.push(key(part.min_id).zip(key(part.max_id)));
        }
        let (kept, told) = (Mutex::default(), Mutex::default());
        Ok(Self(Arc::new(Inner { vault: vault.clone(), plan, wanted, ranges, kept, told })))
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.0.plan
    }

    pub(super) fn told(&self) -> Told {
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn path(&self, part: usize) -> &str {
        &self.0.plan.parts[part].path
    }

    /// The index of a part; `None` where there is none that helps, which is noted.
    async fn index(&self, part: usize) -> Result<Option<Arc<Terms>>> {
        if let Some(known) = self.kept().indexes.get(&part) {
            return Ok(known.clone());
        }
        let opened = match Terms::open(&self.0.vault, &self.0.plan.parts[part]).await {
            Ok(opened) => opened.map(Arc::new),
            Err(error) => self.broken(part, error)?,
        };
        let mut kept = self.kept();
        if opened.is_none() && !kept.indexes.contains_key(&part) {
            self.tell().without += 1;
        }
        kept.room(opened.as_ref().map_or(0, |terms| terms.held()));
        kept.indexes.insert(part, opened.clone());
        Ok(opened)
    }

    /// Notes an index that is none any more; only what the storage itself says is an error.
    fn broken(&self, part: usize, error: VaultError) -> Result<Option<Arc<Terms>>> {
        if !matches!(error, VaultError::Corrupted { .. }) && !error.is_not_found() {
            return Err(error);
        }
        let path = self.0.plan.parts[part].index.as_ref().map_or("", |file| file.path.as_str());
        let mut told = self.tell();
        if !told.broken.iter().any(|(known, _)| known == path) {
            tracing::warn!(file = path, "an index is not what was written; its part is read instead");
            told.broken.push((path.to_owned(), error.to_string()));
        }
        self.kept().indexes.insert(part, None);
        Ok(None)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) -> std::sync::MutexGuard<'_, Told> {
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Row groups of a part that may have what is looked for; `None`: all of them, as far as an index can tell.
    pub(super) async fn candidates(&self, part: usize) -> Result<Option<Vec<bool>>> {
        let Wanted { terms, ids, .. } = &self.0.wanted;
        if let Some((least, greatest)) = self.0.ranges[part]
            && !ids.is_empty()
            && !Keys::Near(ids.as_slice().into()).touch(least, greatest)
        {
            return Ok(Some(Vec::new()));
        }
        let asked: Vec<Vec<Vec<u64>>> = terms.iter().filter_map(Term::keys).collect();
        if asked.is_empty() {
            return Ok(None);
        }
        let Some(index) = self.index(part).await? else { return Ok(None) };
        match self.ask(&index, &asked).await {
            Ok(groups) => Ok(Some(groups)),
            Err(error) => self.broken(part, error).map(|_| None),
        }
    }

    async fn ask(&self, index: &Terms, asked: &[Vec<Vec<u64>>]) -> Result<Vec<bool>> {
        let mut all = vec![true; index.groups()];
        for any in asked {
            let mut some = vec![false; all.len()];
            for keys in any {
                let mut these = all.clone();
                for key in keys {
                    if !these.contains(&true) {
                        break;
                    }
                    let has = index.groups_with(&self.0.vault, *key).await?;
                    these.iter_mut().zip(has).for_each(|(these, has)| *these &= has);
                }
                some.iter_mut().zip(these).for_each(|(some, these)| *some |= these);
            }
            all = some;
        }
        Ok(all)
    }

    /// The part, opened.
    pub(super) async fn file(&self, part: usize) -> Result<Arc<PartFile>> {
        if let Some(known) = self.kept().files.get(&part) {
            return Ok(Arc::clone(known));
        }
        let stored = &self.0.plan.parts[part];
        let (data, key) = self.0.vault.open_part(stored).await?;
        let held = data.end().len();
        let file = PartFile::open(data, key.as_ref())
            .map_err(|error| VaultError::corrupted(&stored.path, error.to_string()))?;
        let file = Arc::new(file);
        let mut kept = self.kept();
        // a footer takes several times its bytes when it is decoded
        kept.room(held * 4);
        kept.files.insert(part, Arc::clone(&file));
        Ok(file)
    }

    /// Whether a row group may have one of the records that are asked for.
    pub(super) fn may_pass(&self, file: &PartFile, group: usize) -> bool {
        let ids = &self.0.wanted.ids;
        let near = |(least, greatest): (u128, u128)| {
            ids.get(ids.partition_point(|id| *id < least)).is_some_and(|id| *id <= greatest)
        };
        ids.is_empty() || file.keys(group).is_none_or(near)
    }

    /// The rows of a row group that have what is looked for, with the group.
    pub(super) async fn scan(&self, part: usize, group: usize) -> Result<(Group, Vec<(usize, u128)>)> {
        let (file, parts) = (self.file(part).await?, self.clone());
        self.work(part, move || {
            let group = Group::read(&file, group)?;
            let rows = group.matches(&parts.0.wanted)?;
            Ok((group, rows))
        })
        .await
    }

    /// What is told of a row.
    pub(super) fn facts(&self, part: usize, group: &Group, row: usize) -> Result<Facts> {
        group
            .facts(row, &self.0.wanted)
            .map_err(|error| VaultError::corrupted(self.path(part), error.to_string()))
    }

    async fn work<T: Send + 'static>(
        &self,
        part: usize,
        work: impl FnOnce() -> std::result::Result<T, CodecError> + Send + 'static,
    ) -> Result<T> {
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| VaultError::internal(error.to_string()))?
            .map_err(|error| unread(self.path(part), &error))
    }

    /// What a part has of these records (ascending): facts, or only that there is a row, where no more is needed.
    pub(super) async fn look_up(
        &self,
        part: usize,
        records: &[u128],
        with_facts: bool,
    ) -> Result<Vec<(u128, Option<Facts>)>> {
        let near: Vec<u128> = match self.0.ranges[part] {
            Some((least, greatest)) => {
                records.iter().copied().filter(|key| (least..=greatest).contains(key)).collect()
            }
            None => records.to_vec(),
        };
        if near.is_empty() {
            return Ok(Vec::new());
        }
        let asked: Vec<u64> =
            near.iter().map(|key| id_of(*key).map_or(0, |id| keys::id(id.as_bytes()))).collect();
        let told = match self.index(part).await? {
            Some(index) => match index.which(&self.0.vault, &asked).await {
                Ok(told) => Some(told),
                Err(error) => self.broken(part, error).map(|_| None)?,
            },
            None => None,
        };
        let may = |record: usize, group: usize| {
            told.as_ref().is_none_or(|told| told[record].get(group).copied().unwrap_or(true))
        };
        if told.as_ref().is_some_and(|told| !told.iter().flatten().any(|yes| *yes)) {
            return Ok(Vec::new());
        }
        let file = self.file(part).await?;
        let mut found = Vec::new();
        for group in 0..file.groups() {
            let (least, greatest) = file.keys(group).unwrap_or((0, u128::MAX));
            let here: Vec<u128> = near
                .iter()
                .enumerate()
                .filter(|(at, key)| may(*at, group) && (least..=greatest).contains(*key))
                .map(|(_, key)| *key)
                .collect();
            if here.is_empty() {
                continue;
            }
            let ids = self.ids(part, group, &file).await?;
            let present: Vec<u128> = here.into_iter().filter(|key| ids.binary_search(key).is_ok()).collect();
            if !with_facts || present.is_empty() {
                found.extend(present.into_iter().map(|key| (key, None)));
                continue;
            }
            let (file, parts) = (Arc::clone(&file), self.clone());
            let facts = self.work(part, move || {
                let rows = Group::read(&file, group)?;
                let mut all = Vec::with_capacity(present.len());
                for key in present {
                    if let Some(row) = rows.row_of(key) {
                        all.push((key, Some(rows.facts(row, &parts.0.wanted)?)));
                    }
                }
                Ok(all)
            });
            found.extend(facts.await?);
        }
        Ok(found)
    }

    /// The keys of a row group.
    async fn ids(&self, part: usize, group: usize, file: &Arc<PartFile>) -> Result<Arc<Vec<u128>>> {
        if let Some(known) = self.kept().ids.get(&(part, group)) {
            return Ok(Arc::clone(known));
        }
        let file = Arc::clone(file);
        let ids = self.work(part, move || {
            let mask = file.mask(std::iter::once("Id"));
            let mut keys = Vec::new();
            for batch in file.read_group(group, &mask, 4096)? {
                use arrow_array::cast::AsArray;
                let batch = batch?;
                let ids = batch.column_by_name("Id").and_then(|ids| ids.as_string_opt::<i32>());
                let ids = ids.ok_or_else(|| CodecError::Format("Id is no text".into()))?;
                keys.extend(ids.iter().map(|id| key_of(id.unwrap_or_default().as_bytes())));
            }
            Ok(keys)
        });
        let ids = Arc::new(ids.await?);
        let mut kept = self.kept();
        kept.room(16 * ids.len());
        kept.ids.insert((part, group), Arc::clone(&ids));
        Ok(ids)
    }
}

/// What reading a part failed by: the storage, or what is stored.
fn unread(path: &str, error: &CodecError) -> VaultError {
    if let CodecError::Read(cause) = error
        && let Some(cause) = cause.get_ref().and_then(|cause| cause.downcast_ref::<StorageError>())
    {
        return cause.clone().into();
    }
    VaultError::corrupted(path, error.to_string())
}

impl Kept {
    /// Makes room: what is not kept is read again.
    fn room(&mut self, bytes: usize) {
        if self.bytes + bytes > KEPT {
            *self = Self::default();
        }
        self.bytes += bytes;
    }
}
