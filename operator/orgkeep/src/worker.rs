//! `orgkeep worker`: one job description carried out in a pod.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use orgkeep_api::worker::{CONFIGMAPS_DIR, INDEX_VARIABLE, SECRETS_DIR, VAULT_DIR};
use orgkeep_core::run::{Outcome, PROGRESS_PORT};
use orgkeep_engine::progress::Tracker;
use orgkeep_engine::secrets::MountedSecrets;
use orgkeep_engine::serve::{Door, ResultSlot};
use orgkeep_engine::{Context, worker};
use tokio_util::sync::CancellationToken;

use crate::CommandResult;
use crate::cli::WorkerArgs;

/// Carries the job out, leaves the last word for the kubelet, and exits with what Kubernetes is to do.
pub(crate) async fn run(arguments: &WorkerArgs) -> CommandResult {
    let context = Context {
        secrets: Arc::new(MountedSecrets { secrets: SECRETS_DIR.into(), config_maps: CONFIGMAPS_DIR.into() }),
        volume_root: PathBuf::from(VAULT_DIR),
        tracker: Tracker::default(),
        result: ResultSlot::default(),
        cancel: CancellationToken::new(),
        index: std::env::var(INDEX_VARIABLE).ok().and_then(|index| index.parse().ok()).unwrap_or(0),
        holder: std::env::var("HOSTNAME").unwrap_or_else(|_| "worker".to_owned()),
    };
    let outcome = match worker::read_job(&arguments.job) {
        Ok(job) => {
            let address = SocketAddr::from(([0, 0, 0, 0], PROGRESS_PORT));
            // Without its door a worker still works; the operator then shows no progress.
            let door = Door::open(address, context.tracker.clone(), context.result.clone()).await;
            if let Err(error) = &door {
                tracing::warn!(%error, "the progress port cannot be opened");
            }
            tracing::info!(task = job.task.name(), index = context.index, "begins");
            worker::carry_out(&job, &context).await?
        }
        Err(outcome) => *outcome,
    };
    leave(arguments, &outcome);
    Ok(ExitCode::from(worker::exit_code(&outcome) as u8))
}

/// The last word: to the kubelet's file and to the log.
fn leave(arguments: &WorkerArgs, outcome: &Outcome) {
    tracing::info!(
        phase = outcome.phase.as_str(),
        reason = outcome.reason.as_str(),
        records = outcome.counts.records,
        api_calls = outcome.api_calls,
        message = outcome.message,
        "ends"
    );
    if let Err(error) = std::fs::write(&arguments.termination_log, outcome.to_message()) {
        tracing::warn!(%error, file = %arguments.termination_log.display(), "the last word cannot be left");
    }
}
