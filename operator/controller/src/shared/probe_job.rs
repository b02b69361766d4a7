//! The Job of a probe: read, made and deleted in the same way for connections and vaults.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use kube::Resource;
use orgkeep_api::common::Placement;
use orgkeep_api::worker::Task;

use super::observe::{WorkerState, observe};
use super::probe::{self, Step};
use super::worker_pod::{self, Owner, WorkerDefaults, WorkerJob, WorkerObjects};
use super::{Context, Error, apply};

/// A probe as it was found.
#[derive(Debug, Clone)]
pub struct ProbeJob {
    /// The object that is probed.
    pub owner: Owner,
    /// Name of the Job.
    pub name: String,
    /// What has become of it.
    pub worker: WorkerState,
    /// The generation of the object that it looks at.
    pub looks_at: Option<i64>,
}

impl ProbeJob {
    /// Reads it.
    pub async fn gather<K>(object: &K, name: String, context: &Context) -> Result<Self, Error>
    where
        K: Resource<DynamicType = ()>,
    {
        let owner = Owner::of(object)?;
        let job: Option<Job> = apply::get(&context.client, &owner.namespace, &name).await?;
        let pods = match &job {
            Some(_) => apply::worker_pods(&context.client, &owner).await?,
            None => Vec::new(),
        };
        let looks_at = job.as_ref().and_then(probe::looks_at);
        Ok(Self { owner, name, worker: observe(job.as_ref(), &pods), looks_at })
    }

    /// What is to be made for a task that looks at this generation; pure.
    pub fn build(
        &self,
        task: Task,
        placement: Option<&Placement>,
        generation: i64,
        defaults: &WorkerDefaults,
    ) -> Result<WorkerObjects, Error> {
        let worker = WorkerJob {
            name: self.name.clone(),
            owner: &self.owner,
            task,
            placement,
            parallelism: 1,
            backoff_limit: probe::BACKOFF_LIMIT,
            deadline_seconds: probe::DEADLINE_SECONDS,
            ttl_seconds: probe::TTL_SECONDS,
            labels: BTreeMap::new(),
            annotations: probe::annotations(generation),
        };
        worker_pod::build(defaults, &worker)
    }

    /// Deletes it once it is done with. Its end has to stand in the status by then, so that an operator that is
    /// killed in between finds it again.
    pub async fn clear(&self, step: &Step, context: &Context) -> Result<(), Error> {
        match step {
            Step::Discard | Step::Clear | Step::Conclude { .. } => {
                apply::delete_worker(&context.client, &self.owner, &self.name).await
            }
            Step::Start | Step::Watch { .. } | Step::Idle { .. } => Ok(()),
        }
    }
}
