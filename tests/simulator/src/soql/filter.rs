//! Conditions with their values read as the field's type, and whether a row meets them.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::ops::Bound;
use std::sync::Arc;

use super::ast::{Call, Condition, DatePart, Literal, Name, Operator};
use super::literal::{Pattern, range, unescape};
use super::resolve::{Path, Resolver};
use super::take::{Far, Take};
use super::{Plan, SoqlError, join};
use crate::schema::{FieldType, Schema};
use crate::store::{Bounds, Database, RowRef};
use crate::value::calendar::DAY_MS;
use crate::value::{Cell, Decimal, Id};

/// A condition that rows can be tested with.
#[derive(Clone, Debug)]
pub(super) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Test(Path, Operator, Vec<Operand>),
    /// What a function takes of a field.
    Taken(Path, Take, Operator, Vec<Operand>),
    /// A semi-join before its query has run; `true` for an anti-join.
    Join(Path, bool, Arc<Plan>),
    /// A semi-join with what its query found.
    Among(Path, bool, Arc<HashSet<Id>>),
}

/// A value as the type of its field.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Null,
    Bool(bool),
    /// In lower case: SOQL compares text in any case.
    Text(String),
    Pattern(Pattern),
    Number(Decimal),
    /// From the first to before the last day, millisecond of a datetime or of a time.
    Span(i64, i64),
    Id(Id),
    /// Values of a multi-select picklist that must all be chosen.
    Choices(Vec<String>),
}

impl Filter {
    /// Looks up the names of a condition and reads its values. `today` is what date literals count from.
    pub(super) fn new(resolver: &Resolver<'_>, condition: &Condition, today: i32) -> Result<Self, SoqlError> {
        let at = |name: &Name| {
            let offset = name.at;
            move |error: SoqlError| error.at(resolver.text, offset)
        };
        let all = |conditions: &[Condition]| {
            conditions.iter().map(|c| Self::new(resolver, c, today)).collect::<Result<Vec<_>, _>>()
        };
        Ok(match condition {
            Condition::And(conditions) => Self::And(all(conditions)?),
            Condition::Or(conditions) => Self::Or(all(conditions)?),
            Condition::Not(inner) => Self::Not(Box::new(Self::new(resolver, inner, today)?)),
            Condition::Compare(name, operator, values) => {
                let (expr, names) = resolver.expr(name)?;
                let kind = resolver.filterable(&expr.path, name)?;
                if let Some(take) = expr.take {
                    let shown = names.last().map_or("", String::as_str);
                    let operands =
                        operands(take.kind(), *operator, values, shown, today).map_err(at(name))?;
                    return Ok(Self::Taken(expr.path, take, *operator, operands));
                }
                let field = &resolver.field(&expr.path).name;
                let operands = operands(kind, *operator, values, field, today).map_err(at(name))?;
                Self::Test(expr.path, *operator, operands)
            }
            Condition::CompareCall(call, name, operator, values) => {
                let (path, _) = resolver.path(name)?;
                let kind = resolver.filterable(&path, name)?;
                let field = resolver.field(&path);
                let take = match call {
                    Call::Date(part) => date_take(*part, kind, &field.name).map_err(at(name))?,
                    Call::ToLabel => Take::labels(resolver.schema.object(path.leaf().object), &field.name),
                    Call::ConvertCurrency => {
                        let operands =
                            operands(kind, *operator, values, &field.name, today).map_err(at(name))?;
                        return Ok(Self::Test(path, *operator, operands));
                    }
                    Call::Format | Call::Grouping => {
                        return Err(at(name)(SoqlError::malformed("this function is not allowed in WHERE")));
                    }
                };
                let operands =
                    operands(take.kind(), *operator, values, &field.name, today).map_err(at(name))?;
                Self::Taken(path, take, *operator, operands)
            }
            Condition::CompareDistance(distance, operator, values) => {
                let name = &distance.name;
                let (path, _) = resolver.path(name)?;
                let field = resolver.field(&path);
                let far = Far::of(field, distance).ok_or_else(|| at(name)(no_place(&field.name)))?;
                if !matches!(operator, Operator::Less | Operator::Greater) {
                    let message = "DISTANCE() can only be compared by < or >";
                    return Err(at(name)(SoqlError::filter(message)));
                }
                let take = Take::Distance(far);
                let operands =
                    operands(take.kind(), *operator, values, &field.name, today).map_err(at(name))?;
                Self::Taken(path, take, *operator, operands)
            }
            Condition::CompareAggregate(_, name, ..) => {
                let offset = name.as_ref().map_or(0, |name| name.at);
                let message =
                    "Aggregate expressions are only allowed in the SELECT, HAVING and ORDER BY clauses";
                return Err(SoqlError::malformed(message).at(resolver.text, offset));
            }
            Condition::Join(name, negated, query) => {
                let (path, plan) = join::plan(resolver, name, query)?;
                Self::Join(path, *negated, Arc::new(plan))
            }
        })
    }

