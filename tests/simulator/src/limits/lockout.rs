//! Users who gave a wrong password too often.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Clock;

/// How long a user is locked out: what the password policies have if nobody changed them.
const LOCKED_MS: i64 = 15 * 60 * 1_000;

/// Wrong passwords of an org's users, by number.
#[derive(Debug)]
pub(crate) struct Lockout {
    /// Wrong ones in a row that lock a user out.
    most: u32,
    clock: Arc<Clock>,
    /// How many in a row, and when the last one came.
    wrong: Mutex<HashMap<usize, (u32, i64)>>,
}

impl Lockout {
    pub(super) fn new(most: u32, clock: Arc<Clock>) -> Self {
        Self { most, clock, wrong: Mutex::default() }
    }

    /// Counts a try; whether the user is let in. Who is locked out is not, not even with the right password.
    pub(crate) fn lets_in(&self, user: usize, right: bool) -> bool {
        let now = self.clock.now_ms();
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, last) = wrong.get(&user).copied().unwrap_or_default();
        if count >= self.most && now - last < LOCKED_MS {
            return false;
        }
        if right {
            wrong.remove(&user);
        } else {
            let count = if count >= self.most { 0 } else { count };
            wrong.insert(user, (count + 1, now));
        }
        right
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn wrong_ones_in_a_row_lock_for_a_quarter_of_an_hour() {
        let clock = Arc::new(Clock::still());
        let lockout = Lockout::new(2, clock.clone());
        assert!(!lockout.lets_in(0, false) && lockout.lets_in(0, true), "one is forgiven");
        assert!(!lockout.lets_in(0, false) && !lockout.lets_in(0, false));
        assert!(!lockout.lets_in(0, true) && lockout.lets_in(1, true));
        clock.advance(Duration::from_mins(15));
        assert!(!lockout.lets_in(0, false) && lockout.lets_in(0, true));
    }
}
