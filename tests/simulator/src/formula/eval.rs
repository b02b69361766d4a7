//! Operators, and what decides which part is looked at.

use std::cmp::Ordering;

use super::number::Number;
use super::{Context, FormulaError, Given, Node, Operator, call};
use crate::value::Id;
use crate::value::calendar::DAY_MS;

/// One evaluation.
pub(super) struct Evaluation<'a> {
    pub(super) context: &'a dyn Context,
    pub(super) zeros: bool,
}

impl Evaluation<'_> {
    pub(super) fn value(&self, node: &Node) -> Result<Given, FormulaError> {
        match node {
            Node::Null => Ok(Given::Null),
            Node::Bool(value) => Ok(Given::Bool(*value)),
            Node::Text(text) => Ok(Given::Text(text.clone())),
            Node::Number(number) => Ok(Given::Number(*number)),
            Node::Field(path) => self.context.field(path),
            Node::Call(name, parameters) => call::call(self, name, parameters),
            Node::Not(node) => Ok(Given::Bool(!self.value(node)?.as_bool("NOT()")?)),
            Node::Negative(node) => Ok(match self.number(node, "-")? {
                Some(number) => number.negative().into(),
                None => Given::Null,
            }),
            Node::And(nodes) => self.all(nodes, "&&"),
            Node::Or(nodes) => self.any(nodes, "||"),
            Node::Binary(..) => {
                // long chains (`a & b & c & …`) hang to the left
                let (mut first, mut rest) = (node, Vec::new());
                while let Node::Binary(operator, left, right) = first {
                    rest.push((*operator, right));
                    first = left;
                }
                let mut value = self.value(first)?;
                for (operator, right) in rest.into_iter().rev() {
                    value = self.binary(operator, value, self.value(right)?)?;
                }
                Ok(value)
            }
        }
    }

    /// Whether all are true; what comes after one that is not is not looked at.
    pub(super) fn all(&self, nodes: &[Node], place: &str) -> Result<Given, FormulaError> {
        for node in nodes {
            if !self.value(node)?.as_bool(place)? {
                return Ok(Given::Bool(false));
            }
        }
        Ok(Given::Bool(true))
    }

    /// Whether one is true; what comes after it is not looked at.
    pub(super) fn any(&self, nodes: &[Node], place: &str) -> Result<Given, FormulaError> {
        for node in nodes {
            if self.value(node)?.as_bool(place)? {
                return Ok(Given::Bool(true));
            }
        }
        Ok(Given::Bool(false))
    }

    /// A number; nothing is zero where the formula wants it so.
    pub(super) fn number(&self, node: &Node, place: &str) -> Result<Option<Number>, FormulaError> {
        let number = self.value(node)?.as_number(place)?;
        Ok(number.or(self.zeros.then_some(Number::ZERO)))
    }

    fn binary(&self, operator: Operator, mut left: Given, mut right: Given) -> Result<Given, FormulaError> {
        match operator {
            Operator::Equal | Operator::Unequal => {
                let same = self.same(left, right)?;
                Ok(Given::Bool(same == (operator == Operator::Equal)))
            }
            Operator::Less | Operator::AtMost | Operator::Greater | Operator::AtLeast => {
                if self.zeros {
                    zero(&mut left, &right);
                    zero(&mut right, &left);
                }
                // with nothing, nothing is above or below
                let Some(order) = order(&left, &right)? else { return Ok(Given::Null) };
                Ok(Given::Bool(match operator {
                    Operator::Less => order == Ordering::Less,
                    Operator::AtMost => order != Ordering::Greater,
                    Operator::Greater => order == Ordering::Greater,
                    _ => order != Ordering::Less,
                }))
            }
            Operator::Join => Ok(Given::Text(left.to_text() + &right.to_text())),
            Operator::Add | Operator::Subtract => self.sum(operator == Operator::Add, left, right),
            Operator::Multiply | Operator::Divide | Operator::Power => {
                let sign = match operator {
                    Operator::Multiply => "*",
                    Operator::Divide => "/",
                    _ => "^",
                };
                let (left, right) = (left.as_number(sign)?, right.as_number(sign)?);
                let zeros = self.zeros.then_some(Number::ZERO);
                let (Some(left), Some(right)) = (left.or(zeros), right.or(zeros)) else {
                    return Ok(Given::Null);
                };
                let result = match operator {
                    Operator::Multiply => left.times(right),
                    Operator::Divide if right.is_zero() => return Err(value("Divide by zero")),
                    Operator::Divide => left.over(right),
                    _ => left.to_the(right),
                };
                result.map(Given::Number).ok_or_else(too_large)
            }
        }
    }

    /// Whether two are equal. Nothing equals nothing and the text of no length; texts differ by case.
    pub(super) fn same(&self, mut left: Given, mut right: Given) -> Result<bool, FormulaError> {
        if self.zeros {
            zero(&mut left, &right);
            zero(&mut right, &left);
        }
        if left.is_blank() || right.is_blank() {
            return Ok(left.is_blank() && right.is_blank()
                || is_unset(&left, &right)
                || is_unset(&right, &left));
        }
        if let (Given::Id(id), Given::Text(text)) | (Given::Text(text), Given::Id(id)) = (&left, &right) {
            // an id is known by its first 15 characters, however it is written
            return Ok(Id::parse(text).is_some_and(|other| other == *id));
        }
        if let (Given::Bool(left), Given::Bool(right)) = (&left, &right) {
            return Ok(left == right);
        }
        Ok(order(&left, &right)? == Some(Ordering::Equal))
    }

    fn sum(&self, add: bool, mut left: Given, mut right: Given) -> Result<Given, FormulaError> {
        if self.zeros {
            zero(&mut left, &right);
            zero(&mut right, &left);
        }
        let sign = if add { "+" } else { "-" };
        let texts = |given: &Given| matches!(given, Given::Text(_) | Given::Id(_));
        if add && (texts(&left) || texts(&right)) {
            return Ok(Given::Text(left.as_text(sign)? + &right.as_text(sign)?));
        }
        let days = |number: Number| number.times(Number::whole(DAY_MS)).and_then(|ms| ms.rounded(0).to_i64());
        let signed = |number: Number| if add { number } else { number.negative() };
        Ok(match (left, right) {
            (Given::Null, _) | (_, Given::Null) => Given::Null,
            (Given::Number(left), Given::Number(right)) => {
                left.plus(signed(right)).ok_or_else(too_large)?.into()
            }
            (Given::Number(number), other @ (Given::Date(_) | Given::DateTime(_))) if add => {
                self.sum(true, other, number.into())?
            }
            // fractions of days are dropped where a date is asked for
            (Given::Date(date), Given::Number(number)) => {
                let days = signed(number).to_i64().and_then(|days| i32::try_from(days).ok());
                Given::Date(days.and_then(|days| date.checked_add(days)).ok_or_else(too_large)?)
            }
            (Given::DateTime(at), Given::Number(number)) => {
                let ms = days(signed(number)).and_then(|ms| at.checked_add(ms));
                Given::DateTime(ms.ok_or_else(too_large)?)
            }
            (Given::Date(left), Given::Date(right)) if !add => {
                Number::whole(i64::from(left) - i64::from(right)).into()
            }
            (Given::DateTime(left), Given::DateTime(right)) if !add => {
                let ms = Number::whole(left.saturating_sub(right));
                ms.over(Number::whole(DAY_MS)).ok_or_else(too_large)?.into()
            }
            // a time plus or minus milliseconds goes round at midnight; between two it is milliseconds
            (Given::Time(at), Given::Number(number)) => {
                let ms = signed(number).to_i64().ok_or_else(too_large)?;
                Given::Time((i64::from(at) + ms % DAY_MS).rem_euclid(DAY_MS) as i32)
            }
            (Given::Time(left), Given::Time(right)) if !add => {
                Number::whole((i64::from(left) - i64::from(right)).rem_euclid(DAY_MS)).into()
            }
            (Given::Number(_) | Given::Date(_) | Given::DateTime(_) | Given::Time(_), other) | (other, _) => {
                return Err(other.wrong(&format!("operator '{sign}'"), "Number, Date, DateTime"));
            }
        })
    }
}

