//! Merges the parts of an object by Id, as a stream: later parts win, deletions drop the record.
//!
//! A part is opened when the merge reaches its least Id, and closed at its end; of each open part one row group's
//! columns are in memory, and of these one block decoded. So memory goes with the number of parts over one key,
//! which compaction bounds, and not with their size. Rows come in runs: stretches of one part between which no other
//! part has a say.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use orgkeep_core::id::SalesforceId;

use super::cursor::{Block, Cursor, Wanted};
use super::keys::Keys;
use super::rows::ReadError;
use crate::codec::file::PartFile;
use crate::codec::key::{NOBODY, key_of};
use crate::codec::{CodecError, PartData, PartKey};

/// A part of the object's state, in the order of the state: base first, then deltas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartRef {
    /// Where it is, as the caller's opener understands it.
    pub path: String,
    /// Its least Id, where known; without it the part is opened at the start.
    pub min_id: Option<SalesforceId>,
    /// Its greatest Id, where known: a reading of other keys does not open it.
    pub max_id: Option<SalesforceId>,
}

/// What an opener gives: a part's bytes and the key that opens it (none for a vault without encryption).
pub type Opened = Result<(PartData, Option<PartKey>), Box<dyn std::error::Error + Send + Sync>>;

/// Rows of one part, one after another, that count.
pub(crate) struct Run<'a> {
    /// The block that they are in.
    pub(crate) block: &'a Block,
    /// The first of them.
    pub(crate) start: usize,
    /// How many.
    pub(crate) many: usize,
    /// The part.
    pub(crate) path: &'a str,
}

/// The merge.
pub(crate) struct Merge<F> {
    wanted: Wanted,
    keys: Keys,
    has_id: bool,
    /// Parts not opened yet, last first, with their place in the state and their least key.
    pending: Vec<(u128, usize, PartRef)>,
    cursors: Vec<Option<Cursor>>,
    /// Cursors by key; of equal keys the newest part's first (of rows without an Id the oldest part's).
    heap: BinaryHeap<Reverse<(u128, usize, usize)>>,
    /// The cursor whose rows were given out and must move on.
    given: Option<(usize, usize)>,
    opener: F,
}

impl<F: FnMut(&PartRef) -> Opened> Merge<F> {
    pub(crate) fn new(wanted: Wanted, keys: Keys, has_id: bool, parts: Vec<PartRef>, opener: F) -> Self {
        let mut pending: Vec<(u128, usize, PartRef)> = Vec::with_capacity(parts.len());
        for (order, part) in parts.into_iter().enumerate() {
            let key = |id: Option<SalesforceId>, none| id.map_or(none, |id| key_of(id.as_bytes()));
            let (least, greatest) = (key(part.min_id, 0), key(part.max_id, u128::MAX));
            if !has_id || keys.touch(least, greatest) {
                pending.push((if has_id { least } else { 0 }, order, part));
            }
        }
        pending.sort_by_key(|(least, order, _)| (*least, *order));
        pending.reverse();
        Self {
            wanted,
            keys,
            has_id,
            pending,
            cursors: Vec::new(),
            heap: BinaryHeap::new(),
            given: None,
            opener,
        }
    }

