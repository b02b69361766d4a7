//! Roll-up summaries: count, sum, least and greatest of a master's details. They are computed when they are read, so
//! that they are right after whatever was done to the details; what a change of them does to the master's
//! SystemModstamp is the transaction's to say.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::eval::{order, too_large};
use super::record::Record;
use super::{Criterion, FormulaError, Given, Number};
use crate::schema::Schema;
use crate::value::Cell;

/// What a roll-up is made of (`summarizedField`, `summaryForeignKey`, … of the Metadata API).
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RollUp {
    /// The object of the details.
    pub of: String,
    /// Their reference to the master.
    pub by: String,
    /// What is made of them.
    #[serde(default)]
    pub operation: Summary,
    /// The field of theirs that is summed or compared; a count has none.
    #[serde(default)]
    pub field: Option<String>,
    /// Which of them.
    #[serde(default, rename = "where")]
    pub filter: Vec<Criterion>,
}

/// What a roll-up makes of the details.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)] // the names are Salesforce's
pub enum Summary {
    #[default]
    Count,
    Sum,
    Min,
    Max,
}

impl RollUp {
    /// The object of the details and their reference, by number.
    pub fn of(&self, schema: &Schema) -> Option<(usize, usize)> {
        let object = schema.find(&self.of)?;
        Some((object, schema.object(object).find(&self.by)?))
    }

    /// What it comes to for a master.
    pub(super) fn value(&self, master: &Record<'_>) -> Result<Given, FormulaError> {
        let schema = master.schema;
        let (object, reference) =
            self.of(schema).ok_or_else(|| FormulaError::Field(format!("{}.{}", self.of, self.by)))?;
        let summed = match &self.field {
            Some(name) => {
                let unknown = || FormulaError::Field(format!("{}.{name}", self.of));
                Some(schema.object(object).find(name).ok_or_else(unknown)?)
            }
            None => None,
        };
        let id = master.database.table(master.object).id_of(master.row);
        let mut count = 0;
        let mut sum = Number::ZERO;
        let mut best: Option<Given> = None;
        for detail in master.database.with_value(schema, object, reference, Cell::Id(id)) {
            let Some(row) = master.database.find(object, detail) else { continue };
            let record = master.other(object, row);
            if !self
                .filter
                .iter()
                .try_fold(true, |met, one| Ok::<bool, FormulaError>(met && one.is_met(&record)?))?
            {
                continue;
            }
            count += 1;
            let Some(field) = summed else { continue };
            let value = record.value(field)?;
            match (self.operation, value) {
                (_, Given::Null) | (Summary::Count, _) => {}
                (Summary::Sum, value) => {
                    let number = value.as_number("SUM")?.unwrap_or(Number::ZERO);
                    sum = sum.plus(number).ok_or_else(too_large)?;
                }
                (operation, value) => {
                    let wanted = if operation == Summary::Max { Ordering::Greater } else { Ordering::Less };
                    let better = match &best {
                        Some(best) => order(&value, best)? == Some(wanted),
                        None => true,
                    };
                    if better {
                        best = Some(value);
                    }
                }
            }
        }
        Ok(match self.operation {
            Summary::Count => Number::whole(count).into(),
            Summary::Sum => sum.into(),
            Summary::Min | Summary::Max => best.unwrap_or(Given::Null),
        })
    }
}
