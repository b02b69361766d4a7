//! `SalesforceBackup`: makes a Snapshot when one is due or asked for, and sums up how they went.
//!
//! It makes objects, never Jobs, and owns none of them: a Snapshot outlives its backup. There is no finalizer:
//! deleting a backup leaves the data where it is, which `ScopeCovered` says where the spec asks otherwise.

mod build;
mod clock;
mod decide;
pub mod gather;
mod model;
pub mod reference;
mod status;

#[cfg(test)]
pub(crate) use decide::tests as tests_of_decide;
pub use model::{is_active, is_from_catalog, phase_of};

use std::sync::Arc;

use kube::api::PostParams;
use kube::runtime::controller::Controller;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Api, Resource, ResourceExt};
use orgkeep_api::{BackupVault, SalesforceBackup, SalesforceConnection, Snapshot, labels};

use crate::shared::events::Note;
use crate::shared::{Context, Doing, Error, Guarded, Outcome, Reconciler, Scope, apply};

/// The controller of SalesforceBackups.
pub struct Backups;

impl Reconciler for Backups {
    type Kind = SalesforceBackup;
    const NAME: &'static str = "salesforcebackups";

    fn wire(
        controller: Controller<Guarded<SalesforceBackup>>,
        scope: &Scope,
    ) -> Controller<Guarded<SalesforceBackup>> {
        let any = watcher::Config::default;
        let (by_connection, by_vault) = (controller.store(), controller.store());
        controller
            .watches(
                scope.api::<Guarded<SalesforceConnection>>(),
                any(),
                move |connection: Guarded<SalesforceConnection>| {
                    users_of(&by_connection, &connection, |backup| &backup.spec.connection_ref.name)
                },
            )
            .watches(scope.api::<Guarded<BackupVault>>(), any(), move |vault: Guarded<BackupVault>| {
                users_of(&by_vault, &vault, |backup| &backup.spec.vault_ref.name)
            })
            .watches(scope.api::<Guarded<Snapshot>>(), any(), |snapshot: Guarded<Snapshot>| {
                backup_of(&snapshot)
            })
    }

    fn publish(context: &Context, store: Store<Guarded<SalesforceBackup>>) {
        context.stores.backups.add(store);
    }

    async fn reconcile(object: Arc<SalesforceBackup>, context: Arc<Context>) -> Result<Outcome, Error> {
        // The watch may be behind our own last write; a slot that was taken must not be told again.
        let Some(object) = gather::fresh(object.as_ref(), &context).await? else { return Ok(Outcome::Done) };
        let observed = gather::gather(&object, &context).await?;
        let mut decision = decide::decide(&observed);
        if let Some(wanted) = &decision.make {
            let snapshot = build::snapshot(&object, wanted);
            if !make(&context, &snapshot).await? {
                decision = decide::name_taken(&observed, decision);
            }
        }
        let old = object.status.as_ref();
        let changed = apply::status(&context.client, &object, old, &decision.status).await?;
        let mut notes = decision.notes;
        if changed {
            notes.extend(status::news(old, &decision.status));
        }
        tell(&context, &object, &notes).await;
        Ok(decision.outcome)
    }
}

/// Makes a Snapshot; `false` when its name is taken by one that this backup did not make.
async fn make(context: &Context, snapshot: &Snapshot) -> Result<bool, Error> {
    let name = snapshot.name_any();
    let namespace = snapshot.namespace().ok_or(Error::Incomplete("namespace"))?;
    let api: Api<Snapshot> = Api::namespaced(context.client.clone(), &namespace);
    let params =
        PostParams { field_manager: Some(labels::MANAGER_CHILDREN.to_owned()), ..PostParams::default() };
    match api.create(&params, snapshot).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            let old = apply::get::<Guarded<Snapshot>>(&context.client, &namespace, &name).await?;
            // Gone again meanwhile: the next pass sees what is there then.
            let old = old.ok_or(Error::NotOurs { kind: "Snapshot", name })?;
            let uid =
                |labels: &std::collections::BTreeMap<String, String>| labels.get(labels::OWNER_UID).cloned();
            Ok(uid(old.labels()).is_some() && uid(old.labels()) == uid(snapshot.labels()))
        }
        made => made.map(|_| true).doing(|| format!("create Snapshot {namespace}/{name}")),
    }
}

async fn tell(context: &Context, object: &SalesforceBackup, notes: &[Note]) {
    let reference = object.object_ref(&());
    for note in notes {
        context.events.publish(&reference, note).await;
    }
}

/// The backups in a store that refer to an object.
fn users_of<K: Resource<DynamicType = ()>>(
    store: &Store<Guarded<SalesforceBackup>>,
    object: &Guarded<K>,
    name: impl Fn(&SalesforceBackup) -> &String,
) -> Vec<ObjectRef<Guarded<SalesforceBackup>>> {
    let refers = |backup: &SalesforceBackup| {
        backup.namespace() == object.namespace() && *name(backup) == object.name_any()
    };
    store
        .state()
        .iter()
        .filter(|backup| backup.0.as_ref().is_ok_and(refers))
        .map(|backup| ObjectRef::from_obj(backup.as_ref()))
        .collect()
}

fn backup_of(snapshot: &Guarded<Snapshot>) -> Option<ObjectRef<Guarded<SalesforceBackup>>> {
    let snapshot = snapshot.0.as_ref().ok()?;
    let name = &snapshot.spec.backup_ref.as_ref()?.name;
    Some(ObjectRef::new(name).within(&snapshot.namespace()?))
}

#[cfg(test)]
#[path = "pass_tests.rs"]
mod pass_tests;
