//! The probe's Job; pure.

use kube::ResourceExt;
use orgkeep_api::worker::{ProbeConnectionTask, Task};

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
    let org = object.status.as_ref().and_then(|status| status.org.as_ref());
    let task = ProbeConnectionTask {
        namespace: observed.job.owner.namespace.clone(),
        connection_name: object.name_any(),
        connection: object.spec.clone(),
        org_id: org.map(|org| org.id.clone()).filter(|id| !id.is_empty()),
    };
    let generation = object.metadata.generation.unwrap_or(0);
    let task = Task::ProbeConnection(Box::new(task));
    observed.job.build(task, object.spec.worker.as_ref(), generation, defaults).map(Some)
}
