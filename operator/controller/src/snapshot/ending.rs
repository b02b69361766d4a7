//! The last status of a run. Pure.

use jiff::Timestamp;
use orgkeep_api::common::condition;
use orgkeep_api::run_status::failures;
use orgkeep_api::snapshot::SnapshotStatus;
use orgkeep_core::reason::Reason;
use orgkeep_core::run::{Outcome as Word, Phase};

use super::model::{Act, Decision, Observed};
use crate::shared::Outcome;
use crate::shared::conditions::{ConditionSet, State};
use crate::shared::observe::WorkerState;
use crate::shared::time::rfc3339;

/// As the worker said.
pub fn finished(o: &Observed, word: &Word, at: Option<Timestamp>) -> Decision {
    let mut status = o.old();
    let calls = status.api_calls;
    status.counts = Some((&word.counts).into());
    status.completeness = Some((&word.completeness).into());
    status.failures = failures(&word.failures);
    status.retention = word.retention.as_ref().map(Into::into);
    status.api_calls = self::calls(calls, word.api_calls);
    if let Some(facts) = &word.snapshot {
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        status.line_id = some(&facts.line_id);
        status.snapshot_id = some(&facts.snapshot_id);
        status.manifest_digest = some(&facts.manifest_digest);
        status.size_bytes = i64::try_from(facts.size_bytes).ok();
        status.vault_name = o.references.backup.here().map(|backup| backup.spec.vault_ref.name.clone());
    }
    if matches!(word.phase, Phase::Succeeded | Phase::PartiallySucceeded)
        && let Some(progress) = &mut status.progress
    {
        // The last that was polled is some seconds older than the end.
        progress.percent = 100;
        progress.objects_done = progress.objects_total;
        progress.records = i64::try_from(word.counts.records).unwrap_or(i64::MAX);
        progress.current_object.clear();
    }
    end(o, status, word.phase, word.reason, &word.message, at)
}

/// Calls of all workers of a run: what a worker tells includes those before it, unless it ended before it could
/// read their journal.
pub fn calls(before: Option<i64>, told: u64) -> Option<i64> {
    let told = i64::try_from(told).unwrap_or(i64::MAX);
    if told == 0 { before } else { before.max(Some(told)) }
}

/// `Failed`, for a reason of ours.
pub fn failed(o: &Observed, reason: Reason, message: &str) -> Decision {
    let text = format!("{message}; {}", reason.advice());
    end(o, o.old(), Phase::Failed, reason, &text, o.worker.state.ended_at())
}

/// `Canceled`, as asked.
pub fn canceled(o: &Observed, message: &str) -> Decision {
    end(o, o.old(), Phase::Canceled, Reason::Canceled, message, None)
}

/// The worker left no word, and nor did its run's record.
pub fn vanished(o: &Observed, message: &str, record: &str) -> Decision {
    if o.snapshot.spec.cancel {
        return canceled(o, &format!("canceled; {message}"));
    }
    failed(o, Reason::WorkerLost, &format!("{message}; {record}"))
}

/// As the run's record says. A failure of the reader itself is no word of the run.
pub fn recorded(o: &Observed, message: &str, word: &Word, at: Option<Timestamp>) -> Decision {
    match word.reason {
        Reason::WorkerLost => vanished(o, message, "the run left no record"),
        Reason::VaultUnreachable
        | Reason::VaultAccessDenied
        | Reason::BucketNotFound
        | Reason::WrongEncryptionKey
        | Reason::InvalidEncryptionKey
        | Reason::SecretNotFound
        | Reason::SecretKeyNotFound
        | Reason::ConfigMapNotFound
        | Reason::VaultFormatUnsupported
        | Reason::VaultCorrupted
        | Reason::InternalError => {
            vanished(o, message, &format!("its record could not be read: {}", word.message))
        }
        _ => finished(o, word, at),
    }
}

fn end(
    o: &Observed,
    mut status: SnapshotStatus,
    phase: Phase,
    reason: Reason,
    message: &str,
    at: Option<Timestamp>,
) -> Decision {
    let old = o.old();
    let generation = o.snapshot.metadata.generation;
    let mut set = ConditionSet::new(&old.conditions, generation, o.now);
    set.keep(condition::VERIFIED);
    if phase == Phase::Succeeded {
        set.set(condition::READY, State::True, reason, message);
    } else {
        set.set(condition::READY, State::False, reason, message);
        set.stalled(reason, message);
    }
    status.conditions = set.finish();
    status.observed_generation = generation;
    status.phase = Some(phase.as_str().to_owned());
    // A clock of the cluster's may be ahead of ours.
    status.completion_time = Some(rfc3339(at.filter(|at| *at <= o.now).unwrap_or(o.now)));
    Decision { status, act: clean_up(o), outcome: Outcome::Done }
}

/// The end stays as it was; only that a later change of the spec was seen is put down, because tools wait for
/// that.
pub fn ended(o: &Observed) -> Decision {
    let mut status = o.old();
    let generation = o.snapshot.metadata.generation;
    status.observed_generation = generation;
    for condition in &mut status.conditions {
        condition.observed_generation = generation;
    }
    Decision { status, act: clean_up(o), outcome: Outcome::Done }
}

/// The description is nobody's any more; a Job that could still go on is deleted.
pub fn clean_up(o: &Observed) -> Act {
    let over = o.worker.state.is_over() || o.worker.state == WorkerState::Absent;
    Act::CleanUp { job: !over }
}
