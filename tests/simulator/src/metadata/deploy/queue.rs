//! The deploys of an org: one runs, the others wait in the order in which they came.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::apply;
use super::input::Input;
use super::options::{Options, TestLevel};
use super::outcome::Outcome;
use crate::server::OrgState;
use crate::value::Id;

/// How long a validation can be deployed without its zip: ten days ("deployRecentValidation()" of the Metadata API
/// guide).
const VALID_MS: i64 = 10 * 24 * 60 * 60 * 1_000;
/// Deploys that are kept, so that an org that runs for long does not keep all zips that it was sent.
const KEPT: usize = 200;
/// How often whoever waits looks at the clock, which somebody may put ahead.
const LOOK: Duration = Duration::from_millis(5);

/// How far a deploy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Status {
    Pending,
    InProgress,
    Succeeded,
    SucceededPartial,
    Failed,
    Canceling,
    Canceled,
}

impl Status {
    /// As the API names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Succeeded => "Succeeded",
            Self::SucceededPartial => "SucceededPartial",
            Self::Failed => "Failed",
            Self::Canceling => "Canceling",
            Self::Canceled => "Canceled",
        }
    }

    /// Whether nothing more happens.
    pub(crate) fn is_done(self) -> bool {
        matches!(self, Self::Succeeded | Self::SucceededPartial | Self::Failed | Self::Canceled)
    }
}

/// A user, by id and name.
#[derive(Clone, Debug)]
pub(crate) struct By {
    pub(crate) id: Id,
    pub(crate) name: String,
}

/// How a deploy stands.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) status: Status,
    pub(crate) started: Option<i64>,
    pub(crate) completed: Option<i64>,
    /// When something last happened.
    pub(crate) modified: i64,
    pub(crate) canceled_by: Option<By>,
    /// Components.
    pub(crate) total: usize,
    pub(crate) deployed: usize,
    /// What became of it.
    pub(crate) outcome: Option<Arc<Outcome>>,
}

/// A deploy.
#[derive(Debug)]
pub(crate) struct Deploy {
    pub(crate) id: Id,
    pub(crate) options: Options,
    pub(crate) created: i64,
    pub(crate) by: By,
    /// What is deployed; an error where the zip cannot be read.
    input: Result<Input, String>,
    /// How long it takes.
    pace: Duration,
    standing: Mutex<Standing>,
}

impl Deploy {
    /// How it stands now.
    pub(crate) fn standing(&self) -> Standing {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves it on; nothing happens to what is done.
    fn set(&self, status: Status, at: i64, change: impl FnOnce(&mut Standing)) -> bool {
        let mut standing = self.lock();
        if standing.status.is_done() || standing.status == Status::Canceling && status != Status::Canceled {
            return false;
        }
        standing.status = status;
        standing.modified = at;
        if status.is_done() {
            standing.completed = Some(at);
        }
        change(&mut standing);
        true
    }

    /// Whether tests are asked for, or demanded by a production org.
    pub(crate) fn runs_tests(&self) -> bool {
        self.options.test_level.is_some_and(|level| level != TestLevel::None)
    }
}

/// Why a deploy cannot be cancelled, or a validation not be deployed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueueError {
    /// There is no such deploy.
    #[error("invalid cross reference id")]
    Unknown,
    /// It is done.
    #[error("Deploy {0} is completed, and cannot be canceled")]
    Done(String),
    /// It was no validation, failed, is too old, or something was deployed since.
    #[error("{0}")]
    NoValidation(&'static str),
}

/// The deploys of an org.
#[derive(Debug, Default)]
pub(crate) struct Deploys(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    all: VecDeque<Arc<Deploy>>,
    waiting: VecDeque<Arc<Deploy>>,
    /// Whether a thread works on them.
    working: bool,
    made: u64,
}

impl Deploys {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A deploy by its id of 15 or 18 characters.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<Deploy>> {
        let id = Id::parse(id.trim())?;
        self.lock().all.iter().find(|deploy| deploy.id == id).cloned()
    }

    /// All that are kept, as they came.
    pub(crate) fn all(&self) -> Vec<Arc<Deploy>> {
        self.lock().all.iter().cloned().collect()
    }

    /// Takes a deploy in; it runs when those before it are done, as long as `pace`.
    pub(crate) fn add(
        org: &Arc<OrgState>,
        options: Options,
        input: Result<Input, String>,
        by: By,
        pace: Duration,
    ) -> Arc<Deploy> {
        let now = org.clock.now_ms();
        let mut queue = org.deploys.lock();
        queue.made += 1;
        let total = input.as_ref().map_or(0, Input::len);
        let standing = Standing {
            status: Status::Pending,
            started: None,
            completed: None,
            modified: now,
            canceled_by: None,
            total,
            deployed: 0,
            outcome: None,
        };
        let id = Id::new(*b"0Af", queue.made);
        let deploy =
            Arc::new(Deploy { id, options, created: now, by, input, pace, standing: Mutex::new(standing) });
        queue.all.push_back(deploy.clone());
        while queue.all.len() > KEPT
            && queue.all.front().is_some_and(|first| first.standing().status.is_done())
        {
            queue.all.pop_front();
        }
        queue.waiting.push_back(deploy.clone());
        if !queue.working {
            queue.working = true;
            let org = org.clone();
            std::thread::spawn(move || work(&org));
        }
        deploy
    }

