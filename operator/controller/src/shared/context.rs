//! What every pass gets.

use std::sync::Arc;

use jiff::Timestamp;
use kube::Client;

use super::backoff::Backoff;
use super::events::Events;
use super::gates::Gates;
use super::lease::Fence;
use super::metrics::Metrics;
use super::poll::Poller;
use super::stores::Stores;
use super::worker_pod::WorkerDefaults;

/// What every pass gets; one for the whole process.
#[derive(Clone)]
pub struct Context {
    /// The API server.
    pub client: Client,
    /// What all workers have in common.
    pub workers: WorkerDefaults,
    /// What this cluster is called in a vault.
    pub cluster: String,
    /// Tells.
    pub events: Events,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Waits after failures.
    pub backoff: Arc<Backoff>,
    /// Asks workers.
    pub poller: Poller,
    /// All objects, as the watches last saw them: for metrics and for finding who refers to whom.
    pub stores: Arc<Stores>,
    /// How far each controller is with its start.
    pub gates: Arc<Gates>,
    /// Whether this process may write.
    pub fence: Arc<Fence>,
    /// The time. Another one in tests.
    pub clock: fn() -> Timestamp,
}

impl Context {
    /// Now.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }
}
