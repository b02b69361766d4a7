//! The ledger: what a run proves about each object before it may say `Succeeded`.
//!
//! Rows are counted by different code at each station (the org's page headers, the decoder, the file writer,
//! the org's own `count()`), and only if the stations agree is the object complete.

use serde::{Deserialize, Serialize};

/// Counts of one object in one run, each taken at another station.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectLedger {
    /// Rows that the API said it delivered (sum of page headers, or `totalSize`).
    pub delivered: u64,
    /// Rows that came out of the decoder.
    pub decoded: u64,
    /// Rows in the files, by the files' own footers as read back.
    pub written: u64,
    /// Rows that the org counted, if it answered a `count()`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted: Option<u64>,
    /// Rows created, or deleted, in the window of the read: by so many may `counted` differ.
    pub moved: u64,
    /// Files whose stored bytes were compared with their digest.
    pub files_checked: u64,
    /// Files written.
    pub files: u64,
}

/// What the ledger says of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "verdict")]
pub enum Verdict {
    /// All stations agree.
    Proven,
    /// Stations disagree, or one is missing.
    Unproven {
        /// What does not balance, for a person.
        why: String,
    },
}

impl ObjectLedger {
    /// Holds the stations against each other.
    pub fn verdict(&self) -> Verdict {
        let why = if self.delivered != self.decoded {
            format!("the org delivered {} rows, {} were decoded", self.delivered, self.decoded)
        } else if self.decoded != self.written {
            format!("{} rows were decoded, {} stand in the files", self.decoded, self.written)
        } else if self.files_checked != self.files {
            format!("{} of {} files were compared with their digest", self.files_checked, self.files)
        } else {
            match self.counted {
                None => "the org did not answer a count".to_owned(),
                Some(counted) if counted.abs_diff(self.written) > self.moved => format!(
                    "the org counts {counted} rows, {} were captured, and only {} moved meanwhile",
                    self.written, self.moved
                ),
                Some(_) => return Verdict::Proven,
            }
        };
        Verdict::Unproven { why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balanced() -> ObjectLedger {
        ObjectLedger {
            delivered: 7,
            decoded: 7,
            written: 7,
            counted: Some(7),
            moved: 0,
            files_checked: 2,
            files: 2,
        }
    }

    #[test]
    fn what_balances_is_proven() {
        assert_eq!(balanced().verdict(), Verdict::Proven);
        assert_eq!(ObjectLedger { counted: Some(0), ..ObjectLedger::default() }.verdict(), Verdict::Proven);
        assert_eq!(ObjectLedger { counted: Some(9), moved: 2, ..balanced() }.verdict(), Verdict::Proven);
    }

    #[test]
    fn each_station_that_disagrees_is_named() {
        for (ledger, word) in [
            (ObjectLedger { delivered: 8, ..balanced() }, "delivered 8"),
            (ObjectLedger { written: 6, ..balanced() }, "6 stand in the files"),
            (ObjectLedger { files_checked: 1, ..balanced() }, "1 of 2 files"),
            (ObjectLedger { counted: None, ..balanced() }, "did not answer a count"),
            (ObjectLedger { counted: Some(9), moved: 1, ..balanced() }, "only 1 moved"),
        ] {
            let Verdict::Unproven { why } = ledger.verdict() else { panic!("{ledger:?} passed") };
            assert!(why.contains(word), "{why}");
        }
    }
}
