//! Deleting components, and what keeps them from being deleted: what still refers to them.

use std::collections::HashSet;
use std::sync::Arc;

use super::effect::kind_of;
use super::records;
use crate::automation::Kind;
use crate::metadata::catalog::Catalog;
use crate::metadata::xml::Element;
use crate::metadata::{Component, Key};
use crate::schema::SchemaChange;
use crate::schema::full::is_custom;
use crate::store::World;
use crate::value::Id;

/// Deletes a component; whether there was one. `deleted` are all that the same deploy deletes, which keep nothing. What
/// deleting takes along is gone at once: `purge` makes no difference here, since nothing reads the bin of the set-up. The
/// error is a message.
pub(super) fn remove(
    world: &mut World,
    key: &Key,
    deleted: &HashSet<Key>,
    _purge: bool,
) -> Result<bool, String> {
    let known = world.metadata.get(key).cloned();
    if known.is_none() && !Catalog::new(world, Id::LOWEST).has(key) {
        return Ok(false);
    }
    if known.as_ref().is_some_and(|known| known.managed) {
        return Err(format!(
            "Cannot delete managed object: entity={}, component={}, state=installed",
            key.type_name, key.full_name
        ));
    }
    let uses = references(world, key, deleted);
    if !uses.is_empty() {
        let what = kind(&key.type_name).to_lowercase();
        // as users report it (SFDO-Tooling/CumulusCI#142)
        let told: Vec<String> = uses
            .iter()
            .map(|user| format!("This {what} is referenced elsewhere in salesforce.com. : {user}."))
            .collect();
        return Err(told.join(" "));
    }
    let at = world.database.surroundings().now();
    match &*key.type_name {
        "CustomObject" => {
            if !is_custom(&key.full_name) && !key.full_name.ends_with("__e") {
                return Err(format!("Cannot delete standard object: {}", key.full_name));
            }
            if world.schema.find(&key.full_name).is_some() {
                let change = SchemaChange::RemoveObject { object: key.full_name.to_string() };
                world.change_schema(&change, at)?;
            }
            forget_parts(world, &key.full_name);
        }
        "CustomField" => {
            let (object, field) = key.full_name.split_once('.').unwrap_or_default();
            if !is_custom(field) {
                return Err(format!("Cannot delete standard field: {}", key.full_name));
            }
            let objects: &[&str] = if object == "Activity" { &["Task", "Event"] } else { &[object] };
            for object in objects {
                let number = world.schema.find(object);
                if number.is_some_and(|number| world.schema.object(number).find(field).is_some()) {
                    let change =
                        SchemaChange::RemoveField { object: (*object).to_owned(), field: field.to_owned() };
                    world.change_schema(&change, at)?;
                }
            }
        }
        "CustomMetadata" => records::remove(world, key),
        // as users report it: record types go in the set-up pages alone
        "RecordType" => return Err("Cannot delete record type through API".to_owned()),
        "StandardValueSet" | "Layout" if known.is_none() => {
            return Err(format!("{} {} cannot be deleted", key.type_name, key.full_name));
        }
        "Profile" if known.is_none() => return Err("Cannot delete standard profile".to_owned()),
        "Flow" if is_active(known.as_deref()) => {
            // an active version cannot be deleted (Metadata API guide, Flow); the words as users report them
            return Err("insufficient access rights on cross-reference id".to_owned());
        }
        _ => {}
    }
    forget_automations(world, key)?;
    world.metadata.remove(key);
    let parts: Vec<Key> = world
        .metadata
        .all()
        .map(|(part, _)| part)
        .filter(|part| part.parent().as_ref() == Some(key))
        .cloned()
        .collect();
    for part in parts {
        world.metadata.remove(&part);
    }
    Ok(true)
}

/// What fired because of the component, or looked at records of the object.
fn forget_automations(world: &mut World, key: &Key) -> Result<(), String> {
    let gone: Vec<(Kind, String)> = world
        .automations
        .all()
        .filter(|automation| match &*key.type_name {
            "CustomObject" => automation.object == *key.full_name,
            type_name => {
                kind_of(type_name) == Some(automation.kind) && automation.full_name == *key.full_name
            }
        })
        .map(|automation| (automation.kind, automation.full_name.clone()))
        .collect();
    if gone.is_empty() {
        return Ok(());
    }
    let automations = Arc::make_mut(&mut world.automations);
    gone.iter().try_for_each(|(kind, name)| {
        automations.remove(*kind, name).map(drop).map_err(|error| error.to_string())
    })
}

fn is_active(flow: Option<&Component>) -> bool {
    let root = flow.and_then(Component::document).and_then(|file| Element::parse(&file.bytes).ok());
    root.is_some_and(|root| root.text_of("status") == Some("Active"))
}

