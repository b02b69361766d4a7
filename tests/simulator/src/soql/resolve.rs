//! Names of a query looked up in what a user sees of the schema.

use std::sync::Arc;

use super::SoqlError;
use super::ast::Name;
use super::take::{Expr, Take};
use crate::schema::{Field, FieldType, Schema, View};
use crate::store::{Database, RowRef};
use crate::value::Cell;

/// Parents that a path may go up through.
const MOST_PARENTS: usize = 5;
/// What can be asked of a parent that may be one of several objects: fields of the object `Name`, and the parents
/// that it has.
const NAME_FIELDS: [&str; 18] = [
    "Id",
    "Name",
    "FirstName",
    "LastName",
    "MiddleName",
    "Suffix",
    "Type",
    "Alias",
    "Username",
    "Email",
    "IsActive",
    "Phone",
    "Title",
    "ProfileId",
    "UserRoleId",
    "RecordTypeId",
    "LastViewedDate",
    "LastReferencedDate",
];
const NAME_PARENTS: [&str; 3] = ["Profile", "UserRole", "RecordType"];
const ADVICE: &str = "Please reference your WSDL or the describe call for the appropriate names.";

/// A field of an object, or the way to one through parents.
#[derive(Clone, Debug)]
pub struct Path {
    /// The object at this point.
    pub object: usize,
    /// Its field: the one that is meant, or the reference that leads on.
    pub field: usize,
    /// The ways on, one per object that the reference may point to; empty at the end.
    pub next: Vec<Path>,
}

impl Path {
    /// The path at its end (the first one, where the reference is polymorphic).
    pub fn leaf(&self) -> &Self {
        self.next.first().map_or(self, Self::leaf)
    }

    /// The row that the path reaches after so many parents, and the path from there.
    pub fn walk<'a>(
        &self,
        database: &'a Database,
        schema: &Schema,
        row: RowRef<'a>,
        parents: usize,
    ) -> Option<(&Self, RowRef<'a>)> {
        if parents == 0 || self.next.is_empty() {
            return Some((self, row));
        }
        let mut scratch = String::new();
        let Cell::Id(id) = database.cell(schema, self.object, row, self.field, &mut scratch) else {
            return None;
        };
        let target = schema.find_prefix(id.prefix())?;
        let next = self.next.iter().find(|path| path.object == target)?;
        next.walk(database, schema, database.find(target, id)?, parents - 1)
    }
}

/// Looks names up.
pub(super) struct Resolver<'a> {
    pub(super) schema: &'a Arc<Schema>,
    pub(super) view: &'a View,
    pub(super) text: &'a str,
    pub(super) object: usize,
    /// Names that stand for the object itself.
    pub(super) alias: Option<&'a str>,
}

