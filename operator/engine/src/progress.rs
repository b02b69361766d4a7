//! How far a run is: one tracker that every task writes to and that is read without a lock.
//!
//! Counters are atomics because encoders on blocking threads and fetchers on the runtime touch them for every
//! chunk; only the names of the objects at work are behind a mutex.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use orgkeep_core::run::Progress;

/// Shared by all tasks of a run; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Tracker(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    objects_total: AtomicU32,
    objects_done: AtomicU32,
    records: AtomicU64,
    records_expected: AtomicU64,
    bytes: AtomicU64,
    api_calls: AtomicU64,
    at_work: Mutex<Vec<String>>,
}

impl Tracker {
    /// The plan is known: so many objects and about so many rows.
    pub fn planned(&self, objects: u32, rows: u64) {
        self.0.objects_total.store(objects, Ordering::Relaxed);
        self.0.records_expected.store(rows, Ordering::Relaxed);
    }

    /// Work on an object begins.
    pub fn object_begins(&self, name: &str) {
        self.0.at_work.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
    }

    /// An object is done (captured, or given up).
    pub fn object_done(&self, name: &str) {
        self.0.at_work.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| other != name);
        self.0.objects_done.fetch_add(1, Ordering::Relaxed);
    }

    /// Rows were encoded.
    pub fn add_records(&self, rows: u64) {
        self.0.records.fetch_add(rows, Ordering::Relaxed);
    }

    /// Bytes were written to the vault.
    pub fn add_bytes(&self, bytes: u64) {
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The client's own count of calls so far.
    pub fn set_api_calls(&self, calls: u64) {
        self.0.api_calls.store(calls, Ordering::Relaxed);
    }

    /// The state at this moment.
    pub fn snapshot(&self) -> Progress {
        let inner = &*self.0;
        let (done, total) =
            (inner.objects_done.load(Ordering::Relaxed), inner.objects_total.load(Ordering::Relaxed));
        let (records, expected) =
            (inner.records.load(Ordering::Relaxed), inner.records_expected.load(Ordering::Relaxed));
        Progress {
            objects_total: total,
            objects_done: done,
            records,
            bytes: inner.bytes.load(Ordering::Relaxed),
            percent: percent(done, total, records, expected),
            // The one that began first: small ones come and go beside it.
            current_object: inner
                .at_work
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .first()
                .cloned()
                .unwrap_or_default(),
            updated_at: Timestamp::now().to_string(),
            api_calls: inner.api_calls.load(Ordering::Relaxed),
        }
    }
}

/// By rows where the org told how many there are, else by objects; 100 only when every object is done.
fn percent(done: u32, total: u32, records: u64, expected: u64) -> u8 {
    if total > 0 && done >= total {
        return 100;
    }
    let (part, whole) = if expected > 0 { (records, expected) } else { (u64::from(done), u64::from(total)) };
    if whole == 0 {
        return 0;
    }
    u8::try_from((part.saturating_mul(100) / whole).min(99)).unwrap_or(99)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_is_by_rows_and_ends_with_the_last_object() {
        for ((done, total, records, expected), want) in [
            ((0, 0, 0, 0), 0),
            ((0, 4, 0, 200), 0),
            ((1, 4, 50, 200), 25),
            ((3, 4, 900, 200), 99), // the org's count was only approximate
            ((4, 4, 150, 200), 100),
            ((1, 4, 0, 0), 25),
        ] {
            assert_eq!(percent(done, total, records, expected), want, "{done}/{total} {records}/{expected}");
        }
    }

    #[test]
    fn a_snapshot_sums_what_was_told() {
        let tracker = Tracker::default();
        tracker.planned(2, 10);
        tracker.object_begins("Account");
        tracker.add_records(5);
        tracker.add_bytes(100);
        tracker.object_begins("Contact");
        tracker.object_done("Account");
        let progress = tracker.snapshot();
        assert_eq!((progress.percent, progress.objects_done, progress.bytes), (50, 1, 100));
        assert_eq!(progress.current_object, "Contact");
    }
}
