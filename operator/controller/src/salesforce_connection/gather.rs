//! All reads of a pass.

use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use orgkeep_api::{SalesforceConnection, names};

use crate::shared::observe::{WorkerState, observe};
use crate::shared::worker_pod::Owner;
use crate::shared::{Context, Error, apply, probe};

/// What a pass knows.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The object.
    pub object: Arc<SalesforceConnection>,
    /// The object as its Job's owner.
    pub owner: Owner,
    /// Name of the probe's Job.
    pub job_name: String,
    /// The probe.
    pub worker: WorkerState,
    /// The generation that the probe looks at.
    pub looks_at: Option<i64>,
}

/// Reads.
pub async fn gather(object: &Arc<SalesforceConnection>, context: &Context) -> Result<Observed, Error> {
    let owner = Owner::of(object.as_ref())?;
    let job_name = names::connection_probe(&object.name_any());
    let job: Option<Job> = apply::get(&context.client, &owner.namespace, &job_name).await?;
    let pods = match &job {
        Some(_) => apply::worker_pods(&context.client, &owner).await?,
        None => Vec::new(),
    };
    let looks_at = job.as_ref().and_then(probe::looks_at);
    let worker = observe(job.as_ref(), &pods);
    Ok(Observed { object: Arc::clone(object), owner, job_name, worker, looks_at })
}