impl Resolver<'_> {
    /// The object of FROM.
    pub(super) fn object(schema: &Schema, view: &View, text: &str, name: &Name) -> Result<usize, SoqlError> {
        let written = name.joined();
        let Some(number) = schema.find(&written).filter(|number| view.sees_object(*number)) else {
            let message = format!(
                "sObject type '{written}' is not supported. If you are attempting to use a custom object, be sure to \
                 append the '__c' after the entity name. {ADVICE}"
            );
            return Err(SoqlError { code: "INVALID_TYPE", message }.at(text, name.at));
        };
        if !schema.object(number).queryable {
            let message = format!("entity type {} does not support query", schema.object(number).name);
            return Err(SoqlError { code: "INVALID_TYPE_FOR_OPERATION", message });
        }
        Ok(number)
    }

    /// A field, or the type of a parent (`Owner.Type`), and its name as it is spelt in the schema.
    pub(super) fn expr(&self, name: &Name) -> Result<(Expr, Vec<String>), SoqlError> {
        let (path, names) = self.path(name)?;
        let is_type =
            names.last().is_some_and(|last| last == "Type") && self.field(&path).kind == FieldType::Id;
        Ok((Expr { path, take: is_type.then_some(Take::TypeName) }, names))
    }

    /// The way to a field, and its name as it is spelt in the schema. The way to a type ends at the id that tells it.
    pub(super) fn path(&self, name: &Name) -> Result<(Path, Vec<String>), SoqlError> {
        let mut parts = name.parts.as_slice();
        let object = self.schema.object(self.object);
        if parts.len() > 1 {
            let is_alias = self.alias.is_some_and(|alias| alias.eq_ignore_ascii_case(&parts[0]));
            let is_object = parts[0].eq_ignore_ascii_case(&object.name);
            if is_alias || is_object && object.find_relationship(&parts[0]).is_none() {
                parts = &parts[1..];
            }
        }
        if parts.len() > MOST_PARENTS + 1 {
            let message = format!("only {MOST_PARENTS} levels of parents can be named: {}", name.joined());
            return Err(SoqlError::malformed(message).at(self.text, name.at));
        }
        let mut spelt = Vec::with_capacity(parts.len());
        let path =
            self.follow(self.object, parts, &mut spelt).map_err(|error| error.at(self.text, name.at))?;
        Ok((path, spelt))
    }

    fn follow(&self, object: usize, parts: &[String], spelt: &mut Vec<String>) -> Result<Path, SoqlError> {
        let described = self.schema.object(object);
        let [first, rest @ ..] = parts else { return Err(SoqlError::malformed("a field name is missing")) };
        if rest.is_empty() {
            let field = described.find(first).filter(|field| self.view.sees_field(object, *field));
            let field = field.ok_or_else(|| no_column(first, &described.name))?;
            spelt.push(described.fields[field].name.clone());
            return Ok(Path { object, field, next: Vec::new() });
        }
        let field = described.find_relationship(first).filter(|field| self.view.sees_field(object, *field));
        let field = field.ok_or_else(|| no_relationship(first))?;
        let reference = &described.fields[field];
        spelt.push(reference.relationship.clone().unwrap_or_default());
        let several = reference.reference_to.len() > 1;
        if several {
            is_of_name(rest)?;
        }
        let asks_type = several && rest.len() == 1 && rest[0].eq_ignore_ascii_case("Type");
        let id = ["Id".to_owned()];
        let rest = if asks_type { &id } else { rest };
        let targets = reference.reference_to.iter().filter_map(|name| self.schema.find(name));
        let depth = spelt.len();
        let mut refused = None;
        let mut next: Vec<Path> = Vec::new();
        for target in targets.filter(|target| self.view.sees_object(*target)) {
            let mut way = Vec::new();
            match self.follow(target, rest, &mut way) {
                Ok(path) => {
                    spelt.truncate(depth);
                    spelt.extend(way);
                    next.push(path);
                }
                Err(error) => refused = Some(error),
            }
        }
        if next.is_empty() {
            return Err(refused.unwrap_or_else(|| no_relationship(first)));
        }
        if asks_type {
            spelt.truncate(depth);
            spelt.push("Type".to_owned());
        }
        Ok(Path { object, field, next })
    }

    /// The field at the end of a path.
    pub(super) fn field(&self, path: &Path) -> &Field {
        let leaf = path.leaf();
        &self.schema.object(leaf.object).fields[leaf.field]
    }

    /// Refuses a field that cannot be named in WHERE.
    pub(super) fn filterable(&self, path: &Path, name: &Name) -> Result<FieldType, SoqlError> {
        let field = self.field(path);
        if !field.filterable || field.kind.is_compound() {
            let message = format!("field '{}' can not be filtered in a query call", field.name);
            return Err(SoqlError::field(message).at(self.text, name.at));
        }
        Ok(field.kind)
    }

    /// The children behind a relationship name: object and reference field.
    pub(super) fn children(&self, name: &Name) -> Result<(String, usize, usize), SoqlError> {
        let outer = self.schema.object(self.object);
        let written = match name.parts.as_slice() {
            [prefix, relationship]
                if prefix.eq_ignore_ascii_case(&outer.name)
                    || self.alias.is_some_and(|alias| alias.eq_ignore_ascii_case(prefix)) =>
            {
                relationship
            }
            [relationship] => relationship,
            _ => &name.joined(),
        };
        let found = outer.children.iter().find(|(known, ..)| known.eq_ignore_ascii_case(written));
        let found = found.and_then(|(known, child, field)| {
            let child = self.schema.find(child).filter(|child| self.view.sees_object(*child))?;
            let field = self.schema.object(child).find(field).filter(|f| self.view.sees_field(child, *f))?;
            Some((known.clone(), child, field))
        });
        found.ok_or_else(|| {
            let message = format!(
                "Didn't understand relationship '{written}' in FROM part of query call. If you are attempting to use a \
                 custom relationship, be sure to append the '__r' after the custom relationship name. {ADVICE}"
            );
            SoqlError { code: "INVALID_TYPE", message }.at(self.text, name.at)
        })
    }

    /// Refuses a field that cannot be named in ORDER BY.
    pub(super) fn sortable(&self, path: &Path, name: &Name) -> Result<(), SoqlError> {
        let field = self.field(path);
        if field.sortable && !field.kind.is_compound() {
            return Ok(());
        }
        let message = format!("field '{}' can not be sorted in a query call", field.name);
        Err(SoqlError::malformed(message).at(self.text, name.at))
    }
}

/// Refuses what the object `Name` does not have.
fn is_of_name(rest: &[String]) -> Result<(), SoqlError> {
    let Some(first) = rest.first() else { return Ok(()) };
    let known = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(first));
    match rest.len() {
        1 if !known(&NAME_FIELDS) => Err(no_column(first, "Name")),
        2.. if !known(&NAME_PARENTS) => Err(no_relationship(first)),
        _ => Ok(()),
    }
}

/// The words for a field that is not there, and for one that the user may not see.
pub(super) fn no_column(field: &str, object: &str) -> SoqlError {
    SoqlError::field(format!(
        "No such column '{field}' on entity '{object}'. If you are attempting to use a custom field, be sure to append \
         the '__c' after the custom field name. {ADVICE}"
    ))
}

fn no_relationship(name: &str) -> SoqlError {
    SoqlError::field(format!(
        "Didn't understand relationship '{name}' in field path. If you are attempting to use a custom relationship, be \
         sure to append the '__r' after the custom relationship name. {ADVICE}"
    ))
}
