//! Backups of a small org from end to end: what is stored, what is said, and what happens when things break.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::atomic::Ordering;

use common::Bed;
use common::org::{self, Object, object};
use orgkeep_api::worker::{ReadRecordTask, Task};
use orgkeep_core::reason::Reason;
use orgkeep_core::run::{Outcome, Phase};
use orgkeep_engine::task;
use serde_json::json;

fn objects() -> Vec<Object> {
    vec![
        object("Account", 40_500),
        object("Contact", 10),
        Object { no_bulk: true, ..object("Feed__c", 4_100) },
        object("Empty__c", 0),
    ]
}

/// What the org has of an object, in the order of Ids.
fn expected(name: &str, rows: u64) -> Vec<Vec<Option<String>>> {
    let mut all: Vec<_> = (0..rows).map(|n| org::row(name, rows, n)).collect();
    all.sort();
    all
}

async fn assert_whole(bed: &Bed) {
    for (name, rows) in [("Account", 40_500), ("Contact", 10), ("Feed__c", 4_100), ("Empty__c", 0)] {
        let stored = bed.rows(name).await;
        assert_eq!(stored.len() as u64, rows, "{name}");
        let columns = [0, 1, 2, 3]; // times are written as instants, not as the org's text
        for (stored, wanted) in stored.iter().zip(expected(name, rows)) {
            for column in columns {
                assert_eq!(stored[column], wanted[column], "{name}");
            }
        }
    }
    bed.verify().await;
}

