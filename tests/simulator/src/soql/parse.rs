//! From tokens to a [`Query`].

use super::ast::{Condition, FieldSet, Function, Literal, Name, Operator, Order, Query, Selected};
use super::lex::{Kind, Token, tokens};
use super::{SoqlError, literal};
use crate::value::{Decimal, calendar};

/// Parentheses and NOTs within each other at most.
const DEPTH: usize = 64;
/// Characters of a query at most.
const LENGTH: usize = 100_000;

/// Reads a query.
pub fn parse(text: &str) -> Result<Query, SoqlError> {
    if text.trim().is_empty() {
        return Err(SoqlError::malformed("A query string has to be specified"));
    }
    if text.len() > LENGTH {
        return Err(SoqlError {
            code: "QUERY_TOO_COMPLICATED",
            message: format!("SOQL statements cannot be longer than {LENGTH} characters."),
        });
    }
    let mut parser = Parser { text, tokens: tokens(text)?, at: 0, inner: false };
    parser.query(false)
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token<'a>>,
    at: usize,
    /// Within the query of a semi-join.
    inner: bool,
}

impl<'a> Parser<'a> {
    /// A query up to the end of the text, or up to the parenthesis that ends an inner one.
    fn query(&mut self, inner: bool) -> Result<Query, SoqlError> {
        self.expect("SELECT")?;
        let count = self.count_call();
        let select = if count { Vec::new() } else { self.select()? };
        self.expect("FROM")?;
        let from = self.name()?;
        if from.parts.len() > 1 {
            return Err(self.unexpected_at(from.at, &from.joined()));
        }
        let alias = self.alias()?;
        if self.accept("USING") {
            self.expect("SCOPE")?;
            let scope = self.next();
            if !scope.is("everything") {
                return Err(SoqlError::malformed(format!("Unsupported scope: {}", scope.text))
                    .at(self.text, scope.at));
            }
        }
        let condition = if self.accept("WHERE") { Some(self.condition(0)?) } else { None };
        self.refuse_clause("WITH")?;
        let group = if self.accept("GROUP") { self.group()? } else { Vec::new() };
        self.refuse_clause("HAVING")?;
        let order = if self.accept("ORDER") { self.order()? } else { Vec::new() };
        let limit = if self.accept("LIMIT") { Some(self.whole_number()?) } else { None };
        let offset = if self.accept("OFFSET") { self.whole_number()? } else { 0 };
        if offset > 2_000 {
            return Err(SoqlError {
                code: "NUMBER_OUTSIDE_VALID_RANGE",
                message: "Maximum SOQL offset allowed is 2000".to_owned(),
            });
        }
        let all_rows = self.accept("ALL") && self.expect("ROWS").is_ok();
        while self.accept("FOR") {
            let word = self.next();
            if !(word.is("VIEW") || word.is("REFERENCE")) {
                return Err(self.unexpected_at(word.at, word.text));
            }
        }
        let ends = if inner { self.peek().is(")") } else { self.peek().kind == Kind::End };
        if !ends {
            return Err(self.unexpected());
        }
        Ok(Query {
            text: self.text.to_owned(),
            select,
            count,
            from,
            alias,
            condition,
            group,
            order,
            limit,
            offset,
            all_rows,
        })
    }

    fn count_call(&mut self) -> bool {
        let upcoming = &self.tokens[self.at..];
        let is_count =
            upcoming.len() > 3 && upcoming[0].is("count") && upcoming[1].is("(") && upcoming[2].is(")");
        if is_count {
            self.at += 3;
        }
        is_count
    }

    fn select(&mut self) -> Result<Vec<Selected>, SoqlError> {
        let mut selected = Vec::new();
        loop {
            if self.peek().is("(") {
                return Err(self.unsupported("sub-select"));
            }
            if self.peek().is("FROM") {
                return Err(self.unexpected());
            }
            if self.peek().is("TYPEOF") {
                return Err(self.unsupported("TYPEOF"));
            }
            let name = self.name()?;
            let function = Function::find(&name.joined());
            if let (Some(function), true) = (function, self.peek().is("(")) {
                self.expect("(")?;
                let field = self.name()?;
                self.expect(")")?;
                selected.push(Selected::Aggregate(function, field, self.column_alias()));
            } else if self.peek().is("(") {
                if !name.joined().eq_ignore_ascii_case("FIELDS") {
                    return Err(self.unsupported(&format!("function {}()", name.joined())));
                }
                self.expect("(")?;
                let set = self.next();
                let set =
                    [("ALL", FieldSet::All), ("STANDARD", FieldSet::Standard), ("CUSTOM", FieldSet::Custom)]
                        .into_iter()
                        .find_map(|(word, kind)| set.is(word).then_some(kind))
                        .ok_or_else(|| self.unexpected_at(set.at, set.text))?;
                self.expect(")")?;
                selected.push(Selected::Fields(set));
            } else {
                selected.push(match self.column_alias() {
                    Some(alias) => Selected::Aliased(name, alias),
                    None => Selected::Field(name),
                });
            }
            if !self.accept(",") {
                return Ok(selected);
            }
        }
    }

    fn column_alias(&mut self) -> Option<String> {
        let next = self.peek();
        let is_alias = next.kind == Kind::Word && !next.is("FROM") && !next.text.contains('.');
        is_alias.then(|| self.next().text.to_owned())
    }

