//! When to try again: bounded in tries and in time, with exponential back-off and full jitter.

use std::time::Duration;

use orgkeep_core::problem::{Pace, Reaction};
use tokio::time::Instant;

use crate::options::RetryPolicy;

/// What to do after a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Wait, then the same call again.
    Pause(Duration),
    /// A new token, then the same call again.
    Renew,
    /// Tell the caller.
    GiveUp,
}

/// The tries of one call.
#[derive(Debug)]
pub(crate) struct Tries {
    policy: RetryPolicy,
    began: Instant,
    failed: u32,
    renewed: bool,
}

impl Tries {
    /// Begins to count.
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        Self { policy, began: Instant::now(), failed: 0, renewed: false }
    }

    /// Decides after a failed try; `jitter` is a random number in 0..1.
    ///
    /// What the server asks for in `Retry-After` is kept even beyond our own cap, but not beyond the total.
    pub(crate) fn after(&mut self, reaction: Reaction, jitter: f64) -> Next {
        match reaction {
            Reaction::RenewToken if !self.renewed => {
                self.renewed = true;
                Next::Renew
            }
            Reaction::Retry { after, pace } => {
                self.failed += 1;
                let policy = at(pace, self.policy);
                let pause = after.unwrap_or_else(|| backoff(&policy, self.failed).mul_f64(jitter));
                if self.failed >= policy.tries || self.began.elapsed() + pause > policy.total {
                    return Next::GiveUp;
                }
                Next::Pause(pause)
            }
            _ => Next::GiveUp,
        }
    }
}

/// Upper bound of the pause after so many failures.
pub(super) fn backoff(policy: &RetryPolicy, failed: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failed.saturating_sub(1));
    policy.base.saturating_mul(doubled).min(policy.cap)
}

/// The policy at a pace of the error table; the numbers are told there.
fn at(pace: Pace, policy: RetryPolicy) -> RetryPolicy {
    match pace {
        Pace::Quick => policy,
        Pace::Patient => RetryPolicy { base: policy.base * 8, cap: policy.cap * 2, ..policy },
        Pace::Few => RetryPolicy { tries: policy.tries.min(3), ..policy },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        tries: 4,
        base: Duration::from_secs(1),
        cap: Duration::from_secs(3),
        total: Duration::from_secs(100),
    };
    const AGAIN: Reaction = Reaction::Retry { after: None, pace: Pace::Quick };

    #[test]
    fn pauses_double_up_to_the_cap_and_end() {
        let mut tries = Tries::new(POLICY);
        let seen: Vec<_> = (0..4).map(|_| tries.after(AGAIN, 1.0)).collect();
        let pause = |seconds| Next::Pause(Duration::from_secs(seconds));
        assert_eq!(seen, [pause(1), pause(2), pause(3), Next::GiveUp]);
    }

    #[test]
    fn what_must_be_worked_off_is_given_longer_and_what_seldom_passes_few_tries() {
        let seen = |pace| {
            let mut tries = Tries::new(POLICY);
            let again = Reaction::Retry { after: None, pace };
            (0..4).map(|_| tries.after(again, 1.0)).collect::<Vec<_>>()
        };
        let pause = |seconds| Next::Pause(Duration::from_secs(seconds));
        assert_eq!(seen(Pace::Patient), [pause(6), pause(6), pause(6), Next::GiveUp]);
        assert_eq!(seen(Pace::Few)[..3], [pause(1), pause(2), Next::GiveUp]);
    }

    #[test]
    fn jitter_is_full() {
        assert_eq!(Tries::new(POLICY).after(AGAIN, 0.0), Next::Pause(Duration::ZERO));
        assert_eq!(Tries::new(POLICY).after(AGAIN, 0.5), Next::Pause(Duration::from_millis(500)));
    }

    #[test]
    fn the_servers_wish_is_kept_within_the_total() {
        let asks = |seconds| Reaction::Retry { after: Some(Duration::from_secs(seconds)), pace: Pace::Quick };
        assert_eq!(Tries::new(POLICY).after(asks(50), 0.1), Next::Pause(Duration::from_secs(50)));
        assert_eq!(Tries::new(POLICY).after(asks(101), 0.1), Next::GiveUp);
    }

    #[test]
    fn a_token_is_renewed_once() {
        let mut tries = Tries::new(POLICY);
        assert_eq!(tries.after(Reaction::RenewToken, 0.5), Next::Renew);
        assert_eq!(tries.after(Reaction::RenewToken, 0.5), Next::GiveUp);
        assert_eq!(Tries::new(POLICY).after(Reaction::GiveUpObject, 0.5), Next::GiveUp);
    }
}
