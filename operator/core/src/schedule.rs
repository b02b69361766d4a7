//! When a backup is due: presets in UTC, or cron in a time zone. Pure: the time comes in as an argument.
//!
//! **Clock changes.** A cron expression speaks of what a clock on the wall shows. Where that clock is put
//! forward, a time that it skips is shifted by as much (02:30 becomes 03:30); where it is put back, a time that
//! it shows twice counts once, the first time. Presets are in UTC, which has neither.
//!
//! **Missed slots.** Whatever the number of slots that passed unseen, [`Schedule::due`] gives one, the newest.

use jiff::civil::{DateTime, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use xxhash_rust::xxh3::xxh3_64;

/// Presets are spread over so many seconds.
const SPREAD_SECONDS: u64 = 600;
/// Longest a clock was ever put forward at once is a day (Samoa, 2011).
const LONGEST_GAP: SignedDuration = SignedDuration::from_hours(25);
/// Ends every search; far more steps than any expression takes.
const MOST_STEPS: usize = 10_000;
/// Windows in which the newest slot is looked for, hours: the smallest that holds one is walked through.
const WINDOWS: [i64; 5] = [1, 24, 8 * 24, 32 * 24, 366 * 24];

/// Why a schedule makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The expression cannot be read.
    #[error("cron expression {expression:?} cannot be read: {why}")]
    Cron {
        /// What was given.
        expression: String,
        /// What the parser says, on one line.
        why: String,
    },
    /// There is no such time zone.
    #[error("time zone {0:?} is not known; use an IANA name such as Europe/Berlin")]
    TimeZone(String),
    /// Neither preset nor cron, or both.
    #[error("exactly one of preset and cron must be given")]
    NotOne,
    /// It can be read and is never due, such as the 30th of February.
    #[error("cron expression {0:?} is never due")]
    Never(String),
}

/// Usual rhythms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rhythm {
    /// Once a day.
    Daily,
    /// Every third day, counted from the first run.
    Every3Days,
    /// Once a week.
    Weekly(Weekday),
    /// Every eight hours.
    ThreeTimesDaily,
}

/// When a backup is due.
#[derive(Debug, Clone)]
pub struct Schedule(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Preset { rhythm: Rhythm, hour: i64, spread: i64, first: Option<Timestamp> },
    Cron { crontab: Box<cronexpr::Crontab>, zone: TimeZone },
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The newest slot that passed.
    pub slot: Timestamp,
    /// Whether slots before it passed unseen, too; they are left out.
    pub missed: bool,
}

impl Schedule {
    /// A preset at `hour_utc`; `uid` spreads it, `first` is the first run of all, once there was one.
    pub fn preset(rhythm: Rhythm, hour_utc: u8, uid: &str, first: Option<Timestamp>) -> Self {
        let spread = i64::try_from(xxh3_64(uid.as_bytes()) % SPREAD_SECONDS).unwrap_or(0);
        Self(Kind::Preset { rhythm, hour: i64::from(hour_utc.min(23)), spread, first })
    }

    /// Five fields of cron, in a time zone.
    pub fn cron(expression: &str, time_zone: &str) -> Result<Self, ScheduleError> {
        let wrong = |why: String| {
            // The parser draws a marker below the text; a condition's message is one line.
            let why =
                why.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
            ScheduleError::Cron { expression: expression.to_owned(), why }
        };
        let zone = TimeZone::get(time_zone).map_err(|_| ScheduleError::TimeZone(time_zone.to_owned()))?;
        if expression.split_ascii_whitespace().count() != 5 {
            return Err(wrong("it must have five fields".to_owned()));
        }
        // Read as if the wall clock were UTC: clock changes are ours, see above.
        let crontab = cronexpr::parse_crontab(&format!("{expression} UTC"))
            .map_err(|error| wrong(error.to_string()))?;
        // A leap day is the rarest there is: from 1897, the longest stretch without one is eight years.
        let schedule = Self(Kind::Cron { crontab: Box::new(crontab), zone });
        match schedule.next_after(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(schedule),
            None => Err(ScheduleError::Never(expression.to_owned())),
        }
    }

