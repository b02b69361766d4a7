//! What the controllers share. Nothing in here knows a kind, but for [`metrics`], which shows them, and
//! [`run`], which starts them.

pub mod apply;
pub mod backoff;
pub mod conditions;
pub mod context;
pub mod controller;
pub mod error;
pub mod events;
pub mod gates;
pub mod health;
pub mod invalid;
pub mod lease;
pub mod metrics;
pub mod observe;
pub mod outcome;
pub mod poll;
pub mod probe;
pub mod probe_job;
pub mod run;
pub mod stores;
#[cfg(test)]
pub mod testing;
pub mod time;
pub mod worker_pod;

pub use context::Context;
pub use controller::{Guarded, Reconciler, Scope};
pub use error::{Doing, Error};
pub use outcome::Outcome;
