//! `orgkeep vault compare`: records of an object that differ between two snapshots.

use std::process::ExitCode;

use orgkeep_vault::ChangeCounts;
use serde_json::json;

use crate::cli::{Output, VaultAccess};
use crate::{CommandResult, say};

/// Tells the differences, one record a line, and how many there are.
pub(super) async fn run(access: &VaultAccess, object: &str, from: &str, to: &str) -> CommandResult {
    let vault = super::open(access).await?;
    let before = super::find(&vault, access, from).await?;
    let after = super::find(&vault, access, to).await?;
    let before = vault.state(&before, object).await?;
    let after = vault.state(&after, object).await?;
    let mut comparison = vault.compare(&before, &vault, &after)?;
    let output = access.output;
    tokio::task::spawn_blocking(move || -> CommandResult {
        let mut counts = ChangeCounts::default();
        while let Some(difference) = comparison.next()? {
            counts.count(difference.kind);
            let line = match output {
                Output::Json => json!({"id": difference.id, "change": difference.kind}).to_string(),
                Output::Table => format!("{}  {:?}", difference.id, difference.kind),
            };
            say(&format!("{line}\n"))?;
        }
        if output == Output::Table {
            say(&format!(
                "{} added, {} updated, {} recalculated, {} deleted\n",
                counts.added, counts.updated, counts.recalculated, counts.deleted
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    })
    .await?
}
