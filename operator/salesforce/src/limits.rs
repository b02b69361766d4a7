//! What the org tells of its allowance: the `Sforce-Limit-Info` header and the limits resource.

use std::collections::BTreeMap;

use http::HeaderMap;
use orgkeep_core::budget::Observed;
use serde::Deserialize;

/// Reads `Sforce-Limit-Info: api-usage=18/5000` (an app's own part may follow, `; per-app-api-usage=…`).
pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Observed> {
    let text = headers.get("sforce-limit-info")?.to_str().ok()?;
    let usage = text.split([';', ',']).find_map(|part| part.trim().strip_prefix("api-usage="))?;
    let (used, allowance) = usage.split_once('/')?;
    Some(Observed { used: used.trim().parse().ok()?, allowance: allowance.trim().parse().ok()? })
}

/// One of the org's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Limit {
    /// The most that is allowed.
    pub max: u64,
    /// What is left; below zero where an org was let go beyond its allowance.
    pub remaining: i64,
}

impl Limit {
    /// What is used.
    pub fn used(&self) -> u64 {
        self.max.saturating_add_signed(self.remaining.saturating_neg())
    }
}

/// The limits resource: every limit by its name, such as `DailyBulkV2QueryJobs`. Which there are depends on the org
/// and the release; what has another shape than a limit is left out.
#[derive(Debug, Deserialize)]
#[serde(from = "BTreeMap<String, serde_json::Value>")]
pub(crate) struct Limits(pub(crate) BTreeMap<String, Limit>);

impl From<BTreeMap<String, serde_json::Value>> for Limits {
    fn from(told: BTreeMap<String, serde_json::Value>) -> Self {
        let limit = |(name, value)| Some((name, serde_json::from_value(value).ok()?));
        Self(told.into_iter().filter_map(limit).collect())
    }
}

impl Limits {
    /// The allowance of API calls; `None` if the org does not tell it.
    pub(crate) fn observed(&self) -> Option<Observed> {
        let limit = self.0.get("DailyApiRequests")?;
        Some(Observed { used: limit.used(), allowance: limit.max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_in_its_forms() {
        let told = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("sforce-limit-info", text.parse().unwrap());
            from_headers(&headers).map(|observed| (observed.used, observed.allowance))
        };
        assert_eq!(told("api-usage=18/5000"), Some((18, 5000)));
        assert_eq!(told("api-usage=25/5000; per-app-api-usage=17/250(appName=sample)"), Some((25, 5000)));
        assert_eq!(told("per-app-api-usage=17/250(appName=sample)"), None);
        assert_eq!(told("api-usage=many"), None);
        assert_eq!(from_headers(&HeaderMap::new()), None);
    }

    #[test]
    fn the_resource_also_beyond_the_allowance() {
        let told = |remaining: i64| {
            let body = serde_json::json!({"DailyApiRequests": {"Max": 15000, "Remaining": remaining}});
            serde_json::from_value::<Limits>(body).unwrap().observed().unwrap().used
        };
        assert_eq!(told(14_998), 2);
        assert_eq!(told(-5), 15_005);
    }

    #[test]
    fn limits_with_parts_of_apps_and_shapes_of_later_releases() {
        let limits: Limits = serde_json::from_value(serde_json::json!({
            "DailyApiRequests": {"Max": 5000, "Remaining": 4937, "Dataloader Bulk": {"Max": 0, "Remaining": 0}},
            "DailyBulkV2QueryJobs": {"Max": 10000, "Remaining": 10000},
            "Later": {"Max": "many"}, "Other": 5
        }))
        .unwrap();
        assert_eq!(limits.0.keys().collect::<Vec<_>>(), ["DailyApiRequests", "DailyBulkV2QueryJobs"]);
        assert_eq!(limits.0["DailyApiRequests"].used(), 63);
        assert!(serde_json::from_value::<Limits>(serde_json::json!({})).unwrap().observed().is_none());
    }
}
