//! Rows that Bulk jobs write: Bulk 2.0 ingest and loads of Bulk 1.0 alike. Rows go through transactions of 200, in
//! which each stands or falls alone.

mod columns;
mod csv;
mod outcomes;
mod prepare;
mod rows;
mod write;

use std::sync::{Arc, PoisonError, RwLock};

pub(crate) use columns::Columns;
pub(crate) use csv::{Layout, Scanned, scan, split, write_values};
pub(crate) use outcomes::{Outcome, Outcomes, words};
pub(crate) use prepare::Given;
pub(crate) use rows::Source;
pub(crate) use write::Ready;

use crate::faults::RowFault;
use crate::server::OrgState;
use crate::store::World;
use crate::value::Id;

/// Rows of one transaction, as triggers see them (Bulk API guide, "How Requests Are Processed").
pub(crate) const CHUNK: usize = 200;
/// Rows of a batch of Bulk 2.0, and of one of Bulk 1.0 at most.
pub(crate) const BATCH: usize = 10_000;

/// What becomes of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Insert,
    Update,
    Upsert,
    Delete,
    HardDelete,
}

impl Operation {
    /// By its name in the API.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "insert" => Self::Insert,
            "update" => Self::Update,
            "upsert" => Self::Upsert,
            "delete" => Self::Delete,
            "hardDelete" => Self::HardDelete,
            _ => return None,
        })
    }

    /// Its name in the API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Upsert => "upsert",
            Self::Delete => "delete",
            Self::HardDelete => "hardDelete",
        }
    }
}

/// What a job does with its rows.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) org: Arc<OrgState>,
    /// Who loads, by number.
    pub(crate) user: usize,
    /// API name of the object.
    pub(crate) object: String,
    pub(crate) operation: Operation,
    /// The field by which upsert finds records.
    pub(crate) key: Option<String>,
    /// The assignment rule that gives cases and leads their owner.
    pub(crate) assignment: Option<Id>,
    /// Rows that the fault plan has refused.
    pub(crate) faults: RwLock<Vec<RowFault>>,
}

impl Load {
    /// The columns by their names, as they are in the org now; or what is wrong with them.
    pub(crate) fn columns(&self, world: &World, names: &[String]) -> Result<Columns, String> {
        let gone = || "InvalidUser : the user is not there any more".to_owned();
        let user = self.org.users.get(self.user).ok_or_else(gone)?;
        let view = self.org.org.view(world, self.user, &user);
        Columns::resolve(world, &view, self, names)
    }

    /// Adds what a fault of the plan does to its rows.
    pub(crate) fn befall(&self, fault: RowFault) {
        self.faults.write().unwrap_or_else(PoisonError::into_inner).push(fault);
    }
}
