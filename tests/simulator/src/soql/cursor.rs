//! The rows of a plan over a snapshot, from any position, without holding them: a scan in the order of ids
//! keeps a mark every so many rows, and only an ORDER BY keeps the ids of its rows.

use std::ops::Bound;
use std::sync::{Arc, OnceLock};

use super::filter::Filter;
use super::nested::Children;
use super::plan::Column;
use super::take::Expr;
use super::{Plan, SoqlError, sort};
use crate::schema::Schema;
use crate::store::table::Scan;
use crate::store::{Bounds, Database, Row, RowRef, Table};
use crate::value::{Cell, Id, Value};

/// Matching rows between two marks.
const MARK_EVERY: u64 = 1_024;
/// Groups of an answer at most: queryMore does not go on with groups.
const MOST_GROUPS: u64 = 2_000;

/// An open query.
#[derive(Debug)]
pub struct Cursor {
    plan: Arc<Plan>,
    database: Database,
    with_deleted: bool,
    filter: Option<Filter>,
    total: u64,
    rows: Rows,
    /// The children that sub-selects give, read when the first row is written.
    children: Arc<Vec<OnceLock<Children>>>,
}

/// How the rows are found.
#[derive(Debug)]
enum Rows {
    /// Every row within the bounds.
    All(Bounds),
    /// Rows that meet the filter: the ids of every so many of them.
    Marked(Vec<Id>),
    /// These rows, in this order.
    Listed(Vec<Id>),
    /// These groups.
    Groups(Vec<Row>),
}

impl Cursor {
    pub(super) fn new(plan: Arc<Plan>, database: Database, with_deleted: bool) -> Self {
        let filter = plan.filter.as_ref().map(|filter| filter.joined(&database, with_deleted));
        let children = Arc::new(plan.children.iter().map(|_| OnceLock::new()).collect());
        let rows = Rows::Listed(Vec::new());
        let mut cursor = Self { plan, database, with_deleted, filter, total: 0, rows, children };
        let (rows, matched) = cursor.find();
        let left = matched.saturating_sub(cursor.plan.offset);
        cursor.total = cursor.plan.limit.map_or(left, |limit| left.min(limit));
        cursor.rows = rows;
        cursor
    }

    /// The same query with these rows of it.
    pub(super) fn with_rows(&self, ids: Vec<Id>) -> Self {
        Self {
            plan: self.plan.clone(),
            database: self.database.clone(),
            with_deleted: self.with_deleted,
            filter: None,
            total: ids.len() as u64,
            rows: Rows::Listed(ids),
            children: self.children.clone(),
        }
    }

    /// The children of a row by the number of the sub-select, if it has any.
    pub(super) fn children(&self, number: usize, parent: Id) -> Option<Self> {
        let list = self.plan.children.get(number)?;
        let read = self.children.get(number)?;
        read.get_or_init(|| Children::read(list, &self.database, self.with_deleted)).of(list, parent)
    }

    /// Refuses an answer of more groups than it can hold.
    pub fn check(&self) -> Result<(), SoqlError> {
        if !self.plan.aggregate || self.total <= MOST_GROUPS {
            return Ok(());
        }
        let message = "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch";
        Err(SoqlError { code: "EXCEEDED_ID_LIMIT", message: message.to_owned() })
    }

