//! The SELECT list of a query that is not grouped.

use std::collections::HashSet;

use super::SoqlError;
use super::ast::{Call, FieldSet, Name, Query, Selected};
use super::filter::no_place;
use super::nested;
use super::plan::{Column, Plan};
use super::resolve::{Path, Resolver};
use super::take::{Far, Take};
use crate::schema::FieldType;

/// Rows that `FIELDS(ALL)` and `FIELDS(CUSTOM)` may be asked for.
const MOST_WITH_FIELDS: u64 = 200;
/// Relationships to parents, and sub-selects, of one query at most.
const MOST_PARENTS: usize = 55;
const MOST_CHILDREN: usize = 20;

/// An entry of the SELECT list, by its number among its kind.
#[derive(Clone, Copy, Debug)]
pub(super) enum Layout {
    Column(usize),
    Children(usize),
    Variants(usize),
}

/// Reads the SELECT list into the plan.
pub(super) fn add(plan: &mut Plan, resolver: &Resolver<'_>, query: &Query) -> Result<(), SoqlError> {
    let mut seen = HashSet::new();
    let mut unique = |name: &str, at: usize| {
        if seen.insert(name.to_ascii_lowercase()) {
            return Ok(());
        }
        let message = format!("duplicate field selected: {name}");
        Err(SoqlError { code: "INVALID_FIELD", message }.at(resolver.text, at))
    };
    for selected in &query.select {
        match selected {
            Selected::Field(name) => {
                let column = field(resolver, name)?;
                unique(&column.name, name.at)?;
                push(plan, column);
            }
            Selected::Aliased(name, _) | Selected::Aggregate(_, name, _) => {
                let message = "only aggregate expressions use field aliasing";
                return Err(SoqlError::malformed(message).at(resolver.text, name.at));
            }
            Selected::Called(call, name, alias) => {
                let column = called(resolver, *call, name, alias.as_ref())?;
                unique(&column.name, name.at)?;
                push(plan, column);
            }
            Selected::Distance(distance, alias) => {
                let mut column = field(resolver, &distance.name)?;
                let described = resolver.field(&column.path);
                let far = Far::of(described, distance);
                let far = far.ok_or_else(|| no_place(&described.name).at(resolver.text, distance.name.at))?;
                column.take = Some(Take::Distance(far));
                column.kind = FieldType::Double;
                let unnamed = plan.columns.iter().filter(|column| column.name.starts_with("expr")).count();
                column.name = alias.clone().unwrap_or_else(|| format!("expr{unnamed}"));
                column.names = vec![column.name.clone()];
                unique(&column.name, distance.name.at)?;
                push(plan, column);
            }
            Selected::Fields(set) => {
                if *set != FieldSet::Standard && query.limit.is_none_or(|limit| limit > MOST_WITH_FIELDS) {
                    let message =
                        format!("The SOQL FIELDS function must have a LIMIT of at most {MOST_WITH_FIELDS}");
                    return Err(SoqlError::malformed(message));
                }
                for column in field_set(resolver, *set) {
                    unique(&column.name, 0)?;
                    push(plan, column);
                }
            }
            Selected::Children(inner) => {
                let list = nested::children(resolver, inner)?;
                unique(&list.name, inner.from.at)?;
                plan.layout.push(Layout::Children(plan.children.len()));
                plan.children.push(list);
            }
            Selected::TypeOf(of) => {
                let variants = nested::variants(resolver, of)?;
                unique(&variants.name, of.name.at)?;
                plan.layout.push(Layout::Variants(plan.variants.len()));
                plan.variants.push(variants);
            }
        }
    }
    check_counts(plan)
}

fn check_counts(plan: &Plan) -> Result<(), SoqlError> {
    let parents: HashSet<&[String]> =
        plan.columns.iter().flat_map(|c| (1..c.names.len()).map(|depth| &c.names[..depth])).collect();
    for (found, most, what) in [
        (parents.len(), MOST_PARENTS, "child-to-parent relationships"),
        (plan.children.len(), MOST_CHILDREN, "parent-to-child relationships"),
    ] {
        if found > most {
            let message = format!("Query has {found} {what}; no more than {most} are allowed");
            return Err(SoqlError { code: "QUERY_TOO_COMPLICATED", message });
        }
    }
    Ok(())
}

fn push(plan: &mut Plan, column: Column) {
    plan.layout.push(Layout::Column(plan.columns.len()));
    plan.columns.push(column);
}

/// The column of a field.
pub(super) fn field(resolver: &Resolver<'_>, name: &Name) -> Result<Column, SoqlError> {
    let (expr, names) = resolver.expr(name)?;
    let mut column = plain(resolver, expr.path, names);
    if let Some(take) = expr.take {
        column.kind = take.kind();
        column.take = Some(take);
    }
    Ok(column)
}

fn called(
    resolver: &Resolver<'_>,
    call: Call,
    name: &Name,
    alias: Option<&String>,
) -> Result<Column, SoqlError> {
    let mut column = field(resolver, name)?;
    let described = &resolver.schema.object(column.object).fields[column.field];
    let wrong = |message: String| SoqlError::malformed(message).at(resolver.text, name.at);
    let take = match call {
        Call::ToLabel if matches!(described.kind, FieldType::Picklist | FieldType::MultiPicklist) => {
            Some(Take::labels(resolver.schema.object(column.object), &described.name))
        }
        Call::ToLabel => return Err(wrong(format!("field {} does not support toLabel", described.name))),
        Call::ConvertCurrency if described.kind == FieldType::Currency => None,
        Call::ConvertCurrency => {
            return Err(wrong(format!("field {} does not support convertCurrency", described.name)));
        }
        Call::Format => Some(Take::Format),
        Call::Date(_) => {
            return Err(wrong(format!("Field must be grouped or aggregated: {}", column.name)));
        }
        Call::Grouping => {
            return Err(wrong("GROUPING is only allowed with GROUP BY ROLLUP or CUBE".to_owned()));
        }
    };
    if let Some(take) = take {
        column.kind = take.kind();
        column.take = Some(take);
    }
    if let Some(alias) = alias {
        column.name.clone_from(alias);
        column.names = vec![alias.clone()];
    }
    Ok(column)
}

fn plain(resolver: &Resolver<'_>, path: Path, names: Vec<String>) -> Column {
    let leaf = path.leaf();
    let (object, field) = (leaf.object, leaf.field);
    let kind = resolver.field(&path).kind;
    Column { name: names.join("."), names, object, field, kind, path, take: None }
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
            plain(resolver, path, vec![field.name.clone()])
        })
        .collect()
}
