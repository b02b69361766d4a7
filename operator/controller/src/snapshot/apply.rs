//! The writes of a pass, after its status was written.

use kube::ResourceExt;
use orgkeep_api::names;

use super::model::{Act, Decision, Observed};
use crate::shared::worker_pod::WorkerObjects;
use crate::shared::{Context, Error, apply};

/// Does what was decided. Tells the uid of the run's Job if it was made.
pub async fn apply(
    context: &Context,
    o: &Observed,
    decision: &Decision,
    objects: Option<&WorkerObjects>,
) -> Result<Option<String>, Error> {
    let client = &context.client;
    match (decision.act, objects) {
        (Act::Start, Some(objects)) => Ok(apply::worker(client, objects).await?.uid()),
        (Act::ReadRecord, Some(objects)) => {
            apply::worker(client, objects).await?;
            Ok(None)
        }
        (Act::Suspend, _) => {
            let run = decision.status.run.as_ref();
            let name = run.ok_or(Error::Incomplete("run"))?.job_name.as_str();
            apply::suspend_job(client, &o.owner.namespace, name).await?;
            Ok(None)
        }
        (Act::CleanUp { job }, _) => clean_up(context, o, decision, job).await.map(|()| None),
        (Act::Nothing | Act::Start | Act::ReadRecord, _) => Ok(None),
    }
}

async fn clean_up(context: &Context, o: &Observed, decision: &Decision, job: bool) -> Result<(), Error> {
    let Some(run) = &decision.status.run else { return Ok(()) };
    let snapshot = o.snapshot.name_any();
    if job {
        apply::delete_worker(&context.client, &o.owner, &run.job_name).await?;
    }
    for attempt in 1..=run.attempt {
        let name = names::run_job(&snapshot, attempt);
        apply::delete_description(&context.client, &o.owner, &name).await?;
    }
    apply::delete_worker(&context.client, &o.owner, &names::record_job(&snapshot)).await
}
