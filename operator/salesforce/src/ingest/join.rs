//! Results joined to the rows that were sent: pure.
//!
//! The org gives results in another order than it was given rows. A result is the row's whether the whole content is
//! equal, or, where the org gives a value back in another form, by the key column alone. Rows of equal content count:
//! as many results as there are rows, whichever of them is whose.

use std::collections::HashMap;
use std::sync::Arc;

use super::part::Part;
use crate::write::{Outcome, RowError};

/// A result as it was read, by hashes of [`super::part::content_hash`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResultRow {
    /// Of the whole content.
    pub(crate) content: u128,
    /// Of the key column; 0 without one.
    pub(crate) key: u128,
    pub(crate) slot: Slot,
}

/// What became of a row, small: a part has one for each of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Slot {
    /// Not known yet.
    #[default]
    Open,
    /// Written.
    Succeeded { id: Id, created: Option<bool> },
    /// Refused; an index of [`Slots::errors`].
    Failed(u32),
    /// Not taken up; an index of [`Slots::whys`].
    Unprocessed(u32),
    /// Nobody knows; an index of [`Slots::whys`].
    Unknown(u32),
}

/// An id of up to 18 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id([u8; 18]);

impl Id {
    /// An id of 15 or 18 characters.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if !matches!(bytes.len(), 15 | 18) || !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        let mut id = [b' '; 18];
        id[..bytes.len()].copy_from_slice(bytes);
        Some(Self(id))
    }

    fn text(self) -> String {
        String::from_utf8_lossy(&self.0).trim_end().to_owned()
    }
}

/// What became of all rows of a part.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    pub(crate) slots: Vec<Slot>,
    pub(crate) errors: Vec<RowError>,
    by_text: HashMap<String, u32>,
    pub(crate) whys: Vec<Arc<str>>,
    /// Results that belong to no row that was sent.
    pub(crate) strays: u64,
}

impl Slots {
    /// All open.
    pub(crate) fn new(rows: usize) -> Self {
        Self { slots: vec![Slot::Open; rows], ..Self::default() }
    }

    /// The slot of an error in Bulk's words; equal words are kept once.
    pub(crate) fn failed(&mut self, text: &str) -> Slot {
        let next = self.errors.len() as u32;
        let number = *self.by_text.entry(text.to_owned()).or_insert(next);
        if number == next {
            self.errors.push(RowError::of_bulk(text));
        }
        Slot::Failed(number)
    }

    /// An index for a reason.
    pub(crate) fn why(&mut self, why: &str) -> u32 {
        if let Some(at) = self.whys.iter().position(|known| **known == *why) {
            return at as u32;
        }
        self.whys.push(why.into());
        self.whys.len() as u32 - 1
    }

    /// The outcome of a row.
    pub(crate) fn outcome(&self, row: u32) -> Outcome {
        let why =
            |at: u32| self.whys.get(at as usize).cloned().unwrap_or_else(|| "no reason was given".into());
        match self.slots[row as usize] {
            Slot::Succeeded { id, created } => Outcome::Succeeded { id: id.text(), created },
            Slot::Failed(at) => match self.errors.get(at as usize) {
                Some(error) => Outcome::Failed(error.clone()),
                None => Outcome::Failed(RowError::own("Unknown", "no reason was given")),
            },
            Slot::Unprocessed(at) => Outcome::Unprocessed { why: why(at) },
            Slot::Unknown(at) => Outcome::Unknown { why: why(at), candidates: Vec::new() },
            Slot::Open => {
                Outcome::Unknown { why: "it was not told what became of it".into(), candidates: Vec::new() }
            }
        }
    }

    /// Whether the row failed for what passes, such as a lock.
    pub(crate) fn is_locked(&self, row: u32) -> bool {
        match self.slots[row as usize] {
            Slot::Failed(at) => self.errors.get(at as usize).is_some_and(RowError::passes),
            _ => false,
        }
    }
}

/// Joins results to these rows of a part; rows that no result is of stay open.
pub(crate) fn join(part: &Part, rows: &[u32], results: &[ResultRow], slots: &mut Slots) {
    for &row in rows {
        slots.slots[row as usize] = Slot::Open;
    }
    let mut by_content = Chains::new(rows, |row| part.contents[row as usize]);
    let mut unmatched = Vec::new();
    for result in results {
        match by_content.take(result.content) {
            Some(row) => slots.slots[row as usize] = result.slot,
            None => unmatched.push(result),
        }
    }
    if unmatched.is_empty() {
        return;
    }
    if part.key_hashes.is_empty() {
        slots.strays += unmatched.len() as u64;
        return;
    }
    let open: Vec<u32> =
        rows.iter().copied().filter(|&row| slots.slots[row as usize] == Slot::Open).collect();
    let mut by_key = Chains::new(&open, |row| part.key_hashes[row as usize]);
    for result in unmatched {
        match by_key.take(result.key) {
            Some(row) => slots.slots[row as usize] = result.slot,
            None => slots.strays += 1,
        }
    }
}

/// Rows by a hash, those of equal hash in a chain.
struct Chains {
    first: HashMap<u128, u32>,
    next: Vec<u32>,
    rows: Vec<u32>,
}

