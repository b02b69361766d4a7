//! A vault on a volume with a line of one object, and what is done with it.

use std::io::{BufRead as _, Read};
use std::path::Path;

use orgkeep_core::id::SalesforceId;
use orgkeep_core::ledger::ObjectLedger;
use orgkeep_core::run::{Completeness, Counts, OrgFacts, Phase};
use orgkeep_core::schema::ObjectSchema;
use orgkeep_vault::change::Rule;
use orgkeep_vault::codec::{PartWriter, Settings};
use orgkeep_vault::read::{Keys, write_csv};
use orgkeep_vault::{
    Access, Attempt, Draft, Key, Line, Location, Manifest, ObjectEntry, Owner, Part, State, Vault,
};

use crate::Outcome;
use crate::meter::{Meter, Used};

/// Key of the vaults that are made here; they are removed at the end.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// Bytes of CSV that are handed on at once.
const CHUNK: usize = 256 << 10;

/// A line of one object.
#[derive(Debug)]
pub(crate) struct World {
    /// The vault.
    pub(crate) vault: Vault,
    /// Its line.
    pub(crate) line: Line,
    schema: ObjectSchema,
    runs: u32,
}

impl World {
    /// An encrypted vault there.
    pub(crate) async fn new(folder: &Path, schema: &ObjectSchema) -> Outcome<Self> {
        let storage = Location::Volume(folder.to_owned()).open().await?;
        let access = Access { key: Some(Key::parse(KEY)?), ..Access::default() };
        let vault = Vault::create_or_open(storage, &access).await?;
        let line = vault.create_line(&Owner::default(), &OrgFacts::default()).await?;
        Ok(Self { vault, line, schema: schema.clone(), runs: 0 })
    }

    async fn commit(
        &mut self,
        work: impl AsyncFnOnce(&Attempt) -> Outcome<ObjectEntry>,
    ) -> Outcome<Manifest> {
        self.runs += 1;
        let name = format!("run-{}", self.runs);
        let mut lease = self.line.lease(&name, std::time::Duration::from_secs(3600)).await?;
        let attempt = self.line.run(&name)?.begin_attempt().await?;
        let entry = work(&attempt).await?;
        let draft = Draft {
            snapshot_name: name,
            phase: Phase::Succeeded,
            start_time: String::new(),
            org: OrgFacts::default(),
            counts: Counts::default(),
            completeness: Completeness::default(),
            api_calls: 0,
            objects: vec![entry],
            trees: Vec::new(),
        };
        let committed = self.line.commit(&mut lease, &attempt, draft).await?;
        lease.release().await?;
        Ok(committed.manifest)
    }

    /// A full backup from a CSV as Bulk delivers it, streamed; how many rows it has.
    pub(crate) async fn full(&mut self, csv: &mut impl Read, settings: Settings) -> Outcome<(Manifest, u64)> {
        let schema = self.schema.clone();
        let mut all = 0;
        let manifest = self
            .commit(async |attempt| {
                let key = attempt.run().data_key(&schema.name).await?;
                let mut writer = PartWriter::new(&schema, key.part_key().as_ref(), settings)?;
                let mut parts = Vec::new();
                let mut chunk = vec![0; CHUNK];
                loop {
                    let many = csv.read(&mut chunk)?;
                    if many == 0 {
                        break;
                    }
                    writer.push_csv(&chunk[..many])?;
                    for part in writer.take_parts() {
                        let name = format!("{:06}", parts.len());
                        parts.push(attempt.put_encoded(&schema.name, &name, part, &key).await?);
                    }
                }
                all = writer.end_page()?;
                for part in writer.finish()? {
                    let name = format!("{:06}", parts.len());
                    parts.push(attempt.put_encoded(&schema.name, &name, part, &key).await?);
                }
                let state = attempt.put_state(&schema.name, &schema, parts).await?;
                Ok(ObjectEntry::new(state, ObjectLedger::default()))
            })
            .await?;
        Ok((manifest, all))
    }

