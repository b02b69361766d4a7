//! Retrieves that run: each takes as long as jobs of the Bulk API do here, and keeps its zip until it is fetched.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::catalog::{Catalog, Person};
use super::retrieve::{Gathered, RetrieveError, Wanted, gather};
use crate::store::World;
use crate::value::Id;

/// How long a retrieve is kept, in milliseconds: a day or so [K].
const LIFE_MS: i64 = 24 * 3_600_000;

/// The retrieves of an org.
#[derive(Debug, Default)]
pub(crate) struct Retrieves(Mutex<(u64, BTreeMap<Id, Arc<Retrieve>>)>);

/// Where a retrieve is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Pending,
    InProgress,
    Done,
}

/// A retrieve.
pub(crate) struct Retrieve {
    pub(crate) id: Id,
    wanted: Wanted,
    /// The org as it was when the retrieve was asked for; gone when it is done.
    world: Mutex<Option<World>>,
    admin: Id,
    people: Vec<Person>,
    started_ms: i64,
    takes_ms: i64,
    done: OnceLock<Result<Gathered, RetrieveError>>,
    /// The zip, until it is fetched.
    zip: Mutex<Option<Vec<u8>>>,
}

impl std::fmt::Debug for Retrieve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Retrieve").field("id", &self.id.short()).finish_non_exhaustive()
    }
}

impl Retrieves {
    /// Begins a retrieve of an org as it is, at a time in milliseconds since 1970.
    pub(crate) fn add(
        &self,
        wanted: Wanted,
        world: World,
        (admin, people): (Id, Vec<Person>),
        now_ms: i64,
        takes: Duration,
    ) -> Arc<Retrieve> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.1.retain(|_, retrieve| now_ms - retrieve.started_ms < LIFE_MS);
        kept.0 += 1;
        let id = Id::new(*b"09S", kept.0);
        let retrieve = Arc::new(Retrieve {
            id,
            wanted,
            world: Mutex::new(Some(world)),
            admin,
            people,
            started_ms: now_ms,
            takes_ms: i64::try_from(takes.as_millis()).unwrap_or(i64::MAX),
            done: OnceLock::new(),
            zip: Mutex::new(None),
        });
        kept.1.insert(id, retrieve.clone());
        retrieve
    }

    /// A retrieve by its id.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<Retrieve>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.get(&Id::parse(id)?).cloned()
    }
}

impl Retrieve {
    /// Where it is at a time in milliseconds since 1970.
    pub(crate) fn status(&self, now_ms: i64) -> Status {
        let runs = now_ms - self.started_ms;
        if runs >= self.takes_ms {
            Status::Done
        } else if runs * 3 >= self.takes_ms {
            Status::InProgress
        } else {
            Status::Pending
        }
    }

    /// What it gathered, when it is done.
    pub(crate) fn result(&self) -> &Result<Gathered, RetrieveError> {
        self.done.get_or_init(|| {
            let world = self.world.lock().unwrap_or_else(PoisonError::into_inner).take();
            match world {
                Some(world) => {
                    let catalog = Catalog::new(&world, self.admin).with_people(&self.people);
                    let mut gathered = gather(&catalog, &self.wanted)?;
                    let zip = std::mem::take(&mut gathered.zip);
                    *self.zip.lock().unwrap_or_else(PoisonError::into_inner) = Some(zip);
                    Ok(gathered)
                }
                None => Err(RetrieveError::Unwritable("the retrieve was interrupted".to_owned())),
            }
        })
    }

    /// Takes the zip, which can be had once; none where that was.
    pub(crate) fn take_zip(&self) -> Option<Vec<u8>> {
        self.zip.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
