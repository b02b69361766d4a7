//! What every backend must do, and a whole run on top of it.
#![allow(dead_code, missing_docs, unreachable_pub)] // each test binary uses its part

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use orgkeep_core::ledger::ObjectLedger;
use orgkeep_core::reason::Reason;
use orgkeep_core::run::{Completeness, Counts, OrgFacts, Outcome, Phase};
use orgkeep_core::schema::ObjectSchema;
use orgkeep_vault::codec::{PartWriter, Settings};
use orgkeep_vault::storage::{Storage, StorageErrorKind};
use orgkeep_vault::{
    Access, Attempt, Committed, Draft, Key, Lease, Line, Location, ObjectEntry, Owner, PageEntry, Part,
    ShardRecord, Vault, verify,
};

pub const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
pub const TTL: Duration = Duration::from_secs(60);

pub fn access() -> Access {
    Access { key: Some(Key::parse(KEY).unwrap()), ..Access::default() }
}

pub fn owner() -> Owner {
    Owner { cluster: "local".into(), namespace: "default".into(), backup_name: "acme".into() }
}

pub fn org() -> OrgFacts {
    OrgFacts { id: "00D000000000062EAA".into(), name: "Acme".into(), ..OrgFacts::default() }
}

pub fn schema() -> ObjectSchema {
    serde_json::from_value(serde_json::json!({
        "name": "Account", "label": "Account", "keyPrefix": "001", "fields": [
            {"name": "Id", "type": "id"}, {"name": "Name", "type": "string", "length": 255},
            {"name": "AnnualRevenue", "type": "currency", "precision": 18, "scale": 2},
        ],
    }))
    .unwrap()
}

pub fn ledger(rows: u64) -> ObjectLedger {
    ObjectLedger {
        delivered: rows,
        decoded: rows,
        written: rows,
        counted: Some(rows),
        moved: 0,
        files_checked: 1,
        files: 1,
    }
}

pub async fn volume(dir: &std::path::Path) -> Arc<dyn Storage> {
    Location::Volume(dir.to_owned()).open().await.unwrap()
}

/// Writes a page of two accounts and notes it.
pub async fn page(attempt: &Attempt, page: u64) -> PageEntry {
    try_page(attempt, page).await.unwrap()
}

pub async fn try_page(attempt: &Attempt, page: u64) -> orgkeep_vault::Result<PageEntry> {
    let key = attempt.run().data_key("Account").await?;
    let mut writer = PartWriter::new(&schema(), key.part_key().as_ref(), Settings::default()).unwrap();
    for name in ["B", "A"] {
        let id = orgkeep_core::id::SalesforceId::parse(&format!("001{page:011}{name}")).unwrap().to_string();
        writer.push_row(&[Some(&id), Some(&format!("secret {name} {page}")), Some("1.50")]).unwrap();
    }
    let mut parts = Vec::new();
    for (number, part) in writer.finish().unwrap().into_iter().enumerate() {
        let name = format!("{page:06}-{number}");
        parts.push(attempt.put_encoded("Account", &name, part, &key).await?);
    }
    let facts = serde_json::json!({"locator": "x"});
    attempt
        .note_page(
            "Account",
            PageEntry { page, parts, rows: 2, facts, api_calls: 10 + page, ..PageEntry::default() },
        )
        .await
}

pub async fn commit(line: &Line, lease: &mut Lease, attempt: &Attempt, parts: Vec<Part>) -> Committed {
    try_commit(line, lease, attempt, parts).await.unwrap()
}

pub async fn try_commit(
    line: &Line,
    lease: &mut Lease,
    attempt: &Attempt,
    parts: Vec<Part>,
) -> orgkeep_vault::Result<Committed> {
    let rows = parts.iter().map(|part| part.rows).sum();
    let state = attempt.put_state("Account", &schema(), parts).await?;
    let draft = Draft {
        snapshot_name: "acme-1".into(),
        phase: Phase::Succeeded,
        start_time: "2026-01-01T00:00:00Z".into(),
        org: org(),
        counts: Counts { objects: 1, records: rows, ..Counts::default() },
        completeness: Completeness { expected: rows, captured: rows, proven: true },
        api_calls: 3,
        objects: vec![ObjectEntry::new(state, ledger(rows))],
        trees: Vec::new(),
    };
    line.commit(lease, attempt, draft).await
}

