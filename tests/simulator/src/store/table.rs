//! One object's rows in the order of their ids: generated rows by number, stored rows in a tree, a stored row
//! taking the place of the generated row with the same id.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::iter::Peekable;
use std::ops::Bound;
use std::sync::Arc;

use super::generator::Generator;
use crate::value::{Cell, Id, Value};

/// Serial numbers of rows that users insert while the simulator runs begin here, above loaded rows (from 1)
/// and generated rows (from [`Generator::FIRST_SERIAL`]).
const FIRST_INSERTED: u64 = 62 * 62 * 62 * 62 * 62 * 62;

/// A stored row: its non-null cells, by field number.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id.
    pub id: Id,
    /// Given by `queryAll` only: in the recycle bin, or an archived activity.
    pub deleted: bool,
    cells: Vec<(u16, Value)>,
}

impl Row {
    /// A row without any cell.
    pub fn new(id: Id) -> Self {
        Self { id, deleted: false, cells: Vec::new() }
    }

    /// The cell of a field.
    pub fn get(&self, field: usize) -> Cell<'_> {
        match self.cells.binary_search_by_key(&(field as u16), |(number, _)| *number) {
            Ok(at) => self.cells[at].1.as_cell(),
            Err(_) => Cell::Null,
        }
    }

    /// Sets the cell of a field; `None` is null.
    pub fn set(&mut self, field: usize, value: Option<Value>) {
        match (self.cells.binary_search_by_key(&(field as u16), |(number, _)| *number), value) {
            (Ok(at), Some(value)) => self.cells[at].1 = value,
            (Ok(at), None) => drop(self.cells.remove(at)),
            (Err(at), Some(value)) => self.cells.insert(at, (field as u16, value)),
            (Err(_), None) => {}
        }
    }

    /// Gives back memory that growing left over.
    pub fn shrink(&mut self) {
        self.cells.shrink_to_fit();
    }
}

/// A row as a scan gives it.
#[derive(Clone, Copy, Debug)]
pub enum RowRef<'a> {
    /// A row of the tree.
    Stored(&'a Row),
    /// The generated row with this number.
    Generated(u64),
}

#[derive(Clone, Debug)]
enum Slot {
    Row(Arc<Row>),
    /// A generated row that was deleted for good.
    Purged,
}

/// Which ids a scan runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Lower bound.
    pub low: Bound<Id>,
    /// Upper bound.
    pub high: Bound<Id>,
}

impl Bounds {
    /// Every id.
    pub const ALL: Self = Self { low: Bound::Unbounded, high: Bound::Unbounded };

    /// Whether no id can lie within (a tree range over such bounds would be an error).
    fn is_empty(&self) -> bool {
        match (self.low, self.high) {
            (Bound::Included(low), Bound::Included(high)) => low > high,
            (Bound::Included(low) | Bound::Excluded(low), Bound::Included(high) | Bound::Excluded(high)) => {
                low >= high
            }
            _ => false,
        }
    }
}

/// One object's rows.
#[derive(Clone, Debug, Default)]
pub struct Table {
    generator: Option<Arc<Generator>>,
    rows: BTreeMap<Id, Slot>,
    inserted: u64,
}

impl Table {
    /// The generator of its generated rows.
    pub fn generator(&self) -> Option<&Generator> {
        self.generator.as_deref()
    }

    /// Adds generated rows.
    pub fn set_generator(&mut self, generator: Generator) {
        self.generator = Some(Arc::new(generator));
    }

    /// Puts a row, in place of the one with the same id if there is one.
    pub fn put(&mut self, mut row: Row) {
        row.shrink();
        self.rows.insert(row.id, Slot::Row(Arc::new(row)));
    }

    /// Removes a row for good, as emptying the recycle bin does.
    pub fn purge(&mut self, id: Id) {
        if self.generated_place(id).1 {
            self.rows.insert(id, Slot::Purged);
        } else {
            self.rows.remove(&id);
        }
    }

