//! Every call counted, by what it asked for.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What a call asks for: the label under which it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// The token endpoint; not part of the org's API allowance.
    Token,
    /// The list of API versions.
    Versions,
    /// Limits and record counts.
    Limits,
    /// describeGlobal and describe.
    Describe,
    /// REST query and its further pages.
    Query,
    /// Making, asking after, aborting and deleting Bulk jobs.
    BulkJob,
    /// Bulk result pages and their list.
    BulkResults,
}

impl Resource {
    /// The label in metrics and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Versions => "versions",
            Self::Limits => "limits",
            Self::Describe => "describe",
            Self::Query => "query",
            Self::BulkJob => "bulkJob",
            Self::BulkResults => "bulkResults",
        }
    }
}

/// Calls of one resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallStats {
    /// Calls begun, repetitions included.
    pub calls: u64,
    /// Of them, those that brought no answer or a refusal.
    pub failed: u64,
    /// Sum of the times from the request to the answer's head.
    pub latency: Duration,
}

/// All calls of a client, by resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallCounts {
    /// Resources that were called.
    pub by_resource: BTreeMap<Resource, CallStats>,
}

impl CallCounts {
    /// Calls that the org counts against its allowance: all but those to the token endpoint.
    pub fn api_calls(&self) -> u64 {
        self.by_resource
            .iter()
            .filter(|(resource, _)| **resource != Resource::Token)
            .map(|(_, stats)| stats.calls)
            .sum()
    }
}

/// The running counts.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<CallCounts>);

impl Counters {
    /// Counts a call that has ended.
    pub(crate) fn count(&self, resource: Resource, failed: bool, latency: Duration) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stats = counts.by_resource.entry(resource).or_default();
        stats.calls += 1;
        stats.failed += u64::from(failed);
        stats.latency += latency;
    }

    /// The counts as of now.
    pub(crate) fn snapshot(&self) -> CallCounts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
