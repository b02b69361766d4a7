//! From outcomes to statuses, as the controllers write them in a cluster.

use jiff::Timestamp;
use orgkeep_api::common::{Condition, Time, condition};
use orgkeep_api::run_status;
use orgkeep_api::salesforce_backup::ObjectsStatus;
use orgkeep_api::snapshot::RunStatus;
use orgkeep_api::{
    BackupVault, BackupVaultStatus, SalesforceBackup, SalesforceBackupStatus, SalesforceConnection,
    SalesforceConnectionStatus, Snapshot, SnapshotStatus,
};
use orgkeep_core::reason::Reason;
use orgkeep_core::run::{Outcome, Phase, VaultFacts};

/// A connection after its probe.
pub(super) fn connection(object: &mut SalesforceConnection, outcome: &Outcome, now: Timestamp) {
    let good = outcome.phase == Phase::Succeeded;
    let mut conditions = vec![
        made(condition::READY, good, outcome.reason, &outcome.message, now),
        made(condition::CONNECTED, outcome.org.is_some(), outcome.reason, &outcome.message, now),
    ];
    stall(&mut conditions, outcome, now);
    object.status = Some(SalesforceConnectionStatus {
        conditions,
        org: outcome.org.as_ref().map(Into::into),
        api_usage: outcome.usage.as_ref().map(Into::into),
        ..SalesforceConnectionStatus::default()
    });
    object.metadata.creation_timestamp.get_or_insert(Time(now));
}

/// A vault after its probe.
pub(super) fn vault(object: &mut BackupVault, outcome: &Outcome, now: Timestamp) {
    let good = outcome.phase == Phase::Succeeded;
    let mut conditions = vec![made(condition::READY, good, outcome.reason, &outcome.message, now)];
    if let Some(facts) = &outcome.vault {
        let (held, reason) = match (object.spec.encryption.disabled, facts.recovery_recipients) {
            (true, _) => (true, Reason::EncryptionDisabled),
            (false, 0) => (false, Reason::NoRecoveryKey),
            (false, _) => (true, Reason::RecoveryKeyPresent),
        };
        conditions.push(made(condition::RECOVERY_KEY, held, reason, reason.advice(), now));
    }
    stall(&mut conditions, outcome, now);
    let mut status = BackupVaultStatus { conditions, ..BackupVaultStatus::default() };
    if let Some(found) = &outcome.vault {
        facts(&mut status, found);
    }
    object.status = Some(status);
    object.metadata.creation_timestamp.get_or_insert(Time(now));
}

/// What a vault holds.
pub(super) fn facts(status: &mut BackupVaultStatus, found: &VaultFacts) {
    status.vault_id = Some(found.vault_id.clone());
    status.signing_key = Some(found.signing_key.clone());
    status.snapshots = Some(int(found.snapshots));
    status.bytes = Some(int(found.bytes));
    if let Some(ready) = status.conditions.iter_mut().find(|made| made.type_ == condition::READY) {
        ready.message = format!("vault {} holds {} snapshots", found.vault_id, found.snapshots);
    }
}

/// A snapshot after its run.
pub(super) fn snapshot(object: &mut Snapshot, outcome: &Outcome, began: Timestamp) {
    let now = Timestamp::now();
    let good = outcome.phase == Phase::Succeeded;
    let reason = if good { Reason::Succeeded } else { outcome.reason };
    let mut conditions = vec![made(condition::READY, good, reason, &outcome.message, now)];
    stall(&mut conditions, outcome, now);
    let facts = outcome.snapshot.clone();
    object.status = Some(SnapshotStatus {
        phase: Some(outcome.phase.as_str().to_owned()),
        conditions,
        start_time: Some(stamp(began)),
        completion_time: outcome.phase.is_terminal().then(|| stamp(now)),
        run: Some(RunStatus { attempt: 1, started_at: stamp(began), ..RunStatus::default() }),
        counts: Some((&outcome.counts).into()),
        api_calls: Some(int(outcome.api_calls)),
        size_bytes: facts.as_ref().map(|facts| int(facts.size_bytes)),
        manifest_digest: facts.as_ref().map(|facts| facts.manifest_digest.clone()),
        completeness: Some((&outcome.completeness).into()),
        vault_name: object.spec.vault_ref.as_ref().map(|vault| vault.name.clone()),
        line_id: facts.as_ref().map(|facts| facts.line_id.clone()),
        snapshot_id: facts.map(|facts| facts.snapshot_id),
        failures: run_status::failures(&outcome.failures),
        retention: outcome.retention.as_ref().map(Into::into),
        ..SnapshotStatus::default()
    });
    if let Some(progress) = object.status.as_mut() {
        progress.progress = (outcome.phase == Phase::Succeeded || outcome.phase == Phase::PartiallySucceeded)
            .then(|| run_status::ProgressStatus {
                objects_total: int(outcome.counts.objects),
                objects_done: int(outcome.counts.objects),
                records: int(outcome.counts.records),
                percent: 100,
                updated_at: stamp(now),
                ..run_status::ProgressStatus::default()
            });
    }
    object.metadata.creation_timestamp.get_or_insert(Time(began));
}

/// A backup after its run.
pub(super) fn backup(object: &mut SalesforceBackup, snapshot: &Snapshot, outcome: &Outcome) {
    let now = Timestamp::now();
    let good = outcome.phase == Phase::Succeeded;
    let runnable = !outcome.reason.is_configuration() && outcome.reason != Reason::ReferenceNotReady;
    let scope = &object.spec.scope;
    let covered = !scope.files.enabled && !scope.metadata.enabled;
    let uncovered = "this version captures records; contents of files and metadata are not captured yet";
    let mut conditions = vec![
        made(condition::READY, runnable, outcome.reason, &outcome.message, now),
        made(condition::BACKUP_SUCCEEDED, good, outcome.reason, &outcome.message, now),
        made(
            condition::SCOPE_COVERED,
            covered,
            Reason::ObjectsIncomplete,
            if covered { "" } else { uncovered },
            now,
        ),
    ];
    stall(&mut conditions, outcome, now);
    let status = snapshot.status.clone().unwrap_or_default();
    object.status = Some(SalesforceBackupStatus {
        conditions,
        phase: Some(outcome.phase.as_str().to_owned()),
        last_snapshot: snapshot.metadata.name.clone(),
        last_run_time: status.start_time,
        last_success_time: status.completion_time.filter(|_| good),
        last_run_now: Some(object.spec.run_now.clone()).filter(|token| !token.is_empty()),
        line_id: status.line_id,
        retention: status.retention,
        objects: Some(ObjectsStatus {
            total: int(outcome.counts.objects),
            failed: int(outcome.counts.errors),
        }),
        ..SalesforceBackupStatus::default()
    });
    object.metadata.creation_timestamp.get_or_insert(Time(now));
}

/// `Stalled`, present only while a person has to do something.
fn stall(conditions: &mut Vec<Condition>, outcome: &Outcome, now: Timestamp) {
    let stalled = match outcome.phase {
        Phase::Failed => outcome.reason.is_configuration(),
        Phase::PartiallySucceeded | Phase::Canceled => true,
        _ => false,
    };
    if stalled {
        conditions.push(made(condition::STALLED, true, outcome.reason, &outcome.message, now));
    }
}

fn made(kind: &str, holds: bool, reason: Reason, message: &str, now: Timestamp) -> Condition {
    Condition {
        type_: kind.to_owned(),
        status: if holds { "True" } else { "False" }.to_owned(),
        reason: reason.as_str().to_owned(),
        message: message.to_owned(),
        last_transition_time: Time(now),
        observed_generation: None,
    }
}

fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
