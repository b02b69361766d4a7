//! Automations from metadata: what a component's document says of when it fires, and of what it does as far as that is
//! declared there. What Apex and flows do is code; `automation.yaml` tells that.

use super::declared::Check;
use super::{Automation, Automations, Condition, Effect, Kind, Moment, Rule};
use crate::formula::{Criterion, Formula};
use crate::metadata::xml::Element;
use crate::metadata::{Component, Key, Store};
use crate::schema::{FieldType, Schema};
use crate::store::{Database, World};
use crate::value::Id;

/// Metadata types whose components are automations, or hold some.
const TYPES: [&str; 6] =
    ["ValidationRule", "ApexTrigger", "Flow", "WorkflowRule", "DuplicateRule", "AssignmentRule"];

/// Said of flows that are no automation of records: screens, schedules, events.
const NOT_OF_RECORDS: &str = "it is not triggered by records";

/// What a component is held against.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) database: &'a Database,
    pub(crate) metadata: &'a Store,
}

impl World {
    /// Makes the automations of all components anew that the org has of metadata, and takes its labels over, as it is
    /// loaded. What cannot be read stays metadata alone; the names and reasons are given.
    pub(crate) fn automate(&mut self) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        let labels = self.metadata.of_type("CustomLabel").filter_map(|(key, component)| {
            let element = Element::parse(&component.document()?.bytes).ok()?;
            Some((key.own_name().to_owned(), element.text_of("value")?.to_owned()))
        });
        let labels: Vec<(String, String)> = labels.collect();
        if !labels.is_empty() {
            self.database.surroundings_mut().labels.extend(labels);
        }
        let mut automations = Automations::clone(&self.automations);
        let around = Around { schema: &self.schema, database: &self.database, metadata: &self.metadata };
        for type_name in TYPES {
            for (key, component) in self.metadata.of_type(type_name) {
                match around.read(key, component) {
                    Ok(automation) => drop(automations.replace(automation)),
                    Err(error) if error == NOT_OF_RECORDS => {}
                    Err(error) => wrong.push((format!("{type_name} {}", key.full_name), error)),
                }
            }
        }
        self.automations = std::sync::Arc::new(automations);
        wrong
    }
}

