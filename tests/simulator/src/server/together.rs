//! Several transactions as one change: what an `allOrNone` composite and each graph are.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::state::{OrgState, off_the_runtime};
use crate::store::World;
use crate::store::transaction::{Actor, Options, Transaction};
use crate::value::Id;

/// A change that is under way: its transactions see what those before them did, nobody else does.
#[derive(Debug)]
pub(crate) struct Open {
    world: RefCell<World>,
    /// Milliseconds since 1970.
    at: i64,
    /// Rows that others have locked, and those of them that were needed.
    others: BTreeSet<Id>,
    met: RefCell<BTreeSet<Id>>,
    /// The first object that was written, and whether it is one of set-up.
    first: RefCell<Option<(bool, String)>>,
}

impl Open {
    /// The world as it is by now.
    pub(crate) fn world(&self) -> World {
        self.world.borrow().clone()
    }
}

impl OrgState {
    /// Changes records in several transactions ([`OrgState::transact_in`]): all of it is seen at once, or, if `work`
    /// fails, nothing. Rows that others have locked are waited for: `work` is then done anew, on the world of then.
    pub(crate) fn together<T, E>(&self, mut work: impl FnMut(&Open) -> Result<T, E>) -> Result<T, E> {
        let until = Instant::now() + Duration::from_millis(self.org.settings.limits.lock_wait_ms);
        loop {
            let mut last = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
            *last = self.clock.now_ms().max(*last);
            let open = Open {
                world: RefCell::new(self.now()),
                at: *last,
                others: self.locks.others(None),
                met: RefCell::default(),
                first: RefCell::default(),
            };
            let done = work(&open);
            let met = open.met.into_inner();
            if !met.is_empty() && Instant::now() < until {
                drop(last);
                off_the_runtime(|| self.locks.wait(None, &met, until));
                continue;
            }
            if done.is_ok() {
                *self.world.write().unwrap_or_else(PoisonError::into_inner) = open.world.into_inner();
            }
            return done;
        }
    }

    /// Changes records within a change that is under way, as a user, given by number, does: all of it, or, if `work`
    /// fails, nothing.
    pub(crate) fn transact_in<T, E>(
        &self,
        open: &Open,
        user: usize,
        options: &Options,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let user = self.users.get(user);
        let id = user.as_ref().and_then(|user| Id::parse(user.id.as_deref()?)).unwrap_or(Id::LOWEST);
        let actor = Actor::new(id, |permission| user.as_ref().is_some_and(|user| user.may(permission)));
        let mut world = open.world();
        let doubts = self.org.settings.doubts;
        let mut transaction = Transaction::new(&mut world, actor, open.at - options.late, doubts)
            .with(options)
            .within(self.allowance())
            .after(open.first.borrow().clone());
        transaction.beside(open.others.clone(), false);
        let done = work(&mut transaction);
        let tally = std::mem::take(&mut transaction.tally);
        if done.is_ok() {
            transaction.take_names();
        }
        let first = transaction.first();
        let (met, _) = transaction.locks();
        // where rows of others are in the way, all is done anew
        if met.is_empty() {
            self.firings.add(&tally, done.is_ok());
        }
        open.met.borrow_mut().extend(met);
        if done.is_ok() {
            open.world.replace(world);
            open.first.replace(first);
        }
        done
    }
}
