//! What an org allows: calls and jobs of a rolling day, long calls at the same time, and what it tells of them.

mod counts;
mod lockout;
mod long;
mod resource;
mod usage;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value as Json, json};

use counts::Statistics;
pub(crate) use counts::record_count;
use lockout::Lockout;
pub(crate) use long::{InFlight, LongCalls};
pub(crate) use resource::answer;
pub(crate) use usage::Usage;

use crate::auth::Caller;
use crate::clock::Clock;
use crate::org::Settings;
use crate::web::ApiError;

/// The limits of one org, and who used how much of them.
#[derive(Debug)]
pub(crate) struct OrgLimits {
    /// Calls of all APIs.
    pub(crate) requests: Usage,
    /// Query jobs of Bulk 2.0.
    pub(crate) bulk_jobs: Usage,
    /// Batches of Bulk 1.0 and of Bulk 2.0 ingest.
    pub(crate) bulk_batches: Usage,
    /// Megabytes of Bulk 2.0 query results.
    pub(crate) bulk_storage: Usage,
    long_calls: Arc<LongCalls>,
    /// Counts of records.
    statistics: Statistics,
    /// Wrong passwords.
    pub(crate) lockout: Lockout,
    /// Sign-ins of each user, by number.
    logins: Vec<Usage>,
    /// Calls of each connected app, by its number, beside what it is meant to make.
    apps: Vec<(Usage, Option<u64>)>,
    /// Calls since the start by user and app.
    callers: Mutex<BTreeMap<(usize, Option<usize>), u64>>,
}

impl OrgLimits {
    /// The limits of an org that did nothing yet.
    pub(crate) fn new(settings: &Settings, clock: &Arc<Clock>) -> Self {
        let limits = &settings.limits;
        let usage = |max: u64| Usage::new(max, limits.lag_seconds, clock.clone());
        // 25 in production and sandboxes, 5 in Developer Edition and trials
        let edition = if settings.edition.starts_with("Developer") { 5 } else { 25 };
        let most = limits.concurrent_long_calls.unwrap_or(edition);
        let long_ms = (limits.long_call_seconds * 1_000.0) as i64;
        Self {
            requests: usage(limits.daily_api_requests)
                .with_overrun(limits.overrun)
                .with_others(limits.others_per_hour),
            bulk_jobs: usage(limits.daily_bulk_v2_query_jobs),
            bulk_batches: usage(limits.daily_bulk_api_batches),
            bulk_storage: usage(limits.daily_bulk_v2_query_file_storage_mb),
            long_calls: LongCalls::new(most, long_ms, clock.clone()),
            statistics: Statistics::new(limits.record_count_seconds, clock.clone()),
            lockout: Lockout::new(limits.wrong_passwords, clock.clone()),
            logins: settings
                .users
                .iter()
                .map(|_| Usage::per_hour(limits.logins_per_hour, clock.clone()))
                .collect(),
            apps: settings.connected_apps.iter().map(|app| (usage(u64::MAX), app.api_quota)).collect(),
            callers: Mutex::default(),
        }
    }

    /// Counts a sign-in of a user, unless there were too many.
    pub(crate) fn sign_in(&self, user: usize) -> bool {
        self.logins.get(user).is_none_or(Usage::take)
    }

    /// Lets one call in and counts it; the guard lives as long as the call.
    pub(crate) fn enter(&self, caller: Caller) -> Result<InFlight, ApiError> {
        let in_flight = self.long_calls.enter().ok_or_else(|| exceeded("ConcurrentPerOrgLongTxn"))?;
        self.take(caller, 1)?;
        Ok(in_flight)
    }

    /// Counts calls; those within a `composite/batch` count for themselves.
    pub(crate) fn take(&self, caller: Caller, count: u64) -> Result<(), ApiError> {
        if !self.requests.take_some(count) {
            return Err(exceeded("TotalRequests"));
        }
        self.count(caller, count);
        Ok(())
    }

    fn count(&self, caller: Caller, count: u64) {
        if let Some((usage, _)) = caller.app.and_then(|app| self.apps.get(app)) {
            usage.add(count);
        }
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        *callers.entry((caller.user, caller.app)).or_default() += count;
    }

    /// The `Sforce-Limit-Info` header; an app with a quota sees its own part behind.
    pub(crate) fn header(&self, settings: &Settings, caller: Caller) -> String {
        let org = format!("api-usage={}/{}", self.requests.told(), self.requests.max());
        let app = caller.app.and_then(|app| Some((self.apps.get(app)?, settings.connected_apps.get(app)?)));
        match app {
            Some(((usage, Some(quota)), app)) => {
                format!("{org}; per-app-api-usage={}/{quota}(appName={})", usage.told(), app.label())
            }
            _ => org,
        }
    }

    /// A connected app's entry of the limits resource: zeros where it has no quota of its own.
    fn app_entry(&self, app: usize) -> Json {
        let (max, remaining) = match self.apps.get(app) {
            Some((usage, Some(quota))) => (*quota, quota.saturating_sub(usage.told())),
            _ => (0, 0),
        };
        json!({"Max": max, "Remaining": remaining})
    }

    /// Who made how many calls since the start.
    pub(crate) fn by_caller(&self, settings: &Settings) -> Json {
        let callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let name = |user: usize| settings.users.get(user).map(|user| user.username.as_str());
        let app = |app: usize| settings.connected_apps.get(app).map(crate::org::ConnectedApp::label);
        let entry = |((user, by), calls): (&(usize, Option<usize>), &u64)| {
            let app = by.and_then(app);
            json!({"user": name(*user), "app": app, "calls": calls})
        };
        callers.iter().map(entry).collect()
    }
}

fn exceeded(what: &str) -> ApiError {
    ApiError::forbidden("REQUEST_LIMIT_EXCEEDED", format!("{what} Limit exceeded."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_with_a_quota_see_their_part() {
        let text = "{name: A, users: [{username: a@b.c}], connectedApps: [{clientId: x, name: sample, apiQuota: 250}, {clientId: y}]}";
        let settings: Settings = serde_yaml::from_str(text).unwrap();
        let limits = OrgLimits::new(&settings, &Arc::default());
        let by = |app| Caller { org: 0, user: 0, app };
        for app in [Some(0), Some(1), None] {
            drop(limits.enter(by(app)).unwrap());
        }
        let told = limits.header(&settings, by(Some(0)));
        assert_eq!(told, "api-usage=3/100000; per-app-api-usage=1/250(appName=sample)");
        assert_eq!(limits.header(&settings, by(Some(1))), "api-usage=3/100000");
        limits.take(by(None), 5).unwrap();
        assert_eq!(limits.by_caller(&settings)[0], json!({"user": "a@b.c", "app": null, "calls": 6}));
    }
}
