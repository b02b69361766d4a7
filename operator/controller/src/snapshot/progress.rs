//! Which of the worker's words go into the status: those that say something new, and not too often. Pure.

use jiff::Timestamp;
use orgkeep_api::run_status::ProgressStatus;

use crate::shared::time::{parse, seconds_between};

/// Two writes of a run's progress are at least so far apart, seconds.
const APART: u64 = 5;

/// The progress to show.
pub fn next(old: Option<ProgressStatus>, new: Option<ProgressStatus>) -> Option<ProgressStatus> {
    match (old, new) {
        (old, None) => old,
        (None, new) => new,
        (Some(old), Some(new)) => Some(if is_news(&old, &new) { new } else { old }),
    }
}

fn is_news(old: &ProgressStatus, new: &ProgressStatus) -> bool {
    // The time alone is no news: a worker that waits for the org should not be written about.
    let same = ProgressStatus { updated_at: old.updated_at.clone(), ..new.clone() } == *old;
    if same {
        return false;
    }
    let planned = old.objects_total == 0 && new.objects_total > 0;
    let at = |progress: &ProgressStatus| -> Option<Timestamp> { parse(&progress.updated_at) };
    match (at(old), at(new)) {
        (Some(before), Some(after)) => {
            // A worker that was made again has another clock, perhaps one that is behind.
            planned || after < before || seconds_between(before, after) >= APART
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(second: i64, records: i64) -> ProgressStatus {
        let updated_at = crate::shared::time::rfc3339(Timestamp::from_second(second).unwrap());
        ProgressStatus { objects_total: 9, records, updated_at, ..ProgressStatus::default() }
    }

    #[test]
    fn news_is_shown_and_seldom() {
        for (old, new, shown) in [
            (progress(100, 5), progress(104, 9), 5),
            (progress(100, 5), progress(105, 9), 9),
            (progress(100, 5), progress(500, 5), 5),
            // Made again, with a clock that is behind.
            (progress(100, 5), progress(90, 0), 0),
            (ProgressStatus { objects_total: 0, ..progress(100, 0) }, progress(101, 1), 1),
        ] {
            let next = next(Some(old.clone()), Some(new.clone())).unwrap();
            assert_eq!(next.records, shown, "{old:?} {new:?}");
        }
        assert_eq!(next(Some(progress(1, 1)), None), Some(progress(1, 1)));
        assert_eq!(next(None, Some(progress(1, 1))), Some(progress(1, 1)));
        let same = next(Some(progress(100, 5)), Some(progress(900, 5))).unwrap();
        assert_eq!(same.updated_at, progress(100, 5).updated_at);
    }
}
