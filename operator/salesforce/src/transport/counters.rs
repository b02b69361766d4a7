//! Every call counted, by what it asked for, with how long it took to answer.

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
    /// Several queries or describes in one counted call.
    Composite,
    /// Files: the content of binary fields.
    Blob,
    /// Making Bulk ingest jobs, asking after them, and their results.
    Ingest,
    /// Rows uploaded to Bulk ingest jobs.
    IngestUpload,
    /// Records written by REST, one or two hundred at a time.
    Record,
    /// Files written.
    BlobUpload,
    /// Records undeleted, merged, purged: by SOAP.
    Soap,
    /// The Metadata API: lists, retrieves, deploys.
    Metadata,
}

/// Upper bounds of the latency histogram, milliseconds, inclusive; a last bucket holds what took longer.
pub const LATENCY_BOUNDS_MS: [u64; 12] =
    [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000, 30_000, 120_000];

impl Resource {
    /// All of them, for tables.
    pub const ALL: [Self; 15] = [
        Self::Token,
        Self::Versions,
        Self::Limits,
        Self::Describe,
        Self::Query,
        Self::BulkJob,
        Self::BulkResults,
        Self::Composite,
        Self::Blob,
        Self::Ingest,
        Self::IngestUpload,
        Self::Record,
        Self::BlobUpload,
        Self::Soap,
        Self::Metadata,
    ];

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
            Self::Composite => "composite",
            Self::Blob => "blob",
            Self::Ingest => "ingest",
            Self::IngestUpload => "ingestUpload",
            Self::Record => "record",
            Self::BlobUpload => "blobUpload",
            Self::Soap => "soap",
            Self::Metadata => "metadata",
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
    /// Calls by that time: one count for each of [`LATENCY_BOUNDS_MS`] (not cumulative), and one for longer ones.
    pub latency_buckets: [u64; LATENCY_BOUNDS_MS.len() + 1],
}

impl CallStats {
    fn add(&mut self, failed: bool, latency: Duration) {
        self.calls += 1;
        self.failed += u64::from(failed);
        self.latency += latency;
        // A time between two milliseconds belongs to the bucket above it.
        let bucket = LATENCY_BOUNDS_MS.partition_point(|&bound| Duration::from_millis(bound) < latency);
        self.latency_buckets[bucket] += 1;
    }

    /// The time within which this share (0–1) of the calls was answered, as a bucket's upper bound; `None` without
    /// calls, and where the share reaches into the last bucket, which has no bound.
    pub fn latency_quantile(&self, share: f64) -> Option<Duration> {
        let wanted = (self.calls as f64 * share.clamp(0.0, 1.0)).ceil().max(1.0) as u64;
        let mut seen = 0;
        let bucket = self.latency_buckets.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        LATENCY_BOUNDS_MS.get(bucket).map(|&bound| Duration::from_millis(bound))
    }
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
        counts.by_resource.entry(resource).or_default().add(failed, latency);
    }

    /// The counts as of now.
    pub(crate) fn snapshot(&self) -> CallCounts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_falls_into_one_bucket() {
        let mut stats = CallStats::default();
        for (micros, bucket) in
            [(0, 0), (5_000, 0), (5_001, 1), (9_999, 1), (1_000_000, 7), (120_000_000, 11), (120_000_001, 12)]
        {
            let before = stats.latency_buckets[bucket];
            stats.add(false, Duration::from_micros(micros));
            assert_eq!(stats.latency_buckets[bucket], before + 1, "{micros}");
        }
        assert_eq!(stats.latency_buckets.iter().sum::<u64>(), stats.calls);
    }

    #[test]
    fn quantiles_are_the_bounds_of_buckets() {
        let mut stats = CallStats::default();
        assert_eq!(stats.latency_quantile(0.5), None);
        for millis in [1, 1, 1, 40, 300_000] {
            stats.add(false, Duration::from_millis(millis));
        }
        assert_eq!(stats.latency_quantile(0.5), Some(Duration::from_millis(5)));
        assert_eq!(stats.latency_quantile(0.8), Some(Duration::from_millis(50)));
        assert_eq!(stats.latency_quantile(1.0), None);
    }

    #[test]
    fn labels_are_unique() {
        let labels: std::collections::BTreeSet<_> = Resource::ALL.iter().map(|one| one.as_str()).collect();
        assert_eq!(labels.len(), Resource::ALL.len());
    }
}
