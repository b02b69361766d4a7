//! The SELECT list.

use super::super::ast::{Call, Distance, FieldSet, Function, Name, Selected, TypeOf};
use super::super::lex::Kind;
use super::{NESTED, Parser, Place};
use crate::soql::SoqlError;

/// Whether a function's name is that of the distance.
pub(super) fn is_distance(name: &Name) -> bool {
    name.joined().eq_ignore_ascii_case("DISTANCE")
}

impl Parser<'_> {
    pub(super) fn select(&mut self) -> Result<Vec<Selected>, SoqlError> {
        let mut selected = Vec::new();
        loop {
            selected.push(self.selected()?);
            if !self.accept(",") {
                return Ok(selected);
            }
        }
    }

    fn selected(&mut self) -> Result<Selected, SoqlError> {
        if self.peek().is("(") {
            return self.children();
        }
        if self.peek().is("FROM") {
            return Err(self.unexpected());
        }
        if self.accept("TYPEOF") {
            return self.type_of();
        }
        let name = self.name()?;
        if !self.peek().is("(") {
            return Ok(match self.column_alias() {
                Some(alias) => Selected::Aliased(name, alias),
                None => Selected::Field(name),
            });
        }
        let word = name.joined();
        if let Some(function) = Function::find(&word) {
            let field = self.in_parentheses()?;
            return Ok(Selected::Aggregate(function, field, self.column_alias()));
        }
        if is_distance(&name) {
            let distance = self.distance()?;
            return Ok(Selected::Distance(distance, self.column_alias()));
        }
        if word.eq_ignore_ascii_case("FIELDS") {
            return self.fields();
        }
        let call = Call::find(&word).ok_or_else(|| self.unsupported(&format!("function {word}()")))?;
        if call == Call::Format {
            return self.format();
        }
        let field = self.in_parentheses()?;
        Ok(Selected::Called(call, field, self.column_alias()))
    }

    /// `FORMAT(Amount)`, `FORMAT(convertCurrency(Amount))`, `FORMAT(MIN(Amount))` is left to those who need it.
    fn format(&mut self) -> Result<Selected, SoqlError> {
        self.expect("(")?;
        let mut name = self.name()?;
        if self.peek().is("(") {
            if Call::find(&name.joined()) != Some(Call::ConvertCurrency) {
                return Err(self.unsupported(&format!("function {}() within FORMAT()", name.joined())));
            }
            name = self.in_parentheses()?;
        }
        self.expect(")")?;
        Ok(Selected::Called(Call::Format, name, self.column_alias()))
    }

    fn fields(&mut self) -> Result<Selected, SoqlError> {
        self.expect("(")?;
        let set = self.next();
        let set = [("ALL", FieldSet::All), ("STANDARD", FieldSet::Standard), ("CUSTOM", FieldSet::Custom)]
            .into_iter()
            .find_map(|(word, kind)| set.is(word).then_some(kind))
            .ok_or_else(|| self.unexpected_at(set.at, set.text))?;
        self.expect(")")?;
        Ok(Selected::Fields(set))
    }

    /// `(Place__c, GEOLOCATION(37.7, -122.4), 'mi')`
    pub(super) fn distance(&mut self) -> Result<Distance, SoqlError> {
        self.expect("(")?;
        let name = self.name()?;
        self.expect(",")?;
        self.expect("GEOLOCATION")?;
        self.expect("(")?;
        let north = self.degrees(90.0)?;
        self.expect(",")?;
        let east = self.degrees(180.0)?;
        self.expect(")")?;
        self.expect(",")?;
        let unit = self.next();
        let miles = match unit.text.to_ascii_lowercase().as_str() {
            "'mi'" => true,
            "'km'" => false,
            _ => return Err(self.unexpected_at(unit.at, unit.text)),
        };
        self.expect(")")?;
        Ok(Distance { name, to: (north, east), miles })
    }

    fn degrees(&mut self, most: f64) -> Result<f64, SoqlError> {
        let token = self.next();
        let degrees = token.text.parse::<f64>().ok().filter(|degrees| degrees.abs() <= most);
        degrees.ok_or_else(|| self.unexpected_at(token.at, token.text))
    }

    fn children(&mut self) -> Result<Selected, SoqlError> {
        if self.inner {
            return Err(self.unexpected());
        }
        if self.nested >= NESTED {
            let message = format!(
                "SOQL statements cannot query aggregate relationships more than {NESTED} levels away from the root \
                 entity object."
            );
            return Err(SoqlError::malformed(message).at(self.text, self.peek().at));
        }
        self.expect("(")?;
        self.nested += 1;
        let query = self.query(Place::Children)?;
        self.nested -= 1;
        self.expect(")")?;
        Ok(Selected::Children(Box::new(query)))
    }

    fn type_of(&mut self) -> Result<Selected, SoqlError> {
        let name = self.name()?;
        let mut when = Vec::new();
        while self.accept("WHEN") {
            let object = self.name()?;
            self.expect("THEN")?;
            when.push((object, self.names()?));
        }
        if when.is_empty() {
            return Err(self.unexpected());
        }
        let otherwise = if self.accept("ELSE") { self.names()? } else { Vec::new() };
        self.expect("END")?;
        Ok(Selected::TypeOf(TypeOf { name, when, otherwise }))
    }

    fn names(&mut self) -> Result<Vec<Name>, SoqlError> {
        let mut names = vec![self.name()?];
        while self.accept(",") {
            names.push(self.name()?);
        }
        Ok(names)
    }

    fn column_alias(&mut self) -> Option<String> {
        let next = self.peek();
        let is_alias = next.kind == Kind::Word && !next.is("FROM") && !next.text.contains('.');
        is_alias.then(|| self.next().text.to_owned())
    }
}
