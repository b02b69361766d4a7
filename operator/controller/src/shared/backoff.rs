//! How long an object waits after passes that failed: each its own, doubled each time, with jitter, so that a
//! thousand objects do not come back at the same moment.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// First wait, seconds.
const FIRST: f64 = 1.0;
/// Longest wait, seconds.
const LONGEST: f64 = 300.0;
/// An entry that old is of an object that is gone.
const FORGET: Duration = Duration::from_hours(1);

/// The wait after so many failures in a row; `jitter` in 0..1 makes it up to a quarter longer.
pub fn delay(failures: u32, jitter: f64) -> Duration {
    let exponent = i32::try_from(failures.saturating_sub(1).min(20)).unwrap_or(20);
    let base = (FIRST * 2f64.powi(exponent)).min(LONGEST);
    Duration::from_secs_f64(base * (1.0 + jitter.clamp(0.0, 1.0) / 4.0))
}

/// Failures in a row of each object.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: Mutex<HashMap<String, (u32, Instant)>>,
}

impl Backoff {
    /// A pass failed: so long to wait.
    pub fn failed(&self, key: &str) -> Duration {
        let mut failures = self.lock();
        failures.retain(|_, (_, last)| last.elapsed() < FORGET);
        let entry = failures.entry(key.to_owned()).or_insert((0, Instant::now()));
        *entry = (entry.0.saturating_add(1), Instant::now());
        delay(entry.0, rand::random())
    }

    /// A pass ended well.
    pub fn succeeded(&self, key: &str) {
        self.lock().remove(key);
    }

    /// How many objects wait.
    pub fn waiting(&self) -> usize {
        self.lock().values().filter(|(_, last)| last.elapsed() < FORGET).count()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (u32, Instant)>> {
        // Counts are whole whatever a thread that panicked was at.
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit() {
        for (failures, seconds) in [(1, 1.0), (2, 2.0), (5, 16.0), (9, 256.0), (10, 300.0), (4000, 300.0)] {
            assert_eq!(delay(failures, 0.0), Duration::from_secs_f64(seconds));
            assert_eq!(delay(failures, 1.0), Duration::from_secs_f64(seconds * 1.25));
        }
    }

    #[test]
    fn each_object_has_its_own_and_is_let_off_by_success() {
        let backoff = Backoff::default();
        for _ in 0..4 {
            backoff.failed("a");
        }
        assert!(backoff.failed("a") >= Duration::from_secs(16));
        assert!(backoff.failed("b") < Duration::from_secs(2));
        assert_eq!(backoff.waiting(), 2);
        backoff.succeeded("a");
        assert!(backoff.failed("a") < Duration::from_secs(2));
    }
}
