//! The words of a formula.

use super::FormulaError;

/// One word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// A name, with its dots: of a field, a function, a `$`-variable.
    Name(String),
    /// A text in quotes.
    Text(String),
    Number(String),
    /// An operator, a bracket or a comma.
    Sign(&'static str),
}

const SIGNS: [&str; 21] = [
    "&&", "||", "<>", "!=", "<=", ">=", "==", "=", "<", ">", "+", "-", "*", "/", "^", "&", "(", ")", ",",
    "!", ";",
];

/// Splits a formula; each word comes with the number of bytes before it.
pub(super) fn words(text: &str) -> Result<Vec<(usize, Word)>, FormulaError> {
    let bytes = text.as_bytes();
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            let end = rest.find("*/").ok_or_else(|| syntax(at, "a comment without an end"))?;
            at += end + 2;
            continue;
        }
        let first = rest.chars().next().unwrap_or(' ');
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let start = at;
        let word = match byte {
            b'"' | b'\'' => {
                let (text, length) = quoted(rest, byte).ok_or_else(|| syntax(at, "a text without an end"))?;
                at += length;
                Word::Text(text)
            }
            b'0'..=b'9' | b'.' => {
                let digits = |c: char| !(c.is_ascii_digit() || c == '.');
                at += rest.find(digits).unwrap_or(rest.len());
                Word::Number(text[start..at].to_owned())
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'$' => {
                // the colon names one of several objects that a reference may point to: Owner:User.Email
                let part = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.' | ':'));
                at += rest.find(part).unwrap_or(rest.len());
                Word::Name(text[start..at].to_owned())
            }
            _ => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
                let sign = sign.ok_or_else(|| syntax(at, &format!("Unexpected character '{first}'")))?;
                at += sign.len();
                Word::Sign(sign)
            }
        };
        words.push((start, word));
    }
    Ok(words)
}

/// A text in quotes, and how many bytes it takes with them.
fn quoted(rest: &str, quote: u8) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => match characters.next()?.1 {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'r' => text.push('\r'),
                other => text.push(other),
            },
            c if c == char::from(quote) => return Some((text, at + 1)),
            c => text.push(c),
        }
    }
    None
}

pub(super) fn syntax(at: usize, message: &str) -> FormulaError {
    FormulaError::Syntax { at, message: message.to_owned() }
}
