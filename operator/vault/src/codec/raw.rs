//! The column `_raw`: cells that do not fit the type of their column, as text, in a JSON object by field.

use super::error::CodecError;
use serde_json::{Map, Value};

/// The JSON of a row's cells.
pub fn encode<'a>(cells: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let cells: Map<String, Value> =
        cells.into_iter().map(|(field, text)| (field.to_owned(), Value::from(text))).collect();
    Value::Object(cells).to_string()
}

/// The cells of a row, by field.
pub fn decode(json: &str) -> Result<Vec<(String, String)>, CodecError> {
    let Ok(Value::Object(cells)) = serde_json::from_str(json) else {
        return Err(CodecError::Format("_raw is not a JSON object".into()));
    };
    cells
        .into_iter()
        .map(|(field, value)| match value {
            Value::String(text) => Ok((field, text)),
            _ => Err(CodecError::Format("_raw holds something other than text".into())),
        })
        .collect()
}
