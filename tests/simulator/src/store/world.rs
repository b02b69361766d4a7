//! What an org is made of at one moment.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Database;
use crate::schema::Schema;

/// Schema, rows and what is hidden from whom, at one moment. A clone is cheap and stays as it is while the org
/// goes on: a call reads one clone from its beginning to its end, and so do query cursors and Bulk jobs. The
/// three always fit each other: numbers of objects and fields are those of this schema.
#[derive(Clone, Debug)]
pub struct World {
    /// Objects and fields.
    pub schema: Arc<Schema>,
    /// Rows.
    pub database: Database,
    /// What is hidden from each user, in the order of `org.yaml`'s users.
    pub hidden: Arc<Vec<Hidden>>,
}

/// What is hidden from one user, by name: names stay when the schema changes, numbers do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    /// Fields: `Contact.Birthdate`.
    pub fields: BTreeSet<String>,
    /// Objects.
    pub objects: BTreeSet<String>,
}
