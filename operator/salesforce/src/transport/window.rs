//! The window of calls in flight: so many at once, urgent ones first.
//!
//! Salesforce ends calls when too many long ones run in an org, so a worker is given a share. A job's status
//! must not wait behind pages that take minutes, so urgent waiters are served before the others.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

/// Shared by all calls of a client.
#[derive(Debug, Clone)]
pub(crate) struct Window(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    urgent: VecDeque<oneshot::Sender<Slot>>,
    others: VecDeque<oneshot::Sender<Slot>>,
}

/// A place in the window; given on when dropped.
#[derive(Debug)]
pub(crate) struct Slot(Option<Window>);

impl Window {
    /// A window of at least one place.
    pub(crate) fn new(places: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            free: places.max(1),
            urgent: VecDeque::new(),
            others: VecDeque::new(),
        })))
    }

    /// Waits for a place.
    pub(crate) async fn enter(&self, urgent: bool) -> Slot {
        loop {
            let turn = {
                let mut state = self.state();
                if state.free > 0 {
                    state.free -= 1;
                    return Slot(Some(self.clone()));
                }
                let (sender, turn) = oneshot::channel();
                if urgent {
                    state.urgent.push_back(sender);
                } else {
                    state.others.push_back(sender);
                }
                turn
            };
            // The sender is dropped only with the window itself, which this call keeps alive.
            if let Ok(slot) = turn.await {
                return slot;
            }
        }
    }

    /// Hands a place to the next that still waits. A slot that comes back because its waiter went away is taken
    /// apart here instead of dropped, as its drop would come back to this lock.
    fn leave(&self) {
        let mut state = self.state();
        while let Some(waiter) = state.urgent.pop_front().or_else(|| state.others.pop_front()) {
            match waiter.send(Slot(Some(self.clone()))) {
                Ok(()) => return,
                Err(mut unclaimed) => drop(unclaimed.0.take()),
            }
        }
        state.free += 1;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(window) = self.0.take() {
            window.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn urgent_calls_are_served_first() {
        let window = Window::new(1);
        let held = window.enter(false).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for (name, urgent) in [("page", false), ("status", true)] {
            let (window, order) = (window.clone(), order.clone());
            tasks.push(tokio::spawn(async move {
                let _slot = window.enter(urgent).await;
                order.lock().unwrap().push(name);
            }));
            tokio::task::yield_now().await;
        }
        drop(held);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), ["status", "page"]);
    }

    #[tokio::test]
    async fn a_waiter_that_goes_away_loses_no_place() {
        let window = Window::new(1);
        let held = window.enter(false).await;
        let gone = tokio::time::timeout(Duration::from_millis(5), window.enter(true)).await;
        assert!(gone.is_err());
        drop(held);
        let again = tokio::time::timeout(Duration::from_secs(5), window.enter(false)).await;
        assert!(again.is_ok());
    }
}
