//! What an org allows beyond its schema: room for records and files, and what goes together in one transaction.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Refusal, Transaction};
use crate::store::{Row, World};
use crate::value::{Cell, Id};

/// Bytes that a record takes, whatever its size (help page "Data and File Storage Allocations").
const RECORD_BYTES: u64 = 2_048;
/// Records that the recycle bin holds for each megabyte of storage (help page "Recycle Bin").
const BIN_PER_MB: u64 = 25;
/// Objects whose records cannot be written together with others ("sObjects That Cannot Be Used Together in DML
/// Operations", Apex guide).
const SETUP: [&str; 13] = [
    "FieldPermissions",
    "Group",
    "GroupMember",
    "ObjectPermissions",
    "PermissionSet",
    "PermissionSetAssignment",
    "QueueSobject",
    "SetupEntityAccess",
    "Territory",
    "User",
    "UserRole",
    "UserTerritory",
    "UserPackageLicense",
];

/// What an org allows.
#[derive(Clone, Debug, Default)]
pub struct Allowance {
    /// Megabytes of records; without it there is no limit.
    pub data_mb: Option<u64>,
    /// Megabytes of files; without it there is no limit.
    pub file_mb: Option<u64>,
    /// Whether accounts can be persons.
    pub person_accounts: bool,
    /// User names of all orgs.
    pub usernames: Option<(Arc<Usernames>, usize)>,
}

/// Who has which user name, over all orgs: names are unique among them.
#[derive(Debug, Default)]
pub struct Usernames(Mutex<HashMap<String, usize>>);

impl Usernames {
    /// Takes the names of an org's users, given by its number.
    pub fn take(&self, world: &World, org: usize) {
        let Some(users) = world.schema.find("User") else { return };
        let Some(field) = world.schema.object(users).find("Username") else { return };
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for row in world.database.table(users).stored_rows() {
            if let Cell::Text(name) = row.get(field) {
                names.entry(name.to_lowercase()).or_insert(org);
            }
        }
    }

    /// Whether another org has the name.
    fn is_taken(&self, name: &str, org: usize) -> bool {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(&name.to_lowercase()).is_some_and(|known| *known != org)
    }
}

/// What a transaction has counted.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Records that the org has room for.
    room: Option<u64>,
    /// The first object that was written.
    first: Option<(bool, String)>,
    /// User names that were given.
    names: Vec<String>,
}