    /// The same filter with the queries of its semi-joins run.
    pub(super) fn joined(&self, database: &Database, with_deleted: bool) -> Self {
        let all = |filters: &[Self]| filters.iter().map(|f| f.joined(database, with_deleted)).collect();
        match self {
            Self::And(filters) => Self::And(all(filters)),
            Self::Or(filters) => Self::Or(all(filters)),
            Self::Not(inner) => Self::Not(Box::new(inner.joined(database, with_deleted))),
            Self::Join(path, negated, plan) => {
                let cursor = plan.open(database.clone(), with_deleted);
                let mut scratch = String::new();
                let ids =
                    cursor.rows(0, u64::MAX).filter_map(|row| match cursor.cell(row, 0, &mut scratch) {
                        Cell::Id(id) => Some(id),
                        _ => None,
                    });
                Self::Among(path.clone(), *negated, Arc::new(ids.collect()))
            }
            other => other.clone(),
        }
    }

    /// Whether a row meets the condition.
    pub(super) fn holds(
        &self,
        database: &Database,
        schema: &Schema,
        row: RowRef<'_>,
        scratch: &mut String,
    ) -> bool {
        match self {
            Self::And(all) => all.iter().all(|filter| filter.holds(database, schema, row, scratch)),
            Self::Or(any) => any.iter().any(|filter| filter.holds(database, schema, row, scratch)),
            Self::Not(inner) => !inner.holds(database, schema, row, scratch),
            Self::Test(path, operator, operands) => {
                let reached = path.walk(database, schema, row, usize::MAX);
                let cell = match reached {
                    Some((leaf, row)) => database.cell(schema, leaf.object, row, leaf.field, scratch),
                    None => Cell::Null,
                };
                test(cell, *operator, operands)
            }
            Self::Taken(path, take, operator, operands) => {
                test(take.read(database, schema, (path, row), scratch), *operator, operands)
            }
            Self::Among(path, negated, ids) => {
                let reached = path.walk(database, schema, row, usize::MAX);
                let cell = reached.map_or(Cell::Null, |(leaf, row)| {
                    database.cell(schema, leaf.object, row, leaf.field, scratch)
                });
                matches!(cell, Cell::Id(id) if ids.contains(&id)) != *negated
            }
            Self::Join(..) => false,
        }
    }

    /// The ids that rows of an object can have if they meet the condition.
    pub(super) fn bounds(&self, id_field: usize) -> Bounds {
        match self {
            Self::And(all) => {
                all.iter().fold(Bounds::ALL, |bounds, filter| narrow(bounds, filter.bounds(id_field)))
            }
            Self::Test(path, operator, operands) if path.next.is_empty() && path.field == id_field => {
                let [Operand::Id(id)] = operands.as_slice() else { return Bounds::ALL };
                match operator {
                    Operator::Equal | Operator::In => {
                        Bounds { low: Bound::Included(*id), high: Bound::Included(*id) }
                    }
                    Operator::Less => Bounds { high: Bound::Excluded(*id), ..Bounds::ALL },
                    Operator::LessOrEqual => Bounds { high: Bound::Included(*id), ..Bounds::ALL },
                    Operator::Greater => Bounds { low: Bound::Excluded(*id), ..Bounds::ALL },
                    Operator::GreaterOrEqual => Bounds { low: Bound::Included(*id), ..Bounds::ALL },
                    _ => Bounds::ALL,
                }
            }
            _ => Bounds::ALL,
        }
    }

    /// The ids of an `Id IN (…)` that every row must be in, sorted; so that a list is looked up, not scanned for.
    pub(super) fn id_list(&self, id_field: usize) -> Option<Vec<Id>> {
        match self {
            Self::And(all) => all.iter().find_map(|filter| filter.id_list(id_field)),
            Self::Test(path, Operator::In, operands) if path.next.is_empty() && path.field == id_field => {
                let mut ids: Vec<Id> = operands
                    .iter()
                    .filter_map(|o| if let Operand::Id(id) = o { Some(*id) } else { None })
                    .collect();
                ids.sort_unstable();
                ids.dedup();
                Some(ids)
            }
            _ => None,
        }
    }
}

