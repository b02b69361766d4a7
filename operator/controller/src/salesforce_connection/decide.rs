//! What to do about a connection; pure.

use jiff::Timestamp;
use kube::ResourceExt;
use orgkeep_api::run_status::ProbeStatus;
use orgkeep_core::reason::Reason;
use orgkeep_core::run::{Outcome as Word, Phase};

use super::gather::Observed;
use crate::shared::Outcome;
use crate::shared::observe::WorkerState;
use crate::shared::probe::{self, Step, View};
use crate::shared::time::rfc3339;

/// Seconds between two probes that went well.
pub const INTERVAL: i64 = 900;
/// Seconds between two looks at a probe at work; its end is noticed by the watch.
const WATCH: u64 = 10;

/// The decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What about the probe.
    pub step: Step,
    /// When to look again.
    pub outcome: Outcome,
}

/// Decides.
pub fn decide(observed: &Observed, now: Timestamp) -> Decision {
    let object = &observed.object;
    let generation = object.metadata.generation.unwrap_or(0);
    if let Some(step) = local_only(observed, generation, now) {
        return Decision { step, outcome: Outcome::Blocked };
    }
    let step = probe::decide(&View {
        generation,
        uid: &object.uid().unwrap_or_default(),
        status: object.status.as_ref().and_then(|status| status.probe.as_ref()),
        interval: INTERVAL,
        news: None,
        worker: &observed.job.worker,
        looks_at: observed.job.looks_at,
        now,
    });
    let outcome = match &step {
        Step::Start | Step::Watch { .. } => Outcome::wait_seconds(WATCH),
        Step::Discard | Step::Clear | Step::Conclude { .. } => Outcome::wait_seconds(1),
        Step::Idle { seconds } => Outcome::wait_seconds(*seconds),
    };
    Decision { step, outcome }
}

/// The decision after the API server refused the probe's Job.
pub fn refused(observed: &Observed, message: &str, now: Timestamp) -> Decision {
    let object = &observed.object;
    let before = object.status.as_ref().and_then(|status| status.probe.as_ref());
    let step = probe::refused(object.metadata.generation.unwrap_or(0), before, message, now);
    Decision { step, outcome: Outcome::wait_seconds(1) }
}

/// A simulator that only `orgkeep run` can start is refused without a Job.
fn local_only(observed: &Observed, generation: i64, now: Timestamp) -> Option<Step> {
    if !observed.object.spec.is_local_simulator() || observed.job.worker != WorkerState::Absent {
        return None;
    }
    let text = "loginUrl simulator: is for `orgkeep run` only; in a cluster give the simulator's http(s) URL";
    let word = Word::new(Phase::Failed, Reason::InvalidObject, text);
    let old = observed.object.status.as_ref().and_then(|status| status.probe.clone()).unwrap_or_default();
    let same = old.observed_generation == generation && !old.finished_at.is_empty();
    let finished_at = if same { old.finished_at } else { rfc3339(now) };
    let status = ProbeStatus { observed_generation: generation, finished_at, failures_in_row: 1 };
    Some(Step::Conclude { word: Box::new(word), status })
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
