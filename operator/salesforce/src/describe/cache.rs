//! Describes kept from before, with what the org said of their age.

use std::collections::{BTreeMap, HashMap};

use http::HeaderMap;
use orgkeep_core::schema::ObjectSchema;
use serde::{Deserialize, Serialize};

/// Describes of one user of one org at one API version; of another one nothing in it counts.
///
/// It may be kept between runs (it is plain serde). Whether an org takes a changed permission of the user for a
/// change of the object is not documented: let a run that must see every field begin with an empty one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeCache {
    #[serde(default)]
    whose: String,
    #[serde(default)]
    objects: BTreeMap<String, Kept>,
}

/// A describe that was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kept {
    pub(super) schema: ObjectSchema,
    /// `Last-Modified` of its answer, sent back as `If-Modified-Since`.
    pub(super) last_modified: String,
    /// `ETag` of its answer, sent back as `If-None-Match`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) etag: Option<String>,
}

impl DescribeCache {
    /// Objects kept.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Forgets everything if it is not of this org, version and user.
    pub(super) fn belongs_to(&mut self, whose: &str) {
        if self.whose != whose {
            *self = Self { whose: whose.to_owned(), objects: BTreeMap::new() };
        }
    }

    pub(super) fn get(&self, object: &str) -> Option<&Kept> {
        self.objects.get(object)
    }

    /// Keeps a describe if its answer told its age; else it is read anew each time.
    pub(super) fn keep(&mut self, object: &str, schema: &ObjectSchema, age: Age) {
        match age.last_modified {
            Some(last_modified) => {
                let kept = Kept { schema: schema.clone(), last_modified, etag: age.etag };
                self.objects.insert(object.to_owned(), kept);
            }
            None => {
                self.objects.remove(object);
            }
        }
    }
}

/// What an answer's head says of its age.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Age {
    pub(super) last_modified: Option<String>,
    pub(super) etag: Option<String>,
}

impl Age {
    pub(super) fn of_headers(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
        Self { last_modified: text("last-modified"), etag: text("etag") }
    }

    pub(super) fn of_part(headers: &HashMap<String, String>) -> Self {
        Self { last_modified: headers.get("last-modified").cloned(), etag: headers.get("etag").cloned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> ObjectSchema {
        serde_json::from_value(serde_json::json!({"name": "Account", "fields": []})).unwrap()
    }

    #[test]
    fn what_has_no_age_is_not_kept_and_what_is_anothers_is_forgotten() {
        let mut cache = DescribeCache::default();
        cache.belongs_to("00D/64.0/005");
        let age = Age { last_modified: Some("Tue, 28 Jun 2022 03:46:54 GMT".to_owned()), etag: None };
        cache.keep("Account", &schema(), age.clone());
        assert_eq!(cache.get("Account").unwrap().last_modified, "Tue, 28 Jun 2022 03:46:54 GMT");
        let mut back: DescribeCache = serde_json::from_str(&serde_json::to_string(&cache).unwrap()).unwrap();
        assert_eq!(back, cache);
        back.belongs_to("00D/64.0/006");
        assert!(back.is_empty());
        cache.keep("Account", &schema(), Age::default());
        assert_eq!(cache.len(), 0);
    }
}