/// For a field that holds no places.
pub(super) fn no_place(field: &str) -> SoqlError {
    SoqlError::field(format!("field {field} does not support DISTANCE()"))
}

/// A part of a field that holds dates.
pub(super) fn date_take(part: DatePart, kind: FieldType, field: &str) -> Result<Take, SoqlError> {
    let timed = matches!(part, DatePart::HourInDay | DatePart::DayOnly);
    if kind == FieldType::DateTime || kind == FieldType::Date && !timed {
        return Ok(Take::Date(part));
    }
    Err(SoqlError::field(format!("field {field} does not support date functions")))
}

/// Reads the values that a field of a type is compared with.
pub(super) fn operands(
    kind: FieldType,
    operator: Operator,
    values: &[Literal],
    field: &str,
    today: i32,
) -> Result<Vec<Operand>, SoqlError> {
    check_operator(kind, operator, field)?;
    values.iter().map(|value| operand(kind, operator, value, field, today)).collect()
}

fn narrow(a: Bounds, b: Bounds) -> Bounds {
    let low = match (a.low, b.low) {
        (Bound::Unbounded, other) | (other, Bound::Unbounded) => other,
        (x, y) => match edge(x).cmp(&edge(y)) {
            Ordering::Greater => x,
            Ordering::Less => y,
            Ordering::Equal => {
                if matches!(x, Bound::Excluded(_)) {
                    x
                } else {
                    y
                }
            }
        },
    };
    let high = match (a.high, b.high) {
        (Bound::Unbounded, other) | (other, Bound::Unbounded) => other,
        (x, y) => match edge(x).cmp(&edge(y)) {
            Ordering::Less => x,
            Ordering::Greater => y,
            Ordering::Equal => {
                if matches!(x, Bound::Excluded(_)) {
                    x
                } else {
                    y
                }
            }
        },
    };
    Bounds { low, high }
}

fn edge(bound: Bound<Id>) -> Option<Id> {
    match bound {
        Bound::Included(id) | Bound::Excluded(id) => Some(id),
        Bound::Unbounded => None,
    }
}

fn check_operator(kind: FieldType, operator: Operator, field: &str) -> Result<(), SoqlError> {
    use Operator::{Equal, Excludes, In, Includes, Like, NotEqual, NotIn};
    let known = match operator {
        Equal | NotEqual | In | NotIn => true,
        Includes | Excludes => kind == FieldType::MultiPicklist,
        Like => is_text(kind),
        _ => kind != FieldType::Boolean && kind != FieldType::MultiPicklist,
    };
    if known {
        Ok(())
    } else {
        Err(SoqlError::field(format!("invalid operator on {} field: {field}", word(kind))))
    }
}

fn is_text(kind: FieldType) -> bool {
    word(kind) == "string"
}

/// The type's name in messages.
fn word(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Id | FieldType::Reference => "id",
        FieldType::Boolean => "boolean",
        FieldType::Int => "int",
        FieldType::Double | FieldType::Currency | FieldType::Percent => "double",
        FieldType::Date => "date",
        FieldType::DateTime => "dateTime",
        FieldType::Time => "time",
        FieldType::MultiPicklist => "multipicklist",
        _ => "string",
    }
}

