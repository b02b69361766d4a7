//! What Salesforce answers to a query that it cannot run.

/// Error code and message, in Salesforce's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct SoqlError {
    /// `MALFORMED_QUERY`, `INVALID_FIELD`, `INVALID_TYPE`, …
    pub code: &'static str,
    /// The message.
    pub message: String,
}

impl SoqlError {
    /// The text is not SOQL, or asks for what SOQL does not allow.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self { code: "MALFORMED_QUERY", message: message.into() }
    }

    /// A field that is not there, or cannot be used so.
    pub fn field(message: impl Into<String>) -> Self {
        Self { code: "INVALID_FIELD", message: message.into() }
    }

    /// A filter whose value does not fit its field.
    pub fn filter(message: impl Into<String>) -> Self {
        Self { code: "INVALID_QUERY_FILTER_OPERATOR", message: message.into() }
    }

    /// The same error with the place in the query in front, as Salesforce shows it: the line around the place,
    /// a caret below it, and the row and column.
    #[must_use]
    pub fn at(mut self, text: &str, offset: usize) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let place = text.get(..offset).map_or(chars.len(), |head| head.chars().count());
        let row = chars[..place].iter().filter(|c| **c == '\n').count() + 1;
        let column = chars[..place].iter().rev().take_while(|c| **c != '\n').count() + 1;
        let from = place.saturating_sub(30);
        let shown: String = chars[from..chars.len().min(place + 30)]
            .iter()
            .map(|c| if c.is_whitespace() { ' ' } else { *c })
            .collect();
        let indent = " ".repeat(place - from);
        self.message = format!("\n{shown}\n{indent}^\nERROR at Row:{row}:Column:{column}\n{}", self.message);
        self
    }
}
