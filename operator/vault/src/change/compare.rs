//! The difference of two states: by the deltas between them where the later one rests on the earlier one, by row
//! hashes otherwise, and then only over keys whose files are not the same.

use std::sync::Arc;

use orgkeep_core::id::SalesforceId;
use orgkeep_core::schema::ObjectSchema;

use super::ChangeKind;
use super::below::{broken, wanted};
use super::history::{History, kind};
use crate::codec::RowHash;
use crate::codec::key::{NOBODY, id_of, key_of};
use crate::error::Result;
use crate::read::adapt::{Adapter, number};
use crate::read::keys::Keys;
use crate::read::merge::Merge;
use crate::read::{Opened, PartRef, ReadError};
use crate::state::{Part, State};
use crate::vault::Vault;
use arrow_array::Array;
use arrow_array::cast::AsArray;

/// A record that is not the same in two states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// The record.
    pub id: SalesforceId,
    /// What it takes to come from the first state to the second.
    pub kind: ChangeKind,
}

type Opener = Box<dyn FnMut(&PartRef) -> Opened + Send>;

/// The difference of two states, by Id. Reading it blocks.
pub struct Comparison {
    way: Way,
}

#[allow(clippy::large_enum_variant)] // there is one of it at a time
enum Way {
    Deltas(History<Opener>),
    /// Ranges of keys still to be compared, the last one first, and the one under way.
    Hashes {
        ranges: Vec<Keys>,
        sides: Box<[Source; 2]>,
        now: Option<[Side; 2]>,
    },
}

/// One of two states.
struct Source {
    vault: Vault,
    parts: Vec<Part>,
    refs: Vec<PartRef>,
    adapter: Option<Arc<Adapter>>,
}

impl Vault {
    /// What changed from one state to another: of one object in one line or two, in this vault or (`other`) in
    /// another. Must be called within a runtime; reading what it returns blocks.
    pub fn compare(&self, before: &State, other: &Vault, after: &State) -> Result<Comparison> {
        let shared = |part: &Part, state: &State| {
            state.parts.iter().any(|known| known.path == part.path && known.sha256 == part.sha256)
        };
        let same_vault = self.id() == other.id();
        let gone: Vec<&Part> =
            before.parts.iter().filter(|part| !same_vault || !shared(part, after)).collect();
        let new: Vec<&Part> =
            after.parts.iter().filter(|part| !same_vault || !shared(part, before)).collect();
        if gone.is_empty() && new.iter().all(|part| part.kind == crate::PartKind::Delta) {
            let new: Vec<Part> = new.into_iter().cloned().collect();
            let refs = self.part_refs(&new)?;
            return Ok(Comparison { way: Way::Deltas(History::new(refs, Box::new(self.opener(new)))) });
        }
        let mut ranges = Vec::new();
        for (vault, parts) in [(self, gone), (other, new)] {
            for part in parts {
                let ids = vault.ids(part)?.and_then(|ids| {
                    let key = |id: &str| SalesforceId::parse(id).ok().map(|id| key_of(id.as_bytes()));
                    key(&ids.min).zip(key(&ids.max))
                });
                ranges.push(ids.map_or((0, u128::MAX), |(min, max)| (min, max + 1)));
            }
        }
        let source = |vault: &Vault, state: &State, common: &Option<ObjectSchema>| -> Result<Source> {
            Ok(Source {
                vault: vault.clone(),
                parts: state.parts.clone(),
                refs: vault.part_refs(&state.parts)?,
                adapter: Some(Arc::new(Adapter::new(common.as_ref().unwrap_or(&state.schema)))),
            })
        };
        let common = common(before, after);
        let sides = Box::new([source(self, before, &common)?, source(other, after, &common)?]);
        Ok(Comparison { way: Way::Hashes { ranges: joined(ranges), sides, now: None } })
    }
}

/// Fields of both schemas, typed as in the second; `None` where both are the same.
fn common(before: &State, after: &State) -> Option<ObjectSchema> {
    if before.schema_digest == after.schema_digest {
        return None;
    }
    let mut common = after.schema.clone();
    common.fields.retain(|field| before.schema.fields.iter().any(|known| known.name == field.name));
    Some(common)
}