    /// A new id for a row that a user inserts.
    pub fn next_id(&mut self, prefix: [u8; 3]) -> Id {
        self.inserted += 1;
        Id::new(prefix, FIRST_INSERTED + self.inserted)
    }

    /// Ids of the stored rows that are not deleted, in order.
    pub fn stored_ids(&self) -> impl Iterator<Item = Id> {
        self.rows.values().filter_map(|slot| match slot {
            Slot::Row(row) if !row.deleted => Some(row.id),
            _ => None,
        })
    }

    /// How many rows there are, with those in the recycle bin or without.
    pub fn count(&self, with_deleted: bool) -> u64 {
        let mut count = self.generator.as_ref().map_or(0, |g| g.count());
        for (id, slot) in &self.rows {
            count -= u64::from(self.generated_place(*id).1);
            count += match slot {
                Slot::Row(row) => u64::from(with_deleted || !row.deleted),
                Slot::Purged => 0,
            };
        }
        count
    }

    /// The row with this id, deleted ones included.
    pub fn find(&self, id: Id) -> Option<RowRef<'_>> {
        match self.rows.get(&id) {
            Some(Slot::Row(row)) => Some(RowRef::Stored(row)),
            Some(Slot::Purged) => None,
            None => match self.generated_place(id) {
                (index, true) => Some(RowRef::Generated(index)),
                _ => None,
            },
        }
    }

    /// The id of a row of this table.
    pub fn id_of(&self, row: RowRef<'_>) -> Id {
        match (row, &self.generator) {
            (RowRef::Stored(row), _) => row.id,
            (RowRef::Generated(index), Some(generator)) => generator.id(index),
            (RowRef::Generated(_), None) => Id::LOWEST,
        }
    }

    /// All rows within the bounds in the order of their ids.
    pub fn scan(&self, bounds: Bounds, with_deleted: bool) -> Scan<'_> {
        if bounds.is_empty() {
            let mut empty = self.rows.range(..Id::LOWEST).peekable();
            empty.peek();
            return Scan {
                table: self,
                generated: 0..0,
                stored: empty,
                place: (u64::MAX, false),
                with_deleted,
            };
        }
        let start = match bounds.low {
            Bound::Unbounded => 0,
            Bound::Included(id) => self.generated_place(id).0,
            Bound::Excluded(id) => after(self.generated_place(id)),
        };
        let end = match bounds.high {
            Bound::Unbounded => self.generator.as_ref().map_or(0, |g| g.count()),
            Bound::Included(id) => after(self.generated_place(id)),
            Bound::Excluded(id) => self.generated_place(id).0,
        };
        let mut stored = self.rows.range((bounds.low, bounds.high)).peekable();
        let place = stored.peek().map_or((u64::MAX, false), |(id, _)| self.generated_place(**id));
        Scan { table: self, generated: start..end.max(start), stored, place, with_deleted }
    }

    /// How many generated rows have a lower id, and whether this id is itself that of a generated row.
    fn generated_place(&self, id: Id) -> (u64, bool) {
        let Some(generator) = &self.generator else { return (0, false) };
        let (serial, exact) = id.position(generator.prefix());
        let index = serial.saturating_sub(Generator::FIRST_SERIAL);
        if index >= generator.count() {
            return (generator.count(), false);
        }
        (index, exact && serial >= Generator::FIRST_SERIAL)
    }
}

fn after((index, exact): (u64, bool)) -> u64 {
    index + u64::from(exact)
}

/// A scan in the order of ids.
pub struct Scan<'a> {
    table: &'a Table,
    generated: std::ops::Range<u64>,
    stored: Peekable<btree_map::Range<'a, Id, Slot>>,
    /// Where the next stored row stands among the generated ones.
    place: (u64, bool),
    with_deleted: bool,
}

