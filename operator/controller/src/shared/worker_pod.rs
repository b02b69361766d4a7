//! The Job that carries out a [`JobDescription`], and the ConfigMap that holds it. Pure: the same input, the
//! same objects.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMap, ConfigMapVolumeSource, Container, ContainerPort, EmptyDirVolumeSource, EnvVar,
    PersistentVolumeClaimVolumeSource, PodSecurityContext, PodSpec, PodTemplateSpec, ResourceRequirements,
    SeccompProfile, SecretVolumeSource, SecurityContext, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;
use orgkeep_api::common::Placement;
use orgkeep_api::labels;
use orgkeep_api::worker::{
    CONFIGMAPS_DIR, DEADLINE_MARGIN_SECONDS, FORMAT_VERSION, JOB_DIR, JOB_FILE, JOB_KEY, JobDescription,
    SCRATCH_DIR, SECRETS_DIR, Task, VAULT_DIR,
};
use orgkeep_core::run::{ExitCode, PROGRESS_PORT};

use super::Error;

/// Name of the one container.
pub const CONTAINER: &str = "worker";
/// User and group of the image.
const USER: i64 = 65532;
/// Longest value of a label.
const LABEL_LIMIT: usize = 63;

/// What all workers of this operator have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerDefaults {
    /// The image.
    pub image: String,
    /// `Always`, `IfNotPresent` or `Never`.
    pub image_pull_policy: String,
    /// Account of pods whose object names none.
    pub service_account: Option<String>,
}

/// The object that a Job is made for.
#[derive(Debug, Clone, PartialEq)]
pub struct Owner {
    /// Its namespace, where the Job runs.
    pub namespace: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The reference that children carry.
    pub reference: OwnerReference,
}

impl Owner {
    /// The owner that an object is.
    pub fn of<K: Resource<DynamicType = ()>>(object: &K) -> Result<Self, Error> {
        let meta = object.meta();
        let reference = object.controller_owner_ref(&()).ok_or(Error::Incomplete("uid"))?;
        Ok(Self {
            namespace: meta.namespace.clone().ok_or(Error::Incomplete("namespace"))?,
            kind: K::kind(&()).into_owned(),
            name: reference.name.clone(),
            uid: reference.uid.clone(),
            reference: OwnerReference { block_owner_deletion: Some(true), ..reference },
        })
    }
}

/// A Job to be made.
#[derive(Debug, Clone)]
pub struct WorkerJob<'a> {
    /// Name of the Job and of its ConfigMap; see [`orgkeep_api::names`].
    pub name: String,
    /// For whom.
    pub owner: &'a Owner,
    /// What to do.
    pub task: Task,
    /// Where, with what.
    pub placement: Option<&'a Placement>,
    /// Pods that share the task.
    pub parallelism: u32,
    /// Pods that may be lost before the Job fails (of each index, if there are several).
    pub backoff_limit: i32,
    /// `activeDeadlineSeconds`; the worker stops itself [`DEADLINE_MARGIN_SECONDS`] earlier, or at half of a
    /// deadline too short for that.
    pub deadline_seconds: u32,
    /// How long Kubernetes keeps the finished Job.
    pub ttl_seconds: i32,
    /// Besides the common ones.
    pub labels: BTreeMap<String, String>,
    /// Besides the common ones.
    pub annotations: BTreeMap<String, String>,
}

/// What is applied.
#[derive(Debug, Clone)]
pub struct WorkerObjects {
    /// The job description.
    pub config_map: ConfigMap,
    /// The Job.
    pub job: Job,
}

/// Builds both.
pub fn build(defaults: &WorkerDefaults, worker: &WorkerJob<'_>) -> Result<WorkerObjects, Error> {
    let description = JobDescription {
        format_version: FORMAT_VERSION,
        deadline_seconds: worker_deadline(worker.deadline_seconds),
        parallelism: worker.parallelism,
        task: worker.task.clone(),
    };
    let meta = ObjectMeta {
        name: Some(worker.name.clone()),
        namespace: Some(worker.owner.namespace.clone()),
        labels: Some(label_set(worker)),
        annotations: Some(annotation_set(worker)),
        owner_references: Some(vec![worker.owner.reference.clone()]),
        ..ObjectMeta::default()
    };
    let config_map = ConfigMap {
        metadata: meta.clone(),
        data: Some(BTreeMap::from([(JOB_KEY.to_owned(), serde_json::to_string_pretty(&description)?)])),
        ..ConfigMap::default()
    };
    let indexed = worker.parallelism > 1;
    let pods = i32::try_from(worker.parallelism.max(1)).unwrap_or(1);
    let job = Job {
        metadata: meta,
        spec: Some(JobSpec {
            parallelism: Some(pods),
            completions: Some(pods),
            completion_mode: indexed.then(|| "Indexed".to_owned()),
            // With a limit per index the Job's own limit must not cut in.
            backoff_limit: (!indexed).then_some(worker.backoff_limit),
            backoff_limit_per_index: indexed.then_some(worker.backoff_limit),
            max_failed_indexes: indexed.then_some(0),
            pod_failure_policy: Some(failure_policy()),
            // Never two pods of one run (of one index) at a time.
            pod_replacement_policy: Some("Failed".to_owned()),
            active_deadline_seconds: Some(i64::from(worker.deadline_seconds)),
            ttl_seconds_after_finished: Some(worker.ttl_seconds),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(label_set(worker)),
                    annotations: Some(BTreeMap::from([(
                        "kubectl.kubernetes.io/default-container".to_owned(),
                        CONTAINER.to_owned(),
                    )])),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(defaults, worker)),
            },
            ..JobSpec::default()
        }),
        status: None,
    };
    Ok(WorkerObjects { config_map, job })
}

