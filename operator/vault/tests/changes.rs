//! Deltas over a state, what they come to, and that whatever is compacted or whichever schema came between, a snapshot
//! reads back as what it was.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;

use orgkeep_core::id::SalesforceId;
use orgkeep_core::schema::ObjectSchema;
use orgkeep_vault::change::Rule;
use orgkeep_vault::codec::{PartWriter, Settings};
use orgkeep_vault::read::Keys;
use orgkeep_vault::{
    ChangeCounts, ChangeKind, Committed, Draft, Line, Manifest, ObjectEntry, Part, State, Vault, verify,
};
use support::*;

/// A record: name, revenue, formula, and who changed it last.
type Record = (String, String, String, String);
/// The org.
type Org = BTreeMap<u32, Record>;

fn fields() -> ObjectSchema {
    serde_json::from_value(serde_json::json!({
        "name": "Account", "label": "Account", "keyPrefix": "001", "fields": [
            {"name": "Id", "type": "id"}, {"name": "Name", "type": "string", "length": 255},
            {"name": "AnnualRevenue", "type": "currency", "precision": 18, "scale": 2},
            {"name": "Score__c", "type": "double", "precision": 18, "scale": 1, "calculated": true},
            {"name": "Never__c", "type": "string"},
            {"name": "CreatedById", "type": "reference"},
            {"name": "LastModifiedById", "type": "reference"},
        ],
    }))
    .unwrap()
}

fn id(number: u32) -> SalesforceId {
    SalesforceId::parse(&format!("001{number:012}")).unwrap()
}

fn user(number: u32) -> String {
    SalesforceId::parse(&format!("005{number:012}")).unwrap().to_string()
}

fn record(name: &str, by: u32) -> Record {
    (name.into(), "1.5".into(), "2".into(), user(by))
}

/// The cells of a record in the order of a schema's columns.
fn cells(schema: &ObjectSchema, number: u32, record: &Record) -> Vec<Option<String>> {
    schema
        .columns()
        .map(|field| match field.name.as_str() {
            "Id" => Some(id(number).to_string()),
            "Name" => Some(record.0.clone()),
            "AnnualRevenue" => Some(record.1.clone()),
            "Score__c" => Some(record.2.clone()),
            "CreatedById" => Some(user(9)),
            "LastModifiedById" => Some(record.3.clone()),
            "Extra__c" => Some(format!("extra {number}")),
            _ => None,
        })
        .collect()
}

/// Small files and groups, so that everything happens with few rows.
fn small() -> Settings {
    Settings { group_rows: 16, batch_rows: 7, ..Settings::delta() }
}

