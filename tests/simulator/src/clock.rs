//! The simulator's clock: the machine's, and how far someone has put it ahead of that. Sessions, authorization codes
//! and daily allowances go by it, so that a test need not wait for hours.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::value::calendar;

/// The clock of all orgs of a simulator.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// Where it stands still, in unit tests.
    still_ms: Option<i64>,
    ahead_ms: AtomicI64,
}

impl Clock {
    /// One that only goes when it is put ahead.
    #[cfg(test)]
    pub(crate) fn still() -> Self {
        Self { still_ms: Some(1_800_000_000_000), ahead_ms: AtomicI64::new(0) }
    }

    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        let now = self.still_ms.unwrap_or_else(calendar::now_ms);
        now.saturating_add(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// Puts it ahead; it never goes back.
    pub(crate) fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
        self.ahead_ms.fetch_add(by, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_ahead() {
        let clock = Clock::default();
        let before = clock.now_ms();
        clock.advance(Duration::from_mins(1));
        assert!(clock.now_ms() - before >= 60_000);
    }
}
