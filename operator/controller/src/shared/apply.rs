//! Writes, each made so that a second time changes nothing; and the reads that go with them.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use orgkeep_api::labels;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::worker_pod::{Owner, WorkerObjects};
use super::{Doing, Error};

/// Reads one object; `None` when it is not there.
pub async fn get<K>(client: &Client, namespace: &str, name: &str) -> Result<Option<K>, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    api.get_opt(name).await.doing(|| format!("read {} {namespace}/{name}", K::kind(&())))
}

/// The pods of an object's workers, those of all its Jobs.
pub async fn worker_pods(client: &Client, owner: &Owner) -> Result<Vec<Pod>, Error> {
    let api: Api<Pod> = Api::namespaced(client.clone(), &owner.namespace);
    let ours = format!("{}=worker,{}={}", labels::APP_COMPONENT, labels::OWNER_UID, owner.uid);
    let list = api.list(&ListParams::default().labels(&ours)).await;
    Ok(list.doing(|| format!("list pods of {} {}", owner.kind, owner.name))?.items)
}

/// Makes a worker: the ConfigMap first, so that the pod finds it. A Job of that name that was made for the same
/// object is taken as it is; one that was not is an error.
pub async fn worker(client: &Client, objects: &WorkerObjects) -> Result<Job, Error> {
    let name = objects.job.name_any();
    let namespace = objects.job.namespace().ok_or(Error::Incomplete("namespace"))?;
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    let jobs: Api<Job> = Api::namespaced(client.clone(), &namespace);
    if let Some(old) = get::<ConfigMap>(client, &namespace, &name).await? {
        ours("ConfigMap", old.labels().get(labels::OWNER_UID), &objects.job, &name)?;
    }
    let params = PatchParams::apply(labels::MANAGER_CHILDREN).force();
    let applied = config_maps.patch(&name, &params, &Patch::Apply(&objects.config_map)).await;
    applied.doing(|| format!("apply ConfigMap {namespace}/{name}"))?;
    let post =
        PostParams { field_manager: Some(labels::MANAGER_CHILDREN.to_owned()), ..PostParams::default() };
    match jobs.create(&post, &objects.job).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            let old = jobs.get(&name).await.doing(|| format!("read Job {namespace}/{name}"))?;
            ours("Job", old.labels().get(labels::OWNER_UID), &objects.job, &name)?;
            Ok(old)
        }
        made => made.doing(|| format!("create Job {namespace}/{name}")),
    }
}

fn ours(kind: &'static str, found: Option<&String>, wanted: &Job, name: &str) -> Result<(), Error> {
    if found.is_some() && found == wanted.labels().get(labels::OWNER_UID) {
        return Ok(());
    }
    Err(Error::NotOurs { kind, name: name.to_owned() })
}

/// Deletes a worker's Job, its pods and its ConfigMap. What is gone already is fine; what is not ours stays.
pub async fn delete_worker(client: &Client, owner: &Owner, name: &str) -> Result<(), Error> {
    let namespace = owner.namespace.as_str();
    if let Some(job) = get::<Job>(client, namespace, name).await?
        && job.labels().get(labels::OWNER_UID) == Some(&owner.uid)
    {
        let jobs: Api<Job> = Api::namespaced(client.clone(), namespace);
        gone(jobs.delete(name, &DeleteParams::background()).await.map(drop))
            .doing(|| format!("delete Job {namespace}/{name}"))?;
    }
    delete_description(client, owner, name).await
}

/// Deletes a worker's ConfigMap only, once nobody reads it any more.
pub async fn delete_description(client: &Client, owner: &Owner, name: &str) -> Result<(), Error> {
    let namespace = owner.namespace.as_str();
    if let Some(map) = get::<ConfigMap>(client, namespace, name).await?
        && map.labels().get(labels::OWNER_UID) == Some(&owner.uid)
    {
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        gone(maps.delete(name, &DeleteParams::default()).await.map(drop))
            .doing(|| format!("delete ConfigMap {namespace}/{name}"))?;
    }
    Ok(())
}

/// Suspends a Job: its pods get SIGTERM, and none is made again.
pub async fn suspend_job(client: &Client, namespace: &str, name: &str) -> Result<(), Error> {
    let jobs: Api<Job> = Api::namespaced(client.clone(), namespace);
    let params =
        PatchParams { field_manager: Some(labels::MANAGER_CHILDREN.to_owned()), ..PatchParams::default() };
    let patch = json!({"spec": {"suspend": true}});
    gone(jobs.patch(name, &params, &Patch::Merge(&patch)).await.map(drop))
        .doing(|| format!("suspend Job {namespace}/{name}"))
}

fn gone(done: Result<(), kube::Error>) -> Result<(), kube::Error> {
    match done {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        other => other,
    }
}

/// Writes a status if it differs from the one that was read. Tells whether it did.
pub async fn status<K, S>(client: &Client, object: &K, old: Option<&S>, new: &S) -> Result<bool, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    S: Serialize + PartialEq,
{
    if old == Some(new) {
        return Ok(false);
    }
    let namespace = object.namespace().ok_or(Error::Incomplete("namespace"))?;
    let name = object.name_any();
    let api: Api<K> = Api::namespaced(client.clone(), &namespace);
    let patch = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        // An object that was deleted and made anew meanwhile must not get this one's status.
        "metadata": {"name": name, "uid": object.uid()},
        "status": new,
    });
    let params = PatchParams::apply(labels::MANAGER_STATUS).force();
    match api.patch_status(&name, &params, &Patch::Apply(&patch)).await {
        // Deleted meanwhile: there is nothing left to tell.
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(false),
        done => {
            done.map(|_| true).doing(|| format!("write the status of {} {namespace}/{name}", K::kind(&())))
        }
    }
}
