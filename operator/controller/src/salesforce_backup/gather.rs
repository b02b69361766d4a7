//! All reads of a pass.

use kube::api::ListParams;
use kube::{Api, ResourceExt};
use orgkeep_api::{SalesforceBackup, Snapshot};

use super::decide::Observed;
use super::reference::find;
use crate::shared::{Context, Doing, Error, Guarded};

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
