//! Keys of labels and annotations, and names of field managers.

/// Name of the product, as `app.kubernetes.io/name` and `…/managed-by` say it.
pub const APP: &str = "orgkeep";
/// Recommended label: the product.
pub const APP_NAME: &str = "app.kubernetes.io/name";
/// Recommended label: the part of it, `worker`.
pub const APP_COMPONENT: &str = "app.kubernetes.io/component";
/// Recommended label: who made it.
pub const APP_MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Kind of the object that a Job or Snapshot was made for.
pub const OWNER_KIND: &str = "orgkeep.dev/owner-kind";
/// Name of the object that a Job was made for.
pub const OWNER_NAME: &str = "orgkeep.dev/owner-name";
/// UID of the object that a Job or Snapshot was made for.
pub const OWNER_UID: &str = "orgkeep.dev/owner-uid";
/// Name of the SalesforceBackup that a Snapshot belongs to.
pub const BACKUP: &str = "orgkeep.dev/backup";
/// Name of the BackupVault that a Snapshot from the catalog was found in.
pub const VAULT: &str = "orgkeep.dev/vault";
/// What made a Snapshot: `schedule`, `run-now` or `catalog`; absent on those that users make.
pub const ORIGIN: &str = "orgkeep.dev/origin";
/// Slot that a Snapshot stands for, RFC 3339 (annotation).
pub const SLOT: &str = "orgkeep.dev/slot";
/// Token of `spec.runNow` that a Snapshot answers (annotation).
pub const RUN_NOW: &str = "orgkeep.dev/run-now";
/// `metadata.generation` that a probe looks at (annotation of its Job).
pub const GENERATION: &str = "orgkeep.dev/generation";

/// Keeps Argo CD from showing what we make as drift (annotation).
pub const ARGOCD_COMPARE: (&str, &str) = ("argocd.argoproj.io/compare-options", "IgnoreExtraneous");
/// Keeps Argo CD from deleting what we make (annotation).
pub const ARGOCD_SYNC: (&str, &str) = ("argocd.argoproj.io/sync-options", "Prune=false");

/// Field manager of children (Jobs, ConfigMaps, Snapshots).
pub const MANAGER_CHILDREN: &str = "orgkeep-controller";
/// Field manager of statuses.
pub const MANAGER_STATUS: &str = "orgkeep-status";
