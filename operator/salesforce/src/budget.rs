//! The one place that lets a call begin: the budget asked, waited for where it says so, and told how each ends.
//!
//! The decision is [`orgkeep_core::budget`]'s; here are the clock, the wait, and a booking that ends its call also
//! when the task that made it goes away.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use orgkeep_core::budget::{Budget, Denied, Observed, Terms, Ticket};

use crate::error::{Error, Result};
use crate::options::{Clock, ConnectOptions};

/// Lets calls begin, or not.
#[derive(Debug)]
pub(crate) struct Governor {
    budget: Mutex<Budget>,
    clock: Clock,
}

/// A call that may begin.
#[derive(Debug)]
pub(crate) struct Booked<'a> {
    governor: &'a Governor,
    ticket: Option<Ticket>,
}

impl Governor {
    /// On the terms of the options.
    pub(crate) fn new(options: &ConnectOptions) -> Self {
        let terms = Terms {
            max_percent: options.max_percent,
            lag: options.count_lag,
            workers: options.workers.max(1),
            lives: options.lives,
        };
        let clock = options.clock.clone();
        Self { budget: Mutex::new(Budget::new(terms, clock.now())), clock }
    }

    /// Books a call, or says how long to wait before asking again.
    pub(crate) fn begin(&self) -> Result<std::result::Result<Booked<'_>, Duration>> {
        let now = self.clock.now();
        match self.budget().begin(now) {
            Ok(ticket) => Ok(Ok(Booked { governor: self, ticket: Some(ticket) })),
            Err(Denied::Wait(until)) => {
                Ok(Err(Duration::try_from(until.duration_since(now)).unwrap_or_default()))
            }
            Err(Denied::Reached(reached)) => Err(Error::AllowanceReached {
                used: reached.observed.used,
                allowance: reached.observed.allowance,
                mark: reached.mark,
            }),
        }
    }

    /// Learns of earlier lives of this worker.
    pub(crate) fn reckon_with_lives(&self, lives: u32) {
        self.budget().reckon_with_lives(lives);
    }

    /// Takes note of a count that the body of a call begun at `at` told.
    pub(crate) fn observe(&self, told: Observed, at: Timestamp) {
        self.budget().observe(told, at);
    }

    /// What the org told last of its allowance, when, and our calls so far.
    pub(crate) fn observed(&self) -> (Option<(Observed, Timestamp)>, u64) {
        let budget = self.budget();
        (budget.observed(), budget.begun())
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Booked<'_> {
    /// Ends the call with what its answer told.
    pub(crate) fn end(mut self, told: Option<Observed>) {
        self.done(told);
    }

    fn done(&mut self, told: Option<Observed>) {
        if let Some(ticket) = self.ticket.take() {
            self.governor.budget().end(ticket, self.governor.clock.now(), told);
        }
    }
}

/// A call whose task went away in the middle has ended as far as we will ever know.
impl Drop for Booked<'_> {
    fn drop(&mut self) {
        self.done(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Auth, Environment};

    fn governor(now: i64) -> Governor {
        let auth = Auth::ClientCredentials { client_id: String::new(), client_secret: String::new().into() };
        let url = "https://acme.my.salesforce.com".parse().unwrap();
        let mut options = ConnectOptions::new(url, Environment::Production, auth);
        options.clock = Clock::new(move || Timestamp::from_second(now).unwrap());
        Governor::new(&options)
    }

    #[test]
    fn a_call_whose_task_goes_away_does_not_count_as_under_way() {
        let governor = governor(1_800_000_000);
        let first = governor.begin().unwrap().unwrap();
        // before any count one call at a time
        assert_eq!(governor.begin().unwrap().unwrap_err(), Duration::from_secs(1));
        drop(first);
        assert!(governor.begin().unwrap().is_ok());
    }

    #[test]
    fn the_mark_is_an_error_with_what_was_told() {
        let governor = governor(1_800_000_000);
        governor.begin().unwrap().unwrap().end(Some(Observed { used: 750, allowance: 1_000 }));
        let error = governor.begin().unwrap_err();
        assert_eq!(error, Error::AllowanceReached { used: 750, allowance: 1_000, mark: 750 });
        assert_eq!(governor.observed().1, 1);
    }
}
