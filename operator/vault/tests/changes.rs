//! Deltas over a state, what they come to, and that whatever is compacted or whichever schema came between, a snapshot
//! reads back as what it was.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;
#[path = "support/world.rs"]
mod world;

use std::collections::BTreeMap;

use orgkeep_vault::change::Rule;
use orgkeep_vault::read::Keys;
use orgkeep_vault::{ChangeCounts, ChangeKind};
use world::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_holds_what_changed_and_counts_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path()).await;
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
async fn many_pages_in_no_order_are_merged_and_of_a_record_the_last_page_counts() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path()).await;
    let mut all = start(600);
    // Changed while it was read: it comes on three pages.
    all.insert(300, (7, record("later", 4)));
    all.insert(500, (7, record("last", 4)));
    let full = world.full(&all, 10).await;
    let mut org: Org = start(600).into_iter().collect();
    org.insert(7, record("last", 4));
    world.holds(&full, &org).await;
    let state = world.state(&full).await;
    assert_eq!(state.rows, 600, "of the record that came three times, one row");
    let ranges: Vec<_> = state.parts.iter().map(|part| world.vault.ids(part).unwrap().unwrap()).collect();
    let over = |id: &String| ranges.iter().filter(|range| range.min <= *id && *id <= range.max).count();
    let layers = ranges.iter().map(|range| over(&range.min)).max().unwrap();
    assert!(layers <= Rule::default().layers, "{layers} of {} parts over one key", ranges.len());
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_run_that_say_otherwise_of_a_record_are_settled() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path()).await;
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
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path()).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn thirty_days_read_back_each_whatever_was_compacted() {
    let mut random = Random(7);
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path()).await;
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
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(dir.path()).await;
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
    let dir = tempfile::tempdir().unwrap();
    let mut one = World::new(&dir.path().join("one")).await;
    let mut other = World::new(&dir.path().join("other")).await;
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
