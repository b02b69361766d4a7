//! What goes wrong on the way to a real server, exchange by exchange: refusals, a server too busy, one that is full, a
//! connection cut before or after the server did its work, an answer that ends in the middle, a byte that is another.
//! Nothing acknowledged is lost, and nothing altered counts. A seeded sample; every exchange with `ORGKEEP_FAULTS=all`.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/runs.rs"]
mod runs;
#[path = "support/stores.rs"]
mod stores;
mod support;
#[path = "support/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use futures::future::join_all;
use orgkeep_core::reason::Reason;
use orgkeep_vault::storage::StorageErrorKind;
use proxy::{Proxy, SPOILS, Spoil};
use runs::three_runs;
use stores::{Kind, Store, by, stores};
use world::*;

/// Exchanges of three runs, about: a sample draws among them.
const EXCHANGES: u64 = 130;

/// How runs of a cell of the table ended.
#[derive(Default)]
struct Cell {
    runs: u32,
    met: u32,
    good: u32,
    errors: BTreeMap<&'static str, u32>,
}

/// Three runs by a proxy that spoils one exchange.
async fn runs_by(store: &Store, proxy: &Proxy, what: &str, cell: &mut Cell) {
    let spoilt = by(&store.location, &proxy.endpoint).open().await.unwrap();
    let failed = three_runs(spoilt, &store.storage, what).await;
    cell.runs += 1;
    cell.met += u32::from(proxy.spoilt.load(Ordering::SeqCst) > 0);
    match failed {
        Some(reason) => *cell.errors.entry(reason).or_default() += 1,
        None => cell.good += 1,
    }
}

/// All faults of one store; a cell by each.
async fn campaign(first: Store, all: bool) -> (Kind, BTreeMap<Spoil, Cell>) {
    let mut random = Random(20_261_125 + first.kind as u64);
    let mut table: BTreeMap<Spoil, Cell> = BTreeMap::new();
    for spoil in SPOILS {
        let cell = table.entry(spoil).or_default();
        let mut nth = 0;
        loop {
            nth = if all { nth + 1 } else { 1 + random.below(EXCHANGES) as i64 };
            if !all && matches!(spoil, Spoil::FlippedIn | Spoil::FlippedOut) {
                nth = 1 + nth % 25; // there are fewer of these
            }
            let location = first.kind.location("wire").unwrap();
            let storage = location.open().await.unwrap();
            let store = Store { kind: first.kind, location, storage };
            let proxy = Proxy::before(&first.kind.endpoint().unwrap(), nth, spoil).await;
            let what = format!("{}, {spoil:?}, exchange {nth}", first.kind.name());
            runs_by(&store, &proxy, &what, cell).await;
            if !all || proxy.left.load(Ordering::SeqCst) > 0 {
                break;
            }
        }
    }
    (first.kind, table)
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_on_the_way_nothing_acknowledged_is_lost() {
    let all = std::env::var_os("ORGKEEP_FAULTS").is_some_and(|value| value == "all");
    let servers = stores("wire").await.into_iter().filter(|store| store.kind != Kind::Volume);
    let mut lines = Vec::new();
    for (kind, table) in join_all(servers.map(|store| campaign(store, all))).await {
        for (spoil, cell) in table {
            lines.push(format!(
                "{:<10} {:<11} {:>4} {:>5} {:>5}  {:?}",
                kind.name(),
                format!("{spoil:?}"),
                cell.runs,
                cell.met,
                cell.good,
                cell.errors
            ));
        }
    }
    println!("store      fault       runs   met  good  errors that the next run made good (seed 20261125)");
    for line in &lines {
        println!("{line}");
    }
}

/// A conditional put is done and its answer lost: the next try meets its own bytes. Of `put_if_absent` the caller is told
/// that a file is there, and finds its own bytes; a replacement and an upload are known as done.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_of_a_conditional_put_is_known_as_done() {
    for store in stores("lost").await {
        let Some(endpoint) = store.kind.endpoint() else { continue };
        let direct = &store.storage;
        let spoilt = async |nth| {
            let proxy = Proxy::before(&endpoint, nth, Spoil::Lost).await;
            let storage = by(&store.location, &proxy.endpoint).open().await.unwrap();
            (proxy, storage)
        };
        let name = store.kind.name();
        let (proxy, storage) = spoilt(1).await;
        let put = storage.put_if_absent("t/once.json", "mine".into()).await.map_err(|error| error.kind);
        assert!(matches!(put, Ok(()) | Err(StorageErrorKind::AlreadyExists)), "{name}: {put:?}");
        assert_eq!(direct.get("t/once.json").await.unwrap(), "mine", "{name}");
        assert_eq!(proxy.spoilt.load(Ordering::SeqCst), 1);

        let first = direct.replace_if_match("t/m.json", None, "1".into()).await.unwrap();
        let (_proxy, storage) = spoilt(1).await;
        let second = storage.replace_if_match("t/m.json", Some(&first), "2".into()).await.unwrap();
        let (there, version) = direct.read_mutable("t/m.json").await.unwrap().unwrap();
        assert_eq!((there.as_ref(), &version), (&b"2"[..], &second), "{name}");
        // Another's replacement is not taken for ours.
        let (_proxy, storage) = spoilt(1).await;
        let error = storage.replace_if_match("t/m.json", Some(&first), "3".into()).await.unwrap_err();
        assert_eq!(error.kind, StorageErrorKind::Conflict, "{name}: {error}");

        let (_proxy, storage) = spoilt(1).await;
        let mut upload = storage.upload("t/up").await.unwrap();
        upload.write("whole".into()).await.unwrap();
        assert_eq!(upload.finish().await.unwrap().size, 5, "{name}");
        let mut upload = storage.upload("t/up").await.unwrap();
        upload.write("other".into()).await.unwrap();
        let error = upload.finish().await.unwrap_err();
        assert_eq!(error.kind, StorageErrorKind::AlreadyExists, "{name}: {error}");
        eprintln!("{name}: good");
    }
}

/// What is full is told as that, on every store.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_full_is_told_as_that() {
    for store in stores("full").await {
        let Some(endpoint) = store.kind.endpoint() else { continue };
        let mut reasons = Vec::new();
        for spoil in [Spoil::Full, Spoil::Denied] {
            // All tries of one request: a proxy for each would be spoilt once.
            let proxy = Proxy::before(&endpoint, 1, spoil).await;
            let storage = by(&store.location, &proxy.endpoint).open().await.unwrap();
            proxy.lasts.store(true, Ordering::SeqCst);
            let error = storage.put_if_absent("t/a.json", "x".into()).await.unwrap_err();
            eprintln!("{}: {error}", store.kind.name());
            reasons.push(error.reason());
        }
        assert_eq!(reasons, [Reason::VaultFull, Reason::VaultAccessDenied], "{}", store.kind.name());
    }
}
