//! One object's rows in the order of their ids: generated rows by number, stored rows in a tree, a stored row
//! taking the place of the generated row with the same id.

use std::iter::Peekable;
use std::ops::Bound;
use std::sync::Arc;

use super::chunks::{Chunks, Range};
use super::generator::Generator;
use super::gone::Gone;
use super::index::{Index, hash, same};
use crate::schema::{FieldType, Object};
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

    /// Non-null cells: field numbers and values, in the order of the fields.
    pub fn cells(&self) -> impl Iterator<Item = (usize, &Value)> {
        self.cells.iter().map(|(field, value)| (usize::from(*field), value))
    }

    /// The same row with other field numbers; cells whose field has none are dropped.
    pub(super) fn renumbered(&self, number: impl Fn(usize) -> Option<usize>) -> Self {
        let mut row =
            Self { id: self.id, deleted: self.deleted, cells: Vec::with_capacity(self.cells.len()) };
        for (field, value) in self.cells() {
            if let Some(field) = number(field) {
                row.set(field, Some(value.clone()));
            }
        }
        row
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
    rows: Chunks<Slot>,
    /// Stored rows that are not deleted.
    live: u64,
    /// Stored rows that are.
    deleted: u64,
    /// Generated rows whose place a stored row took, or that are gone for good.
    replaced: u64,
    inserted: u64,
    gone: Chunks<Arc<Gone>>,
    /// The last number that autonumber fields gave, by field.
    numbers: Vec<(u16, u64)>,
    /// Stored rows by the values of keys and references, by field.
    indexes: Vec<(u16, Index)>,
    /// Deleted rows by the record whose deletion took them along.
    along: Index,
}

/// References that only tell history: nobody looks for the records that a user made.
const HISTORY: [&str; 2] = ["CreatedById", "LastModifiedById"];

impl Table {
    /// An empty table of an object's rows.
    pub(super) fn of(object: &Object) -> Self {
        let mut table = Self::default();
        table.index(object);
        table
    }

    /// From now on keeps track of which rows have a value in keys and references of the object.
    pub(super) fn index(&mut self, object: &Object) {
        let kept = object.fields.iter().enumerate().filter(|(_, field)| {
            let reference = field.kind == FieldType::Reference && !HISTORY.contains(&field.name.as_str());
            reference || field.unique || field.id_lookup && field.kind != FieldType::Id
        });
        self.indexes = kept.map(|(number, _)| (number as u16, Index::default())).collect();
        self.reindex();
    }

    fn reindex(&mut self) {
        let mut indexes = std::mem::take(&mut self.indexes);
        for (field, index) in &mut indexes {
            let entry = |row: &Row| Some((hash(row.get(usize::from(*field)))?, row.id));
            *index = Index::of(self.stored_rows().filter_map(entry).collect());
        }
        self.indexes = indexes;
    }

    /// Rows that are not deleted and have a value in a field, in the order of their ids; `None` if only reading all
    /// of them can tell.
    pub(super) fn with_value(&self, field: usize, case_sensitive: bool, value: Cell<'_>) -> Option<Vec<Id>> {
        let Some(hash) = hash(value) else { return Some(Vec::new()) };
        let at = self.indexes.binary_search_by_key(&(field as u16), |(known, _)| *known).ok()?;
        let mut found = self.indexes[at].1.rows(hash);
        found.retain(|id| match self.rows.get(*id) {
            Some(Slot::Row(row)) => !row.deleted && same(case_sensitive, row.get(field), value),
            _ => false,
        });
        if let Some(generator) = &self.generator {
            let generated = generator.rows_with(field, hash, case_sensitive, value)?;
            let ids = generated.into_iter().map(|index| generator.id(index));
            let before = found.len();
            found.extend(ids.filter(|id| self.rows.get(*id).is_none()));
            if found.len() > before {
                found.sort_unstable();
            }
        }
        Some(found)
    }

