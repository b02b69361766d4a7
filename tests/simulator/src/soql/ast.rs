//! A query as it was written, before names are looked up.

use crate::value::Decimal;

/// A dotted name, and where it stands in the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// Its parts.
    pub parts: Vec<String>,
    /// Byte offset in the query.
    pub at: usize,
}

impl Name {
    /// The parts joined by dots.
    pub fn joined(&self) -> String {
        self.parts.join(".")
    }
}

/// One entry of the SELECT list.
#[derive(Clone, Debug, PartialEq)]
pub enum Selected {
    /// A field, maybe of a parent.
    Field(Name),
    /// A grouped field with a name of its own.
    Aliased(Name, String),
    /// `COUNT(Id)`, `MAX(Amount) most`.
    Aggregate(Function, Name, Option<String>),
    /// `FIELDS(…)`.
    Fields(FieldSet),
}

/// Aggregate functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Function {
    Count,
    CountDistinct,
    Sum,
    Avg,
    Min,
    Max,
}

impl Function {
    /// The function by its name, in any case.
    pub fn find(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "COUNT" => Self::Count,
            "COUNT_DISTINCT" => Self::CountDistinct,
            "SUM" => Self::Sum,
            "AVG" => Self::Avg,
            "MIN" => Self::Min,
            "MAX" => Self::Max,
            _ => return None,
        })
    }
}

/// Which fields `FIELDS()` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum FieldSet {
    All,
    Standard,
    Custom,
}

/// Comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
    In,
    NotIn,
    Includes,
    Excludes,
}

/// A value in a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number.
    Number(Decimal),
    /// `'text'`
    Text(String),
    /// Days since 1970.
    Date(i32),
    /// Milliseconds since 1970.
    DateTime(i64),
    /// Milliseconds since midnight.
    Time(i32),
    /// `TODAY`, `LAST_N_DAYS:30`: from the first day to the day after the last, given today.
    Range(String, Option<i32>),
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// All hold.
    And(Vec<Condition>),
    /// One holds.
    Or(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// A field compared with values (one, but for lists).
    Compare(Name, Operator, Vec<Literal>),
    /// An id among those that a query finds (semi-join), or `true` for not among them (anti-join).
    Join(Name, bool, Box<Query>),
}

/// One ORDER BY entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The field, or the alias of a column.
    pub name: Name,
    /// The aggregate of that field.
    pub function: Option<Function>,
    /// DESC
    pub descending: bool,
    /// NULLS LAST (nulls come first otherwise, in either direction).
    pub nulls_last: bool,
}

/// A query.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The text it was read from.
    pub text: String,
    /// SELECT list; empty for `count()`.
    pub select: Vec<Selected>,
    /// `SELECT count()`
    pub count: bool,
    /// FROM: the object and where its name stands.
    pub from: Name,
    /// Alias of the object.
    pub alias: Option<String>,
    /// WHERE
    pub condition: Option<Condition>,
    /// GROUP BY
    pub group: Vec<Name>,
    /// ORDER BY
    pub order: Vec<Order>,
    /// LIMIT
    pub limit: Option<u64>,
    /// OFFSET
    pub offset: u64,
    /// `ALL ROWS`: deleted rows, too (Apex only; the API refuses it).
    pub all_rows: bool,
}
