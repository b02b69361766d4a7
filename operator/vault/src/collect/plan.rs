//! What a collection decides; pure.

use std::time::Duration;

use jiff::Timestamp;
use orgkeep_core::retention::{self, Kept, Retention, Why};

use super::deletions::Retired;
use super::holds::Hold;

/// A snapshot or a void as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numbered {
    pub(super) seq: u64,
    pub(super) digest: String,
    pub(super) run_id: String,
    pub(super) void: bool,
    pub(super) time: Timestamp,
    pub(super) whole: bool,
}

/// What the decision rests on.
pub(super) struct Facts<'a> {
    /// All that is not retired, voids included, lowest first.
    pub(super) standing: &'a [Numbered],
    pub(super) retired: &'a [Retired],
    pub(super) holds: &'a [Hold],
    /// Without one nothing is retired, and only what is held comes back.
    pub(super) policy: Option<&'a Retention>,
    pub(super) now: Timestamp,
    pub(super) grace: Duration,
    /// When the oldest run began that may still go on.
    pub(super) oldest_run: Option<Timestamp>,
}

/// What becomes of the snapshots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// To retire now.
    pub(super) retire: Vec<u64>,
    /// Voids that go with what is swept.
    pub(super) voids: Vec<u64>,
    /// Retired before, and to come back: a rule was lengthened, or somebody holds them.
    pub(super) restore: Vec<u64>,
    /// Retired long enough ago: their files go.
    pub(super) due: Vec<u64>,
    /// Of those, what an earlier collection began to delete.
    pub(super) sweeping: Vec<u64>,
    /// Retired and not due yet, with the moment when they will be.
    pub(super) waiting: Vec<(u64, Timestamp)>,
    /// Kept by a hold alone.
    pub(super) held: Vec<u64>,
    /// Snapshots that stay in the catalog.
    pub(super) kept: u64,
}

/// When a snapshot that was retired then may be deleted.
pub(super) fn due_at(retired_at: Timestamp, grace: Duration) -> Timestamp {
    retired_at.checked_add(grace).unwrap_or(Timestamp::MAX)
}

/// Decides.
pub(super) fn marks(facts: &Facts<'_>) -> Marks {
    let held = |seq: u64| facts.holds.iter().any(|hold| hold.covers(seq));
    let standing = facts
        .standing
        .iter()
        .filter(|numbered| !numbered.void)
        .map(|n| (Kept { seq: n.seq, time: n.time, whole: n.whole, held: held(n.seq) }, None));
    // What is being deleted cannot come back.
    let marked = facts
        .retired
        .iter()
        .filter(|retired| !retired.void && !retired.sweeping)
        .map(|r| (Kept { seq: r.seq, time: r.time, whole: r.whole, held: held(r.seq) }, Some(r)));
    let all: Vec<(Kept, Option<&Retired>)> = standing.chain(marked).collect();
    let snapshots: Vec<Kept> = all.iter().map(|(kept, _)| *kept).collect();
    let words = match facts.policy {
        Some(policy) => retention::plan(&snapshots, policy, facts.now),
        None => all
            .iter()
            .map(|(kept, retired)| match (retired, kept.held) {
                (_, true) => Some(Why::Held),
                (None, false) => Some(Why::Unlimited),
                (Some(_), false) => None,
            })
            .collect(),
    };
    // What would stay if nobody held it.
    let unheld: Vec<Kept> = snapshots.iter().map(|kept| Kept { held: false, ..*kept }).collect();
    let otherwise = facts.policy.map(|policy| retention::plan(&unheld, policy, facts.now));
    let mut marks = Marks::default();
    for (at, ((kept, retired), why)) in all.iter().zip(&words).enumerate() {
        match (retired, why) {
            (None, None) => marks.retire.push(kept.seq),
            (Some(_), Some(_)) => {
                marks.restore.push(kept.seq);
                marks.kept += 1;
            }
            (None, Some(_)) => marks.kept += 1,
            (Some(_), None) => {}
        }
        let alone = otherwise.as_ref().is_some_and(|words| words.get(at).is_some_and(Option::is_none));
        if *why == Some(Why::Held) && alone {
            marks.held.push(kept.seq);
        }
    }
    for retired in facts.retired {
        if marks.restore.contains(&retired.seq) {
            continue;
        }
        let due = due_at(retired.retired_at, facts.grace);
        // A run that may go on rests on what was there when it began.
        let needed = facts.oldest_run.is_some_and(|begun| retired.retired_at >= begun);
        if retired.sweeping || (due <= facts.now && !needed) {
            marks.due.push(retired.seq);
            if retired.sweeping {
                marks.sweeping.push(retired.seq);
            }
        } else if !retired.void {
            marks.waiting.push((retired.seq, due));
        }
    }
    // The highest number of all stays, or it would be given twice; a void above the newest snapshot may still be
    // what stops a writer that was thought dead.
    let newest = facts.standing.iter().filter(|n| !n.void).map(|n| n.seq).max();
    marks.voids = facts
        .standing
        .iter()
        .filter(|n| n.void && newest.is_some_and(|newest| n.seq < newest))
        .map(|n| n.seq)
        .collect();
    marks
}

/// What a file is, by its place in a line's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// Below `objects/`, of an attempt of that run.
    OfRun(&'a str),
    /// Below `objects/`, of an attempt at the erasure of that number.
    OfErasure(u64),
    /// Below `blobs/`: any run may use it.
    Shared,
    /// Something that is not ours to judge.
    Unknown,
}

/// What a file is; `rest` is its path in the line's folder.
pub(super) fn place(rest: &str) -> Place<'_> {
    let steps: Vec<&str> = rest.split('/').collect();
    match steps.as_slice() {
        ["blobs", _, _] => Place::Shared,
        ["objects", _, attempt, ..] => {
            let Some((run, number)) = attempt.rsplit_once('.') else { return Place::Unknown };
            if number.parse::<u32>().is_err() {
                return Place::Unknown;
            }
            match run.strip_prefix("erase-").and_then(|number| number.parse().ok()) {
                Some(number) => Place::OfErasure(number),
                None => Place::OfRun(run),
            }
        }
        _ => Place::Unknown,
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
