//! Names of what the operator makes: deterministic, and short enough.
//!
//! An Indexed Job's pods get `<job>-<index>` as their host name, which must fit 63 characters: a Snapshot has
//! at most [`MAX_SNAPSHOT_NAME`], its Job three more (`-r1`), the index three more (`-31`).

use xxhash_rust::xxh3::xxh3_64;

/// Longest name of a SalesforceConnection, BackupVault or SalesforceBackup.
pub const MAX_NAME: usize = 40;
/// Longest name of a Snapshot: that of its backup, and `-yyyymmdd-hhmm`.
pub const MAX_SNAPSHOT_NAME: usize = MAX_NAME + 14;

/// Name of the Snapshot for a slot; `slot` as `yyyymmdd-hhmm`.
pub fn snapshot(backup: &str, slot: &str) -> String {
    format!("{backup}-{slot}")
}

/// Name of a Snapshot from the catalog when `snapshot` is taken by another one: told apart by a hash of what it
/// shows.
pub fn catalog_snapshot(backup: &str, line_id: &str, snapshot_id: &str) -> String {
    let hash = xxh3_64(format!("{line_id}/{snapshot_id}").as_bytes());
    let kept: String = backup.chars().take(MAX_SNAPSHOT_NAME - 17).collect();
    let kept = kept.trim_end_matches('-');
    let kept = if kept.is_empty() { "snapshot" } else { kept };
    format!("{kept}-{hash:016x}")
}

/// Name of the Job (and its ConfigMap) of a Snapshot's n-th worker.
pub fn run_job(snapshot: &str, attempt: i32) -> String {
    format!("{snapshot}-r{attempt}")
}

/// Name of the Job that reads the record of a run whose last word was missed.
pub fn record_job(snapshot: &str) -> String {
    format!("{snapshot}-record")
}

/// Name of the Job that probes a SalesforceConnection.
pub fn connection_probe(connection: &str) -> String {
    format!("{connection}-sfc-probe")
}

/// Name of the Job that probes a BackupVault.
pub fn vault_probe(vault: &str) -> String {
    format!("{vault}-bv-probe")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_names_fit_a_host_name() {
        let backup = "b".repeat(MAX_NAME);
        let slot = snapshot(&backup, "20260131-0203");
        assert_eq!(slot.len(), MAX_SNAPSHOT_NAME);
        assert!(format!("{}-31", run_job(&slot, 9)).len() <= 63);
        assert!(record_job(&slot).len() <= 63);
        assert!(connection_probe(&backup).len() <= 63 && vault_probe(&backup).len() <= 63);
        assert!(catalog_snapshot(&slot, "line", "7").len() <= MAX_SNAPSHOT_NAME);
    }

    #[test]
    fn catalog_names_tell_lines_apart_and_stay_valid() {
        assert_ne!(catalog_snapshot("acme", "a", "1"), catalog_snapshot("acme", "b", "1"));
        assert_eq!(catalog_snapshot("acme", "a", "1"), catalog_snapshot("acme", "a", "1"));
        assert!(catalog_snapshot("", "a", "1").starts_with("snapshot-"));
        assert!(!catalog_snapshot(&format!("{}-x", "a".repeat(36)), "a", "1").contains("--"));
    }
}
