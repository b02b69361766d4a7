//! The one entry to the engine: a task in, an outcome out.

use orgkeep_api::worker::Task;
use orgkeep_core::run::Outcome;

use crate::context::Context;
use crate::{backup, probe, record};

/// Carries a task out. Whatever goes wrong is in the outcome: its phase, reason and message.
pub async fn carry_out(task: &Task, parallelism: u32, context: &Context) -> Outcome {
    match task {
        Task::Backup(task) => backup::carry_out(task, parallelism, context).await,
        Task::ProbeConnection(task) => probe::connection(task, context).await,
        Task::ProbeVault(task) => probe::vault(task, context).await,
        Task::ReadRecord(task) => record::read(task, context).await,
    }
}
