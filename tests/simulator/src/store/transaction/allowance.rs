//! What an org allows beyond its schema: room for records and files, and what goes together in one transaction.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Refusal, Transaction};
use crate::store::World;
use crate::value::Id;

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
            if let crate::value::Cell::Text(name) = row.get(field) {
                names.entry(name.to_lowercase()).or_insert(org);
            }
        }
    }

    /// Whether another org has the name; if nobody has it, it is this org's from now on.
    fn is_taken(&self, name: &str, org: usize) -> bool {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *names.entry(name.to_lowercase()).or_insert(org) != org
    }
}

/// What a transaction has counted.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Records that the org has room for.
    room: Option<u64>,
    /// The first object that was written.
    first: Option<(bool, String)>,
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

    /// Refuses to write set-up objects and others in one transaction.
    pub(super) fn check_mix(&mut self, object: usize) -> Result<(), Refusal> {
        let name = &self.described(object).name;
        let setup = SETUP.contains(&name.as_str());
        match &self.counted.first {
            None => self.counted.first = Some((setup, name.clone())),
            Some((first, original)) if *first != setup => {
                let (this, that) = if setup { ("setup", "non-setup") } else { ("non-setup", "setup") };
                let message = format!(
                    "DML operation on {this} object is not permitted after you have updated a {that} object (or vice \
                     versa): {name}, original object: {original}"
                );
                return Err(Refusal::new("MIXED_DML_OPERATION", message));
            }
            Some(_) => {}
        }
        Ok(())
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
    pub(super) fn check_username(&self, name: &str) -> Result<(), Refusal> {
        match &self.allowance.usernames {
            Some((names, org)) if names.is_taken(name, *org) => Err(duplicate_username()),
            _ => Ok(()),
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
