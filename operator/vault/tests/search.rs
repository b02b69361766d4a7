//! S3.2-4, S4.1.2: what a search finds is what a reading of everything finds, in any snapshot and through all versions,
//! whatever was changed, deleted and compacted in between, and whatever became of an index.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;
#[path = "support/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use orgkeep_core::schema::{FieldType, ObjectSchema};
use orgkeep_vault::codec::PartWriter;
use orgkeep_vault::read::Keys;
use orgkeep_vault::search::{Hit, Outcome, Query};
use orgkeep_vault::verify::{self, Options, verify};
use orgkeep_vault::{Manifest, ObjectEntry, Vault};
use world::*;

/// What is found, as far as all ways of finding it must agree: record, snapshot, and whether it is gone.
type Found = BTreeSet<(u32, u64, bool)>;

/// A snapshot as it reads back: its number, and the texts of each record.
type Read = (u64, std::collections::BTreeMap<u32, Vec<String>>);

const WORDS: [&str; 12] =
    ["alpha", "Beta", "gamma", "delta", "Müller", "GmbH", "x-ray", "007", "a1b2", "東京", "o'Neill", "zeta"];

fn number(id: &str) -> u32 {
    id[3..15].parse().unwrap()
}

async fn search(vault: &Vault, manifests: &[Manifest], query: &Query) -> (Vec<Hit>, Outcome) {
    let mut hits = Vec::new();
    let outcome = vault
        .search(manifests, query, &mut |hit| {
            hits.push(hit);
            true
        })
        .await
        .unwrap();
    assert_eq!(outcome.hits as usize, hits.len());
    (hits, outcome)
}

fn found(hits: &[Hit]) -> Found {
    let mut all = Found::new();
    for hit in hits {
        assert!(!hit.fields.is_empty(), "{hit:?}");
        for snapshot in &hit.snapshots {
            assert!(all.insert((number(&hit.id), *snapshot, hit.deleted)), "told twice: {hit:?}");
        }
    }
    all
}

/// A name of some words, and one that no other record has.
fn name(random: &mut Random, serial: &mut u32) -> String {
    *serial += 1;
    let mut words: Vec<String> =
        (0..random.below(4)).map(|_| WORDS[random.below(12) as usize].to_owned()).collect();
    words.push(format!("n{serial}"));
    words.join(if random.below(2) == 0 { " " } else { ", " })
}

