//! What lives while the simulator runs.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::passing::Passing;
use crate::auth::Sessions;
use crate::automation::Firings;
use crate::bulk::{Facts, IngestJobs, Jobs, Locators};
use crate::bulk1;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::limits::OrgLimits;
use crate::log::RequestLog;
use crate::metadata::{Deploys, Retrieves};
use crate::org::{Org, Site, Users};
use crate::rest::{Cursors, Derived};
use crate::store::World;
use crate::store::locks::{Held, Locks};
use crate::store::transaction::{Actor, Allowance, Options, Transaction, Usernames};
use crate::value::Id;

/// The whole simulator.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) orgs: Vec<Arc<OrgState>>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) sessions: Sessions,
    pub(crate) log: Arc<RequestLog>,
    pub(crate) locators: Locators,
    pub(crate) bulk_job: Duration,
    pub(crate) facts: Facts,
    pub(crate) faults: Faults,
    /// What requests without a Host header are taken to be for.
    pub(crate) host: String,
}

/// One org.
#[derive(Debug)]
pub(crate) struct OrgState {
    pub(crate) number: usize,
    pub(crate) org: Site,
    /// Its users as they are now; `org.settings` has them as they were loaded.
    pub(crate) users: Users,
    pub(crate) limits: OrgLimits,
    pub(crate) cursors: Cursors,
    pub(crate) derived: Derived,
    pub(crate) jobs: Jobs,
    /// Who fired how often.
    pub(crate) firings: Firings,
    pub(crate) bulk1_jobs: bulk1::Jobs,
    pub(crate) retrieves: Retrieves,
    pub(crate) ingest_jobs: IngestJobs,
    pub(crate) deploys: Deploys,
    pub(crate) clock: Arc<Clock>,
    pub(super) passing: Passing,
    /// Rows that transactions which go on for a while have locked.
    pub(crate) locks: Locks,
    /// The user names of all orgs.
    usernames: Arc<Usernames>,
    pub(super) world: RwLock<World>,
    /// Held by the one transaction that runs: the time of the last one, in milliseconds since 1970.
    pub(super) changing: Mutex<i64>,
}

