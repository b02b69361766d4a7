//! Three runs, of which any may meet a fault: a full backup, an incremental one, and one that compacts.
#![allow(dead_code, missing_docs, unreachable_pub)] // each test binary uses its part

use std::sync::Arc;

use orgkeep_core::reason::Reason;
use orgkeep_vault::storage::Storage;
use orgkeep_vault::{Committed, Result, verify};

use crate::support::TTL;
use crate::world::{Org, Record, World, eager, record, start};

/// Changes of a day.
pub fn day(number: u32) -> Vec<(u32, Option<Record>)> {
    (0..6).map(|n| (n * 7 + number, (n != number).then(|| record("changed", number)))).collect()
}

/// What the org is after changes.
pub fn apply(org: &mut Org, day: &[(u32, Option<Record>)]) {
    for (id, record) in day {
        match record {
            Some(record) => drop(org.insert(*id, record.clone())),
            None => drop(org.remove(id)),
        }
    }
}

/// What the org holds after a phase.
pub fn after(phase: u32) -> Org {
    let mut org: Org = start(40).into_iter().collect();
    (1..phase).for_each(|number| apply(&mut org, &day(number)));
    org
}

/// The run of a phase: 1 is a full backup, 2 an incremental one, 3 one that compacts.
pub async fn phase(storage: Arc<dyn Storage>, phase: u32) -> Result<Committed> {
    let mut world = World::on(storage).await?;
    world.runs = phase - 1;
    match phase {
        1 => world.try_full(&start(40), 25).await,
        2 => world.try_delta(&[day(1)], None).await,
        _ => world.try_delta(&[day(2)], Some(&eager())).await,
    }
}

/// Three runs by a storage that has a fault; each is made good by the next try without it, and what they hold is compared.
/// The reason of the last one that ended in an error, if one did.
pub async fn three_runs(
    faulty: Arc<dyn Storage>,
    direct: &Arc<dyn Storage>,
    what: &str,
) -> Option<&'static str> {
    let mut failed = None;
    for number in 1..=3 {
        let first = phase(Arc::clone(&faulty), number).await;
        let second = match phase(Arc::clone(direct), number).await {
            Ok(second) => second,
            Err(error) => panic!("{what}, phase {number}: {error}, after {first:?}"),
        };
        match first {
            Ok(acknowledged) => assert_eq!(acknowledged.facts, second.facts, "{what}"),
            Err(error) => {
                // what the world of tests makes of an error of the codec
                let parent = error.to_string().contains("the parent could not be read");
                assert!(parent || error.reason() != Reason::InternalError, "{what}: {error}");
                let line = World::on(Arc::clone(direct)).await.unwrap().line;
                // A lease that could not be given back would have to run out.
                let lease = line.lease(&format!("run-{number}"), TTL).await.unwrap();
                lease.release().await.unwrap();
                failed = Some(error.reason().as_str());
            }
        }
    }
    let world = World::on(Arc::clone(direct)).await.unwrap();
    let snapshots = world.line.snapshots().await.unwrap();
    assert_eq!(snapshots.len(), 3, "{what}");
    for (snapshot, number) in snapshots.iter().zip(1..) {
        world.holds(snapshot, &after(number)).await;
    }
    let options = verify::Options { full: true, rows: true, ..Default::default() };
    let report = verify::verify(&world.vault, &options).await.unwrap();
    assert_eq!(report.problems, [], "{what}");
    failed
}
