//! `sobjects/X/updated` and `sobjects/X/deleted`: ids of what changed between two times, to the minute.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::Call;
use crate::soql::Plan;
use crate::value::Id;
use crate::value::calendar::{DAY_MS, now_ms, parse_datetime, rest_datetime};
use crate::web::ApiError;

const MINUTE: i64 = 60_000;
/// How far back one can ask.
const UPDATED_DAYS: i64 = 30;
const DELETED_DAYS: i64 = 15;
/// Ids of an answer at most.
const MOST_IDS: u64 = 600_000;

fn wrong(message: impl Into<String>) -> ApiError {
    ApiError::bad("INVALID_REPLICATION_DATE", message)
}

/// Start and end in milliseconds since 1970, both at full minutes.
fn window(
    call: &Call<'_>,
    number: usize,
    days: i64,
    start: Option<&str>,
    end: Option<&str>,
) -> Result<(i64, i64), ApiError> {
    let object = call.world.schema.object(number);
    if object.describe.get("replicateable") != Some(&Json::Bool(true))
        || object.find("SystemModstamp").is_none()
    {
        let message = format!("entity type {} is not replicateable", object.name);
        return Err(ApiError::bad("INVALID_TYPE_FOR_OPERATION", message));
    }
    let time = |name: &str, text: Option<&str>| {
        let text = text.ok_or_else(|| wrong(format!("{name} is required")))?;
        let time = parse_datetime(text).filter(|_| text.len() > 10);
        let time = time.ok_or_else(|| wrong(format!("{name} is not a valid dateTime: {text}")))?;
        Ok::<i64, ApiError>(time.div_euclid(MINUTE) * MINUTE)
    };
    let (start, end) = (time("start", start)?, time("end", end)?);
    if end - start < MINUTE {
        return Err(wrong("endDate must be at least one minute greater than startDate"));
    }
    if start < now_ms() - days * DAY_MS {
        return Err(wrong(format!("startDate cannot be more than {days} days ago")));
    }
    Ok((start, end))
}

/// What was created or changed and is still there.
pub(crate) fn updated(
    call: &Call<'_>,
    number: usize,
    start: Option<&str>,
    end: Option<&str>,
) -> Result<Json, ApiError> {
    let window = window(call, number, UPDATED_DAYS, start, end)?;
    let (start, end) = (rest_datetime(window.0), rest_datetime(window.1));
    let name = &call.world.schema.object(number).name;
    let query = format!("SELECT Id FROM {name} WHERE SystemModstamp >= {start} AND SystemModstamp < {end}");
    let plan = Arc::new(Plan::of(&call.world.schema, &call.view, &query)?);
    let cursor = plan.open(call.world.database.clone(), false);
    check_count(cursor.total())?;
    let ids: Vec<String> = cursor.rows(0, u64::MAX).map(|row| cursor.id(row).to_string()).collect();
    Ok(json!({"ids": ids, "latestDateCovered": covered(window.1)}))
}

/// What was deleted, be it in the recycle bin or purged since.
pub(crate) fn deleted(
    call: &Call<'_>,
    number: usize,
    start: Option<&str>,
    end: Option<&str>,
) -> Result<Json, ApiError> {
    let (start, end) = window(call, number, DELETED_DAYS, start, end)?;
    let gone = call.world.database.table(number).all_gone();
    let mut found: Vec<(i64, Id)> = gone.map(|(id, gone)| (gone.at, id)).collect();
    found.retain(|(at, _)| (start..end).contains(at));
    check_count(found.len() as u64)?;
    found.sort_unstable();
    let records: Vec<Json> = found
        .into_iter()
        .map(|(at, id)| json!({"deletedDate": rest_datetime(at), "id": id.to_string()}))
        .collect();
    let earliest = (now_ms() - DELETED_DAYS * DAY_MS).div_euclid(MINUTE) * MINUTE;
    Ok(json!({
        "deletedRecords": records,
        "earliestDateAvailable": rest_datetime(earliest),
        "latestDateCovered": covered(end),
    }))
}

fn check_count(count: u64) -> Result<(), ApiError> {
    if count <= MOST_IDS {
        return Ok(());
    }
    Err(ApiError::bad("EXCEEDED_ID_LIMIT", format!("{count} ids changed, more than {MOST_IDS} are not told")))
}

/// Up to when an answer is complete: its end, or now.
fn covered(end: i64) -> String {
    rest_datetime(end.min(now_ms().div_euclid(MINUTE) * MINUTE))
}
