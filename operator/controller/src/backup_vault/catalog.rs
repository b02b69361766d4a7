//! Snapshot objects from a vault's catalog, for a cluster that is new or lost some.
//!
//! Only what is missing is made, under the name that it had; data in the vault is never touched.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, ResourceExt};
use orgkeep_api::common::{LocalRef, condition};
use orgkeep_api::worker::{Catalog, CatalogEntry};
use orgkeep_api::{BackupVault, Snapshot, SnapshotSpec, SnapshotStatus, labels, names};
use orgkeep_core::reason::Reason;
use orgkeep_core::run::{Phase, cut_to};

use crate::shared::conditions::{ConditionSet, State};
use crate::shared::{Context, Doing, Error, Guarded, apply};

/// A Snapshot object to be made (or, if that much is there, to be given its status).
#[derive(Debug, Clone, PartialEq)]
pub struct Missing {
    /// The object, without its status.
    pub object: Snapshot,
    /// What it shows.
    pub entry: CatalogEntry,
}

/// What the catalog shows and no object does; pure.
pub fn missing(vault: &BackupVault, catalog: &Catalog, known: &[Guarded<Snapshot>]) -> Vec<Missing> {
    let keep = usize::try_from(vault.spec.catalog.keep).unwrap_or(0);
    let mut lines: BTreeMap<&str, Vec<&CatalogEntry>> = BTreeMap::new();
    for entry in &catalog.snapshots {
        lines.entry(&entry.line_id).or_default().push(entry);
    }
    let mut all = Vec::new();
    for entries in lines.values_mut() {
        entries.sort_by(|a, b| (&b.start_time, &b.snapshot_id).cmp(&(&a.start_time, &a.snapshot_id)));
        all.extend(entries.iter().take(keep).filter_map(|entry| wanted(vault, entry, known)));
    }
    all
}

fn wanted(vault: &BackupVault, entry: &CatalogEntry, known: &[Guarded<Snapshot>]) -> Option<Missing> {
    let readable = || known.iter().filter_map(|snapshot| snapshot.0.as_ref().ok());
    if let Some(shown) = readable().find(|snapshot| shows(snapshot, vault, entry)) {
        // Made from the catalog by an operator that was killed before it could write the status.
        let bare = shown.spec.snapshot_id.is_some() && phase(shown).is_none();
        return bare.then(|| Missing { object: shown.clone(), entry: entry.clone() });
    }
    let named = readable().find(|snapshot| snapshot.name_any() == entry.snapshot_name);
    if named.is_some_and(is_at_work) {
        // Its own controller is about to say so.
        return None;
    }
    let taken = known.iter().any(|snapshot| {
        let meta = match &snapshot.0 {
            Ok(snapshot) => &snapshot.metadata,
            Err(unreadable) => &unreadable.metadata,
        };
        meta.name.as_deref() == Some(entry.snapshot_name.as_str())
    });
    let name = if taken || !is_name(&entry.snapshot_name) {
        names::catalog_snapshot(&entry.backup_name, &entry.line_id, &entry.snapshot_id)
    } else {
        entry.snapshot_name.clone()
    };
    Some(Missing { object: object(vault, entry, name), entry: entry.clone() })
}

fn phase(snapshot: &Snapshot) -> Option<&str> {
    snapshot.status.as_ref()?.phase.as_deref()
}

/// Whether an object stands for an entry, by what it was made for or by what its run committed.
fn shows(snapshot: &Snapshot, vault: &BackupVault, entry: &CatalogEntry) -> bool {
    let (line, id) = (Some(entry.line_id.as_str()), Some(entry.snapshot_id.as_str()));
    let spec = &snapshot.spec;
    let by_spec = spec.vault_ref.as_ref().is_some_and(|vault_ref| vault_ref.name == vault.name_any())
        && (spec.line_id.as_deref(), spec.snapshot_id.as_deref()) == (line, id);
    by_spec
        || snapshot
            .status
            .as_ref()
            .is_some_and(|status| (status.line_id.as_deref(), status.snapshot_id.as_deref()) == (line, id))
}

