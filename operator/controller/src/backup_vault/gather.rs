//! All reads of a pass.

use std::sync::Arc;

use jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use orgkeep_api::worker::Catalog;
use orgkeep_api::{BackupVault, Snapshot, names};

use crate::shared::observe::WorkerState;
use crate::shared::probe_job::ProbeJob;
use crate::shared::stores::Stores;
use crate::shared::time::parse;
use crate::shared::worker_pod::Owner;
use crate::shared::{Context, Doing, Error, Guarded};

/// What a pass knows.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The object.
    pub object: Arc<BackupVault>,
    /// The probe.
    pub job: ProbeJob,
    /// When the newest run of this cluster into this vault ended, as far as the watch has seen.
    pub last_commit: Option<Timestamp>,
    /// The vault's catalog and the Snapshots that are there, once the probe has it.
    pub catalog: Option<(Catalog, Vec<Guarded<Snapshot>>)>,
}

/// Reads.
pub async fn gather(object: &Arc<BackupVault>, context: &Context) -> Result<Observed, Error> {
    let job = ProbeJob::gather(object.as_ref(), names::vault_probe(&object.name_any()), context).await?;
    let current = job.looks_at == object.metadata.generation;
    let catalog = if current { catalog(&job.worker, &job.owner, context).await? } else { None };
    let last_commit = last_commit(&context.stores, &job.owner);
    Ok(Observed { object: Arc::clone(object), job, last_commit, catalog })
}

fn last_commit(stores: &Stores, owner: &Owner) -> Option<Timestamp> {
    let snapshots = stores.snapshots.objects();
    let ours =
        snapshots.iter().filter(|snapshot| committed_to(snapshot).is_some_and(|vault| vault == owner.name));
    ours.filter(|snapshot| snapshot.namespace().as_deref() == Some(owner.namespace.as_str()))
        .filter_map(|snapshot| parse(snapshot.0.as_ref().ok()?.status.as_ref()?.completion_time.as_ref()?))
        .max()
}

/// The vault that a run of this cluster committed to; `None` for one that has not, and for a Snapshot that was
/// itself made from a catalog.
pub fn committed_to(snapshot: &Guarded<Snapshot>) -> Option<String> {
    let snapshot = snapshot.0.as_ref().ok()?;
    let status = snapshot.status.as_ref()?;
    let own = snapshot.spec.snapshot_id.is_none() && status.snapshot_id.is_some();
    status.completion_time.as_ref().filter(|_| own)?;
    status.vault_name.clone()
}

async fn catalog(
    worker: &WorkerState,
    owner: &Owner,
    context: &Context,
) -> Result<Option<(Catalog, Vec<Guarded<Snapshot>>)>, Error> {
    let Some(address) = worker.addresses().into_iter().next() else { return Ok(None) };
    // The Snapshots first: once the catalog is fetched, the probe ends and does not serve it again.
    let api: Api<Guarded<Snapshot>> = Api::namespaced(context.client.clone(), &owner.namespace);
    let known = api.list(&ListParams::default()).await.doing(|| "list Snapshots".to_owned())?.items;
    let catalog: Option<Catalog> = context.poller.result(&address).await;
    Ok(catalog.map(|catalog| (catalog, known)))
}
