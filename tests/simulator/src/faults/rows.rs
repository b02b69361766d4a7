//! Rows that are refused by the plan, whatever is in them: locks that others hold, most of all.

use super::engine::{contains, drawn};
use super::plan::BadRows;
use crate::store::transaction::Refusal;

/// Status codes that rows can be given.
const CODES: [&str; 16] = [
    "UNABLE_TO_LOCK_ROW",
    "TOO_MANY_LOCK_FAILURE",
    "UNKNOWN_EXCEPTION",
    "SERVER_UNAVAILABLE",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
    "CANNOT_EXECUTE_FLOW_TRIGGER",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION",
    "DUPLICATES_DETECTED",
    "STORAGE_LIMIT_EXCEEDED",
    "INSUFFICIENT_ACCESS_OR_READONLY",
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
    "INVALID_CROSS_REFERENCE_KEY",
    "ENTITY_IS_DELETED",
    "DELETE_FAILED",
    "DUPLICATE_VALUE",
    "REQUIRED_FIELD_MISSING",
];

/// Whether rows can be given a status code.
pub(super) fn is_known(code: &str) -> bool {
    CODES.contains(&code)
}

/// Which rows of a call or a job are refused, and how.
#[derive(Clone, Debug)]
pub(crate) struct RowFault {
    rows: BadRows,
    seed: u64,
}

impl RowFault {
    pub(super) fn new(rows: BadRows, seed: u64) -> Self {
        Self { rows, seed }
    }

    /// The refusal of a row, by its number in the call or the job (from 1) and the text of its values.
    pub(crate) fn refusal(&self, number: u64, text: &[u8]) -> Option<Refusal> {
        let rows = &self.rows;
        let hit = rows.n.as_ref().is_none_or(|n| n.has(number))
            && rows.every.is_none_or(|every| number.is_multiple_of(every))
            && rows.chance.is_none_or(|chance| drawn(self.seed, 0, number) < chance)
            && rows.text.as_ref().is_none_or(|wanted| contains(text, wanted));
        if !hit {
            return None;
        }
        let code = CODES.iter().find(|code| **code == rows.error).copied().unwrap_or("UNKNOWN_EXCEPTION");
        let message = rows.message.clone().unwrap_or_else(|| match code {
            "UNABLE_TO_LOCK_ROW" => {
                "unable to obtain exclusive access to this record or 1 records".to_owned()
            }
            _ => format!("refused by the fault plan: {code}"),
        });
        Some(Refusal::new(code, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::FaultPlan;

    fn hits(rows: &str) -> Vec<u64> {
        let plan = FaultPlan::from_yaml(&format!("faults: [{{do: {{rows: {rows}}}}}]")).unwrap();
        let fault = RowFault::new(plan.faults[0].r#do.rows.clone().unwrap(), 7);
        (1..=1_000).filter(|row| fault.refusal(*row, format!("name {row}").as_bytes()).is_some()).collect()
    }

    #[test]
    fn rows_are_chosen_by_number_share_and_text() {
        assert_eq!(hits("{n: [3, 5]}"), [3, 5]);
        assert_eq!(hits("{every: 400}"), [400, 800]);
        assert_eq!(hits("{text: NAME 77}").len(), 11);
        assert!((50..150).contains(&hits("{chance: 0.1}").len()));
        assert_eq!(hits("{chance: 0.1}"), hits("{chance: 0.1, error: DUPLICATE_VALUE}"));
        let wrong = FaultPlan::from_yaml("faults: [{do: {rows: {error: NOTHING}}}]").unwrap_err();
        assert!(wrong.to_string().contains("no status code"), "{wrong}");
    }
}