    /// The next rows that count; `None` at the end.
    pub(crate) fn next_run(&mut self) -> Result<Option<Run<'_>>, ReadError> {
        self.settle()?;
        let (slot, many) = loop {
            self.open_due()?;
            let Some(Reverse((key, _, slot))) = self.heap.pop() else { return Ok(None) };
            if self.merges(key) {
                self.pass_over(key)?;
            }
            let bound = self.bound(key);
            match &self.cursors[slot] {
                Some(cursor) if cursor.deletes() => self.move_on(slot, 1)?,
                Some(cursor) => break (slot, cursor.run(bound).max(1)),
                None => {}
            }
        };
        self.given = Some((slot, many));
        Ok(self.cursors[slot].as_ref().map(|cursor| Run {
            block: &cursor.block,
            start: cursor.at,
            many,
            path: &cursor.path,
        }))
    }

    /// The next Id with every row that parts have of it, the newest first, deletions included.
    pub(crate) fn next_history(
        &mut self,
        mut each: impl FnMut(usize, &Block, usize) -> Result<(), CodecError>,
    ) -> Result<Option<u128>, ReadError> {
        self.settle()?;
        self.open_due()?;
        let Some(Reverse((key, _, mut slot))) = self.heap.pop() else { return Ok(None) };
        let mut age = 0;
        loop {
            if let Some(cursor) = self.cursors[slot].as_ref() {
                each(age, &cursor.block, cursor.at)
                    .map_err(|source| ReadError::Part { path: cursor.path.to_string(), source })?;
            }
            self.move_on(slot, 1)?;
            match self.heap.peek() {
                Some(Reverse((next, _, other))) if *next == key && self.merges(key) => {
                    slot = *other;
                    age += 1;
                    self.heap.pop();
                }
                _ => return Ok(Some(key)),
            }
        }
    }

    /// Whether rows of this key are versions of one record.
    fn merges(&self, key: u128) -> bool {
        self.has_id && key != NOBODY
    }

    fn settle(&mut self) -> Result<(), ReadError> {
        match self.given.take() {
            Some((slot, many)) => self.move_on(slot, many),
            None => Ok(()),
        }
    }

    /// Up to where the cursor that was popped has the word.
    fn bound(&self, key: u128) -> u128 {
        if !self.merges(key) {
            return key + 1;
        }
        let open = self.heap.peek().map_or(u128::MAX, |Reverse((next, ..))| *next);
        self.pending.last().map_or(open, |(least, ..)| open.min(*least))
    }

    /// Opens the parts that may hold the next row.
    fn open_due(&mut self) -> Result<(), ReadError> {
        while let Some((least, ..)) = self.pending.last() {
            let due = match self.heap.peek() {
                None => true,
                Some(Reverse((key, ..))) => self.has_id && least <= key,
            };
            if !due {
                break;
            }
            let Some((_, order, part)) = self.pending.pop() else { break };
            let (data, key) =
                (self.opener)(&part).map_err(|source| ReadError::Open { path: part.path.clone(), source })?;
            let cursor = PartFile::open(data, key.as_ref())
                .and_then(|file| Cursor::open(order, &part.path, file, &self.wanted, &self.keys, self.has_id))
                .map_err(|source| ReadError::Part { path: part.path, source })?;
            let Some(cursor) = cursor else { continue };
            let slot = match self.cursors.iter().position(Option::is_none) {
                Some(free) => free,
                None => {
                    self.cursors.push(None);
                    self.cursors.len() - 1
                }
            };
            self.push(slot, &cursor);
            self.cursors[slot] = Some(cursor);
        }
        Ok(())
    }

    fn push(&mut self, slot: usize, cursor: &Cursor) {
        let key = cursor.key();
        let rank = if self.merges(key) { usize::MAX - cursor.order } else { cursor.order };
        self.heap.push(Reverse((key, rank, slot)));
    }

    /// Moves all cursors at this key past it.
    fn pass_over(&mut self, key: u128) -> Result<(), ReadError> {
        while let Some(Reverse((next, _, slot))) = self.heap.peek() {
            if *next != key {
                break;
            }
            let slot = *slot;
            self.heap.pop();
            self.move_on(slot, 1)?;
        }
        Ok(())
    }

    /// Moves a cursor that is not in the heap on, and puts it back, or drops it at its end.
    fn move_on(&mut self, slot: usize, rows: usize) -> Result<(), ReadError> {
        let Some(mut cursor) = self.cursors[slot].take() else { return Ok(()) };
        match cursor.skip(rows) {
            Ok(true) => {
                self.push(slot, &cursor);
                self.cursors[slot] = Some(cursor);
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(source) => Err(ReadError::Part { path: cursor.path.to_string(), source }),
        }
    }
}
