//! Erasing: what was erased is in no byte of the vault any more, and all else is as it was.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/every_byte.rs"]
mod every_byte;
#[path = "support/faulty.rs"]
mod faulty;
mod support;
#[path = "support/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use every_byte::{left, left_of};
use faulty::{FAULTS, Faulty};
use orgkeep_core::run::{Completeness, Counts};
use orgkeep_vault::copy::copy;
use orgkeep_vault::erase::{Erased, Ids, Options, erase};
use orgkeep_vault::storage::Storage;
use orgkeep_vault::verify::verify;
use orgkeep_vault::{Manifest, Vault, verify as verification};
use support::*;
use world::*;

fn because() -> Options {
    Options { reason: "request 7".into(), by: "tests".into(), ..Options::default() }
}

fn list(numbers: &[u32]) -> Ids {
    let text: Vec<String> = numbers.iter().map(|number| id(*number).to_string()).collect();
    Ids::parse(&text.join("\n")).unwrap()
}

/// A name that nothing else has.
fn secret(number: u32) -> String {
    format!("Zebra{number}Quagga")
}

fn known(number: u32) -> Record {
    (secret(number), format!("{number}.25"), "2".into(), user(1))
}

/// An org with some history: 60 records, of which 5, 17 and 33 are to go; 17 changes in a delta, 33 comes and is
/// deleted in deltas, 5 is only in the base, 59 is only deleted.
struct Told {
    world: World,
    manifests: Vec<Manifest>,
    orgs: Vec<Org>,
}

async fn told(storage: Arc<dyn Storage>) -> Told {
    let mut world = World::on(storage).await.unwrap();
    let mut org: Org = (0..60).filter(|n| *n != 33).map(|n| (n, known(n))).collect();
    let records: Vec<_> = org.clone().into_iter().collect();
    let mut manifests = vec![world.full(&records, 20).await];
    let mut orgs = vec![org.clone()];
    let changed = |number: u32, text: &str| {
        let mut record = known(number);
        record.0 = format!("{}{text}", record.0);
        record
    };
    let days: Vec<Vec<(u32, Option<Record>)>> = vec![
        vec![(17, Some(changed(17, "b"))), (18, Some(changed(18, "b")))],
        vec![(33, Some(known(33)))],
        // a cell that does not fit its column: it stands in _raw
        vec![
            (17, Some((format!("{}raw", secret(17)), "NaN17171717".into(), "2".into(), user(2)))),
            (59, None),
        ],
        vec![(33, None), (40, Some(changed(40, "c")))],
    ];
    for day in days {
        for (number, record) in &day {
            match record {
                Some(record) => org.insert(*number, record.clone()),
                None => org.remove(number),
            };
        }
        manifests.push(world.delta(&[day], None).await);
        orgs.push(org.clone());
    }
    Told { world, manifests, orgs }
}

impl Told {
    async fn erase(&self, numbers: &[u32]) -> Erased {
        erase(&self.world.line, &list(numbers), &because()).await.unwrap()
    }

    /// Every snapshot holds what it held but for these, and verifies.
    async fn holds_without(&self, numbers: &[u32]) {
        for (manifest, org) in self.manifests.iter().zip(&self.orgs) {
            let manifest = self.world.line.manifest(&manifest.snapshot_id()).await.unwrap();
            let mut org = org.clone();
            org.retain(|number, _| !numbers.contains(number));
            self.world.holds(&manifest, &org).await;
        }
        let options = verification::Options { full: true, rows: true, ..Default::default() };
        let report = verify(&self.world.vault, &options).await.unwrap();
        assert_eq!(report.problems, []);
    }
}

async fn nothing_left(storage: &Arc<dyn Storage>, numbers: &[u32]) {
    let of =
        |number: &u32| [secret(*number), id(*number).to_string(), id(*number).to_string()[..15].to_owned()];
    let wanted: Vec<String> = numbers.iter().flat_map(of).collect();
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    assert_eq!(left_of(storage, &wanted).await, Vec::<String>::new());
}