/// What goes with an object: its layouts and its tab.
fn forget_parts(world: &mut World, object: &str) {
    let layouts = format!("{object}-");
    let gone: Vec<Key> = world
        .metadata
        .all()
        .map(|(key, _)| key)
        .filter(|key| match &*key.type_name {
            "Layout" => key.full_name.starts_with(&layouts),
            "CustomTab" | "Workflow" | "SharingRules" => &*key.full_name == object,
            _ => false,
        })
        .cloned()
        .collect();
    for key in gone {
        world.metadata.remove(&key);
    }
}

/// How messages name a type.
fn kind(type_name: &str) -> &str {
    match type_name {
        "ApexClass" => "Apex Class",
        "ApexTrigger" => "Apex Trigger",
        "ApexPage" => "Visualforce Page",
        "ApexComponent" => "Visualforce Component",
        "CustomField" => "Custom Field",
        "CustomObject" => "Custom Object",
        "GlobalValueSet" => "Global Value Set",
        "Flow" => "Flow Version",
        "ValidationRule" => "Validation Rule",
        "WorkflowRule" => "Workflow Rule",
        "WorkflowFieldUpdate" => "Field Update",
        "WorkflowAlert" => "Workflow Alert",
        "MatchingRule" => "Matching Rule",
        other => other,
    }
}

/// Components that refer to one, as messages name them. Layouts, profiles, list views and reports are no hindrance: what
/// they show of it just goes.
fn references(world: &World, key: &Key, deleted: &HashSet<Key>) -> Vec<String> {
    let mut found = Vec::new();
    let gone = |other: &Key| {
        other == key
            || deleted.contains(other)
            || other.parent().is_some_and(|parent| deleted.contains(&parent))
    };
    for (other, component) in world.metadata.all() {
        if gone(other) || other.parent().as_ref() == Some(key) {
            continue;
        }
        if refers(other, component, key) {
            let formula = &*other.type_name == "CustomField";
            let kind = if formula { "Custom Formula Field" } else { kind(&other.type_name) };
            found.push(format!("{kind} - {}", other.full_name));
        }
    }
    found
}

fn refers(other: &Key, component: &Component, key: &Key) -> bool {
    let texts = || component.files.iter().map(|file| String::from_utf8_lossy(&file.bytes));
    let names = |word: &str| texts().any(|text| has_word(&text, word));
    match (&*key.type_name, &*other.type_name) {
        (
            "CustomField",
            "CustomField" | "ValidationRule" | "WorkflowRule" | "WorkflowFieldUpdate" | "MatchingRule",
        ) => {
            let Some((object, own)) = key.full_name.split_once('.') else { return false };
            let same_object = other.full_name.split('.').next() == Some(object);
            let text = formula_text(component);
            if same_object {
                has_word(&text, own)
            } else {
                has_word(&text, &key.full_name) || over_relationship(&text, own)
            }
        }
        ("CustomField", "ApexClass" | "ApexTrigger" | "Flow" | "ApexPage") => {
            let Some((object, own)) = key.full_name.split_once('.') else { return false };
            names(own) && names(object)
        }
        ("CustomObject", "ApexClass" | "ApexTrigger" | "Flow" | "ApexPage") => names(&key.full_name),
        (
            "ApexClass",
            "ApexClass"
            | "ApexTrigger"
            | "ApexPage"
            | "ApexComponent"
            | "AuraDefinitionBundle"
            | "LightningComponentBundle"
            | "Flow",
        ) => names(&key.full_name),
        ("GlobalValueSet", "CustomField") => {
            texts().any(|text| text.contains(&format!("<valueSetName>{}<", key.full_name)))
        }
        ("WorkflowFieldUpdate" | "WorkflowAlert" | "WorkflowTask", "WorkflowRule") => {
            other.full_name.split('.').next() == key.full_name.split('.').next()
                && texts().any(|text| text.contains(&format!("<name>{}<", key.own_name())))
        }
        _ => false,
    }
}

/// What a document says of other fields: its formulas and criteria. Its own name and label say nothing.
fn formula_text(component: &Component) -> String {
    let root = component.document().and_then(|file| Element::parse(&file.bytes).ok());
    let Some(root) = root else { return String::new() };
    let mut text = String::new();
    let told = [
        "formula",
        "errorConditionFormula",
        "summarizedField",
        "summaryForeignKey",
        "field",
        "controllingField",
        "fieldName",
        "valueField",
        "booleanFilter",
    ];
    gather(&root, &told, &mut text);
    text
}

fn gather(element: &Element, names: &[&str], text: &mut String) {
    if names.contains(&element.name.as_str()) {
        text.push_str(&element.text);
        text.push('\n');
    }
    element.children.iter().for_each(|child| gather(child, names, text));
}

fn is_part_of_word(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// Whether a name stands in a text by itself.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        !is_part_of_word(text[..at].chars().next_back())
            && !is_part_of_word(text[at + word.len()..].chars().next())
    })
}

/// Whether a field stands behind a relationship: `Parent__r.Field__c`.
fn over_relationship(text: &str, own: &str) -> bool {
    text.match_indices(own).any(|(at, _)| {
        text[..at].ends_with("__r.") && !is_part_of_word(text[at + own.len()..].chars().next())
    })
}
