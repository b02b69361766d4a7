//! The org's time: ours, and how far the org's `Date` was from it last.
//!
//! What was made since when is asked in the org's time, as clocks differ. `Date` has whole seconds, rounded down.

use std::sync::atomic::{AtomicI64, Ordering};

use ::http::{HeaderMap, header};
use jiff::{SignedDuration, Timestamp};

/// How far the org's clock is ahead of ours.
#[derive(Debug, Default)]
pub(crate) struct OrgClock(AtomicI64);

impl OrgClock {
    /// Learns from an answer's head that came at `now` of ours.
    pub(crate) fn learn(&self, headers: &HeaderMap, now: Timestamp) {
        let said = headers.get(header::DATE).and_then(|value| value.to_str().ok());
        // HTTP says GMT where RFC 2822 of today says +0000
        let date = said.and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
        if let Some(date) = date {
            let ahead = date.timestamp().as_millisecond().saturating_sub(now.as_millisecond());
            self.0.store(ahead, Ordering::Relaxed);
        }
    }

    /// The org's time at `now` of ours.
    pub(crate) fn at(&self, now: Timestamp) -> Timestamp {
        let ahead = SignedDuration::from_millis(self.0.load(Ordering::Relaxed));
        now.checked_add(ahead).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_orgs_time_is_ours_moved_by_what_it_said() {
        let clock = OrgClock::default();
        let now: Timestamp = "2026-01-31T10:00:00.500Z".parse().unwrap();
        assert_eq!(clock.at(now), now);
        let mut headers = HeaderMap::new();
        headers.insert(header::DATE, "Sat, 31 Jan 2026 10:07:00 GMT".parse().unwrap());
        clock.learn(&headers, now);
        assert_eq!(clock.at(now).to_string(), "2026-01-31T10:07:00Z");
        headers.insert(header::DATE, "soon".parse().unwrap());
        clock.learn(&headers, now);
        assert_eq!(clock.at(now).to_string(), "2026-01-31T10:07:00Z");
    }
}
