//! What formulas work with.

use super::{FormulaError, Number};
use crate::value::Id;
use crate::value::calendar::{civil_from_days, rest_datetime};

/// A value in a formula.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A text; a text of no length is as good as none.
    Text(String),
    /// A number.
    Number(Number),
    /// Days since 1970.
    Date(i32),
    /// Milliseconds since 1970.
    DateTime(i64),
    /// Milliseconds since midnight.
    Time(i32),
    /// An id, which is a text of 15 characters wherever it is shown.
    Id(Id),
}

impl Given {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Whether there is nothing in it.
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.is_empty(),
            _ => false,
        }
    }

    /// The type, as error messages name it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "Null",
            Self::Bool(_) => "Boolean",
            Self::Text(_) | Self::Id(_) => "Text",
            Self::Number(_) => "Number",
            Self::Date(_) => "Date",
            Self::DateTime(_) => "DateTime",
            Self::Time(_) => "Time",
        }
    }

    /// As a text: what `TEXT()`, `&` and messages make of it. Nothing is no text.
    pub fn to_text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_text(),
            Self::Date(days) => {
                let (year, month, day) = civil_from_days(*days);
                format!("{year:04}-{month:02}-{day:02}")
            }
            // documented of TEXT(): `YYYY-MM-DD HH:MM:SSZ`
            Self::DateTime(at) => {
                let text = rest_datetime(*at);
                format!("{} {}Z", text.get(..10).unwrap_or_default(), text.get(11..19).unwrap_or_default())
            }
            Self::Time(of_day) => {
                let (seconds, millis) = (of_day / 1_000, of_day % 1_000);
                format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
            }
            Self::Id(id) => id.short().to_owned(),
        }
    }

    /// Needed as a text.
    pub(super) fn as_text(&self, place: &str) -> Result<String, FormulaError> {
        match self {
            Self::Null | Self::Text(_) | Self::Id(_) => Ok(self.to_text()),
            other => Err(other.wrong(place, "Text")),
        }
    }

    /// Needed as a condition.
    pub(super) fn as_bool(&self, place: &str) -> Result<bool, FormulaError> {
        match self {
            Self::Null => Ok(false),
            Self::Bool(value) => Ok(*value),
            other => Err(other.wrong(place, "Boolean")),
        }
    }

    /// Needed as a number; nothing stays nothing.
    pub(super) fn as_number(&self, place: &str) -> Result<Option<Number>, FormulaError> {
        match self {
            Self::Null => Ok(None),
            Self::Number(number) => Ok(Some(*number)),
            other => Err(other.wrong(place, "Number")),
        }
    }

    /// Needed as a date; nothing stays nothing.
    pub(super) fn as_date(&self, place: &str) -> Result<Option<i32>, FormulaError> {
        match self {
            Self::Null => Ok(None),
            Self::Date(days) => Ok(Some(*days)),
            other => Err(other.wrong(place, "Date")),
        }
    }

    pub(super) fn wrong(&self, place: &str, expected: &'static str) -> FormulaError {
        FormulaError::Type { place: place.to_owned(), expected, received: self.type_name() }
    }
}

impl From<bool> for Given {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<Number> for Given {
    fn from(number: Number) -> Self {
        Self::Number(number)
    }
}
