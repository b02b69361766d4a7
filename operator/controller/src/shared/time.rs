//! Times as statuses carry them: RFC 3339, UTC, whole seconds.

use jiff::Timestamp;

/// A time, cut to the second.
pub fn rfc3339(at: Timestamp) -> String {
    whole(at).to_string()
}

/// A time from a status; `None` when it is empty or no time.
pub fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Cut to the second, as the API server keeps times.
pub fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// Seconds from `earlier` to `later`; 0 where `later` is not later.
pub fn seconds_between(earlier: Timestamp, later: Timestamp) -> u64 {
    u64::try_from(later.as_second() - earlier.as_second()).unwrap_or(0)
}
