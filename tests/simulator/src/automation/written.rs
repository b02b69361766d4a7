//! Automations that `automation.yaml` declares, written as components of metadata, so that the Metadata API and the
//! Tooling API list, give and switch them like all others. What Apex and flows do is no part of them.

use std::sync::Arc;

use super::{Automation, AutomationError, Automations, Condition, Effect, Kind, Moment};
use crate::metadata::xml::Element;
use crate::metadata::{Component, File, Key, Stamp};
use crate::store::World;
use crate::value::Id;

impl World {
    /// Gives each automation that is no component of metadata yet the component that it would be.
    pub(crate) fn write_automations(&mut self, stamp: Stamp) {
        let mut automations = Automations::clone(&self.automations);
        for automation in self.automations.all() {
            let key = Key::new(automation.kind.name(), &automation.full_name);
            if self.metadata.get(&key).is_some() {
                continue;
            }
            let Some(files) = files(automation) else { continue };
            self.metadata.put(key.clone(), files, stamp);
            let Some(component) = self.metadata.get(&key).cloned() else { continue };
            if let Some(namespace) = &automation.namespace {
                let namespace = Some(namespace.as_str().into());
                let managed = Component { namespace, managed: true, ..Component::clone(&component) };
                self.metadata.put_whole(key, managed);
            }
            // the id of a flow's component is that of its version
            if let Some(id) = component.id.filter(|_| automation.kind != Kind::Flow) {
                automations.set_id(automation.kind, &automation.full_name, id);
            }
        }
        self.automations = Arc::new(automations);
    }

    /// Switches an automation on or off, and says so in its component.
    pub(crate) fn switch_automation(
        &mut self,
        kind: Kind,
        full_name: &str,
        active: bool,
        stamp: Stamp,
    ) -> Result<(), AutomationError> {
        Arc::make_mut(&mut self.automations).set_active(kind, full_name, active, stamp.at)?;
        let key = Key::new(kind.name(), full_name);
        let Some(component) = self.metadata.get(&key).cloned() else { return Ok(()) };
        let Some(document) = component.document() else { return Ok(()) };
        let Ok(mut element) = Element::parse(&document.bytes) else { return Ok(()) };
        let (name, value) = says(kind, active);
        element.set(name, value);
        element.sort();
        let written = File::new(document.path.clone(), element.document());
        let same = |file: &File| if file.path == document.path { written.clone() } else { file.clone() };
        let files: Vec<File> = component.files.iter().map(same).collect();
        self.metadata.put(key, files, stamp);
        Ok(())
    }
}

/// The element that tells whether an automation is active, and what it says.
fn says(kind: Kind, active: bool) -> (&'static str, &'static str) {
    match (kind, active) {
        (Kind::ApexTrigger | Kind::Flow, true) => ("status", "Active"),
        (Kind::ApexTrigger, false) => ("status", "Inactive"),
        (Kind::Flow, false) => ("status", "Obsolete"),
        (Kind::DuplicateRule, true) => ("isActive", "true"),
        (Kind::DuplicateRule, false) => ("isActive", "false"),
        (_, true) => ("active", "true"),
        (_, false) => ("active", "false"),
    }
}