/// Words of a text, by the rules of the index, written another way.
fn words(text: &str) -> Vec<String> {
    let folded = text.to_lowercase().replace('ü', "u").replace('東', " 東 ").replace('京', " 京 ");
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn naive(texts: &[String], query: &Query) -> bool {
    if query.within_words {
        let wanted = query.text.to_lowercase().replace('ü', "u");
        return texts.iter().any(|text| text.to_lowercase().replace('ü', "u").contains(&wanted));
    }
    let phrases: Vec<Vec<String>> = query
        .text
        .split('"')
        .enumerate()
        .flat_map(
            |(at, piece)| {
                if at % 2 == 1 { vec![words(piece)] } else { piece.split(' ').map(words).collect() }
            },
        )
        .filter(|words| !words.is_empty())
        .collect();
    phrases.iter().all(|phrase| {
        texts.iter().any(|text| words(text).windows(phrase.len()).any(|window| window == phrase))
    })
}

/// Reads all text of a snapshot.
async fn read(world: &World, manifest: &Manifest) -> Read {
    let state = world.state(manifest).await;
    let is_text: Vec<bool> = state
        .schema
        .columns()
        .map(|field| matches!(field.field_type, FieldType::String | FieldType::Reference | FieldType::Id))
        .collect();
    let rows = world.read(manifest, Keys::All).await;
    let texts = rows.into_iter().map(|(number, cells)| {
        let texts = cells.into_iter().zip(&is_text).filter(|(_, is_text)| **is_text);
        (number, texts.filter_map(|(cell, _)| cell).skip(1).collect())
    });
    (manifest.seq, texts.collect())
}

/// What must be found.
fn expected(past: &[Read], query: &Query, updated_by: Option<&str>) -> Found {
    let hit = |texts: &Vec<String>| {
        naive(texts, query) && updated_by.is_none_or(|by| texts.last().is_some_and(|user| user.contains(by)))
    };
    let (newest, now) = past.last().unwrap();
    let mut all = Found::new();
    if !query.all_versions {
        all.extend(now.iter().filter(|(_, texts)| hit(texts)).map(|(number, _)| (*number, *newest, false)));
        if query.include_deleted {
            let gone: BTreeSet<u32> = past
                .iter()
                .flat_map(|(_, rows)| rows.keys().copied())
                .filter(|n| !now.contains_key(n))
                .collect();
            for number in gone {
                let last = past.iter().rev().find_map(|(_, rows)| rows.get(&number)).unwrap();
                if hit(last) {
                    let same = past.iter().filter(|(_, rows)| rows.get(&number) == Some(last));
                    all.extend(same.map(|(seq, _)| (number, *seq, true)));
                }
            }
        }
        return all;
    }
    for (seq, rows) in past {
        for number in rows.iter().filter(|(_, texts)| hit(texts)).map(|(number, _)| number) {
            let gone = !now.contains_key(number);
            if !gone || query.include_deleted {
                all.insert((*number, *seq, gone));
            }
        }
    }
    all
}

fn query(random: &mut Random, serial: u32) -> Query {
    let word = |random: &mut Random| WORDS[random.below(12) as usize].to_owned();
    let text = match random.below(7) {
        0 => format!("n{}", random.below(u64::from(serial) + 5)),
        1 => format!("{} {}", word(random), word(random)),
        2 => format!("\"{} {}\"", word(random), word(random)),
        3 => format!("n{} {}", random.below(u64::from(serial) + 1), word(random)),
        4 => "京".to_owned(),
        5 => user(1 + random.below(3) as u32),
        _ => word(random),
    };
    let within_words = random.below(6) == 0;
    Query {
        text: if within_words { "ll".to_owned() } else { text },
        within_words,
        include_deleted: random.below(2) == 0,
        all_versions: random.below(3) == 0,
        ..Query::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_2_4_a_search_finds_what_a_reading_of_everything_finds() {
    let mut searches = 0;
    let mut hits_in_all = 0;
    // more: SEARCH_SEEDS=100 cargo test --release -p orgkeep-vault --test search
    let seeds = std::env::var("SEARCH_SEEDS").map_or(3, |many| many.parse::<u64>().unwrap());
    for seed in 1..=seeds {
        println!("seed {seed}");
        let mut random = Random(seed * 7919);
        let dir = tempfile::tempdir().unwrap();
        let mut world = World::new(dir.path()).await;
        let mut serial = 0;
        let many = 60 + random.below(80) as u32;
        let first: Vec<(u32, Record)> = (0..many)
            .map(|at| (at * 7 % many, record(&name(&mut random, &mut serial), 1 + at % 3)))
            .collect();
        let mut manifests = vec![world.full(&first, 10 + random.below(60) as usize).await];
        let mut past = vec![read(&world, &manifests[0]).await];
        for run in 0..10 {
            if run == 4 || run == 7 {
                // a field that comes, and goes again
                let mut schema = serde_json::to_value(fields()).unwrap();
                if run == 4 {
                    let new = serde_json::json!({"name": "Extra__c", "type": "string", "length": 80});
                    schema["fields"].as_array_mut().unwrap().insert(4, new);
                }
                world.schema = serde_json::from_value(schema).unwrap();
            }
            let page: Vec<(u32, Option<Record>)> = (0..random.below(25))
                .map(|_| {
                    let number = random.below(u64::from(many) + 20) as u32;
                    let new = record(&name(&mut random, &mut serial), 1 + random.below(3) as u32);
                    (number, (random.below(4) > 0).then_some(new))
                })
                .collect();
            let rule = (random.below(3) > 0).then(eager);
            manifests.push(world.delta(&[page], rule.as_ref()).await);
            past.push(read(&world, manifests.last().unwrap()).await);
        }
        for _ in 0..25 {
            let query = query(&mut random, serial);
            let until = 1 + random.below(manifests.len() as u64) as usize;
            let (hits, outcome) = search(&world.vault, &manifests[..until], &query).await;
            assert_eq!(
                found(&hits),
                expected(&past[..until], &query, None),
                "seed {seed}, {query:?} at {until}"
            );
            assert_eq!((outcome.broken_indexes.len(), outcome.unread.len()), (0, 0));
            searches += 1;
            hits_in_all += hits.len();
            // by its last digit, and in pieces
            let by = Query { updated_by: Some("00002AAA".into()), ..query.clone() };
            let (some, _) = search(&world.vault, &manifests[..until], &by).await;
            assert_eq!(found(&some), expected(&past[..until], &by, Some("00002AAA")), "seed {seed}, {by:?}");
            let mut pieces = Vec::new();
            let mut after = None;
            loop {
                let piece = Query { limit: Some(3), after: after.take(), ..query.clone() };
                let (some, outcome) = search(&world.vault, &manifests[..until], &piece).await;
                pieces.extend(some);
                after = outcome.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(found(&pieces), found(&hits), "seed {seed}, {query:?} in pieces");
        }
    }
    println!("{searches} searches, {hits_in_all} hits");
    assert!(hits_in_all > 300);
}

/// Indexes below a directory.
fn indexes(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(indexes(&path));
        } else if path.extension().is_some_and(|extension| extension == "terms") {
            all.push(path);
        }
    }
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_2_4_an_index_that_is_broken_costs_time_and_no_hit() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path()).await;
    let all = start(120);
    let first = world.full(&all, 40).await;
    let second = world.delta(&[vec![(5, Some(record("alpha beta", 2))), (6, None)]], None).await;
    let manifests = [first, second];
    let queries = [
        Query { text: "\"name 7\"".into(), ..Query::default() },
        Query { text: "name".into(), include_deleted: true, ..Query::default() },
        Query { text: "name".into(), all_versions: true, include_deleted: true, ..Query::default() },
        Query { text: "alpha".into(), all_versions: true, ..Query::default() },
    ];
    let mut whole = Vec::new();
    for query in &queries {
        whole.push(search(&world.vault, &manifests, query).await.0);
    }
    assert_eq!((whole[0].len(), whole[3].len()), (1, 1));
    let files = indexes(dir.path());
    assert_eq!(files.len(), 4, "three pages and a delta");
    let other = std::fs::read(&files[1]).unwrap();
    let mut tried = 0;
    for file in &files {
        let good = std::fs::read(file).unwrap();
        let mut harms: Vec<Option<Vec<u8>>> =
            vec![None, Some(Vec::new()), Some(good[..good.len() / 2].to_vec())];
        harms.push(Some(if *file == files[1] { std::fs::read(&files[0]).unwrap() } else { other.clone() }));
        for at in (0..good.len()).step_by(good.len() / 5 + 1) {
            let mut bent = good.clone();
            bent[at] ^= 1 << (at % 8);
            harms.push(Some(bent));
        }
        for harm in harms {
            std::fs::remove_file(file).unwrap();
            if let Some(bytes) = &harm {
                std::fs::write(file, bytes).unwrap();
            }
            let name = file.strip_prefix(dir.path()).unwrap().to_string_lossy().into_owned();
            for (query, whole) in queries.iter().zip(&whole) {
                let (hits, outcome) = search(&world.vault, &manifests, query).await;
                assert_eq!(hits, *whole, "{name}, {query:?}");
                assert!(outcome.broken_indexes.iter().all(|(known, _)| *known == name), "{outcome:?}");
            }
            let (_, outcome) = search(&world.vault, &manifests, &queries[2]).await;
            assert_eq!(outcome.broken_indexes.len(), 1, "{name} is told");
            let report = verify(&world.vault, &Options { full: true, ..Options::default() }).await.unwrap();
            assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
            assert_eq!(report.problems[0].file, name);
            assert!(!report.problems[0].snapshots.is_empty());
            tried += 1;
            std::fs::write(file, &good).unwrap();
        }
    }
    println!("{tried} broken indexes");
    // lost, an index is built anew from its rows, to the same bytes
    for (at, file) in files.iter().enumerate() {
        let good = std::fs::read(file).unwrap();
        std::fs::remove_file(file).unwrap();
        if at % 2 == 0 {
            std::fs::write(file, b"nonsense").unwrap();
        }
        let options = Options { full: true, ..Options::default() };
        let done = verify::repair::repair(&world.vault, &options).await.unwrap();
        assert_eq!((done.rebuilt.len(), done.lost.len()), (1, 0), "{done:?}");
        assert_eq!(std::fs::read(file).unwrap(), good);
    }
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s4_1_2_metadata_is_found_by_path_and_text() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path()).await;
    world.trees = true;
    let mut manifests = vec![world.full(&start(5), 5).await];
    for _ in 0..3 {
        manifests.push(world.delta(&[Vec::new()], None).await);
    }
    let text = |text: &str| Query { text: text.into(), ..Query::default() };
    let (hits, _) = search(&world.vault, &manifests, &text("customobject")).await;
    assert_eq!(hits.len(), 1);
    assert_eq!((hits[0].kind.as_str(), hits[0].id.as_str()), ("metadata", "objects/Account.object"));
    assert_eq!(hits[0].snapshots, [4]);
    assert_eq!(hits[0].fields[0].0, "content");
    let all = Query { all_versions: true, ..text("customobject") };
    let (hits, _) = search(&world.vault, &manifests, &all).await;
    assert!(hits.len() > 1, "{hits:?}");
    let mut snapshots: Vec<u64> = hits.iter().flat_map(|hit| hit.snapshots.clone()).collect();
    snapshots.sort_unstable();
    assert_eq!(snapshots, [1, 2, 3, 4]);
    let (hits, _) = search(&world.vault, &manifests, &text("classes")).await;
    assert_eq!(hits.len(), 2);
    let (rest, outcome) =
        search(&world.vault, &manifests, &Query { limit: Some(1), ..text("classes") }).await;
    let (more, _) = search(&world.vault, &manifests, &Query { after: outcome.next, ..text("classes") }).await;
    assert_eq!([rest, more].concat(), hits);
    let records = Query { objects: vec!["account".into()], ..text("classes") };
    assert!(search(&world.vault, &manifests, &records).await.0.is_empty());
    // where an earlier search stopped is no place in another one
    let other = Query { after: Some("0123456789abcdef:Account:0:0:0".into()), ..text("name") };
    assert!(world.vault.search(&manifests, &other, &mut |_| true).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn s4_1_2_2_filters_and_wholes() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path()).await;
    let schema: ObjectSchema = serde_json::from_value(serde_json::json!({
        "name": "Contact", "label": "Contact", "keyPrefix": "003", "fields": [
            {"name": "Id", "type": "id"}, {"name": "IsDeleted", "type": "boolean"},
            {"name": "Name", "type": "string"}, {"name": "Email", "type": "email"},
            {"name": "Phone", "type": "phone"}, {"name": "AccountId", "type": "reference"},
            {"name": "Amount__c", "type": "double", "precision": 18, "scale": 2},
            {"name": "CreatedById", "type": "reference"}, {"name": "LastModifiedById", "type": "reference"},
            {"name": "LastModifiedDate", "type": "datetime"}, {"name": "SystemModstamp", "type": "datetime"},
        ],
    }))
    .unwrap();
    let (account, anna, bert) = (id(7).to_string(), user(1), user(2));
    let rows: [[&str; 10]; 3] = [
        [
            "false",
            "Anna Müller",
            "Anna.M@example.com",
            "+49 (0)89 123-4567",
            &account,
            "1.5",
            &anna,
            &bert,
            "2026-01-10T12:00:00.000Z",
            "2026-02-01T00:00:00.000Z",
        ],
        [
            "false",
            "Bert\nMuller",
            "bert@example.com",
            "555 0100",
            "",
            "unknown sum",
            &bert,
            &bert,
            "2026-01-20T00:00:00.000Z",
            "2026-01-20T00:00:00.000Z",
        ],
        [
            "true",
            "Carla Muller",
            "m@example.com",
            "",
            "",
            "",
            &anna,
            &anna,
            "2026-01-30T00:00:00.000Z",
            "2026-01-30T00:00:00.000Z",
        ],
    ];
    let made = world
        .run(async |attempt| {
            let key = attempt.run().data_key("Contact").await?;
            let mut writer = PartWriter::new(&schema, key.part_key().as_ref(), small()).unwrap();
            for (number, row) in rows.iter().enumerate() {
                let id = format!("003{number:012}");
                let cells: Vec<Option<&str>> = [id.as_str()].into_iter().chain(*row).map(Some).collect();
                writer.push_row(&cells).unwrap();
            }
            let mut parts = Vec::new();
            for part in writer.finish().unwrap() {
                parts.push(attempt.put_encoded("Contact", "1", part, &key).await?);
            }
            Ok(ObjectEntry::new(attempt.put_state("Contact", &schema, parts).await?, support::ledger(3)))
        })
        .await
        .unwrap();
    let manifests = [made.manifest];
    let asked = |text: &str| Query { text: text.into(), ..Query::default() };
    let at = |text: &str| Some(text.parse().unwrap());
    let cases: Vec<(Query, &[u32])> = vec![
        (asked("muller"), &[0, 1]),
        (Query { include_deleted: true, ..asked("MÜLLER") }, &[0, 1, 2]),
        (asked("anna.m@EXAMPLE.com"), &[0]),
        (asked("m@example.com"), &[]),
        (asked("example"), &[0, 1]),
        (asked("089 1234567"), &[0]),
        (asked("+49891234567"), &[0]),
        (asked(&account), &[0]),
        (asked(&account[..15]), &[0]),
        (asked("003000000000001"), &[1]),
        (asked("\"unknown sum\""), &[1]),
        (asked("muller 555"), &[1]),
        (Query { within_words: true, ..asked("ülle") }, &[0, 1]),
        (Query { created_by: Some(anna.clone()), ..asked("muller") }, &[0]),
        (Query { updated_by: Some("0002aaa".into()), ..asked("") }, &[0, 1]),
        (Query { ids: vec!["003000000000001".parse().unwrap()], ..asked("") }, &[1]),
        (Query { from: at("2026-01-20T00:00:00Z"), ..asked("muller") }, &[1]),
        (Query { to: at("2026-01-20T00:00:00Z"), ..asked("muller") }, &[0]),
        (Query { from: at("2026-01-11T00:00:00Z"), include_deleted: true, ..asked("") }, &[1, 2]),
        (Query { objects: vec!["CONTACT".into()], ..asked("bert") }, &[1]),
        (Query { objects: vec!["Account".into()], ..asked("bert") }, &[]),
    ];
    for (query, expected) in cases {
        let (hits, _) = search(&world.vault, &manifests, &query).await;
        let numbers: Vec<u32> = hits.iter().map(|hit| number(&hit.id)).collect();
        assert_eq!(numbers, expected, "{query:?}");
        assert!(hits.iter().all(|hit| hit.deleted == (number(&hit.id) == 2)));
    }
    let (hits, _) = search(&world.vault, &manifests, &asked("bert muller")).await;
    assert_eq!(hits[0].date, "2026-01-20T00:00:00Z");
    assert!(
        hits[0].fields.contains(&("Name".into(), "Bert Muller".into())),
        "on one line: {:?}",
        hits[0].fields
    );
}