fn operand(
    kind: FieldType,
    operator: Operator,
    value: &Literal,
    field: &str,
    today: i32,
) -> Result<Operand, SoqlError> {
    let word = word(kind);
    let operand = match (word, value) {
        (_, Literal::Null) => Some(Operand::Null),
        ("id", Literal::Text(raw)) if raw.is_empty() => Some(Operand::Null),
        ("id", Literal::Text(raw)) => match Id::parse(raw) {
            Some(id) => Some(Operand::Id(id)),
            None => return Err(SoqlError::filter(format!("invalid ID field: {raw}"))),
        },
        ("multipicklist", Literal::Text(raw))
            if matches!(operator, Operator::Includes | Operator::Excludes) =>
        {
            Some(Operand::Choices(unescape(raw).to_lowercase().split(';').map(str::to_owned).collect()))
        }
        ("string", Literal::Text(raw)) if operator == Operator::Like => {
            Some(Operand::Pattern(Pattern::new(raw)))
        }
        ("string" | "multipicklist", Literal::Text(raw)) if raw.is_empty() => Some(Operand::Null),
        ("string" | "multipicklist", Literal::Text(raw)) => Some(Operand::Text(unescape(raw).to_lowercase())),
        ("boolean", Literal::Bool(b)) => Some(Operand::Bool(*b)),
        ("int" | "double", Literal::Number(n)) => Some(Operand::Number(*n)),
        ("date", Literal::Date(d)) => Some(Operand::Span(i64::from(*d), i64::from(*d) + 1)),
        ("dateTime", Literal::DateTime(t)) => Some(Operand::Span(*t, *t + 1)),
        ("time", Literal::Time(t)) => Some(Operand::Span(i64::from(*t), i64::from(*t) + 1)),
        ("date" | "dateTime", Literal::Range(name, number)) => {
            range(name, *number, today).map(|(from, to)| {
                let unit = if word == "date" { 1 } else { DAY_MS };
                Operand::Span(i64::from(from) * unit, i64::from(to) * unit)
            })
        }
        _ => None,
    };
    operand.ok_or_else(|| {
        let quotes = match word {
            "string" | "id" | "multipicklist" => "should be enclosed in quotes",
            _ => "should not be enclosed in quotes",
        };
        let word = if word == "multipicklist" { "string" } else { word };
        SoqlError::field(format!(
            "value of filter criterion for field '{field}' must be of type {word} and {quotes}"
        ))
    })
}

pub(super) fn test(cell: Cell<'_>, operator: Operator, operands: &[Operand]) -> bool {
    let ordering = || operands.first().and_then(|operand| order(cell, operand));
    match operator {
        Operator::Equal | Operator::In => operands.iter().any(|o| order(cell, o) == Some(Ordering::Equal)),
        Operator::NotEqual | Operator::NotIn => {
            !operands.iter().any(|o| order(cell, o) == Some(Ordering::Equal))
        }
        _ if cell == Cell::Null => operator == Operator::Excludes,
        Operator::Less => ordering() == Some(Ordering::Less),
        Operator::Greater => ordering() == Some(Ordering::Greater),
        Operator::LessOrEqual => matches!(ordering(), Some(Ordering::Less | Ordering::Equal)),
        Operator::GreaterOrEqual => matches!(ordering(), Some(Ordering::Greater | Ordering::Equal)),
        Operator::Like => matches!(
            (cell, operands),
            (Cell::Text(text), [Operand::Pattern(pattern)]) if pattern.matches(text)
        ),
        Operator::Includes => operands.iter().any(|o| chosen(cell, o)),
        Operator::Excludes => !operands.iter().any(|o| chosen(cell, o)),
    }
}

fn chosen(cell: Cell<'_>, operand: &Operand) -> bool {
    let (Cell::Text(text), Operand::Choices(wanted)) = (cell, operand) else { return false };
    let text = text.to_lowercase();
    wanted.iter().all(|want| text.split(';').any(|have| have == want))
}

/// How a cell compares with a value; `None` where only one is null or the types differ.
fn order(cell: Cell<'_>, operand: &Operand) -> Option<Ordering> {
    let within = |n: i64, from: i64, to: i64| {
        if n < from {
            Ordering::Less
        } else if n >= to {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    };
    Some(match (cell, operand) {
        (Cell::Null, Operand::Null) => Ordering::Equal,
        (Cell::Bool(a), Operand::Bool(b)) => a.cmp(b),
        (Cell::Text(a), Operand::Text(b)) => compare_text(a, b),
        (Cell::Int(a), Operand::Number(b)) => Decimal::new(a, 0).cmp(b),
        (Cell::Number(a), Operand::Number(b)) => a.cmp(b),
        (Cell::Date(a) | Cell::Time(a), Operand::Span(from, to)) => within(i64::from(a), *from, *to),
        (Cell::DateTime(a), Operand::Span(from, to)) => within(a, *from, *to),
        (Cell::Id(a), Operand::Id(b)) => a.cmp(b),
        _ => return None,
    })
}

/// Compares text in any case with text in lower case.
fn compare_text(text: &str, lower: &str) -> Ordering {
    if text.is_ascii() {
        return text.bytes().map(|b| b.to_ascii_lowercase()).cmp(lower.bytes());
    }
    text.chars().flat_map(char::to_lowercase).cmp(lower.chars())
}
