use kube::core::DeserializeGuard;
use serde_json::{Value, json};

use super::*;
use crate::shared::testing::at;

fn vault(keep: i32) -> BackupVault {
    let vault = json!({"metadata": {"name": "main", "namespace": "n"},
        "spec": {"volume": {"claimName": "c"}, "encryption": {"disabled": true}, "catalog": {"keep": keep}}});
    serde_json::from_value(vault).unwrap()
}

fn entry(line: &str, id: &str, name: &str) -> CatalogEntry {
    CatalogEntry {
        line_id: line.into(),
        snapshot_id: id.into(),
        namespace: "n".into(),
        backup_name: "acme".into(),
        snapshot_name: name.into(),
        phase: "Succeeded".into(),
        start_time: format!("2026-05-0{id}T02:00:00Z"),
        ..CatalogEntry::default()
    }
}

fn known(objects: Vec<Value>) -> Vec<Guarded<Snapshot>> {
    objects
        .into_iter()
        .map(|object| serde_json::from_value::<DeserializeGuard<Snapshot>>(object).unwrap())
        .collect()
}

fn made(keep: i32, entries: Vec<CatalogEntry>, objects: Vec<Value>) -> Vec<String> {
    let found = missing(&vault(keep), &Catalog { snapshots: entries }, &known(objects));
    found.iter().map(|missing| missing.object.name_any()).collect()
}

#[test]
fn the_newest_of_each_line_come_back_under_their_names() {
    let entries = vec![entry("a", "1", "a-1"), entry("a", "2", "a-2"), entry("b", "1", "b-1")];
    assert_eq!(made(1, entries.clone(), vec![]), ["a-2", "b-1"]);
    assert_eq!(made(100, entries.clone(), vec![]).len(), 3);
    assert!(made(0, entries, vec![]).is_empty());
}

#[test]
fn what_an_object_shows_is_not_made_again() {
    let by_status = json!({"metadata": {"name": "acme-x"}, "spec": {"backupRef": {"name": "acme"}},
        "status": {"phase": "Succeeded", "lineId": "a", "snapshotId": "1"}});
    assert!(made(9, vec![entry("a", "1", "acme-x")], vec![by_status]).is_empty());
    let by_spec = json!({"metadata": {"name": "other"}, "status": {"phase": "Succeeded"},
        "spec": {"vaultRef": {"name": "main"}, "lineId": "a", "snapshotId": "1"}});
    assert!(made(9, vec![entry("a", "1", "acme-x")], vec![by_spec]).is_empty());
    // Made, but its status was never written.
    let bare = json!({"metadata": {"name": "other", "uid": "u"},
        "spec": {"vaultRef": {"name": "main"}, "lineId": "a", "snapshotId": "1"}});
    assert_eq!(made(9, vec![entry("a", "1", "acme-x")], vec![bare]), ["other"]);
}

#[test]
fn a_run_that_is_about_to_say_so_is_left_alone() {
    let running = json!({"metadata": {"name": "a-1"}, "spec": {"backupRef": {"name": "acme"}},
        "status": {"phase": "InProgress"}});
    assert!(made(9, vec![entry("a", "1", "a-1")], vec![running]).is_empty());
}

#[test]
fn a_name_that_is_taken_or_no_name_gets_another() {
    let failed = json!({"metadata": {"name": "a-1"}, "spec": {"backupRef": {"name": "acme"}},
        "status": {"phase": "Failed"}});
    let unreadable = json!({"metadata": {"name": "a-2"}, "spec": {"mode": 3}});
    let entries = vec![entry("a", "1", "a-1"), entry("a", "2", "a-2"), entry("a", "3", "Not A Name")];
    for name in made(9, entries, vec![failed, unreadable]) {
        assert!(name.starts_with("acme-") && name.len() == "acme-".len() + 16, "{name}");
    }
}

#[test]
fn another_namespaces_backup_is_not_referred_to() {
    let mut foreign = entry("a", "1", "a-1");
    foreign.namespace = "elsewhere".into();
    let found = missing(&vault(9), &Catalog { snapshots: vec![foreign] }, &[]);
    let object = &found[0].object;
    assert_eq!(object.spec.backup_ref, None);
    assert!(!object.labels().contains_key(labels::BACKUP));
    orgkeep_api::validate(object).unwrap();
}

#[test]
fn the_status_says_what_the_manifest_does() {
    let mut partial = entry("a", "1", "a-1");
    partial.phase = "PartiallySucceeded".into();
    partial.counts.records = 5;
    let status = status("main", &partial, Some(1), at("2026-05-02T00:00:00Z"));
    assert_eq!(status.phase.as_deref(), Some("PartiallySucceeded"));
    assert_eq!(status.counts.unwrap().records, 5);
    let types: Vec<_> = status.conditions.iter().map(|c| (c.type_.as_str(), c.status.as_str())).collect();
    assert_eq!(types, [("Ready", "False"), ("Stalled", "True")]);
}
