//! The search itself: objects by name, their parts in order, the row groups that may have what is looked for.
//!
//! What is found goes out at once. Indexes of many parts are asked at a time, and some row groups are read ahead;
//! memory goes with these, and not with what is found.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use serde::Serialize;

use super::SearchError;
use super::hits::{Mode, Version, versions};
use super::parts::{Parts, Told};
use super::plan::{Plan, View, objects};
use super::query::{Query, Term, terms};
use super::rows::{Facts, Group, Wanted, counts};
use super::trees;
use crate::codec::key::NOBODY;
use crate::error::{Result, VaultError};
use crate::manifest::Manifest;
use crate::vault::Vault;

/// Indexes asked at a time.
const INDEXES: usize = 32;
/// Row groups read ahead.
const GROUPS: usize = 4;
/// Records whose other rows are looked up at a time.
const RECORDS: usize = 64;
/// Parts in which they are looked up at a time.
const LOOKUPS: usize = 16;

/// Something found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hit {
    /// API name of the object, or name of the tree (`metadata`).
    #[serde(rename = "type")]
    pub kind: String,
    /// The record's Id; of a file its path.
    pub id: String,
    /// The record's name, where it has one; of a file the last step of its path.
    pub name: String,
    /// When it was last changed, RFC 3339, UTC; empty where that is not known.
    pub date: String,
    /// Snapshots in which it is so, among those that were asked.
    pub snapshots: Vec<u64>,
    /// The record was deleted by the newest of the snapshots, or is in the org's recycle bin.
    pub deleted: bool,
    /// Fields that have what was looked for, with some of their text; `path` or `content` of a file.
    pub fields: Vec<(String, String)>,
}

/// What a search came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Hits that were told.
    pub hits: u64,
    /// Where to go on with [`Query::after`], if there may be more.
    pub next: Option<String>,
    /// Parts that were asked.
    pub parts: u64,
    /// Of these, parts without an index: small, or written without; they were read.
    pub without_index: u64,
    /// Row groups that were read.
    pub groups: u64,
    /// Indexes that are not what was written; their parts were read instead, nothing is missing for them.
    pub broken_indexes: Vec<(String, String)>,
    /// Files that could not be read: hits in them are missing.
    pub unread: Vec<(String, String)>,
}

/// Where a search is: object, part, row group, row; or tree and entry.
type Place = (String, usize, usize, usize);

/// Takes what is found; false: that is enough.
pub(super) type Sink<'a> = &'a mut (dyn FnMut(Hit) -> bool + Send);

/// Work in progress.
pub(super) struct Search<'a> {
    pub(super) vault: &'a Vault,
    pub(super) manifests: &'a [Manifest],
    pub(super) query: &'a Query,
    pub(super) terms: Vec<Term>,
    mode: Mode,
    sink: Sink<'a>,
    pub(super) outcome: Outcome,
    after: Option<Place>,
    digest: u64,
}

impl Vault {
    /// Searches snapshots of one line, oldest first; the last one is the point in time that counts. Where neither
    /// deleted records nor all versions are asked for, only that one is read.
    pub async fn search(
        &self,
        manifests: &[Manifest],
        query: &Query,
        sink: &mut (dyn FnMut(Hit) -> bool + Send),
    ) -> Result<Outcome> {
        let mode = Mode { all_versions: query.all_versions, deleted: query.include_deleted };
        let manifests =
            if mode.is_simple() { manifests.last_chunk::<1>().map_or(&[][..], |m| m) } else { manifests };
        let terms = terms(&query.text, query.within_words).map_err(bad)?;
        let digest = fingerprint(manifests, query);
        let after = query.after.as_deref().map(|text| place(text, digest)).transpose().map_err(bad)?;
        let mut search = Search {
            vault: self,
            manifests,
            query,
            terms,
            mode,
            sink,
            outcome: Outcome::default(),
            after,
            digest,
        };
        search.run().await?;
        Ok(search.outcome)
    }
}

fn bad(error: SearchError) -> VaultError {
    VaultError::Query(error.to_string())
}

