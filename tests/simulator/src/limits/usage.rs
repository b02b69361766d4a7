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
    /// What others use in an hour, evenly.
    others_per_hour: u64,
    lag_seconds: i64,
    /// The time in which it may be used.
    window_seconds: i64,
    clock: Arc<Clock>,
    uses: Mutex<Uses>,
}

/// What was used, by second, the oldest first.
#[derive(Debug, Default)]
struct Uses {
    seconds: VecDeque<(i64, u64)>,
    /// Their sum.
    total: u64,
    /// Up to which second others' uses are in there.
    others_until: Option<i64>,
}

impl Uses {
    fn forget(&mut self, until: i64) {
        while let Some((_, count)) = self.seconds.pop_front_if(|(second, _)| *second <= until) {
            self.total -= count;
        }
    }

    /// Puts others' uses in, minute by minute, as far as the allowance reaches.
    fn add_others(&mut self, now: i64, usage: &Usage) {
        let until = self.others_until.get_or_insert(now);
        if usage.others_per_hour == 0 || now - *until < 60 {
            return;
        }
        let mut minute = *until;
        *until = now - (now - minute) % 60;
        let end = *until;
        minute = minute.max(end - usage.window_seconds.div_euclid(60) * 60);
        while minute < end {
            minute += 60;
            self.forget(minute - usage.window_seconds);
            // the parts of a use that a minute leaves over are made up for within the hour
            let of_hour = minute.div_euclid(60).rem_euclid(60).unsigned_abs();
            let share = |minutes: u64| usage.others_per_hour * minutes / 60;
            let left = usage.max.saturating_add(usage.overrun).saturating_sub(self.total);
            let count = (share(of_hour + 1) - share(of_hour)).min(left);
            self.add(minute, count);
        }
    }

    fn add(&mut self, now: i64, count: u64) {
        self.total = self.total.saturating_add(count);
        match self.seconds.back_mut() {
            Some((second, known)) if *second >= now => *known = known.saturating_add(count),
            _ => self.seconds.push_back((now, count)),
        }
    }
}

impl Usage {
    /// An allowance of `max` in 24 hours, told `lag_seconds` late.
    pub(crate) fn new(max: u64, lag_seconds: u64, clock: Arc<Clock>) -> Self {
        let lag_seconds = i64::try_from(lag_seconds).unwrap_or(i64::MAX);
        Self {
            max,
            overrun: 0,
            others_per_hour: 0,
            lag_seconds,
            window_seconds: DAY_SECONDS,
            clock,
            uses: Mutex::default(),
        }
    }

    /// An allowance of `max` in an hour.
    pub(crate) fn per_hour(max: u64, clock: Arc<Clock>) -> Self {
        Self { window_seconds: 3_600, ..Self::new(max, 0, clock) }
    }

    /// The same, which lets so many through beyond its allowance.
    pub(crate) fn with_overrun(self, overrun: u64) -> Self {
        Self { overrun, ..self }
    }

    /// The same, of which others use so much in an hour.
    pub(crate) fn with_others(self, others_per_hour: u64) -> Self {
        self.with(|_, _| ());
        Self { others_per_hour, ..self }
    }

    /// What may be used in 24 hours.
    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// Takes one, if there is one left.
    pub(crate) fn take(&self) -> bool {
        self.take_some(1)
    }

    /// Whether none is left.
    pub(crate) fn is_used_up(&self) -> bool {
        self.with(|uses, _| uses.total >= self.max.saturating_add(self.overrun))
    }

    /// Takes so many, if so many are left; else none.
    pub(crate) fn take_some(&self, count: u64) -> bool {
        self.with(|uses, now| {
            let fits = uses.total.saturating_add(count) <= self.max.saturating_add(self.overrun);
            if fits {
                uses.add(now, count);
            }
            fits
        })
    }

    /// Counts so many that were used, whether they were left or not.
    pub(crate) fn add(&self, count: u64) {
        self.with(|uses, now| uses.add(now, count));
    }

