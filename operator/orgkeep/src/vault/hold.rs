//! `orgkeep vault hold`: snapshots that stay, whatever the rules say.

use std::process::ExitCode;

use clap::Subcommand;
use orgkeep_vault::{Line, Vault, VaultError};

use super::LookError;
use crate::cli::{Output, VaultAccess};
use crate::table;
use crate::{CommandResult, say};

/// What to do with holds.
#[derive(Debug, Subcommand)]
pub(crate) enum HoldCommand {
    /// Hold snapshots: they are neither retired nor erased until the hold is lifted.
    Add {
        /// The vault, with a key that opens it.
        #[command(flatten)]
        access: VaultAccess,
        /// What the hold is called; one of that name is replaced.
        #[arg(long)]
        name: String,
        /// Why: a case, a request.
        #[arg(long, default_value = "")]
        reason: String,
        /// Ids of the snapshots by commas; all of the line, those to come included, when left out.
        #[arg(long, value_delimiter = ',', value_name = "ID")]
        snapshots: Vec<u64>,
    },
    /// Lift a hold.
    Remove {
        /// The vault, with a key that opens it.
        #[command(flatten)]
        access: VaultAccess,
        /// What it is called.
        #[arg(long)]
        name: String,
    },
    /// List the holds.
    List {
        /// The vault.
        #[command(flatten)]
        access: VaultAccess,
    },
}

/// Carries it out.
pub(super) async fn run(command: &HoldCommand) -> CommandResult {
    match command {
        HoldCommand::Add { access, name, reason, snapshots } => {
            let vault = super::open_writable(access).await?;
            let line = the_line(&vault, access).await?;
            let hold = line.add_hold(name, reason, snapshots).await.map_err(LookError::from)?;
            let what = if hold.snapshots.is_empty() {
                "all snapshots".to_owned()
            } else {
                format!("{} snapshots", hold.snapshots.len())
            };
            say(&format!("{name}: holds {what} of line {}\n", line.id()))?;
            Ok(ExitCode::SUCCESS)
        }
        HoldCommand::Remove { access, name } => {
            let vault = super::open_writable(access).await?;
            let line = the_line(&vault, access).await?;
            if line.remove_hold(name).await.map_err(LookError::from)? {
                say(&format!("{name}: lifted from line {}\n", line.id()))?;
                return Ok(ExitCode::SUCCESS);
            }
            say(&format!("line {} has no hold {name:?}\n", line.id()))?;
            Ok(ExitCode::FAILURE)
        }
        HoldCommand::List { access } => list(access).await,
    }
}

async fn list(access: &VaultAccess) -> CommandResult {
    let vault = super::open(access).await?;
    let mut lines = vault.lines().await.map_err(LookError::from)?;
    lines.retain(|line| access.line.as_ref().is_none_or(|only| only == line.id()));
    let (mut rows, mut all) = (Vec::new(), Vec::new());
    for line in lines {
        for hold in line.holds().await.map_err(LookError::from)? {
            let snapshots: Vec<String> = hold.snapshots.iter().map(u64::to_string).collect();
            rows.push(vec![
                line.id().to_owned(),
                hold.name.clone(),
                if snapshots.is_empty() { "all".to_owned() } else { snapshots.join(",") },
                hold.added_at.to_string(),
                hold.reason.clone(),
            ]);
            all.push(serde_json::json!({"lineId": line.id(), "hold": hold}));
        }
    }
    match access.output {
        Output::Json => say(&format!("{}\n", serde_json::to_string_pretty(&all)?))?,
        Output::Table => say(&table::render(&["LINE", "NAME", "SNAPSHOTS", "SINCE", "REASON"], &rows))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The line that is named, or the only one.
async fn the_line(vault: &Vault, access: &VaultAccess) -> Result<Line, LookError> {
    if let Some(id) = &access.line {
        return Ok(vault.line(id).await?);
    }
    let mut lines = vault.lines().await?;
    match (lines.pop(), lines.as_slice()) {
        (Some(only), []) => Ok(only),
        (last, others) => {
            let ids: Vec<&str> = others.iter().chain(&last).map(Line::id).collect();
            Err(VaultError::LineNotFound(format!("say with --line which of {}", ids.join(", "))).into())
        }
    }
}
