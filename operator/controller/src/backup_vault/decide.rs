//! What to do about a vault; pure.

use jiff::Timestamp;
use kube::ResourceExt;

use super::catalog::{self, Missing};
use super::gather::Observed;
use crate::shared::Outcome;
use crate::shared::observe::WorkerState;
use crate::shared::probe::{self, Step, View};

/// Seconds between two looks at a probe at work: it serves its catalog only for a while.
const WATCH: u64 = 2;

/// The decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What about the probe.
    pub step: Step,
    /// Snapshot objects that the catalog shows to be missing.
    pub missing: Vec<Missing>,
    /// When to look again.
    pub outcome: Outcome,
}

/// Decides.
pub fn decide(observed: &Observed, now: Timestamp) -> Decision {
    let object = &observed.object;
    let step = probe::decide(&View {
        generation: object.metadata.generation.unwrap_or(0),
        uid: &object.uid().unwrap_or_default(),
        status: object.status.as_ref().and_then(|status| status.probe.as_ref()),
        interval: i64::from(object.spec.catalog.interval_minutes) * 60,
        // A run that committed changes what the status tells of the vault.
        news: observed.last_commit,
        worker: &observed.job.worker,
        looks_at: observed.job.looks_at,
        now,
    });
    let outcome = match &step {
        Step::Watch { .. } if matches!(observed.job.worker, WorkerState::Running { .. }) => {
            Outcome::wait_seconds(1)
        }
        Step::Start | Step::Watch { .. } => Outcome::wait_seconds(WATCH),
        Step::Discard | Step::Clear | Step::Conclude { .. } => Outcome::wait_seconds(1),
        Step::Idle { seconds } => Outcome::wait_seconds(*seconds),
    };
    let missing = match &observed.catalog {
        Some((found, known)) => catalog::missing(object, found, known),
        None => Vec::new(),
    };
    Decision { step, missing, outcome }
}

/// The decision after the API server refused the probe's Job.
pub fn refused(observed: &Observed, message: &str, now: Timestamp) -> Decision {
    let object = &observed.object;
    let before = object.status.as_ref().and_then(|status| status.probe.as_ref());
    let step = probe::refused(object.metadata.generation.unwrap_or(0), before, message, now);
    Decision { step, missing: Vec::new(), outcome: Outcome::wait_seconds(1) }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
