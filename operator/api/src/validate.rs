//! The API server's checks without an API server, for `orgkeep run` and for tests.
//!
//! The same definitions that a cluster gets are applied here: first the structure (types, bounds, patterns,
//! unknown fields, where `kubectl` would refuse by strict validation, too), then the CEL rules.

use k8s_openapi::serde::de::DeserializeOwned;
use kube::CustomResourceExt;
use kube::core::cel::{Validator, apply_defaults};
use serde::Serialize;
use serde_json::Value;

use crate::{crds, structural};

/// Reads an object as `kubectl apply` would store it: defaults filled in, everything checked. The errors each
/// name a field and what is wrong with it.
pub fn read<K: CustomResourceExt + DeserializeOwned>(manifest: &Value) -> Result<K, Vec<String>> {
    let schema = schema::<K>()?;
    let object = apply_defaults(&schema, manifest);
    check(&schema, &object, None)?;
    serde_json::from_value(object).map_err(|error| vec![error.to_string()])
}

/// Checks an object that is made anew.
pub fn validate<K: CustomResourceExt + Serialize>(object: &K) -> Result<(), Vec<String>> {
    check(&schema::<K>()?, &to_value(object)?, None)
}

/// Checks an object that replaces `old`: also the rules about what cannot be changed.
pub fn validate_update<K: CustomResourceExt + Serialize>(object: &K, old: &K) -> Result<(), Vec<String>> {
    check(&schema::<K>()?, &to_value(object)?, Some(&to_value(old)?))
}

fn schema<K: CustomResourceExt>() -> Result<Value, Vec<String>> {
    crds::schema::<K>().map_err(|error| vec![error.to_string()])
}

fn to_value<K: Serialize>(object: &K) -> Result<Value, Vec<String>> {
    serde_json::to_value(object).map_err(|error| vec![error.to_string()])
}

fn check(schema: &Value, object: &Value, old: Option<&Value>) -> Result<(), Vec<String>> {
    let mut errors = Vec::new();
    // metadata is the API server's own; the definition has no schema for it
    for part in ["spec", "status"] {
        if let Some(value) = object.get(part) {
            structural::check(&schema["properties"][part], value, part, &mut errors);
        }
    }
    if object.get("spec").is_none() {
        errors.push("spec: is required".to_owned());
    }
    // the server, too, runs rules only on what has the right structure
    if errors.is_empty()
        && let Err(failures) = Validator::new().validate(schema, object, old)
    {
        errors.extend(failures.into_vec().iter().map(ToString::to_string));
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}
