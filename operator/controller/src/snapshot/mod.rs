//! `Snapshot`: drives one run from its first wait to its last word.
//!
//! What is about to be started is written into the status before it is made, and what ended is written before
//! it is cleaned up; so an operator that is killed at any point finds the run again, and nothing runs twice. A
//! Snapshot from a vault's catalog never runs; its vault's controller writes its status.

mod apply;
mod build;
mod decide;
mod ending;
mod gather;
mod model;
mod progress;
mod status;

use std::sync::Arc;

use kube::runtime::controller::Controller;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Resource, ResourceExt};
use orgkeep_api::{SalesforceBackup, Snapshot};

use crate::salesforce_backup::is_active;
use crate::shared::{Context, Error, Guarded, Outcome, Reconciler, Scope};

/// The controller of Snapshots.
pub struct Snapshots;

impl Reconciler for Snapshots {
    type Kind = Snapshot;
    const NAME: &'static str = "snapshots";

    fn wire(controller: Controller<Guarded<Snapshot>>, scope: &Scope) -> Controller<Guarded<Snapshot>> {
        let any = watcher::Config::default;
        let (by_backup, by_other) = (controller.store(), controller.store());
        controller
            // A backup's status says it, too, when its connection and vault become ready.
            .watches(
                scope.api::<Guarded<SalesforceBackup>>(),
                any(),
                move |backup: Guarded<SalesforceBackup>| {
                    active_of(&by_backup, backup.namespace(), &backup.name_any())
                },
            )
            // One that ended lets the next of the same backup begin.
            .watches(scope.api::<Guarded<Snapshot>>(), any(), move |other: Guarded<Snapshot>| {
                match &other.0 {
                    Ok(other) if !is_active(other) => {
                        let backup = other.spec.backup_ref.as_ref().map(|backup| backup.name.clone());
                        backup
                            .map_or_else(Vec::new, |backup| active_of(&by_other, other.namespace(), &backup))
                    }
                    _ => Vec::new(),
                }
            })
    }

    fn publish(context: &Context, store: Store<Guarded<Snapshot>>) {
        context.stores.snapshots.add(store);
    }

    async fn reconcile(object: Arc<Snapshot>, context: Arc<Context>) -> Result<Outcome, Error> {
        if gather::needs_nothing(&object, context.now()) {
            return Ok(Outcome::Done);
        }
        // The watch may be behind our own last write; a run that it does not show yet must not begin again.
        let Some(object) = gather::fresh(object.as_ref(), &context).await? else { return Ok(Outcome::Done) };
        let observed = gather::gather(&object, &context).await?;
        let decision = decide::decide(&observed);
        let objects = build::build(&observed, &decision, &context)?;
        let old = object.status.as_ref();
        // Before anything is made: what is not in the status was not started.
        save(&context, &object, old, &decision.status).await?;
        let (status, outcome) = match apply::apply(&context, &observed, &decision, objects.as_ref()).await {
            Ok(None) => return Ok(decision.outcome),
            Ok(Some(job_uid)) => (status::made(&decision.status, &job_uid), decision.outcome),
            Err(error) => {
                let Some(refused) = decide::refused(&observed, &decision, &error) else { return Err(error) };
                (refused.status, refused.outcome)
            }
        };
        save(&context, &object, Some(&decision.status), &status).await?;
        Ok(outcome)
    }
}

/// Writes the status if it changed, and tells what is new in it.
async fn save(
    context: &Context,
    object: &Snapshot,
    old: Option<&orgkeep_api::SnapshotStatus>,
    new: &orgkeep_api::SnapshotStatus,
) -> Result<(), Error> {
    if crate::shared::apply::status(&context.client, object, old, new).await?
        && let Some(note) = status::news(old, new)
    {
        context.events.publish(&object.object_ref(&()), &note).await;
    }
    Ok(())
}

fn active_of(
    store: &Store<Guarded<Snapshot>>,
    namespace: Option<String>,
    backup: &str,
) -> Vec<ObjectRef<Guarded<Snapshot>>> {
    let theirs = |snapshot: &Snapshot| {
        snapshot.namespace() == namespace
            && snapshot.spec.backup_ref.as_ref().is_some_and(|found| found.name == backup)
            && is_active(snapshot)
    };
    store
        .state()
        .iter()
        .filter(|snapshot| snapshot.0.as_ref().is_ok_and(theirs))
        .map(|snapshot| ObjectRef::from_obj(snapshot.as_ref()))
        .collect()
}

#[cfg(test)]
#[path = "pass_tests.rs"]
mod pass_tests;
