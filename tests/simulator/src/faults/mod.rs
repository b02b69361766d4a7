//! Faults on purpose, by a plan: what a client has to live with when Salesforce, the network or others misbehave.
//!
//! - [`FaultPlan`] is the plan as it is written, in a file or under `/_simulator/faults`.
//! - `engine` tells which fault fires at a call, `words` makes error answers in the form of each API, `csv` and `pages`
//!   damage results, `wire` damages what goes over the wire, `control` is `/_simulator/faults`.

mod control;
mod csv;
mod engine;
mod pages;
mod plan;
mod rows;
mod seen;
mod wire;
mod words;

pub(crate) use control::{answer as control, change};
pub use engine::FaultCount;
pub(crate) use engine::{Faults, Firing};
pub(crate) use pages::{first_path, rest_page, sees_rest_page};
pub use plan::{
    Action, BadCsv, BadPage, BadRows, Change, Close, Cut, Fault, FaultPlan, Framing, JobFault, Match,
    Numbers, Part,
};
pub(crate) use rows::RowFault;
pub(crate) use seen::{Fired, check};
pub(crate) use wire::damage;
pub(crate) use words::answer as error_answer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::web::Answer;

/// Why a plan is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum FaultError {
    #[error("the fault plan cannot be read: {message}")]
    Plan { message: String },
    /// One of its faults, counted from 0.
    #[error("fault {number}: {message}")]
    Fault { number: usize, message: String },
}

/// A fault that a handler is asked to act on, and whether it could.
#[derive(Debug)]
pub(crate) struct Asked {
    action: Arc<Action>,
    /// What `rows` is drawn from.
    seed: u64,
    met: AtomicBool,
    missed: AtomicBool,
}

impl Asked {
    pub(crate) fn new(action: Arc<Action>, seed: u64) -> Self {
        Self { action, seed, met: AtomicBool::new(false), missed: AtomicBool::new(false) }
    }

    /// What the page that is made now is to have wrong.
    pub(crate) fn page(&self) -> Option<BadPage> {
        self.met.fetch_or(self.action.page.is_some(), Ordering::Relaxed);
        self.action.page
    }

    /// What becomes of the job that the call is about.
    pub(crate) fn job(&self) -> Option<&JobFault> {
        self.met.fetch_or(self.action.job.is_some(), Ordering::Relaxed);
        self.action.job.as_ref()
    }

    /// Which rows that the call writes are refused.
    pub(crate) fn rows(&self) -> Option<RowFault> {
        self.met.fetch_or(self.action.rows.is_some(), Ordering::Relaxed);
        self.action.rows.clone().map(|rows| RowFault::new(rows, self.seed))
    }

    /// Tells that there was nothing to act on.
    pub(crate) fn miss(&self) {
        self.missed.store(true, Ordering::Relaxed);
    }

    /// Whether it did not come to what was asked.
    pub(crate) fn came_to_nothing(&self) -> bool {
        let wanted = self.action.page.is_some() || self.action.job.is_some() || self.action.rows.is_some();
        self.missed.load(Ordering::Relaxed) || (wanted && !self.met.load(Ordering::Relaxed))
    }
}

/// Damages the content and the headers of an answer, before it is compressed and sent; also tells whether there was
/// something to damage.
pub(crate) async fn spoil(action: &Action, mut answer: Answer) -> (Answer, bool) {
    let mut found = true;
    if let Some(bad) = action.csv {
        answer = answer.gathered().await;
        let is_csv =
            answer.headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/csv"));
        let content = answer.content().filter(|_| is_csv);
        let spoilt = content.map(|content| csv::spoil(content, bad)).filter(|spoilt| Some(spoilt) != content);
        found &= spoilt.is_some();
        if let Some(spoilt) = spoilt {
            answer.set_content(spoilt);
        }
    }
    if let Some(added) = action.record_count {
        let told = answer.headers.get("sforce-numberofrecords").and_then(|value| value.to_str().ok());
        let told = told.and_then(|told| told.parse::<i64>().ok());
        found &= told.is_some();
        if let Some(told) = told {
            answer = answer.with("sforce-numberofrecords", &told.saturating_add(added).max(0).to_string());
        }
    }
    for (name, value) in &action.headers {
        answer.set_header(name, value);
    }
    if let Some(seconds) = action.retry_after {
        answer = answer.with("retry-after", &seconds.to_string());
    }
    (answer, found)
}
