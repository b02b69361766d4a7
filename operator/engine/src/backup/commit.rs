//! Commit: states, the sum of the ledgers, and the one conditional put that makes the snapshot exist.

use futures::{StreamExt as _, TryStreamExt as _};
use orgkeep_api::worker::BackupTask;
use orgkeep_core::ledger::Verdict;
use orgkeep_core::reason::Reason;
use orgkeep_core::run::{Completeness, Counts, Failure, MAX_FAILURES, Outcome, Phase, cut_to};
use orgkeep_salesforce::Client;
use orgkeep_vault::{Attempt, Committed, Draft, Lease, Line, Manifest, ObjectEntry, ShardRecord};

use super::plan::{Plan, PlannedObject};
use crate::ending::Ending;

/// States that are written at a time.
const STATES_AT_A_TIME: usize = 8;

/// All shards of a run are done.
pub(super) struct Ready {
    pub(super) attempt: Attempt,
    pub(super) client: Client,
    pub(super) plan: Plan,
    /// One for each object of the plan, in its order.
    pub(super) records: Vec<ShardRecord>,
}

/// What the ledgers and failures come to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sums {
    counts: Counts,
    completeness: Completeness,
    failures: Vec<Failure>,
}

/// Writes the states and commits; an org of which nothing could be read is committed nowhere. `api_calls`: of all
/// attempts.
pub(super) async fn commit(
    task: &BackupTask,
    line: &Line,
    lease: &mut Lease,
    ready: Ready,
    api_calls: u64,
) -> Result<Outcome, Ending> {
    let sums = sum(&ready.plan.failures, &ready.records);
    if sums.counts.objects == 0 {
        return Ok(outcome(sums, Phase::Failed, None));
    }
    let phase = if sums.failures.is_empty() { Phase::Succeeded } else { Phase::PartiallySucceeded };
    lease.renew().await?;
    let objects = states(&ready).await?;
    let draft = Draft {
        snapshot_name: task.snapshot_name.clone(),
        phase,
        start_time: ready.plan.read_from.clone(),
        org: ready.client.org(),
        counts: sums.counts.clone(),
        completeness: sums.completeness.clone(),
        api_calls,
        objects,
        trees: Vec::new(),
    };
    lease.renew().await?;
    let committed = line.commit(lease, &ready.attempt, draft).await?;
    tracing::info!(
        line = committed.facts.line_id,
        snapshot = committed.facts.snapshot_id,
        digest = committed.facts.manifest_digest,
        "committed"
    );
    Ok(outcome(sums, phase, Some(&committed)))
}

async fn states(ready: &Ready) -> Result<Vec<ObjectEntry>, Ending> {
    let pairs = ready.plan.objects.iter().zip(&ready.records);
    let all: Vec<_> = pairs.map(|(object, record)| entry(&ready.attempt, object, record)).collect();
    futures::stream::iter(all).buffered(STATES_AT_A_TIME).try_collect().await
}

/// What the manifest says of an object; its state is written here.
async fn entry(
    attempt: &Attempt,
    object: &PlannedObject,
    record: &ShardRecord,
) -> Result<ObjectEntry, Ending> {
    let name = record.object.as_str();
    if let Some(failure) = &record.failure {
        return Ok(ObjectEntry::failed(name, failure.clone()));
    }
    let state = attempt.put_state(name, &object.schema, record.parts.clone()).await?;
    Ok(ObjectEntry::new(state, record.ledger.clone()))
}

fn sum(known: &[Failure], records: &[ShardRecord]) -> Sums {
    let mut sums = Sums { failures: known.to_vec(), ..Sums::default() };
    for record in records {
        if let Some(failure) = &record.failure {
            sums.failures.push(failure.clone());
            continue;
        }
        let ledger = &record.ledger;
        sums.counts.objects += 1;
        sums.counts.records += ledger.written;
        sums.completeness.captured += ledger.written;
        sums.completeness.expected += ledger.counted.unwrap_or(ledger.written);
        if let Verdict::Unproven { why } = ledger.verdict() {
            sums.failures.push(Failure {
                object: record.object.clone(),
                code: "Unproven".to_owned(),
                message: cut_to(&why, 256).to_owned(),
            });
        }
    }
    sums.counts.errors = sums.failures.len() as u64;
    sums.completeness.proven = sums.failures.is_empty();
    sums
}

