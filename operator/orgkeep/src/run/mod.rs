//! `orgkeep run -f DIR`: the same YAML, the same job descriptions and the same engine as in a cluster, in this
//! process: connections first, then vaults, then a snapshot of each backup.

mod columns;
mod manifests;
mod simulator;
mod status;
mod watch;

use std::collections::BTreeMap;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use jiff::Timestamp;
use orgkeep_api::common::LocalRef;
use orgkeep_api::worker::{BackupTask, ProbeConnectionTask, ProbeVaultTask, Task};
use orgkeep_api::{
    BackupVault, SalesforceBackup, SalesforceConnection, SalesforceConnectionSpec, Snapshot, SnapshotSpec,
};
use orgkeep_core::reason::Reason;
use orgkeep_core::run::{Outcome, Phase, VaultFacts};
use orgkeep_engine::progress::Tracker;
use orgkeep_engine::secrets::SecretSource;
use orgkeep_engine::serve::ResultSlot;
use orgkeep_engine::{Context, task, unfinished_run};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::manifests::Manifests;
use self::simulator::Simulators;
use crate::cli::{Output, RunArgs};
use crate::{CommandResult, say};

/// The cluster that lines made here belong to.
const CLUSTER: &str = "local";
/// Calls in flight at a time, as the operator gives a single worker.
const CALLS_IN_FLIGHT: u32 = 8;

