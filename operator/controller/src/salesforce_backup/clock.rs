//! What the schedule says at this moment. Pure.
//!
//! `status.nextRunTime` is the anchor: once it has passed, one slot is due, the newest. It is not there while
//! the schedule is suspended, so that nothing is caught up on afterwards, and one that the schedule does not
//! have (it was changed) is forgotten.

use jiff::Timestamp;
use jiff::civil::Weekday;
use orgkeep_api::salesforce_backup::{Preset, Schedule as Asked};
use orgkeep_core::schedule::{Due, Rhythm, Schedule, ScheduleError};

/// Hour of presets that name none.
const HOUR_UTC: i32 = 2;

/// What the schedule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// What is due now.
    pub due: Option<Due>,
    /// When it is due next, after that.
    pub next: Option<Timestamp>,
}

/// The schedule of a backup.
pub fn schedule(asked: &Asked, uid: &str, first: Option<Timestamp>) -> Result<Schedule, ScheduleError> {
    match (&asked.preset, &asked.cron) {
        (Some(preset), None) => {
            let rhythm = match preset {
                Preset::Daily => Rhythm::Daily,
                Preset::Every3Days => Rhythm::Every3Days,
                Preset::Weekly => Rhythm::Weekly(Weekday::Sunday),
                Preset::ThreeTimesDaily => Rhythm::ThreeTimesDaily,
            };
            let hour = u8::try_from(asked.hour_utc.unwrap_or(HOUR_UTC)).unwrap_or(0);
            Ok(Schedule::preset(rhythm, hour, uid, first))
        }
        (None, Some(cron)) => Schedule::cron(cron, asked.time_zone.as_deref().unwrap_or("UTC")),
        _ => Err(ScheduleError::NotOne),
    }
}

/// Reads the clock against the schedule.
pub fn moment(schedule: &Schedule, anchor: Option<Timestamp>, now: Timestamp) -> Moment {
    match anchor.filter(|anchor| schedule.is_slot(*anchor)) {
        Some(anchor) if anchor <= now => {
            let before = anchor.checked_sub(jiff::SignedDuration::from_secs(1)).unwrap_or(anchor);
            Moment { due: schedule.due(before, now), next: schedule.next_after(now) }
        }
        Some(anchor) => Moment { due: None, next: Some(anchor) },
        None => Moment { due: None, next: schedule.next_after(now) },
    }
}
