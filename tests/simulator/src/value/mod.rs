//! What one cell of a record holds: the owned [`Value`] of a stored row, and the borrowed [`Cell`] in which
//! stored and generated rows alike hand out their content without allocating.

pub mod calendar;
pub mod decimal;
pub mod id;

pub use decimal::Decimal;
pub use id::Id;

use crate::schema::FieldType;

/// An owned cell of a stored row. Null is the absence of a value (rows are sparse).
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Checkbox.
    Bool(bool),
    /// Any kind of text, picklists and blobs' references included.
    Text(Box<str>),
    /// Whole number (`int`).
    Int(i64),
    /// Exact decimal number (`double`, `currency`, `percent`).
    Number(Decimal),
    /// Days since 1970-01-01.
    Date(i32),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    DateTime(i64),
    /// Milliseconds since midnight.
    Time(i32),
    /// Record id.
    Id(Id),
}

/// A borrowed cell, as both kinds of rows give it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// Checkbox.
    Bool(bool),
    /// Any kind of text.
    Text(&'a str),
    /// Whole number.
    Int(i64),
    /// Exact decimal number.
    Number(Decimal),
    /// Days since 1970-01-01.
    Date(i32),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    DateTime(i64),
    /// Milliseconds since midnight.
    Time(i32),
    /// Record id.
    Id(Id),
}

impl Value {
    /// The same content, borrowed.
    pub fn as_cell(&self) -> Cell<'_> {
        match self {
            Self::Bool(b) => Cell::Bool(*b),
            Self::Text(t) => Cell::Text(t),
            Self::Int(n) => Cell::Int(*n),
            Self::Number(n) => Cell::Number(*n),
            Self::Date(d) => Cell::Date(*d),
            Self::DateTime(t) => Cell::DateTime(*t),
            Self::Time(t) => Cell::Time(*t),
            Self::Id(id) => Cell::Id(*id),
        }
    }

    /// Reads a value from text as it stands in a data file. Empty text is null, as in Salesforce.
    pub fn parse(kind: FieldType, text: &str) -> Result<Option<Self>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        let wrong = |what: &str| format!("`{text}` is not {what}");
        let value = match kind {
            FieldType::Boolean => match text.to_ascii_lowercase().as_str() {
                "true" | "1" => Self::Bool(true),
                "false" | "0" => Self::Bool(false),
                _ => return Err(wrong("true or false")),
            },
            FieldType::Int => {
                let number = Decimal::parse(text).ok_or_else(|| wrong("a whole number"))?;
                Self::Int(number.to_integer().ok_or_else(|| wrong("a whole number"))?)
            }
            FieldType::Double | FieldType::Currency | FieldType::Percent => {
                Self::Number(Decimal::parse(text).ok_or_else(|| wrong("a number"))?)
            }
            FieldType::Date => {
                Self::Date(calendar::parse_date(text).ok_or_else(|| wrong("a date (yyyy-MM-dd)"))?)
            }
            FieldType::DateTime => Self::DateTime(
                calendar::parse_datetime(text).ok_or_else(|| wrong("a datetime (ISO 8601 with zone)"))?,
            ),
            FieldType::Time => {
                Self::Time(calendar::parse_time(text).ok_or_else(|| wrong("a time (HH:mm:ss.SSSZ)"))?)
            }
            FieldType::Id | FieldType::Reference => Self::Id(Id::parse(text).ok_or_else(|| wrong("an id"))?),
            _ => Self::Text(text.into()),
        };
        Ok(Some(value))
    }
}

impl Cell<'_> {
    /// An owned copy; `None` for null.
    pub fn to_value(self) -> Option<Value> {
        Some(match self {
            Self::Null => return None,
            Self::Bool(b) => Value::Bool(b),
            Self::Text(t) => Value::Text(t.into()),
            Self::Int(n) => Value::Int(n),
            Self::Number(n) => Value::Number(n),
            Self::Date(d) => Value::Date(d),
            Self::DateTime(t) => Value::DateTime(t),
            Self::Time(t) => Value::Time(t),
            Self::Id(id) => Value::Id(id),
        })
    }
}