/// A snapshot with `pages` pages by a run of that name.
pub async fn snapshot(line: &Line, run: &str, pages: u64) -> Committed {
    let mut lease = line.lease(run, TTL).await.unwrap();
    let attempt = line.run(run).unwrap().begin_attempt().await.unwrap();
    let mut parts = Vec::new();
    for number in 0..pages {
        parts.extend(page(&attempt, number).await.parts);
    }
    let committed = commit(line, &mut lease, &attempt, parts).await;
    lease.release().await.unwrap();
    committed
}

pub async fn listing(storage: &dyn Storage) -> Vec<String> {
    let mut paths: Vec<String> = storage.list("").map_ok(|entry| entry.path).try_collect().await.unwrap();
    paths.sort();
    paths
}

/// What the trait promises.
pub async fn contract(storage: Arc<dyn Storage>) {
    let kind = |error: orgkeep_vault::storage::StorageError| error.kind;
    assert_eq!(storage.get("t/none").await.map_err(kind).unwrap_err(), StorageErrorKind::NotFound);
    assert_eq!(storage.head("t/none").await.map_err(kind).unwrap_err(), StorageErrorKind::NotFound);

    // Of writers that race, exactly one wins, and its bytes are there whole.
    for round in 0..5 {
        let path = format!("t/race-{round}.json");
        let racing = (0..8).map(|n| {
            let (storage, path) = (Arc::clone(&storage), path.clone());
            tokio::spawn(async move { (n, storage.put_if_absent(&path, Bytes::from(vec![n; 1000])).await) })
        });
        let results = futures::future::join_all(racing).await;
        let mut winners = Vec::new();
        for result in results {
            match result.unwrap() {
                (n, Ok(())) => winners.push(n),
                (_, Err(error)) => assert_eq!(error.kind, StorageErrorKind::AlreadyExists, "{error}"),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        assert_eq!(storage.get(&path).await.unwrap(), Bytes::from(vec![winners[0]; 1000]));
    }
    assert_eq!(storage.get_range("t/race-0.json", 990..2000).await.unwrap().len(), 10);
    assert_eq!(storage.head("t/race-0.json").await.unwrap(), 1000);

    // Of replacements of the same version, exactly one wins.
    let first = storage.replace_if_match("t/m.json", None, Bytes::from_static(b"0")).await.unwrap();
    assert_eq!(
        storage.replace_if_match("t/m.json", None, Bytes::from_static(b"z")).await.map_err(kind).unwrap_err(),
        StorageErrorKind::Conflict
    );
    let racing = (1..=6u8).map(|n| {
        let (storage, first) = (Arc::clone(&storage), first.clone());
        tokio::spawn(async move {
            storage.replace_if_match("t/m.json", Some(&first), Bytes::from(vec![b'0' + n])).await.is_ok()
        })
    });
    let won =
        futures::future::join_all(racing).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
    assert_eq!(won, 1);
    let (_, version) = storage.read_mutable("t/m.json").await.unwrap().unwrap();
    storage.replace_if_match("t/m.json", Some(&version), Bytes::from_static(b"last")).await.unwrap();
    assert_eq!(storage.read_mutable("t/m.json").await.unwrap().unwrap().0, "last");
    assert!(storage.read_mutable("t/none.json").await.unwrap().is_none());

    // Uploads, small and in several parts; a dropped one never was.
    for size in [0usize, 10, 20 << 20] {
        let path = format!("t/up/{size}");
        let chunk = Bytes::from((0..size.min(1 << 20)).map(|n| (n * 7) as u8).collect::<Vec<_>>());
        let mut upload = storage.upload(&path).await.unwrap();
        for _ in 0..(size >> 20).max(1) {
            upload.write(chunk.clone()).await.unwrap();
        }
        let stored = upload.finish().await.unwrap();
        assert_eq!(stored.size, size as u64);
        // Azure and Google tell no SHA-256: the vault reads back what it stored there.
        let tells = !storage.describe().starts_with("az:") && !storage.describe().starts_with("gs:");
        assert_eq!(stored.compared, tells);
        assert_eq!(storage.head(&path).await.unwrap(), size as u64);
        let mut again = storage.upload(&path).await.unwrap();
        again.write(Bytes::from_static(b"other")).await.unwrap();
        assert_eq!(again.finish().await.map_err(kind).unwrap_err(), StorageErrorKind::AlreadyExists);
    }
    let mut dropped = storage.upload("t/up/dropped").await.unwrap();
    dropped.write(Bytes::from_static(b"x")).await.unwrap();
    drop(dropped);
    assert_eq!(storage.head("t/up/dropped").await.map_err(kind).unwrap_err(), StorageErrorKind::NotFound);

    assert_eq!(storage.list_folders("t").await.unwrap(), ["up"]);
    assert_eq!(storage.list("t/race-").try_collect::<Vec<_>>().await.unwrap().len(), 5);
    for path in
        listing(&*storage).await.into_iter().filter(|path| path.starts_with("t/") && !path.contains("/m."))
    {
        storage.delete(&path).await.unwrap();
        storage.delete(&path).await.unwrap();
    }
    storage.delete_mutable("t/m.json").await.unwrap();
    assert_eq!(listing(&*storage).await, Vec::<String>::new());
    orgkeep_vault::storage::probe(&*storage).await.unwrap();
    assert_eq!(listing(&*storage).await, Vec::<String>::new());
}

/// A run that is killed after a page, goes on in a second attempt, commits, and is read and verified.
pub async fn whole_run(storage: Arc<dyn Storage>) {
    let vault = Vault::create_or_open(Arc::clone(&storage), &access()).await.unwrap();
    assert!(vault.find_line(&owner()).await.unwrap().is_none());
    let line = vault.create_line(&owner(), &org()).await.unwrap();
    assert_eq!(vault.find_line(&owner()).await.unwrap().unwrap().id(), line.id());
    line.check_org(&org()).unwrap();
    let other = OrgFacts { id: "00D000000000063EAA".into(), ..org() };
    assert_eq!(line.check_org(&other).unwrap_err().reason(), Reason::OrgChanged);

    let run = line.run("run-1").unwrap();
    let first = run.begin_attempt().await.unwrap();
    let _killed = line.lease("run-1", TTL).await.unwrap();
    assert_eq!(run.plan::<Vec<String>>().await.unwrap(), None);
    run.put_plan(&vec!["Account".to_owned()]).await.unwrap();
    page(&first, 0).await;
    assert_eq!(run.api_calls_beside(&first).await.unwrap(), 0);
    assert_eq!(line.lease("run-2", TTL).await.unwrap_err().reason(), Reason::LineBusy);

    let second = run.begin_attempt().await.unwrap();
    assert_eq!(second.number(), 2);
    let mut lease = line.lease("run-1", TTL).await.unwrap();
    assert_eq!(run.put_plan(&vec!["Other".to_owned()]).await.unwrap(), ["Account"], "the first plan counts");
    assert_eq!(run.pages("Account").await.unwrap().len(), 1);
    assert_eq!(page(&second, 0).await.attempt, 1, "the first note of a page counts");
    assert_eq!(page(&second, 1).await.attempt, 2);
    let parts: Vec<Part> =
        run.pages("Account").await.unwrap().into_iter().flat_map(|page| page.parts).collect();
    let record = ShardRecord { object: "Account".into(), parts, ledger: ledger(4), ..ShardRecord::default() };
    let record = second.put_shard(record).await.unwrap();
    // The first attempt noted page 0, after 10 calls; the second one page 1, after 11.
    assert_eq!(run.api_calls_beside(&second).await.unwrap(), 10);
    assert_eq!(run.api_calls_beside(&first).await.unwrap(), 11);
    assert_eq!(run.shards().await.unwrap(), std::slice::from_ref(&record));
    let committed = commit(&line, &mut lease, &second, record.parts).await;
    lease.release().await.unwrap();
    let outcome = Outcome::new(Phase::Succeeded, Reason::Succeeded, "done");
    second.put_record(&outcome).await.unwrap();
    assert_eq!(run.record().await.unwrap(), Some(outcome));
    assert_eq!(run.committed().await.unwrap().unwrap().facts, committed.facts);

    // From here on with nothing but the storage and the key.
    let vault = Vault::open_read_only(Arc::clone(&storage), &access()).await.unwrap();
    let manifest = vault.find_snapshot("latest").await.unwrap();
    assert_eq!(manifest.digest, committed.facts.manifest_digest);
    assert_eq!(manifest.object("account").unwrap().records, 4);
    assert!(manifest.object("Account").unwrap().proven);
    let state = vault.state(&manifest, "Account").await.unwrap();
    assert_eq!(state.parts.len(), 2);
    assert_eq!(vault.ids(&state.parts[1]).unwrap().unwrap().min.len(), 18);
    let rows = vault.rows(&manifest, "Account", Some(&["Name".to_owned()])).await.unwrap();
    let names = tokio::task::spawn_blocking(move || {
        let mut rows = rows;
        let mut names = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            names.extend(row.texts().unwrap());
        }
        names
    })
    .await
    .unwrap();
    assert_eq!(names.len(), 4);
    assert_eq!(names[0].as_deref(), Some("secret A 0"));
    let facts = vault.facts().await.unwrap();
    assert_eq!((facts.snapshots, facts.bytes), (1, committed.facts.size_bytes));

    // No value of a record stands anywhere in the clear.
    for path in listing(&*storage).await {
        let bytes = storage.get(&path).await.unwrap();
        for value in [&b"secret A"[..], &b"00100000000000A"[..]] {
            assert!(!bytes.windows(value.len()).any(|window| window == value), "{path}");
        }
    }
    for full in [false, true] {
        let options = verify::Options { full, expect: Some(manifest.digest.clone()), ..Default::default() };
        let report = verify::verify(&vault, &options).await.unwrap();
        assert_eq!(report.problems, [], "full: {full}");
        assert_eq!((report.snapshots, report.files), (1, 3));
        assert_eq!(report.rows, if full { 4 } else { 0 });
    }
}

/// Whoever was thought dead loses.
pub async fn takeover(storage: Arc<dyn Storage>) {
    let vault = Vault::create_or_open(storage, &access()).await.unwrap();
    let line = vault.create_line(&owner(), &org()).await.unwrap();
    let mut slow = line.lease("slow", Duration::ZERO).await.unwrap();
    let attempt = line.run("slow").unwrap().begin_attempt().await.unwrap();
    let parts = page(&attempt, 0).await.parts;
    tokio::time::sleep(Duration::from_secs(6)).await; // beyond what clocks may differ by
    let lease = line.lease("quick", TTL).await.unwrap();
    let error = try_commit(&line, &mut slow, &attempt, parts).await.unwrap_err();
    assert_eq!(error.reason(), Reason::LineBusy, "{error}");
    lease.release().await.unwrap();
    let committed = snapshot(&line, "quick", 1).await;
    assert_eq!(committed.manifest.seq, 2, "the void took the first number");
    assert_eq!(line.snapshots().await.unwrap().len(), 1);
    assert!(line.manifest("1").await.is_err());
    assert!(verify::verify(&vault, &verify::Options::default()).await.unwrap().is_good());
}

/// Two attempts of one run that both come to commit make one snapshot.
pub async fn commit_race(storage: Arc<dyn Storage>) {
    let vault = Vault::create_or_open(storage, &access()).await.unwrap();
    let line = vault.create_line(&owner(), &org()).await.unwrap();
    snapshot(&line, "before", 1).await;
    let mut racing = Vec::new();
    for _ in 0..4 {
        let line = line.clone();
        racing.push(tokio::spawn(async move {
            let attempt = line.run("run").unwrap().begin_attempt().await.unwrap();
            let mut lease = line.lease("run", TTL).await?;
            let parts = page(&attempt, 0).await.parts;
            try_commit(&line, &mut lease, &attempt, parts).await
        }));
    }
    let mut digests = std::collections::BTreeSet::new();
    for result in futures::future::join_all(racing).await {
        match result.unwrap() {
            Ok(committed) => {
                digests.insert(committed.facts.manifest_digest);
            }
            Err(error) => assert_eq!(error.reason(), Reason::LineBusy, "{error}"),
        }
    }
    assert_eq!(digests.len(), 1);
    let snapshots = line.snapshots().await.unwrap();
    assert_eq!(snapshots.len(), 2);
    assert_eq!(snapshots[1].parent.as_ref().unwrap().digest, snapshots[0].digest);
    assert!(
        verify::verify(&vault, &verify::Options { full: true, ..Default::default() })
            .await
            .unwrap()
            .is_good()
    );
}
