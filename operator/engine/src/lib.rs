//! What a worker does: one task of a job description, from the first call to its last word.
//!
//! [`task::carry_out`] is the one entry: it never fails but by its [`orgkeep_core::run::Outcome`]. A backup flows
//! one way, each step a module of [`mod@backup`]: plan, fetch, encode and write, prove, commit.

mod backup;
mod connect;
mod context;
mod ending;
mod probe;
pub mod progress;
mod record;
mod resume;
pub mod secrets;
pub mod serve;
pub mod task;
mod vault_access;
pub mod worker;

pub use context::Context;
pub use resume::unfinished_run;