    /// How many were used as the org tells it now.
    pub(crate) fn told(&self) -> u64 {
        self.with(|uses, now| {
            let known = now.saturating_sub(self.lag_seconds);
            let recent = uses.seconds.iter().rev().take_while(|(second, _)| *second > known);
            uses.total - recent.map(|(_, count)| count).sum::<u64>()
        })
    }

    /// An entry of the limits resource; what remains falls below zero where an org was let go beyond its allowance.
    pub(crate) fn entry(&self) -> Json {
        let remaining = i128::from(self.max) - i128::from(self.told());
        json!({"Max": self.max, "Remaining": i64::try_from(remaining).unwrap_or(i64::MAX)})
    }

    /// Works on the uses of the time that counts.
    fn with<T>(&self, work: impl FnOnce(&mut Uses, i64) -> T) -> T {
        let now = self.clock.now_ms().div_euclid(1_000);
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        uses.add_others(now, self);
        uses.forget(now - self.window_seconds);
        work(&mut uses, now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counts_up_to_the_allowance_and_forgets_after_a_day() {
        let clock = Arc::new(Clock::still());
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
        let clock = Arc::new(Clock::still());
        let usage = Usage::new(2, 60, clock.clone());
        assert!(usage.take());
        assert_eq!(usage.told(), 0);
        clock.advance(Duration::from_secs(61));
        assert_eq!(usage.told(), 1);
    }

    #[test]
    fn an_overrun_shows_as_a_remainder_below_zero() {
        let usage = Usage::new(1, 0, Arc::new(Clock::still())).with_overrun(1);
        assert!(usage.take() && usage.take() && !usage.take());
        assert_eq!(usage.entry(), json!({"Max": 1, "Remaining": -1}));
    }

    #[test]
    fn others_use_it_evenly_and_only_as_far_as_it_reaches() {
        let clock = Arc::new(Clock::still());
        let usage = Usage::new(1_000, 0, clock.clone()).with_others(100);
        assert_eq!(usage.told(), 0);
        clock.advance(Duration::from_mins(30));
        assert!((49..=51).contains(&usage.told()), "{}", usage.told());
        clock.advance(Duration::from_mins(30));
        assert_eq!(usage.told(), 100);
        clock.advance(Duration::from_hours(3));
        assert_eq!(usage.told(), 400);
        clock.advance(Duration::from_hours(96));
        assert_eq!(usage.told(), 1_000);
        assert!(!usage.take());
        assert_eq!(Usage::new(5, 0, clock).with_others(0).told(), 0);
    }

    /// What a test does: takes some, adds some, or waits for seconds.
    fn steps() -> impl Strategy<Value = Vec<(u8, u64)>> {
        proptest::collection::vec((0u8..3, 0u64..30_000), 1..60)
    }

    proptest! {
        #[test]
        fn counts_as_a_list_of_all_uses_would(steps in steps(), lag in 0u64..600) {
            let clock = Arc::new(Clock::still());
            let usage = Usage::new(100_000, lag, clock.clone());
            let mut all: Vec<(i64, u64)> = Vec::new();
            for (kind, amount) in steps {
                let now = clock.now_ms().div_euclid(1_000);
                let used: u64 = all.iter().filter(|(at, _)| *at > now - DAY_SECONDS).map(|(_, n)| n).sum();
                match kind {
                    0 => {
                        let fits = used + amount <= 100_000;
                        prop_assert_eq!(usage.take_some(amount), fits);
                        if fits {
                            all.push((now, amount));
                        }
                    }
                    1 => {
                        usage.add(amount);
                        all.push((now, amount));
                    }
                    _ => clock.advance(Duration::from_secs(amount)),
                }
                let now = clock.now_ms().div_euclid(1_000);
                let known = |at: i64| at > now - DAY_SECONDS && at <= now - lag as i64;
                let told: u64 = all.iter().filter(|(at, _)| known(*at)).map(|(_, n)| n).sum();
                prop_assert_eq!(usage.told(), told);
            }
        }
    }
}
