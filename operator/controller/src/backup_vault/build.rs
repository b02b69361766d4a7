//! The probe's Job; pure.

use kube::ResourceExt;
use orgkeep_api::worker::{ProbeVaultTask, Task};

use super::decide::Decision;
use super::gather::Observed;
use crate::shared::Error;
use crate::shared::probe::Step;
use crate::shared::worker_pod::{WorkerDefaults, WorkerObjects};

/// What is to be made, if anything.
pub fn build(
    observed: &Observed,
    decision: &Decision,
    defaults: &WorkerDefaults,
) -> Result<Option<WorkerObjects>, Error> {
    if decision.step != Step::Start {
        return Ok(None);
    }
    let object = &observed.object;
    let task = ProbeVaultTask {
        namespace: observed.job.owner.namespace.clone(),
        vault_name: object.name_any(),
        vault: object.spec.clone(),
        signing_key: object.status.as_ref().and_then(|status| status.signing_key.clone()),
        catalog_keep: u32::try_from(object.spec.catalog.keep).unwrap_or(0),
    };
    let generation = object.metadata.generation.unwrap_or(0);
    let task = Task::ProbeVault(Box::new(task));
    observed.job.build(task, object.spec.worker.as_ref(), generation, defaults).map(Some)
}
