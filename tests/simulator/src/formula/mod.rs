//! Salesforce's formulas: parsed once, evaluated over a record. Formula fields, validation rules, conditions and
//! field updates of automations are written in them.
//!
//! Numbers are exact decimals. What a formula meets that this does not know (a function, a field, a `$`-variable) is
//! an error that names it; nothing is guessed.

mod call;
mod criteria;
mod eval;
mod given;
mod global;
mod lex;
mod number;
mod parse;
mod record;
mod rollup;
mod surroundings;
#[cfg(test)]
mod tests;
mod text;
mod time;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use criteria::{Criterion, Operation};
pub use given::Given;
pub use number::Number;
pub use record::{Record, computed, lend, to_value};
pub use rollup::{RollUp, Summary};
pub use surroundings::Surroundings;

/// A formula, parsed; as JSON its text.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Formula {
    text: Arc<str>,
    root: Node,
    /// Empty numbers are zero (`formulaTreatNullNumberAsZero`, `formulaTreatBlanksAs`).
    zeros: bool,
}

/// What is wrong with a formula, or with what it met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormulaError {
    /// It cannot be read.
    #[error("Syntax error at character {at}: {message}")]
    Syntax {
        /// Characters before it.
        at: usize,
        /// What was met.
        message: String,
    },
    /// A function that there is not, or that is not evaluated here.
    #[error("Unknown function {0}. Check spelling.")]
    Function(String),
    /// Too many or too few parameters.
    #[error(
        "Incorrect number of parameters for function '{name}()'. Expected {expected}, received {received}"
    )]
    Parameters {
        /// The function.
        name: &'static str,
        /// How many it takes.
        expected: String,
        /// How many it was given.
        received: usize,
    },
    /// A field, a relationship or a `$`-variable that there is not.
    #[error("Field {0} does not exist. Check spelling.")]
    Field(String),
    /// Something that is not of the type that is needed.
    #[error("Incorrect parameter type for {place}. Expected {expected}, received {received}")]
    Type {
        /// Function or operator.
        place: String,
        /// The type that it takes.
        expected: &'static str,
        /// The type that it was given.
        received: &'static str,
    },
    /// It has no value: divided by zero, a text that is no number, a date that there is not.
    #[error("{0}")]
    Value(String),
}

impl FormulaError {
    /// Whether the formula as such is fine and this record alone gives it no value (`#Error!` on a page, null by API).
    pub fn is_of_record(&self) -> bool {
        matches!(self, Self::Value(_))
    }
}

/// A part of a formula.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    Null,
    Bool(bool),
    Text(String),
    Number(Number),
    /// A field, with the relationships on the way, or a `$`-variable.
    Field(Vec<String>),
    Call(&'static str, Vec<Node>),
    Not(Box<Node>),
    Negative(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Join,
}

/// What a formula is evaluated over.
pub trait Context {
    /// The value of a field or a `$`-variable.
    fn field(&self, path: &[String]) -> Result<Given, FormulaError>;
    /// The value that a field had before the record was changed; that of now if it was not.
    fn prior(&self, path: &[String]) -> Result<Given, FormulaError>;
    /// Whether the record is being made.
    fn is_new(&self) -> bool;
    /// Milliseconds since 1970.
    fn now(&self) -> i64;
}

impl Formula {
    /// Reads a formula.
    pub fn parse(text: &str) -> Result<Self, FormulaError> {
        Ok(Self { text: text.into(), root: parse::parse(text)?, zeros: false })
    }

    /// The same, with empty numbers taken for zero or not.
    pub fn with_zeros(mut self, zeros: bool) -> Self {
        self.zeros = zeros;
        self
    }

    /// Its value over a record.
    pub fn value(&self, context: &dyn Context) -> Result<Given, FormulaError> {
        eval::Evaluation { context, zeros: self.zeros }.value(&self.root)
    }

    /// Whether it is true for a record; what is empty is not true.
    pub fn is_true(&self, context: &dyn Context) -> Result<bool, FormulaError> {
        match self.value(context)? {
            Given::Bool(value) => Ok(value),
            Given::Null => Ok(false),
            other => {
                let place = "formula".to_owned();
                Err(FormulaError::Type { place, expected: "Boolean", received: other.type_name() })
            }
        }
    }

    /// Reads which criteria, by their numbers from 1, must be met: `1 AND (2 OR NOT 3)`.
    pub fn parse_logic(text: &str) -> Result<Self, FormulaError> {
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        let words = spaced.split_whitespace().map(|word| match word.to_ascii_uppercase().as_str() {
            "AND" => "&&",
            "OR" => "||",
            "NOT" => "!",
            _ => word,
        });
        let root = parse::parse(&words.collect::<Vec<_>>().join(" "))?;
        Ok(Self { text: text.into(), root, zeros: false })
    }

    /// What it comes to for criteria that are met or not.
    pub fn decide(&self, met: &dyn Fn(usize) -> Result<bool, FormulaError>) -> Result<bool, FormulaError> {
        decide(&self.root, met)
    }

    /// The fields and `$`-variables that it names.
    pub fn fields(&self) -> BTreeSet<String> {
        let mut fields = BTreeSet::new();
        collect(&self.root, &mut fields);
        fields
    }
}

impl TryFrom<String> for Formula {
    type Error = FormulaError;

    fn try_from(text: String) -> Result<Self, FormulaError> {
        Self::parse(&text)
    }
}

impl From<Formula> for String {
    fn from(formula: Formula) -> Self {
        formula.text.as_ref().to_owned()
    }
}

fn decide(node: &Node, met: &dyn Fn(usize) -> Result<bool, FormulaError>) -> Result<bool, FormulaError> {
    match node {
        Node::And(nodes) => nodes.iter().try_fold(true, |all, node| Ok(all && decide(node, met)?)),
        Node::Or(nodes) => nodes.iter().try_fold(false, |any, node| Ok(any || decide(node, met)?)),
        Node::Not(node) => Ok(!decide(node, met)?),
        Node::Number(number) => {
            let number = number.to_i64().and_then(|number| usize::try_from(number).ok()).unwrap_or_default();
            met(number)
        }
        _ => Err(FormulaError::Value("no logic of criteria".to_owned())),
    }
}

fn collect(node: &Node, fields: &mut BTreeSet<String>) {
    match node {
        Node::Field(path) => drop(fields.insert(path.join("."))),
        Node::Call(_, nodes) | Node::And(nodes) | Node::Or(nodes) => {
            for node in nodes {
                collect(node, fields);
            }
        }
        Node::Not(node) | Node::Negative(node) => collect(node, fields),
        Node::Binary(_, left, right) => {
            collect(left, fields);
            collect(right, fields);
        }
        Node::Null | Node::Bool(_) | Node::Text(_) | Node::Number(_) => {}
    }
}
