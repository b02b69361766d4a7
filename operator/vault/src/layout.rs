//! Where things lie in a vault. Paths are relative to it.

use crate::error::{Result, VaultError};

/// Version of the layout and of every document in it that this code writes.
pub(crate) const FORMAT_VERSION: u32 = 1;
/// The vault's own document (mutable).
pub(crate) const VAULT: &str = "vault.json";
/// Folder of the lines.
pub(crate) const LINES: &str = "lines";
/// Digits of a sequence number in a path.
const SEQ_DIGITS: usize = 10;

/// Checks a name that becomes one step of a path.
pub(crate) fn name(name: &str) -> Result<&str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 200 || name.starts_with('.') || !name.chars().all(plain) {
        return Err(VaultError::InvalidName(name.to_owned()));
    }
    Ok(name)
}

pub(crate) fn line(line: &str) -> String {
    format!("{LINES}/{line}")
}

/// Mutable.
pub(crate) fn line_document(line: &str) -> String {
    format!("{LINES}/{line}/line.json")
}

/// Mutable.
pub(crate) fn lease(line: &str) -> String {
    format!("{LINES}/{line}/lease.json")
}

/// Mutable.
pub(crate) fn epoch(line: &str) -> String {
    format!("{LINES}/{line}/epoch.json")
}

/// Mutable documents of a line that go with its history wherever that goes: whose it is, what must be kept, what was
/// retired. Leases and counts of sweeps do not.
pub(crate) fn documents(line: &str) -> [String; 3] {
    ["line", "holds", "deletions"].map(|name| format!("{LINES}/{line}/{name}.json"))
}

/// Folder of the redactions of a line.
pub(crate) fn redactions(line: &str) -> String {
    format!("{LINES}/{line}/redactions/")
}

/// Mutable.
pub(crate) fn deletions(line: &str) -> String {
    format!("{LINES}/{line}/deletions.json")
}

/// Mutable.
pub(crate) fn holds(line: &str) -> String {
    format!("{LINES}/{line}/holds.json")
}

/// Runs that may not go on.
pub(crate) fn all_closed(line: &str) -> String {
    format!("{LINES}/{line}/closed/")
}

/// That a run may not go on.
pub(crate) fn closed(line: &str, run: &str) -> String {
    format!("{LINES}/{line}/closed/{run}.json")
}

/// A redaction.
pub(crate) fn redaction(line: &str, number: u64) -> String {
    format!("{LINES}/{line}/redactions/{number:0SEQ_DIGITS$}.json")
}

pub(crate) fn snapshots(line: &str) -> String {
    format!("{LINES}/{line}/snapshots/")
}

pub(crate) fn snapshot(line: &str, seq: u64) -> String {
    format!("{LINES}/{line}/snapshots/{seq:0SEQ_DIGITS$}.json")
}

/// The number in the path of a snapshot.
pub(crate) fn seq_of(path: &str) -> Option<u64> {
    let name = path.rsplit('/').next()?.strip_suffix(".json")?;
    if name.len() == SEQ_DIGITS { name.parse().ok() } else { None }
}

pub(crate) fn object_folder(line: &str, object: &str, run: &str, attempt: u32) -> String {
    format!("{LINES}/{line}/objects/{object}/{run}.{attempt}")
}

/// A blob, in a folder by the first two characters of its name.
pub(crate) fn blob(line: &str, name: &str) -> String {
    format!("{LINES}/{line}/blobs/{}/{name}", name.get(..2).unwrap_or_default())
}

/// A list of blobs, by the hex of its digest.
pub(crate) fn blob_list(line: &str, sha256: &str) -> String {
    format!("{LINES}/{line}/blobs/lists/{sha256}.json")
}

pub(crate) fn run(line: &str, run: &str) -> String {
    format!("{LINES}/{line}/runs/{run}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_one_step() {
        for good in ["Account", "Invoice__c", "run-1", "0001.part"] {
            assert_eq!(name(good).unwrap(), good);
        }
        for bad in ["", "..", ".tmp", "a/b", "a b", "ä"] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_come_back_from_paths() {
        assert_eq!(snapshot("l", 7), "lines/l/snapshots/0000000007.json");
        assert_eq!(seq_of(&snapshot("l", 7)), Some(7));
        assert_eq!(seq_of("lines/l/snapshots/7.json"), None);
    }
}
