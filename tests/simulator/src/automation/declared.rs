//! `automation.yaml`: automations as somebody writes them down.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Automation, Automations, Condition, Effect, Kind, Moment, Rule};
use crate::formula::{Context as _, Criterion, Formula, FormulaError, Record};
use crate::schema::{SET_UP, Schema};
use crate::store::{Database, Row, RowRef};
use crate::value::Id;

/// The whole of `automation.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// Custom labels, which formulas name by `$Label`.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// Automations.
    #[serde(default)]
    automations: Vec<One>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct One {
    kind: Kind,
    object: String,
    name: String,
    #[serde(default = "yes")]
    active: bool,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    on: Vec<Moment>,
    #[serde(default)]
    when: Option<String>,
    #[serde(default, rename = "where")]
    criteria: Vec<Criterion>,
    #[serde(default)]
    logic: Option<String>,
    #[serde(default)]
    only_when_it_begins: bool,
    /// Of a validation rule, a duplicate rule.
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    field: Option<String>,
    #[serde(default, rename = "do")]
    effects: Vec<Does>,
    #[serde(default)]
    matching: Vec<String>,
    #[serde(default)]
    blocks: bool,
    #[serde(default)]
    entries: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default)]
    when: Option<String>,
    #[serde(default, rename = "where")]
    criteria: Vec<Criterion>,
    owner: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Does {
    Refuse {
        refuse: String,
        #[serde(default)]
        field: Option<String>,
        #[serde(default)]
        throws: bool,
    },
    Set {
        set: String,
        to: String,
    },
    Insert {
        insert: String,
        #[serde(default)]
        fields: BTreeMap<String, String>,
    },
    Email {
        email: String,
        #[serde(default)]
        subject: String,
    },
}

fn yes() -> bool {
    true
}

impl Declared {
    /// Reads the file's content. The error says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_yaml::from_str(text).map_err(|error| error.to_string())
    }

    /// Takes the labels over.
    pub(crate) fn take_labels(&mut self) -> BTreeMap<String, String> {
        std::mem::take(&mut self.labels)
    }

    /// The automations that it declares are added to those that there are, or take their places, held against schema
    /// and labels. The error says what is wrong.
    pub fn add_to(
        self,
        automations: &mut Automations,
        schema: &Schema,
        database: &Database,
    ) -> Result<(), String> {
        for one in self.automations {
            let place = format!("{} {}", one.kind.name(), one.name);
            let automation = one.read(schema, database).map_err(|error| format!("{place}: {error}"))?;
            if automations.find(automation.kind, &automation.full_name).is_some_and(Automation::is_managed) {
                return Err(format!("{place}: there are two of it"));
            }
            automations.replace(automation).map_err(|error| format!("{place}: {error}"))?;
        }
        Ok(())
    }
}

impl One {
    fn read(self, schema: &Schema, database: &Database) -> Result<Automation, String> {
        let object =
            schema.find(&self.object).ok_or_else(|| format!("there is no object {}", self.object))?;
        let described = schema.object(object);
        let check = Check { schema, database, object };
        let mut effects = Vec::new();
        for does in self.effects {
            effects.push(check.effect(does)?);
        }
        let named = |field: &String| match described.find(field) {
            Some(_) => Ok(()),
            None => Err(format!("{} has no field {field}", described.name)),
        };
        self.field.iter().chain(&self.matching).try_for_each(named)?;
        let mut on = self.on;
        match self.kind {
            Kind::ValidationRule | Kind::DuplicateRule => {
                if self.kind == Kind::ValidationRule && self.when.is_none() && self.criteria.is_empty() {
                    return Err("a validation rule needs `when` or `where`".to_owned());
                }
                if self.kind == Kind::DuplicateRule && self.matching.is_empty() {
                    return Err("a duplicate rule needs `matching`".to_owned());
                }
                let message = self.message.unwrap_or_else(|| "Use one of these records?".to_owned());
                effects = vec![Effect::Refuse { message, field: self.field, throws: false }];
                if on.is_empty() {
                    on = vec![Moment::BeforeInsert, Moment::BeforeUpdate];
                }
            }
            Kind::AssignmentRule if !matches!(described.name.as_str(), "Case" | "Lead") => {
                return Err("only cases and leads have assignment rules".to_owned());
            }
            Kind::WorkflowRule if on.is_empty() => on = vec![Moment::AfterInsert, Moment::AfterUpdate],
            Kind::AssignmentRule => on = vec![Moment::AfterInsert, Moment::AfterUpdate],
            _ if on.is_empty() => return Err("`on` says when it fires: [before insert]".to_owned()),
            _ => {}
        }
        let late_set = |effect: &Effect| matches!(effect, Effect::Set { .. });
        if on.contains(&Moment::AfterDelete) && effects.iter().any(late_set) {
            return Err("a record that is deleted has no fields to set".to_owned());
        }
        let mut entries = Vec::new();
        for entry in self.entries {
            entries.push((check.condition(entry.when, entry.criteria, None)?, entry.owner));
        }
        let full_name = match self.kind {
            Kind::ApexTrigger | Kind::Flow => self.name,
            _ if self.name.contains('.') => self.name,
            _ => format!("{}.{}", described.name, self.name),
        };
        Ok(Automation {
            id: Id::LOWEST,
            kind: self.kind,
            object: described.name.clone(),
            full_name,
            active: self.active,
            namespace: self.namespace,
            changed: SET_UP,
            rule: Rule {
                on,
                when: check.condition(self.when, self.criteria, self.logic)?,
                only_when_it_begins: self.only_when_it_begins,
                effects,
                matching: self.matching,
                blocks: self.blocks,
                entries,
            },
        })
    }
}

