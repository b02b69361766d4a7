//! WHERE and HAVING.

use super::super::ast::{Call, Condition, Function, Literal, Name, Operator, Query};
use super::super::lex::Kind;
use super::super::literal;
use super::select::is_distance;
use super::{DEPTH, Parser, Place, digits};
use crate::soql::SoqlError;

impl Parser<'_> {
    /// Conditions joined by AND, or by OR; Salesforce wants parentheses where both are mixed.
    pub(super) fn condition(&mut self, depth: usize) -> Result<Condition, SoqlError> {
        let mut all = vec![self.single(depth)?];
        let joined_by = ["AND", "OR"].into_iter().find(|word| self.peek().is(word));
        let Some(word) = joined_by else {
            return all.pop().ok_or_else(|| self.unexpected());
        };
        while self.accept(word) {
            all.push(self.single(depth)?);
        }
        if self.peek().is("AND") || self.peek().is("OR") {
            return Err(self.unexpected());
        }
        Ok(if word == "AND" { Condition::And(all) } else { Condition::Or(all) })
    }

    fn single(&mut self, depth: usize) -> Result<Condition, SoqlError> {
        if depth > DEPTH {
            return Err(SoqlError {
                code: "QUERY_TOO_COMPLICATED",
                message: "The query has too many nested conditions.".to_owned(),
            });
        }
        if self.accept("NOT") {
            return Ok(Condition::Not(Box::new(self.single(depth + 1)?)));
        }
        if self.accept("(") {
            let inner = self.condition(depth + 1)?;
            self.expect(")")?;
            return Ok(inner);
        }
        let name = self.name()?;
        if self.peek().is("(") {
            return self.called(&name);
        }
        let operator = self.operator()?;
        if matches!(operator, Operator::In | Operator::NotIn) && self.opens_query() {
            let query = self.join()?;
            return Ok(Condition::Join(name, operator == Operator::NotIn, Box::new(query)));
        }
        let values = self.values(operator)?;
        Ok(Condition::Compare(name, operator, values))
    }

    /// A function compared: `CALENDAR_YEAR(CreatedDate) = 2026`, `COUNT(Id) > 1`.
    fn called(&mut self, function: &Name) -> Result<Condition, SoqlError> {
        let word = function.joined();
        if is_distance(function) {
            let distance = self.distance()?;
            let operator = self.operator()?;
            return Ok(Condition::CompareDistance(distance, operator, self.values(operator)?));
        }
        if let Some(aggregate) = Function::find(&word) {
            let is_empty = self.tokens.get(self.at + 1).is_some_and(|token| token.is(")"));
            let name = if aggregate == Function::Count && is_empty {
                self.expect("(")?;
                self.expect(")")?;
                None
            } else {
                Some(self.in_parentheses()?)
            };
            let operator = self.operator()?;
            return Ok(Condition::CompareAggregate(aggregate, name, operator, self.values(operator)?));
        }
        let Some(call @ (Call::Date(_) | Call::Grouping | Call::ToLabel | Call::ConvertCurrency)) =
            Call::find(&word)
        else {
            return Err(self.unsupported(&format!("function {word}()")));
        };
        let name = self.in_parentheses()?;
        let operator = self.operator()?;
        Ok(Condition::CompareCall(call, name, operator, self.values(operator)?))
    }

    fn values(&mut self, operator: Operator) -> Result<Vec<Literal>, SoqlError> {
        match operator {
            Operator::In | Operator::NotIn | Operator::Includes | Operator::Excludes => self.list(),
            _ => Ok(vec![self.literal()?]),
        }
    }

    fn operator(&mut self) -> Result<Operator, SoqlError> {
        let token = self.next();
        Ok(match token.text.to_ascii_uppercase().as_str() {
            "=" => Operator::Equal,
            "!=" | "<>" => Operator::NotEqual,
            "<" => Operator::Less,
            "<=" => Operator::LessOrEqual,
            ">" => Operator::Greater,
            ">=" => Operator::GreaterOrEqual,
            "LIKE" => Operator::Like,
            "IN" => Operator::In,
            "INCLUDES" => Operator::Includes,
            "EXCLUDES" => Operator::Excludes,
            "NOT" if self.accept("IN") => Operator::NotIn,
            _ => return Err(self.unexpected_at(token.at, token.text)),
        })
    }

    fn opens_query(&self) -> bool {
        self.peek().is("(") && self.tokens.get(self.at + 1).is_some_and(|token| token.is("SELECT"))
    }

    fn join(&mut self) -> Result<Query, SoqlError> {
        if self.inner {
            let message = "Nesting of semi join sub-selects is not supported";
            return Err(SoqlError::malformed(message).at(self.text, self.peek().at));
        }
        self.inner = true;
        self.expect("(")?;
        let query = self.query(Place::Join)?;
        self.expect(")")?;
        self.inner = false;
        Ok(query)
    }

    fn list(&mut self) -> Result<Vec<Literal>, SoqlError> {
        self.expect("(")?;
        let mut values = vec![self.literal()?];
        while self.accept(",") {
            values.push(self.literal()?);
        }
        self.expect(")")?;
        Ok(values)
    }

    fn literal(&mut self) -> Result<Literal, SoqlError> {
        let token = self.next();
        let wrong = || self.unexpected_at(token.at, token.text);
        match &token.kind {
            Kind::Text(raw) => Ok(Literal::Text(raw.clone())),
            Kind::Digits => digits(token.text).ok_or_else(wrong),
            Kind::Word if token.is("null") => Ok(Literal::Null),
            Kind::Word if token.is("true") => Ok(Literal::Bool(true)),
            Kind::Word if token.is("false") => Ok(Literal::Bool(false)),
            Kind::Word => {
                let takes_number = literal::range_takes_number(token.text).ok_or_else(wrong)?;
                let word = token.text.to_ascii_uppercase();
                if !takes_number {
                    return Ok(Literal::Range(word, None));
                }
                self.expect(":")?;
                let number = self.whole_number()?;
                Ok(Literal::Range(word, Some(i32::try_from(number).unwrap_or(i32::MAX))))
            }
            _ => Err(wrong()),
        }
    }
}
