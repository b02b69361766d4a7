//! Changes of the schema while the org runs, as an administrator makes them: the describe results are changed,
//! and rows follow the fields to their new numbers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::full::{child_relationship, describe_field, describe_object, is_custom};
use super::short::{ShortField, ShortObject};
use super::{Object, Schema};

/// What fields of custom metadata types may point to besides such types: definitions of objects and fields, which the
/// schema does not hold as objects.
const VIRTUAL: [&str; 3] = ["EntityDefinition", "FieldDefinition", "EntityParticle"];

/// One change.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum SchemaChange {
    /// A new object, in the short form of `schema.yaml`.
    AddObject {
        /// API name.
        object: String,
        /// What it is made of.
        #[serde(default)]
        definition: ShortObject,
    },
    /// A custom object is deleted with its records.
    RemoveObject {
        /// API name.
        object: String,
    },
    /// A new field, in the short form of `schema.yaml`.
    AddField {
        /// API name of the object.
        object: String,
        /// API name.
        field: String,
        /// What it is.
        definition: ShortField,
    },
    /// A custom field is deleted with its content.
    RemoveField {
        /// API name of the object.
        object: String,
        /// API name.
        field: String,
    },
    /// A custom field gets another API name; its content stays.
    RenameField {
        /// API name of the object.
        object: String,
        /// API name.
        field: String,
        /// The new API name.
        to: String,
    },
    /// A custom field gets another type; content that the type cannot hold is lost.
    RetypeField {
        /// API name of the object.
        object: String,
        /// API name.
        field: String,
        /// What it is from now on.
        definition: ShortField,
    },
    /// Keys of an object's describe result get other values: its label, its record types.
    SetObject {
        /// API name.
        object: String,
        /// Keys and values.
        describe: BTreeMap<String, Json>,
    },
    /// Keys of a field's describe result get other values: the values of a standard picklist.
    SetField {
        /// API name of the object.
        object: String,
        /// API name.
        field: String,
        /// Keys and values.
        describe: BTreeMap<String, Json>,
    },
}

/// A changed schema and how its numbers relate to those of the old one.
#[derive(Debug)]
pub struct Changed {
    /// The schema.
    pub schema: Schema,
    /// For each object the number that it had.
    pub objects: Vec<Option<usize>>,
    /// For each object whose fields changed, for each field the number that it had.
    pub fields: HashMap<usize, Vec<Option<usize>>>,
    /// A field whose content has to be read anew for its type: object and field.
    pub retyped: Option<(usize, usize)>,
}

impl Schema {
    /// The schema after a change at a time (milliseconds since 1970). The error says what is wrong with it.
    pub fn changed_by(&self, change: &SchemaChange, at: i64) -> Result<Changed, String> {
        let mut draft = Draft { schema: self, describes: BTreeMap::new(), removed: None, renamed: None };
        let mut retyped = None;
        match change {
            SchemaChange::AddObject { object, definition } => draft.add_object(object, definition)?,
            SchemaChange::RemoveObject { object } => draft.remove_object(object)?,
            SchemaChange::AddField { object, field, definition } => {
                draft.add_field(object, field, definition)?;
            }
            SchemaChange::RemoveField { object, field } => draft.remove_field(object, field)?,
            SchemaChange::RenameField { object, field, to } => draft.rename_field(object, field, to)?,
            SchemaChange::RetypeField { object, field, definition } => {
                draft.retype_field(object, field, definition)?;
                retyped = Some((object, field));
            }
            SchemaChange::SetObject { object, describe } => {
                draft.describe(object)?.extend(describe.clone());
            }
            SchemaChange::SetField { object, field, describe } => {
                let known = draft.fields(object)?.iter_mut().find(|known| known["name"] == **field);
                let known = known.and_then(Json::as_object_mut);
                known.ok_or_else(|| format!("{object} has no field {field}"))?.extend(describe.clone());
            }
        }
        let mut changed = draft.finish(at)?;
        changed.retyped = retyped.and_then(|(object, field)| {
            let object = changed.schema.find(object)?;
            Some((object, changed.schema.object(object).find(field)?))
        });
        Ok(changed)
    }
}

/// A schema on its way to be another one.
struct Draft<'a> {
    schema: &'a Schema,
    /// Describe results that are not those of the schema any more, by API name.
    describes: BTreeMap<String, Map<String, Json>>,
    removed: Option<usize>,
    /// The field that got another name: its object, its new name and the one that it had.
    renamed: Option<(String, String, String)>,
}

