//! Objects that cannot be read as their kind: stored under an older or a laxer definition. They are told so, and
//! disturb no other.

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Patch, PatchParams};
use kube::core::error_boundary::InvalidObject;
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Resource};
use orgkeep_api::common::{Condition, condition};
use orgkeep_api::labels;
use orgkeep_core::reason::Reason;
use orgkeep_core::run::cut_to;
use serde_json::{Value, json};

use super::conditions::{ConditionSet, State};
use super::events::of_ready;
use super::{Context, Doing, Error, Outcome};

/// Says `InvalidObject` in the object's conditions and leaves the rest of its status as it is.
pub async fn report<K>(unreadable: &InvalidObject, context: &Context) -> Result<Outcome, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    let meta = &unreadable.metadata;
    let name = meta.name.clone().ok_or(Error::Incomplete("name"))?;
    let namespace = meta.namespace.clone().ok_or(Error::Incomplete("namespace"))?;
    let api: Api<DynamicObject> =
        Api::namespaced_with(context.client.clone(), &namespace, &ApiResource::erase::<K>(&()));
    let Some(object) = api.get_opt(&name).await.doing(|| format!("read {namespace}/{name}"))? else {
        return Ok(Outcome::Done);
    };
    let status = object.data.get("status").cloned().unwrap_or_else(|| json!({}));
    let old = old_conditions(&status);
    let conditions = conditions(&old, &unreadable.error, meta.generation, context);
    if conditions == old {
        return Ok(Outcome::Blocked);
    }
    let mut new = status;
    new["conditions"] = serde_json::to_value(&conditions)?;
    let patch = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": name, "uid": meta.uid},
        "status": new,
    });
    let params = PatchParams::apply(labels::MANAGER_STATUS).force();
    let done = api.patch_status(&name, &params, &Patch::Apply(&patch)).await;
    let reference = ObjectReference {
        api_version: Some(K::api_version(&()).into_owned()),
        kind: Some(K::kind(&()).into_owned()),
        name: Some(name.clone()),
        namespace: Some(namespace.clone()),
        uid: meta.uid.clone(),
        ..ObjectReference::default()
    };
    if let Some(note) = of_ready(&old, &conditions, "Read") {
        context.events.publish(&reference, &note).await;
    }
    if let Err(error) = done {
        // The API server may refuse any write to an object that its definition does not allow.
        tracing::warn!(object = format!("{namespace}/{name}"), %error, "the status was not written");
    }
    Ok(Outcome::Blocked)
}

fn old_conditions(status: &Value) -> Vec<Condition> {
    status.get("conditions").and_then(|found| serde_json::from_value(found.clone()).ok()).unwrap_or_default()
}

fn conditions(old: &[Condition], error: &str, generation: Option<i64>, context: &Context) -> Vec<Condition> {
    let reason = Reason::InvalidObject;
    let message = format!("cannot be read: {}; {}", cut_to(error, 700), reason.advice());
    let mut set = ConditionSet::new(old, generation, context.now());
    set.set(condition::READY, State::False, reason, &message);
    set.stalled(reason, &message);
    set.finish()
}