/// When a worker stops itself, so that it can still say so before Kubernetes kills it.
fn worker_deadline(job: u32) -> u32 {
    job.saturating_sub(DEADLINE_MARGIN_SECONDS).max(job / 2)
}

/// A label that picks the workers of an object must fit; names of our kinds always do.
fn label_value(value: &str) -> String {
    value.chars().take(LABEL_LIMIT).collect()
}

fn label_set(worker: &WorkerJob<'_>) -> BTreeMap<String, String> {
    let mut set = worker.labels.clone();
    for (key, value) in [
        (labels::APP_NAME, labels::APP),
        (labels::APP_COMPONENT, "worker"),
        (labels::APP_MANAGED_BY, labels::APP),
        (labels::OWNER_KIND, worker.owner.kind.as_str()),
        (labels::OWNER_NAME, worker.owner.name.as_str()),
        (labels::OWNER_UID, worker.owner.uid.as_str()),
    ] {
        set.insert(key.to_owned(), label_value(value));
    }
    set
}

fn annotation_set(worker: &WorkerJob<'_>) -> BTreeMap<String, String> {
    let mut set = worker.annotations.clone();
    for (key, value) in [labels::ARGOCD_COMPARE, labels::ARGOCD_SYNC] {
        set.insert(key.to_owned(), value.to_owned());
    }
    set
}

/// In this order: what the cluster does to a pod does not count; what cannot be helped by trying again, and a
/// clean stop, end the Job at once.
fn failure_policy() -> PodFailurePolicy {
    let codes = |action: &str, codes: Vec<i32>| PodFailurePolicyRule {
        action: action.to_owned(),
        on_exit_codes: Some(PodFailurePolicyOnExitCodesRequirement {
            container_name: Some(CONTAINER.to_owned()),
            operator: "In".to_owned(),
            values: codes,
        }),
        on_pod_conditions: None,
    };
    PodFailurePolicy {
        rules: vec![
            PodFailurePolicyRule {
                action: "Ignore".to_owned(),
                on_exit_codes: None,
                on_pod_conditions: Some(vec![PodFailurePolicyOnPodConditionsPattern {
                    status: "True".to_owned(),
                    type_: "DisruptionTarget".to_owned(),
                }]),
            },
            codes("FailJob", vec![ExitCode::Stopped as i32, ExitCode::Configuration as i32]),
        ],
    }
}

fn pod(defaults: &WorkerDefaults, worker: &WorkerJob<'_>) -> PodSpec {
    let (volumes, mounts) = volumes(worker);
    let placement = worker.placement;
    let account = placement.and_then(|placement| placement.service_account_name.clone());
    PodSpec {
        restart_policy: Some("Never".to_owned()),
        service_account_name: account.or_else(|| defaults.service_account.clone()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        // Time to end the page in flight and to write the journal.
        termination_grace_period_seconds: Some(60),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            // A claim and the Secrets' files are the group's.
            fs_group: Some(USER),
            fs_group_change_policy: Some("OnRootMismatch".to_owned()),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                localhost_profile: None,
            }),
            ..PodSecurityContext::default()
        }),
        node_selector: placement.and_then(|placement| placement.node_selector.clone()),
        tolerations: placement.and_then(|placement| placement.tolerations.clone()),
        containers: vec![Container {
            name: CONTAINER.to_owned(),
            image: Some(defaults.image.clone()),
            image_pull_policy: Some(defaults.image_pull_policy.clone()),
            args: Some(vec!["worker".to_owned(), "--job".to_owned(), JOB_FILE.to_owned()]),
            // The allocator gives pages back at once instead of after a while: a worker lives within its limit.
            env: Some(vec![EnvVar {
                name: "MIMALLOC_PURGE_DELAY".to_owned(),
                value: Some("0".to_owned()),
                ..EnvVar::default()
            }]),
            ports: Some(vec![ContainerPort {
                name: Some("progress".to_owned()),
                container_port: i32::from(PROGRESS_PORT),
                protocol: Some("TCP".to_owned()),
                ..ContainerPort::default()
            }]),
            resources: Some(resources(placement.and_then(|placement| placement.resources.as_ref()))),
            security_context: Some(SecurityContext {
                allow_privilege_escalation: Some(false),
                read_only_root_filesystem: Some(true),
                capabilities: Some(Capabilities { add: None, drop: Some(vec!["ALL".to_owned()]) }),
                ..SecurityContext::default()
            }),
            // A worker that dies before it can speak leaves the end of its log.
            termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
            volume_mounts: Some(mounts),
            ..Container::default()
        }],
        volumes: Some(volumes),
        ..PodSpec::default()
    }
}