impl Draft<'_> {
    fn number(&self, object: &str) -> Result<usize, String> {
        self.schema.find(object).ok_or_else(|| format!("there is no object {object}"))
    }

    /// The describe result of an object, for a change.
    fn describe(&mut self, object: &str) -> Result<&mut Map<String, Json>, String> {
        let known = self.schema.object(self.number(object)?);
        Ok(self.describes.entry(known.name.clone()).or_insert_with(|| known.full_describe()))
    }

    fn fields(&mut self, object: &str) -> Result<&mut Vec<Json>, String> {
        let describe = self.describe(object)?;
        describe
            .get_mut("fields")
            .and_then(Json::as_array_mut)
            .ok_or_else(|| format!("{object} has no fields"))
    }

    fn add_object(&mut self, name: &str, short: &ShortObject) -> Result<(), String> {
        if self.schema.find(name).is_some() {
            return Err(format!("there is an object {name}"));
        }
        if !is_custom(name) {
            return Err(format!("{name}: the name of a custom object ends with __c"));
        }
        let mut fields = Vec::new();
        for (field, content) in &short.fields {
            let field = field.as_str().ok_or("a field's name is not text")?.to_owned();
            let content: ShortField =
                serde_yaml::from_value(content.clone()).map_err(|error| format!("{field}: {error}"))?;
            fields.push((field, content));
        }
        let describe = describe_object(name, short, &fields, &self.free_prefix());
        self.describes.insert(name.to_owned(), describe);
        fields.iter().try_for_each(|(field, content)| self.tell_parents(name, field, content))
    }

    fn free_prefix(&self) -> String {
        let digit = |n: u32| char::from_digit(n % 36, 36).unwrap_or('0');
        let free = (0..36 * 36).map(|n| format!("a{}{}", digit(n / 36), digit(n))).find(|prefix| {
            prefix.as_bytes().try_into().is_ok_and(|prefix| self.schema.find_prefix(prefix).is_none())
        });
        free.unwrap_or_else(|| "aZZ".to_owned())
    }

    fn remove_object(&mut self, name: &str) -> Result<(), String> {
        let number = self.number(name)?;
        if !self.schema.object(number).is_custom() {
            return Err(format!("{name} is a standard object, which cannot be deleted"));
        }
        self.removed = Some(number);
        for relation in self.schema.relations_to(number) {
            let child = self.schema.object(relation.child);
            if relation.child != number && is_custom(&child.fields[relation.field].name) {
                return Err(format!(
                    "{name} cannot be deleted while {}.{} points to it",
                    child.name, child.fields[relation.field].name
                ));
            }
        }
        let gone = self.schema.object(number).name.clone();
        for object in self.schema.objects() {
            let children = object.describe.get("childRelationships").and_then(Json::as_array);
            if children.into_iter().flatten().any(|child| child["childSObject"].as_str() == Some(&gone)) {
                self.forget_child(&object.name, &gone, None)?;
            }
        }
        Ok(())
    }

    fn add_field(&mut self, object: &str, field: &str, short: &ShortField) -> Result<(), String> {
        let number = self.number(object)?;
        if self.schema.object(number).find(field).is_some() {
            return Err(format!("{object} has a field {field}"));
        }
        super::short::check_field(short)?;
        let entries = describe_field(field, short);
        let fields = self.fields(object)?;
        if short.r#type == "masterdetail" {
            // whoever owns the master owns the record
            fields.retain(|known| known["name"] != "OwnerId");
        }
        fields.extend(entries);
        self.tell_parents(object, field, short)
    }

    fn custom_field(&self, object: &str, field: &str) -> Result<String, String> {
        let known = self.schema.object(self.number(object)?);
        let number = known.find(field).ok_or_else(|| format!("{object} has no field {field}"))?;
        let name = &known.fields[number].name;
        if is_custom(name) { Ok(name.clone()) } else { Err(format!("{name} is a standard field")) }
    }

    fn remove_field(&mut self, object: &str, field: &str) -> Result<(), String> {
        let field = self.custom_field(object, field)?;
        self.untell_parents(object, &field)?;
        let fields = self.fields(object)?;
        fields.retain(|known| known["name"] != *field && known["compoundFieldName"] != *field);
        Ok(())
    }

    fn rename_field(&mut self, object: &str, field: &str, to: &str) -> Result<(), String> {
        let field = self.custom_field(object, field)?;
        let number = self.number(object)?;
        if !is_custom(to) || self.schema.object(number).find(to).is_some() {
            return Err(format!("{to} is not a free name of a custom field"));
        }
        let name = self.schema.object(number).name.clone();
        for known in self.fields(object)? {
            if known["compoundFieldName"] == *field {
                return Err(format!("{field} has parts, and keeps its name"));
            }
            if known["name"] == *field {
                known["name"] = json!(to);
                if known["relationshipName"].is_string() {
                    known["relationshipName"] = json!(to.replace("__c", "__r"));
                }
            }
        }
        for parent in self.parents(number, &field) {
            let children = self.describe(&parent)?.get_mut("childRelationships").and_then(Json::as_array_mut);
            for child in children.into_iter().flatten() {
                if child["childSObject"] == *name && child["field"] == *field {
                    child["field"] = json!(to);
                }
            }
        }
        self.renamed = Some((name, to.to_owned(), field));
        Ok(())
    }

    fn retype_field(&mut self, object: &str, field: &str, short: &ShortField) -> Result<(), String> {
        let field = self.custom_field(object, field)?;
        super::short::check_field(short)?;
        self.untell_parents(object, &field)?;
        let entry = describe_field(&field, short).into_iter().next().ok_or("a field has no type")?;
        for known in self.fields(object)?.iter_mut().filter(|known| known["name"] == *field) {
            *known = entry.clone();
        }
        self.tell_parents(object, &field, short)
    }

    fn parents(&self, object: usize, field: &str) -> Vec<String> {
        let described = self.schema.object(object);
        let field = described.find(field).map(|field| &described.fields[field]);
        field.map(|field| field.reference_to.clone()).unwrap_or_default()
    }

    fn tell_parents(&mut self, object: &str, field: &str, short: &ShortField) -> Result<(), String> {
        for parent in short.to.iter().filter(|parent| !VIRTUAL.contains(&parent.as_str())) {
            let name = if parent == object { object.to_owned() } else { parent.clone() };
            if !self.describes.contains_key(&name) && self.schema.find(&name).is_none() {
                return Err(format!("{field}: there is no object {parent}"));
            }
            let describe = if self.describes.contains_key(&name) {
                self.describes.get_mut(&name).ok_or("there is no such object")?
            } else {
                self.describe(&name)?
            };
            if let Some(Json::Array(children)) = describe.get_mut("childRelationships") {
                children.push(child_relationship(object, field, short));
            }
        }
        Ok(())
    }

    fn untell_parents(&mut self, object: &str, field: &str) -> Result<(), String> {
        let number = self.number(object)?;
        let name = self.schema.object(number).name.clone();
        for parent in self.parents(number, field) {
            if self.schema.find(&parent).is_some() {
                self.forget_child(&parent, &name, Some(field))?;
            }
        }
        Ok(())
    }

    fn forget_child(&mut self, parent: &str, child: &str, field: Option<&str>) -> Result<(), String> {
        if let Some(Json::Array(children)) = self.describe(parent)?.get_mut("childRelationships") {
            children.retain(|known| {
                known["childSObject"] != *child || field.is_some_and(|field| known["field"] != *field)
            });
        }
        Ok(())
    }

    fn finish(mut self, at: i64) -> Result<Changed, String> {
        let mut objects: Vec<Arc<Object>> = Vec::new();
        let mut touched = Vec::new();
        for (number, object) in self.schema.objects().iter().enumerate() {
            if self.removed == Some(number) {
                self.describes.remove(&object.name);
            } else if let Some(describe) = self.describes.remove(&object.name) {
                touched.push(object.name.clone());
                objects.push(described(describe, at)?);
            } else {
                objects.push(object.clone());
            }
        }
        for describe in std::mem::take(&mut self.describes).into_values() {
            objects.push(described(describe, at)?);
        }
        let schema = Schema::of(objects);
        let old_number = |object: &Arc<Object>| self.schema.find(&object.name);
        let old_objects: Vec<Option<usize>> = schema.objects().iter().map(old_number).collect();
        let mut fields = HashMap::new();
        for name in touched {
            let (Some(new), Some(old)) = (schema.find(&name), self.schema.find(&name)) else { continue };
            let old = self.schema.object(old);
            let renamed = self.renamed.as_ref().filter(|(object, ..)| *object == name);
            let old_field = |field: &super::Field| {
                let other = renamed.filter(|(_, new, _)| *new == field.name).map(|(.., old)| old);
                old.find(other.unwrap_or(&field.name))
            };
            fields.insert(new, schema.object(new).fields.iter().map(old_field).collect());
        }
        Ok(Changed { schema, objects: old_objects, fields, retyped: None })
    }
}

fn described(describe: Map<String, Json>, at: i64) -> Result<Arc<Object>, String> {
    let mut object = Object::from_describe(describe)?;
    object.changed = at;
    Ok(Arc::new(object))
}
