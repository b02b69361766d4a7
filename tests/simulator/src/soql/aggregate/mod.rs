//! GROUP BY and aggregate functions: groups are made when the query is opened, and given out as rows whose cells
//! are numbered like the columns.

mod having;
mod run;

use super::SoqlError;
use super::ast::{Call, Function, GroupBy, Name, Order, Query, Selected, Totals};
use super::filter::date_take;
use super::plan::Column;
use super::resolve::{Path, Resolver};
use super::take::{Expr, Take};
use crate::schema::FieldType;
use having::Having;

/// Fields of GROUP BY at most, and of its ROLLUP or CUBE.
const MOST_KEYS: usize = 31;
const MOST_WITH_TOTALS: usize = 3;

/// How rows are grouped, and what is told of each group.
#[derive(Clone, Debug)]
pub(super) struct Grouping {
    keys: Vec<Expr>,
    /// Which keys make up the groups, by bits; more than one set with ROLLUP and CUBE.
    sets: Vec<u32>,
    /// What the columns tell, and behind them what only HAVING and ORDER BY need.
    cells: Vec<Told>,
    having: Option<Having>,
    order: Vec<(usize, bool, bool)>,
}

/// What a cell tells of a group.
#[derive(Clone, Debug)]
enum Told {
    /// The field of GROUP BY with this number.
    Key(usize),
    /// Whether that field was left out of the key.
    LeftOut(usize),
    Aggregate(Function, Expr),
    /// How many rows it has.
    Rows,
}

/// Reads the parts of a query that make groups.
struct Builder<'a, 'b> {
    resolver: &'a Resolver<'b>,
    /// Keys with the names by which they are known.
    keys: Vec<(Expr, String, Option<super::ast::DatePart>)>,
    cells: Vec<Told>,
    kinds: Vec<FieldType>,
    unnamed: usize,
}

/// Columns and grouping of a query that has aggregates or GROUP BY; nothing for any other.
pub(super) fn grouping(
    resolver: &Resolver<'_>,
    query: &Query,
    today: i32,
) -> Result<Option<(Vec<Column>, Grouping)>, SoqlError> {
    let has_aggregate = query.select.iter().any(|s| matches!(s, Selected::Aggregate(..)));
    if query.count || !has_aggregate && query.group.is_empty() {
        return match &query.having {
            Some(_) => Err(SoqlError::malformed("HAVING clause is only allowed in grouped queries")),
            None if query.count && !query.group.is_empty() => {
                Err(SoqlError::malformed("Grouped query cannot use COUNT(); name a field to count"))
            }
            None => Ok(None),
        };
    }
    if query.group.is_empty() && query.limit.is_some() {
        let message = "Non-grouped query that uses overall aggregate functions cannot also use LIMIT";
        return Err(SoqlError::malformed(message));
    }
    let mut builder =
        Builder { resolver, keys: Vec::new(), cells: Vec::new(), kinds: Vec::new(), unnamed: 0 };
    for (number, entry) in query.group.iter().enumerate() {
        let totals = query.totals != Totals::None;
        if number >= if totals { MOST_WITH_TOTALS } else { MOST_KEYS } {
            return Err(builder.wrong("too many fields in GROUP BY", &entry.name));
        }
        builder.key(entry)?;
    }
    let mut columns: Vec<Column> = Vec::new();
    for selected in &query.select {
        let column = builder.column(selected)?;
        if columns.iter().any(|known| known.name.eq_ignore_ascii_case(&column.name)) {
            return Err(SoqlError::malformed(format!("duplicate alias: {}", column.name)));
        }
        columns.push(column);
    }
    let having = query.having.as_ref().map(|condition| builder.having(condition, today)).transpose()?;
    let mut order = Vec::new();
    for by in &query.order {
        order.push((builder.ordered(by, &columns)?, by.descending, by.nulls_last));
    }
    let Builder { keys, cells, .. } = builder;
    let sets = sets(keys.len(), query.totals);
    let keys = keys.into_iter().map(|(expr, ..)| expr).collect();
    Ok(Some((columns, Grouping { keys, sets, cells, having, order })))
}

/// The sets of keys that groups are made of.
fn sets(keys: usize, totals: Totals) -> Vec<u32> {
    let all = 1u32.checked_shl(u32::try_from(keys).unwrap_or(u32::MAX)).map_or(u32::MAX, |bit| bit - 1);
    match totals {
        Totals::None => vec![all],
        Totals::Rollup => (0..=keys).map(|left_out| all >> left_out).collect(),
        Totals::Cube => (0..=all).collect(),
    }
}

impl Grouping {
    /// Function of a column that shows an aggregate.
    pub(super) fn function(&self, column: usize) -> Option<Function> {
        match self.cells.get(column)? {
            Told::Aggregate(function, _) => Some(*function),
            _ => None,
        }
    }
}

impl Builder<'_, '_> {
    fn wrong(&self, message: impl Into<String>, name: &Name) -> SoqlError {
        SoqlError::malformed(message).at(self.resolver.text, name.at)
    }

    fn key(&mut self, entry: &GroupBy) -> Result<(), SoqlError> {
        let name = &entry.name;
        let (mut expr, names) = self.resolver.expr(name)?;
        let field = self.resolver.field(&expr.path);
        match entry.part {
            Some(part) => {
                let take = date_take(part, field.kind, &field.name);
                expr.take = Some(take.map_err(|error| error.at(self.resolver.text, name.at))?);
            }
            None if !field.groupable => {
                let message = format!("field '{}' can not be grouped in a query call", field.name);
                return Err(self.wrong(message, name));
            }
            None => {}
        }
        self.keys.push((expr, names.join("."), entry.part));
        Ok(())
    }

