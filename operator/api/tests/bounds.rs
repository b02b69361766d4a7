//! Every string and list of ours has a bound, and the largest object that the schema allows stays far below
//! what etcd takes (1.5 MiB).

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use orgkeep_api::crds;
use serde_json::{Map, Value};

/// Bytes of JSON.
const LARGEST: usize = 256 * 1024;
/// Our code cuts the messages of conditions to this; upstream's bound is 32 KiB.
const CONDITION_MESSAGE: usize = 1024;
/// Fields whose schemas are Kubernetes' own, which bounds their values elsewhere.
const FOREIGN: &[&str] = &["resources", "tolerations", "nodeSelector", "conditions"];

/// The largest value that a schema allows; names what has no bound.
fn largest(schema: &Value, path: &str, unbounded: &mut Vec<String>) -> Value {
    let foreign = FOREIGN.iter().any(|field| path.contains(field));
    let mut bound = |keyword: &str, fallback: u64| {
        schema[keyword].as_u64().unwrap_or_else(|| {
            if !foreign {
                unbounded.push(format!("{path}: {keyword}"));
            }
            fallback
        })
    };
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().max_by_key(|word| word.to_string().len()).cloned().unwrap_or_default();
    }
    match schema["type"].as_str() {
        Some("string") if path.ends_with("conditions[].message") => "x".repeat(CONDITION_MESSAGE).into(),
        Some("string") if path.ends_with("conditions[].reason") => "x".repeat(64).into(),
        Some("string") => "x".repeat(bound("maxLength", 253) as usize).into(),
        Some("integer") => i64::MIN.into(),
        Some("boolean") => false.into(),
        Some("array") => {
            let count = bound("maxItems", 8);
            let item = largest(&schema["items"], &format!("{path}[]"), unbounded);
            (0..count).map(|_| item.clone()).collect()
        }
        Some("object") if schema["additionalProperties"].is_object() => {
            let count = bound("maxProperties", 8);
            let value = largest(&schema["additionalProperties"], &format!("{path}{{}}"), unbounded);
            (0..count).map(|n| (format!("{n:0>63}"), value.clone())).collect::<Map<_, _>>().into()
        }
        Some("object") => schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, inner)| (name.clone(), largest(inner, &format!("{path}.{name}"), unbounded)))
            .collect::<Map<_, _>>()
            .into(),
        None if schema["x-kubernetes-int-or-string"] == true => {
            "x".repeat(bound("maxLength", 64) as usize).into()
        }
        other => panic!("{path}: type {other:?}"),
    }
}

#[test]
fn the_largest_object_is_small() {
    for definition in crds::all().unwrap() {
        let kind = definition.spec.names.kind.clone();
        let mut unbounded = Vec::new();
        let schema =
            serde_json::to_value(&definition).unwrap()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
                .clone();
        let size: usize = ["spec", "status"]
            .iter()
            .map(|part| largest(&schema["properties"][part], part, &mut unbounded).to_string().len())
            .sum();
        assert!(unbounded.is_empty(), "{kind}: {unbounded:#?}");
        assert!(size < LARGEST, "{kind}: {size} bytes");
    }
}

#[test]
fn definitions_carry_what_users_see() {
    let short: Vec<_> =
        crds::all().unwrap().iter().flat_map(|d| d.spec.names.short_names.clone().unwrap()).collect();
    assert_eq!(short, ["sfc", "bv", "sfb", "sfsnap"]);
    for definition in crds::all().unwrap() {
        let kind = &definition.spec.names.kind;
        assert_eq!(definition.spec.names.categories.as_deref(), Some(&["orgkeep".to_owned()][..]), "{kind}");
        let version = &definition.spec.versions[0];
        assert!(version.subresources.as_ref().is_some_and(|sub| sub.status.is_some()), "{kind}");
        let columns = version.additional_printer_columns.as_ref().unwrap();
        assert!(columns.iter().filter(|column| column.priority.unwrap_or(0) == 0).count() <= 7, "{kind}");
        assert!(crds::digest(&definition).is_some(), "{kind}");
        let back: CustomResourceDefinition =
            serde_json::from_value(serde_json::to_value(&definition).unwrap()).unwrap();
        assert_eq!(back, definition);
    }
}

/// A newer operator must be able to write a phase that an older definition does not know.
#[test]
fn phases_are_open_words() {
    for definition in crds::all().unwrap() {
        let phase = serde_json::to_value(&definition).unwrap()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
            ["properties"]["status"]["properties"]["phase"]
            .clone();
        assert!(phase["enum"].is_null(), "{}", definition.spec.names.kind);
    }
}
