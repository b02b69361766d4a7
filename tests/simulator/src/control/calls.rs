//! The request log, counted by resource.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::log::RequestLog;

/// What was asked of one resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Calls {
    pub(super) calls: u64,
    /// Answers with a status of 400 or more.
    pub(super) errors: u64,
    /// Bytes of the requests' bodies.
    pub(super) received: u64,
    /// Bytes of the answers' bodies, as they went over the wire.
    pub(super) sent: u64,
}

/// Calls by resource, of one org or of all; the simulator's own resources are left out.
pub(super) fn by_resource(log: &RequestLog, org: Option<&str>) -> BTreeMap<&'static str, Calls> {
    let mut counts: BTreeMap<&'static str, Calls> = BTreeMap::new();
    for entry in log.entries() {
        let of_org = org.is_none_or(|org| entry.org.as_deref() == Some(org));
        if entry.resource == "Simulator" || !of_org {
            continue;
        }
        let count = counts.entry(entry.resource).or_default();
        count.calls += 1;
        count.errors += u64::from(entry.status >= 400);
        count.received += entry.received;
        count.sent += entry.sent();
    }
    counts
}

/// The same in JSON.
pub(super) fn to_json(counts: &BTreeMap<&'static str, Calls>) -> Json {
    let entry = |(resource, calls): (&&'static str, &Calls)| {
        let Calls { calls, errors, received, sent } = calls;
        let json = json!({"calls": calls, "errors": errors, "received": received, "sent": sent});
        ((*resource).to_owned(), json)
    };
    Json::Object(counts.iter().map(entry).collect::<Map<_, _>>())
}
