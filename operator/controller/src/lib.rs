//! The reconcilers: what they share ([`shared`]), and one folder a kind.
//!
//! A pass over an object is five steps, one file each: **gather** (all reads) → **decide** (pure) → **build**
//! (pure) → **apply** (writes) → **status** (only if changed); a kind's `mod.rs` strings them together. The
//! operator talks to the Kubernetes API and to its workers' progress port, to nothing else, and reads no Secret.

// The modules of this crate are private; what they call `pub` is for each other.
#![allow(unreachable_pub)]

mod backup_vault;
mod salesforce_backup;
mod salesforce_connection;
mod shared;
mod snapshot;

pub use shared::run::{Options, RunError, run, terminated};