    fn find(&self) -> (Rows, u64) {
        let plan = &*self.plan;
        let id_field = plan.described().find("Id").unwrap_or(usize::MAX);
        let mut order = plan.order.as_slice();
        // rows are stored in the order of their ids, and no two have the same
        let by_id = |path: &super::Path| path.next.is_empty() && path.field == id_field;
        if let Some(at) = order.iter().position(|by| by_id(&by.expr.path)) {
            order = &order[..at + usize::from(at > 0 || order[at].descending)];
        }
        let most = plan.limit.map(|limit| limit.saturating_add(plan.offset));
        let mut scratch = String::new();
        let table = self.table();
        if let Some(ids) =
            self.filter.as_ref().filter(|_| !plan.aggregate).and_then(|filter| filter.id_list(id_field))
        {
            let rows = ids.into_iter().filter_map(|id| table.find(id).map(|row| (id, row)));
            let rows = rows.filter(|(_, row)| self.with_deleted || !is_deleted(*row));
            let found = rows.filter(|(_, row)| self.holds(*row, &mut scratch)).map(|(id, _)| id);
            let found: Vec<Id> = found.collect();
            let sorted =
                if order.is_empty() { found } else { sort::sorted(self, order, found.into_iter(), most) };
            let count = sorted.len() as u64;
            return (Rows::Listed(sorted), count);
        }
        let bounds = self.filter.as_ref().map_or(Bounds::ALL, |filter| filter.bounds(id_field));
        if let Some(grouping) = &plan.grouping {
            let matching = table.scan(bounds, self.with_deleted).filter(|row| self.holds(*row, &mut scratch));
            let groups = grouping.run(self, matching);
            let count = groups.len() as u64;
            return (Rows::Groups(groups), count);
        }
        if !order.is_empty() {
            let matching = table.scan(bounds, self.with_deleted).filter(|row| self.holds(*row, &mut scratch));
            let sorted = sort::sorted(self, order, matching.map(|row| table.id_of(row)), most);
            let count = sorted.len() as u64;
            return (Rows::Listed(sorted), count);
        }
        match &self.filter {
            None => (Rows::All(Bounds::ALL), table.count(self.with_deleted)),
            Some(Filter::Test(path, ..)) if by_id(path) && bounds != Bounds::ALL => {
                let count = table.scan(bounds, self.with_deleted).leave_out(u64::MAX);
                (Rows::All(bounds), count)
            }
            Some(_) => {
                let (mut marks, mut count) = (Vec::new(), 0);
                for row in table.scan(bounds, self.with_deleted) {
                    if most.is_some_and(|most| count >= most) {
                        break;
                    }
                    if self.holds(row, &mut scratch) {
                        if count % MARK_EVERY == 0 {
                            marks.push(table.id_of(row));
                        }
                        count += 1;
                    }
                }
                (Rows::Marked(marks), count)
            }
        }
    }

    fn holds(&self, row: RowRef<'_>, scratch: &mut String) -> bool {
        self.filter
            .as_ref()
            .is_none_or(|filter| filter.holds(&self.database, &self.plan.schema, row, scratch))
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The snapshot.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// How many rows there are, after OFFSET and LIMIT.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Columns in their order.
    pub fn columns(&self) -> &[Column] {
        &self.plan.columns
    }

    /// At most `most` rows from a position on.
    pub fn rows(&self, from: u64, most: u64) -> RowIter<'_> {
        let left = self.total.saturating_sub(from).min(most);
        let from = from.saturating_add(self.plan.offset);
        let source = match &self.rows {
            Rows::All(bounds) => {
                let mut scan = self.table().scan(*bounds, self.with_deleted);
                scan.leave_out(from);
                Source::Scan(scan)
            }
            Rows::Marked(marks) => {
                let mark = marks.get(usize::try_from(from / MARK_EVERY).unwrap_or(usize::MAX));
                let low = mark.map_or(Bound::Unbounded, |id| Bound::Included(*id));
                let scan = self.table().scan(Bounds { low, ..Bounds::ALL }, self.with_deleted);
                Source::Filtered(scan, from % MARK_EVERY)
            }
            Rows::Listed(ids) => {
                let from = usize::try_from(from).unwrap_or(usize::MAX).min(ids.len());
                Source::Listed(ids[from..].iter())
            }
            Rows::Groups(groups) => {
                let from = usize::try_from(from).unwrap_or(usize::MAX).min(groups.len());
                Source::Groups(groups[from..].iter())
            }
        };
        RowIter { cursor: self, source, left, scratch: String::new() }
    }

    /// The id of a row.
    pub fn id(&self, row: RowRef<'_>) -> Id {
        self.table().id_of(row)
    }

