//! How much of an allowance was used in the last 24 hours (or in another time), and what the org tells of it, which may lag.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value as Json, json};

use crate::clock::Clock;

const DAY_SECONDS: i64 = 86_400;

/// Counts uses in a rolling time.
#[derive(Debug)]
pub(crate) struct Usage {
    max: u64,
    /// Uses that are let through beyond `max`.
    overrun: u64,
    lag_seconds: i64,
    /// The time in which it may be used.
    window_seconds: i64,
    clock: Arc<Clock>,
    /// Uses by second, the oldest first.
    seconds: Mutex<VecDeque<(i64, u64)>>,
}

impl Usage {
    /// An allowance of `max` in 24 hours, told `lag_seconds` late.
    pub(crate) fn new(max: u64, lag_seconds: u64, clock: Arc<Clock>) -> Self {
        let lag_seconds = i64::try_from(lag_seconds).unwrap_or(i64::MAX);
        Self { max, overrun: 0, lag_seconds, window_seconds: DAY_SECONDS, clock, seconds: Mutex::default() }
    }

    /// An allowance of `max` in an hour.
    pub(crate) fn per_hour(max: u64, clock: Arc<Clock>) -> Self {
        Self { window_seconds: 3_600, ..Self::new(max, 0, clock) }
    }

    /// The same, which lets so many through beyond its allowance.
    pub(crate) fn with_overrun(self, overrun: u64) -> Self {
        Self { overrun, ..self }
    }

    /// What may be used in 24 hours.
    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// Takes one, if there is one left.
    pub(crate) fn take(&self) -> bool {
        self.take_some(1)
    }

    /// Takes so many, if so many are left; else none.
    pub(crate) fn take_some(&self, count: u64) -> bool {
        let now = self.now();
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        while seconds.front().is_some_and(|(second, _)| *second <= now - self.window_seconds) {
            seconds.pop_front();
        }
        let used = seconds.iter().map(|(_, count)| count).sum::<u64>();
        if used.saturating_add(count) > self.max.saturating_add(self.overrun) {
            return false;
        }
        push(&mut seconds, now, count);
        true
    }

    /// Counts so many that were used, whether they were left or not.
    pub(crate) fn add(&self, count: u64) {
        let now = self.now();
        push(&mut self.seconds.lock().unwrap_or_else(PoisonError::into_inner), now, count);
    }

    /// How many were used as the org tells it now.
    pub(crate) fn told(&self) -> u64 {
        let now = self.now();
        let known = now.saturating_sub(self.lag_seconds);
        let seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        let counts =
            seconds.iter().filter(|(second, _)| *second <= known && *second > now - self.window_seconds);
        counts.map(|(_, count)| count).sum()
    }

    /// An entry of the limits resource; what remains falls below zero where an org was let go beyond its allowance.
    pub(crate) fn entry(&self) -> Json {
        let remaining = i128::from(self.max) - i128::from(self.told());
        json!({"Max": self.max, "Remaining": i64::try_from(remaining).unwrap_or(i64::MAX)})
    }

    fn now(&self) -> i64 {
        self.clock.now_ms().div_euclid(1_000)
    }
}

fn push(seconds: &mut VecDeque<(i64, u64)>, now: i64, count: u64) {
    match seconds.back_mut() {
        Some((second, known)) if *second >= now => *known += count,
        _ => seconds.push_back((now, count)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn counts_up_to_the_allowance_and_forgets_after_a_day() {
        let clock = Arc::new(Clock::default());
        let usage = Usage::new(2, 0, clock.clone());
        assert!(usage.take() && usage.take() && !usage.take());
        assert_eq!(usage.told(), 2);
        clock.advance(Duration::from_hours(23));
        assert!(!usage.take());
        clock.advance(Duration::from_hours(2));
        assert_eq!(usage.told(), 0);
        assert!(!usage.take_some(3) && usage.take_some(2));
    }

    #[test]
    fn tells_late() {
        let clock = Arc::new(Clock::default());
        let usage = Usage::new(2, 60, clock.clone());
        assert!(usage.take());
        assert_eq!(usage.told(), 0);
        clock.advance(Duration::from_secs(61));
        assert_eq!(usage.told(), 1);
    }

    #[test]
    fn an_overrun_shows_as_a_remainder_below_zero() {
        let usage = Usage::new(1, 0, Arc::new(Clock::default())).with_overrun(1);
        assert!(usage.take() && usage.take() && !usage.take());
        assert_eq!(usage.entry(), json!({"Max": 1, "Remaining": -1}));
    }
}
