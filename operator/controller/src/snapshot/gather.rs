//! All reads of a pass.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use orgkeep_api::{Snapshot, names};
use orgkeep_core::run::Phase;

use super::model::{Observed, References, Worker};
pub use crate::salesforce_backup::gather::fresh;
use crate::salesforce_backup::gather::snapshots_of;
use crate::salesforce_backup::reference::{Found, find};
use crate::salesforce_backup::{is_active, is_from_catalog, phase_of};
use crate::shared::observe::{WorkerState, observe};
use crate::shared::time::{parse, seconds_between};
use crate::shared::worker_pod::Owner;
use crate::shared::{Context, Error, apply};

/// So long after its end a Snapshot is looked at for what is to be cleaned up.
const CLEANED_UP_AFTER: u64 = 600;

/// Whether nothing is left to do: it shows what a vault has, or it ended a while ago.
pub fn needs_nothing(snapshot: &Snapshot, now: Timestamp) -> bool {
    if is_from_catalog(snapshot) {
        return true;
    }
    let status = snapshot.status.as_ref();
    let ended = status.and_then(|status| parse(status.completion_time.as_deref()?));
    phase_of(snapshot).is_some_and(Phase::is_terminal)
        && status.is_some_and(|status| status.observed_generation == snapshot.metadata.generation)
        && ended.is_none_or(|ended| seconds_between(ended, now) > CLEANED_UP_AFTER)
}

/// Reads the backup, what it refers to, the run's Jobs and pods, and asks the worker how it gets on.
pub async fn gather(snapshot: &Snapshot, context: &Context) -> Result<Observed, Error> {
    let owner = Owner::of(snapshot)?;
    let references = references(snapshot, context, &owner.namespace).await?;
    let run = snapshot.status.as_ref().and_then(|status| status.run.as_ref());
    let (mut worker, mut record) = (Worker::default(), WorkerState::Absent);
    let mut ahead = None;
    if let Some(run) = run {
        let record_name = names::record_job(&snapshot.name_any());
        let (job, record_job, pods) = tokio::try_join!(
            apply::get::<Job>(&context.client, &owner.namespace, &run.job_name),
            apply::get::<Job>(&context.client, &owner.namespace, &record_name),
            apply::worker_pods(&context.client, &owner),
        )?;
        let ours = |job: &Job| job.owner_references().iter().any(|reference| reference.uid == owner.uid);
        let job = job.filter(ours);
        record = observe(record_job.filter(ours).as_ref(), &pods);
        worker = Worker::read(job.as_ref(), &pods);
    } else {
        ahead = goes_first(snapshot, context, &owner.namespace).await?;
    }
    let mut progress = None;
    if let Some(ip) = worker.state.addresses().first() {
        progress = context.poller.progress(ip).await;
    }
    Ok(Observed {
        now: context.now(),
        snapshot: snapshot.clone(),
        owner,
        references,
        ahead,
        worker,
        record,
        progress,
    })
}

async fn references(snapshot: &Snapshot, context: &Context, namespace: &str) -> Result<References, Error> {
    let client = &context.client;
    let mut references = References::default();
    let Some(backup_ref) = &snapshot.spec.backup_ref else { return Ok(references) };
    references.backup = find(client, namespace, &backup_ref.name).await?;
    if let Found::Here(backup) = &references.backup {
        (references.connection, references.vault) = tokio::try_join!(
            find(client, namespace, &backup.spec.connection_ref.name),
            find(client, namespace, &backup.spec.vault_ref.name),
        )?;
    }
    Ok(references)
}

/// The Snapshot of the same backup that goes before this one: one that was started, or an older one that waits.
async fn goes_first(
    snapshot: &Snapshot,
    context: &Context,
    namespace: &str,
) -> Result<Option<String>, Error> {
    let Some(backup) = &snapshot.spec.backup_ref else { return Ok(None) };
    let others = snapshots_of(context, namespace, &backup.name).await?;
    Ok(first_of(snapshot, &others))
}

/// The pure part: which of the others goes first.
pub fn first_of(snapshot: &Snapshot, others: &[Snapshot]) -> Option<String> {
    let started = |other: &Snapshot| other.status.as_ref().is_some_and(|status| status.run.is_some());
    let age = |one: &Snapshot| (one.creation_timestamp().map(|time| time.0), one.name_any());
    others
        .iter()
        .filter(|other| other.name_any() != snapshot.name_any() && is_active(other))
        // One that is to be canceled before it began does not hold others up.
        .filter(|other| started(other) || !other.spec.cancel && age(other) < age(snapshot))
        .map(ResourceExt::name_any)
        .next()
}
