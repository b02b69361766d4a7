//! `orgkeep vault repair`: what can be built anew is, and what is lost is told.

use std::process::ExitCode;

use orgkeep_vault::verify::{Options, repair::repair};

use crate::cli::{Output, VaultAccess};
use crate::{CommandResult, say};

/// Repairs; fails if anything is lost.
pub(super) async fn run(access: &VaultAccess) -> CommandResult {
    let vault = super::open_writable(access).await?;
    let options = Options { full: true, line: access.line.clone(), ..Options::default() };
    let done = repair(&vault, &options).await?;
    match access.output {
        Output::Json => say(&format!("{}\n", serde_json::to_string_pretty(&done)?))?,
        Output::Table => {
            for rebuilt in &done.rebuilt {
                say(&format!("rebuilt {} from {}\n", rebuilt.file, rebuilt.from))?;
            }
            for lost in &done.lost {
                say(&format!(
                    "LOST {}: {} (snapshots {}; objects {})\n",
                    lost.file,
                    lost.problem,
                    lost.snapshots.join(", "),
                    lost.objects.join(", ")
                ))?;
            }
            say(&format!("{} files rebuilt, {} lost\n", done.rebuilt.len(), done.lost.len()))?;
        }
    }
    Ok(if done.lost.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
