//! What is to be written, and what became of it.

use std::sync::Arc;

use orgkeep_core::problem::{Fate, fate};
use orgkeep_core::schema::FieldType;

use crate::error::{Error, Result};

/// What is done with the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// New records.
    Insert,
    /// Records changed by their `Id`.
    Update,
    /// Records changed or made by the value of an external id field.
    Upsert {
        /// The field, which is one of the columns.
        external_id: String,
    },
    /// Records put into the recycle bin by their `Id`.
    Delete,
    /// Records deleted for good by their `Id`: needs the permission "Bulk API Hard Delete".
    HardDelete,
}

impl Operation {
    /// Bulk's word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Upsert { .. } => "upsert",
            Self::Delete => "delete",
            Self::HardDelete => "hardDelete",
        }
    }

    /// The column by which the org finds the record.
    pub(crate) fn key_column(&self) -> Option<&str> {
        match self {
            Self::Insert => None,
            Self::Update | Self::Delete | Self::HardDelete => Some("Id"),
            Self::Upsert { external_id } => Some(external_id),
        }
    }
}

/// How a column's text is written in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A number, digit by digit as given.
    Number,
    /// `true` or `false`.
    Boolean,
}

impl Kind {
    /// Of a field.
    pub fn of(field_type: &FieldType) -> Self {
        match field_type {
            FieldType::Boolean => Self::Boolean,
            FieldType::Int
            | FieldType::Long
            | FieldType::Double
            | FieldType::Currency
            | FieldType::Percent => Self::Number,
            _ => Self::Text,
        }
    }
}

/// A column: a field, or `Parent.Ext__c` for a reference by the parent's external id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// API name.
    pub name: String,
    /// How it is written in JSON.
    pub kind: Kind,
}

impl Column {
    /// A column of text.
    pub fn text(name: &str) -> Self {
        Self { name: name.to_owned(), kind: Kind::Text }
    }
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Cell {
    /// Not told: the org keeps what it has, or takes its default.
    #[default]
    Absent,
    /// Emptied.
    Null,
    /// Text as Salesforce writes it; empty text is null, as the org stores none.
    Text(String),
}

impl Cell {
    /// The text, if there is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }
}

/// A row with the caller's own name for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputRow {
    /// The caller's name of the row; unique within a write, and the same when the write is resumed.
    pub key: String,
    /// A cell for each of the target's columns.
    pub cells: Vec<Cell>,
}

/// What is written where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Object API name.
    pub object: String,
    /// What is done.
    pub operation: Operation,
    /// The columns, in the order of the rows' cells.
    pub columns: Vec<Column>,
    /// A column whose value is another in each row (an external id, an own key field): by it rows are found again.
    /// Without one the whole content is the key, and rows of equal content count.
    pub key: Option<String>,
    /// Columns that point to records which the org locks while a row is written, such as `AccountId`: rows of one
    /// parent are kept together.
    pub parents: Vec<String>,
}

impl Target {
    /// A target without key and parents.
    pub fn new(object: &str, operation: Operation, columns: Vec<Column>) -> Self {
        Self { object: object.to_owned(), operation, columns, key: None, parents: Vec::new() }
    }

    /// Names the column that tells rows apart.
    #[must_use]
    pub fn key(mut self, column: &str) -> Self {
        self.key = Some(column.to_owned());
        self
    }

    /// Names a column that points to a parent which is locked.
    #[must_use]
    pub fn parent(mut self, column: &str) -> Self {
        self.parents.push(column.to_owned());
        self
    }

    /// Where a column stands.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// The column of the operation's key, else of the caller's.
    pub(crate) fn key_place(&self) -> Option<usize> {
        let own = self.key.as_deref().and_then(|name| self.place(name));
        self.operation.key_column().and_then(|name| self.place(name)).or(own)
    }

    /// Refuses what can never be written.
    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |detail: String| {
            Err(Error::InputRefused { what: format!("{} {}", self.operation.as_str(), self.object), detail })
        };
        if self.columns.is_empty() || self.columns.len() > COLUMNS_LIMIT {
            let count = self.columns.len();
            return refuse(format!("{count} columns; expected 1 to {COLUMNS_LIMIT}"));
        }
        for (at, column) in self.columns.iter().enumerate() {
            if column.name.is_empty() || column.name.contains(['"', ',', '\n', '\r']) {
                return refuse(format!("{:?} is no name of a column", column.name));
            }
            if self.place(&column.name) != Some(at) {
                return refuse(format!("the column {} is named twice", column.name));
            }
        }
        let needed = self.operation.key_column().into_iter().chain(self.key.as_deref());
        for name in needed.chain(self.parents.iter().map(String::as_str)) {
            if self.place(name).is_none() {
                return refuse(format!("there is no column {name}"));
            }
        }
        if self.operation == Operation::Insert && self.place("Id").is_some() {
            return refuse("an insert cannot set Id".to_owned());
        }
        Ok(())
    }
}

