//! What has become of a worker: read from its Job and pods, pure. Never from memory, so that an operator that
//! was killed sees the same.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use kube::ResourceExt;
use orgkeep_core::reason::Reason;
use orgkeep_core::run::{ExitCode, Outcome, cut_to};

/// Kubernetes' annotation with a pod's index in an Indexed Job.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// Waiting reasons of a container that do not go away by waiting.
const NOT_STARTING: &[&str] = &[
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];
/// The most of a pod's own words in a message of ours.
const TAIL: usize = 400;

/// Where a worker stands.
#[derive(Debug, Clone, PartialEq)]
pub enum WorkerState {
    /// There is no such Job.
    Absent,
    /// The Job is suspended (canceled); so many of its pods are still there.
    Suspended {
        /// Pods that have not ended.
        pods: usize,
    },
    /// The Job is there, no pod runs.
    Waiting {
        /// `Pending`, or `WorkerNotStarting` where waiting alone will not help.
        reason: Reason,
        /// Why, from the pod.
        message: String,
        /// When the Job was made.
        since: Option<Timestamp>,
    },
    /// At least one pod runs.
    Running {
        /// Those that run.
        pods: Vec<WorkerPod>,
    },
    /// The worker left its last word, good or bad.
    Finished {
        /// The word.
        outcome: Box<Outcome>,
        /// When.
        at: Option<Timestamp>,
    },
    /// Stopped cleanly (exit 75), by its deadline or SIGTERM, with its journal kept.
    Stopped {
        /// Its word, if it left one.
        outcome: Option<Box<Outcome>>,
        /// When.
        at: Option<Timestamp>,
    },
    /// Killed for its memory.
    OutOfMemory {
        /// Which pod, for a person.
        message: String,
        /// When.
        at: Option<Timestamp>,
    },
    /// The Job ended and no word is to be found.
    Lost {
        /// What is known, for a person.
        message: String,
        /// When.
        at: Option<Timestamp>,
    },
}

/// A pod that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerPod {
    /// Its name.
    pub name: String,
    /// Its address, once it has one.
    pub ip: Option<String>,
    /// Its index in an Indexed Job, else 0.
    pub index: u32,
}

impl WorkerState {
    /// Whether nothing more will happen to the Job.
    pub fn is_over(&self) -> bool {
        matches!(
            self,
            Self::Finished { .. } | Self::Stopped { .. } | Self::OutOfMemory { .. } | Self::Lost { .. }
        )
    }

    /// When it was over.
    pub fn ended_at(&self) -> Option<Timestamp> {
        match self {
            Self::Finished { at, .. }
            | Self::Stopped { at, .. }
            | Self::OutOfMemory { at, .. }
            | Self::Lost { at, .. } => *at,
            _ => None,
        }
    }

    /// Addresses to poll, the pod that leads (index 0) first.
    pub fn addresses(&self) -> Vec<String> {
        match self {
            Self::Running { pods } => pods.iter().filter_map(|pod| pod.ip.clone()).collect(),
            _ => Vec::new(),
        }
    }
}

/// Reads the state. `pods` may hold those of other Jobs; they are left out.
pub fn observe(job: Option<&Job>, pods: &[Pod]) -> WorkerState {
    let Some(job) = job else { return WorkerState::Absent };
    let pods: Vec<&Pod> = pods.iter().filter(|pod| belongs(pod, job)).collect();
    if let Some(done) = condition(job, "Complete") {
        return ended(&pods, done, true);
    }
    if let Some(failed) = condition(job, "Failed") {
        return ended(&pods, failed, false);
    }
    if job.spec.as_ref().and_then(|spec| spec.suspend) == Some(true) {
        let left = pods.iter().filter(|pod| !matches!(phase(pod), "Succeeded" | "Failed")).count();
        return WorkerState::Suspended { pods: left };
    }
    let mut running: Vec<WorkerPod> =
        pods.iter().filter(|pod| phase(pod) == "Running").map(|pod| worker_pod(pod)).collect();
    running.sort_by_key(|pod| pod.index);
    if running.is_empty() { waiting(job, &pods) } else { WorkerState::Running { pods: running } }
}

fn belongs(pod: &Pod, job: &Job) -> bool {
    let uid = job.metadata.uid.as_deref();
    uid.is_some() && pod.owner_references().iter().any(|owner| Some(owner.uid.as_str()) == uid)
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending")
}

fn index(pod: &Pod) -> u32 {
    pod.annotations().get(INDEX).and_then(|index| index.parse().ok()).unwrap_or(0)
}

fn worker_pod(pod: &Pod) -> WorkerPod {
    let ip = pod.status.as_ref().and_then(|status| status.pod_ip.clone()).filter(|ip| !ip.is_empty());
    WorkerPod { name: pod.name_any(), ip, index: index(pod) }
}

/// A condition that is true: its message and when.
struct True {
    reason: String,
    message: String,
    at: Option<Timestamp>,
}

