//! All reads of a pass.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::api::ListParams;
use kube::{Api, Resource, ResourceExt};
use orgkeep_api::{SalesforceBackup, Snapshot};
use serde::de::DeserializeOwned;

use super::model::Observed;
use super::reference::find;
use crate::shared::{Context, Doing, Error, Guarded, apply};

/// The object as it is now, not as the watch last saw it; `None` when it is gone, going, or another of its name.
pub async fn fresh<K>(object: &K, context: &Context) -> Result<Option<K>, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let namespace = object.namespace().ok_or(Error::Incomplete("namespace"))?;
    let found = apply::get::<Guarded<K>>(&context.client, &namespace, &object.name_any()).await?;
    let same = |found: &K| found.uid() == object.uid() && found.meta().deletion_timestamp.is_none();
    // One that cannot be read any more is handed over by the watch as such.
    Ok(found.and_then(|found| found.0.ok()).filter(same))
}

/// Reads what the backup refers to, and its Snapshots: those that it made, and those that users did.
pub async fn gather(backup: &SalesforceBackup, context: &Context) -> Result<Observed, Error> {
    let namespace = backup.namespace().ok_or(Error::Incomplete("namespace"))?;
    let (client, name) = (&context.client, backup.name_any());
    let (connection, vault, snapshots) = tokio::try_join!(
        find(client, &namespace, &backup.spec.connection_ref.name),
        find(client, &namespace, &backup.spec.vault_ref.name),
        snapshots_of(context, &namespace, &name),
    )?;
    Ok(Observed { now: context.now(), backup: backup.clone(), connection, vault, snapshots })
}

/// The Snapshots that refer to a backup. Those that cannot be read as such are left out.
pub async fn snapshots_of(context: &Context, namespace: &str, backup: &str) -> Result<Vec<Snapshot>, Error> {
    let api: Api<Guarded<Snapshot>> = Api::namespaced(context.client.clone(), namespace);
    let theirs = ListParams::default().fields(&format!("spec.backupRef.name={backup}"));
    let list = api.list(&theirs).await.doing(|| format!("list Snapshots of {namespace}/{backup}"))?;
    Ok(list.items.into_iter().filter_map(|snapshot| snapshot.0.ok()).collect())
}
