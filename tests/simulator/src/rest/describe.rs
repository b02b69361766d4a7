//! Describe results, which clients keep: `If-Modified-Since` is answered with 304 until the schema changes.

use std::collections::HashMap;

use http::StatusCode;
use serde_json::Value as Json;

use super::Call;
use crate::value::calendar::{DAY_MS, civil_from_days, days_from_civil};
use crate::web::Answer;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// All objects.
pub(super) fn global(call: &Call<'_>) -> Answer {
    let schema = &call.world.schema;
    let changed = schema.changed().max(call.org.derived.schema_changed(&call.world));
    unless_known(call, changed, || schema.describe_global(&call.view, call.version))
}

/// One object.
pub(super) fn object(call: &Call<'_>, number: usize) -> Answer {
    let schema = &call.world.schema;
    unless_known(call, schema.object(number).changed, || {
        schema.describe(number, &call.view, call.version, &call.request.base)
    })
}

fn unless_known(call: &Call<'_>, changed: i64, describe: impl FnOnce() -> Json) -> Answer {
    let changed = changed.max(call.org.derived.visibility_changed(&call.world));
    // HTTP dates have no milliseconds: a change is told as of the next full second
    let changed = (changed + 999).div_euclid(1_000) * 1_000;
    let known = call.request.header("if-modified-since").and_then(parse);
    let answer = if known.is_some_and(|known| known >= changed) {
        Answer::empty(StatusCode::NOT_MODIFIED)
    } else {
        Answer::ok(&describe())
    };
    let tag = format!("\"{:08x}\"", (changed / 1_000) & 0xFFFF_FFFF);
    answer.with("last-modified", &written(changed)).with("etag", &tag)
}

/// `Fri, 14 Aug 2020 20:53:02 GMT`
pub(super) fn written(millis: i64) -> String {
    let days = i32::try_from(millis.div_euclid(DAY_MS)).unwrap_or_default();
    let seconds = millis.rem_euclid(DAY_MS) / 1_000;
    let (year, month, day) = civil_from_days(days);
    let weekday = DAYS[usize::try_from(days.rem_euclid(7)).unwrap_or_default()];
    let month = MONTHS[usize::try_from(month).unwrap_or(1) - 1];
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{weekday}, {day:02} {month} {year} {hours:02}:{minutes:02}:{seconds:02} GMT")
}

/// Reads such a date; days of one digit are taken, too.
pub(super) fn parse(text: &str) -> Option<i64> {
    let (_, rest) = text.split_once(',')?;
    let parts: Vec<&str> = rest.split_whitespace().collect();
    let [day, month, year, clock, _] = parts.as_slice() else { return None };
    let months: HashMap<&str, u32> = MONTHS.into_iter().zip(1..).collect();
    let month = *months.get(month)?;
    let numbers: Vec<i64> = clock.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hours, minutes, seconds] = numbers.as_slice() else { return None };
    let (year, day): (i32, u32) = (year.parse().ok()?, day.parse().ok()?);
    if !(1970..=9_999).contains(&year) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days_from_civil(year, month, day);
    let seconds = hours.checked_mul(3_600)?.checked_add(minutes.checked_mul(60)?)?.checked_add(*seconds)?;
    i64::from(days).checked_mul(DAY_MS)?.checked_add(seconds.checked_mul(1_000)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_http() {
        let text = "Fri, 14 Aug 2020 20:53:02 GMT";
        assert_eq!(parse(text).map(written).as_deref(), Some(text));
        assert_eq!(parse("Sat, 1 Jan 2000 00:00:01 GMT"), Some(946_684_801_000));
        assert_eq!(parse("yesterday, at noon"), None);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,40}", numbers in "[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,6} [0-9:]{0,20} GMT") {
            let _ = (parse(&text), parse(&numbers));
        }
    }
}