    fn next(&self) -> Option<Arc<Deploy>> {
        let mut queue = self.lock();
        let next = queue.waiting.pop_front();
        queue.working = next.is_some();
        next
    }

    /// Cancels a deploy: at once if it waits, soon if it runs.
    pub(crate) fn cancel(&self, id: &str, by: By, now: i64) -> Result<Arc<Deploy>, QueueError> {
        let deploy = self.find(id).ok_or(QueueError::Unknown)?;
        let status = match deploy.standing().status {
            Status::Pending => Status::Canceled,
            _ => Status::Canceling,
        };
        if !deploy.set(status, now, |standing| standing.canceled_by = Some(by)) {
            let standing = deploy.standing();
            if standing.status != Status::Canceling {
                return Err(QueueError::Done(deploy.id.to_string()));
            }
        }
        Ok(deploy)
    }

    /// Deploys what was validated: without tests, since they were run then.
    pub(crate) fn deploy_validated(
        org: &Arc<OrgState>,
        id: &str,
        by: By,
        pace: Duration,
    ) -> Result<Arc<Deploy>, QueueError> {
        let validated = org.deploys.find(id).ok_or(QueueError::Unknown)?;
        let standing = validated.standing();
        if !validated.options.check_only || standing.status != Status::Succeeded {
            return Err(QueueError::NoValidation("The specified id is not that of a successful validation"));
        }
        if !validated.runs_tests() && standing.outcome.as_ref().is_none_or(|outcome| outcome.tests.is_none())
        {
            // "Apex tests ... have been run and passed" is what makes a validation one
            return Err(QueueError::NoValidation("The validation has run no tests, and cannot be deployed"));
        }
        let completed = standing.completed.unwrap_or_default();
        if org.clock.now_ms() - completed > VALID_MS {
            return Err(QueueError::NoValidation("The validation is older than 10 days"));
        }
        let since = org.deploys.all();
        let overtaken = since.iter().any(|other| {
            let other_standing = other.standing();
            !other.options.check_only
                && other_standing.status == Status::Succeeded
                && other_standing.completed.is_some_and(|at| at > completed)
        });
        if overtaken {
            return Err(QueueError::NoValidation("Something was deployed since the validation"));
        }
        let options =
            Options { check_only: false, test_level: Some(TestLevel::None), ..validated.options.clone() };
        Ok(Self::add(org, options, validated.input.clone(), by, pace))
    }
}

fn work(org: &Arc<OrgState>) {
    while let Some(deploy) = org.deploys.next() {
        run(org, &deploy);
    }
}

fn run(org: &OrgState, deploy: &Deploy) {
    wait(org, deploy.pace / 4);
    if !deploy.set(Status::InProgress, org.clock.now_ms(), |standing| {
        standing.started = Some(standing.modified);
    }) {
        return;
    }
    let input = match &deploy.input {
        Ok(input) => input,
        Err(message) => {
            let error = Some(("INVALID_ZIP_FILE", message.clone()));
            finish(org, deploy, Outcome { error, ..Outcome::default() });
            return;
        }
    };
    const STEPS: u32 = 4;
    for step in 1..=STEPS {
        wait(org, deploy.pace * 3 / 4 / STEPS);
        if deploy.standing().status == Status::Canceling {
            deploy.set(Status::Canceled, org.clock.now_ms(), |standing| standing.deployed = 0);
            return;
        }
        let now = org.clock.now_ms();
        deploy.set(Status::InProgress, now, |standing| {
            standing.deployed = standing.total * step as usize / (STEPS as usize + 1);
        });
    }
    // whoever cancels from here on is too late, or in time for nothing to be changed
    let outcome = org.change_at(|world, at| {
        let outcome = apply::run(world, input, &deploy.options, &org.org, at, deploy.by.id);
        let canceled = deploy.standing().status == Status::Canceling;
        if outcome.kept && !deploy.options.check_only && !canceled { Ok(outcome) } else { Err(outcome) }
    });
    if deploy.standing().status == Status::Canceling && outcome.is_err() {
        deploy.set(Status::Canceled, org.clock.now_ms(), |standing| standing.deployed = 0);
        return;
    }
    finish(org, deploy, outcome.unwrap_or_else(|outcome| outcome));
}

fn finish(org: &OrgState, deploy: &Deploy, outcome: Outcome) {
    let failed = !outcome.kept
        || outcome.errors(deploy.options.ignore_warnings) > 0
        || outcome.error.is_some()
        || outcome.tests.as_ref().is_some_and(|tests| tests.failures().next().is_some());
    let status = match (failed, outcome.kept) {
        (false, _) => Status::Succeeded,
        (true, true) => Status::SucceededPartial,
        (true, false) => Status::Failed,
    };
    let now = org.clock.now_ms();
    let deployed = outcome.deployed(deploy.options.ignore_warnings);
    let mut standing = deploy.lock();
    standing.status = status;
    (standing.modified, standing.completed) = (now, Some(now));
    standing.deployed = deployed;
    standing.total = outcome.messages.iter().filter(|message| message.counts()).count().max(standing.total);
    standing.outcome = Some(Arc::new(outcome));
}

/// Waits until the org's clock has gone on for so long.
fn wait(org: &OrgState, time: Duration) {
    let until = org.clock.now_ms() + i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 2);
    while org.clock.now_ms() < until {
        std::thread::sleep(LOOK.min(time));
    }
}