/// A checkbox that was never set is not set: `Flag <> TRUE` and `Flag = FALSE` hold for a lookup that leads nowhere.
fn is_unset(left: &Given, right: &Given) -> bool {
    matches!((left, right), (Given::Null, Given::Bool(false)))
}

fn zero(empty: &mut Given, other: &Given) {
    if matches!((&*empty, other), (Given::Null, Given::Number(_))) {
        *empty = Given::Number(Number::ZERO);
    }
}

/// The order of two; none with nothing.
pub(super) fn order(left: &Given, right: &Given) -> Result<Option<Ordering>, FormulaError> {
    Ok(match (left, right) {
        (Given::Null, _) | (_, Given::Null) => None,
        (Given::Number(left), Given::Number(right)) => left.partial_cmp(right),
        (Given::Date(left), Given::Date(right)) => Some(left.cmp(right)),
        (Given::DateTime(left), Given::DateTime(right)) => Some(left.cmp(right)),
        (Given::Time(left), Given::Time(right)) => Some(left.cmp(right)),
        (Given::Bool(left), Given::Bool(right)) => Some(left.cmp(right)),
        (Given::Id(left), Given::Id(right)) => Some(left.cmp(right)),
        (Given::Text(_) | Given::Id(_), Given::Text(_) | Given::Id(_)) => {
            Some(left.to_text().cmp(&right.to_text()))
        }
        _ => {
            return Err(FormulaError::Type {
                place: "a comparison".to_owned(),
                expected: left.type_name(),
                received: right.type_name(),
            });
        }
    })
}

pub(super) fn value(message: &str) -> FormulaError {
    FormulaError::Value(message.to_owned())
}

pub(super) fn too_large() -> FormulaError {
    value("Number is too large")
}
