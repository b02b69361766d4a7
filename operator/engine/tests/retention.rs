//! The real worker applies a backup's retention at the end of each run that succeeds.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(non_snake_case)] // names bear the rows of the checklist

mod common;

use common::Bed;
use common::org::object;
use jiff::{SignedDuration, Timestamp};
use orgkeep_core::run::{Outcome, Phase, RetentionFacts};
use orgkeep_vault::collect::{Options, collect};
use orgkeep_vault::{Access, Key, Location, Vault, verify};
use serde_json::{Value, json};

async fn run(bed: &Bed, id: &str, retention: Value) -> Outcome {
    let mut task = bed.task(id);
    task.retention = serde_json::from_value(retention).unwrap();
    let outcome = bed.run(task).await;
    assert_eq!(outcome.phase, Phase::Succeeded, "{outcome:#?}");
    outcome
}

async fn vault(bed: &Bed) -> Vault {
    let storage = Location::Volume(bed.vault_folder()).open().await.unwrap();
    let access = Access { key: Some(Key::parse(common::KEY).unwrap()), ..Access::default() };
    Vault::create_or_open(storage, &access).await.unwrap()
}

async fn shown(vault: &Vault) -> Vec<u64> {
    let mut all: Vec<u64> = vault.catalog(9).await.unwrap().iter().map(|manifest| manifest.seq).collect();
    all.sort_unstable();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_2__6_a_run_retires_by_the_backups_rules_and_what_is_due_is_deleted() {
    let bed = Bed::new(vec![object("Account", 300), object("Contact", 10)]).await;
    // Unlimited by default: nothing is looked at.
    for id in ["r1", "r2"] {
        assert_eq!(run(&bed, id, json!({})).await.retention, None);
    }
    let third = run(&bed, "r3", json!({"keepLast": 1})).await.retention.unwrap();
    assert_eq!((third.kept, third.retired, third.waiting, third.deleted), (1, 2, 2, 0), "{third:?}");
    let vault = vault(&bed).await;
    assert_eq!(shown(&vault).await, [3]);

    // The rule is lengthened before anything was deleted.
    let fourth = run(&bed, "r4", json!({"keepLast": 3})).await.retention.unwrap();
    assert_eq!((fourth.kept, fourth.waiting), (3, 1), "{fourth:?}");
    assert_eq!(shown(&vault).await, [2, 3, 4]);
    // And taken away: all come back.
    let fifth = run(&bed, "r5", json!({})).await.retention.unwrap();
    assert_eq!(fifth, RetentionFacts { kept: 5, ..RetentionFacts::default() });

    let line = vault.lines().await.unwrap().pop().unwrap();
    line.add_hold("case", "a law suit", &[1]).await.unwrap();
    let sixth = run(&bed, "r6", json!({"keepLast": 1, "generations": {"daily": 1}})).await.retention.unwrap();
    assert_eq!((sixth.kept, sixth.held, sixth.retired), (2, 1, 4), "{sixth:?}");
    let now = Some(Timestamp::now() + SignedDuration::from_hours(25));
    let done = collect(&vault, &Options { now, ..Options::default() }).await.unwrap();
    assert_eq!(done.lines[0].swept, [2, 3, 4, 5]);
    assert!(done.lines[0].freed.bytes > 0);
    assert_eq!(shown(&vault).await, [1, 6]);
    bed.verify().await;
    // The next run goes on as ever, over the void and the gap.
    let seventh = run(&bed, "r7", json!({"keepLast": 2})).await;
    assert_eq!(seventh.vault.unwrap().snapshots, 3);
    let report =
        verify::verify(&vault, &verify::Options { full: true, rows: true, ..Default::default() }).await;
    let report = report.unwrap();
    assert_eq!((report.problems, report.snapshots), (vec![], 3));
}
