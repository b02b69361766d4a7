//! Which snapshots of a line are kept; pure.
//!
//! A snapshot is kept if any rule keeps it. Without a rule all are kept. Whatever the rules say, the newest snapshot
//! stays, the newest whole one (nothing missing, nothing unproven) stays, and what is held stays.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// What is to be kept. The default keeps everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Keep what is not older than this.
    pub keep_for: Option<KeepFor>,
    /// Keep at least so many of the newest.
    pub keep_last: Option<u32>,
    /// Keep some of the older ones, ever more sparsely.
    pub generations: Option<Generations>,
}

/// A span of calendar time, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepFor {
    /// Days of 24 hours.
    Days(u32),
    /// Calendar months: from 31 May one month back is 30 April.
    Months(u32),
    /// Calendar years.
    Years(u32),
}

/// Grandfather, father, son: the newest snapshot of each of the last so many days, ISO weeks, months and years (in UTC)
/// that have one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Generations {
    /// Days.
    pub daily: u32,
    /// Weeks, from Monday.
    pub weekly: u32,
    /// Months.
    pub monthly: u32,
    /// Years.
    pub yearly: u32,
}

/// A snapshot, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Its number in the line.
    pub seq: u64,
    /// What point in time it shows.
    pub time: Timestamp,
    /// Whether nothing is missing from it or unproven.
    pub whole: bool,
    /// Whether somebody holds it (legal hold).
    pub held: bool,
}

/// Why a snapshot is kept: the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// There is no rule.
    Unlimited,
    /// Somebody holds it.
    Held,
    /// It is the newest.
    Newest,
    /// It is the newest whole one.
    NewestWhole,
    /// It is young enough.
    KeepFor,
    /// It is among the last.
    KeepLast,
    /// It stands for its day, week, month or year.
    Generation,
}

/// Says of each snapshot, in the order given, why it is kept; `None` for one to retire.
///
/// A span that reaches back beyond the calendar keeps everything.
pub fn plan(snapshots: &[Kept], policy: &Retention, now: Timestamp) -> Vec<Option<Why>> {
    let unlimited = policy.keep_for.is_none() && policy.keep_last.is_none() && policy.generations.is_none();
    // By age, and of one moment by number: the order in which they were committed.
    let mut newest_first: Vec<usize> = (0..snapshots.len()).collect();
    newest_first.sort_by_key(|&at| std::cmp::Reverse((snapshots[at].time, snapshots[at].seq)));
    let last: BTreeSet<usize> =
        newest_first.iter().copied().take(policy.keep_last.unwrap_or(0) as usize).collect();
    let newest_whole = newest_first.iter().copied().find(|&at| snapshots[at].whole);
    let oldest = policy.keep_for.map(|span| back(now, span));
    let generations = policy
        .generations
        .map(|generations| chosen(snapshots, &newest_first, generations))
        .unwrap_or_default();
    let why = |at: usize| {
        let snapshot = &snapshots[at];
        let young = oldest.is_some_and(|oldest| oldest.is_none_or(|oldest| snapshot.time >= oldest));
        [
            (unlimited, Why::Unlimited),
            (snapshot.held, Why::Held),
            (newest_first.first() == Some(&at), Why::Newest),
            (newest_whole == Some(at), Why::NewestWhole),
            (young, Why::KeepFor),
            (last.contains(&at), Why::KeepLast),
            (generations.contains(&at), Why::Generation),
        ]
        .into_iter()
        .find_map(|(applies, why)| applies.then_some(why))
    };
    (0..snapshots.len()).map(why).collect()
}

/// The moment so long before; `None` where the calendar has none.
fn back(now: Timestamp, span: KeepFor) -> Option<Timestamp> {
    let span = match span {
        KeepFor::Days(days) => Span::new().try_hours(i64::from(days) * 24),
        KeepFor::Months(months) => Span::new().try_months(months),
        KeepFor::Years(years) => Span::new().try_years(years),
    };
    Some(now.to_zoned(TimeZone::UTC).checked_sub(span.ok()?).ok()?.timestamp())
}

/// The period that a day is in: a year, and a number in it.
type PeriodOf = fn(Date) -> (i16, i16);

/// What stands for a generation. A whole snapshot goes before one that is not.
fn chosen(snapshots: &[Kept], newest_first: &[usize], generations: Generations) -> BTreeSet<usize> {
    let date = |at: usize| snapshots[at].time.to_zoned(TimeZone::UTC).date();
    let by: [(u32, PeriodOf); 4] = [
        (generations.daily, |date| (date.year(), date.day_of_year())),
        (generations.weekly, |date| (date.iso_week_date().year(), date.iso_week_date().week().into())),
        (generations.monthly, |date| (date.year(), date.month().into())),
        (generations.yearly, |date| (date.year(), 0)),
    ];
    let mut all = BTreeSet::new();
    for (count, period_of) in by {
        let mut periods: Vec<((i16, i16), usize)> = Vec::new();
        for &at in newest_first {
            let period = period_of(date(at));
            if periods.last().is_none_or(|(known, _)| *known != period) {
                if periods.len() == count as usize {
                    break;
                }
                periods.push((period, at));
            } else if let Some((_, best)) = periods.last_mut()
                && snapshots[at].whole
                && !snapshots[*best].whole
            {
                *best = at;
            }
        }
        all.extend(periods.into_iter().map(|(_, at)| at));
    }
    all
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
