//! `orgkeep vault recipients` and `rekey`: who can open a vault.

use std::process::ExitCode;

use orgkeep_vault::{Access, Location, RecipientInfo, Rekey, Vault};

use crate::cli::{Output, VaultAccess};
use crate::table;
use crate::{CommandResult, say};

/// Lists them.
pub(super) async fn list(access: &VaultAccess) -> CommandResult {
    let storage = Location::parse(&access.vault)?.open().await?;
    print(&Vault::recipients(&storage).await?, access.output)
}

/// Changes them, and lists who they are then.
pub(super) async fn change(access: &VaultAccess, rekey: Rekey) -> CommandResult {
    let storage = Location::parse(&access.vault)?.open().await?;
    let key = access.key_file.as_deref().map(super::key).transpose()?;
    let opened = Access { key, ..Access::default() };
    print(&Vault::rekey(&storage, &opened, &rekey).await?, access.output)
}

fn print(recipients: &[RecipientInfo], output: Output) -> CommandResult {
    match output {
        Output::Json => say(&format!("{}\n", serde_json::to_string_pretty(recipients)?))?,
        Output::Table => {
            let rows: Vec<Vec<String>> =
                recipients.iter().map(|one| vec![one.kind.clone(), one.id.clone()]).collect();
            say(&table::render(&["KIND", "ID"], &rows))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
