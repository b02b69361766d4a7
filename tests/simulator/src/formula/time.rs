//! Functions of dates and times. All times are in UTC, which formulas work in but for what pages show.

use super::eval::{Evaluation, too_large, value};
use super::{FormulaError, Given, Node, Number};
use crate::value::calendar::{
    DAY_MS, civil_from_days, days_from_civil, days_in_month, parse_date, parse_datetime, parse_time,
};

/// The value of a call.
pub(super) fn call(
    evaluation: &Evaluation<'_>,
    name: &'static str,
    parameters: &[Node],
) -> Result<Given, FormulaError> {
    let place = format!("{name}()");
    let given = |number: usize| parameters.get(number).map_or(Ok(Given::Null), |node| evaluation.value(node));
    let now = evaluation.context.now();
    match name {
        "TODAY" => return Ok(Given::Date(now.div_euclid(DAY_MS) as i32)),
        "NOW" => return Ok(Given::DateTime(now)),
        "TIMENOW" => return Ok(Given::Time(now.rem_euclid(DAY_MS) as i32)),
        "DATE" => {
            let mut parts = [0i64; 3];
            for (number, part) in parts.iter_mut().enumerate() {
                match given(number)?.as_number(&place)?.and_then(Number::to_i64) {
                    Some(number) => *part = number,
                    None => return Ok(Given::Null),
                }
            }
            return date(parts);
        }
        "ADDMONTHS" => {
            let Some(months) = given(1)?.as_number(&place)?.and_then(Number::to_i64) else {
                return Ok(Given::Null);
            };
            return Ok(match given(0)? {
                Given::Null => Given::Null,
                Given::Date(days) => Given::Date(with_months(days, months)?),
                Given::DateTime(at) => {
                    let days = with_months(at.div_euclid(DAY_MS) as i32, months)?;
                    Given::DateTime(i64::from(days) * DAY_MS + at.rem_euclid(DAY_MS))
                }
                other => return Err(other.wrong(&place, "Date, DateTime")),
            });
        }
        _ => {}
    }
    let first = given(0)?;
    if first.is_blank() {
        return Ok(Given::Null);
    }
    match name {
        "DATEVALUE" => match first {
            Given::DateTime(at) => Ok(Given::Date(at.div_euclid(DAY_MS) as i32)),
            Given::Date(days) => Ok(Given::Date(days)),
            other => {
                let days = parse_date(&other.as_text(&place)?).ok_or_else(|| value("Invalid date"))?;
                Ok(Given::Date(days))
            }
        },
        "DATETIMEVALUE" => match first {
            Given::DateTime(at) => Ok(Given::DateTime(at)),
            Given::Date(days) => Ok(Given::DateTime(i64::from(days) * DAY_MS)),
            other => {
                // documented form: YYYY-MM-DD HH:MM:SS, in UTC
                let text = other.as_text(&place)?;
                let iso = format!("{}Z", text.trim_end_matches('Z').replacen(' ', "T", 1));
                parse_datetime(&iso).map(Given::DateTime).ok_or_else(|| value("Invalid datetime"))
            }
        },
        "TIMEVALUE" => match first {
            Given::Time(at) => Ok(Given::Time(at)),
            Given::DateTime(at) => Ok(Given::Time(at.rem_euclid(DAY_MS) as i32)),
            other => {
                let text = other.as_text(&place)?;
                let text = if text.ends_with('Z') { text } else { format!("{text}Z") };
                parse_time(&text).map(Given::Time).ok_or_else(|| value("Invalid time"))
            }
        },
        "FROMUNIXTIME" => {
            let ms =
                first.as_number(&place)?.and_then(|n| n.times(Number::whole(1_000))).and_then(Number::to_i64);
            ms.map(Given::DateTime).ok_or_else(too_large)
        }
        "UNIXTIMESTAMP" => match first {
            Given::DateTime(at) => Ok(Number::new(i128::from(at), 3).into()),
            Given::Date(days) => Ok(Number::whole(i64::from(days) * (DAY_MS / 1_000)).into()),
            other => Err(other.wrong(&place, "DateTime")),
        },
        "HOUR" | "MINUTE" | "SECOND" | "MILLISECOND" => {
            let Given::Time(at) = first else { return Err(first.wrong(&place, "Time")) };
            let part = match name {
                "HOUR" => at / 3_600_000,
                "MINUTE" => at / 60_000 % 60,
                "SECOND" => at / 1_000 % 60,
                _ => at % 1_000,
            };
            Ok(Number::whole(i64::from(part)).into())
        }
        _ => {
            let days = first.as_date(&place)?.unwrap_or_default();
            let (year, month, day) = civil_from_days(days);
            let part = match name {
                "YEAR" => i64::from(year),
                "MONTH" => i64::from(month),
                "DAY" => i64::from(day),
                "DAYOFYEAR" => i64::from(days - days_from_civil(year, 1, 1)) + 1,
                // 1 is Sunday; 1970-01-01 was a Thursday
                "WEEKDAY" => i64::from((days + 4).rem_euclid(7)) + 1,
                _ => iso_week(days),
            };
            Ok(Number::whole(part).into())
        }
    }
}

/// The week of ISO 8601: the one of its Thursday, counted from the year's first Thursday.
fn iso_week(days: i32) -> i64 {
    let thursday = days - (days + 3).rem_euclid(7) + 3;
    let (year, ..) = civil_from_days(thursday);
    i64::from((thursday - days_from_civil(year, 1, 1)) / 7 + 1)
}

fn date([year, month, day]: [i64; 3]) -> Result<Given, FormulaError> {
    let invalid = || value("Invalid date");
    let year = i32::try_from(year).ok().filter(|year| (1..=9_999).contains(year)).ok_or_else(invalid)?;
    let month = u32::try_from(month).ok().filter(|month| (1..=12).contains(month)).ok_or_else(invalid)?;
    let day = u32::try_from(day).ok().filter(|day| (1..=days_in_month(year, month)).contains(day));
    Ok(Given::Date(days_from_civil(year, month, day.ok_or_else(invalid)?)))
}

/// The same day of another month; the last one where that has fewer, and from a last day to a last day (documented).
fn with_months(days: i32, months: i64) -> Result<i32, FormulaError> {
    let (year, month, day) = civil_from_days(days);
    let last = day == days_in_month(year, month);
    let all = i64::from(year) * 12 + i64::from(month) - 1 + months.clamp(-200_000, 200_000);
    let (year, month) = (all.div_euclid(12) as i32, all.rem_euclid(12) as u32 + 1);
    if !(1..=9_999).contains(&year) {
        return Err(value("Invalid date"));
    }
    let most = days_in_month(year, month);
    Ok(days_from_civil(year, month, if last { most } else { day.min(most) }))
}
