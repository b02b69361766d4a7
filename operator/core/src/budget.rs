//! The budget: whether one more call fits below the mark in the org's rolling allowance.
//!
//! The org tells a count of all users' calls in the last 24 hours (`Sforce-Limit-Info`, `limits`), and tells it
//! late: a count may leave out calls of up to [`Budget::lag`] ago, ours and others'. No call begins when
//!
//! > observed count + own calls not yet in it + reserve ≥ mark
//!
//! where the reserve is what the others may have called meanwhile: their highest recent rate times the time that
//! the count does not cover. Any count of the past gives such a bound, the latest counts our calls of the last
//! minutes twice where the org was quick, the first one extrapolates the others for longest; each is an upper
//! bound of the truth as long as the others stay within the rate, so the lowest of them holds.
//!
//! Time comes in as an argument; nothing here sleeps or asks a clock.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

/// Counts are kept as anchors this far apart, and the others' rate is measured between them.
const ANCHOR_SPACING: Duration = Duration::from_secs(30);
/// Anchors kept: with the spacing, the "recent" of the others' highest rate (one hour).
const ANCHORS: usize = 120;

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
pub struct Reached {
    /// The latest count.
    pub observed: Observed,
    /// What the truth may be by now at most: observed, own and reserve.
    pub expected: u64,
    /// The count to stay below.
    pub mark: u64,
}

/// Keeps count of our calls and of what the org told.
#[derive(Debug)]
pub struct Budget {
    max_percent: u8,
    lag: Duration,
    begun: u64,
    /// (second of the epoch, our calls ended up to the end of it), ascending.
    ended: VecDeque<(i64, u64)>,
    ended_total: u64,
    latest: Option<Anchor>,
    anchors: VecDeque<Anchor>,
}

#[derive(Debug, Clone, Copy)]
struct Anchor {
    observed: Observed,
    /// The earliest moment at which the org may have counted: when the call that told it began.
    at: Timestamp,
    /// Our calls that are surely in the count.
    included: u64,
    /// Our calls ended when it was taken: the usual share of ours in the count, for the others' rate.
    ours: u64,
    /// The others' rate since the anchor before, calls per second.
    others_rate: f64,
}

impl Budget {
    /// A budget that stays below `max_percent` (1–100) of the allowance, with counts up to `lag` late.
    pub fn new(max_percent: u8, lag: Duration) -> Self {
        Self {
            max_percent: max_percent.clamp(1, 100),
            lag,
            begun: 0,
            ended: VecDeque::new(),
            ended_total: 0,
            latest: None,
            anchors: VecDeque::new(),
        }
    }

    /// How late the org's count may be.
    pub fn lag(&self) -> Duration {
        self.lag
    }

    /// Our calls begun so far.
    pub fn begun(&self) -> u64 {
        self.begun
    }

    /// What the org told last, and when.
    pub fn observed(&self) -> Option<(Observed, Timestamp)> {
        self.latest.map(|anchor| (anchor.observed, anchor.at))
    }

    /// Books a call if it fits below the mark. Before the org has told any count every call fits.
    pub fn begin(&mut self, now: Timestamp) -> Result<Ticket, Reached> {
        if let Some(reached) = self.reached(now) {
            return Err(reached);
        }
        self.begun += 1;
        Ok(Ticket { began: now })
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
        let mut anchor = Anchor {
            observed,
            at,
            included: self.ended_before(at.as_second() - seconds(self.lag)),
            ours: self.ended_before(at.as_second()),
            others_rate: 0.0,
        };
        let due = self.anchors.back().is_none_or(|last| between(last.at, at) >= ANCHOR_SPACING.as_secs_f64());
        if due {
            if let Some(last) = self.anchors.back() {
                anchor.others_rate = others_rate(last, &anchor);
            }
            self.anchors.push_back(anchor);
            if self.anchors.len() > ANCHORS {
                self.anchors.pop_front();
            }
            // What lies before the lag of the newest anchor is only asked for as a total.
            let keep = at.as_second() - seconds(self.lag);
            while self.ended.len() > 1 && self.ended.get(1).is_some_and(|(second, _)| *second < keep) {
                self.ended.pop_front();
            }
        }
        self.latest = Some(anchor);
    }

    /// Why no call may begin now; `None` if one may.
    pub fn reached(&self, now: Timestamp) -> Option<Reached> {
        let latest = self.latest?;
        let mark = mark(latest.observed.allowance, self.max_percent);
        let expected = self.expected(now)?;
        (expected >= mark).then_some(Reached { observed: latest.observed, expected, mark })
    }

    /// The most that the org's true count may be by now, while the others stay within their recent rate.
    fn expected(&self, now: Timestamp) -> Option<u64> {
        let latest = self.latest?;
        let rate = self.others_highest_rate();
        let bound = self
            .anchors
            .iter()
            .chain([&latest])
            .map(|anchor| {
                let reserve = rate * (self.lag.as_secs_f64() + between(anchor.at, now));
                anchor.observed.used + (self.begun - anchor.included) + reserve.ceil() as u64
            })
            .min()?;
        // Others who called faster than ever before make the old bounds too low; what was told is certain.
        Some(bound.max(latest.observed.used))
    }

    /// The others' highest recent rate, calls per second.
    fn others_highest_rate(&self) -> f64 {
        self.anchors.iter().map(|anchor| anchor.others_rate).fold(0.0, f64::max)
    }

    /// Our calls that had ended before the given second began.
    fn ended_before(&self, second: i64) -> u64 {
        self.ended.iter().rev().find(|(ended, _)| *ended < second).map_or(0, |(_, total)| *total)
    }
}

/// Calls that the others made between two counts, per second. A count that fell (calls of yesterday that rolled
/// out of the window) tells nothing and counts as none.
fn others_rate(earlier: &Anchor, later: &Anchor) -> f64 {
    let all = later.observed.used.saturating_sub(earlier.observed.used);
    let others = all.saturating_sub(later.ours - earlier.ours);
    others as f64 / between(earlier.at, later.at).max(1.0)
}

/// The count to stay below.
fn mark(allowance: u64, max_percent: u8) -> u64 {
    (u128::from(allowance) * u128::from(max_percent) / 100) as u64
}

/// Seconds from one moment to another, 0 if the clock went back.
fn between(earlier: Timestamp, later: Timestamp) -> f64 {
    later.duration_since(earlier).as_secs_f64().max(0.0)
}

fn seconds(duration: Duration) -> i64 {
    duration.as_secs() as i64 + i64::from(duration.subsec_nanos() > 0)
}
