//! Who fired how often: kept beside the world, so that a refusal is counted although nothing comes of it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::Kind;

/// E-mails that are kept; older ones are only counted.
const KEPT: usize = 1_000;

/// What an automation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Records for which it fired: its condition held.
    pub fired: u64,
    /// Records that it refused.
    pub refused: u64,
    /// E-mails that it sent.
    pub emails: u64,
}

/// An e-mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// Who sent it: `WorkflowRule Case.Tell`.
    pub by: String,
    /// To whom.
    pub to: String,
    /// About what.
    pub subject: String,
    /// About which record.
    pub record: String,
    /// When, in milliseconds since 1970.
    pub at: i64,
}

/// What happened in one transaction.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub(super) told: BTreeMap<(Kind, String), Told>,
    pub(super) mails: Vec<Mail>,
}

impl Tally {
    /// E-mails that are sent when the transaction ends well.
    pub fn mails(&self) -> &[Mail] {
        &self.mails
    }

    /// What an automation did.
    pub fn told(&self, kind: Kind, full_name: &str) -> Told {
        self.told.get(&(kind, full_name.to_owned())).copied().unwrap_or_default()
    }

    pub(super) fn note(&mut self, kind: Kind, full_name: &str, change: impl FnOnce(&mut Told)) {
        change(self.told.entry((kind, full_name.to_owned())).or_default());
    }
}

/// What happened since the start, or since somebody began to count anew.
#[derive(Debug, Default)]
pub(crate) struct Firings(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    told: BTreeMap<(Kind, String), Told>,
    mails: VecDeque<Mail>,
    sent: u64,
}

impl Firings {
    /// Adds a transaction; e-mails of one that came to nothing are not sent.
    pub(crate) fn add(&self, tally: &Tally, done: bool) {
        if tally.told.is_empty() {
            return;
        }
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, told) in &tally.told {
            let known = seen.told.entry(name.clone()).or_default();
            known.fired += told.fired;
            known.refused += told.refused;
        }
        if !done {
            return;
        }
        for mail in &tally.mails {
            if let Some((kind, full_name)) = tally.told.keys().find(|(kind, name)| mail.is_by(*kind, name)) {
                seen.told.entry((*kind, full_name.clone())).or_default().emails += 1;
            }
            seen.sent += 1;
            if seen.mails.len() == KEPT {
                seen.mails.pop_front();
            }
            seen.mails.push_back(mail.clone());
        }
    }

    /// What an automation did.
    pub(crate) fn of(&self, kind: Kind, full_name: &str) -> Told {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.told.get(&(kind, full_name.to_owned())).copied().unwrap_or_default()
    }

    /// How many e-mails were sent, and the last of them.
    pub(crate) fn mails(&self) -> (u64, Vec<Mail>) {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (seen.sent, seen.mails.iter().cloned().collect())
    }

    /// Begins to count anew.
    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Seen::default();
    }
}

impl Mail {
    /// The sender as mails name it.
    pub(super) fn sender(kind: Kind, full_name: &str) -> String {
        format!("{} {full_name}", kind.name())
    }

    fn is_by(&self, kind: Kind, full_name: &str) -> bool {
        self.by == Self::sender(kind, full_name)
    }
}
