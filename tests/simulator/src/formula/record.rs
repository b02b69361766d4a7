//! A record as a formula sees it: its fields, those of its parents, and what it was before.

use super::{Context, FormulaError, Given, Number};
use crate::schema::{Field, FieldType, Schema};
use crate::store::{Database, RowRef};
use crate::value::{Cell, Id, Value};

/// Formulas that name formulas at most; Salesforce resolves ten levels of relationships in all.
const DEEPEST: usize = 12;

/// A record, and who looks at it when.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Objects and fields.
    pub schema: &'a Schema,
    /// Where its parents are.
    pub database: &'a Database,
    /// Its object.
    pub object: usize,
    /// The record, which need not be in the database.
    pub row: RowRef<'a>,
    /// What it was before it was changed.
    pub before: Option<RowRef<'a>>,
    /// It is being made.
    pub new: bool,
    /// `$User`.
    pub user: Option<Id>,
    /// Milliseconds since 1970.
    pub now: i64,
    /// Formulas that led here.
    pub(crate) depth: usize,
}

impl<'a> Record<'a> {
    /// A record that somebody reads.
    pub fn read(schema: &'a Schema, database: &'a Database, object: usize, row: RowRef<'a>) -> Self {
        let (user, now) = (database.reader(), database.surroundings().now());
        Self { schema, database, object, row, before: None, new: false, user, now, depth: 0 }
    }

    /// Another record that this one leads to.
    pub(super) fn other(&self, object: usize, row: RowRef<'a>) -> Self {
        Self { object, row, before: None, new: false, ..*self }
    }

    /// The value of one of its fields.
    pub(super) fn value(&self, number: usize) -> Result<Given, FormulaError> {
        let field = &self.schema.object(self.object).fields[number];
        if field.formula.is_some() || field.roll_up.is_some() {
            let inner = Self { depth: self.depth + 1, ..*self };
            if let Some(computed) = inner.computed(field) {
                return Ok(given(field, computed?.as_ref().map_or(Cell::Null, Value::as_cell)));
            }
        }
        let mut scratch = String::new();
        Ok(given(field, self.database.stored(self.schema, self.object, self.row, number, &mut scratch)))
    }

    /// What a formula field or a roll-up comes to; none if it names what there is not, so that only what is stored can
    /// tell.
    pub(super) fn computed(&self, field: &Field) -> Option<Result<Option<Value>, FormulaError>> {
        if self.depth > DEEPEST {
            return Some(Err(FormulaError::Value("Formulas refer to each other too deeply".to_owned())));
        }
        let given = match (&field.formula, &field.roll_up) {
            (Some(formula), _) => formula.value(self),
            (None, Some(roll_up)) => roll_up.value(self),
            (None, None) => return None,
        };
        match given.and_then(|given| to_value(field, given)) {
            Err(error) if !error.is_of_record() => None,
            result => Some(result),
        }
    }

    fn walk(&self, path: &[String]) -> Result<Given, FormulaError> {
        let unknown = || FormulaError::Field(path.join("."));
        let mut record = *self;
        let mut path = path;
        let described = self.schema.object(self.object);
        if path.len() > 1
            && described.name.eq_ignore_ascii_case(&path[0])
            && described.find_relationship(&path[0]).is_none()
        {
            path = &path[1..];
        }
        let Some((last, way)) = path.split_last() else { return Err(unknown()) };
        for (step, name) in way.iter().enumerate() {
            // of several objects that the reference may point to, one may be named
            let (name, only) =
                name.split_once(':').map_or((name.as_str(), None), |(name, only)| (name, Some(only)));
            let described = self.schema.object(record.object);
            let number = described.find_relationship(name).ok_or_else(unknown)?;
            let field = &described.fields[number];
            let target = match record.value(number)? {
                Given::Id(id) => self.schema.find_prefix(id.prefix()).and_then(|object| {
                    let wanted =
                        only.is_none_or(|only| self.schema.object(object).name.eq_ignore_ascii_case(only));
                    let row = self.database.find(object, id).filter(|_| wanted)?;
                    Some((object, row))
                }),
                _ => None,
            };
            match target {
                Some((object, row)) => record = record.other(object, row),
                None => {
                    return if self.leads(&field.reference_to, &path[step + 1..]) {
                        Ok(Given::Null)
                    } else {
                        Err(unknown())
                    };
                }
            }
        }
        let number = self.schema.object(record.object).find(last).ok_or_else(unknown)?;
        record.value(number)
    }

    /// Whether a path leads somewhere from one of these objects, or they are not described.
    fn leads(&self, objects: &[String], path: &[String]) -> bool {
        let Some((first, rest)) = path.split_first() else { return true };
        let first = first.split(':').next().unwrap_or(first);
        objects.iter().any(|name| {
            let Some(object) = self.schema.find(name) else { return true };
            let described = self.schema.object(object);
            if rest.is_empty() {
                return described.find(first).is_some();
            }
            let field = described.find_relationship(first);
            field.is_some_and(|field| self.leads(&described.fields[field].reference_to, rest))
        })
    }
}

