//! Why a change is refused: status code, message and fields, in Salesforce's words.

/// Why a change of a record is refused. REST gives `code` as `errorCode`, collections, SOAP and Bulk as
/// `statusCode`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// `REQUIRED_FIELD_MISSING`, `ENTITY_IS_DELETED`, …
    pub code: &'static str,
    /// The message.
    pub message: String,
    /// The fields that it is about.
    pub fields: Vec<String>,
}

impl Refusal {
    /// A refusal that is about no field.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), fields: Vec::new() }
    }

    /// A refusal that is about one field.
    pub fn field(code: &'static str, field: &str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), fields: vec![field.to_owned()] }
    }

    /// No such record.
    pub(super) fn unknown() -> Self {
        Self::new("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    }

    /// The record is in the recycle bin.
    pub(super) fn deleted() -> Self {
        Self::new("ENTITY_IS_DELETED", "entity is deleted")
    }

    /// What cannot be brought back.
    pub(super) fn not_in_bin() -> Self {
        Self::new("UNDELETE_FAILED", "Entity is not in the recycle bin")
    }

    /// An object whose records cannot be changed so: `create`, `edit`, `delete`, `undelete`, `merge`.
    pub(super) fn operation(object: &str, operation: &str) -> Self {
        Self::new("INVALID_TYPE_FOR_OPERATION", format!("entity type {object} does not support {operation}"))
    }
}