/// Carries a folder out; success only if every run `Succeeded`.
pub(crate) async fn run(arguments: &RunArgs) -> CommandResult {
    let folder = std::path::absolute(&arguments.directory)?;
    let manifests = manifests::load(&folder)?;
    if manifests.backups.is_empty() && manifests.connections.is_empty() && manifests.vaults.is_empty() {
        return Err(format!("{}: no YAML with a kind of ours at the top level", folder.display()).into());
    }
    let Manifests { mut connections, mut vaults, mut backups, snapshots, secrets } = manifests;
    let mut session = Session {
        folder: folder.clone(),
        secrets: Arc::new(secrets),
        cancel: watch::stop_on_signal(),
        simulators: Simulators::default(),
        orgs: BTreeMap::new(),
        vaults: BTreeMap::new(),
        facts: BTreeMap::new(),
    };
    let mut succeeded = true;
    for connection in &mut connections {
        succeeded &= session.connection(connection).await;
    }
    for vault in &mut vaults {
        succeeded &= session.vault(vault).await;
    }
    let mut made = Vec::new();
    for backup in &mut backups {
        for mut snapshot in snapshots_of(backup, &snapshots) {
            succeeded &= session.backup(backup, &mut snapshot).await;
            made.push(snapshot);
        }
    }
    session.refresh(&mut vaults);
    let is_made =
        |snapshot: &Snapshot| made.iter().any(|one| name_of(&one.metadata) == name_of(&snapshot.metadata));
    let mut orphans: Vec<Snapshot> = snapshots.into_iter().filter(|snapshot| !is_made(snapshot)).collect();
    for orphan in &mut orphans {
        let message = "spec.backupRef names no SalesforceBackup in this folder";
        let outcome = Outcome::new(Phase::Failed, Reason::ReferenceNotFound, message);
        status::snapshot(orphan, &outcome, Timestamp::now());
        succeeded = false;
    }
    made.extend(orphans);
    let groups = [values(&connections)?, values(&vaults)?, values(&backups)?, values(&made)?];
    print(arguments.output, &groups)?;
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the steps of a run share.
struct Session {
    folder: PathBuf,
    secrets: Arc<dyn SecretSource>,
    cancel: CancellationToken,
    simulators: Simulators,
    /// Specs of the connections that are ready, with the address of a started simulator filled in.
    orgs: BTreeMap<String, SalesforceConnectionSpec>,
    /// The vaults that are ready.
    vaults: BTreeMap<String, BackupVault>,
    /// What the backups found in the vaults when they ended.
    facts: BTreeMap<String, VaultFacts>,
}

impl Session {
    async fn connection(&mut self, connection: &mut SalesforceConnection) -> bool {
        let name = name_of(&connection.metadata).to_owned();
        let outcome = match self.resolve(&connection.spec).await {
            Err(error) => Outcome::new(Phase::Failed, Reason::OrgUnreachable, error.to_string()),
            Ok(spec) => {
                let task = Task::ProbeConnection(Box::new(ProbeConnectionTask {
                    namespace: namespace_of(&connection.metadata).to_owned(),
                    connection_name: name.clone(),
                    connection: spec.clone(),
                    org_id: None,
                }));
                let outcome = self.carry_out(&format!("connection {name}"), &task).await;
                if outcome.phase == Phase::Succeeded {
                    self.orgs.insert(name, spec);
                }
                outcome
            }
        };
        status::connection(connection, &outcome, Timestamp::now());
        outcome.phase == Phase::Succeeded
    }

    async fn vault(&mut self, vault: &mut BackupVault) -> bool {
        let name = name_of(&vault.metadata).to_owned();
        let task = Task::ProbeVault(Box::new(ProbeVaultTask {
            namespace: namespace_of(&vault.metadata).to_owned(),
            vault_name: name.clone(),
            vault: vault.spec.clone(),
            signing_key: None,
            catalog_keep: u32::try_from(vault.spec.catalog.keep).unwrap_or(0),
        }));
        let outcome = self.carry_out(&format!("vault {name}"), &task).await;
        status::vault(vault, &outcome, Timestamp::now());
        if outcome.phase == Phase::Succeeded {
            self.vaults.insert(name, vault.clone());
        }
        outcome.phase == Phase::Succeeded
    }

    /// Brings the vaults' statuses up to what the backups left there.
    fn refresh(&self, vaults: &mut [BackupVault]) {
        for vault in vaults {
            let facts = self.facts.get(name_of(&vault.metadata));
            if let (Some(facts), Some(status)) = (facts, vault.status.as_mut()) {
                status::facts(status, facts);
            }
        }
    }

    async fn backup(&mut self, backup: &mut SalesforceBackup, snapshot: &mut Snapshot) -> bool {
        let began = Timestamp::now();
        let outcome = match self.task(backup, snapshot) {
            Err(outcome) => *outcome,
            Ok(mut task) => {
                let name = name_of(&snapshot.metadata).to_owned();
                task.run_id = self.run_of(&task, began).await;
                self.carry_out(&format!("snapshot {name}"), &Task::Backup(Box::new(task))).await
            }
        };
        if let Some(facts) = &outcome.vault {
            self.facts.insert(backup.spec.vault_ref.name.clone(), facts.clone());
        }
        status::snapshot(snapshot, &outcome, began);
        status::backup(backup, snapshot, &outcome);
        outcome.phase == Phase::Succeeded
    }

    fn task(&self, backup: &SalesforceBackup, snapshot: &Snapshot) -> Result<BackupTask, Box<Outcome>> {
        let spec = &backup.spec;
        let (connection, vault) = (&spec.connection_ref.name, &spec.vault_ref.name);
        let missing = |what: &str, name: &str| {
            let message = format!("{what} {name} is not ready, or not in this folder");
            Box::new(Outcome::new(Phase::Failed, Reason::ReferenceNotReady, message))
        };
        let org = self.orgs.get(connection).ok_or_else(|| missing("SalesforceConnection", connection))?;
        let store = self.vaults.get(vault).ok_or_else(|| missing("BackupVault", vault))?;
        let name = name_of(&snapshot.metadata);
        Ok(BackupTask {
            cluster: CLUSTER.to_owned(),
            namespace: namespace_of(&backup.metadata).to_owned(),
            backup_name: name_of(&backup.metadata).to_owned(),
            snapshot_name: name.to_owned(),
            run_id: String::new(),
            attempt: 1,
            connection_name: connection.clone(),
            connection: org.clone(),
            org_id: None,
            vault_name: vault.clone(),
            vault: store.spec.clone(),
            signing_key: store.status.as_ref().and_then(|status| status.signing_key.clone()),
            line_id: (!spec.line_id.is_empty()).then(|| spec.line_id.clone()),
            mode: snapshot.spec.mode,
            scope: spec.scope.clone(),
            search: spec.search.clone(),
            full_every_days: u32::try_from(spec.full_every_days).unwrap_or(30),
            retention: spec.retention.clone(),
            calls_in_flight: CALLS_IN_FLIGHT,
        })
    }

    /// The run to go on with: one of the same backup and scope that was killed or stopped lately, else a new one.
    async fn run_of(&self, task: &BackupTask, now: Timestamp) -> String {
        let mut hasher = std::hash::DefaultHasher::new();
        let asked = serde_json::json!([task.connection_name, task.scope]);
        asked.to_string().hash(&mut hasher);
        let prefix = format!("{}-{:08x}-", task.backup_name, hasher.finish() as u32);
        match unfinished_run(task, &prefix, &self.context()).await {
            Some(run) => {
                eprintln!(
                    "backup {}: goes on with run {run}, which did not come to its end",
                    task.backup_name
                );
                run
            }
            None => format!("{prefix}{:x}", now.as_millisecond()),
        }
    }

    /// The spec as the engine takes it: a simulator is started, its address put in.
    async fn resolve(
        &mut self,
        spec: &SalesforceConnectionSpec,
    ) -> Result<SalesforceConnectionSpec, simulator::SimulatorError> {
        let mut spec = spec.clone();
        if let Some(url) = spec.login_url.clone().filter(|_| spec.is_local_simulator()) {
            let folder: &Path = &self.folder;
            spec.login_url = Some(self.simulators.login_url(&url, folder).await?);
            spec.insecure = true;
        }
        Ok(spec)
    }

    fn context(&self) -> Context {
        Context {
            secrets: Arc::clone(&self.secrets),
            volume_root: self.folder.clone(),
            tracker: Tracker::default(),
            result: ResultSlot::default(),
            cancel: self.cancel.clone(),
            index: 0,
            holder: format!("{CLUSTER}-{}", std::process::id()),
        }
    }

    async fn carry_out(&self, what: &str, task: &Task) -> Outcome {
        if self.cancel.is_cancelled() {
            return Outcome::new(Phase::Canceled, Reason::Canceled, "not begun: asked to stop");
        }
        let context = self.context();
        let watching = watch::start(what, context.tracker.clone());
        let outcome = task::carry_out(task, 1, &context).await;
        watching.end(&outcome).await;
        outcome
    }
}

/// The Snapshots of the folder that name this backup; if there are none, one for now.
fn snapshots_of(backup: &SalesforceBackup, given: &[Snapshot]) -> Vec<Snapshot> {
    let name = name_of(&backup.metadata);
    let of_backup = |snapshot: &&Snapshot| {
        snapshot.spec.snapshot_id.is_none()
            && snapshot.spec.backup_ref.as_ref().is_some_and(|to| to.name == name)
    };
    let asked: Vec<Snapshot> = given.iter().filter(of_backup).cloned().collect();
    if !asked.is_empty() {
        return asked;
    }
    let slot = Timestamp::now().strftime("%Y%m%d-%H%M").to_string();
    let spec = SnapshotSpec {
        backup_ref: Some(LocalRef::new(name)),
        vault_ref: Some(backup.spec.vault_ref.clone()),
        ..SnapshotSpec::default()
    };
    let mut snapshot = Snapshot::new(&orgkeep_api::names::snapshot(name, &slot), spec);
    snapshot.metadata.namespace.clone_from(&backup.metadata.namespace);
    vec![snapshot]
}

type Metadata = k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

fn name_of(metadata: &Metadata) -> &str {
    metadata.name.as_deref().unwrap_or_default()
}

fn namespace_of(metadata: &Metadata) -> &str {
    metadata.namespace.as_deref().unwrap_or("default")
}

fn values<K: serde::Serialize>(objects: &[K]) -> Result<Vec<Value>, serde_json::Error> {
    objects.iter().map(serde_json::to_value).collect()
}

/// Prints the objects: a `v1 List`, or what `kubectl get` would show, and below it what is wrong.
fn print(output: Output, groups: &[Vec<Value>; 4]) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if output == Output::Json {
        let items: Vec<&Value> = groups.iter().flatten().collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items});
        return Ok(say(&format!("{}\n", serde_json::to_string_pretty(&list)?))?);
    }
    let mut tables = Vec::new();
    for (definition, objects) in orgkeep_api::crds::all()?.iter().zip(groups) {
        if !objects.is_empty() {
            tables.push(columns::render(
                &serde_json::to_value(definition)?,
                objects,
                false,
                Timestamp::now(),
            ));
        }
    }
    say(&tables.join("\n"))?;
    for line in groups.iter().flatten().flat_map(complaints) {
        eprintln!("{line}");
    }
    Ok(())
}

/// What is wrong with an object, line by line.
fn complaints(object: &Value) -> Vec<String> {
    let text = |value: &Value, pointer: &str| {
        value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let who = format!("{} {}", text(object, "/kind"), text(object, "/metadata/name"));
    let list = |pointer: &str| object.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    let not_ready = list("/status/conditions")
        .into_iter()
        .filter(|condition| text(condition, "/type") == "Ready" && text(condition, "/status") != "True")
        .map(|condition| format!("{who}: {}: {}", text(&condition, "/reason"), text(&condition, "/message")));
    let failures = list("/status/failures").into_iter().map(|failure| {
        format!(
            "{who}: {} {}: {}",
            text(&failure, "/object"),
            text(&failure, "/code"),
            text(&failure, "/message")
        )
    });
    not_ready.chain(failures).collect()
}
