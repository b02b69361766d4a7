//! From tokens to a [`Query`].

mod condition;
mod select;
#[cfg(test)]
mod tests;

use super::ast::{DatePart, Function, GroupBy, Literal, Name, Order, Query, Totals};
use super::lex::{Kind, Token, tokens};
use super::{SoqlError, ast};
use crate::value::{Decimal, calendar};

/// Parentheses and NOTs within each other at most.
const DEPTH: usize = 64;
/// Characters of a query at most.
const LENGTH: usize = 100_000;
/// Sub-selects within each other at most: five levels with the query itself (since v58).
const NESTED: usize = 4;
/// Words that end the FROM clause, and so are no alias.
const CLAUSES: [&str; 11] =
    ["USING", "WHERE", "WITH", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FOR", "ALL", "UPDATE"];

/// Reads a query.
pub fn parse(text: &str) -> Result<Query, SoqlError> {
    if text.trim().is_empty() {
        return Err(SoqlError::malformed("A query string has to be specified"));
    }
    if text.len() > LENGTH {
        let message = format!("SOQL statements can not be longer than {LENGTH} characters");
        return Err(SoqlError::malformed(message));
    }
    let mut parser = Parser { text, tokens: tokens(text)?, at: 0, inner: false, nested: 0 };
    parser.query(Place::Root)
}

/// Where a query stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    /// In the SELECT list of another.
    Children,
    /// In the condition of another.
    Join,
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token<'a>>,
    at: usize,
    /// Within the query of a semi-join.
    inner: bool,
    /// Sub-selects around this place.
    nested: usize,
}

impl<'a> Parser<'a> {
    /// A query up to the end of the text, or up to the parenthesis that ends an inner one.
    fn query(&mut self, place: Place) -> Result<Query, SoqlError> {
        self.expect("SELECT")?;
        let count = self.count_call();
        let select = if count { Vec::new() } else { self.select()? };
        self.expect("FROM")?;
        let from = self.name()?;
        if from.parts.len() > if place == Place::Children { 2 } else { 1 } {
            return Err(self.unexpected_at(from.at, &from.joined()));
        }
        let alias = self.alias()?;
        let scope = if self.accept("USING") { Some(self.scope()?) } else { None };
        let condition = if self.accept("WHERE") { Some(self.condition(0)?) } else { None };
        if self.accept("WITH") {
            self.with()?;
        }
        let (group, totals) = if self.accept("GROUP") { self.group()? } else { (Vec::new(), Totals::None) };
        let having = if self.accept("HAVING") { Some(self.condition(0)?) } else { None };
        let order = if self.accept("ORDER") { self.order()? } else { Vec::new() };
        let limit = if self.accept("LIMIT") { Some(self.whole_number()?) } else { None };
        let has_offset = self.accept("OFFSET");
        let offset = if has_offset { self.whole_number()? } else { 0 };
        if offset > 2_000 {
            return Err(SoqlError {
                code: "NUMBER_OUTSIDE_VALID_RANGE",
                message: "Maximum SOQL offset allowed is 2000".to_owned(),
            });
        }
        let all_rows = self.accept("ALL") && self.expect("ROWS").is_ok();
        self.marks()?;
        let ends = if place == Place::Root { self.peek().kind == Kind::End } else { self.peek().is(")") };
        if !ends {
            return Err(self.unexpected());
        }
        Ok(Query {
            text: self.text.to_owned(),
            select,
            count,
            from,
            alias,
            scope,
            condition,
            group,
            totals,
            having,
            order,
            limit,
            offset,
            has_offset,
            all_rows,
        })
    }

    /// `count()` with nothing in it and nothing beside it.
    fn count_call(&mut self) -> bool {
        let upcoming = &self.tokens[self.at..];
        let is_count =
            upcoming.len() > 3 && upcoming[0].is("count") && upcoming[1].is("(") && upcoming[2].is(")");
        if is_count {
            self.at += 3;
        }
        is_count
    }

    fn alias(&mut self) -> Result<Option<String>, SoqlError> {
        let explicit = self.accept("AS");
        let next = self.peek();
        if next.kind != Kind::Word || CLAUSES.iter().any(|word| next.is(word)) {
            return if explicit { Err(self.unexpected()) } else { Ok(None) };
        }
        Ok(Some(self.next().text.to_owned()))
    }

    /// Which rows: all, or those of the user.
    fn scope(&mut self) -> Result<String, SoqlError> {
        self.expect("SCOPE")?;
        let scope = self.next();
        if scope.kind != Kind::Word {
            return Err(self.unexpected_at(scope.at, scope.text));
        }
        Ok(scope.text.to_ascii_lowercase())
    }

    /// What a query runs as. Every query of the API runs as its user, so there is nothing to remember.
    fn with(&mut self) -> Result<(), SoqlError> {
        let word = self.next();
        let known = ["SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"];
        if known.iter().any(|mode| word.is(mode)) {
            return Ok(());
        }
        if word.is("DATA") {
            return Err(self.unsupported("WITH DATA CATEGORY clause"));
        }
        Err(self.unexpected_at(word.at, word.text))
    }