async fn auditor(storage: &Arc<dyn Storage>) -> Vault {
    let none = orgkeep_vault::Access { key: None, recipients: Vec::new(), signing_key: None };
    Vault::open_read_only(Arc::clone(storage), &none).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_erased_is_in_no_byte_and_all_else_is_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let storage = volume(dir.path()).await;
    let told = told(Arc::clone(&storage)).await;
    // the search finds what there is: in columns, in ranges of Ids, in _raw
    for wanted in [secret(5), secret(17), secret(33), "NaN17171717".to_owned(), id(59).to_string()] {
        assert!(!left(&storage, &wanted).await.is_empty(), "{wanted}");
    }
    let dry = Options { dry_run: true, ..because() };
    let plan = erase(&told.world.line, &list(&[5, 17, 33, 59, 999]), &dry).await.unwrap();
    assert!(plan.dry_run && plan.redaction.is_none());
    told.holds_without(&[]).await;

    let digests: Vec<String> = told.manifests.iter().map(|manifest| manifest.digest.clone()).collect();
    let report = told.erase(&[5, 17, 33, 59, 999]).await;
    assert_eq!((report.redaction, report.ids, report.found), (Some(1), 5, 4));
    assert_eq!(report.not_found, [id(999).to_string()]);
    assert_eq!(report.unknown_prefixes, Vec::<String>::new());
    assert_eq!((report.parts, report.states), (plan.parts, plan.states));
    assert_eq!(report.snapshots, [1, 2, 3, 4, 5]);
    assert_eq!(report.objects[0].records, 4);
    // bases of 5, 17 and 59, the deltas of 17, 33 and 59
    assert_eq!(report.objects[0].rows, 3 + 1 + 1 + 2 + 1);
    assert!(report.deleted_files > 0);
    told.holds_without(&[5, 17, 33, 59]).await;
    nothing_left(&storage, &[5, 17, 33, 59]).await;
    assert_eq!(left(&storage, "NaN17171717").await, Vec::<String>::new());
    assert!(!left(&storage, &secret(18)).await.is_empty(), "others are still there");
    // manifests are what they were, and what they say of rows is right
    let after = told.world.line.snapshots().await.unwrap();
    assert_eq!(after.iter().map(|manifest| manifest.digest.clone()).collect::<Vec<_>>(), digests);
    assert_eq!(after[0].object("Account").unwrap().records, 56);
    assert_eq!(after[0].redactions, [1]);
    // an auditor without a key sees the same
    let options = verification::Options { full: true, ..Default::default() };
    let report = verify(&auditor(&storage).await, &options).await.unwrap();
    assert_eq!((report.problems, report.redactions), (Vec::new(), 1));
    // again there is nothing to do
    let again = told.erase(&[5, 17, 33, 59]).await;
    assert_eq!((again.redaction, again.found, again.deleted_files), (None, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_which_nothing_is_left_goes_and_snapshots_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let storage = volume(dir.path()).await;
    let mut told = told(Arc::clone(&storage)).await;
    // 33 is the only row of its delta; 0..20 are a base part
    let numbers: Vec<u32> = (0..20).chain([33]).collect();
    let report = told.erase(&numbers).await;
    assert_eq!(report.found, 21);
    told.holds_without(&numbers).await;
    nothing_left(&storage, &numbers).await;

    // a run goes on from what is left, and says what it was made after
    let latest = told.world.line.latest().await.unwrap().unwrap();
    let mut org = told.orgs.last().unwrap().clone();
    org.retain(|number, _| !numbers.contains(number));
    let day = vec![(41, Some(known(1041))), (7, None)];
    org.insert(41, known(1041));
    let next = told.world.delta(&[day], None).await;
    assert_eq!(next.redaction.as_ref().unwrap().seq, 1);
    told.world.holds(&next, &org).await;
    let (differences, _) = told.world.compare(&latest, &next).await;
    assert_eq!(differences.len(), 1, "{differences:?}");
    nothing_left(&storage, &numbers[..7]).await;

    // a record that the org still has comes back with the next run that reads it, and goes again
    let back = told.world.delta(&[vec![(5, Some(known(5)))]], Some(&eager())).await;
    org.insert(5, known(5));
    told.world.holds(&back, &org).await;
    let report = told.erase(&[5, 41]).await;
    assert_eq!((report.redaction, report.found), (Some(2), 2));
    org.remove(&5);
    org.remove(&41);
    let back = told.world.line.latest().await.unwrap().unwrap();
    told.world.holds(&back, &org).await;
    let all: Vec<u32> = numbers.iter().copied().chain([41]).collect();
    nothing_left(&storage, &all).await;
    told.holds_without(&all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failing_call_leaves_all_or_nothing_and_the_next_try_finishes() {
    for fault in FAULTS {
        let mut steps = 0;
        // every call would be too slow: each seventh, from another start for each kind of failure
        let mut call = 1 + fault as i64;
        loop {
            let dir = tempfile::tempdir().unwrap();
            let inner = volume(dir.path()).await;
            let told = told(Arc::clone(&inner)).await;
            let left_calls = Arc::new(AtomicI64::new(call));
            let faulty = Faulty { inner: Arc::clone(&inner), left: Arc::clone(&left_calls), fault };
            let result = match Vault::create_or_open(Arc::new(faulty), &access()).await {
                Ok(vault) => match vault.line(told.world.line.id()).await {
                    Ok(line) => erase(&line, &list(&[5, 17, 33]), &because()).await,
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            };
            let reached = left_calls.load(Ordering::SeqCst) <= 0;
            // whatever happened, the vault is whole: with them, or without
            let vault = Vault::create_or_open(Arc::clone(&inner), &access()).await.unwrap();
            let redacted = vault.redactions(told.world.line.id()).await.unwrap().len();
            let fresh = Told { world: World::on(Arc::clone(&inner)).await.unwrap(), ..told };
            fresh.holds_without(if redacted == 0 { &[] } else { &[5, 17, 33] }).await;
            assert!(result.is_err() || redacted == 1, "{fault:?} at call {call}");
            // a lease that could not be given back expires
            let wait = Options { wait: Duration::from_secs(1), ..because() };
            let again = match erase(&fresh.world.line, &list(&[5, 17, 33]), &wait).await {
                Err(orgkeep_vault::VaultError::LineBusy { .. }) => {
                    expire(&inner, fresh.world.line.id()).await;
                    erase(&fresh.world.line, &list(&[5, 17, 33]), &because()).await.unwrap()
                }
                other => other.unwrap(),
            };
            assert!(again.redaction.is_some() || redacted == 1);
            fresh.holds_without(&[5, 17, 33]).await;
            nothing_left(&inner, &[5, 17, 33]).await;
            steps += 1;
            if !reached {
                break;
            }
            call += 83;
        }
        assert!(steps > 1, "{fault:?}: {steps} steps");
    }
}

/// Lets the lease of a line expire, as time would.
async fn expire(storage: &Arc<dyn Storage>, line: &str) {
    storage.delete_mutable(&format!("lines/{line}/lease.json")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn redactions_that_are_altered_removed_or_put_back_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let storage = volume(dir.path()).await;
    let mut told = told(Arc::clone(&storage)).await;
    told.erase(&[5]).await;
    told.erase(&[17]).await;
    told.world.delta(&[vec![(1, None)]], None).await;
    let line = told.world.line.id().to_owned();
    let path = |number: u64| format!("lines/{line}/redactions/{number:010}.json");
    let (first, second) = (storage.get(&path(1)).await.unwrap(), storage.get(&path(2)).await.unwrap());
    for (what, number, bytes) in [
        ("removed", 1, None),
        ("the newest removed", 2, None),
        ("an old one put again", 2, Some(first.to_vec())),
        (
            "altered",
            1,
            Some(String::from_utf8(first.to_vec()).unwrap().replace("request 7", "request 8").into_bytes()),
        ),
        (
            "a bit",
            2,
            Some(second.iter().enumerate().map(|(at, b)| if at == 99 { b ^ 1 } else { *b }).collect()),
        ),
    ] {
        storage.delete(&path(number)).await.unwrap();
        if let Some(bytes) = bytes {
            storage.put_if_absent(&path(number), bytes.into()).await.unwrap();
        }
        for vault in
            [Vault::open_read_only(Arc::clone(&storage), &access()).await.unwrap(), auditor(&storage).await]
        {
            let report = verify(&vault, &verification::Options::default()).await.unwrap();
            assert!(report.problems.iter().any(|p| p.file == path(number)), "{what}: {:?}", report.problems);
            assert!(vault.catalog(9).await.is_err(), "{what}: nobody reads past it");
        }
        storage.delete(&path(number)).await.unwrap();
        let good = if number == 1 { &first } else { &second };
        storage.put_if_absent(&path(number), good.clone()).await.unwrap();
        let vault = Vault::open_read_only(Arc::clone(&storage), &access()).await.unwrap();
        assert_eq!(verify(&vault, &verification::Options::default()).await.unwrap().problems, [], "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_follows_an_erasure_and_lets_the_old_files_go() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (volume(here.path()).await, volume(there.path()).await);
    let told = told(Arc::clone(&from)).await;
    copy(&auditor(&from).await, &to, |_| {}).await.unwrap();
    assert!(!left(&to, &secret(5)).await.is_empty());
    told.erase(&[5, 17]).await;
    copy(&auditor(&from).await, &to, |_| {}).await.unwrap();
    nothing_left(&to, &[5, 17]).await;
    let copied = Told { world: World::on(Arc::clone(&to)).await.unwrap(), ..told };
    copied.holds_without(&[5, 17]).await;
    // a copy made afterwards has never seen them
    let fresh = tempfile::tempdir().unwrap();
    let fresh = volume(fresh.path()).await;
    copy(&auditor(&from).await, &fresh, |_| {}).await.unwrap();
    nothing_left(&fresh, &[5, 17]).await;
    let vault = Vault::open_read_only(Arc::clone(&fresh), &access()).await.unwrap();
    let options = verification::Options { full: true, rows: true, ..Default::default() };
    assert_eq!(verify(&vault, &options).await.unwrap().problems, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_under_way_is_not_disturbed_and_one_broken_off_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let storage = volume(dir.path()).await;
    let told = told(Arc::clone(&storage)).await;
    let lease = told.world.line.lease("run-x", TTL).await.unwrap();
    let run = told.world.line.run("run-x").unwrap();
    let attempt = run.begin_attempt().await.unwrap();
    let busy = erase(&told.world.line, &list(&[5]), &because()).await.unwrap_err();
    assert!(busy.to_string().contains("run-x"), "{busy}");
    // it had read page 0, with a record that is to go, and died
    let noted = page(&attempt, 5).await;
    let value = "secret A 5";
    assert!(!left(&storage, value).await.is_empty());
    lease.release().await.unwrap();
    let report = told.erase(&[5]).await;
    assert_eq!(report.unfinished_runs, ["run-x"]);
    assert_eq!(left(&storage, value).await, Vec::<String>::new());
    assert!(run.pages("Account").await.is_err() || run.pages("Account").await.unwrap().is_empty());
    assert!(storage.head(&noted.parts[0].path).await.is_err());
    told.holds_without(&[5]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_erased_records_go_unless_another_record_has_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let storage = volume(dir.path()).await;
    let vault = Vault::create_or_open(Arc::clone(&storage), &access()).await.unwrap();
    let line = vault.create_line(&owner(), &org()).await.unwrap();
    let mut lease = line.lease("run-1", TTL).await.unwrap();
    let attempt = line.run("run-1").unwrap().begin_attempt().await.unwrap();
    let ids: BTreeMap<u32, String> = (1..=3)
        .map(|n| (n, orgkeep_core::id::SalesforceId::parse(&format!("068{n:012}")).unwrap().to_string()))
        .collect();
    let mut entries = Vec::new();
    for (number, content) in [(1, "the erased body"), (2, "a shared body"), (3, "a shared body")] {
        let mut blob = line.blob().unwrap();
        blob.write(content.as_bytes()).unwrap();
        let blob = blob.finish().await.unwrap();
        entries.push(orgkeep_vault::TreeEntry { path: format!("{}.pdf", ids[&number]), blob });
    }
    let tree = line.put_tree("ContentVersion.VersionData", entries).await.unwrap();
    let draft = orgkeep_vault::Draft {
        snapshot_name: "one".into(),
        phase: orgkeep_core::run::Phase::Succeeded,
        start_time: "2026-01-01T00:00:00Z".into(),
        org: org(),
        counts: Counts::default(),
        completeness: Completeness::default(),
        api_calls: 0,
        objects: Vec::new(),
        trees: vec![tree],
    };
    line.commit(&mut lease, &attempt, draft).await.unwrap();
    lease.release().await.unwrap();
    assert!(!left(&storage, "the erased body").await.is_empty());
    let list = Ids::parse(&format!("{}\n{}", &ids[&1][..15], ids[&2])).unwrap();
    let report = erase(&line, &list, &because()).await.unwrap();
    assert_eq!((report.found, report.tree_entries, report.redaction), (2, 2, Some(1)));
    assert_eq!(left(&storage, "the erased body").await, Vec::<String>::new());
    assert!(!left(&storage, "a shared body").await.is_empty(), "record 3 has it still");
    let manifest = line.latest().await.unwrap().unwrap();
    let tree = vault.tree(&manifest.trees[0].tree).await.unwrap();
    assert_eq!(tree.iter().map(|entry| entry.path.clone()).collect::<Vec<_>>(), [format!("{}.pdf", ids[&3])]);
    let options = verification::Options { full: true, rows: true, ..Default::default() };
    assert_eq!(verify(&vault, &options).await.unwrap().problems, []);
    nothing_but(&storage, &ids[&1]).await;
}

async fn nothing_but(storage: &Arc<dyn Storage>, wanted: &str) {
    assert_eq!(left(storage, wanted).await, Vec::<String>::new());
}
