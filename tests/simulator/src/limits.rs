//! The daily allowance: calls of the last 24 hours, and what the org tells of them, which may lag.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::{Value as Json, json};

const DAY_SECONDS: u64 = 86_400;

/// Counts uses in a rolling day.
#[derive(Debug)]
pub(crate) struct Usage {
    max: u64,
    lag_seconds: u64,
    start: Instant,
    /// Uses by second, the oldest first.
    seconds: Mutex<VecDeque<(u64, u64)>>,
}

impl Usage {
    /// An allowance of `max` in 24 hours, told `lag_seconds` late.
    pub(crate) fn new(max: u64, lag_seconds: u64) -> Self {
        Self { max, lag_seconds, start: Instant::now(), seconds: Mutex::default() }
    }

    /// Takes one, if there is one left.
    pub(crate) fn take(&self) -> bool {
        let now = self.start.elapsed().as_secs();
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        while seconds.front().is_some_and(|(second, _)| second + DAY_SECONDS <= now) {
            seconds.pop_front();
        }
        if seconds.iter().map(|(_, count)| count).sum::<u64>() >= self.max {
            return false;
        }
        match seconds.back_mut() {
            Some((second, count)) if *second == now => *count += 1,
            _ => seconds.push_back((now, 1)),
        }
        true
    }

    /// How many were used as the org tells it now.
    pub(crate) fn told(&self) -> u64 {
        let now = self.start.elapsed().as_secs();
        let seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |(second, _): &&(u64, u64)| self.lag_seconds == 0 || second + self.lag_seconds <= now;
        seconds.iter().filter(known).map(|(_, count)| count).sum()
    }

    /// The `Sforce-Limit-Info` header.
    pub(crate) fn header(&self) -> String {
        format!("api-usage={}/{}", self.told(), self.max)
    }

    /// An entry of the limits resource.
    fn entry(&self) -> Json {
        json!({"Max": self.max, "Remaining": self.max.saturating_sub(self.told())})
    }
}

/// The answer of `limits`, in the order of the recorded one.
pub(crate) fn answer(requests: &Usage, bulk_jobs: &Usage) -> Json {
    let unused = |max: u64| json!({"Max": max, "Remaining": max});
    json!({
        "ConcurrentAsyncGetReportInstances": unused(200),
        "ConcurrentSyncReportRuns": unused(20),
        "DailyApiRequests": requests.entry(),
        "DailyAsyncApexExecutions": unused(250_000),
        "DailyBulkApiBatches": unused(15_000),
        "DailyBulkV2QueryFileStorageMB": unused(976_562),
        "DailyBulkV2QueryJobs": bulk_jobs.entry(),
        "DailyDurableGenericStreamingApiEvents": unused(10_000),
        "DailyDurableStreamingApiEvents": unused(10_000),
        "DailyGenericStreamingApiEvents": unused(10_000),
        "DailyStreamingApiEvents": unused(10_000),
        "DailyWorkflowEmails": unused(1_000),
        "DataStorageMB": unused(10_240),
        "DurableStreamingApiConcurrentClients": unused(20),
        "FileStorageMB": unused(10_240),
        "HourlyAsyncReportRuns": unused(1_200),
        "HourlyDashboardRefreshes": unused(200),
        "HourlyDashboardResults": unused(5_000),
        "HourlyDashboardStatuses": unused(999_999_999),
        "HourlyODataCallout": unused(20_000),
        "HourlySyncReportRuns": unused(500),
        "HourlyTimeBasedWorkflow": unused(500),
        "MassEmail": unused(5_000),
        "SingleEmail": unused(5_000),
        "StreamingApiConcurrentClients": unused(20)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_up_to_the_allowance_and_tells_late() {
        let usage = Usage::new(2, 0);
        assert!(usage.take() && usage.take() && !usage.take());
        assert_eq!(usage.header(), "api-usage=2/2");
        let late = Usage::new(2, 60);
        assert!(late.take());
        assert_eq!(late.header(), "api-usage=0/2");
    }
}
