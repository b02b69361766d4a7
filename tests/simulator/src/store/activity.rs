//! What users do all day: records change, some are deleted, others are new. Generated objects get their share of
//! it as time goes by, drawn from a seed, so that an org of millions of rows is not the same tomorrow.

use serde::{Deserialize, Serialize};

use super::generator::mix;
use super::transaction::{Cells, Transaction};
use super::{Generator, World};
use crate::schema::{Field, FieldType};
use crate::value::{Cell, Id, Value};

/// Changes that one transaction makes at most; readers see the state between two of them.
pub(crate) const BATCH: u64 = 2_000;
/// Fields that a change writes.
const FIELDS: u64 = 3;

/// How much of every generated object changes in a day, as a share of its generated rows.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Activity {
    /// Records that are changed.
    pub changes_per_day: f64,
    /// Records that are deleted.
    pub deletes_per_day: f64,
    /// Records that are made.
    pub inserts_per_day: f64,
}

impl Activity {
    /// A share of changes, with a tenth as many deletions and a fifth as many new records.
    pub fn of_changes(share: f64) -> Self {
        Self { changes_per_day: share, deletes_per_day: share / 10.0, inserts_per_day: share / 5.0 }
    }

    /// Whether anything happens at all.
    pub fn is_none(&self) -> bool {
        self.changes_per_day <= 0.0 && self.deletes_per_day <= 0.0 && self.inserts_per_day <= 0.0
    }
}

/// What is to be done to one object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Number of the object.
    pub object: usize,
    /// Records to change.
    pub changes: u64,
    /// Records to delete.
    pub deletes: u64,
    /// Records to make.
    pub inserts: u64,
}

impl Due {
    /// The first part of it, small enough for one transaction, taken out of the rest.
    pub fn split(&mut self) -> Option<Self> {
        let take = |count: &mut u64| {
            let taken = (*count).min(BATCH);
            *count -= taken;
            taken
        };
        let (changes, deletes, inserts) =
            (take(&mut self.changes), take(&mut self.deletes), take(&mut self.inserts));
        let part = Self { object: self.object, changes, deletes, inserts };
        (changes + deletes + inserts > 0).then_some(part)
    }
}

/// What days of activity come to, object by object; parts of a record that are left over come out of `rest` later.
pub fn due(world: &World, activity: &Activity, days: f64, rest: &mut Vec<(String, [f64; 3])>) -> Vec<Due> {
    let mut all = Vec::new();
    for (object, described) in world.schema.objects().iter().enumerate() {
        let count = world.database.table(object).generator().map_or(0, Generator::count);
        if count == 0 {
            continue;
        }
        let at = rest.iter().position(|(name, _)| *name == described.name).unwrap_or_else(|| {
            rest.push((described.name.clone(), [0.0; 3]));
            rest.len() - 1
        });
        let shares = [activity.changes_per_day, activity.deletes_per_day, activity.inserts_per_day];
        let mut whole = [0_u64; 3];
        for ((whole, open), share) in whole.iter_mut().zip(&mut rest[at].1).zip(shares) {
            *open += share.max(0.0) * days * count as f64;
            *whole = open.floor() as u64;
            *open -= open.floor();
        }
        let [changes, deletes, inserts] = whole;
        all.push(Due { object, changes, deletes, inserts });
    }
    all
}

/// Does it. `drawn` is how many draws were made before, so that the same sequence of activity draws the same.
/// What cannot be done (a record that is deleted already, a value that is refused) is left undone, as users do.
pub fn run(transaction: &mut Transaction<'_>, due: Due, drawn: &mut u64) {
    let mut draw = || {
        *drawn += 1;
        mix(drawn.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ due.object as u64)
    };
    for _ in 0..due.changes {
        let (place, other) = (draw(), draw());
        let Some((id, _)) = pick(transaction, due.object, place) else { continue };
        let cells = some_cells(transaction, due.object, other);
        let _ = transaction.update(id, cells);
    }
    for _ in 0..due.inserts {
        let (place, key) = (draw(), draw());
        let Some((_, index)) = pick(transaction, due.object, place) else { continue };
        let cells = copied_cells(transaction.world(), due.object, index, key);
        let _ = transaction.insert(due.object, cells);
    }
    let places: Vec<u64> = (0..due.deletes).map(|_| draw()).collect();
    let ids: Vec<Id> =
        places.into_iter().filter_map(|p| pick(transaction, due.object, p)).map(|(id, _)| id).collect();
    if !ids.is_empty() {
        let _ = transaction.delete_all(&ids);
    }
}

/// A generated row of the object: its id and number.
fn pick(transaction: &Transaction<'_>, object: usize, random: u64) -> Option<(Id, u64)> {
    let generator = transaction.world().database.table(object).generator()?;
    let index = random % generator.count().max(1);
    Some((generator.id(index), index))
}

/// Fields that a user would change, and whose content may be another record's.
fn is_open(field: &Field, object: &str) -> bool {
    let own = field.reference_to.iter().any(|target| target == object);
    !field.unique
        && !field.auto_number
        && !field.calculated
        && !own
        && field.name_parts.is_empty()
        && !field.kind.is_compound()
        && field.kind != FieldType::Base64
}

/// A few fields with the content that another row has in them.
fn some_cells(transaction: &Transaction<'_>, object: usize, random: u64) -> Cells {
    let world = transaction.world();
    let described = world.schema.object(object);
    let Some(generator) = world.database.table(object).generator() else { return Cells::new() };
    let open: Vec<usize> = (0..described.fields.len())
        .filter(|field| {
            described.fields[*field].updateable && is_open(&described.fields[*field], &described.name)
        })
        .collect();
    let mut cells = Cells::new();
    let mut scratch = String::new();
    for n in 0..FIELDS.min(open.len() as u64) {
        let random = mix(random.wrapping_add(n));
        let field = open[(random % open.len() as u64) as usize];
        let value = generator.cell(mix(random) % generator.count().max(1), field, &mut scratch).to_value();
        // what is required is not emptied
        if value.is_some() || described.fields[field].nillable {
            cells.push((field, value));
        }
    }
    cells
}

/// The content of a row for a new one; texts that must not repeat are told apart by a key.
fn copied_cells(world: &World, object: usize, index: u64, key: u64) -> Cells {
    let described = world.schema.object(object);
    let Some(generator) = world.database.table(object).generator() else { return Cells::new() };
    let mut cells = Cells::new();
    let mut scratch = String::new();
    for (number, field) in described.fields.iter().enumerate().filter(|(_, field)| field.createable) {
        let value = match generator.cell(index, number, &mut scratch) {
            _ if field.unique && field.kind == FieldType::Text => {
                let key: String = format!("N{key:x}").chars().take(field.length.max(1)).collect();
                Some(Value::Text(key.into()))
            }
            Cell::Null => None,
            cell if is_open(field, &described.name) => cell.to_value(),
            _ => None,
        };
        if let Some(value) = value {
            cells.push((number, Some(value)));
        }
    }
    cells
}
