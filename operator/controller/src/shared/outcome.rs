//! How a pass over an object ended.

use std::time::Duration;

use kube::runtime::controller::Action;

/// When to look at the object again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Only when something changes.
    Done,
    /// After so long, or when something changes.
    Wait {
        /// So long.
        after: Duration,
    },
    /// A person, or another object, has to change something first; looked at again now and then all the same,
    /// because not every cause can be watched.
    Blocked,
}

/// How often a blocked object is looked at.
const BLOCKED: Duration = Duration::from_mins(5);

impl Outcome {
    /// Wait so many seconds; at least one, so that nothing spins.
    pub fn wait_seconds(seconds: u64) -> Self {
        Self::Wait { after: Duration::from_secs(seconds.max(1)) }
    }

    /// The word for metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Wait { .. } => "wait",
            Self::Blocked => "blocked",
        }
    }

    /// What the queue is told.
    pub fn action(self) -> Action {
        match self {
            Self::Done => Action::await_change(),
            Self::Wait { after } => Action::requeue(after),
            Self::Blocked => Action::requeue(BLOCKED),
        }
    }
}