    fn group(&mut self) -> Result<Vec<Name>, SoqlError> {
        self.expect("BY")?;
        let mut group = Vec::new();
        loop {
            let name = self.name()?;
            if self.peek().is("(") {
                return Err(self.unsupported(&format!("function {}()", name.joined())));
            }
            group.push(name);
            if !self.accept(",") {
                return Ok(group);
            }
        }
    }

    fn refuse_clause(&self, clause: &str) -> Result<(), SoqlError> {
        if self.peek().is(clause) { Err(self.unsupported(&format!("{clause} clause"))) } else { Ok(()) }
    }

    fn alias(&mut self) -> Result<Option<String>, SoqlError> {
        let explicit = self.accept("AS");
        let next = self.peek();
        let reserved =
            ["USING", "WHERE", "WITH", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FOR", "ALL"];
        if next.kind != Kind::Word || reserved.iter().any(|word| next.is(word)) {
            return if explicit { Err(self.unexpected()) } else { Ok(None) };
        }
        Ok(Some(self.next().text.to_owned()))
    }

    /// Conditions joined by AND, or by OR; Salesforce wants parentheses where both are mixed.
    fn condition(&mut self, depth: usize) -> Result<Condition, SoqlError> {
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
            return Err(self.unsupported(&format!("function {}()", name.joined())));
        }
        let operator = self.operator()?;
        let lists =
            matches!(operator, Operator::In | Operator::NotIn | Operator::Includes | Operator::Excludes);
        if matches!(operator, Operator::In | Operator::NotIn) && self.opens_query() {
            let query = self.join()?;
            return Ok(Condition::Join(name, operator == Operator::NotIn, Box::new(query)));
        }
        let values = if lists { self.list()? } else { vec![self.literal()?] };
        Ok(Condition::Compare(name, operator, values))
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
        let query = self.query(true)?;
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

    fn order(&mut self) -> Result<Vec<Order>, SoqlError> {
        self.expect("BY")?;
        let mut order = Vec::new();
        loop {
            let mut name = self.name()?;
            let mut function = None;
            if self.peek().is("(") {
                function = Function::find(&name.joined());
                if function.is_none() {
                    return Err(self.unsupported(&format!("function {}()", name.joined())));
                }
                self.expect("(")?;
                name = self.name()?;
                self.expect(")")?;
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
            order.push(Order { name, function, descending, nulls_last });
            if !self.accept(",") {
                return Ok(order);
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_backup_writes() {
        let query = parse(
            "select Id, Account.Owner.Name from Contact c where (LastName like 'O\\'%' or Birthdate < 1990-01-01) \
             and SystemModstamp >= 2026-01-31T10:11:12.000Z and NOT Id in ('003000000000001', '003000000000002') \
             order by SystemModstamp desc nulls last, Id limit 10 offset 5",
        )
        .unwrap();
        assert_eq!(query.alias.as_deref(), Some("c"));
        assert_eq!((query.limit, query.offset, query.order.len()), (Some(10), 5, 2));
        let Some(Condition::And(all)) = query.condition else { panic!("{query:?}") };
        assert!(matches!(all[0], Condition::Or(_)) && matches!(all[2], Condition::Not(_)));
        assert!(parse("SELECT count() FROM Account").unwrap().count);
        let ranged = parse("SELECT FIELDS(ALL) FROM A WHERE d = LAST_N_DAYS:3 LIMIT 1").unwrap();
        assert_eq!(ranged.select, [Selected::Fields(FieldSet::All)]);
    }

    #[test]
    fn says_where_it_stopped() {
        for (text, message) in [
            ("SELECT Id FROM Account WHER a = 1", "unexpected token: 'a'"),
            ("SELECT Id, Name x y FROM Account", "unexpected token: 'y'"),
            ("SELECT Id FROM Account WHERE", "unexpected token: '<EOF>'"),
            ("SELECT Id FROM Account WHERE a = 1 AND b = 2 OR c = 3", "unexpected token: 'OR'"),
            ("SELECT Id FROM Account WHERE a = 'x", "unexpected token: '<EOF>'"),
            ("SELECT Id, FROM Account", "unexpected token: 'FROM'"),
            ("SELECT Id FROM A WHERE b IN (SELECT c FROM D", "unexpected token: '<EOF>'"),
            ("SELECT Id FROM A WHERE b IN (SELECT c FROM D) LIMIT x", "unexpected token: 'x'"),
            ("SELECT Id FROM Account WHERE a = SOMEDAY", "unexpected token: 'SOMEDAY'"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.code, "MALFORMED_QUERY");
            assert!(error.message.ends_with(message), "{text}: {}", error.message);
        }
        let error = parse("SELECT Id FROM 1").unwrap_err();
        assert!(error.message.contains("ERROR at Row:1:Column:16\n"), "{}", error.message);
        let deep = format!("SELECT Id FROM A WHERE {}a = 1", "(".repeat(5_000));
        assert_eq!(parse(&deep).unwrap_err().code, "QUERY_TOO_COMPLICATED");
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,80}") {
            let _ = parse(&text);
        }

        #[test]
        fn never_panics_near_queries(tail in "[A-Za-z0-9'\\\\(),.:=<>! é_%+-]{0,60}") {
            let _ = parse(&format!("SELECT Id FROM Account WHERE {tail}"));
            let _ = parse(&format!("SELECT {tail}"));
        }
    }
}
