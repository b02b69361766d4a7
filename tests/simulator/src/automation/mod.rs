//! Automations: what an org does by itself when records change. Validation rules, Apex triggers, flows, workflow
//! rules, duplicate rules and assignment rules are data here: when they fire, on what condition, and what they do
//! (refuse, set a field, make a record, send an e-mail that is counted).
//!
//! [`Automations`] is part of the [`crate::store::World`], so that switching a rule off is one change with whatever
//! else a deploy does. [`Transaction`](crate::store::transaction::Transaction) lets them fire in the order that
//! Salesforce documents.

mod declared;
mod list;
mod read;
mod run;
mod summing;
mod tally;
#[cfg(test)]
mod tests;
mod written;

use serde::{Deserialize, Serialize};

pub use declared::Declared;
pub use list::Automations;
#[allow(unused_imports)] // deploys are its callers
pub(crate) use read::Around;
pub(crate) use tally::Firings;
pub use tally::{Mail, Tally, Told};

use crate::formula::{Context, Criterion, Formula, FormulaError};
use crate::value::Id;

/// The kinds of automations, by the names of their metadata types.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // the names are Salesforce's
pub enum Kind {
    ValidationRule,
    ApexTrigger,
    Flow,
    WorkflowRule,
    DuplicateRule,
    AssignmentRule,
}

impl Kind {
    /// The name of its metadata type.
    pub fn name(self) -> &'static str {
        match self {
            Self::ValidationRule => "ValidationRule",
            Self::ApexTrigger => "ApexTrigger",
            Self::Flow => "Flow",
            Self::WorkflowRule => "WorkflowRule",
            Self::DuplicateRule => "DuplicateRule",
            Self::AssignmentRule => "AssignmentRule",
        }
    }

    /// The first characters of its ids; those of a flow are its definition's.
    pub fn prefix(self) -> [u8; 3] {
        match self {
            Self::ValidationRule => *b"03d",
            Self::ApexTrigger => *b"01q",
            Self::Flow => *b"300",
            Self::WorkflowRule | Self::AssignmentRule => *b"01Q",
            Self::DuplicateRule => *b"0Bm",
        }
    }
}

/// When an automation fires: before a record is saved or after, and by what it is changed.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Moment {
    #[serde(rename = "before insert")]
    BeforeInsert,
    #[serde(rename = "before update")]
    BeforeUpdate,
    #[serde(rename = "before delete")]
    BeforeDelete,
    #[serde(rename = "after insert")]
    AfterInsert,
    #[serde(rename = "after update")]
    AfterUpdate,
    #[serde(rename = "after delete")]
    AfterDelete,
    #[serde(rename = "after undelete")]
    AfterUndelete,
}

impl Moment {
    /// As the words of a refused Apex trigger name it: `BeforeInsert`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BeforeInsert => "BeforeInsert",
            Self::BeforeUpdate => "BeforeUpdate",
            Self::BeforeDelete => "BeforeDelete",
            Self::AfterInsert => "AfterInsert",
            Self::AfterUpdate => "AfterUpdate",
            Self::AfterDelete => "AfterDelete",
            Self::AfterUndelete => "AfterUndelete",
        }
    }

    /// Before the record is saved.
    pub(crate) fn is_before(self) -> bool {
        matches!(self, Self::BeforeInsert | Self::BeforeUpdate | Self::BeforeDelete)
    }

    /// What a trigger's header says: `before insert`, in any case.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        serde_json::from_value(serde_json::Value::String(text.to_ascii_lowercase())).ok()
    }
}

/// One automation.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Automation {
    /// Its id; a flow's is that of its definition.
    pub id: Id,
    /// What it is.
    pub kind: Kind,
    /// The API name of the object whose records it looks at.
    pub object: String,
    /// The name of its metadata component: `Account.Needs_Phone`, `AccountTrigger`.
    pub full_name: String,
    /// Whether it fires.
    pub active: bool,
    /// The namespace of the managed package that it came with; nobody but the package switches it then.
    pub namespace: Option<String>,
    /// When it was changed last, in milliseconds since 1970.
    pub changed: i64,
    /// What it does.
    pub rule: Rule,
}

impl Automation {
    /// Whether it came with a managed package.
    pub fn is_managed(&self) -> bool {
        self.namespace.is_some()
    }
}

/// When an automation fires, and what it does then.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Rule {
    /// When.
    pub on: Vec<Moment>,
    /// On what condition.
    pub when: Condition,
    /// A workflow rule that fires on a change only when the record did not meet the condition before.
    pub only_when_it_begins: bool,
    /// What it does.
    pub effects: Vec<Effect>,
    /// Of a duplicate rule: the fields that are all equal in duplicates.
    pub matching: Vec<String>,
    /// Of a duplicate rule: nobody may save a duplicate; otherwise those may who say so (`allowSave`).
    pub blocks: bool,
    /// Of an assignment rule: on what condition who becomes the owner; the first that is met counts.
    pub entries: Vec<(Condition, String)>,
}

/// A condition: a formula, criteria, or none.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Condition {
    /// A formula.
    pub formula: Option<Formula>,
    /// Criteria.
    pub criteria: Vec<Criterion>,
    /// Which of them, by their numbers (`1 AND (2 OR 3)`); all, without it.
    #[serde(default)]
    pub logic: Option<String>,
}

impl Condition {
    /// A formula.
    pub fn formula(formula: Formula) -> Self {
        Self { formula: Some(formula), ..Self::default() }
    }

    /// Whether it holds.
    pub fn holds(&self, context: &dyn Context) -> Result<bool, FormulaError> {
        if let Some(formula) = &self.formula
            && !formula.is_true(context)?
        {
            return Ok(false);
        }
        if let Some(logic) = &self.logic {
            return Formula::parse_logic(logic)?.decide(&|number| {
                let criterion = number.checked_sub(1).and_then(|number| self.criteria.get(number));
                let criterion = criterion.ok_or_else(|| FormulaError::Field(number.to_string()))?;
                criterion.is_met(context)
            });
        }
        self.criteria.iter().try_fold(true, |met, criterion| Ok(met && criterion.is_met(context)?))
    }
}

/// What an automation does.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum Effect {
    /// Refuses the change.
    Refuse {
        /// In these words.
        message: String,
        /// At this field.
        field: Option<String>,
        /// By an error that nobody caught, in place of one that is meant for the user.
        throws: bool,
    },
    /// Sets a field of the record.
    Set {
        /// The field.
        field: String,
        /// To this.
        to: Formula,
    },
    /// Makes a record.
    Insert {
        /// Of this object.
        object: String,
        /// With these fields, whose formulas look at the record that was changed.
        fields: Vec<(String, Formula)>,
    },
    /// Sends an e-mail, which is counted.
    Email {
        /// To whom.
        to: Formula,
        /// About what.
        subject: String,
    },
}

/// Why an automation cannot be switched or replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AutomationError {
    /// There is none with that name.
    #[error("In field: fullName - no {0} named {1} found")]
    Unknown(&'static str, String),
    /// It came with a managed package.
    #[error("Cannot modify managed object: entity={0}, component={1}")]
    Managed(&'static str, String),
}