impl OrgState {
    /// Schema and rows as they are now. Take it once per call: two of them may differ.
    pub(crate) fn now(&self) -> World {
        self.world.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes schema or rows: one change at a time, all of it seen at once, or, if `work` fails, none of it.
    /// Whoever reads meanwhile is not held up. `work` must not call this itself.
    pub(crate) fn change<T, E>(&self, work: impl FnOnce(&mut World) -> Result<T, E>) -> Result<T, E> {
        self.change_at(|world, _| work(world))
    }

    /// The same; `work` is told what time it is (milliseconds since 1970), which never goes back.
    pub(crate) fn change_at<T, E>(&self, work: impl FnOnce(&mut World, i64) -> Result<T, E>) -> Result<T, E> {
        let mut last = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut world = self.now();
        *last = self.clock.now_ms().max(*last);
        let done = work(&mut world, *last)?;
        *self.world.write().unwrap_or_else(PoisonError::into_inner) = world;
        Ok(done)
    }

    /// Changes records as a user, given by number, does: all of it, or, if `work` fails, nothing. With `late`
    /// (milliseconds) the records are stamped as if the transaction had begun so long before its end, as long
    /// transactions do. Rows that others have locked are waited for: `work` is then done anew, on the world of then.
    pub(crate) fn transact<T, E>(
        &self,
        user: usize,
        late: i64,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.transact_with(user, &Options { late, ..Options::default() }, work)
    }

    /// The same, made as a call wants it.
    pub(crate) fn transact_with<T, E>(
        &self,
        user: usize,
        options: &Options,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.run(user, options, false, work).0
    }

    /// The same, for a transaction that goes on for a while: what it wrote is seen, but until `Held` is dropped, nobody
    /// else writes the rows that it has locked. Whoever has several such transactions at once gives them one holder
    /// ([`Options::holder`]), or drops the first before it begins the next.
    pub(crate) fn transact_held<T, E>(
        &self,
        user: usize,
        options: &Options,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T, E>,
    ) -> (Result<T, E>, Option<Held>) {
        self.run(user, options, true, work)
    }

    fn run<T, E>(
        &self,
        user: usize,
        options: &Options,
        keep: bool,
        mut work: impl FnMut(&mut Transaction<'_>) -> Result<T, E>,
    ) -> (Result<T, E>, Option<Held>) {
        let user = self.users.get(user);
        let id = user.as_ref().and_then(|user| Id::parse(user.id.as_deref()?)).unwrap_or(Id::LOWEST);
        let actor = Actor::new(id, |permission| user.as_ref().is_some_and(|user| user.may(permission)));
        let settings = &self.org.settings;
        let holder = options.holder.unwrap_or_else(|| self.locks.holder());
        let wait = options.lock_wait_ms.unwrap_or(settings.limits.lock_wait_ms);
        let until = Instant::now() + Duration::from_millis(wait);
        loop {
            let mut last = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
            let mut world = self.now();
            *last = self.clock.now_ms().max(*last);
            let others = self.locks.others(Some(holder));
            let mut transaction = Transaction::new(&mut world, actor, *last - options.late, settings.doubts)
                .with(options)
                .within(self.allowance());
            transaction.beside(others, keep);
            let done = work(&mut transaction);
            let tally = std::mem::take(&mut transaction.tally);
            if done.is_ok() {
                transaction.take_names();
            }
            let (met, taken) = transaction.locks();
            if !met.is_empty() && Instant::now() < until {
                drop(last);
                off_the_runtime(|| self.locks.wait(Some(holder), &met, until));
                continue;
            }
            self.firings.add(&tally, done.is_ok());
            if done.is_ok() {
                *self.world.write().unwrap_or_else(PoisonError::into_inner) = world;
            }
            let held = if keep && done.is_ok() { self.locks.hold(holder, &taken) } else { None };
            return (done, held);
        }
    }
}

impl OrgState {
    pub(super) fn allowance(&self) -> Allowance {
        let settings = &self.org.settings;
        Allowance {
            data_mb: Some(settings.limits.data_storage_mb),
            file_mb: Some(settings.limits.file_storage_mb),
            person_accounts: settings.person_accounts,
            usernames: Some((self.usernames.clone(), self.number)),
        }
    }
}

/// Waits without keeping a thread from those who serve other calls.
pub(super) fn off_the_runtime<T>(wait: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current() {
        Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => {
            tokio::task::block_in_place(wait)
        }
        _ => wait(),
    }
}

/// What the start line tells of an org; never a secret.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrgInfo {
    /// Id of 18 characters.
    pub id: String,
    /// Name.
    pub name: String,
    /// Where to sign in.
    pub login_url: String,
    /// The first connected app.
    pub client_id: Option<String>,
}

impl State {
    pub(super) fn new(
        orgs: Vec<Org>,
        host: String,
        log: Arc<RequestLog>,
        bulk_job: Duration,
        facts: Facts,
    ) -> Self {
        let clock = Arc::new(Clock::default());
        let usernames = Arc::new(Usernames::default());
        let with_state = |(number, org): (usize, Org)| {
            let (org, mut world) = org.into_parts();
            world.database.surroundings_mut().clock = Some(clock.clone());
            usernames.take(&world, number);
            Arc::new(OrgState {
                number,
                users: Users::new(&org.settings.users),
                limits: OrgLimits::new(&org.settings, &clock),
                cursors: Cursors::new(clock.clone()),
                derived: Derived::default(),
                jobs: Jobs::new(clock.clone()),
                firings: Firings::default(),
                bulk1_jobs: bulk1::Jobs::default(),
                retrieves: Retrieves::default(),
                ingest_jobs: IngestJobs::default(),
                deploys: Deploys::default(),
                passing: Passing::new(&clock),
                clock: clock.clone(),
                locks: Locks::default(),
                usernames: usernames.clone(),
                world: RwLock::new(world),
                changing: Mutex::default(),
                org,
            })
        };
        Self {
            orgs: orgs.into_iter().enumerate().map(with_state).collect(),
            sessions: Sessions::new(clock.clone()),
            clock,
            log,
            locators: Locators::new(),
            bulk_job,
            facts,
            faults: Faults::default(),
            host,
        }
    }

    /// Sign-in goes to the address itself; with several orgs each has a path of its own, since they may know the
    /// same app and user.
    pub(super) fn infos(&self, address: &str) -> Vec<OrgInfo> {
        let several = self.orgs.len() > 1;
        let info = |org: &Arc<OrgState>| {
            let id = org.org.id().to_owned();
            let login_url = if several { format!("{address}/o/{id}") } else { address.to_owned() };
            let settings = &org.org.settings;
            let client_id = settings.connected_apps.first().map(|app| app.client_id.clone());
            OrgInfo { id, name: settings.name.clone(), login_url, client_id }
        };
        self.orgs.iter().map(info).collect()
    }

    /// The org that a path begins with (`/o/<id>`), and the rest of the path.
    pub(crate) fn split_path<'a>(&self, path: &'a str) -> (Option<usize>, &'a str) {
        let split = path.strip_prefix("/o/").and_then(|rest| {
            let (id, _) = rest.split_once('/')?;
            let org =
                self.orgs.iter().find(|org| org.org.id() == id || org.org.id().get(..15) == Some(id))?;
            Some((Some(org.number), &rest[id.len()..]))
        });
        split.unwrap_or((None, path))
    }
}