/// What a rule is held against.
pub(super) struct Check<'a> {
    pub(super) schema: &'a Schema,
    pub(super) database: &'a Database,
    pub(super) object: usize,
}

impl Check<'_> {
    pub(super) fn condition(
        &self,
        when: Option<String>,
        criteria: Vec<Criterion>,
        logic: Option<String>,
    ) -> Result<Condition, String> {
        let formula = when.map(|text| self.formula(&text)).transpose()?;
        for criterion in &criteria {
            self.name(&criterion.field)?;
        }
        if let Some(text) = &logic {
            let known = Formula::parse_logic(text).and_then(|logic| {
                logic.decide(&|number| {
                    let known = (1..=criteria.len()).contains(&number);
                    if known { Ok(true) } else { Err(FormulaError::Field(number.to_string())) }
                })
            });
            known.map_err(|error| format!("`{text}`: {error}"))?;
        }
        Ok(Condition { formula, criteria, logic })
    }

    /// A formula, all of whose names there are.
    pub(super) fn formula(&self, text: &str) -> Result<Formula, String> {
        let formula = Formula::parse(text).map_err(|error| format!("`{text}`: {error}"))?;
        formula
            .fields()
            .iter()
            .try_for_each(|name| self.name(name))
            .map_err(|error| format!("`{text}`: {error}"))?;
        Ok(formula)
    }

    fn name(&self, name: &str) -> Result<(), String> {
        let path: Vec<String> = name.split('.').map(str::to_owned).collect();
        let row = Row::new(Id::LOWEST);
        let record = Record::read(self.schema, self.database, self.object, RowRef::Stored(&row));
        match record.field(&path) {
            Err(error) if !error.is_of_record() => Err(error.to_string()),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn effect(&self, does: Does) -> Result<Effect, String> {
        let described = self.schema.object(self.object);
        Ok(match does {
            Does::Refuse { refuse, field, throws } => Effect::Refuse { message: refuse, field, throws },
            Does::Set { set, to } => {
                let found = described.find(&set);
                let number = found.ok_or_else(|| format!("{} has no field {set}", described.name))?;
                if described.fields[number].calculated {
                    return Err(format!("{set} is computed and cannot be set"));
                }
                Effect::Set { field: set, to: self.formula(&to)? }
            }
            Does::Insert { insert, fields } => {
                let object =
                    self.schema.find(&insert).ok_or_else(|| format!("there is no object {insert}"))?;
                let mut read = Vec::new();
                for (field, to) in fields {
                    if self.schema.object(object).find(&field).is_none() {
                        return Err(format!("{insert} has no field {field}"));
                    }
                    read.push((field, self.formula(&to)?));
                }
                Effect::Insert { object: insert, fields: read }
            }
            Does::Email { email, subject } => Effect::Email { to: self.formula(&email)?, subject },
        })
    }
}