const END: u32 = u32::MAX;

impl Chains {
    fn new(rows: &[u32], hash: impl Fn(u32) -> u128) -> Self {
        let mut chains = Self {
            first: HashMap::with_capacity(rows.len()),
            next: vec![END; rows.len()],
            rows: rows.to_vec(),
        };
        // backwards, so that the first row of a chain is taken first
        for at in (0..rows.len()).rev() {
            if let Some(later) = chains.first.insert(hash(rows[at]), at as u32) {
                chains.next[at] = later;
            }
        }
        chains
    }

    fn take(&mut self, hash: u128) -> Option<u32> {
        let at = *self.first.get(&hash)?;
        match self.next[at as usize] {
            END => self.first.remove(&hash),
            later => self.first.insert(hash, later),
        };
        Some(self.rows[at as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::part::{PartBuilder, PartLimits, content_hash};
    use crate::write::{Cell, Column, InputRow, Operation, Target};
    use proptest::prelude::*;

    fn part(names: &[String], key: bool) -> Part {
        let mut target =
            Target::new("A", Operation::Insert, vec![Column::text("Name"), Column::text("Key__c")]);
        if key {
            target = target.key("Key__c");
        }
        let mut builder = PartBuilder::new(&target, PartLimits::default()).unwrap();
        for (at, name) in names.iter().enumerate() {
            let key = if key { Cell::Text(at.to_string()) } else { Cell::Absent };
            let cells = vec![Cell::Text(name.clone()), key];
            builder.push(InputRow { key: format!("row {at}"), cells }).unwrap();
        }
        builder.take().unwrap()
    }

    fn id(number: usize) -> Id {
        Id::of(&format!("001{number:012}")).unwrap()
    }

    proptest! {
        /// However results are ordered and rows repeated: each row of a content gets one of the results of that
        /// content, all results are taken, rows without results stay open, and results of other rows are strays.
        #[test]
        fn every_row_gets_one_result_of_its_content(
            names in proptest::collection::vec("[ab,\"\n]{1,2}|(a|\r\n){1,2}", 1..40),
            order in any::<prop::sample::Index>(),
            missing in 0_usize..4,
            strange in 0_usize..3,
        ) {
            let part = part(&names, false);
            let rows: Vec<u32> = (0..part.len() as u32).collect();
            let mut slots = Slots::new(rows.len());
            let mut results: Vec<ResultRow> = names.iter().enumerate().map(|(at, name)| {
                let content = content_hash([Some(name.as_str()), None].into_iter(), &mut Vec::new());
                ResultRow { content, key: 0, slot: Slot::Succeeded { id: id(at), created: Some(true) } }
            }).collect();
            let by = order.index(results.len());
            results.rotate_left(by);
            results.reverse();
            results.truncate(names.len().saturating_sub(missing));
            let kept = results.len();
            for _ in 0..strange {
                results.push(ResultRow { content: 7, key: 0, slot: Slot::Open });
            }
            join(&part, &rows, &results, &mut slots);
            let mut taken = std::collections::BTreeSet::new();
            for (at, slot) in slots.slots.iter().enumerate() {
                if let Slot::Succeeded { id, .. } = slot {
                    let number: usize = id.text()[3..].parse().unwrap();
                    prop_assert!(taken.insert(number), "one result for two rows");
                    let plain = |name: &str| name.replace('\r', "");
                    prop_assert_eq!(plain(&names[number]), plain(&names[at]));
                }
            }
            prop_assert_eq!(taken.len(), kept);
            prop_assert_eq!(slots.strays, strange as u64);
            prop_assert_eq!(slots.slots.iter().filter(|slot| **slot == Slot::Open).count(), names.len() - kept);
        }
    }

    #[test]
    fn a_value_that_comes_back_in_another_form_is_found_by_the_key() {
        let names = ["a".to_owned(), "b".to_owned()];
        let part = part(&names, true);
        let mut slots = Slots::new(2);
        let hash = |cells: &[&str]| content_hash(cells.iter().map(|cell| Some(*cell)), &mut Vec::new());
        let failed = slots.failed("STRING_TOO_LONG:no:Name --");
        let results = [
            ResultRow { content: hash(&["B", "1"]), key: hash(&["1"]), slot: failed },
            ResultRow {
                content: hash(&["a", "0"]),
                key: hash(&["0"]),
                slot: Slot::Succeeded { id: id(0), created: None },
            },
        ];
        join(&part, &[0, 1], &results, &mut slots);
        assert!(slots.outcome(0).succeeded());
        assert!(matches!(slots.outcome(1), Outcome::Failed(error) if error.fields == ["Name"]));
        assert_eq!(slots.strays, 0);
    }

    #[test]
    fn equal_errors_are_kept_once() {
        let mut slots = Slots::new(1);
        assert_eq!(slots.failed("A_B:x:--"), slots.failed("A_B:x:--"));
        assert_eq!(slots.errors.len(), 1);
        slots.slots[0] = slots.failed("UNABLE_TO_LOCK_ROW:x:--");
        assert!(slots.is_locked(0));
        assert_eq!(slots.why("x"), slots.why("x"));
        assert_eq!(Id::of("nonsense"), None);
    }
}
