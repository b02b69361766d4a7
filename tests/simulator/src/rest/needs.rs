//! `UserRecordAccess`, which is computed and not stored: it tells of one user and of the records that are named.

use crate::schema::Object;
use crate::soql::{Condition, Operator, Query, SoqlError};

/// Refuses a query without the filters that the object needs.
pub(crate) fn check(object: &Object, query: &Query) -> Result<(), SoqlError> {
    let filtered = |field: &str| query.condition.as_ref().is_some_and(|condition| compares(condition, field));
    if object.name != "UserRecordAccess" || (filtered("UserId") && filtered("RecordId")) {
        return Ok(());
    }
    let message = "When querying UserRecordAccess, you must filter by UserId and by RecordId";
    Err(SoqlError::malformed(message))
}

/// Whether a condition compares the field for every row that it lets through.
fn compares(condition: &Condition, field: &str) -> bool {
    match condition {
        Condition::And(all) => all.iter().any(|condition| compares(condition, field)),
        Condition::Compare(name, Operator::Equal | Operator::In, _) => {
            name.parts.last().is_some_and(|last| last.eq_ignore_ascii_case(field))
        }
        _ => false,
    }
}
