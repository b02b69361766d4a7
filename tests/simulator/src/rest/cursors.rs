//! Queries with pages to come.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::versions::reached;
use crate::clock::Clock;
use crate::soql::Cursor;
use crate::value::Id;

/// How long a cursor lives, and since which API version: before it was a quarter of an hour after the last use,
/// and ten cursors for a user.
const LIFE: Duration = Duration::from_hours(48);
const SINCE: u16 = 56;
const EARLIER_LIFE: Duration = Duration::from_mins(15);
const EARLIER_MOST: usize = 10;

/// Queries with pages to come.
#[derive(Debug)]
pub(crate) struct Cursors {
    clock: Arc<Clock>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    last: u64,
    by_id: HashMap<Id, Entry>,
}

#[derive(Debug)]
struct Entry {
    user: String,
    /// Milliseconds since 1970.
    used: i64,
    earlier: bool,
    page: u64,
    cursor: Arc<Cursor>,
}

impl Entry {
    fn lives(&self, now: i64) -> bool {
        let life = if self.earlier { EARLIER_LIFE } else { LIFE };
        u128::try_from(now - self.used).unwrap_or_default() < life.as_millis()
    }
}

impl Cursors {
    /// None yet.
    pub(crate) fn new(clock: Arc<Clock>) -> Self {
        Self { clock, open: Mutex::default() }
    }

    /// Keeps a cursor whose pages have so many rows.
    pub(super) fn add(&self, user: &str, version: &str, page: u64, cursor: &Arc<Cursor>) -> Id {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now_ms();
        open.by_id.retain(|_, entry| entry.lives(now));
        let earlier = !reached(version, SINCE);
        if earlier {
            let mut own: Vec<(i64, Id)> = open
                .by_id
                .iter()
                .filter(|(_, entry)| entry.earlier && entry.user == user)
                .map(|(id, entry)| (entry.used, *id))
                .collect();
            own.sort_unstable();
            let surplus = (own.len() + 1).saturating_sub(EARLIER_MOST);
            for (_, id) in own.into_iter().take(surplus) {
                open.by_id.remove(&id);
            }
        }
        open.last += 1;
        let id = Id::new(*b"01g", open.last);
        let entry = Entry { user: user.to_owned(), used: now, earlier, page, cursor: cursor.clone() };
        open.by_id.insert(id, entry);
        id
    }

    /// The cursor and the size of its pages; only whoever opened it may read on.
    pub(super) fn find(&self, id: Id, user: &str) -> Option<(Arc<Cursor>, u64)> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now_ms();
        let entry = open.by_id.get_mut(&id).filter(|entry| entry.user == user && entry.lives(now))?;
        if entry.earlier {
            entry.used = now;
        }
        Some((entry.cursor.clone(), entry.page))
    }

    /// Ends them all, as time would.
    pub(crate) fn end_all(&self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).by_id.clear();
    }
}