/// A line with snapshots of one object.
struct World {
    vault: Vault,
    line: Line,
    schema: ObjectSchema,
    runs: u32,
    _dir: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::create_or_open(volume(dir.path()).await, &access()).await.unwrap();
        let line = vault.create_line(&owner(), &org()).await.unwrap();
        Self { vault, line, schema: fields(), runs: 0, _dir: dir }
    }

    async fn commit(&mut self, work: impl AsyncFnOnce(&orgkeep_vault::Attempt) -> ObjectEntry) -> Manifest {
        self.runs += 1;
        let name = format!("run-{}", self.runs);
        let mut lease = self.line.lease(&name, TTL).await.unwrap();
        let attempt = self.line.run(&name).unwrap().begin_attempt().await.unwrap();
        let entry = work(&attempt).await;
        let draft = Draft {
            snapshot_name: name,
            phase: orgkeep_core::run::Phase::Succeeded,
            start_time: "2026-01-01T00:00:00Z".into(),
            org: org(),
            counts: orgkeep_core::run::Counts::default(),
            completeness: orgkeep_core::run::Completeness::default(),
            api_calls: 0,
            objects: vec![entry],
        };
        let committed: Committed = self.line.commit(&mut lease, &attempt, draft).await.unwrap();
        lease.release().await.unwrap();
        committed.manifest
    }

    /// A full backup in pages of so many records, in the order given.
    async fn full(&mut self, records: &[(u32, Record)], page: usize) -> Manifest {
        let schema = self.schema.clone();
        self.commit(async move |attempt| {
            let key = attempt.run().data_key("Account").await.unwrap();
            let mut parts = Vec::new();
            for (number, page) in records.chunks(page).enumerate() {
                let mut writer = PartWriter::new(&schema, key.part_key().as_ref(), small()).unwrap();
                for (number, record) in page {
                    let cells = cells(&schema, *number, record);
                    writer.push_row(&cells.iter().map(Option::as_deref).collect::<Vec<_>>()).unwrap();
                }
                for part in writer.finish().unwrap() {
                    parts.push(
                        attempt.put_encoded("Account", &format!("{number}"), part, &key).await.unwrap(),
                    );
                }
            }
            let state = attempt.put_state("Account", &schema, parts).await.unwrap();
            ObjectEntry::new(state, ledger(records.len() as u64))
        })
        .await
    }

    /// An incremental backup: pages of records (none: deleted).
    async fn delta(&mut self, pages: &[Vec<(u32, Option<Record>)>], rule: Option<&Rule>) -> Manifest {
        let parent = self.line.latest().await.unwrap().unwrap();
        let below = self.vault.state(&parent, "Account").await.unwrap();
        let (schema, vault, rule) = (self.schema.clone(), self.vault.clone(), rule.copied());
        let pages = pages.to_vec();
        self.commit(async move |attempt| {
            let key = attempt.run().data_key("Account").await.unwrap();
            let mut parts: Vec<Part> = Vec::new();
            for (number, page) in pages.into_iter().enumerate() {
                let over = vault.below(&below, &schema, &parts).await.unwrap();
                let (schema, part_key) = (schema.clone(), key.part_key());
                let made = tokio::task::spawn_blocking(move || {
                    let mut writer = PartWriter::new(&schema, part_key.as_ref(), small()).unwrap();
                    writer = writer.over(Box::new(over)).unwrap();
                    for (number, record) in &page {
                        match record {
                            Some(record) => {
                                let cells = cells(&schema, *number, record);
                                let cells: Vec<_> = cells.iter().map(Option::as_deref).collect();
                                writer.push_row(&cells).unwrap();
                            }
                            None => writer.push_delete(&id(*number)).unwrap(),
                        }
                    }
                    writer.finish().unwrap()
                })
                .await
                .unwrap();
                for part in made {
                    let name = format!("d{number}");
                    parts.push(attempt.put_encoded("Account", &name, part, &key).await.unwrap());
                }
            }
            let state =
                attempt.put_delta_state(&parent, &below, &schema, parts, rule.as_ref()).await.unwrap();
            ObjectEntry::new(state, ledger(0))
        })
        .await
    }

    async fn state(&self, manifest: &Manifest) -> State {
        self.vault.state(manifest, "Account").await.unwrap()
    }

    /// The names and revenues of a snapshot, by number of the record, of some keys.
    async fn read(&self, manifest: &Manifest, keys: Keys) -> BTreeMap<u32, Vec<Option<String>>> {
        let rows = self.vault.rows_of(manifest, "Account", None, keys.clone()).await.unwrap();
        let batches = self.vault.batches(&self.state(manifest).await, None, keys).unwrap();
        tokio::task::spawn_blocking(move || {
            let (mut rows, mut batches) = (rows, batches);
            let mut found = BTreeMap::new();
            while let Some(row) = rows.next().unwrap() {
                let number = row.id()[3..15].parse().unwrap();
                assert!(found.insert(number, row.texts().unwrap()).is_none());
            }
            // Arrow batches hold the same rows, in the same order.
            let mut ids = Vec::new();
            while let Some(batch) = batches.next().unwrap() {
                let column =
                    arrow_array::cast::AsArray::as_string::<i32>(batch.column_by_name("Id").unwrap());
                ids.extend(column.iter().map(|id| id.unwrap()[3..15].parse::<u32>().unwrap()));
            }
            assert_eq!(ids, found.keys().copied().collect::<Vec<_>>());
            found
        })
        .await
        .unwrap()
    }

    async fn holds(&self, manifest: &Manifest, expected: &Org) {
        let expected: BTreeMap<u32, Vec<Option<String>>> =
            expected.iter().map(|(number, record)| (*number, cells(&self.schema, *number, record))).collect();
        assert_eq!(self.read(manifest, Keys::All).await, expected, "snapshot {}", manifest.seq);
        assert_eq!(manifest.object("Account").unwrap().records, expected.len() as u64);
    }

    /// Differences between two snapshots, and whether deltas alone told them.
    async fn compare(&self, before: &Manifest, after: &Manifest) -> (BTreeMap<u32, ChangeKind>, bool) {
        let (before, after) = (self.state(before).await, self.state(after).await);
        let mut comparison = self.vault.compare(&before, &self.vault, &after).unwrap();
        tokio::task::spawn_blocking(move || {
            let mut found = BTreeMap::new();
            while let Some(difference) = comparison.next().unwrap() {
                found.insert(difference.id.as_str()[3..15].parse().unwrap(), difference.kind);
            }
            (found, comparison.is_by_deltas())
        })
        .await
        .unwrap()
    }

    async fn verify(&self) {
        let options = verify::Options { full: true, ..Default::default() };
        let report = verify::verify(&self.vault, &options).await.unwrap();
        assert_eq!(report.problems, []);
    }
}

