//! SOQL: a select with its columns and conditions, and the escaping of literals.

use orgkeep_core::schema::ObjectSchema;

/// Characters that the org takes in one SOQL text.
pub(crate) const SOQL_LIMIT: usize = 100_000;

/// A select over one object. Columns and conditions are taken as they are; use [`literal`] for text in conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    object: String,
    columns: Vec<String>,
    conditions: Vec<String>,
    order_by: Option<String>,
    limit: Option<u64>,
}

impl Select {
    /// Selects columns of an object.
    pub fn new(object: &str, columns: &[&str]) -> Self {
        Self {
            object: object.to_owned(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            conditions: Vec::new(),
            order_by: None,
            limit: None,
        }
    }

    /// Selects all columns that a backup reads: no compounds, no binary content, `Id` first.
    pub fn of(schema: &ObjectSchema) -> Self {
        let columns: Vec<&str> = schema.columns().map(|field| field.name.as_str()).collect();
        Self::new(&schema.name, &columns)
    }

    /// Adds a condition; conditions are joined by AND.
    #[must_use]
    pub fn filter(mut self, condition: impl Into<String>) -> Self {
        self.conditions.push(condition.into());
        self
    }

    /// Orders the rows, such as `Id` or `CreatedDate DESC`. Switches off Bulk's chunking by key.
    #[must_use]
    pub fn order_by(mut self, order: impl Into<String>) -> Self {
        self.order_by = Some(order.into());
        self
    }

    /// At most so many rows. Switches off Bulk's chunking by key.
    #[must_use]
    pub fn limit(mut self, rows: u64) -> Self {
        self.limit = Some(rows);
        self
    }

    /// The object selected from.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// The columns in order.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Whether the rows are cut off at some count.
    pub(crate) fn is_limited(&self) -> bool {
        self.limit.is_some()
    }

    /// The same select with other columns.
    pub(crate) fn with_columns(&self, columns: Vec<String>) -> Self {
        Self { columns, ..self.clone() }
    }

    /// `SELECT count()` over the same rows.
    pub(crate) fn counting(object: &str, condition: Option<&str>) -> Self {
        let select = Self::new(object, &["count()"]);
        match condition {
            Some(condition) => select.filter(condition),
            None => select,
        }
    }

    /// The text. Several conditions are put in parentheses, so that an OR in one cannot swallow the others.
    pub fn to_soql(&self) -> String {
        let mut soql = format!("SELECT {} FROM {}", self.columns.join(", "), self.object);
        match self.conditions.as_slice() {
            [] => {}
            [one] => soql.push_str(&format!(" WHERE {one}")),
            many => soql.push_str(&format!(" WHERE ({})", many.join(") AND ("))),
        }
        if let Some(order) = &self.order_by {
            soql.push_str(&format!(" ORDER BY {order}"));
        }
        if let Some(limit) = self.limit {
            soql.push_str(&format!(" LIMIT {limit}"));
        }
        soql
    }
}

/// A text literal in quotes, with backslash, quote and control characters escaped.
pub fn literal(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for character in text.chars() {
        match character {
            '\\' => quoted.push_str("\\\\"),
            '\'' => quoted.push_str("\\'"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

/// A condition that a field has one of some texts, such as ids.
pub fn is_in<T: AsRef<str>>(field: &str, texts: &[T]) -> String {
    let list: Vec<String> = texts.iter().map(|text| literal(text.as_ref())).collect();
    format!("{field} IN ({})", list.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads a literal at the beginning of a text as SOQL's grammar says, and gives what follows it.
    fn unquoted(text: &str) -> Option<(String, &str)> {
        let mut characters = text.strip_prefix('\'')?.chars();
        let mut value = String::new();
        loop {
            value.push(match characters.next()? {
                '\'' => return Some((value, characters.as_str())),
                '\\' => match characters.next()? {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    other @ ('\\' | '\'') => other,
                    _ => return None,
                },
                '\n' | '\r' => return None,
                other => other,
            });
        }
    }

    proptest! {
        #[test]
        fn a_literal_holds_its_text_and_nothing_gets_out_of_it(text in "(?s).{0,40}", more in "[' a-z\\\\]{0,9}") {
            let written = format!("{}{more}", literal(&text));
            prop_assert_eq!(unquoted(&written), Some((text, more.as_str())));
        }
    }

    #[test]
    fn selects() {
        let select = Select::new("Account", &["Id", "Name"]);
        assert_eq!(select.to_soql(), "SELECT Id, Name FROM Account");
        let one = select.clone().filter("A = 1 OR B = 2").order_by("Id").limit(5);
        assert_eq!(one.to_soql(), "SELECT Id, Name FROM Account WHERE A = 1 OR B = 2 ORDER BY Id LIMIT 5");
        let two = select.filter("A = 1 OR B = 2").filter("C = 3");
        assert_eq!(two.to_soql(), "SELECT Id, Name FROM Account WHERE (A = 1 OR B = 2) AND (C = 3)");
        assert_eq!(Select::counting("X", None).to_soql(), "SELECT count() FROM X");
    }

    #[test]
    fn literals_cannot_break_out() {
        assert_eq!(literal("O'Neil"), r"'O\'Neil'");
        assert_eq!(literal(r"a\' OR Name != '"), r"'a\\\' OR Name != \''");
        assert_eq!(literal("a\nb\tc\r"), r"'a\nb\tc\r'");
        assert_eq!(literal("Zoë %_"), "'Zoë %_'");
        assert_eq!(is_in("Id", &["a", "b'"]), r"Id IN ('a','b\'')");
    }
}
