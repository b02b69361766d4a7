//! The budget: whether one more call fits below the mark in the org's rolling allowance.
//!
//! The org tells a count of all users' calls in the last 24 hours (`Sforce-Limit-Info`, `limits`), and tells it
//! late: a count may leave out calls of up to [`Terms::lag`] ago, ours and others'. No call begins when
//!
//! > observed count + own calls not yet in it + reserve ≥ mark
//!
//! where the reserve is what everybody else may have called meanwhile:
//! - other users: their highest recent rate (at least the average of the day) times the time that the count does
//!   not cover;
//! - the other workers of the same connection, whose calls nobody else counts: each leaves at most a *share* of
//!   calls untold, whatever it does, so theirs are bounded by their number;
//! - earlier lives of this worker that were killed, until a count covers them: their share, likewise.
//!
//! Any count of the past gives such a bound: the latest counts our calls of the last minutes twice where the org
//! was quick, the first one extrapolates the others for longest; each is an upper bound of the truth as long as
//! other users stay within the rate, so the lowest of them holds. Beyond the rate nobody can know, and what
//! passes the mark then is what they took beyond the reserve, never more of ours: no call of ours begins once a
//! count has told it.
//!
//! A worker that has its share of untold calls under way waits until the org must have told some of them
//! ([`Denied::Wait`]); it is a sixteenth of the mark for all workers together, so that this seldom happens. A
//! worker that lives again within that time gets half of its predecessor's, so that no crash loop adds up.
//!
//! Time comes in as an argument; nothing here sleeps or asks a clock.

mod anchor;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use anchor::{Anchor, Anchors};

/// The share of all workers together in the mark: one part of so many.
const SHARES: u64 = 16;
/// The least share of a worker, for tiny allowances.
const LEAST_SHARE: u64 = 20;
/// The least that a life may call: it must learn the count.
const LEAST_QUOTA: u64 = 2;
/// How much longer than the lag a call counts as untold, so that a count may be this old and still cover it.
const SLACK: Duration = Duration::from_mins(1);

/// On what terms a worker may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The mark, percent of the allowance (1–100).
    pub max_percent: u8,
    /// How late the org's count may be.
    pub lag: Duration,
    /// Workers that use the same connection at the same time, this one included.
    pub workers: u32,
    /// Processes that were this worker before, and died within the lag and a minute before this one began.
    pub lives: u32,
}

impl Terms {
    /// The only worker, in its first life.
    pub fn alone(max_percent: u8, lag: Duration) -> Self {
        Self { max_percent, lag, workers: 1, lives: 0 }
    }

    /// How long a call that ended counts as untold.
    pub fn untold_for(&self) -> Duration {
        self.lag + SLACK
    }

    /// The count to stay below.
    pub fn mark(&self, allowance: u64) -> u64 {
        (u128::from(allowance) * u128::from(self.max_percent.clamp(1, 100)) / 100) as u64
    }

    /// Untold calls of one worker at most, in its first life.
    pub fn share(&self, allowance: u64) -> u64 {
        (self.mark(allowance) / (SHARES * u64::from(self.workers.max(1)))).max(LEAST_SHARE)
    }

    /// Untold calls of one worker at most with all its lives: each has half of the one before.
    fn lives_share(&self, allowance: u64) -> u64 {
        2 * self.share(allowance)
    }

    /// Untold calls of this worker's earlier lives at most.
    fn earlier_lives_share(&self, allowance: u64) -> u64 {
        let Some(earlier) = self.lives.checked_sub(1) else { return 0 };
        self.lives_share(allowance) - self.share(allowance).checked_shr(earlier).unwrap_or(0)
    }
}

/// What the org told of its allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// Calls of all users in the last 24 hours.
    pub used: u64,
    /// Calls allowed in 24 hours.
    pub allowance: u64,
}

/// A call that was let through; give it back with [`Budget::end`].
#[derive(Debug)]
#[must_use = "a call that is never ended counts as under way"]
pub struct Ticket {
    began: Timestamp,
}

/// No call may begin now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// The mark is reached: calls of a day ago must roll out of the org's window first.
    Reached(Reached),
    /// It may begin at this moment at the earliest: ask again.
    Wait(Timestamp),
}

/// The mark is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// The latest count.
    pub observed: Observed,
    /// What the truth may be by now at most: observed, own and reserve.
    pub expected: u64,
    /// The count to stay below.
    pub mark: u64,
}

/// The most that the org's true count may be by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// The count: observed, own and reserve.
    pub count: u64,
    /// Of it, what other users are given for the time since `covered`.
    pub others: u64,
    /// The count that it rests on has every call up to this moment.
    pub covered: Timestamp,
}

/// Keeps count of our calls and of what the org told.
#[derive(Debug)]
pub struct Budget {
    terms: Terms,
    started: Timestamp,
    begun: u64,
    /// (second of the epoch, our calls ended up to the end of it), ascending.
    ended: VecDeque<(i64, u64)>,
    ended_total: u64,
    latest: Option<Anchor>,
    anchors: Anchors,
}

impl Budget {
    /// A budget of a worker that begins now.
    pub fn new(terms: Terms, now: Timestamp) -> Self {
        Self {
            terms,
            started: now,
            begun: 0,
            ended: VecDeque::new(),
            ended_total: 0,
            latest: None,
            anchors: Anchors::default(),
        }
    }

    /// Learns of earlier lives after the beginning: a worker finds them where it keeps its journal.
    pub fn reckon_with_lives(&mut self, lives: u32) {
        self.terms.lives = lives;
    }

    /// Our calls begun so far.
    pub fn begun(&self) -> u64 {
        self.begun
    }

