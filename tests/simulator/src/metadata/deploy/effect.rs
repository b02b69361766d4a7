//! What deploying a component does to an org beside being stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::{grants, records};
use crate::automation::{Around, Kind};
use crate::formula::Formula;
use crate::metadata::mdapi::Unit;
use crate::metadata::xml::Element;
use crate::metadata::{Key, Stamp};
use crate::org::{Site, ValueSets, field_of, object_of};
use crate::schema::full::{describe_object, is_custom};
use crate::schema::short::ShortField;
use crate::schema::{Schema, SchemaChange};
use crate::store::World;

/// Why a component is not deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) message: String,
    /// The line of its document, from 1; 0 where it is not known.
    pub(crate) line: u32,
}

impl Problem {
    /// A problem at no particular line.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), line: 0 }
    }

    fn at(line: u32, message: impl Into<String>) -> Self {
        Self { message: message.into(), line }
    }
}

/// Around a component.
pub(crate) struct Context<'a> {
    pub(crate) site: &'a Site,
    pub(crate) stamp: Stamp,
    /// It is what the org had before.
    pub(crate) same: bool,
}

/// The document of a unit.
pub(super) fn document(unit: &Unit) -> Option<Element> {
    let meta = unit.files.iter().find(|file| file.path.ends_with("-meta.xml"));
    Element::parse(&meta.or(unit.files.first())?.bytes).ok()
}

