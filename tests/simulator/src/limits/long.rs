//! Long calls: an org takes only so many at the same time.

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Clock;

/// The calls in flight of one org.
#[derive(Debug)]
pub(crate) struct LongCalls {
    /// Long calls at the same time.
    most: usize,
    /// From when on a call is long.
    long_ms: i64,
    clock: Arc<Clock>,
    in_flight: Mutex<Starts>,
}

#[derive(Debug, Default)]
struct Starts {
    next: u64,
    /// Number and start of each call in flight.
    calls: Vec<(u64, i64)>,
}

/// A call in flight; it ends when this is dropped, that is when the last of its answer was sent.
#[derive(Debug)]
pub(crate) struct InFlight {
    of: Arc<LongCalls>,
    number: u64,
}

impl LongCalls {
    /// Counts calls of `long_ms` and more, and lets `most` of them in at the same time.
    pub(crate) fn new(most: usize, long_ms: i64, clock: Arc<Clock>) -> Arc<Self> {
        Arc::new(Self { most, long_ms, clock, in_flight: Mutex::default() })
    }

    /// Lets a call in, unless too many long ones are in flight. Short ones are not limited.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<InFlight> {
        let now = self.clock.now_ms();
        let mut starts = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        if starts.calls.iter().filter(|(_, start)| now - start >= self.long_ms).count() >= self.most {
            return None;
        }
        let number = starts.next;
        starts.next += 1;
        starts.calls.push((number, now));
        Some(InFlight { of: self.clone(), number })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut starts = self.of.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        starts.calls.retain(|(number, _)| *number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_long_ones_count_and_only_while_they_last() {
        let clock = Arc::new(Clock::still());
        let calls = LongCalls::new(2, 20_000, clock.clone());
        let first = [calls.enter(), calls.enter(), calls.enter()];
        assert!(first.iter().all(Option::is_some));
        clock.advance(Duration::from_secs(20));
        assert!(calls.enter().is_none());
        let [one, two, _three] = first;
        drop((one, two));
        assert!(calls.enter().is_some());
    }
}
