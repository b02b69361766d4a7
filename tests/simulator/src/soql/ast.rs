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
    /// `toLabel(Status) shown`, `CALENDAR_YEAR(CreatedDate)`.
    Called(Call, Name, Option<String>),
    /// `(SELECT Id FROM Contacts)`: FROM names a relationship to children.
    Children(Box<Query>),
    /// `TYPEOF What WHEN Account THEN Phone ELSE Name END`.
    TypeOf(TypeOf),
    /// `DISTANCE(Place__c, GEOLOCATION(37.7, -122.4), 'mi') far`
    Distance(Distance, Option<String>),
}

/// How far a place is from a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Distance {
    /// An address or a geolocation.
    pub name: Name,
    /// Degrees north, and east.
    pub to: (f64, f64),
    /// In miles, not in kilometres.
    pub miles: bool,
}

/// A polymorphic reference of which other fields are asked for each object.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeOf {
    /// The relationship.
    pub name: Name,
    /// Object and fields.
    pub when: Vec<(Name, Vec<Name>)>,
    /// Fields of any other object.
    pub otherwise: Vec<Name>,
}

/// A function around a field, but for the aggregates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Call {
    Date(DatePart),
    ToLabel,
    ConvertCurrency,
    Format,
    /// Of a group: whether the field was left out of its key (ROLLUP, CUBE).
    Grouping,
}

impl Call {
    /// The function by its name, in any case.
    pub fn find(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "TOLABEL" => Self::ToLabel,
            "CONVERTCURRENCY" => Self::ConvertCurrency,
            "FORMAT" => Self::Format,
            "GROUPING" => Self::Grouping,
            other => Self::Date(DatePart::find(other)?),
        })
    }
}

/// What date functions give of a date or datetime (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DatePart {
    Year,
    Quarter,
    Month,
    DayInMonth,
    DayInWeek,
    DayInYear,
    DayOnly,
    HourInDay,
    WeekInMonth,
    WeekInYear,
}

impl DatePart {
    /// By the function's name in capitals. Fiscal years begin in January, as in an org that set nothing else.
    fn find(name: &str) -> Option<Self> {
        Some(match name {
            "CALENDAR_YEAR" | "FISCAL_YEAR" => Self::Year,
            "CALENDAR_QUARTER" | "FISCAL_QUARTER" => Self::Quarter,
            "CALENDAR_MONTH" | "FISCAL_MONTH" => Self::Month,
            "DAY_IN_MONTH" => Self::DayInMonth,
            "DAY_IN_WEEK" => Self::DayInWeek,
            "DAY_IN_YEAR" => Self::DayInYear,
            "DAY_ONLY" => Self::DayOnly,
            "HOUR_IN_DAY" => Self::HourInDay,
            "WEEK_IN_MONTH" => Self::WeekInMonth,
            "WEEK_IN_YEAR" => Self::WeekInYear,
            _ => return None,
        })
    }
}

/// A field of GROUP BY, and what is taken of it.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupBy {
    /// The field.
    pub name: Name,
    /// The part of a date.
    pub part: Option<DatePart>,
}

/// Which sub-totals a grouped query has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Totals {
    /// None.
    #[default]
    None,
    /// `GROUP BY ROLLUP(a, b)`: of a, and of all.
    Rollup,
    /// `GROUP BY CUBE(a, b)`: of every combination.
    Cube,
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
    /// A part of a date compared.
    CompareCall(Call, Name, Operator, Vec<Literal>),
    /// A distance compared.
    CompareDistance(Distance, Operator, Vec<Literal>),
    /// An aggregate compared (HAVING); no name for `COUNT()`.
    CompareAggregate(Function, Option<Name>, Operator, Vec<Literal>),
}

/// One ORDER BY entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The field, or the alias of a column.
    pub name: Name,
    /// The aggregate of that field.
    pub function: Option<Function>,
    /// The part of that date.
    pub part: Option<DatePart>,
    /// How far that place is from a point.
    pub distance: Option<Distance>,
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
    /// `USING SCOPE mine`: in lower case.
    pub scope: Option<String>,
    /// WHERE
    pub condition: Option<Condition>,
    /// GROUP BY
    pub group: Vec<GroupBy>,
    /// GROUP BY ROLLUP, CUBE
    pub totals: Totals,
    /// HAVING
    pub having: Option<Condition>,
    /// ORDER BY
    pub order: Vec<Order>,
    /// LIMIT
    pub limit: Option<u64>,
    /// OFFSET
    pub offset: u64,
    /// OFFSET was written, be it 0: there are 2,000 rows at most then.
    pub has_offset: bool,
    /// `ALL ROWS`: deleted rows, too (Apex only; the API refuses it).
    pub all_rows: bool,
}

impl Query {
    /// How many levels of children are asked for below the object itself.
    pub fn levels(&self) -> usize {
        let below = |selected: &Selected| match selected {
            Selected::Children(inner) => 1 + inner.levels(),
            _ => 0,
        };
        self.select.iter().map(below).max().unwrap_or_default()
    }
}