    /// The first slot after a time; `None` where there is none within years.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.0 {
            Kind::Preset { rhythm, hour, spread, first } => {
                next_of_preset(*rhythm, *hour, *spread, *first, after)
            }
            Kind::Cron { crontab, zone } => next_of_cron(crontab, zone, after),
        }
    }

    /// Whether a time is a slot.
    pub fn is_slot(&self, at: Timestamp) -> bool {
        let before = at.checked_sub(SignedDuration::from_secs(1)).ok();
        before.and_then(|before| self.next_after(before)) == Some(at)
    }

    /// What became due after `after`, up to and with `now`: one slot at most, the newest.
    pub fn due(&self, after: Timestamp, now: Timestamp) -> Option<Due> {
        let first = self.next_after(after).filter(|slot| *slot <= now)?;
        let begin = WINDOWS
            .iter()
            .filter_map(|hours| now.checked_sub(SignedDuration::from_hours(*hours)).ok())
            .find(|begin| self.next_after(*begin).is_some_and(|slot| slot <= now))
            .map_or(after, |begin| begin.max(after));
        let mut slot = first;
        let mut at = begin;
        for _ in 0..MOST_STEPS {
            match self.next_after(at).filter(|next| *next <= now) {
                Some(next) => (slot, at) = (next, next),
                None => break,
            }
        }
        Some(Due { slot, missed: first < slot })
    }
}

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

fn next_of_preset(
    rhythm: Rhythm,
    hour: i64,
    spread: i64,
    first: Option<Timestamp>,
    after: Timestamp,
) -> Option<Timestamp> {
    let today = after.as_second().div_euclid(DAY);
    let first_day = first.map(|first| first.as_second().div_euclid(DAY));
    let fits = |day: i64| match rhythm {
        Rhythm::Daily | Rhythm::ThreeTimesDaily => true,
        Rhythm::Every3Days => first_day.is_none_or(|first| (day - first).rem_euclid(3) == 0),
        // The first day of the epoch was a Thursday, the third from Monday.
        Rhythm::Weekly(weekday) => (day + 3).rem_euclid(7) == i64::from(weekday.to_monday_zero_offset()),
    };
    let hours: &[i64] = match rhythm {
        Rhythm::ThreeTimesDaily => &[0, 8, 16],
        _ => &[0],
    };
    // The last slot of yesterday's round may fall into today.
    (today - 1..=today + 8)
        .filter(|day| fits(*day))
        .flat_map(|day| hours.iter().map(move |more| day * DAY + (hour + more) * HOUR + spread))
        .find(|second| *second > after.as_second())
        .and_then(|second| Timestamp::from_second(second).ok())
}

/// Walks over the times on the wall. Where the clock was put forward, shifted times may come before or after
/// others, so that the walk begins before the gap, and goes on until the least is known.
fn next_of_cron(crontab: &cronexpr::Crontab, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    let changed = zone
        .preceding(after)
        .next()
        .is_some_and(|change| after.duration_since(change.timestamp()) < LONGEST_GAP);
    let begin = if changed { after.checked_sub(LONGEST_GAP).ok()? } else { after };
    let mut wall = zone.to_datetime(begin);
    let mut least: Option<Timestamp> = None;
    for _ in 0..MOST_STEPS {
        wall = next_on_wall(crontab, wall)?;
        let ambiguous = zone.to_ambiguous_timestamp(wall);
        let skipped = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
        let at = ambiguous.compatible().ok()?;
        if at <= after {
            continue;
        }
        least = Some(least.map_or(at, |least| least.min(at)));
        if !skipped {
            break;
        }
    }
    least
}

fn next_on_wall(crontab: &cronexpr::Crontab, wall: DateTime) -> Option<DateTime> {
    let as_utc = TimeZone::UTC.to_timestamp(wall).ok()?;
    // The parser's search ends after four years; 1 March 1896 to 29 February 1904 is the longest there is.
    let found = crontab.find_next(as_utc).or_else(|_| {
        let later = as_utc.checked_add(SignedDuration::from_hours(4 * 365 * 24)).unwrap_or(as_utc);
        crontab.find_next(later)
    });
    found.ok().map(|found| found.datetime())
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
