//! The writes of a pass before its status.

use super::catalog;
use super::decide::Decision;
use super::gather::Observed;
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
        catalog::make(missing, &observed.job.owner.namespace, context).await?;
    }
    Ok(())
}
