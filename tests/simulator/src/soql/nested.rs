//! What is nested in a record beside its parents: lists of children (sub-selects), and parents of which other
//! fields are asked for each object (TYPEOF).

use std::collections::HashMap;
use std::sync::Arc;

use super::ast::{Query, TypeOf};
use super::columns;
use super::plan::{Column, Plan};
use super::resolve::{Resolver, no_column};
use super::{Cursor, SoqlError};
use crate::store::Database;
use crate::value::{Cell, Id};

/// Views of other objects that can be asked for only as children of a record.
const ONLY_AS_CHILDREN: [&str; 9] = [
    "ActivityHistory",
    "AttachedContentDocument",
    "AttachedContentNote",
    "CombinedAttachment",
    "FolderedContentDocument",
    "LookedUpFromActivity",
    "NoteAndAttachment",
    "OpenActivity",
    "ProcessInstanceHistory",
];

/// A sub-select.
#[derive(Clone, Debug)]
pub(super) struct ChildList {
    /// Name of the relationship.
    pub(super) name: String,
    /// What is asked of the children of all parents, in order and not cut.
    pub(super) plan: Arc<Plan>,
    /// The child's reference to its parent.
    reference: usize,
    /// What each parent's list is cut to.
    limit: Option<u64>,
    offset: u64,
}

/// A TYPEOF clause.
#[derive(Clone, Debug)]
pub(super) struct Variants {
    /// Name of the relationship.
    pub(super) name: String,
    /// The reference.
    pub(super) reference: usize,
    /// Columns by the number of the object.
    pub(super) columns: Vec<(usize, Vec<Column>)>,
}

/// Plans a sub-select.
pub(super) fn children(resolver: &Resolver<'_>, query: &Query) -> Result<ChildList, SoqlError> {
    let (name, object, reference) = resolver.children(&query.from)?;
    let child = resolver.schema.object(object);
    if !child.queryable && !ONLY_AS_CHILDREN.contains(&child.name.as_str()) {
        let message = format!("entity type {} does not support query", child.name);
        return Err(SoqlError { code: "INVALID_TYPE_FOR_OPERATION", message });
    }
    let mut plan = Plan::on(resolver.schema, resolver.view, query, object)?;
    if plan.count || plan.aggregate {
        let message = "Only root queries support aggregate expressions";
        return Err(SoqlError::malformed(message).at(resolver.text, query.from.at));
    }
    let (limit, offset) = (plan.limit.take(), std::mem::take(&mut plan.offset));
    Ok(ChildList { name, plan: Arc::new(plan), reference, limit, offset })
}

/// Plans a TYPEOF clause.
pub(super) fn variants(resolver: &Resolver<'_>, of: &TypeOf) -> Result<Variants, SoqlError> {
    let object = resolver.schema.object(resolver.object);
    let wrong = |message: String, at: usize| SoqlError::malformed(message).at(resolver.text, at);
    let written = of.name.joined();
    let reference = object
        .find_relationship(&written)
        .filter(|field| resolver.view.sees_field(resolver.object, *field))
        .ok_or_else(|| no_column(&written, &object.name).at(resolver.text, of.name.at))?;
    let described = &object.fields[reference];
    if described.reference_to.len() < 2 {
        return Err(wrong(format!("TYPEOF needs a polymorphic relationship: {written}"), of.name.at));
    }
    let within = |object: usize| Resolver { object, alias: None, ..*resolver };
    let mut columns = Vec::new();
    for (name, fields) in &of.when {
        let written = name.joined();
        let known = described.reference_to.iter().any(|target| target.eq_ignore_ascii_case(&written));
        let object = Resolver::object(resolver.schema, resolver.view, resolver.text, name)?;
        if !known || columns.iter().any(|(seen, _)| *seen == object) {
            return Err(wrong(format!("TYPEOF cannot have WHEN {written} here"), name.at));
        }
        let fields = fields.iter().map(|name| columns::field(&within(object), name));
        columns.push((object, fields.collect::<Result<Vec<_>, _>>()?));
    }
    for object in described.reference_to.iter().filter_map(|name| resolver.schema.find(name)) {
        if resolver.view.sees_object(object) && !columns.iter().any(|(seen, _)| *seen == object) {
            // ELSE names fields of the object Name, which not every object has
            let fields = of.otherwise.iter().filter_map(|name| columns::field(&within(object), name).ok());
            columns.push((object, fields.collect()));
        }
    }
    Ok(Variants { name: described.relationship.clone().unwrap_or_default(), reference, columns })
}

/// The children of all parents, by parent.
#[derive(Debug)]
pub(super) struct Children {
    /// All of them.
    all: Cursor,
    by_parent: HashMap<Id, Vec<Id>>,
}

impl Children {
    /// Reads the children of all parents.
    pub(super) fn read(list: &ChildList, database: &Database, with_deleted: bool) -> Self {
        let all = list.plan.open(database.clone(), with_deleted);
        let mut by_parent: HashMap<Id, Vec<Id>> = HashMap::new();
        let mut scratch = String::new();
        for row in all.rows(0, u64::MAX) {
            let cell = database.cell(&list.plan.schema, list.plan.object, row, list.reference, &mut scratch);
            if let Cell::Id(parent) = cell {
                by_parent.entry(parent).or_default().push(all.id(row));
            }
        }
        Self { all, by_parent }
    }

    /// The list of one parent, if it has any.
    pub(super) fn of(&self, list: &ChildList, parent: Id) -> Option<Cursor> {
        let ids = self.by_parent.get(&parent)?;
        let from = usize::try_from(list.offset).unwrap_or(usize::MAX);
        let most = list.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let ids: Vec<Id> = ids.iter().skip(from).take(most).copied().collect();
        (!ids.is_empty()).then(|| self.all.with_rows(ids))
    }
}
