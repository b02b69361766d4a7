//! `orgkeep vault …`: a look into a vault, with nothing but its storage and a key.

mod bundle;
mod collect;
mod compare;
mod copy;
mod erase;
mod export;
mod hold;
mod read;
mod recipients;
mod repair;
mod search;
mod show;
mod snapshots;
mod verify;

pub(crate) use collect::CollectArgs;
pub(crate) use erase::EraseArgs;
pub(crate) use hold::HoldCommand;
pub(crate) use search::SearchArgs;

use std::path::{Path, PathBuf};

use orgkeep_vault::{Access, Key, Location, Manifest, Rekey, Vault, VaultError};

use crate::CommandResult;
use crate::cli::{VaultAccess, VaultCommand};

/// Why a look does not succeed, beyond what the vault says.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookError {
    /// The key file cannot be read.
    #[error("--key-file {path}: {source}")]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The vault says no.
    #[error("{0}{advice}", advice = advice(.0))]
    Vault(#[from] VaultError),
}

fn advice(error: &VaultError) -> String {
    match error.reason().advice() {
        "" => String::new(),
        advice => format!(" ({advice})"),
    }
}

/// Carries a command out.
pub(crate) async fn run(command: VaultCommand) -> CommandResult {
    match command {
        VaultCommand::Snapshots { access } => snapshots::run(&access).await,
        VaultCommand::Show { access, snapshot, object, files } => {
            show::run(&access, &snapshot, object.as_deref(), files).await
        }
        VaultCommand::Verify { access, quick, rows, sample, seed, resume, expect } => {
            let depth = verify::Depth { quick, rows, sample, seed, resume };
            verify::run(&access, depth, expect).await
        }
        VaultCommand::Compare { access, object, from, to } => {
            compare::run(&access, &object, &from, &to).await
        }
        VaultCommand::Recipients { access } => recipients::list(&access).await,
        VaultCommand::Rekey { access, add_key_file, add_recipients, remove } => {
            let add_key = add_key_file.as_deref().map(key).transpose()?;
            recipients::change(&access, Rekey { add_key, add_recipients, remove }).await
        }
        VaultCommand::Copy { access, to, new_key_file, new_recipients } => {
            let others = if new_key_file.is_none() && new_recipients.is_empty() {
                None
            } else {
                let key = new_key_file.as_deref().map(key).transpose()?;
                Some(Access { key, recipients: new_recipients, ..Access::default() })
            };
            copy::run(&access, &to, others.as_ref()).await
        }
        VaultCommand::Bundle { command } => bundle::run(&command).await,
        VaultCommand::Export(args) => export::run(&args).await,
        VaultCommand::Erase(args) => erase::run(&args).await,
        VaultCommand::Search(args) => search::run(&args).await,
        VaultCommand::Collect(args) => collect::run(&args).await,
        VaultCommand::Hold { command } => hold::run(&command).await,
        VaultCommand::Repair { access } => repair::run(&access).await,
        VaultCommand::Read { access, snapshot, object, fields, format, limit } => {
            read::run(&access, &snapshot, &object, &fields, format, limit).await
        }
    }
}

/// Opens the vault for reading.
async fn open(access: &VaultAccess) -> Result<Vault, LookError> {
    let key = access.key_file.as_deref().map(key).transpose()?;
    let storage = Location::parse(&access.vault)?.open().await?;
    Ok(Vault::open_read_only(storage, &Access { key, ..Access::default() }).await?)
}

/// Opens the vault for writing, if it is there.
async fn open_writable(access: &VaultAccess) -> Result<Vault, LookError> {
    // A vault that is not there is not made.
    open(access).await?;
    let key = access.key_file.as_deref().map(key).transpose()?;
    let storage = Location::parse(&access.vault)?.open().await?;
    Ok(Vault::create_or_open(storage, &Access { key, ..Access::default() }).await?)
}

fn key(path: &Path) -> Result<Key, LookError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| LookError::KeyFile { path: path.into(), source })?;
    Ok(Key::parse(&text)?)
}

/// The snapshot that an id (in a line, if one is named) or `latest` means.
async fn find(vault: &Vault, access: &VaultAccess, snapshot: &str) -> Result<Manifest, VaultError> {
    let Some(line) = &access.line else {
        return vault.find_snapshot(snapshot).await;
    };
    let line = vault.line(line).await?;
    if snapshot == "latest" {
        let latest = line.latest().await?;
        return latest.ok_or_else(|| VaultError::SnapshotNotFound(snapshot.to_owned()));
    }
    line.manifest(snapshot).await
}
