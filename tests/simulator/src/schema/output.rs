//! Describe results as the API gives them to one user.

use serde_json::{Map, Value as Json, json};

use super::versions::trim;
use super::{Object, Schema, View};

/// Keys of an object in describeGlobal, with the value for describes recorded before the key existed.
const GLOBAL_KEYS: [(&str, Default); 28] = [
    ("activateable", Default::False),
    ("associateEntityType", Default::Null),
    ("associateParentEntity", Default::Null),
    ("createable", Default::False),
    ("custom", Default::False),
    ("customSetting", Default::False),
    ("deepCloneable", Default::False),
    ("deletable", Default::False),
    ("deprecatedAndHidden", Default::False),
    ("feedEnabled", Default::False),
    ("hasSubtypes", Default::False),
    ("isInterface", Default::False),
    ("isSubtype", Default::False),
    ("keyPrefix", Default::Null),
    ("label", Default::Null),
    ("labelPlural", Default::Null),
    ("layoutable", Default::False),
    ("mergeable", Default::False),
    ("mruEnabled", Default::False),
    ("name", Default::Null),
    ("queryable", Default::False),
    ("replicateable", Default::False),
    ("retrieveable", Default::False),
    ("searchable", Default::False),
    ("triggerable", Default::False),
    ("undeletable", Default::False),
    ("updateable", Default::False),
    ("urls", Default::Object),
];

/// Keys that describe has beyond describeGlobal.
const DESCRIBE_KEYS: [(&str, Default); 17] = [
    ("actionOverrides", Default::List),
    ("childRelationships", Default::List),
    ("compactLayoutable", Default::False),
    ("defaultImplementation", Default::Null),
    ("extendedBy", Default::Null),
    ("extendsInterfaces", Default::Null),
    ("fields", Default::List),
    ("implementedBy", Default::Null),
    ("implementsInterfaces", Default::Null),
    ("listviewable", Default::Null),
    ("lookupLayoutable", Default::Null),
    ("namedLayoutInfos", Default::List),
    ("networkScopeFieldName", Default::Null),
    ("recordTypeInfos", Default::List),
    ("searchLayoutable", Default::False),
    ("sobjectDescribeOption", Default::Full),
    ("supportedScopes", Default::List),
];

#[derive(Clone, Copy)]
enum Default {
    False,
    Null,
    List,
    Object,
    Full,
}

impl Default {
    fn to_json(self) -> Json {
        match self {
            Self::False => Json::Bool(false),
            Self::Null => Json::Null,
            Self::List => json!([]),
            Self::Object => json!({}),
            Self::Full => json!("FULL"),
        }
    }
}

impl Schema {
    /// The answer of describeGlobal to a user, for an API version such as `62.0`.
    pub fn describe_global(&self, view: &View, version: &str) -> Json {
        let seen = self.objects().iter().enumerate().filter(|(number, _)| view.sees_object(*number));
        let sobjects: Vec<Json> = seen
            .map(|(_, object)| {
                let mut entry = with_keys(object, &GLOBAL_KEYS);
                rewrite_urls(&mut entry, version, None);
                trim(&mut entry, version);
                Json::Object(entry)
            })
            .collect();
        json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": sobjects})
    }

    /// The describe result of an object for a user, without what is hidden from that user. `base` is scheme and host
    /// of the org, which the pages of its user interface are named by.
    pub fn describe(&self, object: usize, view: &View, version: &str, base: &str) -> Json {
        let described = self.object(object);
        let mut keys = GLOBAL_KEYS.to_vec();
        keys.extend_from_slice(&DESCRIBE_KEYS);
        keys.sort_by_key(|(key, _)| *key);
        let mut entry = with_keys(described, &keys);
        if let Some(Json::Array(fields)) = entry.get_mut("fields") {
            let mut number = 0;
            fields.retain_mut(|field| {
                let seen = view.sees_field(object, number);
                number += 1;
                self.hide_targets(field, view);
                seen
            });
        }
        if let Some(Json::Array(children)) = entry.get_mut("childRelationships") {
            children.retain(|child| self.sees_child(child, view));
        }
        rewrite_urls(&mut entry, version, Some(base));
        for info in entry.get_mut("recordTypeInfos").and_then(Json::as_array_mut).into_iter().flatten() {
            if let Some(urls) = info.get_mut("urls").and_then(Json::as_object_mut) {
                rewrite(urls, version);
            }
        }
        trim(&mut entry, version);
        Json::Object(entry)
    }

    fn hide_targets(&self, field: &mut Json, view: &View) {
        if let Some(Json::Array(targets)) = field.get_mut("referenceTo") {
            targets.retain(|t| t.as_str().and_then(|t| self.find(t)).is_none_or(|t| view.sees_object(t)));
        }
    }

    fn sees_child(&self, child: &Json, view: &View) -> bool {
        let Some(object) = child["childSObject"].as_str().and_then(|name| self.find(name)) else {
            return true;
        };
        let field = child["field"].as_str().and_then(|name| self.object(object).find(name));
        view.sees_object(object) && field.is_none_or(|field| view.sees_field(object, field))
    }
}

fn with_keys(object: &Object, keys: &[(&str, Default)]) -> Map<String, Json> {
    keys.iter()
        .map(|(key, default)| {
            let value = object.describe.get(*key).cloned().unwrap_or_else(|| default.to_json());
            ((*key).to_owned(), value)
        })
        .collect()
}

/// Recorded describes name the version that they were recorded with, and pages (`uiDetailTemplate`, …) of the org that
/// they were recorded from. describeGlobal, which gives no `base`, names no pages.
fn rewrite_urls(entry: &mut Map<String, Json>, version: &str, base: Option<&str>) {
    if let Some(Json::Object(urls)) = entry.get_mut("urls") {
        rewrite(urls, version);
        urls.retain(|_, url| match (path_of_page(url), base) {
            (None, _) => url.as_str().is_some_and(|url| url.starts_with('/')),
            (Some(path), Some(base)) => {
                *url = Json::String(format!("{base}{path}"));
                true
            }
            (Some(_), None) => false,
        });
    }
}

/// The path of a URL with a host.
fn path_of_page(url: &Json) -> Option<String> {
    let rest = url.as_str()?.strip_prefix("https://")?;
    rest.find('/').map(|at| rest[at..].to_owned())
}

fn rewrite(urls: &mut Map<String, Json>, version: &str) {
    for url in urls.values_mut() {
        let Some(rest) = url.as_str().and_then(|u| u.strip_prefix("/services/data/v")) else { continue };
        let tail = rest.split_once('/').map_or("", |(_, tail)| tail);
        *url = Json::String(format!("/services/data/v{version}/{tail}"));
    }
}
