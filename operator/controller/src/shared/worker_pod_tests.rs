use super::*;
use crate::shared::testing::defaults;
use orgkeep_api::worker::{ProbeConnectionTask, ProbeVaultTask};
use serde_json::json;

fn owner() -> Owner {
    Owner {
        namespace: "n".into(),
        kind: "SalesforceBackup".into(),
        name: "acme".into(),
        uid: "u1".into(),
        reference: OwnerReference {
            api_version: "orgkeep.dev/v1alpha1".into(),
            kind: "SalesforceBackup".into(),
            name: "acme".into(),
            uid: "u1".into(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        },
    }
}

fn vault_task() -> Task {
    let vault = json!({"volume": {"claimName": "data", "path": "v"},
        "encryption": {"keySecretRef": {"name": "vault-key", "key": "key"}}});
    Task::ProbeVault(Box::new(ProbeVaultTask {
        namespace: "n".into(),
        vault_name: "main".into(),
        vault: serde_json::from_value(vault).unwrap(),
        signing_key: None,
        catalog_keep: 100,
    }))
}

fn connection_task() -> Task {
    let connection = json!({"environment": "Sandbox", "loginUrl": "https://sim.example",
        "caBundleRef": {"name": "ca"},
        "auth": {"clientCredentials": {"clientId": "id", "clientSecretRef": {"name": "org", "key": "secret"}}}});
    Task::ProbeConnection(Box::new(ProbeConnectionTask {
        namespace: "n".into(),
        connection_name: "acme".into(),
        connection: serde_json::from_value(connection).unwrap(),
        org_id: None,
    }))
}

fn worker(owner: &Owner, task: Task) -> WorkerJob<'_> {
    WorkerJob {
        name: "acme-r1".into(),
        owner,
        task,
        placement: None,
        parallelism: 1,
        backoff_limit: 3,
        deadline_seconds: 3600,
        ttl_seconds: 600,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
    }
}

#[test]
fn one_pod_with_a_claim() {
    let owner = owner();
    let objects = build(&defaults(), &worker(&owner, vault_task())).unwrap();
    insta::assert_yaml_snapshot!("one_pod_with_a_claim", objects.job);
    insta::assert_yaml_snapshot!("description", objects.config_map);
}

#[test]
fn several_pods_placed_by_the_user() {
    let placement: Placement = serde_json::from_value(json!({
        "serviceAccountName": "mine",
        "resources": {"limits": {"memory": "2Gi"}, "requests": {"cpu": "1"}},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "batch", "operator": "Exists"}],
    }))
    .unwrap();
    let owner = owner();
    let mut worker = worker(&owner, connection_task());
    worker.parallelism = 4;
    worker.placement = Some(&placement);
    insta::assert_yaml_snapshot!("several_pods", build(&defaults(), &worker).unwrap().job.spec);
}

#[test]
fn a_worker_stops_itself_before_its_job_is_killed() {
    for (job, own) in [(43_200, 42_900), (600, 300), (300, 150), (0, 0)] {
        assert_eq!(worker_deadline(job), own);
    }
}

#[test]
fn what_resources_leave_out_never_contradicts_what_they_say() {
    let ask = |limits: serde_json::Value, requests: serde_json::Value| {
        let asked = serde_json::from_value(json!({"limits": limits, "requests": requests})).unwrap();
        let all = resources(Some(&asked));
        let get = |map: &Option<BTreeMap<String, Quantity>>, key: &str| map.as_ref().unwrap()[key].0.clone();
        (get(&all.requests, "cpu"), get(&all.requests, "memory"), get(&all.limits, "memory"))
    };
    let is = |cpu: &str, request: &str, limit: &str| (cpu.to_owned(), request.to_owned(), limit.to_owned());
    assert_eq!(ask(json!({}), json!({})), is("100m", "128Mi", "512Mi"));
    assert_eq!(ask(json!({"memory": "64Mi"}), json!({})), is("100m", "64Mi", "64Mi"));
    assert_eq!(ask(json!({"cpu": "50m"}), json!({"memory": "1Gi"})), is("50m", "1Gi", "1Gi"));
}

#[test]
fn every_secret_is_optional_and_no_token_is_mounted() {
    let owner = owner();
    let job = build(&defaults(), &worker(&owner, connection_task())).unwrap().job;
    let pod = job.spec.unwrap().template.spec.unwrap();
    assert_eq!(pod.automount_service_account_token, Some(false));
    let secrets: Vec<_> = pod.volumes.unwrap().into_iter().filter_map(|volume| volume.secret).collect();
    assert_eq!(secrets.len(), 1);
    assert!(secrets.iter().all(|secret| secret.optional == Some(true)));
}
