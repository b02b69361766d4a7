//! Which rows have a value: entries that are only ever added, in sorted runs of growing size behind pointers, so that
//! a clone costs a dozen pointers and an entry some tens of nanoseconds. What an entry says is true of the row at some
//! time: whoever looks up holds each row that is found against its content as it is now.

use std::sync::Arc;

use super::generator::mix;
use crate::value::{Cell, Id};

/// Entries of the run that is still written to.
const SMALL: usize = 256;

/// The hash of a value, and a row that has or had it.
type Entry = (u64, Id);

/// The rows by the values of one field.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// Sorted runs, each at least twice as long as the next but for the last one.
    runs: Vec<Arc<Vec<Entry>>>,
}

impl Index {
    /// Notes that a row has a value.
    pub(super) fn add(&mut self, hash: u64, id: Id) {
        let entry = (hash, id);
        match self.runs.last_mut() {
            Some(last) if last.len() < SMALL => {
                let at = last.partition_point(|known| *known < entry);
                if last.get(at) != Some(&entry) {
                    Arc::make_mut(last).insert(at, entry);
                }
            }
            _ => self.runs.push(Arc::new(vec![entry])),
        }
        if self.runs.last().is_some_and(|last| last.len() == SMALL) {
            self.settle();
        }
    }

    /// Merges runs until each is at least twice as long as the next.
    fn settle(&mut self) {
        while let [.., longer, last] = self.runs.as_slice() {
            if longer.len() >= 2 * last.len() {
                return;
            }
            let merged = Arc::new(merge(longer, last));
            self.runs.truncate(self.runs.len() - 2);
            self.runs.push(merged);
        }
    }

    /// Rows that may have the value of this hash, each once, in the order of their ids.
    pub(super) fn rows(&self, hash: u64) -> Vec<Id> {
        let mut found = Vec::new();
        for run in &self.runs {
            let start = run.partition_point(|(known, _)| *known < hash);
            found.extend(run[start..].iter().take_while(|(known, _)| *known == hash).map(|(_, id)| *id));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// How many entries there are, those included that are not true any more.
    pub(super) fn len(&self) -> usize {
        self.runs.iter().map(|run| run.len()).sum()
    }

    /// An index of these entries, in any order.
    pub(super) fn of(mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable();
        entries.dedup();
        Self { runs: if entries.is_empty() { Vec::new() } else { vec![Arc::new(entries)] } }
    }
}

/// The entries of two sorted runs in order, each once.
fn merge(a: &[Entry], b: &[Entry]) -> Vec<Entry> {
    let mut merged = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
    loop {
        let next = match (a.peek(), b.peek()) {
            (Some(x), Some(y)) if x < y => a.next(),
            (Some(x), Some(y)) if x == y => {
                b.next();
                a.next()
            }
            (_, Some(_)) => b.next(),
            (Some(_), None) => a.next(),
            (None, None) => return merged,
        };
        merged.extend(next);
    }
}

/// The hash of a value: equal for all that some field holds equal, as texts in another case. `None` for null.
pub(super) fn hash(cell: Cell<'_>) -> Option<u64> {
    const START: u64 = 0xCBF2_9CE4_8422_2325;
    let next = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    let of_number = |number: i64| number.to_le_bytes().into_iter().fold(START, next);
    Some(mix(match cell {
        Cell::Null => return None,
        Cell::Text(text) if text.is_ascii() => {
            text.bytes().fold(START, |hash, byte| next(hash, byte.to_ascii_lowercase()))
        }
        Cell::Text(text) => text.to_lowercase().bytes().fold(START, next),
        Cell::Id(id) => id.short().bytes().fold(START, next),
        Cell::Number(number) => {
            let mut plain = Vec::with_capacity(24);
            number.write(&mut plain);
            plain.into_iter().fold(START, next)
        }
        Cell::Int(number) => format!("{number}.0").bytes().fold(START, next),
        Cell::Bool(value) => of_number(i64::from(value)),
        Cell::Date(number) | Cell::Time(number) => of_number(i64::from(number)),
        Cell::DateTime(number) => of_number(number),
    }))
}

/// Whether a field takes two values for the same; null is like nothing.
pub(super) fn same(case_sensitive: bool, a: Cell<'_>, b: Cell<'_>) -> bool {
    match (a, b) {
        (Cell::Null, _) | (_, Cell::Null) => false,
        (Cell::Text(a), Cell::Text(b)) => {
            a == b || !case_sensitive && (a.eq_ignore_ascii_case(b) || a.to_lowercase() == b.to_lowercase())
        }
        (Cell::Number(_) | Cell::Int(_), Cell::Number(_) | Cell::Int(_)) => hash(a) == hash(b),
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// It finds what a set finds, and a clone stays as it was.
        #[test]
        fn agrees_with_a_set(entries in proptest::collection::vec((0u64..40, 0u64..60), 0..3_000), split in 0usize..3_000) {
            let id = |serial| Id::new(*b"001", serial);
            let split = split.min(entries.len());
            let mut index = Index::default();
            for (hash, serial) in &entries[..split] {
                index.add(*hash, id(*serial));
            }
            let old = index.clone();
            for (hash, serial) in &entries[split..] {
                index.add(*hash, id(*serial));
            }
            let whole = Index::of(entries.iter().map(|(hash, serial)| (*hash, id(*serial))).collect());
            for asked in 0..40 {
                let of = |entries: &[(u64, u64)]| {
                    let ids = entries.iter().filter(|(hash, _)| *hash == asked).map(|(_, serial)| id(*serial));
                    ids.collect::<BTreeSet<Id>>().into_iter().collect::<Vec<Id>>()
                };
                prop_assert_eq!(old.rows(asked), of(&entries[..split]));
                prop_assert_eq!(index.rows(asked), of(&entries));
                prop_assert_eq!(whole.rows(asked), of(&entries));
            }
        }
    }
}
