//! What functions take of a field: parts of a date, labels, texts for people, the type of a record.

use std::collections::HashMap;
use std::sync::Arc;

use super::Path;
use super::ast::{DatePart, Distance};
use crate::schema::{Field, FieldType, Object, Schema};
use crate::store::{Database, RowRef};
use crate::value::calendar::{DAY_MS, civil_from_days, days_from_civil};
use crate::value::{Cell, Decimal, Id, Value};

/// A field, or what is taken of it.
#[derive(Clone, Debug)]
pub(super) struct Expr {
    pub(super) path: Path,
    pub(super) take: Option<Take>,
}

/// What is taken of a field.
#[derive(Clone, Debug)]
pub enum Take {
    /// A part of a date or datetime.
    Date(DatePart),
    /// The label of a picklist's value.
    Label(Arc<HashMap<String, String>>),
    /// A number, date or time as people in the US write it.
    Format,
    /// The name of the object that an id belongs to (`Owner.Type`).
    TypeName,
    /// How far a place is from a point.
    Distance(Far),
}

/// How far a place is from a point.
#[derive(Clone, Copy, Debug)]
pub struct Far {
    /// Degrees north and east of the point.
    to: (f64, f64),
    /// The earth's radius in the unit of the result.
    radius: f64,
    /// The fields that hold the degrees of the place.
    parts: (usize, usize),
}

impl Far {
    /// Of the places that a field holds; nothing if it holds none.
    pub(super) fn of(field: &Field, distance: &Distance) -> Option<Self> {
        let part =
            |name: &str| field.parts.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
        let radius = if distance.miles { 3_958.761 } else { 6_371.009 };
        Some(Self { to: distance.to, radius, parts: (part("latitude")?, part("longitude")?) })
    }

    /// Along a great circle, to six digits (the haversine formula).
    fn between(&self, north: f64, east: f64) -> Cell<'static> {
        let half = |a: f64, b: f64| ((a - b).to_radians() / 2.0).sin().powi(2);
        let slant = self.to.0.to_radians().cos() * north.to_radians().cos();
        let sum = half(north, self.to.0) + slant * half(east, self.to.1);
        let far = 2.0 * self.radius * sum.clamp(0.0, 1.0).sqrt().asin();
        Cell::Number(Decimal::new((far * 1e6).round() as i64, 6))
    }
}

impl Take {
    /// The labels of a picklist, by value.
    pub(super) fn labels(object: &Object, field: &str) -> Self {
        let fields = object.describe.get("fields").and_then(serde_json::Value::as_array);
        let described = fields.into_iter().flatten().find(|described| described["name"] == field);
        let values = described.and_then(|described| described["picklistValues"].as_array());
        let pair = |value: &serde_json::Value| {
            Some((value["value"].as_str()?.to_owned(), value["label"].as_str()?.to_owned()))
        };
        Self::Label(Arc::new(values.into_iter().flatten().filter_map(pair).collect()))
    }

    /// The type of the result.
    pub(super) fn kind(&self) -> FieldType {
        match self {
            Self::Date(DatePart::DayOnly) => FieldType::Date,
            Self::Date(_) => FieldType::Int,
            Self::Label(_) | Self::Format | Self::TypeName => FieldType::Text,
            Self::Distance(_) => FieldType::Double,
        }
    }

    /// The result for the field that a path from a row leads to; text is written to `scratch`.
    pub(super) fn read<'a>(
        &'a self,
        database: &Database,
        schema: &'a Schema,
        (path, row): (&Path, RowRef<'_>),
        scratch: &'a mut String,
    ) -> Cell<'a> {
        let Some((leaf, row)) = path.walk(database, schema, row, usize::MAX) else { return Cell::Null };
        let Self::Distance(far) = self else {
            let value = database.cell(schema, leaf.object, row, leaf.field, scratch).to_value();
            return self.of(value, schema, scratch);
        };
        let mut degrees = |field: usize| match database.cell(schema, leaf.object, row, field, scratch) {
            Cell::Number(number) => Some(number.to_f64()),
            _ => None,
        };
        match (degrees(far.parts.0), degrees(far.parts.1)) {
            (Some(north), Some(east)) => far.between(north, east),
            _ => Cell::Null,
        }
    }

    /// The result for a field's value; text is written to `scratch`.
    fn of<'a>(&'a self, value: Option<Value>, schema: &'a Schema, scratch: &'a mut String) -> Cell<'a> {
        let Some(value) = value else { return Cell::Null };
        match self {
            Self::Date(part) => date_part(*part, &value),
            Self::TypeName => match value {
                Value::Id(id) => type_name(id, schema),
                _ => Cell::Null,
            },
            Self::Distance(_) => Cell::Null,
            Self::Label(labels) => {
                let Value::Text(text) = value else { return Cell::Null };
                let label = |value: &str| labels.get(value).cloned().unwrap_or_else(|| value.to_owned());
                *scratch = text.split(';').map(label).collect::<Vec<_>>().join(";");
                Cell::Text(scratch)
            }
            Self::Format => {
                *scratch = formatted(&value);
                Cell::Text(scratch)
            }
        }
    }
}

