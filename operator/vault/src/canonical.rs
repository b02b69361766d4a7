//! Canonical JSON: keys in the order of their bytes, no white space, only strings, integers, booleans, null.
//!
//! The same bytes come out of Python's `json.dumps(d, sort_keys=True, separators=(",", ":"), ensure_ascii=False)`,
//! so that a stranger checks a signature without a library of ours.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{Result, VaultError};

/// Canonical bytes of a document.
pub(crate) fn to_vec<T: Serialize>(document: &T) -> Result<Vec<u8>> {
    let value = serde_json::to_value(document).map_err(|error| VaultError::internal(error.to_string()))?;
    value_to_vec(value)
}

/// Canonical bytes of a value.
pub(crate) fn value_to_vec(value: Value) -> Result<Vec<u8>> {
    serde_json::to_vec(&sorted(value)).map_err(|error| VaultError::internal(error.to_string()))
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> = map.into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().map(|(key, value)| (key, sorted(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_at_every_depth() {
        let value = serde_json::json!({"b": [{"z": 1, "a": "ü\n\u{1}"}], "a": null});
        assert_eq!(
            String::from_utf8(value_to_vec(value).unwrap()).unwrap(),
            "{\"a\":null,\"b\":[{\"a\":\"ü\\n\\u0001\",\"z\":1}]}"
        );
    }
}
