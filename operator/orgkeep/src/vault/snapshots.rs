//! `orgkeep vault snapshots`.

use std::process::ExitCode;

use orgkeep_vault::Manifest;
use serde_json::{Value, json};

use crate::cli::{Output, VaultAccess};
use crate::table;
use crate::{CommandResult, say};

/// Lists the snapshots of all lines, or of the one named.
pub(super) async fn run(access: &VaultAccess) -> CommandResult {
    let vault = super::open(access).await?;
    let mut manifests = vault.catalog(usize::MAX).await?;
    manifests.retain(|manifest| access.line.as_ref().is_none_or(|line| *line == manifest.line_id));
    manifests.sort_by(|a, b| a.line_id.cmp(&b.line_id).then(a.seq.cmp(&b.seq)));
    match access.output {
        Output::Json => {
            let all: Vec<Value> = manifests.iter().map(summary).collect();
            say(&format!(
                "{}\n",
                serde_json::to_string_pretty(&json!({"vaultId": vault.id(), "snapshots": all}))?
            ))?;
        }
        Output::Table => {
            let headings = ["SNAPSHOT", "LINE", "BACKUP", "PHASE", "OBJECTS", "RECORDS", "SIZE", "COMPLETED"];
            let rows: Vec<Vec<String>> = manifests.iter().map(row).collect();
            say(&table::render(&headings, &rows))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(manifest: &Manifest) -> Vec<String> {
    vec![
        manifest.snapshot_id(),
        manifest.line_id.clone(),
        format!("{}/{}", manifest.owner.namespace, manifest.owner.backup_name),
        manifest.phase.clone(),
        manifest.counts.objects.to_string(),
        manifest.counts.records.to_string(),
        table::bytes(manifest.size_bytes),
        manifest.completion_time.clone(),
    ]
}

/// A snapshot without its list of objects.
pub(super) fn summary(manifest: &Manifest) -> Value {
    json!({
        "lineId": manifest.line_id,
        "snapshotId": manifest.snapshot_id(),
        "cluster": manifest.owner.cluster,
        "namespace": manifest.owner.namespace,
        "backupName": manifest.owner.backup_name,
        "snapshotName": manifest.snapshot_name,
        "phase": manifest.phase,
        "startTime": manifest.start_time,
        "completionTime": manifest.completion_time,
        "org": manifest.org,
        "counts": manifest.counts,
        "completeness": manifest.completeness,
        "apiCalls": manifest.api_calls,
        "sizeBytes": manifest.size_bytes,
        "manifestDigest": manifest.digest,
    })
}