fn outcome(sums: Sums, phase: Phase, committed: Option<&Committed>) -> Outcome {
    let not_there = Reason::ObjectNotFound.as_str();
    let reason = if sums.failures.is_empty() {
        Reason::Succeeded
    } else if sums.failures.iter().all(|failure| failure.code == not_there) {
        Reason::ObjectNotFound
    } else {
        Reason::ObjectsIncomplete
    };
    let captured = format!("{} records of {} objects captured", sums.counts.records, sums.counts.objects);
    let message = match sums.failures.first() {
        None => format!("{captured} and proven"),
        Some(first) => format!(
            "{captured}; {} incomplete, such as {}: {}; {}",
            sums.failures.len(),
            first.object,
            first.message,
            reason.advice()
        ),
    };
    let mut outcome = Outcome::new(phase, reason, message);
    outcome.snapshot = committed.map(|committed| committed.facts.clone());
    outcome.counts = sums.counts;
    outcome.completeness = sums.completeness;
    outcome.failures = sums.failures.into_iter().take(MAX_FAILURES).collect();
    outcome
}

/// The outcome of a run whose snapshot stands and whose record does not: told from its manifest.
pub(super) fn outcome_of(committed: &Committed) -> Outcome {
    let manifest: &Manifest = &committed.manifest;
    let failures =
        manifest.objects.iter().filter_map(|object| match (&object.failure, object.ledger.verdict()) {
            (Some(failure), _) => Some(failure.clone()),
            (None, Verdict::Unproven { why }) => Some(Failure {
                object: object.name.clone(),
                code: "Unproven".to_owned(),
                message: cut_to(&why, 256).to_owned(),
            }),
            (None, Verdict::Proven) => None,
        });
    let sums = Sums {
        counts: manifest.counts.clone(),
        completeness: manifest.completeness.clone(),
        failures: failures.collect(),
    };
    let phase = Phase::from_word(&manifest.phase).unwrap_or(Phase::PartiallySucceeded);
    outcome(sums, phase, Some(committed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use orgkeep_core::ledger::ObjectLedger;

    fn record(object: &str, counted: Option<u64>, failure: Option<Failure>) -> ShardRecord {
        let ledger =
            ObjectLedger { delivered: 5, decoded: 5, written: 5, counted, ..ObjectLedger::default() };
        ShardRecord { object: object.into(), ledger, failure, ..ShardRecord::default() }
    }

    fn failure(object: &str, code: &str) -> Failure {
        Failure { object: object.into(), code: code.into(), message: "m".into() }
    }

    #[test]
    fn all_proven_is_a_success() {
        let sums = sum(&[], &[record("A", Some(5), None), record("B", Some(5), None)]);
        assert_eq!((sums.counts.objects, sums.counts.records, sums.completeness.expected), (2, 10, 10));
        assert!(sums.completeness.proven);
        assert_eq!(outcome(sums, Phase::Succeeded, None).reason, Reason::Succeeded);
    }

    #[test]
    fn what_is_missing_or_unproven_is_named() {
        let records = [record("A", Some(9), None), record("B", None, Some(failure("B", "INVALID_FIELD")))];
        let sums = sum(&[failure("Nope", "ObjectNotFound")], &records);
        assert_eq!((sums.counts.objects, sums.counts.errors), (1, 3));
        assert!(!sums.completeness.proven);
        let outcome = outcome(sums, Phase::PartiallySucceeded, None);
        assert_eq!(outcome.reason, Reason::ObjectsIncomplete);
        let named: Vec<_> = outcome.failures.iter().map(|f| (f.object.as_str(), f.code.as_str())).collect();
        assert_eq!(named, [("Nope", "ObjectNotFound"), ("A", "Unproven"), ("B", "INVALID_FIELD")]);
    }

    #[test]
    fn only_names_that_are_not_there_are_the_users_to_mend() {
        let sums = sum(&[failure("Nope", "ObjectNotFound")], &[record("A", Some(5), None)]);
        assert_eq!(outcome(sums, Phase::PartiallySucceeded, None).reason, Reason::ObjectNotFound);
    }
}
