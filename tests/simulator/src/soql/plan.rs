//! A query whose names are looked up: what to read, in which order, and what of it to leave out.

use std::sync::Arc;

use super::aggregate::{Grouping, grouping};
use super::ast::{Condition, FieldSet, Literal, Name, Operator, Query, Selected};
use super::cursor::Cursor;
use super::filter::Filter;
use super::resolve::{Path, Resolver};
use super::{SoqlError, parse, restrict};
use crate::schema::{FieldType, Object, Schema, View};
use crate::store::Database;
use crate::value::calendar::{DAY_MS, now_ms};

/// Rows that `FIELDS(ALL)` and `FIELDS(CUSTOM)` may be asked for.
const MOST_WITH_FIELDS: u64 = 200;

/// A column of the answer.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name as the schema spells it: `Account.Owner.Name`.
    pub name: String,
    /// The parts of the name.
    pub names: Vec<String>,
    /// Object and field at the end of the path.
    pub object: usize,
    /// Number of that field.
    pub field: usize,
    /// Type of that field.
    pub kind: FieldType,
    /// The way to it.
    pub path: Path,
}

/// An entry of ORDER BY.
#[derive(Clone, Debug)]
pub(super) struct SortBy {
    pub(super) path: Path,
    pub(super) descending: bool,
    pub(super) nulls_last: bool,
}

/// A query that can be run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Number of the object of FROM.
    pub object: usize,
    /// Columns in their order; none for `count()`.
    pub columns: Vec<Column>,
    /// `SELECT count()`: the answer is the number of rows.
    pub count: bool,
    /// The rows are groups (`AggregateResult`), which have no ids.
    pub aggregate: bool,
    pub(super) grouping: Option<Grouping>,
    pub(super) schema: Arc<Schema>,
    pub(super) filter: Option<Filter>,
    pub(super) order: Vec<SortBy>,
    pub(super) limit: Option<u64>,
    pub(super) offset: u64,
}

impl Plan {
    /// Looks up the names of a query in what a user sees.
    pub fn new(schema: &Arc<Schema>, view: &View, query: &Query) -> Result<Self, SoqlError> {
        let object = Resolver::object(schema, view, &query.text, &query.from)?;
        let alias = query.alias.as_deref();
        let resolver = Resolver { schema, view, text: &query.text, object, alias };
        if query.all_rows {
            return Err(SoqlError::malformed("ALL ROWS not allowed in this context"));
        }
        restrict::check(resolver.schema.object(object), view, query)?;
        let today = i32::try_from(now_ms().div_euclid(DAY_MS)).unwrap_or(i32::MAX);
        let mut filter = query.condition.as_ref().map(|c| Filter::new(&resolver, c, today)).transpose()?;
        if let Some(own) = own_rows(&resolver)? {
            filter = Some(match filter {
                Some(filter) => Filter::And(vec![own, filter]),
                None => own,
            });
        }
        if query.count && !query.order.is_empty() {
            return Err(SoqlError::malformed("Count queries cannot be ordered"));
        }
        let grouped = grouping(&resolver, query)?;
        let aggregate = grouped.is_some();
        if let Some((columns, grouping)) = grouped {
            let grouping = Some(grouping);
            let (schema, count, limit, offset) = (schema.clone(), false, query.limit, query.offset);
            let order = Vec::new();
            return Ok(Self {
                object,
                columns,
                count,
                aggregate,
                grouping,
                schema,
                filter,
                order,
                limit,
                offset,
            });
        }
        let mut order = Vec::new();
        for entry in &query.order {
            let (path, _) = resolver.path(&entry.name)?;
            resolver.sortable(&path, &entry.name)?;
            order.push(SortBy { path, descending: entry.descending, nulls_last: entry.nulls_last });
        }
        let columns = columns(&resolver, query)?;
        Ok(Self {
            object,
            columns,
            count: query.count,
            aggregate,
            grouping: None,
            schema: schema.clone(),
            filter,
            order,
            limit: query.limit,
            offset: query.offset,
        })
    }

    /// Reads and plans a query in one go.
    pub fn of(schema: &Arc<Schema>, view: &View, text: &str) -> Result<Self, SoqlError> {
        Self::new(schema, view, &parse(text)?)
    }

    /// Runs it on a snapshot, with rows of the recycle bin (`queryAll`) or without.
    pub fn open(self: &Arc<Self>, database: Database, with_deleted: bool) -> Cursor {
        Cursor::new(self.clone(), database, with_deleted)
    }

    /// The schema that it was planned with.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The object of FROM.
    pub fn described(&self) -> &Object {
        self.schema.object(self.object)
    }

    /// Whether rows come in an order that was asked for, or are cut: Bulk does not split such queries.
    pub fn is_ordered_or_cut(&self) -> bool {
        !self.order.is_empty() || self.limit.is_some()
    }
}

/// `UserPermissionAccess` has one row for whoever asks: the own one.
fn own_rows(resolver: &Resolver<'_>) -> Result<Option<Filter>, SoqlError> {
    let object = resolver.schema.object(resolver.object);
    let Some(own) = resolver.view.access.filter(|_| object.name == "UserPermissionAccess") else {
        return Ok(None);
    };
    let name = Name { parts: vec!["Id".to_owned()], at: 0 };
    let is_own = Condition::Compare(name, Operator::Equal, vec![Literal::Text(own.to_string())]);
    Filter::new(resolver, &is_own, 0).map(Some)
}

fn columns(resolver: &Resolver<'_>, query: &Query) -> Result<Vec<Column>, SoqlError> {
    let mut columns: Vec<Column> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for selected in &query.select {
        let (found, at) = match selected {
            Selected::Field(name) => {
                let (path, names) = resolver.path(name)?;
                (vec![column(resolver, path, names)], name.at)
            }
            Selected::Aliased(name, _) | Selected::Aggregate(_, name, _) => {
                let message = "only aggregate expressions use field aliasing";
                return Err(SoqlError::malformed(message).at(resolver.text, name.at));
            }
            Selected::Fields(set) => {
                if *set != FieldSet::Standard && query.limit.is_none_or(|limit| limit > MOST_WITH_FIELDS) {
                    let message =
                        format!("The SOQL FIELDS function must have a LIMIT of at most {MOST_WITH_FIELDS}");
                    return Err(SoqlError::malformed(message));
                }
                (field_set(resolver, *set), 0)
            }
        };
        for column in found {
            if !seen.insert(column.name.clone()) {
                let message = format!("duplicate field selected: {}", column.name);
                return Err(SoqlError { code: "INVALID_FIELD", message }.at(resolver.text, at));
            }
            columns.push(column);
        }
    }
    Ok(columns)
}

fn column(resolver: &Resolver<'_>, path: Path, names: Vec<String>) -> Column {
    let leaf = path.leaf();
    let (object, field) = (leaf.object, leaf.field);
    Column { name: names.join("."), names, object, field, kind: resolver.field(&path).kind, path }
}

fn field_set(resolver: &Resolver<'_>, set: FieldSet) -> Vec<Column> {
    let fields = resolver.schema.object(resolver.object).fields.iter().enumerate();
    fields
        .filter(|(number, field)| {
            let wanted = match set {
                FieldSet::All => true,
                FieldSet::Standard => !field.custom,
                FieldSet::Custom => field.custom,
            };
            wanted && resolver.view.sees_field(resolver.object, *number)
        })
        .map(|(number, field)| {
            let path = Path { object: resolver.object, field: number, next: Vec::new() };
            column(resolver, path, vec![field.name.clone()])
        })
        .collect()
}