    /// The changes of a day: rows from the CSV, deleted Ids from the file beside it; with a rule, compacted by it.
    pub(crate) async fn delta(&mut self, csv: &Path, rule: Option<&Rule>) -> Outcome<Manifest> {
        let parent = self.line.latest().await?.ok_or("no parent")?;
        let below = self.state(&parent).await?;
        let (schema, vault) = (self.schema.clone(), self.vault.clone());
        let mut rows = std::fs::File::open(csv)?;
        let deleted = std::fs::File::open(format!("{}.deleted", csv.display()))?;
        self.commit(async |attempt| {
            let key = attempt.run().data_key(&schema.name).await?;
            let over = vault.below(&below, &schema, &[]).await?;
            let (part_key, of) = (key.part_key(), schema.clone());
            let made = tokio::task::spawn_blocking(move || -> Outcome<_> {
                let settings = Settings { buffer_bytes: 16 << 20, ..Settings::delta() };
                let mut writer = PartWriter::new(&of, part_key.as_ref(), settings)?.over(Box::new(over))?;
                let mut chunk = vec![0; CHUNK];
                loop {
                    let many = rows.read(&mut chunk)?;
                    if many == 0 {
                        break;
                    }
                    writer.push_csv(&chunk[..many])?;
                }
                writer.end_page()?;
                for id in std::io::BufReader::new(deleted).lines() {
                    writer.push_delete(&SalesforceId::parse(&id?)?)?;
                }
                Ok(writer.finish()?)
            })
            .await??;
            let mut parts: Vec<Part> = Vec::new();
            for part in made {
                let name = format!("{:06}", parts.len());
                parts.push(attempt.put_encoded(&schema.name, &name, part, &key).await?);
            }
            let state = attempt.put_delta_state(&parent, &below, &schema, parts, rule).await?;
            Ok(ObjectEntry::new(state, ObjectLedger::default()))
        })
        .await
    }

    /// Compacts what the rule says.
    pub(crate) async fn compact(&mut self, rule: &Rule) -> Outcome<Manifest> {
        let parent = self.line.latest().await?.ok_or("no parent")?;
        let below = self.state(&parent).await?;
        let schema = self.schema.clone();
        self.commit(async |attempt| {
            let state = attempt.put_delta_state(&parent, &below, &schema, Vec::new(), Some(rule)).await?;
            Ok(ObjectEntry::new(state, ObjectLedger::default()))
        })
        .await
    }

    /// The object's state at a snapshot.
    pub(crate) async fn state(&self, manifest: &Manifest) -> Outcome<State> {
        Ok(self.vault.state(manifest, &self.schema.name).await?)
    }

    /// All rows and columns as Arrow batches.
    pub(crate) async fn read(&self, state: &State) -> Outcome<(u64, Used)> {
        let (rows, used) = self.read_keys(state, Keys::All).await?;
        if rows != state.rows {
            return Err(format!("{rows} rows, the state says {}", state.rows).into());
        }
        Ok((rows, used))
    }

    /// The rows of some keys, all columns.
    pub(crate) async fn read_keys(&self, state: &State, keys: Keys) -> Outcome<(u64, Used)> {
        let start = Meter::start()?;
        let mut batches = self.vault.batches(state, None, keys)?;
        let rows = tokio::task::spawn_blocking(move || -> Outcome<u64> {
            let mut rows = 0;
            while let Some(batch) = batches.next()? {
                rows += std::hint::black_box(&batch).num_rows() as u64;
            }
            Ok(rows)
        })
        .await??;
        Ok((rows, start.stop()?))
    }

    /// All rows as CSV.
    pub(crate) async fn csv(&self, manifest: &Manifest) -> Outcome<Used> {
        let start = Meter::start()?;
        let mut rows = self.vault.rows(manifest, &self.schema.name, None).await?;
        tokio::task::spawn_blocking(move || write_csv(&mut rows, &mut std::io::sink())).await??;
        start.stop()
    }

    /// How many rows differ, and whether that was read off deltas alone.
    pub(crate) async fn compare(&self, other: &Vault, before: &State, after: &State) -> Outcome<(u64, bool)> {
        let mut comparison = self.vault.compare(before, other, after)?;
        tokio::task::spawn_blocking(move || -> Outcome<(u64, bool)> {
            let mut found = 0;
            while comparison.next()?.is_some() {
                found += 1;
            }
            Ok((found, comparison.is_by_deltas()))
        })
        .await?
    }
}
