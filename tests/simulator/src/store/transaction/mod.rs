//! Changes of records as users make them, with all that Salesforce does and refuses on the way: defaults and
//! numbers, audit fields, required and unique fields, references, the recycle bin with what goes along.
//!
//! A [`Transaction`] works on a [`World`] that nobody else sees yet. Each of its calls does all of its work or
//! refuses and leaves the world as it was; whoever wants several calls to stand or fall together gives up the
//! world on the first refusal (`OrgState::change` does so).

mod actor;
mod allowance;
mod check;
mod delete;
mod files;
mod input;
mod lock;
mod merge;
mod picklist;
mod refusal;
mod row;
mod shape;
mod standard;
#[cfg(test)]
mod tests;
mod undelete;
mod unique;
mod upsert;

pub use actor::{Actor, Assignment, Options};
pub use allowance::{Allowance, Usernames};
pub use files::file_key;
pub(crate) use files::{CONTENTS, md5_hex};
pub use input::read_text;
pub use refusal::Refusal;
pub use upsert::UpsertRefusal;

use serde::{Deserialize, Serialize};

use super::{Row, World};
use crate::automation::Tally;
use crate::schema::Object;
use crate::value::{Id, Value};

/// Cells to write: field numbers and values; `None` empties the field.
pub type Cells = Vec<(usize, Option<Value>)>;

/// What the writer of this could not find out for certain of Salesforce; tests run with either form.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Doubts {
    /// Emptying a reference because its target was deleted moves the record's SystemModstamp.
    pub clearing_stamps: bool,
    /// Undeleting the target fills the references again.
    pub undelete_refills: bool,
    /// A restricted picklist's value that does not go with the controlling field's is refused.
    pub dependent_picklists: bool,
    /// A roll-up that comes to something else moves the master's SystemModstamp.
    pub roll_ups_stamp: bool,
}

impl Default for Doubts {
    fn default() -> Self {
        Self {
            clearing_stamps: true,
            undelete_refills: true,
            dependent_picklists: true,
            roll_ups_stamp: true,
        }
    }
}

/// Changes that belong together.
#[derive(Debug)]
pub struct Transaction<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) actor: Actor,
    /// Milliseconds since 1970, a whole second: Salesforce keeps no fractions of audit times.
    pub(crate) at: i64,
    doubts: Doubts,
    pub(crate) options: Options,
    allowance: Allowance,
    counted: allowance::Counted,
    /// What others have locked, and what this transaction locks.
    locking: lock::Locking,
    /// Which automations did what.
    pub(crate) tally: Tally,
    /// Changes that automations cause in each other right now.
    pub(crate) depth: u8,
}

impl<'a> Transaction<'a> {
    /// A transaction that changes this world, at a time in milliseconds since 1970.
    pub fn new(world: &'a mut World, actor: Actor, at: i64, doubts: Doubts) -> Self {
        Self {
            world,
            actor,
            at: at.div_euclid(1_000) * 1_000,
            doubts,
            options: Options::default(),
            allowance: Allowance::default(),
            counted: allowance::Counted::default(),
            locking: lock::Locking::default(),
            tally: Tally::default(),
            depth: 0,
        }
    }

    /// The same, made as a call wants it.
    pub fn with(mut self, options: &Options) -> Self {
        self.options = options.clone();
        self
    }

    /// How the call wants the changes made.
    pub fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn doubts(&self) -> Doubts {
        self.doubts
    }

    /// Who makes them.
    pub fn actor(&self) -> Actor {
        self.actor
    }

    /// When, in milliseconds since 1970.
    pub fn at(&self) -> i64 {
        self.at
    }

    /// The world as it is by now.
    pub fn world(&self) -> &World {
        self.world
    }

    /// The object and the number of the table that an id belongs to.
    pub fn object_of(&self, id: Id) -> Option<usize> {
        self.world.schema.find_prefix(id.prefix())
    }

    /// Which automations did what by now.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Makes a record; its id.
    pub fn insert(&mut self, object: usize, cells: Cells) -> Result<Id, Refusal> {
        self.guarded(object, |transaction| transaction.insert_one(object, cells))
    }

    fn insert_one(&mut self, object: usize, cells: Cells) -> Result<Id, Refusal> {
        self.allow(object, "createable", "create")?;
        self.check_writable(object, &cells, true)?;
        let prefix = self.described(object).key_prefix.unwrap_or(*b"000");
        let mut row = Row::new(self.world.database.table(object).upcoming_id(prefix));
        for (field, value) in cells {
            row.set(field, value);
        }
        self.choose_record_type(object, &mut row)?;
        self.complete(object, &mut row);
        let given: Vec<usize> = row.cells().map(|(field, _)| field).collect();
        self.shape(object, &mut row, &given);
        let changed = self.before_save(object, &mut row, None)?;
        self.shape(object, &mut row, &changed);
        self.apply_standard(object, &mut row, None)?;
        let set: Vec<usize> = row.cells().map(|(field, _)| field).collect();
        self.check_row(object, &row, &set, true)?;
        self.check_content(object, &row)?;
        self.check_room(object)?;
        self.check_mix(object, &row, None)?;
        self.judge(object, &row, None)?;
        self.lock(object, &row, None)?;
        self.mixed(object, &row, None);
        self.number(object, &mut row);
        let id = self.world.database.table_mut(object).next_id(prefix);
        self.write(object, row);
        self.after_insert(object, id)?;
        self.follow_standard(object, id, None);
        self.after_save(object, id, None)?;
        Ok(id)
    }

    /// Changes a record.
    pub fn update(&mut self, id: Id, cells: Cells) -> Result<(), Refusal> {
        let (object, row) = self.alive(id)?;
        self.guarded(object, |transaction| transaction.update_one(object, row, cells))
    }

    fn update_one(&mut self, object: usize, mut row: Row, cells: Cells) -> Result<(), Refusal> {
        self.allow(object, "updateable", "edit")?;
        self.check_writable(object, &cells, false)?;
        let automated = self.is_automated(object);
        let (id, before) = (row.id, row.clone());
        let mut set: Vec<usize> = cells.iter().map(|(field, _)| *field).collect();
        for (field, value) in cells {
            row.set(field, value);
        }
        self.measure(object, &mut row);
        self.shape(object, &mut row, &set);
        if automated {
            let changed = self.before_save(object, &mut row, Some(&before))?;
            self.shape(object, &mut row, &changed);
            set.extend(changed);
        }
        self.apply_standard(object, &mut row, Some(&before))?;
        self.stamp(object, &mut row, true);
        self.check_row(object, &row, &set, false)?;
        self.check_content(object, &row)?;
        self.check_mix(object, &row, Some(&before))?;
        if automated {
            self.judge(object, &row, Some(&before))?;
        }
        self.lock(object, &row, Some(&before))?;
        self.mixed(object, &row, Some(&before));
        self.write(object, row);
        self.follow_standard(object, id, Some(&before));
        self.after_save(object, id, Some(&before))
    }

    pub(crate) fn described(&self, object: usize) -> &Object {
        self.world.schema.object(object)
    }

    fn allow(&self, object: usize, flag: &str, operation: &str) -> Result<(), Refusal> {
        let described = self.described(object);
        if described.allows(flag) { Ok(()) } else { Err(Refusal::operation(&described.name, operation)) }
    }
}
