//! The CustomResourceDefinitions as they are installed: what the derive makes, and a little polish.
//!
//! The polish is what the derive cannot know: the bounds that upstream's `metav1.Condition` has and its Rust
//! schema lacks, whole numbers as whole numbers, and a digest by which the operator sees that the installed
//! definitions are not its own.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::{BackupVault, SalesforceBackup, SalesforceConnection, Snapshot};

/// Annotation with the digest of the definition's schema.
pub const SCHEMA_DIGEST: &str = "orgkeep.dev/schema-digest";

/// All definitions, in the order in which they are read best.
pub fn all() -> Result<Vec<CustomResourceDefinition>, serde_json::Error> {
    [
        definition::<SalesforceConnection>,
        definition::<BackupVault>,
        definition::<SalesforceBackup>,
        definition::<Snapshot>,
    ]
    .into_iter()
    .map(|make| make())
    .collect()
}

/// The definition of one kind.
pub fn definition<K: CustomResourceExt>() -> Result<CustomResourceDefinition, serde_json::Error> {
    let mut value = serde_json::to_value(K::crd())?;
    polish(&mut value);
    let digest = xxh3_64(value["spec"]["versions"].to_string().as_bytes());
    value["metadata"]["annotations"] = json!({ SCHEMA_DIGEST: format!("{digest:016x}") });
    serde_json::from_value(value)
}

/// The `openAPIV3Schema` of one kind.
pub fn schema<K: CustomResourceExt>() -> Result<Value, serde_json::Error> {
    let definition = serde_json::to_value(definition::<K>()?)?;
    Ok(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone())
}

/// The digest that [`definition`] carries.
pub fn digest(definition: &CustomResourceDefinition) -> Option<&str> {
    definition.metadata.annotations.as_ref()?.get(SCHEMA_DIGEST).map(String::as_str)
}

fn polish(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if is_condition(map) {
                bound_condition(map);
            }
            map.values_mut().for_each(polish);
        }
        Value::Array(items) => items.iter_mut().for_each(polish),
        Value::Number(number) => {
            if let Some(float) = number.as_f64()
                && !number.is_i64()
                && float.fract() == 0.0
                && float.abs() < 1e15
            {
                *value = json!(float as i64);
            }
        }
        _ => {}
    }
}

fn is_condition(schema: &serde_json::Map<String, Value>) -> bool {
    schema.get("properties").and_then(Value::as_object).is_some_and(|properties| {
        ["lastTransitionTime", "reason", "status", "type"].iter().all(|key| properties.contains_key(*key))
    })
}

/// Upstream's markers on `metav1.Condition` (apimachinery `pkg/apis/meta/v1/types.go`).
fn bound_condition(schema: &mut serde_json::Map<String, Value>) {
    let bounds = json!({
        "message": {"maxLength": 32768},
        "observedGeneration": {"minimum": 0},
        "reason": {"minLength": 1, "maxLength": 1024, "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"},
        "status": {"enum": ["True", "False", "Unknown"]},
        "type": {"maxLength": 316},
    });
    for (field, extra) in bounds.as_object().into_iter().flatten() {
        if let (Some(Value::Object(target)), Some(extra)) =
            (schema.get_mut("properties").and_then(|properties| properties.get_mut(field)), extra.as_object())
        {
            target.extend(extra.clone());
        }
    }
}
