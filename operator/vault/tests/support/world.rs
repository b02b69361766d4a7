//! A line with snapshots of one object, full and incremental, and what each of them must hold.
#![allow(dead_code, missing_docs, unreachable_pub)] // each test binary uses its part

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use orgkeep_core::id::SalesforceId;
use orgkeep_core::schema::ObjectSchema;
use orgkeep_vault::change::Rule;
use orgkeep_vault::codec::{PartWriter, Settings};
use orgkeep_vault::read::Keys;
use orgkeep_vault::storage::Storage;
use orgkeep_vault::{
    Attempt, ChangeKind, Committed, Draft, Line, Manifest, ObjectEntry, Part, Result, State, TreeEntry,
    TreeRef, Vault, verify,
};

use crate::support::*;

/// A record: name, revenue, formula, and who changed it last.
pub type Record = (String, String, String, String);
/// The org.
pub type Org = BTreeMap<u32, Record>;

pub fn fields() -> ObjectSchema {
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

pub fn id(number: u32) -> SalesforceId {
    SalesforceId::parse(&format!("001{number:012}")).unwrap()
}

pub fn user(number: u32) -> String {
    SalesforceId::parse(&format!("005{number:012}")).unwrap().to_string()
}

pub fn record(name: &str, by: u32) -> Record {
    (name.into(), "1.5".into(), "2".into(), user(by))
}

/// The cells of a record in the order of a schema's columns.
pub fn cells(schema: &ObjectSchema, number: u32, record: &Record) -> Vec<Option<String>> {
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
pub fn small() -> Settings {
    Settings { group_rows: 16, batch_rows: 7, index_from: Some(0), ..Settings::delta() }
}

/// A line with snapshots of one object.
pub struct World {
    pub vault: Vault,
    pub line: Line,
    pub schema: ObjectSchema,
    pub runs: u32,
    /// Whether its snapshots hold a tree of files, too.
    pub trees: bool,
}

impl World {
    /// A new line in a directory.
    pub async fn new(dir: &Path) -> Self {
        Self::on(volume(dir).await).await.unwrap()
    }

    /// The line of a storage, made if there is none.
    pub async fn on(storage: Arc<dyn Storage>) -> Result<Self> {
        let vault = Vault::create_or_open(storage, &access()).await?;
        let line = match vault.find_line(&owner()).await? {
            Some(line) => line,
            None => vault.create_line(&owner(), &org()).await?,
        };
        Ok(Self { vault, line, schema: fields(), runs: 0, trees: false })
    }

    /// A tree of three files, of which one is another in every second run.
    async fn tree(&self) -> Result<TreeRef> {
        let mut entries = Vec::new();
        for (path, content) in [
            ("classes/A.cls", "class A {}".to_owned()),
            ("classes/B.cls", "class A {}".to_owned()),
            ("objects/Account.object", format!("<CustomObject>{}</CustomObject>", self.runs / 2)),
        ] {
            let mut blob = self.line.blob()?;
            blob.write(content.as_bytes())?;
            entries.push(TreeEntry { path: path.to_owned(), blob: blob.finish().await? });
        }
        self.line.put_tree("metadata", entries).await
    }

    /// Carries a run out, unless it was, and commits.
    pub async fn run(
        &mut self,
        work: impl AsyncFnOnce(&Attempt) -> Result<ObjectEntry>,
    ) -> Result<Committed> {
        self.runs += 1;
        let name = format!("run-{}", self.runs);
        let run = self.line.run(&name)?;
        if let Some(committed) = run.committed().await? {
            return Ok(committed);
        }
        let mut lease = self.line.lease(&name, TTL).await?;
        let attempt = run.begin_attempt().await?;
        let entry = work(&attempt).await?;
        let trees = if self.trees { vec![self.tree().await?] } else { Vec::new() };
        let draft = Draft {
            snapshot_name: name,
            phase: orgkeep_core::run::Phase::Succeeded,
            start_time: "2026-01-01T00:00:00Z".into(),
            org: org(),
            counts: orgkeep_core::run::Counts::default(),
            completeness: orgkeep_core::run::Completeness::default(),
            api_calls: 0,
            objects: vec![entry],
            trees,
        };
        let committed = self.line.commit(&mut lease, &attempt, draft).await?;
        lease.release().await?;
        Ok(committed)
    }

    /// A full backup in pages of so many records, in the order given.
    pub async fn full(&mut self, records: &[(u32, Record)], page: usize) -> Manifest {
        self.try_full(records, page).await.unwrap().manifest
    }

    pub async fn try_full(&mut self, records: &[(u32, Record)], page: usize) -> Result<Committed> {
        let schema = self.schema.clone();
        self.run(async move |attempt| {
            let key = attempt.run().data_key("Account").await?;
            let mut parts = Vec::new();
            for (number, page) in records.chunks(page).enumerate() {
                let mut writer = PartWriter::new(&schema, key.part_key().as_ref(), small()).unwrap();
                for (number, record) in page {
                    let cells = cells(&schema, *number, record);
                    writer.push_row(&cells.iter().map(Option::as_deref).collect::<Vec<_>>()).unwrap();
                }
                for part in writer.finish().unwrap() {
                    parts.push(attempt.put_encoded("Account", &format!("{number}"), part, &key).await?);
                }
            }
            let state = attempt.put_state("Account", &schema, parts).await?;
            Ok(ObjectEntry::new(state, ledger(records.len() as u64)))
        })
        .await
    }

    /// An incremental backup: pages of records (none: deleted).
    pub async fn delta(&mut self, pages: &[Vec<(u32, Option<Record>)>], rule: Option<&Rule>) -> Manifest {
        self.try_delta(pages, rule).await.unwrap().manifest
    }

    pub async fn try_delta(
        &mut self,
        pages: &[Vec<(u32, Option<Record>)>],
        rule: Option<&Rule>,
    ) -> Result<Committed> {
        let (schema, vault, line, rule) =
            (self.schema.clone(), self.vault.clone(), self.line.clone(), rule.copied());
        let pages = pages.to_vec();
        self.run(async move |attempt| {
            let parent = line.latest().await?.unwrap();
            let below = vault.state(&parent, "Account").await?;
            let key = attempt.run().data_key("Account").await?;
            let mut parts: Vec<Part> = Vec::new();
            for (number, page) in pages.into_iter().enumerate() {
                let over = vault.below(&below, &schema, &parts).await?;
                let (schema, part_key) = (schema.clone(), key.part_key());
                let made = tokio::task::spawn_blocking(move || {
                    let mut writer = PartWriter::new(&schema, part_key.as_ref(), small())?;
                    writer = writer.over(Box::new(over))?;
                    for (number, record) in &page {
                        match record {
                            Some(record) => {
                                let cells = cells(&schema, *number, record);
                                let cells: Vec<_> = cells.iter().map(Option::as_deref).collect();
                                writer.push_row(&cells)?;
                            }
                            None => writer.push_delete(&id(*number))?,
                        }
                    }
                    writer.finish()
                })
                .await
                .unwrap()
                .map_err(|error: orgkeep_vault::codec::CodecError| {
                    orgkeep_vault::VaultError::Internal(error.to_string())
                })?;
                for part in made {
                    let name = format!("d{number}-{}", parts.len());
                    parts.push(attempt.put_encoded("Account", &name, part, &key).await?);
                }
            }
            let state = attempt.put_delta_state(&parent, &below, &schema, parts, rule.as_ref()).await?;
            Ok(ObjectEntry::new(state, ledger(0)))
        })
        .await
    }

    pub async fn state(&self, manifest: &Manifest) -> State {
        self.vault.state(manifest, "Account").await.unwrap()
    }

    /// The names and revenues of a snapshot, by number of the record, of some keys.
    pub async fn read(&self, manifest: &Manifest, keys: Keys) -> BTreeMap<u32, Vec<Option<String>>> {
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

    pub async fn holds(&self, manifest: &Manifest, expected: &Org) {
        let expected: BTreeMap<u32, Vec<Option<String>>> =
            expected.iter().map(|(number, record)| (*number, cells(&self.schema, *number, record))).collect();
        assert_eq!(self.read(manifest, Keys::All).await, expected, "snapshot {}", manifest.seq);
        assert_eq!(manifest.object("Account").unwrap().records, expected.len() as u64);
    }

    /// Differences between two snapshots, and whether deltas alone told them.
    pub async fn compare(&self, before: &Manifest, after: &Manifest) -> (BTreeMap<u32, ChangeKind>, bool) {
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

    pub async fn verify(&self) {
        let options = verify::Options { full: true, ..Default::default() };
        let report = verify::verify(&self.vault, &options).await.unwrap();
        assert_eq!(report.problems, []);
    }
}

pub fn difference(before: &Org, after: &Org) -> BTreeMap<u32, ChangeKind> {
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

pub fn start(many: u32) -> Vec<(u32, Record)> {
    (0..many).map(|number| (number * 7 % many, record(&format!("name {}", number * 7 % many), 1))).collect()
}

/// A rule that compacts small things.
pub fn eager() -> Rule {
    Rule {
        layers: 1,
        wide: 2,
        share: 40,
        pieces: 2,
        span: 4000,
        least: 1,
        fan_in: 4,
        base_fan_in: 3,
        index_from: Some(0),
    }
}

/// xorshift: the same days on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}
