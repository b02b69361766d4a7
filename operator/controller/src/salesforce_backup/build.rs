//! The Snapshot that a backup makes. Pure.

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::core::ObjectMeta;
use orgkeep_api::common::LocalRef;
use orgkeep_api::snapshot::SnapshotSpec;
use orgkeep_api::{SalesforceBackup, Snapshot, labels};

use super::model::{Make, Origin};
use crate::shared::time::rfc3339;

/// Builds it. It has no owner: deleting a backup must not delete what shows its snapshots.
pub fn snapshot(backup: &SalesforceBackup, wanted: &Make) -> Snapshot {
    let own = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let name = backup.name_any();
    let slot = rfc3339(wanted.slot);
    let (origin, token) = match &wanted.origin {
        Origin::Schedule => ("schedule", None),
        Origin::RunNow { token } => ("run-now", Some(token.as_str())),
    };
    let mut annotations = own(&[(labels::SLOT, slot.as_str()), labels::ARGOCD_COMPARE, labels::ARGOCD_SYNC]);
    annotations.extend(token.map(|token| (labels::RUN_NOW.to_owned(), token.to_owned())));
    let spec = SnapshotSpec {
        backup_ref: Some(LocalRef::new(&name)),
        vault_ref: Some(backup.spec.vault_ref.clone()),
        ..SnapshotSpec::default()
    };
    Snapshot {
        metadata: ObjectMeta {
            name: Some(wanted.name.clone()),
            namespace: backup.namespace(),
            labels: Some(own(&[
                (labels::APP_NAME, labels::APP),
                (labels::APP_MANAGED_BY, labels::APP),
                (labels::BACKUP, &name),
                (labels::ORIGIN, origin),
                (labels::OWNER_KIND, "SalesforceBackup"),
                (labels::OWNER_UID, &backup.uid().unwrap_or_default()),
            ])),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        },
        spec,
        status: None,
    }
}