/// Ranges without overlap, the last one first.
fn joined(mut ranges: Vec<(u128, u128)>) -> Vec<Keys> {
    ranges.sort_unstable();
    let mut joined: Vec<(u128, u128)> = Vec::new();
    for (from, to) in ranges {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    joined.into_iter().rev().map(|(from, to)| Keys::Range(from, to)).collect()
}

impl Comparison {
    /// Whether it is read from the deltas between the two states alone, in proportion to what changed.
    pub fn is_by_deltas(&self) -> bool {
        matches!(self.way, Way::Deltas(_))
    }

    /// The next record that differs.
    #[allow(clippy::should_implement_trait)] // it fails
    pub fn next(&mut self) -> Result<Option<Difference>> {
        loop {
            let found = match &mut self.way {
                Way::Deltas(history) => match history.next().map_err(broken)? {
                    Some(net) => net.kind.map(|kind| (net.key, kind)),
                    None => return Ok(None),
                },
                Way::Hashes { ranges, sides, now } => match now {
                    Some(pair) => {
                        let found = next_difference(pair).map_err(broken)?;
                        if found.is_none() {
                            *now = None;
                        }
                        found
                    }
                    None => {
                        let Some(keys) = ranges.pop() else { return Ok(None) };
                        let [before, after] = sides.as_ref();
                        *now = Some([before.side(keys.clone()), after.side(keys)]);
                        None
                    }
                },
            };
            if let Some((key, kind)) = found
                && let Some(id) = id_of(key)
            {
                return Ok(Some(Difference { id, kind }));
            }
        }
    }
}

impl Source {
    fn side(&self, keys: Keys) -> Side {
        let opener: Opener = Box::new(self.vault.opener(self.parts.clone()));
        let wanted = wanted(&["_hash", "_hash_derived"], self.adapter.clone());
        Side {
            merge: Merge::new(wanted, keys, true, self.refs.clone(), opener),
            keys: Vec::new(),
            hashes: Vec::new(),
            derived: Vec::new(),
            at: 0,
            ended: false,
        }
    }
}

/// Keys and hashes of one state, a run at a time.
struct Side {
    merge: Merge<Opener>,
    keys: Vec<u128>,
    hashes: Vec<u128>,
    /// Empty where all are zero.
    derived: Vec<u128>,
    at: usize,
    ended: bool,
}

impl Side {
    /// Sees to it that there is a row at `at`, unless all were.
    fn fill(&mut self) -> Result<(), ReadError> {
        while self.at == self.keys.len() && !self.ended {
            (self.at, self.ended) = (0, true);
            self.keys.clear();
            self.hashes.clear();
            self.derived.clear();
            // Short runs are taken together.
            while self.keys.len() < 1024 {
                let Some(run) = self.merge.next_run()? else { break };
                self.ended = false;
                let rows = run.start..run.start + run.many;
                self.keys.extend_from_slice(&run.block.keys[rows.clone()]);
                take(&mut self.hashes, run.block.columns[0].as_ref(), &rows);
                let derived = run.block.columns[1].as_ref().filter(|c| c.null_count() < c.len());
                if derived.is_some() || !self.derived.is_empty() {
                    self.derived.resize(self.keys.len() - run.many, 0);
                    take(&mut self.derived, derived, &rows);
                }
            }
        }
        Ok(())
    }

    fn key(&self) -> Option<u128> {
        self.keys.get(self.at).copied()
    }

    fn hash(&self) -> RowHash {
        RowHash { hash: self.hashes[self.at], derived: self.derived.get(self.at).copied().unwrap_or(0) }
    }
}

/// Appends the hashes of rows, zero for null.
fn take(into: &mut Vec<u128>, column: Option<&arrow_array::ArrayRef>, rows: &std::ops::Range<usize>) {
    let Some(column) = column.and_then(|column| column.as_fixed_size_binary_opt()) else {
        into.resize(into.len() + rows.len(), 0);
        return;
    };
    let bytes = &column.value_data()[rows.start * 16..rows.end * 16];
    if column.null_count() == 0 {
        into.extend(bytes.chunks_exact(16).map(number));
    } else {
        let value = |row: usize| if column.is_valid(row) { number(column.value(row)) } else { 0 };
        into.extend(rows.clone().map(value));
    }
}

/// The next key at which two states differ.
fn next_difference([before, after]: &mut [Side; 2]) -> Result<Option<(u128, ChangeKind)>, ReadError> {
    loop {
        before.fill()?;
        after.fill()?;
        match (before.key(), after.key()) {
            (None, None) => return Ok(None),
            (Some(old), Some(new)) if old == new => {
                let (then, now) = (before.hash(), after.hash());
                before.at += 1;
                after.at += 1;
                if then != now
                    && old != NOBODY
                    && let Some(kind) = kind(Some(then), Some(now))
                {
                    return Ok(Some((old, kind)));
                }
            }
            (Some(old), new) if new.is_none_or(|new| old < new) => {
                before.at += 1;
                return Ok(Some((old, ChangeKind::Deleted)));
            }
            (_, Some(new)) => {
                after.at += 1;
                return Ok(Some((new, ChangeKind::Added)));
            }
            (Some(_), None) => {}
        }
    }
}
