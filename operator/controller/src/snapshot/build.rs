//! The Jobs of a run. Pure.

use std::collections::BTreeMap;

use kube::ResourceExt;
use orgkeep_api::snapshot::RunStatus;
use orgkeep_api::worker::{BackupTask, ReadRecordTask, Task};
use orgkeep_api::{labels, names};

use super::model::{Act, Decision, Observed, Resolved};
use crate::shared::worker_pod::{self, WorkerDefaults, WorkerJob, WorkerObjects};
use crate::shared::{Context, Error};

/// Calls in flight of all pods of a run: well below the 25 long ones that a production org bears.
const CALLS_IN_FLIGHT: u32 = 8;
/// Pods of a run that may be lost.
const BACKOFF_LIMIT: i32 = 3;
/// Kubernetes removes a run's Job two days after its end: longer than any start deadline, so that a Job that was
/// made and is gone is never taken for one that was not made.
const TTL_SECONDS: i32 = 172_800;
/// A look at a record is short.
const RECORD_DEADLINE_SECONDS: u32 = 600;
const RECORD_TTL_SECONDS: i32 = 3600;

/// What is to be made, if anything.
pub fn build(o: &Observed, decision: &Decision, context: &Context) -> Result<Option<WorkerObjects>, Error> {
    objects(o, decision, &context.cluster, &context.workers)
}

/// The same, without a context.
pub fn objects(
    o: &Observed,
    decision: &Decision,
    cluster: &str,
    defaults: &WorkerDefaults,
) -> Result<Option<WorkerObjects>, Error> {
    let (Ok(resolved), Some(run)) = (o.resolved(), &decision.status.run) else { return Ok(None) };
    let job = match decision.act {
        Act::Start => backup_job(o, resolved, run, cluster),
        Act::ReadRecord => record_job(o, resolved, run, cluster),
        Act::Nothing | Act::Suspend | Act::CleanUp { .. } => return Ok(None),
    };
    worker_pod::build(defaults, &job).map(Some)
}

fn unsigned(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

fn backup_job<'a>(o: &'a Observed, resolved: Resolved<'a>, run: &RunStatus, cluster: &str) -> WorkerJob<'a> {
    let Resolved { backup, connection, vault } = resolved;
    let spec = &backup.spec;
    let parallelism = unsigned(spec.worker.parallelism).max(1);
    let task = BackupTask {
        cluster: cluster.to_owned(),
        namespace: o.owner.namespace.clone(),
        backup_name: backup.name_any(),
        snapshot_name: o.snapshot.name_any(),
        run_id: run.id.clone(),
        attempt: unsigned(run.attempt),
        connection_name: connection.name_any(),
        connection: connection.spec.clone(),
        org_id: connection
            .status
            .as_ref()
            .and_then(|status| status.org.as_ref())
            .map(|org| org.id.clone())
            .filter(|id| !id.is_empty()),
        vault_name: vault.name_any(),
        vault: vault.spec.clone(),
        signing_key: vault.status.as_ref().and_then(|status| status.signing_key.clone()),
        line_id: adopted_line(resolved),
        mode: o.snapshot.spec.mode,
        scope: spec.scope.clone(),
        search: spec.search.clone(),
        full_every_days: unsigned(spec.full_every_days),
        retention: spec.retention.clone(),
        calls_in_flight: (CALLS_IN_FLIGHT / parallelism).max(1),
    };
    WorkerJob {
        name: run.job_name.clone(),
        owner: &o.owner,
        task: Task::Backup(Box::new(task)),
        placement: Some(&spec.worker.placement),
        parallelism,
        backoff_limit: BACKOFF_LIMIT,
        deadline_seconds: unsigned(spec.worker.deadline_minutes).saturating_mul(60),
        ttl_seconds: TTL_SECONDS,
        labels: BTreeMap::from([(labels::BACKUP.to_owned(), backup.name_any())]),
        annotations: BTreeMap::new(),
    }
}

fn record_job<'a>(o: &'a Observed, resolved: Resolved<'a>, run: &RunStatus, cluster: &str) -> WorkerJob<'a> {
    let Resolved { backup, vault, .. } = resolved;
    let task = ReadRecordTask {
        namespace: o.owner.namespace.clone(),
        vault_name: vault.name_any(),
        vault: vault.spec.clone(),
        signing_key: vault.status.as_ref().and_then(|status| status.signing_key.clone()),
        line_id: adopted_line(resolved),
        cluster: cluster.to_owned(),
        backup_name: backup.name_any(),
        run_id: run.id.clone(),
    };
    WorkerJob {
        name: names::record_job(&o.snapshot.name_any()),
        owner: &o.owner,
        task: Task::ReadRecord(Box::new(task)),
        placement: Some(&backup.spec.worker.placement),
        parallelism: 1,
        backoff_limit: 1,
        deadline_seconds: RECORD_DEADLINE_SECONDS,
        ttl_seconds: RECORD_TTL_SECONDS,
        labels: BTreeMap::from([(labels::BACKUP.to_owned(), backup.name_any())]),
        annotations: BTreeMap::new(),
    }
}

/// The line that the spec adopts; without one the vault knows which line this backup has there.
fn adopted_line(resolved: Resolved<'_>) -> Option<String> {
    Some(resolved.backup.spec.line_id.clone()).filter(|line| !line.is_empty())
}

#[cfg(test)]
#[path = "build_tests.rs"]
mod tests;
