//! What the org tells of its allowance: the `Sforce-Limit-Info` header and the limits resource.

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

/// The limits resource, as far as we use it.
#[derive(Debug, Deserialize)]
pub(crate) struct Limits {
    #[serde(rename = "DailyApiRequests")]
    daily_api_requests: Limit,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Limit {
    max: u64,
    remaining: i64, // has been seen below zero when an org was let go beyond its allowance
}

impl Limits {
    /// The allowance as the resource tells it.
    pub(crate) fn observed(&self) -> Observed {
        let limit = &self.daily_api_requests;
        Observed { used: limit.max.saturating_add_signed(-limit.remaining), allowance: limit.max }
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
            serde_json::from_value::<Limits>(body).unwrap().observed().used
        };
        assert_eq!(told(14_998), 2);
        assert_eq!(told(-5), 15_005);
    }
}
