//! `BackupVault`: probed by a short Job on a schedule and whenever its spec changes; the probe brings the vault's
//! catalog, from which missing Snapshot objects are made again.

mod apply;
mod build;
mod catalog;
mod decide;
mod gather;
mod status;

use std::sync::Arc;

use kube::runtime::controller::Controller;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Resource, ResourceExt};
use orgkeep_api::{BackupVault, Snapshot};

use crate::shared::{self, Context, Error, Guarded, Outcome, Reconciler, Scope, events};

/// The controller.
pub struct Vaults;

impl Reconciler for Vaults {
    type Kind = BackupVault;
    const NAME: &'static str = "backupvaults";

    fn wire(controller: Controller<Guarded<BackupVault>>, scope: &Scope) -> Controller<Guarded<BackupVault>> {
        let snapshots = scope.api::<Guarded<Snapshot>>();
        controller.watches(snapshots, watcher::Config::default(), |snapshot: Guarded<Snapshot>| {
            let vault = gather::committed_to(&snapshot)?;
            Some(ObjectRef::new(&vault).within(&snapshot.namespace()?))
        })
    }

    fn publish(context: &Context, store: Store<Guarded<BackupVault>>) {
        context.stores.vaults.add(store);
    }

    async fn reconcile(object: Arc<BackupVault>, context: Arc<Context>) -> Result<Outcome, Error> {
        let observed = gather::gather(&object, &context).await?;
        let mut decision = decide::decide(&observed, context.now());
        let objects = build::build(&observed, &decision, &context.workers)?;
        if let Err(error) = apply::before_status(objects.as_ref(), &observed, &decision, &context).await {
            let Some(message) = error.refused() else { return Err(error) };
            decision = decide::refused(&observed, &message, context.now());
        }
        let new = status::status(&observed, &decision, context.now());
        let old = object.status.clone().unwrap_or_default();
        if shared::apply::status(&context.client, &*object, object.status.as_ref(), &new).await?
            && let Some(note) = events::of_ready(&old.conditions, &new.conditions, "Probe")
        {
            context.events.publish(&object.object_ref(&()), &note).await;
        }
        observed.job.clear(&decision.step, &context).await?;
        Ok(decision.outcome)
    }
}