    fn column(&mut self, selected: &Selected) -> Result<Column, SoqlError> {
        match selected {
            Selected::Field(name) => self.key_column(name, None),
            Selected::Aliased(name, alias) => self.key_column(name, Some(alias)),
            Selected::Aggregate(function, name, alias) => {
                let (expr, kind) = self.aggregated(*function, name)?;
                let alias = self.alias(alias.as_ref());
                let path = expr.path.clone();
                self.cell(Told::Aggregate(*function, expr), kind);
                Ok(column(path, alias, kind))
            }
            Selected::Called(Call::Date(part), name, alias) => {
                let number = self.find_key(name, Some(*part))?;
                let (expr, kind) = (self.keys[number].0.clone(), self.key_kind(number));
                self.cell(Told::Key(number), kind);
                Ok(column(expr.path, self.alias(alias.as_ref()), kind))
            }
            Selected::Called(Call::Grouping, name, alias) => {
                let number = self.find_key(name, None)?;
                self.cell(Told::LeftOut(number), FieldType::Int);
                Ok(column(self.keys[number].0.path.clone(), self.alias(alias.as_ref()), FieldType::Int))
            }
            Selected::Called(_, name, _) => {
                Err(self.wrong("this function is not allowed in a grouped query", name))
            }
            Selected::Fields(_) => {
                Err(SoqlError::malformed("The SOQL FIELDS function is not supported in aggregate queries"))
            }
            Selected::Children(query) => {
                Err(self.wrong("Grouped queries cannot have sub-selects in their SELECT list", &query.from))
            }
            Selected::TypeOf(of) => Err(self.wrong("TYPEOF is not allowed in a grouped query", &of.name)),
            Selected::Distance(distance, _) => {
                Err(self.wrong("DISTANCE() is not allowed in a grouped query", &distance.name))
            }
        }
    }

    /// The name of a column that was given none.
    fn alias(&mut self, given: Option<&String>) -> String {
        given.cloned().unwrap_or_else(|| {
            self.unnamed += 1;
            format!("expr{}", self.unnamed - 1)
        })
    }

    fn cell(&mut self, told: Told, kind: FieldType) -> usize {
        self.cells.push(told);
        self.kinds.push(kind);
        self.cells.len() - 1
    }

    fn find_key(&self, name: &Name, part: Option<super::ast::DatePart>) -> Result<usize, SoqlError> {
        let (_, names) = self.resolver.expr(name)?;
        let spelt = names.join(".");
        self.keys
            .iter()
            .position(|(_, known, taken)| *known == spelt && *taken == part)
            .ok_or_else(|| self.wrong(format!("Field must be grouped or aggregated: {spelt}"), name))
    }

    fn key_kind(&self, number: usize) -> FieldType {
        let expr = &self.keys[number].0;
        expr.take.as_ref().map_or_else(|| self.resolver.field(&expr.path).kind, Take::kind)
    }

    fn key_column(&mut self, name: &Name, alias: Option<&String>) -> Result<Column, SoqlError> {
        let number = self.find_key(name, None)?;
        let (expr, spelt, _) = self.keys[number].clone();
        let last = spelt.rsplit('.').next().unwrap_or_default().to_owned();
        let kind = self.key_kind(number);
        self.cell(Told::Key(number), kind);
        Ok(column(expr.path, alias.cloned().unwrap_or(last), kind))
    }

    /// What an aggregate is made of, and the type of its result.
    fn aggregated(&self, function: Function, name: &Name) -> Result<(Expr, FieldType), SoqlError> {
        let (expr, _) = self.resolver.expr(name)?;
        let field = self.resolver.field(&expr.path);
        let number = field.kind.is_decimal() || field.kind == FieldType::Int;
        let simple = !field.kind.is_compound() && field.kind != FieldType::Base64;
        let (kind, fits) = match function {
            Function::Count | Function::CountDistinct => (FieldType::Int, simple),
            Function::Sum if field.kind == FieldType::Int => (FieldType::Int, true),
            Function::Sum | Function::Avg => (FieldType::Double, number),
            Function::Min | Function::Max => (field.kind, simple && field.kind != FieldType::Boolean),
        };
        if fits {
            return Ok((expr, kind));
        }
        let operator = format!("{function:?}").to_uppercase();
        Err(self.wrong(format!("field {} does not support aggregate operator {operator}", field.name), name))
    }

    /// The cell that an ORDER BY entry means: by alias, by aggregate, or by field.
    fn ordered(&mut self, by: &Order, columns: &[Column]) -> Result<usize, SoqlError> {
        let written = by.name.joined();
        if let Some(function) = by.function {
            let (expr, kind) = self.aggregated(function, &by.name)?;
            return Ok(self.cell(Told::Aggregate(function, expr), kind));
        }
        let by_alias = columns.iter().position(|c| c.name.eq_ignore_ascii_case(&written));
        if let Some(number) = by_alias.filter(|_| by.part.is_none()) {
            return Ok(number);
        }
        let number = self.find_key(&by.name, by.part).map_err(|error| match error.code {
            "MALFORMED_QUERY" => {
                self.wrong(format!("Ordered field must be grouped or aggregated: {written}"), &by.name)
            }
            _ => error,
        })?;
        let kind = self.key_kind(number);
        Ok(self.cell(Told::Key(number), kind))
    }
}

fn column(path: Path, name: String, kind: FieldType) -> Column {
    let leaf = path.leaf();
    let (object, field) = (leaf.object, leaf.field);
    Column { names: vec![name.clone()], name, object, field, kind, path, take: None }
}