fn volumes(worker: &WorkerJob<'_>) -> (Vec<Volume>, Vec<VolumeMount>) {
    let mounts = worker.task.mounts();
    let mut all: Vec<(Volume, VolumeMount)> = Vec::new();
    let mut add = |volume: Volume, path: String, read_only: bool| {
        let mount = VolumeMount {
            name: volume.name.clone(),
            mount_path: path,
            read_only: read_only.then_some(true),
            ..VolumeMount::default()
        };
        all.push((volume, mount));
    };
    let config_map = |name: &str, optional: bool| {
        Some(ConfigMapVolumeSource {
            name: name.to_owned(),
            optional: optional.then_some(true),
            ..ConfigMapVolumeSource::default()
        })
    };
    add(
        Volume { name: "job".to_owned(), config_map: config_map(&worker.name, false), ..Volume::default() },
        JOB_DIR.to_owned(),
        true,
    );
    let scratch = EmptyDirVolumeSource { medium: None, size_limit: Some(Quantity("64Mi".to_owned())) };
    add(
        Volume { name: "tmp".to_owned(), empty_dir: Some(scratch), ..Volume::default() },
        SCRATCH_DIR.to_owned(),
        false,
    );
    for (number, secret) in mounts.secrets.iter().enumerate() {
        let source = SecretVolumeSource {
            secret_name: Some(secret.clone()),
            // A missing one is the worker's to report; the pod would hang without a word.
            optional: Some(true),
            default_mode: Some(0o440),
            items: None,
        };
        add(
            Volume { name: format!("secret-{number}"), secret: Some(source), ..Volume::default() },
            format!("{SECRETS_DIR}/{secret}"),
            true,
        );
    }
    for (number, name) in mounts.configmaps.iter().enumerate() {
        add(
            Volume {
                name: format!("configmap-{number}"),
                config_map: config_map(name, true),
                ..Volume::default()
            },
            format!("{CONFIGMAPS_DIR}/{name}"),
            true,
        );
    }
    if let Some(claim) = mounts.claim {
        let source = PersistentVolumeClaimVolumeSource { claim_name: claim, read_only: None };
        add(
            Volume { name: "vault".to_owned(), persistent_volume_claim: Some(source), ..Volume::default() },
            VAULT_DIR.to_owned(),
            false,
        );
    }
    all.into_iter().unzip()
}

/// What [`Placement::resources`] promises for what is left out. A limit below a default request would be
/// refused by the API server, so a user's limit caps it.
fn resources(asked: Option<&ResourceRequirements>) -> ResourceRequirements {
    let mut all = asked.cloned().unwrap_or_default();
    let limits = all.limits.get_or_insert_default();
    let limited = limits.clone();
    limits.entry("memory".to_owned()).or_insert_with(|| {
        let request = all.requests.as_ref().and_then(|requests| requests.get("memory"));
        // A larger request than the default limit is its own limit.
        request
            .filter(|request| bytes(request) > bytes(&memory_limit()))
            .cloned()
            .unwrap_or_else(memory_limit)
    });
    let requests = all.requests.get_or_insert_default();
    for (name, default) in [("cpu", "100m"), ("memory", "128Mi")] {
        requests.entry(name.to_owned()).or_insert_with(|| {
            let default = Quantity(default.to_owned());
            limited.get(name).filter(|limit| bytes(limit) < bytes(&default)).cloned().unwrap_or(default)
        });
    }
    all
}

fn memory_limit() -> Quantity {
    Quantity("512Mi".to_owned())
}

/// A quantity as a number, for comparing; 0 where it is none.
fn bytes(quantity: &Quantity) -> f64 {
    const UNITS: &[(&str, f64)] = &[
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("m", 1e-3),
    ];
    let text = quantity.0.as_str();
    let unit = UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
    let (number, factor) = unit.unwrap_or((text, 1.0));
    number.parse::<f64>().map_or(0.0, |number| number * factor)
}

#[cfg(test)]
#[path = "worker_pod_tests.rs"]
mod tests;
