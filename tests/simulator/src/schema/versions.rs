//! What describe results of older API versions look like: keys that came with a later version are not in them.
//!
//! The tables rest on recorded describes of versions 34.0, 42.0, 48.0, 50.0, 52.0 and 59.0. A key is told from the
//! oldest of them that shows it; the true version may lie between that and the one before.

use serde_json::{Map, Value as Json};

/// Keys of objects (describe and describeGlobal) by the first version that is known to have them.
const OBJECT_KEYS: [(u32, &[&str]); 3] = [
    (42, &["hasSubtypes", "isSubtype", "mruEnabled", "networkScopeFieldName", "supportedScopes"]),
    (
        48,
        &[
            "deepCloneable",
            "defaultImplementation",
            "extendedBy",
            "extendsInterfaces",
            "implementedBy",
            "implementsInterfaces",
            "isInterface",
        ],
    ),
    (50, &["associateEntityType", "associateParentEntity", "sobjectDescribeOption"]),
];

/// The same of fields.
const FIELD_KEYS: [(u32, &[&str]); 2] = [
    (42, &["aggregatable", "compoundFieldName", "polymorphicForeignKey", "searchPrefilterable"]),
    (48, &["aiPredictionField", "formulaTreatNullNumberAsZero"]),
];

/// The same of record types.
const RECORD_TYPE_KEYS: [(u32, &[&str]); 2] = [(42, &["active", "master"]), (48, &["developerName"])];

/// Versions in which `urls` name the default values of an object: recorded with 42.0 and 48.0, not with 34.0 and 50.0.
const DEFAULT_VALUES: std::ops::Range<u32> = 42..50;

/// Takes out of an entry of describe or describeGlobal what its version (`48.0`) does not have yet.
pub(super) fn trim(entry: &mut Map<String, Json>, version: &str) {
    let version = number(version);
    without(entry, &OBJECT_KEYS, version);
    for (list, keys) in [("fields", FIELD_KEYS), ("recordTypeInfos", RECORD_TYPE_KEYS)] {
        entries(entry, list).for_each(|inner| without(inner, &keys, version));
    }
    if version < 42 {
        for child in entries(entry, "childRelationships") {
            child.remove("junctionIdListNames");
            child.insert("junctionIdListName".to_owned(), Json::Null);
        }
    }
    if let Some(urls) = entry.get_mut("urls").and_then(Json::as_object_mut)
        && !DEFAULT_VALUES.contains(&version)
    {
        urls.remove("defaultValues");
    }
}

/// `48.0` as 48; what is no version is taken for the newest.
fn number(version: &str) -> u32 {
    version.split('.').next().and_then(|number| number.parse().ok()).unwrap_or(u32::MAX)
}

fn without(entry: &mut Map<String, Json>, keys: &[(u32, &[&str])], version: u32) {
    for key in keys.iter().filter(|(since, _)| version < *since).flat_map(|(_, keys)| *keys) {
        entry.remove(*key);
    }
}

fn entries<'a>(
    entry: &'a mut Map<String, Json>,
    list: &str,
) -> impl Iterator<Item = &'a mut Map<String, Json>> {
    let listed = entry.get_mut(list).and_then(Json::as_array_mut);
    listed.into_iter().flatten().filter_map(Json::as_object_mut)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use serde_json::json;

    use super::*;

    fn trimmed(version: &str) -> Json {
        let Json::Object(mut entry) = json!({
            "name": "A", "mruEnabled": true, "isInterface": false, "associateEntityType": null,
            "fields": [{"name": "Id", "aggregatable": true, "aiPredictionField": false}],
            "childRelationships": [{"field": "AId", "junctionIdListNames": []}],
            "urls": {"sobject": "/a", "defaultValues": "/a/defaultValues"},
        }) else {
            panic!("an object")
        };
        trim(&mut entry, version);
        Json::Object(entry)
    }

    #[test]
    fn older_versions_lack_the_keys_of_newer_ones() {
        let newest = trimmed("62.0");
        assert_eq!(newest["associateEntityType"], Json::Null);
        assert!(newest.get("associateEntityType").is_some());
        assert!(newest["urls"].get("defaultValues").is_none());
        let v48 = trimmed("48.0");
        assert!(v48.get("associateEntityType").is_none() && v48.get("isInterface").is_some());
        assert!(v48["urls"].get("defaultValues").is_some());
        let v34 = trimmed("34.0");
        assert_eq!(v34["fields"], json!([{"name": "Id"}]));
        assert_eq!(v34["childRelationships"], json!([{"field": "AId", "junctionIdListName": null}]));
        assert!(v34.get("mruEnabled").is_none() && v34["urls"].get("defaultValues").is_none());
    }
}
