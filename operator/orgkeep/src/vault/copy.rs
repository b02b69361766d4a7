//! `orgkeep vault copy`: the same vault in another place.

use std::cell::Cell;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use orgkeep_vault::{Access, Location, Vault, copy};

use super::LookError;
use crate::cli::{Output, VaultAccess};
use crate::table;
use crate::{CommandResult, say};

/// How often it is told how far it is.
const TOLD: Duration = Duration::from_secs(5);

/// Copies what the other place lacks; for others, if there are any, than those who can open the vault.
pub(super) async fn run(access: &VaultAccess, to: &str, others: Option<&Access>) -> CommandResult {
    let target = Location::parse(to).map_err(LookError::from)?.open().await.map_err(LookError::from)?;
    let vault = match others {
        Some(_) => super::open(access).await?,
        None => {
            // Without the key: nothing is opened on the way.
            let storage = Location::parse(&access.vault).map_err(LookError::from)?;
            let storage = storage.open().await.map_err(LookError::from)?;
            Vault::open_read_only(storage, &Access::default()).await.map_err(LookError::from)?
        }
    };
    let told = Cell::new(Instant::now());
    let copied = copy::copy_for(&vault, &target, others, |copied| {
        if told.get().elapsed() > TOLD {
            told.set(Instant::now());
            eprintln!(
                "{} snapshots, {} files, {} copied",
                copied.snapshots,
                copied.files,
                table::bytes(copied.bytes)
            );
        }
    })
    .await
    .map_err(LookError::from)?;
    match access.output {
        Output::Json => say(&format!("{}\n", serde_json::to_string_pretty(&copied)?))?,
        Output::Table => say(&format!(
            "copied: {} snapshots of {} lines, {} files, {}; {} snapshots were there\n",
            copied.snapshots,
            copied.lines,
            table::count(copied.files),
            table::bytes(copied.bytes),
            copied.present,
        ))?,
    }
    Ok(ExitCode::SUCCESS)
}
