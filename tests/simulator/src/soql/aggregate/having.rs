//! HAVING: conditions on groups.

use super::super::ast::{Call, Condition, Literal, Name, Operator};
use super::super::filter::{Operand, operands, test};
use super::{Builder, Told};
use crate::schema::FieldType;
use crate::soql::SoqlError;
use crate::store::Row;

/// A condition that groups can be tested with.
#[derive(Clone, Debug)]
pub(super) enum Having {
    And(Vec<Having>),
    Or(Vec<Having>),
    Not(Box<Having>),
    /// The cell with this number compared.
    Test(usize, Operator, Vec<Operand>),
}

impl Having {
    pub(super) fn holds(&self, group: &Row) -> bool {
        match self {
            Self::And(all) => all.iter().all(|having| having.holds(group)),
            Self::Or(any) => any.iter().any(|having| having.holds(group)),
            Self::Not(inner) => !inner.holds(group),
            Self::Test(cell, operator, operands) => test(group.get(*cell), *operator, operands),
        }
    }
}

impl Builder<'_, '_> {
    pub(super) fn having(&mut self, condition: &Condition, today: i32) -> Result<Having, SoqlError> {
        let (told, kind, name, operator, values): (Told, FieldType, Option<&Name>, Operator, &[Literal]) =
            match condition {
                Condition::And(all) => {
                    let all = all.iter().map(|condition| self.having(condition, today));
                    return all.collect::<Result<_, _>>().map(Having::And);
                }
                Condition::Or(any) => {
                    let any = any.iter().map(|condition| self.having(condition, today));
                    return any.collect::<Result<_, _>>().map(Having::Or);
                }
                Condition::Not(inner) => return Ok(Having::Not(Box::new(self.having(inner, today)?))),
                Condition::Join(name, ..) => {
                    return Err(self.wrong("semi joins are not allowed in the HAVING clause", name));
                }
                Condition::CompareAggregate(_, None, operator, values) => {
                    (Told::Rows, FieldType::Int, None, *operator, values)
                }
                Condition::CompareAggregate(function, Some(name), operator, values) => {
                    let (expr, kind) = self.aggregated(*function, name)?;
                    (Told::Aggregate(*function, expr), kind, Some(name), *operator, values)
                }
                Condition::CompareCall(Call::Date(part), name, operator, values) => {
                    let key = self.find_key(name, Some(*part))?;
                    (Told::Key(key), self.key_kind(key), Some(name), *operator, values)
                }
                Condition::CompareCall(Call::Grouping, name, operator, values) => {
                    (Told::LeftOut(self.find_key(name, None)?), FieldType::Int, Some(name), *operator, values)
                }
                Condition::CompareCall(_, name, ..) => {
                    return Err(self.wrong("this function is not allowed in the HAVING clause", name));
                }
                Condition::CompareDistance(distance, ..) => {
                    return Err(self.wrong("DISTANCE() is not allowed in the HAVING clause", &distance.name));
                }
                Condition::Compare(name, operator, values) => {
                    let key = self.find_key(name, None)?;
                    (Told::Key(key), self.key_kind(key), Some(name), *operator, values)
                }
            };
        let (shown, at) = name.map_or((String::new(), 0), |name| (name.joined(), name.at));
        let operands = operands(kind, operator, values, &shown, today)
            .map_err(|error| error.at(self.resolver.text, at))?;
        Ok(Having::Test(self.cell(told, kind), operator, operands))
    }
}