fn assert_succeeded(outcome: &Outcome) {
    assert_eq!((outcome.phase, outcome.reason), (Phase::Succeeded, Reason::Succeeded), "{outcome:#?}");
    assert!(outcome.completeness.proven);
    assert_eq!((outcome.counts.records, outcome.counts.objects), (44_610, 4));
    assert_eq!(outcome.completeness.expected, 44_610);
    assert!(
        outcome.snapshot.as_ref().is_some_and(|snapshot| snapshot.manifest_digest.starts_with("sha256:"))
    );
    assert!(outcome.to_message().len() <= 4096);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_captured_and_proven() {
    let bed = Bed::new(objects()).await;
    let outcome = bed.run(bed.task("r1")).await;
    assert_succeeded(&outcome);
    assert_whole(&bed).await;
    assert_eq!(outcome.api_calls, bed.org.calls.load(Ordering::Relaxed));
    assert_eq!(outcome.org.as_ref().unwrap().name, "Acme");
    assert_eq!(outcome.vault.as_ref().unwrap().snapshots, 1);

    // A second run goes into the same line.
    let second = bed.run(bed.task("r2")).await;
    assert_succeeded(&second);
    let (first, second) = (outcome.snapshot.unwrap(), second.snapshot.unwrap());
    assert_eq!(first.line_id, second.line_id);
    assert_eq!((first.snapshot_id.as_str(), second.snapshot_id.as_str()), ("1", "2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_run_goes_on_from_its_journal() {
    let peace = Bed::new(objects()).await;
    peace.run(peace.task("r1")).await;
    let in_peace = peace.org.calls.load(Ordering::Relaxed);

    let bed = Bed::new(objects()).await;
    bed.org.faults.pages_until.store(20, Ordering::Relaxed);
    let context = bed.context();
    let (cancel, reached) = (context.cancel.clone(), bed.org.faults.reached.clone());
    tokio::spawn(async move {
        reached.cancelled().await;
        cancel.cancel();
    });
    let task = Task::Backup(Box::new(bed.task("r1")));
    let stopped = task::carry_out(&task, 1, &context).await;
    assert_eq!((stopped.phase, stopped.reason), (Phase::InProgress, Reason::Stopped), "{stopped:#?}");
    assert_eq!(orgkeep_engine::worker::exit_code(&stopped) as u8, 75);
    assert!(bed.open().await.unwrap().find_snapshot("latest").await.is_err(), "something can be seen");

    let outcome = bed.run(bed.task("r1")).await;
    assert_succeeded(&outcome);
    assert_whole(&bed).await;
    let calls = bed.org.calls.load(Ordering::Relaxed);
    assert!(calls * 10 <= in_peace * 12, "{calls} calls, {in_peace} in peace");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_is_followed_by_one_that_goes_on() {
    let peace = Bed::new(objects()).await;
    peace.run(peace.task("r1")).await;
    let in_peace = peace.org.calls.load(Ordering::Relaxed);

    let bed = Bed::new(objects()).await;
    bed.org.faults.pages_until.store(25, Ordering::Relaxed);
    let (context, task) = (bed.context(), Task::Backup(Box::new(bed.task("r1"))));
    let worker = tokio::spawn(async move { task::carry_out(&task, 1, &context).await });
    bed.org.faults.reached.cancelled().await;
    worker.abort();
    assert!(worker.await.unwrap_err().is_cancelled());

    let unfinished = orgkeep_engine::unfinished_run(&bed.task("r2"), "r", &bed.context()).await;
    assert_eq!(unfinished.as_deref(), Some("r1"));
    let record = Task::ReadRecord(Box::new(read_record(&bed, "r1")));
    assert_eq!(task::carry_out(&record, 1, &bed.context()).await.reason, Reason::WorkerLost);

    let outcome = bed.run(bed.task("r1")).await;
    assert_succeeded(&outcome);
    assert_whole(&bed).await;
    let calls = bed.org.calls.load(Ordering::Relaxed);
    assert!(calls * 10 <= in_peace * 12, "{calls} calls, {in_peace} in peace");

    // The last word can be read later, and a third worker of the run only repeats it.
    assert_eq!(task::carry_out(&record, 1, &bed.context()).await.counts, outcome.counts);
    let again = bed.run(bed.task("r1")).await;
    assert_eq!(again.snapshot, outcome.snapshot);
    assert_eq!(orgkeep_engine::unfinished_run(&bed.task("r2"), "r", &bed.context()).await, None);
}

fn read_record(bed: &Bed, run_id: &str) -> ReadRecordTask {
    let task = bed.task(run_id);
    ReadRecordTask {
        namespace: task.namespace,
        vault_name: task.vault_name,
        vault: task.vault,
        signing_key: None,
        line_id: None,
        cluster: task.cluster,
        backup_name: task.backup_name,
        run_id: task.run_id,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_break_off_are_asked_for_again() {
    let bed = Bed::new(objects()).await;
    bed.org.faults.cut_bodies.store(3, Ordering::Relaxed);
    assert_succeeded(&bed.run(bed.task("r1")).await);
    assert_whole(&bed).await;
    assert_eq!(bed.org.pages.load(Ordering::Relaxed), 41 + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_balance_or_cannot_be_read_is_named() {
    let bed = Bed::new(vec![
        object("Account", 3_000),
        Object { count_off: 2, ..object("Contact", 10) },
        Object { refused: true, ..object("Secret__c", 5_000) },
    ])
    .await;
    let mut task = bed.task("r1");
    task.scope.objects.include = vec!["*".into(), "Nope__c".into()];
    let outcome = bed.run(task).await;
    assert_eq!((outcome.phase, outcome.reason), (Phase::PartiallySucceeded, Reason::ObjectsIncomplete));
    let mut named: Vec<_> = outcome.failures.iter().map(|f| (f.object.as_str(), f.code.as_str())).collect();
    named.sort_unstable();
    assert_eq!(
        named,
        [("Contact", "Unproven"), ("Nope__c", "ObjectNotFound"), ("Secret__c", "INVALID_FIELD")]
    );
    assert_eq!(outcome.counts.errors, 3);
    assert!(!outcome.completeness.proven);
    assert_eq!(bed.rows("Account").await.len(), 3_000);
    bed.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_pods_share_a_run() {
    let bed = Bed::new(objects()).await;
    let task = Task::Backup(Box::new(bed.task("r1")));
    let contexts = [0, 1, 2].map(|index| orgkeep_engine::Context { index, ..bed.context() });
    let [a, b, c] = contexts.each_ref().map(|context| task::carry_out(&task, 3, context));
    let (first, second, third) = tokio::join!(a, b, c);
    for other in [second, third] {
        assert_eq!((other.phase, other.snapshot), (Phase::Succeeded, None));
    }
    assert_eq!(first.phase, Phase::Succeeded, "{first:#?}");
    assert_eq!(first.counts.records, 44_610);
    assert_whole(&bed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_has_a_reason() {
    let bed = Bed::new(objects()).await;
    let reason = async |change: &dyn Fn(&mut orgkeep_api::worker::BackupTask)| {
        let mut task = bed.task("r1");
        change(&mut task);
        let outcome = bed.run(task).await;
        (outcome.phase, outcome.reason)
    };
    let nothing = reason(&|task| task.scope.objects.exclude = vec!["*".into()]).await;
    assert_eq!(nothing, (Phase::Succeeded, Reason::NothingToDo));
    let names = |task: &mut orgkeep_api::worker::BackupTask| {
        task.run_id = "r2".into();
        task.scope.objects.include = vec!["Nope__c".into()];
    };
    assert_eq!(reason(&names).await, (Phase::Failed, Reason::ObjectNotFound));
    let sandbox = |task: &mut orgkeep_api::worker::BackupTask| {
        task.connection = serde_json::from_value(json!({
            "environment": "Sandbox", "loginUrl": bed.org.url, "insecure": true, "auth": task.connection.auth
        }))
        .unwrap();
    };
    assert_eq!(reason(&sandbox).await, (Phase::Failed, Reason::EnvironmentMismatch));
    assert_eq!(
        reason(&|task| task.org_id = Some("00D000000000009AAA".into())).await,
        (Phase::Failed, Reason::OrgChanged)
    );
    assert_eq!(
        reason(&|task| task.signing_key = Some("another".into())).await,
        (Phase::Failed, Reason::VaultCorrupted)
    );
    assert_eq!(
        reason(&|task| task.vault.encryption.key_secret_ref.as_mut().unwrap().name = "none".into()).await,
        (Phase::Failed, Reason::SecretNotFound)
    );
    assert_eq!(
        reason(&|task| task.vault.access_mode = orgkeep_api::backup_vault::AccessMode::ReadOnly).await,
        (Phase::Failed, Reason::VaultReadOnly)
    );
    assert_eq!(
        reason(&|task| task.line_id = Some("l-none".into())).await,
        (Phase::Failed, Reason::ReferenceNotFound)
    );
}
