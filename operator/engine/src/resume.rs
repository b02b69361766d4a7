//! Finding a run that did not come to its end, for whoever starts runs without a memory of their own.

use jiff::{SignedDuration, Timestamp};
use orgkeep_api::worker::BackupTask;
use orgkeep_core::run::Phase;
use orgkeep_vault::{Owner, Vault, VaultError};
use serde_json::Value;

use crate::context::Context;
use crate::vault_access;

/// A plan older than this is not gone on with: its rows would be from different days.
const FRESH: SignedDuration = SignedDuration::from_hours(24);

/// The newest run of the task's line whose id begins with `prefix`, if it was planned lately and neither committed
/// nor failed for good. Whatever goes wrong here means a new run, which says what is wrong itself.
pub async fn unfinished_run(task: &BackupTask, prefix: &str, context: &Context) -> Option<String> {
    let vault = vault_access::open_read_only(&task.vault, task.signing_key.as_deref(), context).await.ok()?;
    find(task, &vault, prefix).await.ok().flatten()
}

async fn find(task: &BackupTask, vault: &Vault, prefix: &str) -> Result<Option<String>, VaultError> {
    let owner = Owner {
        cluster: task.cluster.clone(),
        namespace: task.namespace.clone(),
        backup_name: task.backup_name.clone(),
    };
    let line = match &task.line_id {
        Some(id) => vault.line(id).await?,
        None => match vault.find_line(&owner).await? {
            Some(line) => line,
            None => return Ok(None),
        },
    };
    let mut runs = vault.storage().list_folders(&format!("lines/{}/runs", line.id())).await?;
    runs.retain(|run| run.starts_with(prefix));
    let Some(newest) = runs.into_iter().max() else { return Ok(None) };
    let run = line.run(&newest)?;
    let Some(plan) = run.plan::<Value>().await? else { return Ok(None) };
    let read_from =
        plan.get("readFrom").and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok());
    let fresh = read_from.is_some_and(|from| Timestamp::now().duration_since(from) < FRESH);
    if !fresh || run.committed().await?.is_some() {
        return Ok(None);
    }
    let over = run
        .record()
        .await?
        .is_some_and(|outcome| outcome.phase != Phase::Failed || outcome.reason.is_configuration());
    Ok((!over).then_some(newest))
}
