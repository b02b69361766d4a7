//! GROUP BY and aggregate functions: groups are made when the query is opened, and given out as rows whose cells
//! are numbered like the columns.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};

use super::ast::{Function, Name, Order, Query, Selected};
use super::plan::Column;
use super::resolve::{Path, Resolver};
use super::sort::compare_values;
use super::{Cursor, SoqlError};
use crate::schema::FieldType;
use crate::store::{Row, RowRef};
use crate::value::{Decimal, Id, Value};

/// Groups at most, as Salesforce has it.
const MOST_GROUPS: u64 = 2_000;
/// Digits that an average gets beyond those of its field.
const AVERAGE_DIGITS: u8 = 6;

/// How rows are grouped, and what is told of each group.
#[derive(Clone, Debug)]
pub(super) struct Grouping {
    group: Vec<Path>,
    cells: Vec<Told>,
    order: Vec<(usize, bool, bool)>,
}

/// What a column tells of a group.
#[derive(Clone, Debug)]
enum Told {
    /// The field of GROUP BY with this number.
    Key(usize),
    Aggregate(Function, Path),
}

/// Columns and grouping of a query that has aggregates or GROUP BY; nothing for any other.
pub(super) fn grouping(
    resolver: &Resolver<'_>,
    query: &Query,
) -> Result<Option<(Vec<Column>, Grouping)>, SoqlError> {
    let has_aggregate = query.select.iter().any(|s| matches!(s, Selected::Aggregate(..)));
    if query.count || !has_aggregate && query.group.is_empty() {
        return if query.count && !query.group.is_empty() {
            Err(SoqlError::malformed("Grouped query cannot use COUNT(); name a field to count"))
        } else {
            Ok(None)
        };
    }
    if query.group.is_empty() && query.limit.is_some() {
        let message = "Non-grouped query that uses overall aggregate functions cannot also use LIMIT";
        return Err(SoqlError::malformed(message));
    }
    let mut group = Vec::new();
    for name in &query.group {
        let (path, names) = resolver.path(name)?;
        let field = resolver.field(&path);
        if !field.groupable {
            let message = format!("field '{}' can not be grouped in a query call", field.name);
            return Err(SoqlError::malformed(message).at(resolver.text, name.at));
        }
        group.push((path, names.join(".")));
    }
    let mut columns = Vec::new();
    let mut cells = Vec::new();
    let mut unnamed = 0;
    for selected in &query.select {
        let (column, told) = match selected {
            Selected::Field(name) => key_column(resolver, &group, name, None)?,
            Selected::Aliased(name, alias) => key_column(resolver, &group, name, Some(alias))?,
            Selected::Aggregate(function, name, alias) => {
                let alias = alias.clone().unwrap_or_else(|| {
                    unnamed += 1;
                    format!("expr{}", unnamed - 1)
                });
                aggregate_column(resolver, *function, name, alias)?
            }
            Selected::Fields(_) => {
                return Err(SoqlError::malformed(
                    "The SOQL FIELDS function is not supported in aggregate queries",
                ));
            }
        };
        columns.push(column);
        cells.push(told);
    }
    let mut order = Vec::new();
    for by in &query.order {
        order.push((ordered_column(resolver, by, &columns, &cells)?, by.descending, by.nulls_last));
    }
    let group = group.into_iter().map(|(path, _)| path).collect();
    Ok(Some((columns, Grouping { group, cells, order })))
}

fn key_column(
    resolver: &Resolver<'_>,
    group: &[(Path, String)],
    name: &Name,
    alias: Option<&String>,
) -> Result<(Column, Told), SoqlError> {
    let (path, names) = resolver.path(name)?;
    let spelt = names.join(".");
    let Some(number) = group.iter().position(|(_, known)| *known == spelt) else {
        let message = format!("Field must be grouped or aggregated: {spelt}");
        return Err(SoqlError::malformed(message).at(resolver.text, name.at));
    };
    let shown = alias.or(names.last()).cloned().unwrap_or_default();
    let kind = resolver.field(&path).kind;
    Ok((column(path, shown, kind), Told::Key(number)))
}

fn aggregate_column(
    resolver: &Resolver<'_>,
    function: Function,
    name: &Name,
    alias: String,
) -> Result<(Column, Told), SoqlError> {
    let (path, _) = resolver.path(name)?;
    let field = resolver.field(&path);
    let number = field.kind.is_decimal() || field.kind == FieldType::Int;
    let (kind, fits) = match function {
        Function::Count | Function::CountDistinct => (FieldType::Int, !field.kind.is_compound()),
        Function::Sum | Function::Avg => (FieldType::Double, number),
        Function::Min | Function::Max => {
            (field.kind, !field.kind.is_compound() && field.kind != FieldType::Boolean)
        }
    };
    if !fits {
        let message = format!("field {} does not support aggregate operator {function:?}", field.name);
        return Err(SoqlError::malformed(message).at(resolver.text, name.at));
    }
    Ok((column(path.clone(), alias, kind), Told::Aggregate(function, path)))
}

fn column(path: Path, name: String, kind: FieldType) -> Column {
    let leaf = path.leaf();
    let (object, field) = (leaf.object, leaf.field);
    Column { names: vec![name.clone()], name, object, field, kind, path }
}