fn difference(before: &Org, after: &Org) -> BTreeMap<u32, ChangeKind> {
    let mut found = BTreeMap::new();
    for number in before.keys().chain(after.keys()) {
        let kind = match (before.get(number), after.get(number)) {
            (None, Some(_)) => ChangeKind::Added,
            (Some(_), None) => ChangeKind::Deleted,
            (Some(a), Some(b)) if (&a.0, &a.1, &a.3) != (&b.0, &b.1, &b.3) => ChangeKind::Updated,
            (Some(a), Some(b)) if a != b => ChangeKind::Recalculated,
            _ => continue,
        };
        found.insert(*number, kind);
    }
    found
}

fn start(many: u32) -> Vec<(u32, Record)> {
    (0..many).map(|number| (number * 7 % many, record(&format!("name {}", number * 7 % many), 1))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_holds_what_changed_and_counts_it() {
    let mut world = World::new().await;
    let all = start(100);
    let mut org: Org = all.iter().cloned().collect();
    let first = world.full(&all, 100).await;
    world.holds(&first, &org).await;

    let recalculated = ("name 5".into(), "1.5".into(), "3".into(), user(1));
    let changes = vec![
        (3, Some(record("renamed", 2))),
        (4, Some(record("name 4", 1))), // read again, as it was
        (5, Some(recalculated)),
        (200, Some(record("new", 3))),
        (7, None),
        (300, None), // never was
    ];
    for (number, record) in changes.iter().filter(|(number, _)| ![4, 300].contains(number)) {
        match record {
            Some(record) => drop(org.insert(*number, record.clone())),
            None => drop(org.remove(number)),
        }
    }
    let second = world.delta(&[changes], None).await;
    world.holds(&second, &org).await;
    world.holds(&first, &all.iter().cloned().collect()).await;
    let entry = second.object("Account").unwrap();
    let counts = (entry.added, entry.updated, entry.recalculated, entry.deleted);
    assert_eq!(counts, (Some(1), Some(1), Some(1), Some(1)));
    let state = world.state(&second).await;
    assert_eq!(state.parts.last().unwrap().rows, 4, "what did not change is left out");
    let users = world.vault.users(&second, entry).unwrap().unwrap();
    let one = |kind| {
        let mut counts = ChangeCounts::default();
        counts.count(kind);
        counts
    };
    assert_eq!(users[&user(2)], one(ChangeKind::Updated));
    assert_eq!(users[&user(9)], one(ChangeKind::Added), "whoever made it");
    assert_eq!(users[&user(1)], one(ChangeKind::Recalculated));
    assert_eq!(users[""], one(ChangeKind::Deleted));
    let (found, by_deltas) = world.compare(&first, &second).await;
    assert!(by_deltas);
    assert_eq!(found, difference(&all.iter().cloned().collect(), &org));

    // Nothing changed: the same state, and nothing is written.
    let third = world.delta(&[vec![(3, Some(record("renamed", 2)))]], None).await;
    assert_eq!(third.object("Account").unwrap().state, second.object("Account").unwrap().state);
    assert_eq!((third.object("Account").unwrap().updated, third.size_bytes), (Some(0), 0));
    assert_eq!(world.compare(&second, &third).await, (BTreeMap::new(), true));
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_run_that_say_otherwise_of_a_record_are_settled() {
    let mut world = World::new().await;
    let all = start(40);
    let first = world.full(&all, 40).await;
    let pages = [
        vec![
            (1, Some(record("once", 2))),
            (2, Some(record("twice", 2))),
            (50, Some(record("new", 2))),
            (3, None),
        ],
        // Changed back, changed again, gone again, and back again.
        vec![
            (1, Some(record("name 1", 1))),
            (2, Some(record("again", 3))),
            (50, None),
            (3, Some(record("back", 4))),
        ],
    ];
    let second = world.delta(&pages, None).await;
    let mut org: Org = all.iter().cloned().collect();
    org.insert(2, record("again", 3));
    org.insert(3, record("back", 4));
    world.holds(&second, &org).await;
    let entry = second.object("Account").unwrap();
    assert_eq!((entry.added, entry.updated, entry.deleted), (Some(0), Some(2), Some(0)));
    let expected = difference(&all.iter().cloned().collect(), &org);
    assert_eq!(world.compare(&first, &second).await, (expected, true));
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_a_range_are_read_without_the_others() {
    let mut world = World::new().await;
    let all = start(100);
    world.full(&all, 30).await;
    let second = world.delta(&[vec![(20, Some(record("twenty", 2))), (22, None)]], None).await;
    let found = world.read(&second, Keys::between(Some(&id(18)), Some(&id(23)))).await;
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [18, 19, 20, 21, 23]);
    assert_eq!(found[&20][1].as_deref(), Some("twenty"));
    let found = world.read(&second, Keys::between(None, Some(&id(1)))).await;
    assert_eq!(found.len(), 2);
    assert!(world.read(&second, Keys::between(Some(&id(1000)), None)).await.is_empty());
}

/// A rule that compacts small things.
fn eager() -> Rule {
    Rule { layers: 1, wide: 2, share: 40, pieces: 2, span: 4000, least: 1, fan_in: 4 }
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_days_read_back_each_whatever_was_compacted() {
    let mut random = Random(7);
    let mut world = World::new().await;
    let all = start(300);
    let mut org: Org = all.iter().cloned().collect();
    // Pages overlap: their records come in no order.
    let mut days = vec![(world.full(&all, 60).await, org.clone())];
    for day in 1..=30 {
        let mut page = Vec::new();
        for _ in 0..random.below(25) {
            let number = random.below(320) as u32;
            let change = (random.below(8) > 0).then(|| record(&format!("day {day}"), random.below(3) as u32));
            match &change {
                Some(record) => drop(org.insert(number, record.clone())),
                None => drop(org.remove(&number)),
            }
            page.push((number, change));
        }
        let rule = (day % 3 > 0).then(eager);
        days.push((world.delta(&[page], rule.as_ref()).await, org.clone()));
    }
    for (manifest, org) in &days {
        world.holds(manifest, org).await;
    }
    let mut ways = [0, 0];
    for (from, to) in [(0, 30), (0, 1), (3, 4), (29, 30), (12, 25), (25, 12), (30, 30)] {
        let (found, by_deltas) = world.compare(&days[from].0, &days[to].0).await;
        assert_eq!(found, difference(&days[from].1, &days[to].1), "{from} to {to}");
        ways[usize::from(by_deltas)] += 1;
    }
    assert!(ways[0] > 0 && ways[1] > 0, "both ways were gone: {ways:?}");
    let parts = world.state(&days[30].0).await.parts;
    assert!(parts.len() < 25, "{} parts", parts.len());
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_reads_back_with_the_schema_of_its_time() {
    let mut world = World::new().await;
    let all = start(50);
    let first = world.full(&all, 50).await;
    let old = world.schema.clone();
    let before = world.read(&first, Keys::All).await;

    // A field is gone, one is new, one is text now, one has fewer digits behind the point, one is no formula any more.
    let mut new = old.clone();
    new.fields.retain(|field| field.name != "CreatedById");
    for field in &mut new.fields {
        match field.name.as_str() {
            "AnnualRevenue" => field.scale = 0,
            "Score__c" => field.calculated = false,
            _ => {}
        }
    }
    new.fields
        .push(serde_json::from_value(serde_json::json!({"name": "Extra__c", "type": "string"})).unwrap());
    world.schema = new.clone();
    let second = world.delta(&[vec![(3, Some(record("renamed", 2)))]], None).await;
    let state = world.state(&second).await;
    assert_eq!(state.former_schemas.len(), 1);
    assert_eq!(state.schema_of(&state.parts[0]).unwrap(), &old);
    assert_eq!(state.schema_of(&state.parts[1]).unwrap(), &new);
    let after = world.read(&second, Keys::All).await;
    let at = |name: &str| new.columns().position(|field| field.name == name).unwrap();
    assert_eq!(after[&3], cells(&new, 3, &record("renamed", 2)));
    // What does not fit the new type is told as it was; what was not there is null.
    assert_eq!(after[&4][at("AnnualRevenue")].as_deref(), Some("1.5"));
    assert_eq!(after[&4][at("Extra__c")], None);
    // Re-read rows that only lost the field are not changes; those that gained a value are.
    let mut again = cells(&new, 4, &record("name 4", 1));
    again[at("Extra__c")] = None;
    assert_eq!(after[&4], again);
    let (found, _) = world.compare(&first, &second).await;
    assert_eq!(found.get(&3), Some(&ChangeKind::Updated));

    // Compacted, all of it is of the new schema, and the first snapshot is what it was.
    let rule = Rule { share: 0, ..eager() };
    let third = world.delta(&[vec![(5, Some(record("five", 2)))]], Some(&rule)).await;
    let state = world.state(&third).await;
    assert!(state.former_schemas.is_empty() && state.parts.iter().all(|part| part.schema_digest.is_empty()));
    let compacted = world.read(&third, Keys::All).await;
    assert_eq!(compacted[&4], after[&4]);
    assert_eq!(compacted[&3], after[&3]);
    assert_eq!(world.read(&first, Keys::All).await, before);
    let (found, by_deltas) = world.compare(&second, &third).await;
    assert_eq!((found, by_deltas), (BTreeMap::from([(5, ChangeKind::Updated)]), false));
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn different_backups_are_compared_by_hash() {
    let (mut one, mut other) = (World::new().await, World::new().await);
    let all = start(200);
    let first = one.full(&all, 200).await;
    let mut changed: Vec<(u32, Record)> = all.clone();
    changed.retain(|(number, _)| *number != 17);
    changed.push((500, record("only there", 1)));
    changed.iter_mut().find(|(number, _)| *number == 9).unwrap().1.0 = "another".into();
    let second = other.full(&changed, 50).await;
    let (before, after) = (one.state(&first).await, other.state(&second).await);
    let mut comparison = one.vault.compare(&before, &other.vault, &after).unwrap();
    let found = tokio::task::spawn_blocking(move || {
        let mut found = BTreeMap::new();
        while let Some(difference) = comparison.next().unwrap() {
            found.insert(difference.id.as_str()[3..15].parse::<u32>().unwrap(), difference.kind);
        }
        found
    });
    let expected =
        BTreeMap::from([(9, ChangeKind::Updated), (17, ChangeKind::Deleted), (500, ChangeKind::Added)]);
    assert_eq!(found.await.unwrap(), expected);
}

/// xorshift: the same days on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}