    /// The cell of a column; text that has to be made is written to `scratch`.
    pub fn cell<'a>(&'a self, row: RowRef<'a>, column: usize, scratch: &'a mut String) -> Cell<'a> {
        if let (true, RowRef::Stored(group)) = (self.plan.aggregate, row) {
            return group.get(column);
        }
        self.column_cell(&self.plan.columns[column], row, scratch)
    }

    /// The cell of a column of this plan, or of one that a TYPEOF clause has for the row's object.
    pub(super) fn column_cell<'a>(
        &'a self,
        column: &'a Column,
        row: RowRef<'a>,
        scratch: &'a mut String,
    ) -> Cell<'a> {
        if let Some(take) = &column.take {
            return take.read(&self.database, self.schema(), (&column.path, row), scratch);
        }
        if column.path.next.is_empty() {
            return self.database.cell(self.schema(), column.object, row, column.field, scratch);
        }
        self.path_cell(&column.path, row, scratch)
    }

    /// The cell of another field of the row that a column's field is on: a part of an address.
    pub fn part<'a>(
        &'a self,
        row: RowRef<'a>,
        column: usize,
        field: usize,
        scratch: &'a mut String,
    ) -> Cell<'a> {
        self.column_part(&self.plan.columns[column], row, field, scratch)
    }

    pub(super) fn column_part<'a>(
        &'a self,
        column: &'a Column,
        row: RowRef<'a>,
        field: usize,
        scratch: &'a mut String,
    ) -> Cell<'a> {
        match column.path.walk(&self.database, self.schema(), row, usize::MAX) {
            Some((leaf, row)) => self.database.cell(self.schema(), leaf.object, row, field, scratch),
            None => Cell::Null,
        }
    }

    /// Object and id of the parent that a column's path has reached after `depth` relationships; nothing where
    /// there is no parent.
    pub fn ancestor(&self, row: RowRef<'_>, column: usize, depth: usize) -> Option<(usize, Id)> {
        self.column_ancestor(&self.plan.columns[column], row, depth)
    }

    pub(super) fn column_ancestor(
        &self,
        column: &Column,
        row: RowRef<'_>,
        depth: usize,
    ) -> Option<(usize, Id)> {
        let (reached, row) = column.path.walk(&self.database, self.schema(), row, depth)?;
        Some((reached.object, self.database.table(reached.object).id_of(row)))
    }

    /// The value of a field, or of what is taken of it.
    pub(super) fn expr_value(&self, expr: &Expr, row: RowRef<'_>, scratch: &mut String) -> Option<Value> {
        match &expr.take {
            Some(take) => take.read(&self.database, self.schema(), (&expr.path, row), scratch).to_value(),
            None => self.path_cell(&expr.path, row, scratch).to_value(),
        }
    }

    pub(super) fn path_cell<'a>(
        &'a self,
        path: &super::Path,
        row: RowRef<'a>,
        scratch: &'a mut String,
    ) -> Cell<'a> {
        match path.walk(&self.database, self.schema(), row, usize::MAX) {
            Some((leaf, row)) => self.database.cell(self.schema(), leaf.object, row, leaf.field, scratch),
            None => Cell::Null,
        }
    }

    pub(super) fn table(&self) -> &Table {
        self.database.table(self.plan.object)
    }

    fn schema(&self) -> &Schema {
        &self.plan.schema
    }
}

fn is_deleted(row: RowRef<'_>) -> bool {
    matches!(row, RowRef::Stored(row) if row.deleted)
}

/// Rows from a position on.
pub struct RowIter<'a> {
    cursor: &'a Cursor,
    source: Source<'a>,
    left: u64,
    scratch: String,
}

enum Source<'a> {
    Scan(Scan<'a>),
    /// Rows that meet the filter, after leaving out so many.
    Filtered(Scan<'a>, u64),
    Listed(std::slice::Iter<'a, Id>),
    Groups(std::slice::Iter<'a, Row>),
}

impl<'a> Iterator for RowIter<'a> {
    type Item = RowRef<'a>;

    fn next(&mut self) -> Option<RowRef<'a>> {
        if self.left == 0 {
            return None;
        }
        let row = match &mut self.source {
            Source::Scan(scan) => scan.next()?,
            Source::Filtered(scan, leave_out) => loop {
                let row = scan.next()?;
                if self.cursor.holds(row, &mut self.scratch) {
                    if *leave_out == 0 {
                        break row;
                    }
                    *leave_out -= 1;
                }
            },
            Source::Listed(ids) => {
                let table = self.cursor.table();
                ids.find_map(|id| table.find(*id))?
            }
            Source::Groups(groups) => RowRef::Stored(groups.next()?),
        };
        self.left -= 1;
        Some(row)
    }
}
