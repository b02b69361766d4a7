//! What became of rows, in few bytes each.

use std::collections::BTreeMap;

use crate::store::transaction::Refusal;
use crate::value::Id;

/// What became of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Unprocessed,
    Done { id: Id, created: bool },
    Failed { id: Option<Id>, refusal: Refusal },
}

/// What became of the rows of a batch: an id and a byte for each, and words for those that failed.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    rows: Vec<(Id, u8)>,
    refusals: BTreeMap<u32, Refusal>,
}

const UNPROCESSED: u8 = 0;
const CREATED: u8 = 1;
const CHANGED: u8 = 2;
const FAILED: u8 = 3;

impl Outcomes {
    /// Notes the next row.
    pub(crate) fn push(&mut self, outcome: Outcome) {
        let row = match outcome {
            Outcome::Unprocessed => (Id::LOWEST, UNPROCESSED),
            Outcome::Done { id, created } => (id, if created { CREATED } else { CHANGED }),
            Outcome::Failed { id, refusal } => {
                self.refusals.insert(u32::try_from(self.rows.len()).unwrap_or(u32::MAX), refusal);
                (id.unwrap_or(Id::LOWEST), FAILED)
            }
        };
        self.rows.push(row);
    }

    /// How many rows are known.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many of them failed.
    pub(crate) fn failed(&self) -> usize {
        self.refusals.len()
    }

    /// What became of a row; of those that are not known, nothing did.
    pub(crate) fn get(&self, row: usize) -> Outcome {
        let id = |id: Id| (id != Id::LOWEST).then_some(id);
        match self.rows.get(row) {
            Some((id, CREATED)) => Outcome::Done { id: *id, created: true },
            Some((id, CHANGED)) => Outcome::Done { id: *id, created: false },
            Some((known, FAILED)) => {
                let refusal = u32::try_from(row).ok().and_then(|row| self.refusals.get(&row)).cloned();
                let unknown = || Refusal::new("UNKNOWN_EXCEPTION", "the row failed");
                Outcome::Failed { id: id(*known), refusal: refusal.unwrap_or_else(unknown) }
            }
            _ => Outcome::Unprocessed,
        }
    }
}

/// A refusal as it stands in CSV results: `CODE:message:Field, Field --` (seen in results of either API).
pub(crate) fn words(refusal: &Refusal) -> String {
    let Refusal { code, message, fields } = refusal;
    if fields.is_empty() {
        return format!("{code}:{message}:--");
    }
    format!("{code}:{message}:{} --", fields.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_kept_and_worded() {
        let (mut outcomes, id) = (Outcomes::default(), Id::new(*b"001", 7));
        let refusal = Refusal::field("REQUIRED_FIELD_MISSING", "Name", "Required fields are missing: [Name]");
        let all = [
            Outcome::Done { id, created: true },
            Outcome::Failed { id: None, refusal: refusal.clone() },
            Outcome::Unprocessed,
            Outcome::Done { id, created: false },
            Outcome::Failed { id: Some(id), refusal: Refusal::new("DELETE_FAILED", "no") },
        ];
        for outcome in &all {
            outcomes.push(outcome.clone());
        }
        for (row, outcome) in all.iter().enumerate() {
            assert_eq!(outcomes.get(row), *outcome);
        }
        assert_eq!((outcomes.len(), outcomes.failed(), outcomes.get(9)), (5, 2, Outcome::Unprocessed));
        assert_eq!(words(&refusal), "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --");
        assert_eq!(words(&Refusal::new("DELETE_FAILED", "no")), "DELETE_FAILED:no:--");
    }
}
