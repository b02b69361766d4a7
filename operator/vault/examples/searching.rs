//! How fast a search is: `searching write URL SCHEMA.json CSV…` makes a snapshot of each CSV, all rows anew;
//! `searching ask URL QUERIES` asks each line (kind, tab, text) over the newest snapshot and through all versions.
//! For tests/bench/search.sh. The vault's key is 32 bytes of 0 to 31.

// A tool, whose panics are its errors.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::time::{Duration, Instant};

use orgkeep_core::ledger::ObjectLedger;
use orgkeep_core::run::{Completeness, Counts, OrgFacts, Phase};
use orgkeep_core::schema::ObjectSchema;
use orgkeep_vault::codec::{INDEX_FROM, PartWriter, Settings};
use orgkeep_vault::search::Query;
use orgkeep_vault::{Access, Draft, Key, Location, ObjectEntry, Owner, Vault};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["write", url, schema, files @ ..] => write(url, schema, files).await,
        ["ask", url, queries] => ask(url, queries).await,
        _ => Err("searching write URL SCHEMA CSV… | ask URL QUERIES".into()),
    }
}

async fn open(url: &str) -> Outcome<Vault> {
    let key = Some(Key::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")?);
    let storage = Location::parse(url)?.open().await?;
    Ok(Vault::create_or_open(storage, &Access { key, ..Access::default() }).await?)
}

async fn write(url: &str, schema: &str, files: &[&str]) -> Outcome<()> {
    let vault = open(url).await?;
    let schema: ObjectSchema = serde_json::from_slice(&fs::read(schema)?)?;
    let owner = Owner { cluster: "bench".into(), namespace: "bench".into(), backup_name: "bench".into() };
    let org = OrgFacts { id: "00D000000000001AAA".into(), ..OrgFacts::default() };
    let line = match vault.find_line(&owner).await? {
        Some(line) => line,
        None => vault.create_line(&owner, &org).await?,
    };
    for file in files {
        let name = format!("run-{}", line.snapshots().await?.len() + 1);
        let mut lease = line.lease(&name, Duration::from_secs(3600)).await?;
        let attempt = line.run(&name)?.begin_attempt().await?;
        let key = attempt.run().data_key(&schema.name).await?;
        let settings = Settings { index_from: Some(INDEX_FROM), ..Settings::default() };
        let mut writer = PartWriter::new(&schema, key.part_key().as_ref(), settings)?;
        let mut parts = Vec::new();
        let mut input = fs::File::open(file)?;
        let mut chunk = vec![0; 1 << 20];
        loop {
            let many = input.read(&mut chunk)?;
            if many == 0 {
                writer.end_page()?;
                writer.flush()?;
            } else {
                writer.push_csv(&chunk[..many])?;
            }
            for part in writer.take_parts() {
                let name = format!("{:06}", parts.len());
                parts.push(attempt.put_encoded(&schema.name, &name, part, &key).await?);
            }
            if many == 0 {
                break;
            }
        }
        let (rows, bytes): (u64, u64) =
            parts.iter().fold((0, 0), |(rows, bytes), part| (rows + part.rows, bytes + part.size));
        let index: u64 = parts.iter().filter_map(|part| part.index.as_ref()).map(|file| file.size).sum();
        println!(
            "{name}: {rows} rows, {} parts, {bytes} bytes, indexes {index} ({:.2} %)",
            parts.len(),
            index as f64 * 100.0 / bytes as f64
        );
        let state = attempt.put_state(&schema.name, &schema, parts).await?;
        let entry = ObjectEntry::new(state, ObjectLedger::default());
        let draft = Draft {
            snapshot_name: name,
            phase: Phase::Succeeded,
            start_time: "2026-01-01T00:00:00Z".into(),
            org: org.clone(),
            counts: Counts::default(),
            completeness: Completeness::default(),
            api_calls: 0,
            objects: vec![entry],
            trees: Vec::new(),
        };
        line.commit(&mut lease, &attempt, draft).await?;
        lease.release().await?;
    }
    Ok(())
}

/// Milliseconds to the first hit and to the end, by kind of query.
type Times = BTreeMap<String, (Vec<f64>, Vec<f64>, u64, u64)>;

async fn ask(url: &str, queries: &str) -> Outcome<()> {
    let vault = open(url).await?;
    let line = vault.find_snapshot("latest").await?.line_id;
    let mut manifests = vault.line(&line).await?.snapshots().await?;
    manifests.sort_by_key(|manifest| manifest.seq);
    let mut times = Times::new();
    for asked in fs::read_to_string(queries)?.lines() {
        let (kind, text) = asked.split_once('\t').ok_or("a query without a kind")?;
        for all_versions in [false, true] {
            let query = Query {
                text: text.to_owned(),
                within_words: kind == "within",
                all_versions,
                limit: Some(20),
                ..Query::default()
            };
            let (began, mut first) = (Instant::now(), None);
            let outcome = vault
                .search(&manifests, &query, &mut |_| {
                    first.get_or_insert_with(|| began.elapsed());
                    true
                })
                .await?;
            let took = began.elapsed();
            let rows = if all_versions { "all versions" } else { "newest" };
            let (firsts, wholes, hits, groups) = times.entry(format!("{kind}, {rows}")).or_default();
            firsts.push(first.unwrap_or(took).as_secs_f64() * 1e3);
            wholes.push(took.as_secs_f64() * 1e3);
            *hits += outcome.hits;
            *groups += outcome.groups;
        }
    }
    println!("kind | asked | hits | row groups | first hit p50, p99 ms | end p50, p99 ms");
    for (kind, (mut firsts, mut wholes, hits, groups)) in times {
        let at = |times: &mut Vec<f64>, share: f64| {
            times.sort_by(f64::total_cmp);
            times[((times.len() - 1) as f64 * share).round() as usize]
        };
        println!(
            "{kind} | {} | {hits} | {groups} | {:.0}, {:.0} | {:.0}, {:.0}",
            firsts.len(),
            at(&mut firsts, 0.5),
            at(&mut firsts, 0.99),
            at(&mut wholes, 0.5),
            at(&mut wholes, 0.99)
        );
    }
    Ok(())
}
