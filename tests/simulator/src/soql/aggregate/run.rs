//! Groups as rows come.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};

use super::super::ast::Function;
use super::super::sort::compare_values;
use super::{Grouping, Told};
use crate::soql::Cursor;
use crate::store::{Row, RowRef};
use crate::value::{Decimal, Id, Value};

/// Digits that an average gets beyond those of its field.
const AVERAGE_DIGITS: u8 = 6;

type Key = Vec<Option<Value>>;

/// A group while its rows come.
struct Group {
    key: Key,
    set: u32,
    rows: i64,
    running: Vec<Running>,
}

impl Grouping {
    /// Groups the rows.
    pub(crate) fn run<'a>(&self, cursor: &'a Cursor, rows: impl Iterator<Item = RowRef<'a>>) -> Vec<Row> {
        let mut groups: BTreeMap<String, Group> = BTreeMap::new();
        let start = |key: Key, set: u32| {
            let running = vec![Running::default(); self.cells.len()];
            Group { key, set, rows: 0, running }
        };
        if self.keys.is_empty() {
            groups.insert(key_text(&[], 0), start(Vec::new(), 0));
        }
        let mut scratch = String::new();
        for row in rows {
            let key: Key = self.keys.iter().map(|key| cursor.expr_value(key, row, &mut scratch)).collect();
            let values: Vec<Option<Value>> = self
                .cells
                .iter()
                .map(|told| match told {
                    Told::Aggregate(_, expr) => cursor.expr_value(expr, row, &mut scratch),
                    _ => None,
                })
                .collect();
            for set in &self.sets {
                let part: Key = key
                    .iter()
                    .enumerate()
                    .map(|(number, value)| value.clone().filter(|_| set >> number & 1 == 1))
                    .collect();
                let group = groups.entry(key_text(&part, *set)).or_insert_with(|| start(part, *set));
                group.rows += 1;
                for ((told, value), running) in self.cells.iter().zip(&values).zip(&mut group.running) {
                    if let (Told::Aggregate(function, _), Some(value)) = (told, value) {
                        running.add(*function, value.clone());
                    }
                }
            }
        }
        let mut rows: Vec<Row> = groups.into_values().map(|group| self.row(group)).collect();
        rows.retain(|row| self.having.as_ref().is_none_or(|having| having.holds(row)));
        rows.sort_by(|a, b| self.compare(a, b));
        rows
    }

    fn row(&self, group: Group) -> Row {
        let mut row = Row::new(Id::LOWEST);
        for (number, (told, running)) in self.cells.iter().zip(group.running).enumerate() {
            let value = match told {
                Told::Key(at) => group.key.get(*at).cloned().flatten(),
                Told::LeftOut(at) => Some(Value::Int(i64::from(group.set >> at & 1 == 0))),
                Told::Rows => Some(Value::Int(group.rows)),
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

fn key_text(key: &[Option<Value>], set: u32) -> String {
    format!("{key:?} {set}")
}

/// An aggregate while rows come.
#[derive(Clone, Debug, Default)]
struct Running {
    count: i64,
    distinct: HashSet<String>,
    units: i128,
    scale: u8,
    whole: bool,
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
                    Value::Int(number) => {
                        self.whole = true;
                        (number, 0)
                    }
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
            Function::Sum if self.whole => i64::try_from(self.units).ok().map(Value::Int),
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