/// Columns in one CSV (D: Bulk 2.0 limits).
pub(crate) const COLUMNS_LIMIT: usize = 5_000;

/// Why the org, or we, did not write a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// The org's status code, such as `REQUIRED_FIELD_MISSING`; a word of ours, such as `RowTooLong`, where the row
    /// was never sent.
    pub code: String,
    /// The org's words.
    pub message: String,
    /// Fields that the org names.
    pub fields: Vec<String>,
}

impl RowError {
    /// A word of ours about a row that is not sent.
    pub(crate) fn own(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), fields: Vec::new() }
    }

    /// Reads Bulk's `CODE:message:fields --`; the message may have colons, the fields have none.
    pub fn of_bulk(text: &str) -> Self {
        let text = text.trim();
        let Some((code, rest)) = text.split_once(':').filter(|(code, _)| is_code(code)) else {
            return Self { code: "UNKNOWN".to_owned(), message: text.to_owned(), fields: Vec::new() };
        };
        let body = rest.strip_suffix("--").unwrap_or(rest).trim_end();
        let (message, fields) = match body.rsplit_once(':') {
            Some((message, fields)) if rest.ends_with("--") => (message, fields),
            _ => (body, ""),
        };
        let names = fields.split(',').map(str::trim).filter(|name| !name.is_empty());
        Self {
            code: code.to_owned(),
            message: message.to_owned(),
            fields: names.map(str::to_owned).collect(),
        }
    }

    /// What follows from it, by the table of [`orgkeep_core::problem`].
    pub fn fate(&self) -> Fate {
        fate(&self.code, &self.message)
    }

    /// Whether nothing is wrong with the row: it was locked, or ran out of time beside its neighbours.
    pub(crate) fn passes(&self) -> bool {
        self.fate() == Fate::Again
    }
}

fn is_code(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// What became of a row: each input row ends in exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Written.
    Succeeded {
        /// The record's id.
        id: String,
        /// Whether the record was made; `None` where a repeated call hides it.
        created: Option<bool>,
    },
    /// Refused, in the org's own words.
    Failed(RowError),
    /// The org never took it up, or its job ended before: nothing was written of it.
    Unprocessed {
        /// Why.
        why: Arc<str>,
    },
    /// Nobody can tell whether it was written: a person looks, nothing is sent again.
    Unknown {
        /// Why.
        why: Arc<str>,
        /// Records that it may be.
        candidates: Vec<String>,
    },
}

impl Outcome {
    /// Whether the record is in the org.
    pub fn succeeded(&self) -> bool {
        matches!(self, Self::Succeeded { .. })
    }
}

/// Where outcomes go.
pub trait Outcomes: Send {
    /// Takes the outcome of a row. A resumed write may tell the same row again, with the same outcome.
    fn row(&mut self, key: &str, outcome: Outcome) -> Result<()>;

    /// Makes what was taken durable: the journal is told only then that these rows need not be told again.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Outcomes for Vec<(String, Outcome)> {
    fn row(&mut self, key: &str, outcome: Outcome) -> Result<()> {
        self.push((key.to_owned(), outcome));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_bulk() {
        let read = |text: &str| {
            let error = RowError::of_bulk(text);
            (error.code, error.message, error.fields.join("+"))
        };
        let want = |code: &str, message: &str, fields: &str| (code.into(), message.into(), fields.into());
        assert_eq!(
            read("REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --"),
            want("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", "Name")
        );
        assert_eq!(
            read("UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or 1 records: 001x:--"),
            want(
                "UNABLE_TO_LOCK_ROW",
                "unable to obtain exclusive access to this record or 1 records: 001x",
                ""
            )
        );
        assert_eq!(
            read("STRING_TOO_LONG:data value too large (max length=80):Name,Other__c --"),
            want("STRING_TOO_LONG", "data value too large (max length=80)", "Name+Other__c")
        );
        assert_eq!(read("something: else"), want("UNKNOWN", "something: else", ""));
        assert_eq!(read(""), want("UNKNOWN", "", ""));
    }

    #[test]
    fn targets_that_cannot_be_written() {
        let columns = |names: &[&str]| names.iter().map(|name| Column::text(name)).collect::<Vec<_>>();
        let refused = |target: Target| target.check().unwrap_err().to_string();
        let insert = |names: &[&str]| Target::new("Account", Operation::Insert, columns(names));
        assert!(insert(&["Name"]).check().is_ok());
        assert!(refused(insert(&[])).contains("0 columns"));
        assert!(refused(insert(&["Name", "name"])).contains("twice"));
        assert!(refused(insert(&["Id"])).contains("cannot set Id"));
        assert!(refused(insert(&["a\"b"])).contains("no name"));
        assert!(refused(insert(&["Name"]).key("Key__c")).contains("no column Key__c"));
        assert!(
            refused(Target::new("Account", Operation::Update, columns(&["Name"]))).contains("no column Id")
        );
    }
}