/// The column that an ORDER BY entry means: by alias, by aggregate, or by field.
fn ordered_column(
    resolver: &Resolver<'_>,
    by: &Order,
    columns: &[Column],
    cells: &[Told],
) -> Result<usize, SoqlError> {
    let written = by.name.joined();
    let by_alias =
        columns.iter().position(|c| by.function.is_none() && c.name.eq_ignore_ascii_case(&written));
    let found = if by_alias.is_some() {
        by_alias
    } else {
        let (path, _) = resolver.path(&by.name)?;
        let meant = (path.leaf().object, path.leaf().field);
        columns.iter().zip(cells).position(|(column, told)| {
            let function = if let Told::Aggregate(function, _) = told { Some(*function) } else { None };
            (column.object, column.field) == meant && function == by.function
        })
    };
    found.ok_or_else(|| {
        let message = format!("Ordered field must be grouped or aggregated, and selected: {written}");
        SoqlError::malformed(message).at(resolver.text, by.name.at)
    })
}

impl Grouping {
    /// Groups the rows.
    pub(super) fn run<'a>(&self, cursor: &'a Cursor, rows: impl Iterator<Item = RowRef<'a>>) -> Vec<Row> {
        let mut groups: BTreeMap<String, (Vec<Option<Value>>, Vec<Running>)> = BTreeMap::new();
        let start = || vec![Running::default(); self.cells.len()];
        if self.group.is_empty() {
            groups.insert(key_text(&[]), (Vec::new(), start()));
        }
        let mut scratch = String::new();
        for row in rows {
            let key: Vec<Option<Value>> =
                self.group.iter().map(|path| cursor.path_cell(path, row, &mut scratch).to_value()).collect();
            let (_, running) = groups.entry(key_text(&key)).or_insert_with(|| (key, start()));
            for (told, running) in self.cells.iter().zip(running) {
                let Told::Aggregate(function, path) = told else { continue };
                if let Some(value) = cursor.path_cell(path, row, &mut scratch).to_value() {
                    running.add(*function, value);
                }
            }
        }
        let mut rows: Vec<Row> = groups.into_values().map(|(key, running)| self.row(&key, running)).collect();
        rows.sort_by(|a, b| self.compare(a, b));
        rows.truncate(MOST_GROUPS as usize);
        rows
    }

    fn row(&self, key: &[Option<Value>], running: Vec<Running>) -> Row {
        let mut row = Row::new(Id::LOWEST);
        for (number, (told, running)) in self.cells.iter().zip(running).enumerate() {
            let value = match told {
                Told::Key(at) => key.get(*at).cloned().flatten(),
                Told::Aggregate(function, _) => running.result(*function),
            };
            row.set(number, value);
        }
        row
    }

    fn compare(&self, a: &Row, b: &Row) -> Ordering {
        for (column, descending, nulls_last) in &self.order {
            let ordering = match (a.get(*column).to_value(), b.get(*column).to_value()) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) if *nulls_last => Ordering::Greater,
                (None, Some(_)) => Ordering::Less,
                (Some(_), None) if *nulls_last => Ordering::Less,
                (Some(_), None) => Ordering::Greater,
                (Some(x), Some(y)) if *descending => compare_values(&y, &x),
                (Some(x), Some(y)) => compare_values(&x, &y),
            };
            if ordering != Ordering::Equal {
                return ordering;
            }
        }
        Ordering::Equal
    }
}

fn key_text(key: &[Option<Value>]) -> String {
    format!("{key:?}")
}

/// An aggregate while rows come.
#[derive(Clone, Debug, Default)]
struct Running {
    count: i64,
    distinct: HashSet<String>,
    units: i128,
    scale: u8,
    best: Option<Value>,
}

impl Running {
    fn add(&mut self, function: Function, value: Value) {
        self.count += 1;
        match function {
            Function::Count => {}
            Function::CountDistinct => {
                self.distinct.insert(format!("{value:?}").to_lowercase());
            }
            Function::Sum | Function::Avg => {
                let (units, scale) = match value {
                    Value::Int(number) => (number, 0),
                    Value::Number(number) => number.parts(),
                    _ => (0, 0),
                };
                let widest = scale.max(self.scale);
                let scaled =
                    |units: i128, scale: u8| units.saturating_mul(10i128.pow(u32::from(widest - scale)));
                self.units = scaled(self.units, self.scale).saturating_add(scaled(i128::from(units), scale));
                self.scale = widest;
            }
            Function::Min | Function::Max => {
                let wanted = if function == Function::Min { Ordering::Less } else { Ordering::Greater };
                if self.best.as_ref().is_none_or(|best| compare_values(&value, best) == wanted) {
                    self.best = Some(value);
                }
            }
        }
    }

    fn result(self, function: Function) -> Option<Value> {
        match function {
            Function::Count => Some(Value::Int(self.count)),
            Function::CountDistinct => i64::try_from(self.distinct.len()).ok().map(Value::Int),
            _ if self.count == 0 => None,
            Function::Sum => Some(number(self.units, self.scale)),
            Function::Avg => {
                let finer = self.units.saturating_mul(10i128.pow(u32::from(AVERAGE_DIGITS)));
                Some(number(finer / i128::from(self.count), self.scale + AVERAGE_DIGITS))
            }
            Function::Min | Function::Max => self.best,
        }
    }
}

/// A number with as many digits as 64 bits hold.
fn number(mut units: i128, mut scale: u8) -> Value {
    while scale > 0 && (i64::try_from(units).is_err() || scale > 18) {
        units /= 10;
        scale -= 1;
    }
    let most = if units < 0 { i64::MIN } else { i64::MAX };
    Value::Number(Decimal::new(i64::try_from(units).unwrap_or(most), scale))
}
