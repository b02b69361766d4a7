//! Who makes changes, and how a call wants them made.

use crate::store::locks::Holder;
use crate::value::Id;

/// Who makes the changes, and what that user may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The user.
    pub user: Id,
    /// May set who made and changed a record, and when, as it is inserted (`CreateAuditFields`).
    pub sets_audit_fields: bool,
    /// May leave and give records to users that are not active (`UpdateInactiveOwner`).
    pub inactive_owners: bool,
    /// May delete without the recycle bin (`BulkApiHardDelete`).
    pub hard_deletes: bool,
    /// May change all records, those in the recycle bins of others included (`ModifyAllData`).
    pub modifies_all: bool,
}

impl Actor {
    /// A user with permissions by their API names.
    pub fn new(user: Id, may: impl Fn(&str) -> bool) -> Self {
        Self {
            user,
            sets_audit_fields: may("CreateAuditFields"),
            inactive_owners: may("UpdateInactiveOwner"),
            hard_deletes: may("BulkApiHardDelete"),
            modifies_all: may("ModifyAllData"),
        }
    }

    /// Who sets up an org, or the platform itself.
    pub fn platform(user: Id) -> Self {
        Self::new(user, |_| true)
    }
}

/// How a call wants its changes made: headers of REST and SOAP, settings of Bulk jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Milliseconds between the beginning of the transaction, whose time the records are stamped with, and its end.
    pub late: i64,
    /// Records that a duplicate rule warns of are saved (`allowSave` of the duplicate rule header).
    pub allow_duplicates: bool,
    /// Which assignment rule gives the records their owner.
    pub assignment: Assignment,
    /// Texts that are too long are cut (SOAP's AllowFieldTruncationHeader).
    pub truncate: bool,
    /// Who holds locks for several transactions: its own locks hold it up never.
    pub holder: Option<Holder>,
    /// Milliseconds that it waits for rows which others hold; without it what Salesforce waits.
    pub lock_wait_ms: Option<u64>,
}

/// Which assignment rule is used for cases and leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Assignment {
    /// The active one (REST without `Sforce-Auto-Assign`, or with `TRUE`).
    #[default]
    Active,
    /// None: REST with `Sforce-Auto-Assign: FALSE`, Bulk and SOAP without a rule's id.
    None,
    /// This one.
    Rule(Id),
}
