//! What the names of a load's columns stand for.

use std::sync::Arc;

use super::{Load, Operation};
use crate::schema::{Field, FieldType, Object, Schema, View};
use crate::store::World;

/// What one column is.
#[derive(Clone, Debug)]
pub(crate) enum Column {
    /// The record.
    Id,
    /// A field, by number.
    Field(usize),
    /// A reference, by a field of its target: `Parent.Key__c`, `Lead:Who.Email`.
    Parent {
        /// The reference.
        field: usize,
        /// Number of the parent's object and of the field that names it.
        by: (usize, usize),
    },
}

/// The columns of a load in one schema.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    pub(crate) schema: Arc<Schema>,
    pub(crate) object: usize,
    pub(crate) columns: Vec<Column>,
    /// The field by which upsert finds records; none stands for Id.
    pub(crate) key: Option<usize>,
}

/// What is told of a column that is not there, or that the user does not see.
fn unknown(name: &str) -> String {
    format!("InvalidBatch : Field name not found : {name}")
}

impl Columns {
    /// Looks names up; the error is what the job says that fails of it.
    pub(super) fn resolve(world: &World, view: &View, load: &Load, names: &[String]) -> Result<Self, String> {
        let object = world.schema.find(&load.object).filter(|object| view.sees_object(*object));
        let object = object.ok_or_else(|| format!("InvalidJob : Unable to find object: {}", load.object))?;
        let described = world.schema.object(object);
        let mut columns = Vec::with_capacity(names.len());
        for (at, name) in names.iter().enumerate() {
            if names[..at].iter().any(|other| other.eq_ignore_ascii_case(name)) {
                return Err(format!("InvalidBatch : Duplicate field name : {name}"));
            }
            columns.push(column(world, view, object, name)?);
        }
        let has_id = columns.iter().any(|column| matches!(column, Column::Id));
        let key = match load.operation {
            Operation::Insert => None,
            Operation::Upsert => {
                let wanted = load.key.as_deref().unwrap_or("Id");
                let key = described.find(wanted).filter(|key| view.sees_field(object, *key));
                let key = key.ok_or_else(|| unknown(wanted))?;
                let is_id = described.fields[key].kind == FieldType::Id;
                let has = |column: &Column| matches!(column, Column::Field(field) if *field == key);
                let is_there = (is_id && has_id) || columns.iter().any(has);
                if !is_there {
                    return Err(unknown(wanted));
                }
                (!is_id).then_some(key)
            }
            _ if !has_id => return Err(unknown("Id")),
            _ => None,
        };
        Ok(Self { schema: world.schema.clone(), object, columns, key })
    }

    /// The object.
    pub(crate) fn described(&self) -> &Object {
        self.schema.object(self.object)
    }
}

fn column(world: &World, view: &View, object: usize, name: &str) -> Result<Column, String> {
    let described = world.schema.object(object);
    if let Some((relationship, key)) = name.split_once('.') {
        return parent(world, view, object, name, relationship, key);
    }
    let field = described.find(name).filter(|field| view.sees_field(object, *field));
    let field = field.ok_or_else(|| unknown(name))?;
    let kind = described.fields[field].kind;
    if kind.is_compound() {
        return Err(unknown(name));
    }
    if kind == FieldType::Base64 {
        // binary content goes with a zip, which Bulk 2.0 does not take; the words are not known [K]
        return Err(format!("InvalidBatch : Base64 fields are not supported : {name}"));
    }
    Ok(if kind == FieldType::Id { Column::Id } else { Column::Field(field) })
}

/// `RelationshipName.IndexedField`, with `ObjectType:` in front where the reference has several targets, and only
/// there (Bulk API 2.0 guide, "Relationship Fields in a Header Row").
fn parent(
    world: &World,
    view: &View,
    object: usize,
    name: &str,
    relationship: &str,
    key: &str,
) -> Result<Column, String> {
    let (kind, relationship) = match relationship.split_once(':') {
        Some((kind, relationship)) => (Some(kind), relationship),
        None => (None, relationship),
    };
    let described = world.schema.object(object);
    let field = described.find_relationship(relationship).filter(|field| view.sees_field(object, *field));
    let field = field.ok_or_else(|| unknown(name))?;
    let targets = &described.fields[field].reference_to;
    let target = match (kind, targets.as_slice()) {
        // the words of a job that failed of it
        (Some(_), [_]) => {
            let message = "type is not needed for non polymorphic foreign key references";
            return Err(format!("InvalidBatch : {message}: {relationship}"));
        }
        (None, [only]) => only,
        (Some(kind), several) => {
            several.iter().find(|target| target.eq_ignore_ascii_case(kind)).ok_or_else(|| unknown(name))?
        }
        (None, _) => {
            let message = "type is needed for polymorphic foreign key references";
            return Err(format!("InvalidBatch : {message}: {relationship}"));
        }
    };
    let target = world.schema.find(target).filter(|target| view.sees_object(*target));
    let target = target.ok_or_else(|| unknown(name))?;
    let parent = world.schema.object(target);
    let key = parent.find(key).filter(|key| view.sees_field(target, *key));
    let key = key.filter(|key| is_indexed(&parent.fields[*key])).ok_or_else(|| unknown(name))?;
    Ok(Column::Parent { field, by: (target, key) })
}

/// Whether records may be named by a field.
fn is_indexed(field: &Field) -> bool {
    field.external_id || field.id_lookup || field.kind == FieldType::Id
}