/// Tells queries apart, so that none goes on where another stopped.
fn fingerprint(manifests: &[Manifest], query: &Query) -> u64 {
    let asked = Query { limit: None, after: None, ..query.clone() };
    let mut text = format!("{asked:?}");
    for manifest in manifests {
        text.push_str(&manifest.digest);
    }
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

fn place(text: &str, digest: u64) -> std::result::Result<Place, SearchError> {
    let mut steps = text.split(':');
    let mut next = || steps.next().ok_or(SearchError::Place);
    let (mark, object) = (next()?, next()?.to_owned());
    let mut number = || next()?.parse::<usize>().map_err(|_| SearchError::Place);
    let place = (object, number()?, number()?, number()?);
    if mark != format!("{digest:016x}") {
        return Err(SearchError::Place);
    }
    Ok(place)
}

impl Search<'_> {
    async fn run(&mut self) -> Result<()> {
        for object in objects(self.manifests) {
            let past = self.after.as_ref().is_some_and(|(at, ..)| object < *at || at.starts_with('/'));
            if past || !self.query.wants(&object) {
                continue;
            }
            let Some(plan) = Plan::of(self.vault, self.manifests, &object).await? else { continue };
            if !self.object(plan).await? {
                return Ok(());
            }
        }
        if !self.query.is_of_records() {
            self.trees().await?;
        }
        Ok(())
    }

    /// Where an earlier search stopped, if that was in this object or tree.
    pub(super) fn resumed(&self, name: &str) -> Option<(usize, usize, usize)> {
        self.after.as_ref().filter(|(at, ..)| at == name).map(|(_, part, group, row)| (*part, *group, *row))
    }

    /// Whether an earlier search was past these trees.
    pub(super) fn is_past(&self, tree: &str) -> bool {
        self.after.as_ref().is_some_and(|(at, ..)| at.starts_with('/') && tree < at.as_str())
    }

    /// Searches an object; false: enough was found.
    async fn object(&mut self, plan: Plan) -> Result<bool> {
        let wanted = Wanted::new(self.query, self.terms.clone());
        let resumed = self.resumed(&plan.object).unwrap_or_default();
        let is_resumed = self.resumed(&plan.object).is_some();
        let object = plan.object.clone();
        let parts = Parts::new(self.vault, plan, wanted)?;
        let mut order: Vec<usize> = (0..parts.plan().parts.len()).collect();
        if self.mode.is_simple() {
            order = parts.plan().views.last().map(|view| view.parts.clone()).unwrap_or_default();
            order.sort_unstable();
        }
        order.retain(|part| *part >= resumed.0);
        self.outcome.parts += order.len() as u64;
        let asked = parts.clone();
        let candidates = stream::iter(order)
            .map(move |part| {
                let parts = asked.clone();
                async move { (part, groups_of(&parts, part).await) }
            })
            .buffered(INDEXES);
        let reading = parts.clone();
        let mut scanned = candidates
            .flat_map(|(part, groups)| {
                let (groups, error) = match groups {
                    Ok(groups) => (groups, None),
                    Err(error) => (Vec::new(), Some((part, 0, Err(error)))),
                };
                stream::iter(groups.into_iter().map(move |group| (part, group, Ok(()))).chain(error))
            })
            .map(move |(part, group, known)| {
                let parts = reading.clone();
                async move {
                    if is_resumed && (part, group) < (resumed.0, resumed.1) {
                        return (part, group, Ok(None));
                    }
                    let scanned = match known {
                        Ok(()) => parts.scan(part, group).await.map(Some),
                        Err(error) => Err(error),
                    };
                    (part, group, scanned)
                }
            })
            .buffered(GROUPS);
        let mut go_on = true;
        while let Some((part, group, rows)) = scanned.next().await {
            let (rows, mut matched) = match rows {
                Ok(Some(found)) => found,
                Ok(None) => continue,
                Err(error) => {
                    self.unread(parts.path(part), error)?;
                    continue;
                }
            };
            self.outcome.groups += 1;
            if is_resumed && (part, group) == (resumed.0, resumed.1) {
                matched.retain(|(row, _)| *row > resumed.2);
            }
            if !self.group(&parts, (part, group), &rows, &matched).await? {
                go_on = false;
                break;
            }
        }
        drop(scanned);
        let Told { without, broken } = parts.told();
        self.outcome.without_index += without;
        self.outcome.broken_indexes.extend(broken);
        tracing::debug!(object, go_on, "searched");
        Ok(go_on)
    }

    /// Notes a file that is not what was written; what only the storage says ends the search.
    pub(super) fn unread(&mut self, path: &str, error: VaultError) -> Result<()> {
        if !matches!(error, VaultError::Corrupted { .. }) && !error.is_not_found() {
            return Err(error);
        }
        tracing::warn!(file = path, "a file cannot be searched: it is not what was written");
        if !self.outcome.unread.iter().any(|(known, _)| known == path) {
            self.outcome.unread.push((path.to_owned(), error.to_string()));
        }
        Ok(())
    }

    /// Tells the hits among these rows; false: enough was found.
    async fn group(
        &mut self,
        parts: &Parts,
        (part, group): (usize, usize),
        rows: &Group,
        matched: &[(usize, u128)],
    ) -> Result<bool> {
        for some in matched.chunks(RECORDS) {
            let Some(mut others) = self.others(parts, part, some).await? else { continue };
            for (row, key) in some {
                let facts = parts.facts(part, rows, *row)?;
                let plan = parts.plan();
                let mut all: BTreeMap<usize, Facts> = others.remove(key).unwrap_or_default();
                let found = if !plan.has_id || *key == NOBODY {
                    alone(plan, part, &facts, self.mode)
                } else if self.mode.is_simple() {
                    let newest = plan
                        .views
                        .last()
                        .filter(|view| all.is_empty() && facts.passes && counts(&facts.found, &view.fields));
                    let version = |view: &View| Version {
                        part,
                        snapshots: view.snapshots.clone(),
                        deleted: facts.in_bin,
                    };
                    newest.map(version).into_iter().collect()
                } else {
                    all.insert(part, facts.clone());
                    versions(plan, part, &all, self.mode)
                };
                all.insert(part, facts);
                // versions of a record are told together: a search that goes on does so after the record
                let mut enough = false;
                for version in found {
                    if let Some(facts) = all.get(&version.part) {
                        enough |= !self.tell(plan, facts, version, (part, group, *row));
                    }
                }
                if enough {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// What other parts have of these records; `None` where one of them cannot be read, which is noted: nobody can say
    /// then which row is the newest.
    async fn others(
        &mut self,
        parts: &Parts,
        part: usize,
        some: &[(usize, u128)],
    ) -> Result<Option<BTreeMap<u128, BTreeMap<usize, Facts>>>> {
        let mut found: BTreeMap<u128, BTreeMap<usize, Facts>> = BTreeMap::new();
        if !parts.plan().has_id {
            return Ok(Some(found));
        }
        let mut keys: Vec<u128> = some.iter().map(|(_, key)| *key).filter(|key| *key != NOBODY).collect();
        keys.sort_unstable();
        let simple = self.mode.is_simple();
        let others: Vec<usize> = if simple {
            // only what lies over it can have another word
            let view = parts.plan().views.last().map(|view| view.parts.as_slice()).unwrap_or_default();
            let after = view.iter().position(|at| *at == part).map_or(view.len(), |at| at + 1);
            view[after..].to_vec()
        } else {
            (0..parts.plan().parts.len()).filter(|other| *other != part).collect()
        };
        let keys = &keys;
        let mut looked = stream::iter(others)
            .map(|other| async move { (other, parts.look_up(other, keys, !simple).await) })
            // facts take whole row groups into memory
            .buffered(if simple { LOOKUPS } else { GROUPS });
        while let Some((other, rows)) = looked.next().await {
            match rows {
                Ok(rows) => {
                    for (key, facts) in rows {
                        found.entry(key).or_default().insert(other, facts.unwrap_or_default());
                    }
                }
                Err(error) => {
                    drop(looked);
                    self.unread(parts.path(other), error)?;
                    return Ok(None);
                }
            }
        }
        drop(looked);
        Ok(Some(found))
    }

    fn tell(
        &mut self,
        plan: &Plan,
        facts: &Facts,
        version: Version,
        (part, group, row): (usize, usize, usize),
    ) -> bool {
        let mut fields: Vec<(String, String)> = Vec::new();
        let of_then =
            plan.views.iter().find(|view| view.snapshots.iter().any(|at| version.snapshots.contains(at)));
        for (field, text) in facts.found.iter().flatten() {
            let known = of_then.is_none_or(|view| view.fields.contains(field));
            if known && !fields.iter().any(|(name, _)| name == field) {
                fields.push((field.clone(), text.clone()));
            }
        }
        let hit = Hit {
            kind: plan.object.clone(),
            id: facts.id.clone(),
            name: facts.name.clone(),
            date: facts
                .date
                .and_then(|at| Timestamp::from_millisecond(at).ok())
                .map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
                .unwrap_or_default(),
            snapshots: version.snapshots,
            deleted: version.deleted,
            fields,
        };
        self.hand_out(hit, (plan.object.clone(), part, group, row))
    }

    /// Hands a hit out, and notes where it was; false: that is enough.
    pub(super) fn hand_out(&mut self, hit: Hit, (name, part, group, row): Place) -> bool {
        self.outcome.hits += 1;
        let enough = !(self.sink)(hit) || self.query.limit.is_some_and(|limit| self.outcome.hits >= limit);
        if enough {
            self.outcome.next = Some(format!("{:016x}:{name}:{part}:{group}:{row}", self.digest));
        }
        !enough
    }

    async fn trees(&mut self) -> Result<()> {
        trees::search(self).await
    }
}

/// The row groups of a part that are to be read, in their order.
async fn groups_of(parts: &Parts, part: usize) -> Result<Vec<usize>> {
    let told = parts.candidates(part).await?;
    if told.as_ref().is_some_and(|groups| !groups.contains(&true)) {
        return Ok(Vec::new());
    }
    let file = parts.file(part).await?;
    let groups = (0..file.groups()).filter(|group| {
        told.as_ref().is_none_or(|told| told.get(*group).copied().unwrap_or(true))
            && parts.may_pass(&file, *group)
    });
    Ok(groups.collect())
}

/// A row without an Id is a record of its own.
fn alone(plan: &Plan, part: usize, facts: &Facts, mode: Mode) -> Vec<Version> {
    let mut snapshots = Vec::new();
    let mut deleted = false;
    let last = plan.views.len().saturating_sub(1);
    for (at, view) in plan.views.iter().enumerate() {
        if view.parts.contains(&part) && facts.passes && counts(&facts.found, &view.fields) {
            snapshots.extend(&view.snapshots);
            deleted = at != last;
        }
    }
    snapshots.sort_unstable();
    let hidden = deleted && !mode.deleted;
    let hit = !snapshots.is_empty() && !facts.deletes && !hidden;
    if hit { vec![Version { part, snapshots, deleted }] } else { Vec::new() }
}
