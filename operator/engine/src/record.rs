//! Reading the record of a run whose last word was missed.

use orgkeep_api::worker::ReadRecordTask;
use orgkeep_core::reason::Reason;
use orgkeep_core::run::{Outcome, Phase};
use orgkeep_vault::{Owner, Vault, VaultError};

use crate::context::Context;
use crate::ending::Ending;
use crate::vault_access;

/// The run's own outcome, or `Failed/WorkerLost` where it left none.
pub(crate) async fn read(task: &ReadRecordTask, context: &Context) -> Outcome {
    let vault = match vault_access::open_read_only(&task.vault, task.signing_key.as_deref(), context).await {
        Ok(vault) => vault,
        Err(ending) => return ending.outcome(),
    };
    match find(task, &vault).await {
        Ok(Some(outcome)) => outcome,
        Ok(None) => Outcome::new(
            Phase::Failed,
            Reason::WorkerLost,
            format!(
                "the worker vanished and left no record of run {}; {}",
                task.run_id,
                Reason::WorkerLost.advice()
            ),
        ),
        Err(error) => Ending::from(error).outcome(),
    }
}

async fn find(task: &ReadRecordTask, vault: &Vault) -> Result<Option<Outcome>, VaultError> {
    let line = match &task.line_id {
        Some(id) => Some(vault.line(id).await?),
        None => {
            let owner = Owner {
                cluster: task.cluster.clone(),
                namespace: task.namespace.clone(),
                backup_name: task.backup_name.clone(),
            };
            vault.find_line(&owner).await?
        }
    };
    match line {
        Some(line) => line.run(&task.run_id)?.record().await,
        None => Ok(None),
    }
}
