//! Semi-joins and anti-joins: what Salesforce asks of the query in their parentheses.

use super::ast::{Condition, Name, Query};
use super::resolve::{Path, Resolver};
use super::{Plan, SoqlError};

/// Joins of one query at most.
const MOST: usize = 2;

/// Looks up the field on the left, and plans the query on the right.
pub(super) fn plan(resolver: &Resolver<'_>, name: &Name, query: &Query) -> Result<(Path, Plan), SoqlError> {
    let refused = |message: &str, at: usize| Err(SoqlError::malformed(message).at(resolver.text, at));
    let (path, _) = resolver.path(name)?;
    if !resolver.filterable(&path, name)?.is_id() {
        return refused("The left operand of a semi join must be an id or a reference field", name.at);
    }
    if query.count
        || query.limit.is_some()
        || query.has_offset
        || !query.order.is_empty()
        || !query.group.is_empty()
    {
        let message = "semi join sub-selects cannot use COUNT, GROUP BY, ORDER BY, LIMIT or OFFSET";
        return refused(message, query.from.at);
    }
    let plan = Plan::new(resolver.schema, resolver.view, query)?;
    let [column] = plan.columns.as_slice() else {
        return refused("semi join sub-selects can only query id fields, one at a time", query.from.at);
    };
    if !column.kind.is_id() || column.names.len() > 1 || plan.aggregate || !plan.variants.is_empty() {
        return refused("semi join sub-selects can only query id fields, one at a time", query.from.at);
    }
    if plan.object == resolver.object {
        return refused("The inner and outer selects should not be on the same object type", query.from.at);
    }
    // both sides name ids of the same objects, or nothing could ever match
    let (left, right) = (targets(resolver, &path), targets_of(resolver, column.object, column.field));
    if !left.iter().any(|object| right.contains(object)) {
        let message = format!(
            "The selected field '{}' in the subquery and the left operand field in the where expression in the outer \
             query '{}' should point to the same object type",
            column.name,
            name.joined()
        );
        return refused(&message, name.at);
    }
    Ok((path, plan))
}

fn targets(resolver: &Resolver<'_>, path: &Path) -> Vec<usize> {
    let leaf = path.leaf();
    targets_of(resolver, leaf.object, leaf.field)
}

/// The objects whose ids a field holds.
fn targets_of(resolver: &Resolver<'_>, object: usize, field: usize) -> Vec<usize> {
    let described = &resolver.schema.object(object).fields[field];
    if described.reference_to.is_empty() {
        return vec![object];
    }
    described.reference_to.iter().filter_map(|name| resolver.schema.find(name)).collect()
}

/// Refuses joins where they may not stand: more than two, beside an OR, within parentheses, behind a NOT.
pub(super) fn check(condition: &Condition, text: &str) -> Result<(), SoqlError> {
    let mut count = 0;
    visit(condition, Level::Root, text, &mut count)?;
    if count > MOST {
        return Err(SoqlError::malformed(format!("Maximum {MOST} semi join sub-selects are allowed")));
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    /// The whole condition.
    Root,
    /// Of several that must all hold.
    And,
    /// Of the OR that is the whole condition.
    Or,
    Nested,
}

fn visit(condition: &Condition, level: Level, text: &str, count: &mut usize) -> Result<(), SoqlError> {
    match condition {
        Condition::And(all) => {
            let within = if matches!(level, Level::Root | Level::And) { Level::And } else { Level::Nested };
            all.iter().try_for_each(|c| visit(c, within, text, count))
        }
        Condition::Or(any) => {
            let within = if level == Level::Root { Level::Or } else { Level::Nested };
            any.iter().try_for_each(|c| visit(c, within, text, count))
        }
        Condition::Not(inner) => visit(inner, Level::Nested, text, count),
        Condition::Join(name, ..) => {
            *count += 1;
            let message = match level {
                Level::Root | Level::And => return Ok(()),
                Level::Or => "Semi join sub-selects are not allowed with the 'OR' operator",
                Level::Nested => {
                    "Semi join sub-selects are only allowed at the top level WHERE expressions and not in nested WHERE \
                     expressions."
                }
            };
            Err(SoqlError::malformed(message).at(text, name.at))
        }
        Condition::Compare(..)
        | Condition::CompareCall(..)
        | Condition::CompareDistance(..)
        | Condition::CompareAggregate(..) => Ok(()),
    }
}