fn type_name(id: Id, schema: &Schema) -> Cell<'_> {
    schema.find_prefix(id.prefix()).map_or(Cell::Null, |object| Cell::Text(&schema.object(object).name))
}

fn date_part(part: DatePart, value: &Value) -> Cell<'static> {
    let (days, millis) = match value {
        Value::Date(days) => (*days, None),
        Value::DateTime(millis) => {
            (i32::try_from(millis.div_euclid(DAY_MS)).unwrap_or_default(), Some(millis.rem_euclid(DAY_MS)))
        }
        _ => return Cell::Null,
    };
    let (year, month, day) = civil_from_days(days);
    let day_in_year = days - days_from_civil(year, 1, 1) + 1;
    Cell::Int(match part {
        DatePart::DayOnly => return Cell::Date(days),
        DatePart::Year => i64::from(year),
        DatePart::Quarter => i64::from((month - 1) / 3 + 1),
        DatePart::Month => i64::from(month),
        DatePart::DayInMonth => i64::from(day),
        // 1970-01-01 was a Thursday; weeks begin with Sunday, which is 1
        DatePart::DayInWeek => i64::from((days + 4).rem_euclid(7) + 1),
        DatePart::DayInYear => i64::from(day_in_year),
        DatePart::WeekInMonth => i64::from((day - 1) / 7 + 1),
        DatePart::WeekInYear => i64::from((day_in_year - 1) / 7 + 1),
        DatePart::HourInDay => millis.unwrap_or_default() / 3_600_000,
    })
}

fn formatted(value: &Value) -> String {
    let date = |days: i32| {
        let (year, month, day) = civil_from_days(days);
        format!("{month}/{day}/{year}")
    };
    let clock = |millis: i64| {
        let (hours, minutes) = (millis / 3_600_000, millis / 60_000 % 60);
        let half = if hours < 12 { "AM" } else { "PM" };
        format!("{}:{minutes:02} {half}", if hours % 12 == 0 { 12 } else { hours % 12 })
    };
    match value {
        Value::Text(text) => text.to_string(),
        Value::Bool(yes) => yes.to_string(),
        Value::Id(id) => id.to_string(),
        Value::Int(number) => grouped(&number.to_string()),
        Value::Number(number) => {
            let mut out = Vec::new();
            number.write(&mut out);
            let text = String::from_utf8(out).unwrap_or_default();
            grouped(text.strip_suffix(".0").unwrap_or(&text))
        }
        Value::Date(days) => date(*days),
        Value::DateTime(millis) => {
            let days = i32::try_from(millis.div_euclid(DAY_MS)).unwrap_or_default();
            format!("{}, {}", date(days), clock(millis.rem_euclid(DAY_MS)))
        }
        Value::Time(millis) => clock(i64::from(*millis)),
    }
}

/// Commas between thousands.
fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("-", digits));
    let (whole, fraction) = digits.find('.').map_or((digits, ""), |at| digits.split_at(at));
    let mut out = String::from(sign);
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::calendar::parse_datetime;

    #[test]
    fn parts_of_a_datetime() {
        let at = Value::DateTime(parse_datetime("2026-11-25T13:05:00Z").unwrap());
        let part = |part| match date_part(part, &at) {
            Cell::Int(number) => number,
            other => panic!("{other:?}"),
        };
        assert_eq!(part(DatePart::Year), 2026);
        assert_eq!((part(DatePart::Quarter), part(DatePart::Month), part(DatePart::DayInMonth)), (4, 11, 25));
        // a Wednesday
        assert_eq!((part(DatePart::DayInWeek), part(DatePart::HourInDay)), (4, 13));
        assert_eq!(
            (part(DatePart::WeekInMonth), part(DatePart::DayInYear), part(DatePart::WeekInYear)),
            (4, 329, 47)
        );
        assert_eq!(formatted(&at), "11/25/2026, 1:05 PM");
        assert_eq!(grouped("-1234567.5"), "-1,234,567.5");
        assert_eq!(grouped("123"), "123");
    }
}
