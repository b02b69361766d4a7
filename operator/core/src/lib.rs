//! The pure domain of Orgkeep: what a Salesforce id, an object's schema, a schedule, a ledger and an error
//! *mean*, apart from any network, cluster or storage.
//!
//! Everything here is deterministic: time and randomness come in as arguments. The crates above (client,
//! vault, engine, controllers) exchange these types, so that none of them needs to know another.

pub mod budget;
pub mod id;
pub mod ledger;
pub mod problem;
pub mod reason;
pub mod retention;
pub mod run;
pub mod schedule;
pub mod schema;
pub mod scope;