fn condition(job: &Job, type_: &str) -> Option<True> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let found = conditions.iter().find(|found| found.type_ == type_ && found.status == "True")?;
    Some(True {
        reason: found.reason.clone().unwrap_or_default(),
        message: found.message.clone().unwrap_or_default(),
        at: found.last_transition_time.as_ref().map(|time| time.0),
    })
}

fn terminated(pod: &Pod) -> Option<&ContainerStateTerminated> {
    pod.status.as_ref()?.container_statuses.as_ref()?.first()?.state.as_ref()?.terminated.as_ref()
}

fn said(end: &ContainerStateTerminated) -> Option<Outcome> {
    serde_json::from_str(end.message.as_deref()?.trim()).ok()
}

fn ended(pods: &[&Pod], end: True, complete: bool) -> WorkerState {
    let mut last: Vec<(&Pod, &ContainerStateTerminated)> =
        pods.iter().filter_map(|pod| Some((*pod, terminated(pod)?))).collect();
    // The newest pod speaks for the Job; of a Job that completed, the one that leads.
    last.sort_by_key(|(pod, end)| {
        (if complete { index(pod) } else { 0 }, std::cmp::Reverse(end.finished_at.clone()))
    });
    let at = end.at;
    // A word that a later pod's death cannot take back.
    let word = last.iter().find_map(|(_, end)| Some((end.exit_code, said(end)?)));
    let newest = last.first();
    let stopped = ExitCode::Stopped as i32;
    match (word, newest) {
        (Some((code, outcome)), _) if code == stopped && !outcome.phase.is_terminal() => {
            WorkerState::Stopped { outcome: Some(Box::new(outcome)), at }
        }
        (Some((_, outcome)), _) if outcome.phase.is_terminal() => {
            WorkerState::Finished { outcome: Box::new(outcome), at }
        }
        (None, Some((_, end))) if end.exit_code == stopped => WorkerState::Stopped { outcome: None, at },
        (_, Some((pod, end))) if end.reason.as_deref() == Some("OOMKilled") => WorkerState::OutOfMemory {
            message: format!("pod {} was killed for its memory (OOMKilled)", pod.name_any()),
            at,
        },
        (_, Some((pod, end))) => WorkerState::Lost { message: last_words(pod, end), at },
        (_, None) => {
            let why = if end.message.is_empty() { end.reason } else { end.message };
            let why = if why.is_empty() { "its pods are gone".to_owned() } else { why };
            WorkerState::Lost { message: format!("the Job ended and left no word: {why}"), at }
        }
    }
}

fn last_words(pod: &Pod, end: &ContainerStateTerminated) -> String {
    let name = pod.name_any();
    let reason = end.reason.as_deref().unwrap_or("Error");
    let head = format!("pod {name} ended with exit code {} ({reason}) and left no word", end.exit_code);
    match end.message.as_deref().map(str::trim) {
        Some(tail) if !tail.is_empty() => format!("{head}; its log ends: {}", cut_to(tail, TAIL)),
        _ => head,
    }
}

fn waiting(job: &Job, pods: &[&Pod]) -> WorkerState {
    let since = job.metadata.creation_timestamp.as_ref().map(|time| time.0);
    let pending = pods.iter().find(|pod| phase(pod) == "Pending");
    let (reason, message) = match pending {
        Some(pod) => pending_reason(pod),
        None if pods.is_empty() => (Reason::Pending, "no pod was made yet".to_owned()),
        None => (Reason::Pending, "the last pod ended; Kubernetes makes another".to_owned()),
    };
    WorkerState::Waiting { reason, message, since }
}

fn pending_reason(pod: &Pod) -> (Reason, String) {
    let name = pod.name_any();
    let status = pod.status.as_ref();
    let container = status
        .and_then(|status| status.container_statuses.as_ref()?.first()?.state.as_ref()?.waiting.as_ref());
    if let Some(waiting) = container {
        let reason = waiting.reason.as_deref().unwrap_or("Waiting");
        let message = waiting.message.as_deref().unwrap_or_default();
        let text = format!("pod {name}: {reason} {}", cut_to(message, TAIL));
        let stuck = NOT_STARTING.contains(&reason);
        return (if stuck { Reason::WorkerNotStarting } else { Reason::Pending }, text.trim_end().to_owned());
    }
    let unscheduled = status.and_then(|status| {
        let conditions = status.conditions.as_ref()?;
        conditions.iter().find(|found| found.type_ == "PodScheduled" && found.status == "False")
    });
    match unscheduled {
        Some(found) => {
            let message = found.message.as_deref().unwrap_or("no node takes it");
            (Reason::WorkerNotStarting, format!("pod {name} is not scheduled: {}", cut_to(message, TAIL)))
        }
        None => (Reason::Pending, format!("pod {name} starts")),
    }
}

#[cfg(test)]
#[path = "observe_tests.rs"]
mod tests;
