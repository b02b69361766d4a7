//! A sorted map from ids whose clone shares nearly everything: pieces of a hundred entries, each behind a
//! pointer. A snapshot of a million rows costs some thousand pointers, and a change after it copies one piece.

use std::ops::Bound;
use std::sync::Arc;

use crate::value::Id;

/// Entries of a piece at most.
const MOST: usize = 128;

/// A piece: entries in the order of their ids, never none.
type Piece<V> = Arc<Vec<(Id, V)>>;

/// A sorted map from ids.
#[derive(Clone, Debug)]
pub(super) struct Chunks<V> {
    pieces: Vec<Piece<V>>,
}

impl<V> Default for Chunks<V> {
    fn default() -> Self {
        Self { pieces: Vec::new() }
    }
}

impl<V: Clone> Chunks<V> {
    /// The value of an id.
    pub(super) fn get(&self, id: Id) -> Option<&V> {
        let piece = self.pieces.get(self.piece_of(id))?;
        let at = piece.binary_search_by_key(&id, |(known, _)| *known).ok()?;
        piece.get(at).map(|(_, value)| value)
    }

    /// Puts a value, and gives the one that it takes the place of.
    pub(super) fn insert(&mut self, id: Id, value: V) -> Option<V> {
        let number = self.piece_of(id);
        let count = self.pieces.len();
        let Some(shared) = self.pieces.get_mut(number) else {
            self.pieces.push(Arc::new(vec![(id, value)]));
            return None;
        };
        let at = match shared.binary_search_by_key(&id, |(known, _)| *known) {
            Ok(at) => return Some(std::mem::replace(&mut Arc::make_mut(shared)[at].1, value)),
            Err(at) => at,
        };
        if shared.len() < MOST {
            Arc::make_mut(shared).insert(at, (id, value));
        } else if at == MOST && number + 1 == count {
            // rows mostly come in the order of their ids: full pieces stay full
            self.pieces.push(Arc::new(vec![(id, value)]));
        } else {
            let piece = Arc::make_mut(shared);
            piece.insert(at, (id, value));
            let upper = piece.split_off(MOST / 2);
            self.pieces.insert(number + 1, Arc::new(upper));
        }
        None
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, id: Id) -> Option<V> {
        let number = self.piece_of(id);
        let shared = self.pieces.get_mut(number)?;
        let at = shared.binary_search_by_key(&id, |(known, _)| *known).ok()?;
        let (_, value) = Arc::make_mut(shared).remove(at);
        if shared.is_empty() {
            self.pieces.remove(number);
        }
        Some(value)
    }

    /// Entries between two bounds, in the order of their ids.
    pub(super) fn range(&self, low: Bound<Id>, high: Bound<Id>) -> Range<'_, V> {
        let start = match low {
            Bound::Unbounded => (0, 0),
            Bound::Included(id) => self.place(id, false),
            Bound::Excluded(id) => self.place(id, true),
        };
        let end = match high {
            Bound::Unbounded => (self.pieces.len(), 0),
            Bound::Included(id) => self.place(id, true),
            Bound::Excluded(id) => self.place(id, false),
        };
        Range { pieces: &self.pieces, at: start, end: end.max(start) }
    }

    /// All entries.
    pub(super) fn iter(&self) -> Range<'_, V> {
        self.range(Bound::Unbounded, Bound::Unbounded)
    }

    /// The piece that an id belongs into: the last one that does not begin above it.
    fn piece_of(&self, id: Id) -> usize {
        let after = self.pieces.partition_point(|piece| piece.first().is_some_and(|(first, _)| *first <= id));
        after.saturating_sub(1)
    }

    /// Piece and place in it of the first entry that is not below the id (or above it, with `after`).
    fn place(&self, id: Id, after: bool) -> (usize, usize) {
        let number = self.piece_of(id);
        let Some(piece) = self.pieces.get(number) else { return (self.pieces.len(), 0) };
        let at = piece.partition_point(|(known, _)| if after { *known <= id } else { *known < id });
        if at == piece.len() { (number + 1, 0) } else { (number, at) }
    }
}

/// Entries between two bounds.
#[derive(Clone, Debug)]
pub(super) struct Range<'a, V> {
    pieces: &'a [Piece<V>],
    at: (usize, usize),
    end: (usize, usize),
}

impl<'a, V> Iterator for Range<'a, V> {
    type Item = (Id, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let piece = self.pieces.get(self.at.0)?;
        let (id, value) = piece.get(self.at.1)?;
        self.at.1 += 1;
        if self.at.1 == piece.len() {
            self.at = (self.at.0 + 1, 0);
        }
        Some((*id, value))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// It is the map that the standard library has, and a clone stays as it was.
        #[test]
        fn agrees_with_a_tree(
            steps in proptest::collection::vec((0u64..700, any::<bool>(), any::<u16>()), 0..900),
            first in 0u64..900,
            (low, high) in (0u64..720, 0u64..720),
        ) {
            let id = |serial| Id::new(*b"001", serial);
            let mut tree: BTreeMap<Id, u16> = (0..first).map(|n| (id(n), 0)).collect();
            let mut chunks = Chunks::default();
            for n in 0..first {
                chunks.insert(id(n), 0);
            }
            let (old_tree, old) = (tree.clone(), chunks.clone());
            for (serial, remove, value) in steps {
                if remove {
                    prop_assert_eq!(chunks.remove(id(serial)), tree.remove(&id(serial)));
                } else {
                    prop_assert_eq!(chunks.insert(id(serial), value), tree.insert(id(serial), value));
                }
                prop_assert_eq!(chunks.get(id(serial)), tree.get(&id(serial)));
            }
            let list = |chunks: &Chunks<u16>| chunks.iter().map(|(id, v)| (id, *v)).collect::<Vec<_>>();
            prop_assert_eq!(list(&chunks), tree.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(list(&old), old_tree.into_iter().collect::<Vec<_>>());
            let all = list(&chunks);
            for (low, high) in [
                (Bound::Included(id(low)), Bound::Included(id(high))),
                (Bound::Excluded(id(low)), Bound::Excluded(id(high))),
                (Bound::Excluded(id(low)), Bound::Unbounded),
            ] {
                let within = |known: &&(Id, u16)| {
                    let above = match low { Bound::Included(l) => known.0 >= l, Bound::Excluded(l) => known.0 > l, Bound::Unbounded => true };
                    let below = match high { Bound::Included(h) => known.0 <= h, Bound::Excluded(h) => known.0 < h, Bound::Unbounded => true };
                    above && below
                };
                let expected: Vec<_> = all.iter().filter(within).copied().collect();
                let found: Vec<_> = chunks.range(low, high).map(|(id, v)| (id, *v)).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }
}