fn is_at_work(snapshot: &Snapshot) -> bool {
    let ended = phase(snapshot).and_then(Phase::from_word).is_some_and(Phase::is_terminal);
    snapshot.spec.snapshot_id.is_none() && !ended
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= names::MAX_SNAPSHOT_NAME
        && !name.starts_with('-')
        && !name.ends_with('-')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn object(vault: &BackupVault, entry: &CatalogEntry, name: String) -> Snapshot {
    let namespace = vault.namespace();
    // Another namespace's backup cannot be referred to from here.
    let ours = namespace.as_deref() == Some(entry.namespace.as_str()) && is_name(&entry.backup_name);
    let mut label_set = BTreeMap::from([
        (labels::APP_MANAGED_BY.to_owned(), labels::APP.to_owned()),
        (labels::ORIGIN.to_owned(), "catalog".to_owned()),
        (labels::VAULT.to_owned(), vault.name_any()),
    ]);
    if ours {
        label_set.insert(labels::BACKUP.to_owned(), entry.backup_name.clone());
    }
    let annotations = [labels::ARGOCD_COMPARE, labels::ARGOCD_SYNC];
    Snapshot {
        metadata: ObjectMeta {
            name: Some(name),
            namespace,
            labels: Some(label_set),
            annotations: Some(annotations.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()),
            ..ObjectMeta::default()
        },
        spec: SnapshotSpec {
            backup_ref: ours.then(|| LocalRef::new(&entry.backup_name)),
            vault_ref: Some(LocalRef::new(vault.name_any())),
            line_id: Some(entry.line_id.clone()),
            snapshot_id: Some(entry.snapshot_id.clone()),
            ..SnapshotSpec::default()
        },
        status: None,
    }
}

/// The status of a Snapshot that shows an entry; pure.
pub fn status(
    vault: &str,
    entry: &CatalogEntry,
    generation: Option<i64>,
    now: jiff::Timestamp,
) -> SnapshotStatus {
    let mut set = ConditionSet::new(&[], generation, now);
    if entry.phase == Phase::PartiallySucceeded.as_str() {
        let text = "some objects are missing or unproven; the run's report in the vault names them";
        set.set(condition::READY, State::False, Reason::ObjectsIncomplete, text);
        set.stalled(Reason::ObjectsIncomplete, text);
    } else {
        set.set(condition::READY, State::True, Reason::Succeeded, "found in the vault's catalog");
    }
    let text =
        |text: &str, limit: usize| Some(cut_to(text, limit).to_owned()).filter(|text| !text.is_empty());
    let int = |number: u64| Some(i64::try_from(number).unwrap_or(i64::MAX));
    SnapshotStatus {
        observed_generation: generation,
        phase: text(&entry.phase, 64),
        conditions: set.finish(),
        start_time: text(&entry.start_time, 64),
        completion_time: text(&entry.completion_time, 64),
        counts: Some((&entry.counts).into()),
        api_calls: int(entry.api_calls),
        size_bytes: int(entry.size_bytes),
        manifest_digest: text(&entry.manifest_digest, 128),
        completeness: Some((&entry.completeness).into()),
        vault_name: Some(vault.to_owned()),
        line_id: text(&entry.line_id, 64),
        snapshot_id: text(&entry.snapshot_id, 64),
        ..SnapshotStatus::default()
    }
}

/// Makes one, and writes its status. A name that was taken meanwhile is looked at again by the next probe.
pub async fn make(missing: &Missing, namespace: &str, context: &Context) -> Result<(), Error> {
    let api: Api<Snapshot> = Api::namespaced(context.client.clone(), namespace);
    let name = missing.object.name_any();
    let made = if missing.object.uid().is_some() {
        missing.object.clone()
    } else {
        let params =
            PostParams { field_manager: Some(labels::MANAGER_CHILDREN.to_owned()), ..PostParams::default() };
        match api.create(&params, &missing.object).await {
            Ok(made) => made,
            Err(kube::Error::Api(status)) if status.is_already_exists() => return Ok(()),
            Err(kube::Error::Api(status)) if status.is_invalid() => {
                tracing::warn!(snapshot = name, %status, "the catalog has a snapshot that no object can show");
                return Ok(());
            }
            Err(source) => return Err(source).doing(|| format!("create Snapshot {namespace}/{name}")),
        }
    };
    let vault = made.spec.vault_ref.as_ref().map_or("", |vault| vault.name.as_str());
    let new = status(vault, &missing.entry, made.metadata.generation, context.now());
    apply::status(&context.client, &made, made.status.as_ref(), &new).await.map(drop)
}

#[cfg(test)]
#[path = "catalog_tests.rs"]
mod tests;
