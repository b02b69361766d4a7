//! The writes of a pass. A probe's end stands in the status before its Job is deleted, so that an operator that
//! is killed in between finds it again.

use orgkeep_api::{BackupVault, BackupVaultStatus};

use super::catalog;
use super::decide::Decision;
use super::gather::Observed;
use crate::shared::probe::Step;
use crate::shared::worker_pod::WorkerObjects;
use crate::shared::{Context, Error, apply};

/// Makes the probe, and the Snapshots that are missing.
pub async fn before_status(
    objects: Option<&WorkerObjects>,
    observed: &Observed,
    decision: &Decision,
    context: &Context,
) -> Result<(), Error> {
    if let Some(objects) = objects {
        apply::worker(&context.client, objects).await?;
    }
    for missing in &decision.missing {
        catalog::make(missing, &observed.owner.namespace, context).await?;
    }
    Ok(())
}

/// Writes the status, if it changed.
pub async fn status(object: &BackupVault, new: &BackupVaultStatus, context: &Context) -> Result<bool, Error> {
    apply::status(&context.client, object, object.status.as_ref(), new).await
}

/// Deletes a probe that is done with.
pub async fn after_status(observed: &Observed, decision: &Decision, context: &Context) -> Result<(), Error> {
    match decision.step {
        Step::Discard | Step::Clear | Step::Conclude { .. } => {
            apply::delete_worker(&context.client, &observed.owner, &observed.job_name).await
        }
        Step::Start | Step::Watch { .. } | Step::Idle { .. } => Ok(()),
    }
}
