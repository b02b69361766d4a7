//! The probe's Job; pure.

use std::collections::BTreeMap;

use kube::ResourceExt;
use orgkeep_api::worker::{ProbeVaultTask, Task};

use super::decide::Decision;
use super::gather::Observed;
use crate::shared::Error;
use crate::shared::probe::{self, Step};
use crate::shared::worker_pod::{self, WorkerDefaults, WorkerJob, WorkerObjects};

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
        namespace: observed.owner.namespace.clone(),
        vault_name: object.name_any(),
        vault: object.spec.clone(),
        signing_key: object.status.as_ref().and_then(|status| status.signing_key.clone()),
        catalog_keep: u32::try_from(object.spec.catalog.keep).unwrap_or(0),
    };
    let worker = WorkerJob {
        name: observed.job_name.clone(),
        owner: &observed.owner,
        task: Task::ProbeVault(Box::new(task)),
        placement: object.spec.worker.as_ref(),
        parallelism: 1,
        backoff_limit: probe::BACKOFF_LIMIT,
        deadline_seconds: probe::DEADLINE_SECONDS,
        ttl_seconds: probe::TTL_SECONDS,
        labels: BTreeMap::new(),
        annotations: probe::annotations(object.metadata.generation.unwrap_or(0)),
    };
    worker_pod::build(defaults, &worker).map(Some)
}
