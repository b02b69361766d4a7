//! Counts that the org told, kept as anchors of later bounds.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use super::{Observed, between};

/// Anchors are kept this far apart, and the others' rate is measured between them.
const SPACING: Duration = Duration::from_secs(30);
/// Anchors kept: with the spacing, the "recent" of the others' highest rate (one hour).
const KEPT: usize = 120;
/// The org's window, seconds.
const DAY: f64 = 86_400.0;

/// A count with what we knew when it was told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Anchor {
    pub(super) observed: Observed,
    /// The earliest moment at which the org may have counted: when the call that told it began.
    pub(super) at: Timestamp,
    /// Our calls that are surely in the count.
    pub(super) included: u64,
    /// Our calls ended when it was taken: the usual share of ours in the count, for the others' rate.
    pub(super) ours: u64,
    /// The others' rate since the anchor before, calls per second.
    pub(super) others_rate: f64,
}

/// The anchors of the last hour.
#[derive(Debug, Default)]
pub(super) struct Anchors(VecDeque<Anchor>);

impl Anchors {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Anchor> {
        self.0.iter()
    }

    /// Keeps an anchor if the last one is old enough.
    pub(super) fn keep(&mut self, mut anchor: Anchor) -> bool {
        if let Some(last) = self.0.back() {
            if between(last.at, anchor.at) < SPACING.as_secs_f64() {
                return false;
            }
            anchor.others_rate = rate(last, &anchor);
        }
        self.0.push_back(anchor);
        if self.0.len() > KEPT {
            self.0.pop_front();
        }
        true
    }

    /// The others' highest recent rate, calls per second: at least the average of the day, which the count itself
    /// tells.
    pub(super) fn others_rate(&self, latest: &Anchor) -> f64 {
        let average = latest.observed.used.saturating_sub(latest.ours) as f64 / DAY;
        self.0.iter().map(|anchor| anchor.others_rate).fold(average, f64::max)
    }
}

/// Calls that the others made between two counts, per second. A count that fell (calls of yesterday that rolled
/// out of the window) tells nothing and counts as none.
fn rate(earlier: &Anchor, later: &Anchor) -> f64 {
    let all = later.observed.used.saturating_sub(earlier.observed.used);
    let others = all.saturating_sub(later.ours.saturating_sub(earlier.ours));
    others as f64 / between(earlier.at, later.at).max(1.0)
}