    /// The generator of its generated rows.
    pub fn generator(&self) -> Option<&Generator> {
        self.generator.as_deref()
    }

    /// Adds generated rows.
    pub fn set_generator(&mut self, generator: Generator) {
        self.generator = Some(Arc::new(generator));
        self.replaced = self.rows.iter().filter(|(id, _)| self.generated_place(*id).1).count() as u64;
    }

    /// Puts a row, in place of the one with the same id if there is one.
    pub fn put(&mut self, mut row: Row) {
        row.shrink();
        let (id, deleted) = (row.id, row.deleted);
        self.note(&row);
        self.forget(id);
        self.rows.insert(id, Slot::Row(Arc::new(row)));
        *if deleted { &mut self.deleted } else { &mut self.live } += 1;
        self.replaced += u64::from(self.generated_place(id).1);
    }

    /// Puts a row's values into the indexes, where they are new.
    fn note(&mut self, row: &Row) {
        let known = match self.rows.get(row.id) {
            Some(Slot::Row(known)) => Some(known),
            _ => None,
        };
        let mut most = 0;
        for (field, index) in &mut self.indexes {
            let cell = row.get(usize::from(*field));
            if known.is_some_and(|known| known.get(usize::from(*field)) == cell) {
                continue;
            }
            if let Some(hash) = hash(cell) {
                index.add(hash, row.id);
                most = most.max(index.len());
            }
        }
        // values that rows do not have any more pile up where rows change their values often
        if most as u64 > 4 * (self.live + self.deleted) + 4_096 {
            self.reindex();
        }
    }

    /// Removes a row for good, as emptying the recycle bin does.
    pub fn purge(&mut self, id: Id) {
        self.forget(id);
        if self.generated_place(id).1 {
            self.rows.insert(id, Slot::Purged);
            self.replaced += 1;
        } else {
            self.rows.remove(id);
        }
    }

    /// Takes what is stored under an id out of the counts.
    fn forget(&mut self, id: Id) {
        match self.rows.get(id) {
            Some(Slot::Row(row)) if row.deleted => self.deleted -= 1,
            Some(Slot::Row(_)) => self.live -= 1,
            Some(Slot::Purged) => {}
            None => return,
        }
        self.replaced -= u64::from(self.generated_place(id).1);
    }

    /// When and how a row was deleted; kept also for rows that are gone for good.
    pub fn gone(&self, id: Id) -> Option<&Gone> {
        self.gone.get(id).map(|gone| &**gone)
    }

    /// All deletions that were not taken back, in the order of ids.
    pub fn all_gone(&self) -> impl Iterator<Item = (Id, &Gone)> {
        self.gone.iter().map(|(id, gone)| (id, &**gone))
    }

    /// Deleted rows that can be brought back and went along with the deletion of a record, which is not one of them.
    pub(super) fn gone_along(&self, with: Id) -> Vec<Id> {
        let mut along = hash(Cell::Id(with)).map_or_else(Vec::new, |hash| self.along.rows(hash));
        along.retain(|id| {
            *id != with && self.gone(*id).is_some_and(|gone| gone.with == with && gone.purged.is_none())
        });
        along
    }

    /// Notes a deletion; `None` takes it back.
    pub fn set_gone(&mut self, id: Id, gone: Option<Gone>) {
        match gone {
            Some(gone) => {
                if let Some(hash) = hash(Cell::Id(gone.with)).filter(|_| gone.with != id) {
                    self.along.add(hash, id);
                }
                self.gone.insert(id, Arc::new(gone))
            }
            None => self.gone.remove(id),
        };
    }

    /// The last number that an autonumber field gave, if one was given or noted.
    pub fn last_number(&self, field: usize) -> Option<u64> {
        self.numbers.iter().find(|(known, _)| usize::from(*known) == field).map(|(_, number)| *number)
    }

    /// Notes the last number that an autonumber field gave.
    pub fn set_last_number(&mut self, field: usize, number: u64) {
        self.numbers.retain(|(known, _)| usize::from(*known) != field);
        self.numbers.push((field as u16, number));
    }

