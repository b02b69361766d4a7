//! A query whose names are looked up: what to read, in which order, and what of it to leave out.

use std::sync::Arc;

use super::aggregate::{Grouping, grouping};
use super::ast::{Condition, Function, Literal, Name, Operator, Query};
use super::columns::{self, Layout};
use super::cursor::Cursor;
use super::filter::{Filter, no_place};
use super::nested::{ChildList, Variants};
use super::resolve::{Path, Resolver};
use super::take::{Expr, Far, Take};
use super::{SoqlError, join, parse, restrict};
use crate::schema::{FieldType, Object, Schema, View};
use crate::store::Database;
use crate::value::Id;
use crate::value::calendar::{DAY_MS, now_ms};

/// Rows of a query that has an OFFSET, as Salesforce gives them.
const MOST_WITH_OFFSET: u64 = 2_000;

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
    /// Type of what the column shows.
    pub kind: FieldType,
    /// The way to it.
    pub path: Path,
    /// What is shown of the field, if not the field itself.
    pub take: Option<Take>,
}

/// An entry of ORDER BY.
#[derive(Clone, Debug)]
pub(super) struct SortBy {
    pub(super) expr: Expr,
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
    /// Sub-selects.
    pub(super) children: Vec<ChildList>,
    /// TYPEOF clauses.
    pub(super) variants: Vec<Variants>,
    /// In which order columns, sub-selects and TYPEOF clauses were asked for.
    pub(super) layout: Vec<Layout>,
    pub(super) grouping: Option<Grouping>,
    pub(super) schema: Arc<Schema>,
    /// Who asks: `$User` of formulas.
    reader: Option<Id>,
    pub(super) filter: Option<Filter>,
    pub(super) order: Vec<SortBy>,
    pub(super) limit: Option<u64>,
    pub(super) offset: u64,
}

impl Plan {
    /// Looks up the names of a query in what a user sees.
    pub fn new(schema: &Arc<Schema>, view: &View, query: &Query) -> Result<Self, SoqlError> {
        let object = Resolver::object(schema, view, &query.text, &query.from)?;
        restrict::check(schema.object(object), view, query)?;
        Self::on(schema, view, query, object)
    }

    /// The same for an object that FROM does not name itself.
    pub(super) fn on(
        schema: &Arc<Schema>,
        view: &View,
        query: &Query,
        object: usize,
    ) -> Result<Self, SoqlError> {
        let resolver = Resolver { schema, view, text: &query.text, object, alias: query.alias.as_deref() };
        if query.all_rows {
            return Err(SoqlError::malformed("ALL ROWS not allowed in this context"));
        }
        if query.count && !query.order.is_empty() {
            return Err(SoqlError::malformed("Count queries cannot be ordered"));
        }
        let today = i32::try_from(now_ms().div_euclid(DAY_MS)).unwrap_or(i32::MAX);
        let filter = filter(&resolver, query, today)?;
        let limit = if query.has_offset {
            Some(query.limit.unwrap_or(u64::MAX).min(MOST_WITH_OFFSET))
        } else {
            query.limit
        };
        let mut plan = Self {
            object,
            columns: Vec::new(),
            count: query.count,
            aggregate: false,
            children: Vec::new(),
            variants: Vec::new(),
            layout: Vec::new(),
            grouping: None,
            schema: schema.clone(),
            reader: view.user,
            filter,
            order: Vec::new(),
            limit,
            offset: query.offset,
        };
        if let Some((columns, grouping)) = grouping(&resolver, query, today)? {
            plan.layout = (0..columns.len()).map(Layout::Column).collect();
            (plan.columns, plan.grouping, plan.aggregate) = (columns, Some(grouping), true);
            return Ok(plan);
        }
        for entry in &query.order {
            if let Some(function) = entry.function {
                let message = format!("Ordering by {function:?}() needs a grouped query");
                return Err(SoqlError::malformed(message).at(&query.text, entry.name.at));
            }
            let (mut expr, _) = resolver.expr(&entry.name)?;
            if let Some(distance) = &entry.distance {
                let field = resolver.field(&expr.path);
                let far = Far::of(field, distance);
                let far = far.ok_or_else(|| no_place(&field.name).at(&query.text, entry.name.at))?;
                expr.take = Some(Take::Distance(far));
            } else {
                resolver.sortable(&expr.path, &entry.name)?;
                expr.take = entry.part.map(Take::Date).or(expr.take);
            }
            plan.order.push(SortBy { expr, descending: entry.descending, nulls_last: entry.nulls_last });
        }
        columns::add(&mut plan, &resolver, query)?;
        Ok(plan)
    }

    /// Reads and plans a query in one go.
    pub fn of(schema: &Arc<Schema>, view: &View, text: &str) -> Result<Self, SoqlError> {
        Self::new(schema, view, &parse(text)?)
    }

    /// Runs it on a snapshot, with rows of the recycle bin (`queryAll`) or without.
    pub fn open(self: &Arc<Self>, database: Database, with_deleted: bool) -> Cursor {
        Cursor::new(self.clone(), database.read_by(self.reader), with_deleted)
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

    /// Function of a column that shows an aggregate.
    pub fn function(&self, column: usize) -> Option<Function> {
        self.grouping.as_ref()?.function(column)
    }

    /// Sub-selects: names of their relationships, and what is asked of the children.
    pub fn lists(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.children.iter().map(|list| (list.name.as_str(), &*list.plan))
    }

    /// Whether rows hold lists of children.
    pub fn has_children(&self) -> bool {
        !self.children.is_empty()
    }
}

/// WHERE, and what holds of the rows beside it.
fn filter(resolver: &Resolver<'_>, query: &Query, today: i32) -> Result<Option<Filter>, SoqlError> {
    if let Some(condition) = &query.condition {
        join::check(condition, &query.text)?;
    }
    let mut all = Vec::new();
    all.extend(own_rows(resolver)?);
    all.extend(scope(resolver, query)?);
    all.extend(query.condition.as_ref().map(|c| Filter::new(resolver, c, today)).transpose()?);
    Ok(if all.len() > 1 { Some(Filter::And(all)) } else { all.pop() })
}

/// A filter of one field that the query did not write.
fn only(resolver: &Resolver<'_>, field: &str, id: impl ToString) -> Result<Option<Filter>, SoqlError> {
    let name = Name { parts: vec![field.to_owned()], at: 0 };
    let is_own = Condition::Compare(name, Operator::Equal, vec![Literal::Text(id.to_string())]);
    Filter::new(resolver, &is_own, 0).map(Some)
}

/// `UserPermissionAccess` has one row for whoever asks: the own one.
fn own_rows(resolver: &Resolver<'_>) -> Result<Option<Filter>, SoqlError> {
    let object = resolver.schema.object(resolver.object);
    match resolver.view.access.filter(|_| object.name == "UserPermissionAccess") {
        Some(own) => only(resolver, "Id", own),
        None => Ok(None),
    }
}

/// USING SCOPE: everything, or what the user owns. Teams, territories and queues are not kept.
fn scope(resolver: &Resolver<'_>, query: &Query) -> Result<Option<Filter>, SoqlError> {
    match (query.scope.as_deref(), resolver.view.user) {
        (None | Some("everything"), _) => Ok(None),
        (Some("mine"), Some(user)) => only(resolver, "OwnerId", user),
        (Some(other), _) => {
            Err(SoqlError { code: "INVALID_QUERY_SCOPE", message: format!("Unsupported scope: {other}") }
                .at(&query.text, query.from.at))
        }
    }
}
