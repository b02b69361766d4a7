//! What goes into one composite.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

/// A call to be packed: a GET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SubRequest {
    /// Path and query from the org's root.
    pub(crate) path: String,
    /// Headers of its own; not all are taken, `If-Modified-Since` is.
    pub(crate) headers: BTreeMap<&'static str, String>,
    /// What it is about, for errors.
    pub(crate) about: String,
    /// Whether it counts against the number of queries.
    pub(crate) query: bool,
}

impl SubRequest {
    /// A query.
    pub(crate) fn query(path: String, about: String) -> Self {
        Self { path, headers: BTreeMap::new(), about, query: true }
    }

    /// Anything else.
    pub(crate) fn get(path: String, about: String) -> Self {
        Self { path, headers: BTreeMap::new(), about, query: false }
    }
}

/// The body of the call.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body<'a> {
    all_or_none: bool,
    composite_request: Vec<BodyPart<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BodyPart<'a> {
    method: &'static str,
    url: &'a str,
    reference_id: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    http_headers: &'a BTreeMap<&'static str, String>,
}

/// The name by which the answer tells a part.
pub(super) fn reference(index: usize) -> String {
    format!("part{index}")
}

/// Packs sub-requests; one that fails leaves the others alone.
pub(super) fn body<'a>(parts: impl IntoIterator<Item = (usize, &'a SubRequest)>) -> Body<'a> {
    let part = |(index, request): (usize, &'a SubRequest)| BodyPart {
        method: "GET",
        url: &request.path,
        reference_id: reference(index),
        http_headers: &request.headers,
    };
    Body { all_or_none: false, composite_request: parts.into_iter().map(part).collect() }
}

/// Cuts a list into stretches that one composite takes.
pub(super) fn stretches(requests: &[SubRequest], parts: usize, queries: usize) -> Vec<Range<usize>> {
    let mut stretches = Vec::new();
    let (mut start, mut asked) = (0, 0);
    for (at, request) in requests.iter().enumerate() {
        if at - start == parts || request.query && asked == queries {
            stretches.push(start..at);
            (start, asked) = (at, 0);
        }
        asked += usize::from(request.query);
    }
    if start < requests.len() {
        stretches.push(start..requests.len());
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(query: bool) -> SubRequest {
        SubRequest { query, ..SubRequest::get("/x".to_owned(), "x".to_owned()) }
    }

    #[test]
    fn the_body_in_the_recorded_shape() {
        let mut describe = SubRequest::get("/services/data/v64.0/sobjects".to_owned(), "all".to_owned());
        describe.headers.insert("If-Modified-Since", "Thu, 03 Sep 2020 21:35:07 GMT".to_owned());
        let query = SubRequest::query("/q".to_owned(), "x".to_owned());
        let json = serde_json::to_value(body([(0, &describe), (3, &query)])).unwrap();
        let want = serde_json::json!({"allOrNone": false, "compositeRequest": [
            {"method": "GET", "url": "/services/data/v64.0/sobjects", "referenceId": "part0",
             "httpHeaders": {"If-Modified-Since": "Thu, 03 Sep 2020 21:35:07 GMT"}},
            {"method": "GET", "url": "/q", "referenceId": "part3"}]});
        assert_eq!(json, want);
    }

    proptest! {
        #[test]
        fn every_request_once_in_order_and_within_the_limits(
            queries in proptest::collection::vec(any::<bool>(), 0..120),
        ) {
            let requests: Vec<_> = queries.iter().map(|&query| request(query)).collect();
            let mut next = 0;
            for stretch in stretches(&requests, 25, 5) {
                prop_assert_eq!(stretch.start, next);
                next = stretch.end;
                prop_assert!((1..=25).contains(&stretch.len()));
                prop_assert!(requests[stretch].iter().filter(|request| request.query).count() <= 5);
            }
            prop_assert_eq!(next, requests.len());
        }
    }
}