    /// The same rows with other field numbers, as a change of the schema needs them: `old_of` has for each new
    /// field the number that it had.
    pub(super) fn renumbered(&self, object: &Object, old_of: &[Option<usize>]) -> Self {
        let new_of = |old: usize| old_of.iter().position(|known| *known == Some(old));
        let most = old_of.iter().flatten().max().map_or(0, |most| most + 1);
        let new: Vec<Option<usize>> = (0..most).map(new_of).collect();
        let number = |old: usize| new.get(old).copied().flatten();
        let mut table = self.clone();
        table.rows = Chunks::default();
        for (id, slot) in self.rows.iter() {
            let slot = match slot {
                Slot::Row(row) => Slot::Row(Arc::new(row.renumbered(number))),
                Slot::Purged => Slot::Purged,
            };
            table.rows.insert(id, slot);
        }
        table.generator =
            self.generator.as_ref().map(|generator| Arc::new(generator.renumbered(object, old_of)));
        table.index(object);
        let numbers = self.numbers.iter();
        table.numbers =
            numbers.filter_map(|(old, last)| Some((number(usize::from(*old))? as u16, *last))).collect();
        table
    }

    /// All stored rows, deleted ones included.
    pub fn stored_rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter_map(|(_, slot)| match slot {
            Slot::Row(row) => Some(&**row),
            Slot::Purged => None,
        })
    }

    /// Ids of generated rows that are gone for good.
    pub(crate) fn purged(&self) -> impl Iterator<Item = Id> {
        self.rows.iter().filter(|(_, slot)| matches!(slot, Slot::Purged)).map(|(id, _)| id)
    }

    /// How many rows users have inserted.
    pub(crate) fn inserted(&self) -> u64 {
        self.inserted
    }

    /// Goes on with ids after so many that users have inserted.
    pub(crate) fn set_inserted(&mut self, inserted: u64) {
        self.inserted = inserted;
    }

    /// The id that the next row gets that a user inserts.
    pub fn upcoming_id(&self, prefix: [u8; 3]) -> Id {
        Id::new(prefix, FIRST_INSERTED + self.inserted + 1)
    }

    /// A new id for a row that a user inserts.
    pub fn next_id(&mut self, prefix: [u8; 3]) -> Id {
        self.inserted += 1;
        Id::new(prefix, FIRST_INSERTED + self.inserted)
    }

    /// Ids of the stored rows that are not deleted, in order.
    pub fn stored_ids(&self) -> impl Iterator<Item = Id> {
        self.rows.iter().filter_map(|(_, slot)| match slot {
            Slot::Row(row) if !row.deleted => Some(row.id),
            _ => None,
        })
    }

    /// How many rows lie in the recycle bin, archived activities counted with them.
    pub fn deleted_count(&self) -> u64 {
        self.deleted
    }

    /// How many rows there are, with those in the recycle bin or without.
    pub fn count(&self, with_deleted: bool) -> u64 {
        let generated = self.generator.as_ref().map_or(0, |generator| generator.count());
        generated - self.replaced + self.live + if with_deleted { self.deleted } else { 0 }
    }

    /// The row with this id, deleted ones included.
    pub fn find(&self, id: Id) -> Option<RowRef<'_>> {
        match self.rows.get(id) {
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
            let mut empty = self.rows.range(Bound::Unbounded, Bound::Excluded(Id::LOWEST)).peekable();
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
        let mut stored = self.rows.range(bounds.low, bounds.high).peekable();
        let place = stored.peek().map_or((u64::MAX, false), |(id, _)| self.generated_place(*id));
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
    stored: Peekable<Range<'a, Slot>>,
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
        self.place = self.stored.peek().map_or((u64::MAX, false), |(id, _)| self.table.generated_place(*id));
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
    use std::collections::BTreeMap;

    use super::*;
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