/// The files of an automation; none for one that metadata has no form for.
fn files(automation: &Automation) -> Option<Vec<File>> {
    let (object, rule) = (&automation.object, &automation.rule);
    let own = automation.full_name.rsplit('.').next().unwrap_or_default();
    let kind = automation.kind;
    let mut root = Element::new(kind.name());
    let (active, value) = says(kind, automation.active);
    root.push(active, value);
    if matches!(kind, Kind::ValidationRule | Kind::WorkflowRule | Kind::AssignmentRule) {
        root.push("fullName", own);
    }
    let path = match kind {
        Kind::ValidationRule => {
            root.push("errorConditionFormula", rule.when.formula.clone().map(String::from)?);
            if let [Effect::Refuse { message, field, .. }] = rule.effects.as_slice() {
                root.push("errorMessage", message);
                if let Some(field) = field {
                    root.push("errorDisplayField", field);
                }
            }
            format!("objects/{object}.object")
        }
        Kind::ApexTrigger => {
            root.push("apiVersion", "62.0");
            let on: Vec<String> = rule.on.iter().map(|moment| header(*moment)).collect();
            let source = format!("trigger {own} on {object} ({}) {{\n}}\n", on.join(", "));
            root.sort();
            return Some(vec![
                File::new(format!("triggers/{own}.trigger"), source.into_bytes()),
                File::new(format!("triggers/{own}.trigger-meta.xml"), root.document()),
            ]);
        }
        Kind::Flow => {
            flow(automation, &mut root);
            format!("flows/{own}.flow")
        }
        Kind::WorkflowRule => {
            condition(&rule.when, object, &mut root);
            let when = match (rule.only_when_it_begins, rule.on.contains(&Moment::AfterUpdate)) {
                (true, _) => "onCreateOrTriggeringUpdate",
                (false, true) => "onAllChanges",
                (false, false) => "onCreateOnly",
            };
            root.push("triggerType", when);
            format!("workflows/{object}.workflow")
        }
        Kind::DuplicateRule => {
            let action = if rule.blocks { "Block" } else { "Allow" };
            let updates = rule.on.contains(&Moment::BeforeUpdate);
            root.push("actionOnInsert", action);
            root.push("actionOnUpdate", if updates { action } else { "Allow" });
            if let [Effect::Refuse { message, .. }] = rule.effects.as_slice() {
                root.push("alertText", message);
            }
            root.push("masterLabel", own);
            root.push("securityOption", "EnforceSharingRules");
            root.push("sortOrder", "1");
            format!("duplicateRules/{}.duplicateRule", automation.full_name)
        }
        Kind::AssignmentRule => {
            for (when, owner) in &rule.entries {
                let mut entry = Element::new("ruleEntry");
                entry.push("assignedTo", owner);
                entry.push("assignedToType", if owner.contains('@') { "User" } else { "Queue" });
                condition(when, object, &mut entry);
                root.children.push(entry);
            }
            format!("assignmentRules/{object}.assignmentRules")
        }
    };
    root.sort();
    Some(vec![File::new(path, root.document())])
}

/// `before insert`.
fn header(moment: Moment) -> String {
    serde_json::to_value(moment).ok().and_then(|json| Some(json.as_str()?.to_owned())).unwrap_or_default()
}

fn flow(automation: &Automation, root: &mut Element) {
    let on = &automation.rule.on;
    let has = |moments: [Moment; 2]| on.iter().any(|moment| moments.contains(moment));
    let inserts = has([Moment::BeforeInsert, Moment::AfterInsert]);
    let updates = has([Moment::BeforeUpdate, Moment::AfterUpdate]);
    root.push("apiVersion", "62.0");
    root.push("label", automation.full_name.as_str());
    root.push("processType", "AutoLaunchedFlow");
    let mut start = Element::new("start");
    start.push("locationX", "50");
    start.push("locationY", "0");
    start.push("object", automation.object.as_str());
    let by = match (inserts, updates) {
        (true, true) => "CreateAndUpdate",
        (true, false) => "Create",
        (false, true) => "Update",
        (false, false) => "Delete",
    };
    start.push("recordTriggerType", by);
    let before = match by {
        "Delete" => "RecordBeforeDelete",
        _ if on.iter().any(|moment| moment.is_before()) => "RecordBeforeSave",
        _ => "RecordAfterSave",
    };
    start.push("triggerType", before);
    root.children.push(start);
}

fn condition(condition: &Condition, object: &str, to: &mut Element) {
    if let Some(formula) = &condition.formula {
        to.push("formula", String::from(formula.clone()));
    }
    if let Some(logic) = &condition.logic {
        to.push("booleanFilter", logic.as_str());
    }
    for criterion in &condition.criteria {
        let mut item = Element::new("criteriaItems");
        item.push("field", format!("{object}.{}", criterion.field));
        let operation = serde_json::to_value(criterion.operation).ok();
        item.push("operation", operation.as_ref().and_then(|json| json.as_str()).unwrap_or("equals"));
        if !criterion.value.is_empty() {
            item.push("value", criterion.value.as_str());
        }
        to.children.push(item);
    }
}

impl Automations {
    fn set_id(&mut self, kind: Kind, full_name: &str, id: Id) {
        self.change(kind, full_name, |automation| automation.id = id);
    }
}