impl<'a> Scan<'a> {
    /// Leaves out up to `count` rows, many at a time where no stored row is near. Gives how many it left out.
    pub fn leave_out(&mut self, count: u64) -> u64 {
        let mut left_out = 0;
        while left_out < count {
            let until = self.generated.end.min(self.place.0);
            let run = until.saturating_sub(self.generated.start).min(count - left_out);
            if run > 0 {
                self.generated.start += run;
                left_out += run;
            } else if self.next().is_some() {
                left_out += 1;
            } else {
                break;
            }
        }
        left_out
    }

    fn next_stored(&mut self) -> Option<&'a Slot> {
        let (_, slot) = self.stored.next()?;
        if self.place.1 && self.generated.start == self.place.0 {
            self.generated.start += 1;
        }
        self.place = self.stored.peek().map_or((u64::MAX, false), |(id, _)| self.table.generated_place(**id));
        Some(slot)
    }
}

impl<'a> Iterator for Scan<'a> {
    type Item = RowRef<'a>;

    fn next(&mut self) -> Option<RowRef<'a>> {
        loop {
            if self.generated.start < self.generated.end && self.generated.start < self.place.0 {
                let index = self.generated.start;
                self.generated.start += 1;
                return Some(RowRef::Generated(index));
            }
            match self.next_stored() {
                Some(Slot::Row(row)) if self.with_deleted || !row.deleted => {
                    return Some(RowRef::Stored(row));
                }
                Some(_) => {}
                None => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Object;
    use proptest::prelude::*;

    const FIRST: u64 = Generator::FIRST_SERIAL;

    fn table(count: u64, changes: &[(u64, u8)]) -> Table {
        let describe =
            serde_json::json!({"name": "A", "keyPrefix": "001", "fields": [{"name": "Id", "type": "id"}]});
        let object = Object::from_describe(describe.as_object().unwrap().clone()).unwrap();
        let mut table = Table::default();
        table.set_generator(Generator::new(&object, *b"001", count, 1, |_| None));
        for (serial, change) in changes {
            let id = Id::new(*b"001", *serial);
            match change {
                0 => table.purge(id),
                change => table.put(Row { deleted: *change == 1, ..Row::new(id) }),
            }
        }
        table
    }

    proptest! {
        /// Stored rows take the place of generated ones, wherever a scan begins, ends or leaves rows out.
        #[test]
        fn scans_agree_with_a_list(
            count in 0u64..12,
            changes in proptest::collection::vec((FIRST - 3..FIRST + 15, 0u8..3), 0..10),
            (low, high, skip) in (FIRST - 4..FIRST + 16, FIRST - 4..FIRST + 16, 0u64..8),
            all: bool,
        ) {
            let table = table(count, &changes);
            let mut expected: BTreeMap<u64, u8> = (FIRST..FIRST + count).map(|serial| (serial, 2)).collect();
            for (serial, change) in &changes {
                expected.insert(*serial, *change);
            }
            let shown = |change: u8| change == 2 || all && change == 1;
            expected.retain(|_, change| shown(*change));
            prop_assert_eq!(table.count(all), expected.len() as u64);
            let bounds = Bounds {
                low: Bound::Excluded(Id::new(*b"001", low)),
                high: Bound::Included(Id::new(*b"001", high)),
            };
            let within: Vec<Id> = expected
                .keys()
                .filter(|serial| **serial > low && **serial <= high)
                .map(|serial| Id::new(*b"001", *serial))
                .collect();
            let scanned: Vec<Id> = table.scan(bounds, all).map(|row| table.id_of(row)).collect();
            prop_assert_eq!(&scanned, &within);
            let mut scan = table.scan(bounds, all);
            let left_out = scan.leave_out(skip);
            prop_assert_eq!(left_out, skip.min(within.len() as u64));
            let rest: Vec<Id> = scan.map(|row| table.id_of(row)).collect();
            prop_assert_eq!(&rest[..], &within[left_out as usize..]);
        }
    }
}