fn text(unit: &Unit) -> &str {
    let bytes = unit.files.first().map(|file| &file.bytes[..]).unwrap_or_default();
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// The global value sets of an org.
pub(super) fn value_sets(world: &World) -> ValueSets {
    let mut sets = ValueSets::default();
    for (key, component) in world.metadata.of_type("GlobalValueSet") {
        let bytes = component.document().map(|file| &file.bytes[..]).unwrap_or_default();
        // what is stored was read before
        let _ = sets.add(&key.full_name, std::str::from_utf8(bytes).unwrap_or_default());
    }
    sets
}

/// Whether the schema has a field, given as `Object.Field`. Fields of Activity are those of tasks.
pub(super) fn has_field(schema: &Schema, path: &str) -> bool {
    let Some((object, field)) = path.split_once('.') else { return false };
    let object = if object == "Activity" { "Task" } else { object };
    schema.find(object).is_some_and(|object| schema.object(object).find(field).is_some())
}

fn no_field(path: &str) -> String {
    format!("In field: field - no CustomField named {path} found")
}

/// Holds what a component names against the org.
pub(super) fn check(world: &World, unit: &Unit) -> Result<(), Problem> {
    let key = &unit.key;
    if let Some(parent) = key.parent().filter(|parent| &*parent.type_name == "CustomObject") {
        let known = world.schema.find(&parent.full_name).is_some()
            || world.metadata.get(&parent).is_some()
            || matches!(&*parent.full_name, "Activity" | "PersonAccount");
        if !known {
            let message =
                format!("Entity of type 'CustomObject' named '{}' cannot be found", parent.full_name);
            return Err(Problem::new(message));
        }
    }
    let Some(root) = document(unit) else { return Ok(()) };
    let missing = |element: &Element, name: &str| -> Option<(u32, String)> {
        let path = element.text_of(name)?;
        let own = path.split_once('.').map_or(path, |(_, own)| own);
        // names of standard fields are not always those of the API, and packages bring theirs
        (own.ends_with("__c") && !has_field(&world.schema, path)).then(|| (element.line, path.to_owned()))
    };
    match &*key.type_name {
        "Profile" | "PermissionSet" => {
            for permission in root.children_of("fieldPermissions") {
                if let Some((line, path)) = missing(permission, "field") {
                    return Err(Problem::at(line, no_field(&path)));
                }
            }
            for permission in root.children_of("objectPermissions") {
                let Some(object) = permission.text_of("object") else { continue };
                if object.ends_with("__c") && world.schema.find(object).is_none() {
                    let message = format!("In field: field - no CustomObject named {object} found");
                    return Err(Problem::at(permission.line, message));
                }
            }
        }
        "Layout" => {
            let object = key.full_name.split('-').next().unwrap_or_default();
            if world.schema.find(object).is_none() {
                if object.ends_with("__c") {
                    return Err(Problem::new(format!(
                        "In field: entity - no CustomObject named {object} found"
                    )));
                }
                return Ok(());
            }
            let mut names = Vec::new();
            collect(&root, "layoutItems", "field", &mut names);
            for (line, name) in names {
                let path = format!("{object}.{name}");
                if name.ends_with("__c") && !has_field(&world.schema, &path) {
                    return Err(Problem::at(line, no_field(&path)));
                }
            }
        }
        "WorkflowFieldUpdate" => {
            let object = key.full_name.split('.').next().unwrap_or_default();
            let field = root.text_of("field").unwrap_or_default();
            let path = format!("{object}.{field}");
            if field.ends_with("__c") && !has_field(&world.schema, &path) {
                return Err(Problem::new(no_field(&path)));
            }
        }
        "ValidationRule" => {
            let object = key.full_name.split('.').next().unwrap_or_default();
            let formula = root.text_of("errorConditionFormula").unwrap_or_default();
            if formula.is_empty() {
                return Err(Problem::new("Required field is missing: errorConditionFormula"));
            }
            if root.text_of("errorMessage").is_none_or(str::is_empty) {
                return Err(Problem::new("Required field is missing: errorMessage"));
            }
            check_formula(world, object, formula)?;
        }
        "ApexClass" | "ApexTrigger" => {
            let body = unit.files.iter().find(|file| !file.path.ends_with("-meta.xml"));
            let body = body.map(|file| String::from_utf8_lossy(&file.bytes)).unwrap_or_default();
            check_code(key, &body)?;
        }
        _ => {}
    }
    Ok(())
}

fn collect(element: &Element, holder: &str, name: &str, found: &mut Vec<(u32, String)>) {
    if element.name == holder
        && let Some(text) = element.text_of(name)
    {
        found.push((element.line, text.to_owned()));
    }
    element.children.iter().for_each(|child| collect(child, holder, name, found));
}

/// What can be said of code without compiling it: it declares what its file is named after.
fn check_code(key: &Key, body: &str) -> Result<(), Problem> {
    let words = body.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let declares = words.windows(2).any(|pair| {
        let kind = pair[0].to_ascii_lowercase();
        matches!(kind.as_str(), "class" | "interface" | "enum" | "trigger")
            && pair[1].eq_ignore_ascii_case(&key.full_name)
    });
    // the sources of packages are hidden
    if declares || body.trim() == "(hidden)" {
        return Ok(());
    }
    Err(Problem::at(
        1,
        format!("Invalid character in identifier or unexpected token: no declaration of {}", key.full_name),
    ))
}

/// Whether a formula can be read, and its fields are there.
fn check_formula(world: &World, object: &str, text: &str) -> Result<(), Problem> {
    let formula = Formula::parse(text).map_err(|error| Problem::new(error.to_string()))?;
    let Some(number) = world.schema.find(object) else { return Ok(()) };
    let described = world.schema.object(number);
    for field in formula.fields() {
        // paths over relationships and $-variables are resolved when the formula is evaluated
        if field.ends_with("__c")
            && !field.contains('.')
            && !field.starts_with('$')
            && described.find(&field).is_none()
        {
            return Err(Problem::new(format!("Field {field} does not exist. Check spelling.")));
        }
    }
    Ok(())
}

/// Does what a component that was stored does.
pub(super) fn apply(
    world: &mut World,
    unit: &Unit,
    context: &Context<'_>,
    sets: &mut ValueSets,
) -> Result<(), Problem> {
    let key = &unit.key;
    match &*key.type_name {
        "CustomObject" => object(world, unit, context, sets),
        "CustomField" => {
            let (object, _) = key.full_name.split_once('.').unwrap_or_default();
            // fields of Activity are those of tasks and events
            if object == "Activity" {
                ["Task", "Event"].iter().try_for_each(|object| field(world, object, unit, context, sets))
            } else {
                field(world, object, unit, context, sets)
            }
        }
        "GlobalValueSet" => {
            sets.add(&key.full_name, text(unit)).map_err(Problem::new)?;
            use_values(world, &key.full_name, context, sets)
        }
        "StandardValueSet" => standard_values(world, unit, context),
        "RecordType" => records::record_type(world, unit, context),
        "CustomMetadata" => records::custom_metadata(world, unit, context),
        "Profile" => {
            grants::profile(world, unit, context.site);
            Ok(())
        }
        "CustomLabel" => {
            if let Some(value) = document(unit).and_then(|root| Some(root.text_of("value")?.to_owned())) {
                world.database.surroundings_mut().labels.insert(key.own_name().to_owned(), value);
            }
            Ok(())
        }
        "ValidationRule" | "ApexTrigger" | "WorkflowRule" | "DuplicateRule" | "AssignmentRule" | "Flow" => {
            automation(world, key)
        }
        "FlowDefinition" => {
            let active =
                document(unit).and_then(|root| root.text_of("activeVersionNumber")?.parse::<u32>().ok());
            let automations = Arc::make_mut(&mut world.automations);
            // a definition of a flow that no record triggers is no automation
            if let Some(active) = active.filter(|_| automations.find(Kind::Flow, &key.full_name).is_some()) {
                automations
                    .set_active(Kind::Flow, &key.full_name, active > 0, context.stamp.at)
                    .map_err(|error| Problem::new(error.to_string()))?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The component becomes what fires. What cannot be evaluated here stays metadata alone, as it does when an org is loaded.
fn automation(world: &mut World, key: &Key) -> Result<(), Problem> {
    let Some(component) = world.metadata.get(key).cloned() else { return Ok(()) };
    let around = Around { schema: &world.schema, database: &world.database, metadata: &world.metadata };
    match around.read(key, &component) {
        Ok(automation) => {
            let automations = Arc::make_mut(&mut world.automations);
            automations.replace(automation).map_err(|error| Problem::new(error.to_string()))?;
        }
        Err(error) if &*key.type_name == "ValidationRule" => return Err(Problem::new(error)),
        Err(error) => {
            if let Some(kind) = kind_of(&key.type_name) {
                Arc::make_mut(&mut world.automations)
                    .remove(kind, &key.full_name)
                    .map_err(|error| Problem::new(error.to_string()))?;
            }
            tracing::debug!(component = %key.full_name, error, "a deployed component does not fire");
        }
    }
    Ok(())
}

/// The kind of automation that components of a type are.
pub(super) fn kind_of(type_name: &str) -> Option<Kind> {
    let all = [
        Kind::ValidationRule,
        Kind::ApexTrigger,
        Kind::Flow,
        Kind::WorkflowRule,
        Kind::DuplicateRule,
        Kind::AssignmentRule,
    ];
    all.into_iter().find(|kind| kind.name() == type_name)
}

fn change(world: &mut World, change: &SchemaChange, at: i64) -> Result<(), Problem> {
    world.change_schema(change, at).map_err(Problem::new)
}

fn object(world: &mut World, unit: &Unit, context: &Context<'_>, sets: &ValueSets) -> Result<(), Problem> {
    let name = unit.key.full_name.to_string();
    // events are streamed, not queried; standard objects are what they are
    if !is_custom(&name) {
        return match world.schema.find(&name) {
            None if name.ends_with("__e") || matches!(&*name, "Activity" | "PersonAccount") => Ok(()),
            None if !name.contains("__") => {
                Err(Problem::new(format!("Entity of type 'CustomObject' named '{name}' cannot be found")))
            }
            _ => Ok(()),
        };
    }
    let (short, fields) = object_of(&name, text(unit), sets).map_err(Problem::new)?;
    let at = context.stamp.at;
    if world.schema.find(&name).is_none() {
        if short.label.is_none() {
            return Err(Problem::new("Must specify a non-empty label for the CustomObject"));
        }
        change(world, &SchemaChange::AddObject { object: name.clone(), definition: short }, at)?;
        for (field, definition) in fields {
            change(world, &SchemaChange::AddField { object: name.clone(), field, definition }, at)?;
        }
        return Ok(());
    }
    if context.same {
        return Ok(());
    }
    let described = describe_object(&name, &short, &fields, "");
    let keys = ["label", "labelPlural", "feedEnabled"];
    let describe: BTreeMap<String, Json> = keys
        .iter()
        .filter(|key| short.label.is_some() || **key == "feedEnabled")
        .filter_map(|key| Some(((*key).to_owned(), described.get(*key)?.clone())))
        .collect();
    change(world, &SchemaChange::SetObject { object: name, describe }, at)
}

fn field(
    world: &mut World,
    object: &str,
    unit: &Unit,
    context: &Context<'_>,
    sets: &ValueSets,
) -> Result<(), Problem> {
    let Some(root) = document(unit) else { return Ok(()) };
    let at = context.stamp.at;
    let read = field_of(text(unit), sets).map_err(Problem::new)?;
    // standard fields tell settings only, and events have none that the data API shows
    let Some((name, definition)) = read else { return Ok(()) };
    if !is_custom(&name) || world.schema.find(object).is_none() {
        return Ok(());
    }
    if root.text_of("label").is_none_or(str::is_empty) {
        return Err(Problem::new("Must specify a non-empty label for the CustomField"));
    }
    if let Some(set) = root.child("valueSet").and_then(|set| set.text_of("valueSetName"))
        && !sets.has(set)
    {
        return Err(Problem::new(format!("In field: valueSetName - no GlobalValueSet named {set} found")));
    }
    for to in &definition.to {
        if world.schema.find(to).is_none() && root.text_of("type") != Some("MetadataRelationship") {
            // as users report it
            return Err(Problem::new(format!(
                "referenceTo value of '{to}' does not resolve to a valid sObject type"
            )));
        }
    }
    if let Some(formula) = &definition.formula {
        check_formula(world, object, formula)?;
    }
    for path in ["summaryForeignKey", "summarizedField"].iter().filter_map(|name| root.text_of(name)) {
        if path.ends_with("__c") && !has_field(&world.schema, path) {
            return Err(Problem::new(no_field(path)));
        }
    }
    let number = world.schema.find(object).unwrap_or_default();
    let described = world.schema.object(number);
    let Some(known) = described.find(&name) else {
        if definition.r#type == "masterdetail" && world.database.table(number).count(true) > 0 {
            // "you can't create a master-detail relationship if the custom object already contains data" (Relationship
            // Considerations of Salesforce's help)
            return Err(Problem::new(
                "Cannot create a master-detail relationship: the object already has records",
            ));
        }
        let change_to = SchemaChange::AddField { object: object.to_owned(), field: name, definition };
        return change(world, &change_to, at);
    };
    if context.same {
        return Ok(());
    }
    let was_reference = !described.fields[known].reference_to.is_empty();
    if !was_reference && !definition.to.is_empty() {
        // as users report it (trailheadapps/ebikes-lwc#457)
        let message = "Cannot update a field to a Lookup, MasterDetail, or Hierarchy from something else";
        return Err(Problem::new(message));
    }
    change(world, &SchemaChange::RetypeField { object: object.to_owned(), field: name, definition }, at)
}

/// Gives the fields that use a global value set its values.
fn use_values(world: &mut World, set: &str, context: &Context<'_>, sets: &ValueSets) -> Result<(), Problem> {
    let mut using: Vec<(String, String, ShortField)> = Vec::new();
    for (key, component) in world.metadata.of_type("CustomField") {
        let Some(file) = component.document() else { continue };
        let Ok(root) = Element::parse(&file.bytes) else { continue };
        let used = root.child("valueSet").and_then(|values| values.text_of("valueSetName"));
        let Some((object, _)) = key.full_name.split_once('.').filter(|_| used == Some(set)) else { continue };
        let document = std::str::from_utf8(&file.bytes).unwrap_or_default();
        if let Ok(Some((name, definition))) = field_of(document, sets) {
            using.push((object.to_owned(), name, definition));
        }
    }
    for (object, field, definition) in using {
        if has_field(&world.schema, &format!("{object}.{field}")) {
            change(world, &SchemaChange::RetypeField { object, field, definition }, context.stamp.at)?;
        }
    }
    Ok(())
}

/// Standard picklists get the values of their set.
fn standard_values(world: &mut World, unit: &Unit, context: &Context<'_>) -> Result<(), Problem> {
    let Some(root) = document(unit) else { return Ok(()) };
    let values: Vec<Json> = root
        .children_of("standardValue")
        .filter_map(|value| {
            let name = value.text_of("fullName")?;
            Some(json!({
                "active": value.text_of("isActive") != Some("false"), "defaultValue": value.flag("default"),
                "label": value.text_of("label").unwrap_or(name), "validFor": null, "value": name,
            }))
        })
        .collect();
    for (set, object, field) in crate::metadata::implied::VALUE_SETS {
        if set == &*unit.key.full_name && has_field(&world.schema, &format!("{object}.{field}")) {
            let describe = BTreeMap::from([("picklistValues".to_owned(), json!(values))]);
            let (object, field) = (object.to_owned(), field.to_owned());
            change(world, &SchemaChange::SetField { object, field, describe }, context.stamp.at)?;
        }
    }
    Ok(())
}
