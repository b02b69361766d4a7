//! `orgkeep vault verify`: what is stored against what was signed.

use std::process::ExitCode;

use orgkeep_vault::verify::{Options, verify};

use crate::cli::{Output, VaultAccess};
use crate::table;
use crate::{CommandResult, say};

/// Verifies; fails if anything is not as it was written.
pub(super) async fn run(access: &VaultAccess, quick: bool, expect: Option<String>) -> CommandResult {
    let vault = super::open(access).await?;
    let options = Options { full: !quick, expect, line: access.line.clone() };
    let report = verify(&vault, &options).await?;
    let good = report.is_good();
    match access.output {
        Output::Json => say(&format!("{}\n", serde_json::to_string_pretty(&report)?))?,
        Output::Table => {
            for problem in &report.problems {
                println!(
                    "{}: {} (snapshots {})",
                    problem.file,
                    problem.problem,
                    problem.snapshots.join(", ")
                );
            }
            println!(
                "{}: {} snapshots, {} files, {} {}, {} rows counted",
                if good { "verified" } else { "NOT as written" },
                report.snapshots,
                report.files,
                table::bytes(report.bytes),
                if quick { "named (not read)" } else { "read" },
                table::count(report.rows),
            );
        }
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
