//! The status of a run that has not ended, and what of a status is worth an event. Pure.

use orgkeep_api::common::{Condition, condition};
use orgkeep_api::snapshot::SnapshotStatus;
use orgkeep_core::reason::Reason;
use orgkeep_core::run::Phase;

use super::model::Observed;
use crate::salesforce_backup::reference::Blocked;
use crate::shared::conditions::{ConditionSet, State, find};
use crate::shared::events::Note;

/// What the conditions of a run say that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Says {
    reason: Reason,
    message: String,
    /// A person has to do something before it goes on.
    stalled: bool,
}

impl Says {
    /// It goes on by itself.
    pub fn new(reason: Reason, message: String) -> Self {
        Self { reason, message, stalled: false }
    }

    /// It waits for what it refers to.
    pub fn blocked(blocked: &Blocked) -> Self {
        let stalled = blocked.reason.is_configuration();
        Self { reason: blocked.reason, message: blocked.message.clone(), stalled }
    }
}

/// The phase as it was read, if it is one of ours.
pub fn phase(o: &Observed) -> Option<Phase> {
    o.snapshot.status.as_ref().and_then(|status| Phase::from_word(status.phase.as_deref()?))
}

/// The status of a run that has not ended: as it was but for the phase and the conditions.
pub fn waiting(o: &Observed, phase: Phase, says: &Says) -> SnapshotStatus {
    let mut status = o.old();
    status.observed_generation = o.snapshot.metadata.generation;
    status.phase = Some(phase.as_str().to_owned());
    status.conditions = conditions(o, says);
    status
}

/// `Ready` is unknown while it goes on by itself, so that nothing alarms before it ended.
pub fn conditions(o: &Observed, says: &Says) -> Vec<Condition> {
    let old = o.old();
    let mut set = ConditionSet::new(&old.conditions, o.snapshot.metadata.generation, o.now);
    if says.stalled {
        set.set(condition::READY, State::False, says.reason, &says.message);
        set.stalled(says.reason, &says.message);
    } else {
        set.set(condition::READY, State::Unknown, says.reason, &says.message);
        set.reconciling(says.reason, &says.message);
    }
    set.finish()
}

/// The same once the Job was made.
pub fn made(decided: &SnapshotStatus, job_uid: &str) -> SnapshotStatus {
    let mut status = decided.clone();
    if let Some(run) = &mut status.run {
        job_uid.clone_into(&mut run.job_uid);
    }
    status
}

/// What is worth an event: another phase, another Job, another reason to wait.
pub fn news(old: Option<&SnapshotStatus>, new: &SnapshotStatus) -> Option<Note> {
    let ready = find(&new.conditions, condition::READY)?;
    let was = old.and_then(|old| find(&old.conditions, condition::READY));
    let attempt = |status: &SnapshotStatus| status.run.as_ref().map_or(0, |run| run.attempt);
    let before = old.map_or(0, attempt);
    let phase = Phase::from_word(new.phase.as_deref()?)?;
    let changed = old.and_then(|old| old.phase.as_ref()) != new.phase.as_ref();
    let reason = ready.reason.as_str();
    match phase {
        Phase::Succeeded | Phase::Canceled if changed => Some(Note::normal(reason, "Run", &*ready.message)),
        Phase::PartiallySucceeded | Phase::Failed if changed => {
            Some(Note::warning(reason, "Run", &*ready.message))
        }
        Phase::InProgress if changed => Some(Note::normal(reason, "Run", &*ready.message)),
        _ if attempt(new) > before => {
            let job = new.run.as_ref().map_or("", |run| run.job_name.as_str());
            let word = if before == 0 { "is made" } else { "goes on with the run" };
            Some(Note::normal(reason, "Start", format!("Job {job} {word}")))
        }
        _ if was.is_some_and(|was| was.reason == ready.reason) => None,
        Phase::Pending | Phase::InProgress
            if ![Reason::Pending.as_str(), Reason::Running.as_str()].contains(&reason) =>
        {
            let waits = [Reason::LineBusy, Reason::ReferenceNotReady, Reason::Canceled];
            if waits.iter().any(|wait| wait.as_str() == reason) {
                Some(Note::normal(reason, "Wait", &*ready.message))
            } else {
                Some(Note::warning(reason, "Wait", &*ready.message))
            }
        }
        _ => None,
    }
}
