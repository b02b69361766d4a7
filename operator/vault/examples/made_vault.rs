//! Makes a vault with a history for other readers to read: `made_vault FOLDER KEY_FILE NEW_KEY_FILE`.
//!
//! One object: a full backup in pages of no order, 30 days of changes, a compaction, a changed schema with a day after
//! it, and the vault is rekeyed from the first key (32 bytes as base64) to the second. tests/interop/vault/changes.py
//! holds what other readers make of each snapshot against `orgkeep vault read`.

use std::error::Error;

use orgkeep_core::id::SalesforceId;
use orgkeep_core::ledger::ObjectLedger;
use orgkeep_core::run::{Completeness, Counts, OrgFacts, Phase};
use orgkeep_core::schema::ObjectSchema;
use orgkeep_vault::change::Rule;
use orgkeep_vault::codec::{PartWriter, Settings};
use orgkeep_vault::{Access, Draft, Key, Line, Location, ObjectEntry, Owner, Part, Rekey, Vault};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Records of the full backup.
const RECORDS: u32 = 2_000;

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, key, new_key] = arguments.as_slice() else {
        return Err("made_vault FOLDER KEY_FILE NEW_KEY_FILE".into());
    };
    let read_key = |path: &String| -> Outcome<Key> { Ok(Key::parse(&std::fs::read_to_string(path)?)?) };
    let storage = Location::Volume(folder.into()).open().await?;
    let access = Access { key: Some(read_key(key)?), ..Access::default() };
    let vault = Vault::create_or_open(storage.clone(), &access).await?;
    let line = vault.create_line(&Owner::default(), &OrgFacts::default()).await?;
    let mut schema: ObjectSchema = serde_json::from_value(serde_json::json!({
        "name": "Account", "keyPrefix": "001", "fields": [
            {"name": "Id", "type": "id"}, {"name": "Name", "type": "string"},
            {"name": "Amount__c", "type": "currency", "precision": 18, "scale": 2},
            {"name": "Count__c", "type": "int"}, {"name": "Open__c", "type": "boolean"},
            {"name": "Day__c", "type": "date"}, {"name": "SystemModstamp", "type": "datetime"},
            {"name": "Gone__c", "type": "string"}, {"name": "Rare__c", "type": "textarea"},
        ],
    }))?;
    let mut random = Random(20_260_104);
    let mut page: Vec<(u32, bool)> = (0..RECORDS).map(|number| (number * 7 % RECORDS, true)).collect();
    run(&line, "full", &schema, &page, None).await?;
    for day in 1..=30 {
        page =
            (0..40).map(|_| (random.below(u64::from(RECORDS + 200)) as u32, random.below(10) > 0)).collect();
        page.sort_unstable();
        page.dedup_by_key(|(number, _)| *number);
        run(&line, &format!("day-{day:02}"), &schema, &page, None).await?;
    }
    let rule = Rule { layers: 1, pieces: 2, share: 10, least: 1, span: 60_000, ..Rule::default() };
    run(&line, "compacted", &schema, &[], Some(&rule)).await?;
    schema.fields.retain(|field| field.name != "Gone__c");
    schema.fields.push(serde_json::from_value(serde_json::json!({"name": "New__c", "type": "string"}))?);
    run(&line, "schema-changed", &schema, &page, None).await?;
    let first = Vault::recipients(&storage).await?.remove(0);
    let rekey = Rekey { add_key: Some(read_key(new_key)?), remove: vec![first.id], ..Rekey::default() };
    Vault::rekey(&storage, &access, &rekey).await?;
    Ok(())
}

/// A run over the newest snapshot: records (false: deleted) of a day.
async fn run(
    line: &Line,
    name: &str,
    schema: &ObjectSchema,
    records: &[(u32, bool)],
    rule: Option<&Rule>,
) -> Outcome<()> {
    let vault = line.vault().clone();
    let mut lease = line.lease(name, std::time::Duration::from_secs(60)).await?;
    let attempt = line.run(name)?.begin_attempt().await?;
    let key = attempt.run().data_key(&schema.name).await?;
    let parent = line.latest().await?;
    let below = match &parent {
        Some(parent) => Some(vault.state(parent, &schema.name).await?),
        None => None,
    };
    let mut parts: Vec<Part> = Vec::new();
    for page in records.chunks(700) {
        let settings = Settings { group_rows: 300, ..Settings::delta() };
        let mut writer = PartWriter::new(schema, key.part_key().as_ref(), settings)?;
        if let Some(below) = &below {
            writer = writer.over(Box::new(vault.below(below, schema, &parts).await?))?;
        }
        for (number, there) in page {
            if *there {
                let cells = cells(schema, *number, name);
                writer.push_row(&cells.iter().map(Option::as_deref).collect::<Vec<_>>())?;
            } else {
                writer.push_delete(&id(*number)?)?;
            }
        }
        let made = tokio::task::spawn_blocking(move || writer.finish()).await??;
        for part in made {
            let number = parts.len();
            parts.push(attempt.put_encoded(&schema.name, &format!("{number:04}"), part, &key).await?);
        }
    }
    let state = match (&parent, &below) {
        (Some(parent), Some(below)) => attempt.put_delta_state(parent, below, schema, parts, rule).await?,
        _ => attempt.put_state(&schema.name, schema, parts).await?,
    };
    let draft = Draft {
        snapshot_name: name.to_owned(),
        phase: Phase::Succeeded,
        start_time: "2026-01-01T00:00:00Z".to_owned(),
        org: OrgFacts::default(),
        counts: Counts::default(),
        completeness: Completeness::default(),
        api_calls: 0,
        objects: vec![ObjectEntry::new(state, ObjectLedger::default())],
        trees: Vec::new(),
    };
    line.commit(&mut lease, &attempt, draft).await?;
    lease.release().await?;
    Ok(())
}

fn id(number: u32) -> Outcome<SalesforceId> {
    Ok(SalesforceId::parse(&format!("001{number:012}"))?)
}

/// Cells of a record as a run found it.
fn cells(schema: &ObjectSchema, number: u32, run: &str) -> Vec<Option<String>> {
    let run_number = run.len() as u32 + u32::from(run.as_bytes().last().copied().unwrap_or_default());
    schema
        .columns()
        .map(|field| match field.name.as_str() {
            "Id" => id(number).ok().map(|id| id.to_string()),
            "Name" => Some(format!("Näme \"{number}\", as of {run}")),
            // Some do not fit two digits behind the point.
            "Amount__c" if number.is_multiple_of(97) => Some(format!("{number}.125")),
            "Amount__c" if !number.is_multiple_of(3) => Some(format!("{number}.5")),
            "Count__c" if !number.is_multiple_of(5) => Some((number * run_number).to_string()),
            "Open__c" => Some(number.is_multiple_of(2).to_string()),
            "Day__c" if !number.is_multiple_of(4) => Some(format!("2026-01-{:02}", number % 28 + 1)),
            "SystemModstamp" => Some(format!("2026-02-{:02}T10:11:12.000Z", run_number % 28 + 1)),
            "Gone__c" => Some(format!("gone {number}")),
            "New__c" => Some(format!("new {number}")),
            "Rare__c" if number.is_multiple_of(500) => Some("rare,\nand on two lines".to_owned()),
            _ => None,
        })
        .collect()
}

/// xorshift: the same history on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}
