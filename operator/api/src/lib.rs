//! The API that users write (group `orgkeep.dev`, version `v1alpha1`), one file a kind, and what the operator
//! and its workers say to each other ([`worker`]).
//!
//! Everything a user can get wrong that one object alone shows is refused at apply time, by the schema or by a
//! CEL rule; [`validate()`] applies the same rules without an API server. Defaults come from the schema only:
//! no controller ever writes to a `spec`.

// The derive of the schemas makes a second, private copy of each struct and copies its `pub` along.
#![allow(unreachable_pub)]

pub mod backup_vault;
pub mod common;
pub mod crds;
pub mod labels;
pub mod names;
pub mod run_status;
pub mod salesforce_backup;
pub mod salesforce_connection;
pub mod snapshot;
pub mod storage;
mod structural;
pub mod validate;
pub mod worker;

pub use backup_vault::{BackupVault, BackupVaultSpec, BackupVaultStatus};
pub use salesforce_backup::{SalesforceBackup, SalesforceBackupSpec, SalesforceBackupStatus};
pub use salesforce_connection::{SalesforceConnection, SalesforceConnectionSpec, SalesforceConnectionStatus};
pub use snapshot::{Snapshot, SnapshotSpec, SnapshotStatus};
pub use validate::{validate, validate_update};

/// API group of every kind.
pub const GROUP: &str = "orgkeep.dev";
/// Version of the kinds in this crate.
pub const VERSION: &str = "v1alpha1";
/// `kubectl get orgkeep` lists all kinds.
pub const CATEGORY: &str = "orgkeep";
