//! Automations as components: those that `automation.yaml` declares have no metadata of their own, and show some here; of
//! all of them the metadata tells whether they are switched on, however they were switched.

use super::store::Key;
use super::xml::Element;
use crate::automation::{Automation, Condition, Effect, Kind, Moment};
use crate::store::World;

/// The kind of automation that a type of metadata is.
fn kind(type_name: &str) -> Option<Kind> {
    Some(match type_name {
        "ValidationRule" => Kind::ValidationRule,
        "ApexTrigger" => Kind::ApexTrigger,
        "Flow" | "FlowDefinition" => Kind::Flow,
        "WorkflowRule" => Kind::WorkflowRule,
        "DuplicateRule" => Kind::DuplicateRule,
        "AssignmentRule" => Kind::AssignmentRule,
        _ => return None,
    })
}

/// The names of a type's components that are automations.
pub(super) fn names(world: &World, type_name: &str) -> Vec<String> {
    let Some(kind) = kind(type_name) else { return Vec::new() };
    let of = world.automations.all().filter(|automation| automation.kind == kind);
    of.map(|automation| automation.full_name.clone()).collect()
}

/// The automation that a component is.
pub(super) fn find<'a>(world: &'a World, key: &Key) -> Option<&'a Automation> {
    world.automations.find(kind(&key.type_name)?, &key.full_name)
}

/// The document of an automation that has none of its own.
pub(super) fn document(automation: &Automation, type_name: &str) -> Element {
    let mut root = Element::new(type_name);
    let own = automation.full_name.rsplit('.').next().unwrap_or_default();
    let when = &automation.rule.when;
    match type_name {
        "ValidationRule" => {
            root.push("fullName", own);
            // a rule that is declared by criteria says so by their fields
            let formula = when.formula.clone().map_or_else(|| "true".to_owned(), String::from);
            root.push("errorConditionFormula", formula);
            let refusal = automation.rule.effects.iter().find_map(|effect| match effect {
                Effect::Refuse { message, field, .. } => Some((message, field)),
                _ => None,
            });
            if let Some((message, field)) = refusal {
                if let Some(field) = field {
                    root.push("errorDisplayField", field);
                }
                root.push("errorMessage", message);
            }
        }
        "ApexTrigger" => root.push("apiVersion", "60.0"),
        "Flow" => flow(&mut root, automation),
        "FlowDefinition" => {}
        "WorkflowRule" => {
            root.push("fullName", own);
            condition(&mut root, &automation.object, when);
            let updates = automation.rule.on.contains(&Moment::AfterUpdate);
            root.push("triggerType", if updates { "onAllChanges" } else { "onCreateOnly" });
        }
        "DuplicateRule" => {
            let action = if automation.rule.blocks { "Block" } else { "Allow" };
            root.push("actionOnInsert", action);
            root.push("actionOnUpdate", action);
            root.push("masterLabel", own);
            root.push("securityOption", "EnforceSharingRules");
            root.push("sortOrder", "1");
        }
        _ => root.push("fullName", own),
    }
    set(&mut root, automation.active);
    root
}

fn flow(root: &mut Element, automation: &Automation) {
    let on = &automation.rule.on;
    let has = |moments: [Moment; 2]| moments.iter().any(|moment| on.contains(moment));
    let deletes = on.contains(&Moment::BeforeDelete);
    let begins = has([Moment::BeforeInsert, Moment::AfterInsert]);
    let changes = has([Moment::BeforeUpdate, Moment::AfterUpdate]);
    let before = deletes || has([Moment::BeforeInsert, Moment::BeforeUpdate]);
    let mut start = Element::new("start");
    start.push("locationX", "0");
    start.push("locationY", "0");
    start.push("object", automation.object.clone());
    start.push(
        "recordTriggerType",
        match (deletes, begins, changes) {
            (true, ..) => "Delete",
            (_, true, true) => "CreateAndUpdate",
            (_, _, true) => "Update",
            _ => "Create",
        },
    );
    let kind = if deletes {
        "RecordBeforeDelete"
    } else if before {
        "RecordBeforeSave"
    } else {
        "RecordAfterSave"
    };
    start.push("triggerType", kind);
    root.push("label", automation.full_name.clone());
    root.push("processType", "AutoLaunchedFlow");
    root.children.push(start);
}

fn condition(root: &mut Element, object: &str, when: &Condition) {
    if let Some(formula) = &when.formula {
        root.push("formula", String::from(formula.clone()));
    }
    for criterion in &when.criteria {
        let mut item = Element::new("criteriaItems");
        let of_object = criterion.field.contains('.');
        let field = if of_object { criterion.field.clone() } else { format!("{object}.{}", criterion.field) };
        item.push("field", field);
        let operation = serde_json::to_value(criterion.operation).ok();
        item.push("operation", operation.as_ref().and_then(|told| told.as_str()).unwrap_or("equals"));
        item.push("value", criterion.value.clone());
        root.children.push(item);
    }
}

/// The content beside the document of a trigger that has none of its own.
pub(super) fn body(automation: &Automation) -> String {
    let word = |moment: &Moment| serde_json::to_value(moment).ok()?.as_str().map(str::to_owned);
    let on: Vec<String> = automation.rule.on.iter().filter_map(word).collect();
    format!("trigger {} on {} ({}) {{\n}}\n", automation.full_name, automation.object, on.join(", "))
}

/// The element of a document that tells whether an automation is on, and its words for on and off.
fn element(root: &str) -> (&'static str, &'static str, &'static str) {
    match root {
        "ApexTrigger" => ("status", "Active", "Inactive"),
        "Flow" => ("status", "Active", "Obsolete"),
        "FlowDefinition" => ("activeVersionNumber", "1", "0"),
        "DuplicateRule" => ("isActive", "true", "false"),
        _ => ("active", "true", "false"),
    }
}

fn set(root: &mut Element, active: bool) {
    let (element, on, off) = element(&root.name);
    root.set(element, if active { on } else { off });
    root.sort();
}

/// Tells in a document whether the automation is switched on, if it says something else. Whether it did.
pub(super) fn switch(root: &mut Element, active: bool) -> bool {
    let (element, on, _) = element(&root.name);
    let is_on = match (root.name.as_str(), root.text_of(element)) {
        // any version may be the one that is on
        ("FlowDefinition", Some(version)) => version != "0",
        // triggers are on unless they say otherwise, all else the other way around
        (name, None) => name == "ApexTrigger",
        (_, Some(told)) => told == on,
    };
    if is_on != active {
        set(root, active);
    }
    is_on != active
}