impl Transaction<'_> {
    /// The same in an org that allows this.
    pub fn within(mut self, allowance: Allowance) -> Self {
        self.allowance = allowance;
        self
    }

    /// Refuses one more record where there is no room for it.
    pub(super) fn check_room(&mut self, object: usize) -> Result<(), Refusal> {
        let Some(mb) = self.allowance.data_mb else { return Ok(()) };
        if !self.takes_room(object) {
            return Ok(());
        }
        let room = match self.counted.room {
            Some(room) => room,
            None => (mb * 1_048_576 / RECORD_BYTES).saturating_sub(self.records()),
        };
        self.counted.room = Some(room.saturating_sub(1));
        if room == 0 { Err(full()) } else { Ok(()) }
    }

    fn takes_room(&self, object: usize) -> bool {
        let described = self.described(object);
        described.key_prefix.is_some() && described.allows("createable")
    }

    fn records(&self) -> u64 {
        let objects = 0..self.world.schema.objects().len();
        objects.filter(|o| self.takes_room(*o)).map(|o| self.world.database.table(o).count(false)).sum()
    }

    /// Refuses a file, which is kept by now, that there is no room for.
    pub(super) fn check_file_room(&self) -> Result<(), Refusal> {
        match self.allowance.file_mb {
            Some(mb) if self.world.database.file_bytes() > mb * 1_048_576 => Err(full()),
            _ => Ok(()),
        }
    }

    /// Refuses to write set-up objects and others in one transaction. `before` is the content that an update changes.
    pub(super) fn check_mix(&self, object: usize, row: &Row, before: Option<&Row>) -> Result<(), Refusal> {
        let setup = self.is_setup(object, row, before);
        let Some((first, original)) = self.counted.first.as_ref().filter(|(first, _)| *first != setup) else {
            return Ok(());
        };
        let (this, that) = if *first { ("non-setup", "setup") } else { ("setup", "non-setup") };
        let message = format!(
            "DML operation on {this} object is not permitted after you have updated a {that} object (or vice versa): \
             {}, original object: {original}",
            self.described(object).name
        );
        Err(Refusal::new("MIXED_DML_OPERATION", message))
    }

    /// Notes that a record is written.
    pub(super) fn mixed(&mut self, object: usize, row: &Row, before: Option<&Row>) {
        if self.counted.first.is_none() {
            let setup = self.is_setup(object, row, before);
            self.counted.first = Some((setup, self.described(object).name.clone()));
        }
    }

    /// A user counts as set-up where access is given or taken: one that is made with a role, and changes of what the
    /// Apex guide's list names.
    fn is_setup(&self, object: usize, row: &Row, before: Option<&Row>) -> bool {
        const OF_USER: [&str; 6] =
            ["ForecastEnabled", "IsActive", "IsPortalEnabled", "ProfileId", "UserRoleId", "Username"];
        let name = self.described(object).name.as_str();
        match before {
            None if name == "User" => self.named(object, row, "UserRoleId") != Cell::Null,
            Some(before) if name == "User" => OF_USER
                .iter()
                .any(|field| self.named(object, row, field) != self.named(object, before, field)),
            _ => SETUP.contains(&name),
        }
    }

    /// Goes on where another transaction of the same call has left off: what set-up objects it wrote, or others.
    pub(crate) fn after(mut self, first: Option<(bool, String)>) -> Self {
        self.counted.first = first;
        self
    }

    /// What the next transaction of the same call goes on from.
    pub(crate) fn first(&self) -> Option<(bool, String)> {
        self.counted.first.clone()
    }

    /// Refuses a user name that somebody has in another org.
    pub(super) fn check_username(&mut self, name: &str) -> Result<(), Refusal> {
        if let Some((names, org)) = &self.allowance.usernames {
            if names.is_taken(name, *org) {
                return Err(duplicate_username());
            }
            self.counted.names.push(name.to_lowercase());
        }
        Ok(())
    }

    /// Takes the user names that it gave; to be called when it is certain that it is done.
    pub(crate) fn take_names(&mut self) {
        if let Some((names, org)) =
            self.allowance.usernames.as_ref().filter(|_| !self.counted.names.is_empty())
        {
            let mut names = names.0.lock().unwrap_or_else(PoisonError::into_inner);
            for name in self.counted.names.drain(..) {
                names.entry(name).or_insert(*org);
            }
        }
    }

    /// Removes what was deleted first from the recycle bin, where it holds more than it can; how many records.
    pub fn trim_bin(&mut self) -> usize {
        let Some(mb) = self.allowance.data_mb else { return 0 };
        let tables = (0..self.world.schema.objects().len()).map(|object| self.world.database.table(object));
        if tables.clone().map(crate::store::Table::deleted_count).sum::<u64>() <= mb * BIN_PER_MB {
            return 0;
        }
        let in_bin = tables.flat_map(crate::store::Table::all_gone).filter(|(_, gone)| gone.purged.is_none());
        let mut oldest: Vec<(i64, Id)> = in_bin.map(|(id, gone)| (gone.at, id)).collect();
        oldest.sort_unstable();
        let many = oldest.len().saturating_sub((mb * BIN_PER_MB) as usize);
        for (_, id) in &oldest[..many] {
            self.purge_one(*id);
        }
        many
    }
}

fn full() -> Refusal {
    Refusal::new("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded")
}

pub(super) fn duplicate_username() -> Refusal {
    let message =
        "Duplicate Username.<br>Another user has already selected this Username.<br>Please select another.";
    Refusal::field("DUPLICATE_USERNAME", "Username", message)
}
