//! A call within a call: what `composite` and `composite/batch` send on.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value as Json};

use super::{Call, answer, known_version, seen_by};
use crate::server::{Open, State};
use crate::web::{Answer, ApiError, Request};

/// A call within a call.
pub(super) struct Sub<'a> {
    pub(super) method: &'a str,
    pub(super) url: &'a str,
    pub(super) headers: Option<&'a Map<String, Json>>,
    pub(super) body: Option<&'a Json>,
}

impl Sub<'_> {
    /// The parts of its path behind the version.
    pub(super) fn parts(&self) -> Vec<&str> {
        let path = self.url.split('?').next().unwrap_or_default();
        let path = path.strip_prefix("/services/data/").unwrap_or(path).trim_matches('/');
        path.split('/').skip(1).collect()
    }

    /// Whether it counts as a query, of which one call holds five at most.
    pub(super) fn is_query(&self) -> bool {
        matches!(self.parts().as_slice(), ["query" | "queryAll", ..] | ["composite", "sobjects", ..])
    }

    /// Answers it on what the org is now: an earlier one may have changed it.
    pub(super) fn answer(&self, state: &State, call: &Call<'_>) -> Answer {
        self.run(state, call).unwrap_or_else(|error| error.answer())
    }

    fn run(&self, state: &State, call: &Call<'_>) -> Result<Answer, ApiError> {
        let (path, query) = self.url.split_once('?').unwrap_or((self.url, ""));
        let path = path.strip_prefix("/services/data/").unwrap_or(path).trim_matches('/');
        let mut parts: Vec<&str> = path.split('/').collect();
        if parts.is_empty() {
            return Err(ApiError::not_found());
        }
        let version = known_version(parts.remove(0), &call.org.org.settings)?;
        let method = Method::from_bytes(self.method.to_ascii_uppercase().as_bytes())
            .map_err(|_| ApiError::bad("INVALID_INPUT", format!("Invalid method: {}", self.method)))?;
        let request = Request {
            method,
            path: format!("/services/data/{path}"),
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers: self.header_map(),
            body: self.body.map_or_else(Bytes::new, |body| body.to_string().into()),
            parts: None,
            base: call.request.base.clone(),
            fault: None,
            spooled: None,
        };
        let world = call.open.map_or_else(|| call.org.now(), Open::world);
        let view = seen_by(version, call.org.org.view(&world, call.caller.user, call.user));
        let (org, caller, user) = (call.org, call.caller, call.user);
        let call = Call { org, world, caller, user, view, version, request: &request, open: call.open };
        answer(state, &call, &parts)
    }

    fn header_map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in self.headers.into_iter().flatten() {
            let name = HeaderName::from_bytes(name.as_bytes());
            let value = value.as_str().and_then(|value| HeaderValue::from_str(value).ok());
            if let (Ok(name), Some(value)) = (name, value) {
                map.insert(name, value);
            }
        }
        map
    }
}
