//! Retention: at the end of a run that succeeds, under its lease, older snapshots are retired by the backup's rules, and
//! what was retired a grace ago is deleted. That this does not work makes no backup fail: the snapshot stands.

use orgkeep_api::worker::BackupTask;
use orgkeep_core::run::{Outcome, Phase, RetentionFacts};
use orgkeep_vault::collect::{self, LineCollection, Options};
use orgkeep_vault::{Lease, Line, VaultError};

/// Applies the rules; says in the outcome what they came to.
pub(super) async fn apply(
    task: &BackupTask,
    line: &Line,
    lease: &mut Lease,
    mut outcome: Outcome,
) -> Outcome {
    if outcome.phase != Phase::Succeeded || outcome.snapshot.is_none() {
        return outcome;
    }
    match collected(task, line, lease).await {
        Ok(None) => {}
        Ok(Some(done)) => {
            tracing::info!(
                kept = done.kept,
                retired = done.retired.len(),
                deleted = done.swept.len(),
                freed_bytes = done.freed.bytes,
                locked_bytes = done.locked.bytes,
                "retention"
            );
            outcome.retention = Some(facts(&done));
        }
        Err(error) => {
            tracing::warn!(%error, "older snapshots could not be retired or deleted; the next run tries again");
            outcome.retention =
                Some(RetentionFacts { blocked: Some(error.to_string()), ..RetentionFacts::default() });
        }
    }
    outcome
}

async fn collected(
    task: &BackupTask,
    line: &Line,
    lease: &mut Lease,
) -> Result<Option<LineCollection>, VaultError> {
    // Without rules there is something to do only if there were some: what they retired comes back.
    if task.retention.is_unlimited() && line.deletions().await?.snapshots() == 0 {
        return Ok(None);
    }
    let options = Options { policy: Some(task.retention.rules()), ..Options::default() };
    collect::collect_line(line, lease, &options).await.map(Some)
}

fn facts(done: &LineCollection) -> RetentionFacts {
    RetentionFacts {
        kept: done.kept,
        held: done.held.len() as u64,
        retired: done.retired.len() as u64,
        waiting: done.waiting.len() as u64,
        deleted: done.swept.len() as u64,
        freed_bytes: done.freed.bytes,
        locked_bytes: done.locked.bytes,
        locked_until: done.all_locked_until.map(|until| until.to_string()),
        blocked: done.blocked.clone(),
    }
}