impl Around<'_> {
    /// The automation that a component is. The error says what is wrong with it.
    pub(crate) fn read(&self, key: &Key, component: &Component) -> Result<Automation, String> {
        let document = component.document().ok_or("it has no file")?;
        let element = Element::parse(&document.bytes).map_err(|error| error.to_string())?;
        let parent = key.full_name.split('.').next().unwrap_or_default().to_owned();
        let full_name = key.full_name.to_string();
        let (kind, object, active, rule) = match &*key.type_name {
            "ValidationRule" => {
                let text =
                    element.text_of("errorConditionFormula").ok_or("errorConditionFormula is missing")?;
                let refuse = Effect::Refuse {
                    message: element.text_of("errorMessage").unwrap_or_default().to_owned(),
                    field: element.text_of("errorDisplayField").map(str::to_owned),
                    throws: false,
                };
                let rule = Rule {
                    on: vec![Moment::BeforeInsert, Moment::BeforeUpdate],
                    when: Condition::formula(self.formula(&parent, text)?),
                    effects: vec![refuse],
                    ..Rule::default()
                };
                (Kind::ValidationRule, parent, element.flag("active"), rule)
            }
            "ApexTrigger" => {
                let source = component.files.iter().find(|file| !file.path.ends_with("-meta.xml"));
                let source = source.map(|file| String::from_utf8_lossy(&file.bytes).into_owned());
                let (object, on) = header(&source.unwrap_or_default()).ok_or("the trigger has no header")?;
                let active = element.text_of("status").unwrap_or("Active") == "Active";
                (Kind::ApexTrigger, object, active, Rule { on, ..Rule::default() })
            }
            "Flow" => self.flow(&key.full_name, &element)?,
            "WorkflowRule" => {
                let rule = self.workflow(&parent, &element)?;
                (Kind::WorkflowRule, parent, element.flag("active"), rule)
            }
            "DuplicateRule" => {
                let rule = self.duplicates(&parent, &element);
                (Kind::DuplicateRule, parent, element.flag("isActive"), rule)
            }
            "AssignmentRule" => {
                let rule = self.assignment(&parent, &element)?;
                (Kind::AssignmentRule, parent, element.flag("active"), rule)
            }
            other => return Err(format!("{other} is no automation")),
        };
        let described = self.schema.find(&object).map(|number| self.schema.object(number).name.clone());
        Ok(Automation {
            id: component.id.filter(|id| id.prefix() == kind.prefix()).unwrap_or(Id::LOWEST),
            kind,
            object: described.ok_or_else(|| format!("there is no object {object}"))?,
            full_name,
            active,
            namespace: component
                .managed
                .then(|| component.namespace.as_deref().unwrap_or_default().to_owned()),
            changed: component.modified.at,
            rule,
        })
    }

    fn formula(&self, object: &str, text: &str) -> Result<Formula, String> {
        let object = self.schema.find(object).ok_or_else(|| format!("there is no object {object}"))?;
        Check { schema: self.schema, database: self.database, object }.formula(text)
    }

    /// A record-triggered flow.
    fn flow(&self, name: &str, element: &Element) -> Result<(Kind, String, bool, Rule), String> {
        let start = element.child("start").ok_or(NOT_OF_RECORDS)?;
        let object = start.text_of("object").ok_or(NOT_OF_RECORDS)?;
        let before = start.text_of("triggerType") == Some("RecordBeforeSave");
        let on = match (before, start.text_of("recordTriggerType").unwrap_or("Create")) {
            (true, "Create") => vec![Moment::BeforeInsert],
            (true, "Update") => vec![Moment::BeforeUpdate],
            (true, "CreateAndUpdate") => vec![Moment::BeforeInsert, Moment::BeforeUpdate],
            (_, "Delete") => vec![Moment::BeforeDelete],
            (false, "Create") => vec![Moment::AfterInsert],
            (false, "Update") => vec![Moment::AfterUpdate],
            (false, "CreateAndUpdate") => vec![Moment::AfterInsert, Moment::AfterUpdate],
            (_, other) => return Err(format!("recordTriggerType {other}")),
        };
        let definition = self.metadata.find("FlowDefinition", name);
        let definition = definition.and_then(|component| Element::parse(&component.document()?.bytes).ok());
        let off = definition.is_some_and(|definition| definition.text_of("activeVersionNumber") == Some("0"));
        let active = element.text_of("status") == Some("Active") && !off;
        Ok((Kind::Flow, object.to_owned(), active, Rule { on, ..Rule::default() }))
    }

    fn criteria(&self, object: &str, element: &Element, name: &str) -> Result<Vec<Criterion>, String> {
        element
            .children_of(name)
            .map(|item| {
                let field = item.text_of("field").ok_or("a criterion has no field")?;
                let own = field.strip_prefix(object).and_then(|rest| rest.strip_prefix('.')).unwrap_or(field);
                let operation = item.text_of("operation").unwrap_or("equals");
                let operation = serde_json::from_value(serde_json::Value::String(operation.to_owned()));
                Ok(Criterion {
                    field: own.to_owned(),
                    operation: operation.map_err(|error| error.to_string())?,
                    value: item.text_of("value").unwrap_or_default().to_owned(),
                })
            })
            .collect()
    }

    fn condition(&self, object: &str, element: &Element) -> Result<Condition, String> {
        let number = self.schema.find(object).ok_or_else(|| format!("there is no object {object}"))?;
        let check = Check { schema: self.schema, database: self.database, object: number };
        let owned = |name: &str| element.text_of(name).map(str::to_owned);
        let criteria = self.criteria(object, element, "criteriaItems")?;
        check.condition(owned("formula"), criteria, owned("booleanFilter"))
    }

    fn workflow(&self, object: &str, element: &Element) -> Result<Rule, String> {
        let trigger = element.text_of("triggerType").unwrap_or("onCreateOnly");
        let on = match trigger {
            "onCreateOnly" => vec![Moment::AfterInsert],
            _ => vec![Moment::AfterInsert, Moment::AfterUpdate],
        };
        let mut effects = Vec::new();
        for action in element.children_of("actions") {
            let name = action.text_of("name").unwrap_or_default();
            let full_name = format!("{object}.{name}");
            match action.text_of("type") {
                Some("FieldUpdate") => effects.extend(self.field_update(object, &full_name)?),
                Some("Alert") => {
                    let to = Formula::parse(&format!("\"{name}\"")).map_err(|error| error.to_string())?;
                    effects.push(Effect::Email { to, subject: name.to_owned() });
                }
                // tasks, outbound messages and flow actions leave no trace in what is kept here
                _ => {}
            }
        }
        Ok(Rule {
            on,
            when: self.condition(object, element)?,
            only_when_it_begins: trigger == "onCreateOrTriggeringUpdate",
            effects,
            ..Rule::default()
        })
    }

    fn field_update(&self, object: &str, full_name: &str) -> Result<Option<Effect>, String> {
        let component = self.metadata.find("WorkflowFieldUpdate", full_name);
        let Some(document) = component.and_then(|component| component.document()) else {
            return Err(format!("there is no field update {full_name}"));
        };
        let element = Element::parse(&document.bytes).map_err(|error| error.to_string())?;
        let Some(field) = element.text_of("field") else { return Ok(None) };
        let text = match element.text_of("operation") {
            Some("Formula") => element.text_of("formula").unwrap_or_default().to_owned(),
            Some("Literal") => {
                self.literal(object, field, element.text_of("literalValue").unwrap_or_default())
            }
            Some("Null") => "NULL".to_owned(),
            // the next or previous value, a looked-up one
            _ => return Ok(None),
        };
        Ok(Some(Effect::Set { field: field.to_owned(), to: self.formula(object, &text)? }))
    }

    /// A literal value of a field update as a formula.
    fn literal(&self, object: &str, field: &str, text: &str) -> String {
        let described = self.schema.find(object).map(|number| self.schema.object(number));
        let kind = described.and_then(|object| Some(object.fields[object.find(field)?].kind));
        match kind {
            // checkboxes are set to `0` and `1`
            Some(FieldType::Boolean) => if text == "1" { "TRUE" } else { "FALSE" }.to_owned(),
            Some(kind) if kind.is_decimal() || kind == FieldType::Int => text.to_owned(),
            Some(FieldType::Date) => format!("DATEVALUE(\"{text}\")"),
            _ => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        }
    }

    fn duplicates(&self, object: &str, element: &Element) -> Rule {
        let refuses = |name: &str| element.text_of(name) == Some("Block");
        let (insert, update) = (refuses("actionOnInsert"), refuses("actionOnUpdate"));
        let message = element.text_of("alertText").unwrap_or("Use one of these records?").to_owned();
        let mut matching = Vec::new();
        for rule in element.children_of("duplicateRuleMatchRules") {
            let name = format!("{object}.{}", rule.text_of("matchingRule").unwrap_or_default());
            let found = self.metadata.find("MatchingRule", &name).and_then(|component| component.document());
            let Some(element) = found.and_then(|file| Element::parse(&file.bytes).ok()) else { continue };
            let items = element.children_of("matchingRuleItems");
            matching.extend(items.filter_map(|item| item.text_of("fieldName")).map(str::to_owned));
        }
        Rule {
            on: vec![Moment::BeforeInsert, Moment::BeforeUpdate],
            effects: vec![Effect::Refuse { message, field: None, throws: false }],
            matching,
            blocks: insert || update,
            ..Rule::default()
        }
    }

    fn assignment(&self, object: &str, element: &Element) -> Result<Rule, String> {
        let mut entries = Vec::new();
        for entry in element.children_of("ruleEntry") {
            let Some(owner) = entry.text_of("assignedTo") else { continue };
            entries.push((self.condition(object, entry)?, owner.to_owned()));
        }
        Ok(Rule { on: vec![Moment::AfterInsert, Moment::AfterUpdate], entries, ..Rule::default() })
    }
}

