//! Locks on rows: a transaction locks what it writes and the parents that Salesforce locks with it, and whoever wants
//! the same row waits for its end, though not for ever.
//!
//! Transactions of the simulator take no time, so they never meet each other; those of Salesforce last, above all
//! the chunks of Bulk batches. Whoever plays such a one keeps what its transaction has locked: [`Held`] is given
//! back by it and frees the rows as it is dropped. Others wait up to a limit (10 seconds in Salesforce), and then the
//! rows that need what is locked get `UNABLE_TO_LOCK_ROW`.
//!
//! Nobody waits while it has locked anything but under a [`Holder`] of its own, so that two transactions cannot wait
//! for each other; two holders that do end at the limit, as in Salesforce.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::value::Id;

/// How long Salesforce waits for a row that is locked ("Record locking cheat sheet"), in milliseconds.
pub const WAIT_MS: u64 = 10_000;

/// Who holds locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Holder(u64);

/// The locks of an org.
#[derive(Debug, Default)]
pub struct Locks {
    next: AtomicU64,
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Locked rows: who holds them, how many times over.
    rows: Mutex<HashMap<Id, (Holder, u32)>>,
    /// Told whenever rows come free.
    freed: Condvar,
}

impl Inner {
    fn rows(&self) -> MutexGuard<'_, HashMap<Id, (Holder, u32)>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Locks {
    /// A new holder.
    pub fn holder(&self) -> Holder {
        Holder(self.next.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// The rows that others than this holder have locked now.
    pub fn others(&self, holder: Option<Holder>) -> BTreeSet<Id> {
        let rows = self.inner.rows();
        rows.iter().filter(|(_, (known, _))| Some(*known) != holder).map(|(id, _)| *id).collect()
    }

    /// Locks rows for a holder, all of them or, if another has one, none.
    pub fn hold(&self, holder: Holder, ids: &BTreeSet<Id>) -> Option<Held> {
        let mut rows = self.inner.rows();
        if ids.iter().any(|id| rows.get(id).is_some_and(|(known, _)| *known != holder)) {
            return None;
        }
        for id in ids {
            rows.entry(*id).or_insert((holder, 0)).1 += 1;
        }
        Some(Held { inner: self.inner.clone(), ids: ids.iter().copied().collect() })
    }

    /// Waits until nobody else has one of the rows, or until some time has come; whether they are free.
    pub fn wait(&self, holder: Option<Holder>, ids: &BTreeSet<Id>, until: Instant) -> bool {
        let mut rows = self.inner.rows();
        loop {
            let busy = |id: &Id| rows.get(id).is_some_and(|(known, _)| Some(*known) != holder);
            if !ids.iter().any(busy) {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.inner.freed.wait_timeout(rows, left.min(Duration::from_secs(1)));
            rows = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Rows that are locked until this is dropped.
#[derive(Debug)]
pub struct Held {
    inner: Arc<Inner>,
    ids: Vec<Id>,
}

impl Held {
    /// The locked rows, in the order of their ids.
    pub fn ids(&self) -> &[Id] {
        &self.ids
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut rows = self.inner.rows();
        for id in &self.ids {
            if let Some((_, times)) = rows.get_mut(id) {
                *times -= 1;
                if *times == 0 {
                    rows.remove(id);
                }
            }
        }
        drop(rows);
        self.inner.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(serials: &[u64]) -> BTreeSet<Id> {
        serials.iter().map(|serial| Id::new(*b"001", *serial)).collect()
    }

    #[test]
    fn rows_are_locked_together_again_and_until_the_last_is_dropped() {
        let locks = Locks::default();
        let (a, b) = (locks.holder(), locks.holder());
        let first = locks.hold(a, &ids(&[1, 2])).unwrap();
        let second = locks.hold(a, &ids(&[2, 3])).unwrap();
        assert!(locks.hold(b, &ids(&[3, 4])).is_none());
        assert!(locks.hold(b, &ids(&[4])).is_some());
        assert_eq!(locks.others(Some(b)), ids(&[1, 2, 3]));
        assert!(locks.others(Some(a)).is_empty());
        drop(first);
        assert_eq!(locks.others(None), ids(&[2, 3]));
        drop(second);
        assert!(locks.others(None).is_empty());
    }

    #[test]
    fn a_writer_waits_for_the_end_of_another_but_not_for_ever() {
        let locks = Arc::new(Locks::default());
        let (a, b) = (locks.holder(), locks.holder());
        let held = locks.hold(a, &ids(&[1])).unwrap();
        assert!(locks.wait(Some(a), &ids(&[1]), Instant::now()));
        assert!(!locks.wait(Some(b), &ids(&[1]), Instant::now() + Duration::from_millis(20)));
        let waiting = {
            let locks = locks.clone();
            std::thread::spawn(move || locks.wait(None, &ids(&[1]), Instant::now() + Duration::from_secs(60)))
        };
        std::thread::sleep(Duration::from_millis(20));
        drop(held);
        assert!(waiting.join().unwrap());
    }
}
