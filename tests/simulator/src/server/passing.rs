//! What time brings: users change generated records, and the recycle bin loses what lies in it too long.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::state::{OrgState, State};
use crate::clock::Clock;
use crate::store::activity::{self, Activity, Due};
use crate::value::calendar::DAY_MS;

/// How often it is looked at what time has brought.
const STEP: Duration = Duration::from_secs(2);
/// How long a record stays in the recycle bin: 15 days.
const BIN_MS: i64 = 15 * DAY_MS;
/// How often the recycle bin is looked through, in milliseconds of the simulator's clock.
const BIN_EVERY_MS: i64 = 60_000;
/// Days that are made up for at most when the clock is put ahead.
const MOST_DAYS: f64 = 30.0;

/// How far time has been looked at.
#[derive(Debug)]
pub(crate) struct Passing(Mutex<Passed>);

#[derive(Debug)]
struct Passed {
    /// When the org was started; what was deleted before lies in the bin for good.
    started: i64,
    until: i64,
    bin_until: i64,
    /// Parts of records that are not due yet, by object.
    rest: Vec<(String, [f64; 3])>,
    drawn: u64,
}

impl Passing {
    pub(super) fn new(clock: &Clock) -> Self {
        let now = clock.now_ms();
        let passed = Passed { started: now, until: now, bin_until: now, rest: Vec::new(), drawn: 0 };
        Self(Mutex::new(passed))
    }
}

/// Lets time pass for all orgs until the end is asked for.
pub(super) async fn run(state: Arc<State>, mut stopped: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(STEP) => {}
        }
        for org in &state.orgs {
            let org = org.clone();
            let _ = tokio::task::spawn_blocking(move || org.pass()).await;
        }
    }
}

impl OrgState {
    /// Does what has come due since the last time.
    fn pass(&self) {
        let mut passed = self.passing.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now_ms();
        let activity = self.org.settings.activity;
        if !activity.is_none() {
            let days = ((now - passed.until) as f64 / DAY_MS as f64).clamp(0.0, MOST_DAYS);
            self.act(&activity, days, &mut passed);
        }
        passed.until = now;
        if now - passed.bin_until >= BIN_EVERY_MS {
            passed.bin_until = now;
            let old = passed.started..now - BIN_MS;
            let emptied = self.transact(0, 0, |transaction| {
                let emptied = transaction.empty_bin(old.clone()) + transaction.trim_bin();
                // a transaction without any change need not be seen
                if emptied > 0 { Ok(emptied) } else { Err(()) }
            });
            if let Ok(records) = emptied {
                tracing::info!(records, "the recycle bin lost what lay in it for 15 days, or had no room");
            }
            let archived = self.transact(0, 0, |transaction| {
                let archived = transaction.archive_activities();
                if archived > 0 { Ok(archived) } else { Err(()) }
            });
            if let Ok(records) = archived {
                tracing::info!(records, "activities of a year ago were archived");
            }
        }
    }

    /// Makes days of activity happen now; what was done, object by object.
    pub(crate) fn live(&self, activity: &Activity, days: f64) -> Vec<Due> {
        let mut passed = self.passing.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.act(activity, days, &mut passed)
    }

    fn act(&self, activity: &Activity, days: f64, passed: &mut Passed) -> Vec<Due> {
        let all = activity::due(&self.now(), activity, days, &mut passed.rest);
        for due in &all {
            let mut open = *due;
            while let Some(part) = open.split() {
                let drawn = &mut passed.drawn;
                let done: Result<(), ()> = self.transact(0, 0, |transaction| {
                    activity::run(transaction, part, drawn);
                    Ok(())
                });
                if done.is_err() {
                    return all;
                }
            }
        }
        all
    }
}