    /// What the org told last, and when.
    pub fn observed(&self) -> Option<(Observed, Timestamp)> {
        self.latest.map(|anchor| (anchor.observed, anchor.at))
    }

    /// Books a call if it fits below the mark. Before the org has told any count one call at a time fits: the
    /// count is learned by a call.
    pub fn begin(&mut self, now: Timestamp) -> Result<Ticket, Denied> {
        match self.denied(now) {
            Some(denied) => Err(denied),
            None => {
                self.begun += 1;
                Ok(Ticket { began: now })
            }
        }
    }

    /// Ends a call with what its answer told of the allowance.
    #[allow(clippy::needless_pass_by_value)] // a ticket is used up
    pub fn end(&mut self, ticket: Ticket, now: Timestamp, told: Option<Observed>) {
        let began = ticket.began;
        self.ended_total += 1;
        match self.ended.back_mut() {
            Some((second, total)) if *second >= now.as_second() => *total = self.ended_total,
            _ => self.ended.push_back((now.as_second(), self.ended_total)),
        }
        if let Some(observed) = told {
            self.observe(observed, began);
        }
    }

    /// Takes note of a count that a call begun at `at` brought.
    pub fn observe(&mut self, observed: Observed, at: Timestamp) {
        if self.latest.is_some_and(|latest| latest.at > at) {
            return; // an older call's answer came later: it knows less
        }
        let anchor = Anchor {
            observed,
            at,
            included: self.ended_before(at.as_second() - seconds(self.terms.lag)),
            ours: self.ended_before(at.as_second()),
            others_rate: 0.0,
        };
        if self.anchors.keep(anchor) {
            // What lies before that is only asked for as a total.
            let keep = at.as_second() - seconds(self.terms.untold_for());
            while self.ended.len() > 1 && self.ended.get(1).is_some_and(|(second, _)| *second < keep) {
                self.ended.pop_front();
            }
        }
        self.latest = Some(anchor);
    }

    /// Why no call may begin now; `None` if one may.
    pub fn denied(&self, now: Timestamp) -> Option<Denied> {
        let soon = now + Duration::from_secs(1);
        let (Some(latest), Some(expected)) = (self.latest, self.expected(now)) else {
            return (self.begun > self.ended_total).then_some(Denied::Wait(soon));
        };
        let observed = latest.observed;
        let mark = self.terms.mark(observed.allowance);
        if expected.count >= mark {
            return Some(Denied::Reached(Reached { observed, expected: expected.count, mark }));
        }
        let quota = self.quota(observed.allowance, now);
        (self.untold(now) >= quota).then(|| Denied::Wait(self.told_at(quota).unwrap_or(soon).max(soon)))
    }

    /// The most that the org's true count may be by now, while other users stay within their recent rate; `None`
    /// before any count.
    pub fn expected(&self, now: Timestamp) -> Option<Expected> {
        let latest = self.latest?;
        let bound = self.anchors.iter().chain([&latest]).map(|anchor| self.bound(anchor, &latest, now));
        let mut least = bound.min_by_key(|expected| expected.count)?;
        // Others who called faster than ever before make the old bounds too low; what was told is certain.
        least.count = least.count.max(latest.observed.used);
        Some(least)
    }

    fn bound(&self, anchor: &Anchor, latest: &Anchor, now: Timestamp) -> Expected {
        let allowance = latest.observed.allowance;
        let uncovered = self.terms.lag.as_secs_f64() + between(anchor.at, now);
        let others = (self.anchors.others_rate(latest) * uncovered).ceil() as u64;
        let periods = (uncovered / self.terms.untold_for().as_secs_f64()).ceil().max(1.0) as u64;
        let siblings = u64::from(self.terms.workers.saturating_sub(1));
        let siblings = siblings * self.terms.lives_share(allowance) * periods;
        let covered = anchor.at.checked_sub(self.terms.lag).unwrap_or(Timestamp::MIN);
        let lives = if covered <= self.started { self.terms.earlier_lives_share(allowance) } else { 0 };
        let own = self.begun - anchor.included;
        Expected { count: anchor.observed.used + own + others + siblings + lives, others, covered }
    }

    /// Untold calls that this life may have at most.
    fn quota(&self, allowance: u64, now: Timestamp) -> u64 {
        let share = self.terms.share(allowance);
        if now > self.started + self.terms.untold_for() {
            return share; // the calls of earlier lives are told
        }
        share.checked_shr(self.terms.lives).unwrap_or(0).max(LEAST_QUOTA)
    }

    /// Our calls that the org may not have told yet.
    fn untold(&self, now: Timestamp) -> u64 {
        self.begun - self.ended_before(now.as_second() - seconds(self.terms.untold_for()))
    }

    /// When fewer than `quota` calls will be untold, as far as calls have ended.
    fn told_at(&self, quota: u64) -> Option<Timestamp> {
        let wanted = (self.begun + 1).saturating_sub(quota);
        let (second, _) = self.ended.iter().find(|(_, total)| *total >= wanted)?;
        Timestamp::from_second(second + 1 + seconds(self.terms.untold_for())).ok()
    }

    /// Our calls that had ended before the given second began.
    fn ended_before(&self, second: i64) -> u64 {
        self.ended.iter().rev().find(|(ended, _)| *ended < second).map_or(0, |(_, total)| *total)
    }
}

/// Seconds from one moment to another, 0 if the clock went back.
fn between(earlier: Timestamp, later: Timestamp) -> f64 {
    later.duration_since(earlier).as_secs_f64().max(0.0)
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration) -> i64 {
    duration.as_secs() as i64 + i64::from(duration.subsec_nanos() > 0)
}
