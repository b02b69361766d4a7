//! What a journal says of one write: pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::intents::{Entry, Step};

/// Where a Bulk job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JobStep {
    /// Its making was asked for; whether it was made is not known.
    Asked(Timestamp),
    /// Made, not wholly uploaded: it has written nothing.
    Made(String),
    /// Uploaded; it may have begun.
    Uploaded(String),
    /// Given up before it began.
    Left,
}

/// A job of a part, with the hash of its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobRecord {
    pub(crate) content: String,
    pub(crate) step: JobStep,
}

/// Where the making of a record stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MakeStep {
    /// Asked for at the org's time.
    Asked(Timestamp),
    /// Made.
    Made(String),
}

/// A record that was asked for, with the hash of what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MakeRecord {
    pub(crate) content: String,
    pub(crate) step: MakeStep,
}

/// A write as its journal tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct WriteState {
    /// Jobs by part and number.
    pub(crate) jobs: BTreeMap<(u32, u32), JobRecord>,
    /// Parts whose outcomes are kept, with the hash of their rows.
    pub(crate) done: BTreeMap<u32, String>,
    /// Records by the caller's name of the row; those that were surely not made are left out.
    pub(crate) makes: HashMap<String, MakeRecord>,
    /// Ids of all jobs that the journal knows, of this and other writes.
    pub(crate) known_jobs: BTreeSet<String>,
    /// Ids of all records that the journal knows to be made, of this and other writes.
    pub(crate) known_records: BTreeSet<String>,
}

impl WriteState {
    /// Reads a journal.
    pub(crate) fn of(entries: &[Entry], write: &str) -> Self {
        let mut state = Self::default();
        for entry in entries {
            state.knows(&entry.step);
            if entry.write == write {
                state.take(&entry.step);
            }
        }
        state
    }

    fn knows(&mut self, step: &Step) {
        match step {
            Step::JobMade { job, .. } => drop(self.known_jobs.insert(job.clone())),
            Step::Made { id, .. } => drop(self.known_records.insert(id.clone())),
            _ => {}
        }
    }

    /// Follows a step.
    pub(crate) fn take(&mut self, step: &Step) {
        self.knows(step);
        let mut job = |part: &u32, number: &u32, step: JobStep| {
            if let Some(record) = self.jobs.get_mut(&(*part, *number)) {
                record.step = step;
            }
        };
        match step {
            Step::JobAsked { part, number, content, at } => {
                let record = JobRecord { content: content.clone(), step: JobStep::Asked(*at) };
                self.jobs.insert((*part, *number), record);
            }
            Step::JobMade { part, number, job: id } => job(part, number, JobStep::Made(id.clone())),
            Step::JobUploaded { part, number, job: id } => job(part, number, JobStep::Uploaded(id.clone())),
            Step::JobLeft { part, number, .. } => job(part, number, JobStep::Left),
            Step::PartDone { part, content } => {
                self.done.insert(*part, content.clone());
                self.jobs.retain(|(of, _), _| of != part);
            }
            Step::MakeAsked { key, content, at, .. } => {
                let record = MakeRecord { content: content.clone(), step: MakeStep::Asked(*at) };
                self.makes.insert(key.clone(), record);
            }
            Step::Made { key, id } => {
                if let Some(record) = self.makes.get_mut(key) {
                    record.step = MakeStep::Made(id.clone());
                }
            }
            Step::NotMade { key } => drop(self.makes.remove(key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_step_of_each_counts_and_other_writes_are_only_known() {
        let at = Timestamp::UNIX_EPOCH;
        let entry = |write: &str, step| Entry { write: write.to_owned(), step };
        let made = |job: &str| Step::JobMade { part: 0, number: 0, job: job.into() };
        let asked = Step::JobAsked { part: 0, number: 0, content: "h".into(), at };
        let make =
            |key: &str| Step::MakeAsked { key: key.into(), object: "Order".into(), content: "c".into(), at };
        let entries = [
            entry("a", asked.clone()),
            entry("a", made("1")),
            entry("b", asked.clone()),
            entry("b", made("2")),
            entry("a", Step::JobLeft { part: 0, number: 0, job: "1".into() }),
            entry("a", asked),
            entry("a", make("x")),
            entry("a", make("y")),
            entry("a", Step::Made { key: "x".into(), id: "801x".into() }),
            entry("a", Step::NotMade { key: "y".into() }),
            entry("b", Step::Made { key: "x".into(), id: "801b".into() }),
        ];
        let state = WriteState::of(&entries, "a");
        assert_eq!(state.jobs[&(0, 0)], JobRecord { content: "h".into(), step: JobStep::Asked(at) });
        assert_eq!(state.makes["x"].step, MakeStep::Made("801x".into()));
        assert!(!state.makes.contains_key("y"));
        assert_eq!(state.known_jobs, BTreeSet::from(["1".to_owned(), "2".to_owned()]));
        assert_eq!(state.known_records.len(), 2);
        let done = [entry("a", Step::PartDone { part: 0, content: "p".into() })];
        let state = WriteState::of(&[&entries[..], &done].concat(), "a");
        assert!(state.jobs.is_empty() && state.done[&0] == "p");
    }
}