    /// Marks that an org keeps of the rows that were read; the simulator keeps none.
    fn marks(&mut self) -> Result<(), SoqlError> {
        while let Some(words) =
            [("FOR", ["VIEW", "REFERENCE", "UPDATE"]), ("UPDATE", ["TRACKING", "VIEWSTAT", ""])]
                .into_iter()
                .find_map(|(word, after)| self.accept(word).then_some(after))
        {
            let mark = self.next();
            if !words.iter().any(|word| mark.is(word)) {
                return Err(self.unexpected_at(mark.at, mark.text));
            }
        }
        Ok(())
    }

    fn group(&mut self) -> Result<(Vec<GroupBy>, Totals), SoqlError> {
        self.expect("BY")?;
        let followed = self.tokens.get(self.at + 1).is_some_and(|token| token.is("("));
        let totals = if followed && self.accept("ROLLUP") {
            Totals::Rollup
        } else if followed && self.accept("CUBE") {
            Totals::Cube
        } else {
            Totals::None
        };
        if totals != Totals::None {
            self.expect("(")?;
        }
        let mut group = Vec::new();
        loop {
            let mut name = self.name()?;
            let mut part = None;
            if self.peek().is("(") {
                part = Some(self.date_part(&name)?);
                name = self.in_parentheses()?;
            }
            group.push(GroupBy { name, part });
            if !self.accept(",") {
                break;
            }
        }
        if totals != Totals::None {
            self.expect(")")?;
        }
        Ok((group, totals))
    }

    fn order(&mut self) -> Result<Vec<Order>, SoqlError> {
        self.expect("BY")?;
        let mut order = Vec::new();
        loop {
            let mut name = self.name()?;
            let (mut function, mut part, mut distance) = (None, None, None);
            if self.peek().is("(") && select::is_distance(&name) {
                let found = self.distance()?;
                name.clone_from(&found.name);
                distance = Some(found);
            } else if self.peek().is("(") {
                function = Function::find(&name.joined());
                if function.is_none() {
                    part = Some(self.date_part(&name)?);
                }
                name = self.in_parentheses()?;
            }
            let descending = self.accept("DESC");
            if !descending {
                self.accept("ASC");
            }
            let mut nulls_last = false;
            if self.accept("NULLS") {
                nulls_last = self.accept("LAST");
                if !nulls_last {
                    self.expect("FIRST")?;
                }
            }
            order.push(Order { name, function, part, distance, descending, nulls_last });
            if !self.accept(",") {
                return Ok(order);
            }
        }
    }

    /// The date function of this name.
    fn date_part(&self, name: &Name) -> Result<DatePart, SoqlError> {
        match ast::Call::find(&name.joined()) {
            Some(ast::Call::Date(part)) => Ok(part),
            _ => Err(self.unsupported(&format!("function {}()", name.joined()))),
        }
    }

    /// `(Field)`, or `(convertTimezone(Field))`: the simulator's users live in UTC.
    fn in_parentheses(&mut self) -> Result<Name, SoqlError> {
        self.expect("(")?;
        let mut name = self.name()?;
        if self.peek().is("(") && name.joined().eq_ignore_ascii_case("convertTimezone") {
            self.expect("(")?;
            name = self.name()?;
            self.expect(")")?;
        }
        self.expect(")")?;
        Ok(name)
    }

    fn name(&mut self) -> Result<Name, SoqlError> {
        let token = self.next();
        let parts: Vec<String> = token.text.split('.').map(str::to_owned).collect();
        if token.kind != Kind::Word || parts.iter().any(String::is_empty) {
            return Err(self.unexpected_at(token.at, token.text));
        }
        Ok(Name { parts, at: token.at })
    }

    fn whole_number(&mut self) -> Result<u64, SoqlError> {
        let token = self.next();
        token.text.parse().map_err(|_| self.unexpected_at(token.at, token.text))
    }

    fn peek(&self) -> &Token<'a> {
        // the last token is always the end, and `next` does not go beyond it
        &self.tokens[self.at]
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.peek().clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn accept(&mut self, word: &str) -> bool {
        let found = self.peek().is(word);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, word: &str) -> Result<(), SoqlError> {
        if self.accept(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> SoqlError {
        let token = self.peek();
        self.unexpected_at(token.at, token.text)
    }

    fn unexpected_at(&self, at: usize, text: &str) -> SoqlError {
        SoqlError::malformed(format!("unexpected token: '{text}'")).at(self.text, at)
    }

    fn unsupported(&self, what: &str) -> SoqlError {
        SoqlError::malformed(format!("the simulator does not evaluate a {what} yet"))
            .at(self.text, self.peek().at)
    }
}

/// A number, date, datetime or time.
fn digits(text: &str) -> Option<Literal> {
    if text.as_bytes().get(4) == Some(&b'-') {
        return if text.len() == 10 {
            calendar::parse_date(text).map(Literal::Date)
        } else {
            calendar::parse_datetime(text).map(Literal::DateTime)
        };
    }
    if text.contains(':') {
        return calendar::parse_time(text).map(Literal::Time);
    }
    Decimal::parse(text).map(Literal::Number)
}