impl Context for Record<'_> {
    fn field(&self, path: &[String]) -> Result<Given, FormulaError> {
        match path.first() {
            Some(first) if first.starts_with('$') => self.global(path),
            _ => self.walk(path),
        }
    }

    fn prior(&self, path: &[String]) -> Result<Given, FormulaError> {
        match self.before {
            Some(row) => Self { row, before: None, ..*self }.walk(path),
            None => self.field(path),
        }
    }

    fn is_new(&self) -> bool {
        self.new
    }

    fn now(&self) -> i64 {
        self.now
    }
}

impl Record<'_> {
    /// The value of a path from another record.
    pub(super) fn from(&self, object: usize, id: Id, path: &[String]) -> Result<Given, FormulaError> {
        match self.database.find(object, id) {
            Some(row) => self.other(object, row).walk(path),
            None => Ok(Given::Null),
        }
    }
}

/// A cell as formulas take it: percents are fractions of one.
pub(super) fn given(field: &Field, cell: Cell<'_>) -> Given {
    match cell {
        Cell::Null => Given::Null,
        Cell::Bool(value) => Given::Bool(value),
        Cell::Text(text) => Given::text(text),
        Cell::Int(number) => Number::whole(number).into(),
        Cell::Number(number) => {
            let number = Number::from(number);
            let hundredth = || number.times(Number::new(1, 2)).unwrap_or(number);
            if field.kind == FieldType::Percent { hundredth() } else { number }.into()
        }
        Cell::Date(days) => Given::Date(days),
        Cell::DateTime(at) => Given::DateTime(at),
        Cell::Time(at) => Given::Time(at),
        Cell::Id(id) => Given::Id(id),
    }
}

/// What a field holds of a value that a formula gave.
pub fn to_value(field: &Field, given: Given) -> Result<Option<Value>, FormulaError> {
    let wrong = |given: &Given, expected| Err(given.wrong(&field.name, expected));
    if given.is_blank() {
        return Ok(None);
    }
    Ok(Some(match (field.kind, given) {
        (FieldType::Boolean, Given::Bool(value)) => Value::Bool(value),
        (FieldType::Boolean, other) => return wrong(&other, "Boolean"),
        (FieldType::Int, Given::Number(number)) => {
            Value::Int(number.rounded(0).to_i64().ok_or_else(super::eval::too_large)?)
        }
        (kind, Given::Number(number)) if kind.is_decimal() => {
            let hundred = Number::whole(100);
            let number = if kind == FieldType::Percent { number.times(hundred) } else { Some(number) };
            let decimal = number.and_then(|number| number.to_decimal(u32::from(field.scale)));
            Value::Number(decimal.ok_or_else(super::eval::too_large)?)
        }
        (FieldType::Date, Given::Date(days)) => Value::Date(days),
        (FieldType::Date, Given::DateTime(at)) => {
            Value::Date(at.div_euclid(crate::value::calendar::DAY_MS) as i32)
        }
        (FieldType::DateTime, Given::DateTime(at)) => Value::DateTime(at),
        (FieldType::DateTime, Given::Date(days)) => {
            Value::DateTime(i64::from(days) * crate::value::calendar::DAY_MS)
        }
        (FieldType::Time, Given::Time(at)) => Value::Time(at),
        (kind, Given::Id(id)) if kind.is_id() => Value::Id(id),
        (kind, Given::Text(text)) if kind.is_id() => match Id::parse(&text) {
            Some(id) => Value::Id(id),
            None => return wrong(&Given::Text(text), "Id"),
        },
        (kind, other) if kind.is_decimal() || kind == FieldType::Int => return wrong(&other, "Number"),
        (FieldType::Date | FieldType::DateTime | FieldType::Time, other) => return wrong(&other, "Date"),
        (_, other) => Value::Text(other.to_text().into()),
    }))
}

/// What a formula field or a roll-up comes to, for somebody who reads the record; none if only what is stored can tell.
pub fn computed(
    database: &Database,
    schema: &Schema,
    object: usize,
    row: RowRef<'_>,
    field: &Field,
) -> Option<Option<Value>> {
    let computed = Record::read(schema, database, object, row).computed(field)?;
    // a record that gives a formula no value shows none by API, and `#Error!` on pages
    Some(computed.unwrap_or_default())
}

/// A computed value as a cell, its text in `scratch`.
pub fn lend<'a>(field: &Field, value: Option<Value>, scratch: &'a mut String) -> Cell<'a> {
    match value {
        Some(Value::Text(text)) => {
            scratch.clear();
            scratch.push_str(&text);
            Cell::Text(scratch)
        }
        Some(Value::Bool(value)) => Cell::Bool(value),
        Some(Value::Int(number)) => Cell::Int(number),
        Some(Value::Number(number)) => Cell::Number(number),
        Some(Value::Date(days)) => Cell::Date(days),
        Some(Value::DateTime(at)) => Cell::DateTime(at),
        Some(Value::Time(at)) => Cell::Time(at),
        Some(Value::Id(id)) => Cell::Id(id),
        None if field.kind == FieldType::Boolean => Cell::Bool(false),
        None => Cell::Null,
    }
}