/// Object and moments of a trigger's header: `trigger T on Account (before insert, after update)`.
fn header(source: &str) -> Option<(String, Vec<Moment>)> {
    let code = without_comments(source);
    let at = code.to_ascii_lowercase().find("trigger ")?;
    let rest = code.get(at..)?;
    let (head, rest) = rest.split_once('(')?;
    let (moments, _) = rest.split_once(')')?;
    let object = head.split_whitespace().next_back()?;
    let moments = moments.split(',').map(|moment| moment.split_whitespace().collect::<Vec<_>>().join(" "));
    Some((object.to_owned(), moments.filter_map(|moment| Moment::parse(&moment)).collect()))
}

fn without_comments(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find('/') {
        code.push_str(&rest[..at]);
        let comment = &rest[at..];
        let end = if comment.starts_with("//") {
            comment.find('\n')
        } else if comment.starts_with("/*") {
            comment.find("*/").map(|end| end + 2)
        } else {
            code.push('/');
            Some(1)
        };
        rest = end.map_or("", |end| &comment[end..]);
    }
    code.push_str(rest);
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_triggers_are_read() {
        let source = "/* trigger X on Y (before delete) */\n// c\ntrigger TDTM_Account on Account (after delete, AFTER  insert,\n before update) { a / b; }";
        let moments = vec![Moment::AfterDelete, Moment::AfterInsert, Moment::BeforeUpdate];
        assert_eq!(header(source), Some(("Account".to_owned(), moments)));
        assert_eq!(header("class A {}"), None);
    }
}
