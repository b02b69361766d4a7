//! Conditions that are no formula: a field, an operation and a value, as roll-ups, workflow rules and declarative
//! rules have them (`FilterItem` of the Metadata API).

use serde::{Deserialize, Serialize};

use super::eval::order;
use super::{Context, FormulaError, Given, Number};
use crate::value::calendar::{parse_date, parse_datetime};

/// One condition on a field.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// The field, perhaps with its object before it: `Case.Status`.
    pub field: String,
    /// How it is compared.
    pub operation: Operation,
    /// What with; several values are separated by commas.
    #[serde(default)]
    pub value: String,
}

/// How a field is compared (`FilterOperation`).
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)] // the names are Salesforce's
pub enum Operation {
    Equals,
    NotEqual,
    LessThan,
    GreaterThan,
    LessOrEqual,
    GreaterOrEqual,
    Contains,
    NotContain,
    StartsWith,
    Includes,
    Excludes,
}

impl Criterion {
    /// Whether a record meets it. Texts are compared in any case.
    pub fn is_met(&self, context: &dyn Context) -> Result<bool, FormulaError> {
        let path: Vec<String> = self.field.split('.').map(str::to_owned).collect();
        let given = context.field(&path)?;
        let mut values: Vec<&str> = self.value.split(',').map(str::trim).collect();
        if matches!(given, Given::Text(_) | Given::Null) && values.len() == 1 {
            values = vec![self.value.as_str()];
        }
        let any = |test: &dyn Fn(&str) -> Result<bool, FormulaError>| {
            values.iter().try_fold(false, |met, value| Ok::<bool, FormulaError>(met || test(value)?))
        };
        let compared = |wanted: fn(std::cmp::Ordering) -> bool| {
            any(&|value| {
                let other = read(&given, value)?;
                Ok(order(&given, &other)?.is_some_and(wanted))
            })
        };
        let low = given.to_text().to_lowercase();
        let chosen = |value: &str| low.split(';').any(|chosen| chosen.trim() == value.to_lowercase());
        match self.operation {
            Operation::Equals => any(&|value| equals(&given, value)),
            Operation::NotEqual => Ok(!any(&|value| equals(&given, value))?),
            Operation::LessThan => compared(std::cmp::Ordering::is_lt),
            Operation::GreaterThan => compared(std::cmp::Ordering::is_gt),
            Operation::LessOrEqual => compared(std::cmp::Ordering::is_le),
            Operation::GreaterOrEqual => compared(std::cmp::Ordering::is_ge),
            Operation::Contains => any(&|value| Ok(low.contains(&value.to_lowercase()))),
            Operation::NotContain => Ok(!any(&|value| Ok(low.contains(&value.to_lowercase())))?),
            Operation::StartsWith => any(&|value| Ok(low.starts_with(&value.to_lowercase()))),
            Operation::Includes => any(&|value| Ok(chosen(value))),
            Operation::Excludes => Ok(!any(&|value| Ok(chosen(value)))?),
        }
    }
}

fn equals(given: &Given, value: &str) -> Result<bool, FormulaError> {
    Ok(match given {
        _ if value.is_empty() => given.is_blank(),
        Given::Null => false,
        Given::Text(text) => text.eq_ignore_ascii_case(value) || text.to_lowercase() == value.to_lowercase(),
        _ => order(given, &read(given, value)?)? == Some(std::cmp::Ordering::Equal),
    })
}

/// A value of a condition, of the type that the field has.
fn read(like: &Given, text: &str) -> Result<Given, FormulaError> {
    let wrong = || FormulaError::Value(format!("`{text}` is no {}", like.type_name()));
    Ok(match like {
        Given::Bool(_) => match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Given::Bool(true),
            "false" | "0" => Given::Bool(false),
            _ => return Err(wrong()),
        },
        Given::Number(_) => Number::parse(text).ok_or_else(wrong)?.into(),
        Given::Date(_) => Given::Date(parse_date(text).ok_or_else(wrong)?),
        Given::DateTime(_) => Given::DateTime(parse_datetime(text).ok_or_else(wrong)?),
        Given::Time(_) => Given::Time(crate::value::calendar::parse_time(text).ok_or_else(wrong)?),
        Given::Id(_) => crate::value::Id::parse(text).map(Given::Id).ok_or_else(wrong)?,
        Given::Text(_) | Given::Null => Given::text(text),
    })
}
