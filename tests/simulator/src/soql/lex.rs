//! From text to tokens.

use super::SoqlError;

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A name, maybe dotted.
    Word,
    /// A string, without its quotes and with its escapes as written.
    Text(String),
    /// Begins with a digit or a sign: a number, date, datetime or time.
    Digits,
    /// A comparison operator, parenthesis, comma or colon.
    Symbol,
    /// The end.
    End,
}

/// A token.
#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    /// As written.
    pub(super) text: &'a str,
    /// Byte offset.
    pub(super) at: usize,
}

impl Token<'_> {
    /// Whether this is the keyword or symbol, in any case.
    pub(super) fn is(&self, word: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Symbol) && self.text.eq_ignore_ascii_case(word)
    }
}

/// All tokens of a text, the last one being [`Kind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, SoqlError> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let end = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue;
            }
            b'\'' => {
                let end = string_end(text, at)?;
                found.push(Token {
                    kind: Kind::Text(text[at + 1..end - 1].to_owned()),
                    text: &text[at..end],
                    at,
                });
                at = end;
                continue;
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                run(bytes, at, |b| b.is_ascii_alphanumeric() || b"_.".contains(&b))
            }
            b'0'..=b'9' => run(bytes, at, |b| b.is_ascii_alphanumeric() || b".:+-".contains(&b)),
            b'-' | b'+' | b'.' if bytes.get(at + 1).is_some_and(|b| b.is_ascii_digit() || *b == b'.') => {
                run(bytes, at + 1, |b| b.is_ascii_alphanumeric() || b".:+-".contains(&b))
            }
            b'<' | b'>' | b'!' => {
                let two = bytes.get(at + 1).is_some_and(|b| *b == b'=' || (byte == b'<' && *b == b'>'));
                at + 1 + usize::from(two)
            }
            b'=' | b'(' | b')' | b',' | b':' => at + 1,
            _ => {
                let unknown = text[at..].chars().next().unwrap_or_default();
                return Err(SoqlError::malformed(format!("unexpected token: '{unknown}'")).at(text, at));
            }
        };
        let kind = match byte {
            b'0'..=b'9' | b'-' | b'+' | b'.' => Kind::Digits,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => Kind::Word,
            _ => Kind::Symbol,
        };
        found.push(Token { kind, text: &text[at..end], at });
        at = end;
    }
    found.push(Token { kind: Kind::End, text: "<EOF>", at: text.len() });
    Ok(found)
}

fn run(bytes: &[u8], from: usize, belongs: impl Fn(u8) -> bool) -> usize {
    from + bytes[from..].iter().take_while(|b| belongs(**b)).count()
}

/// Where a string that begins at `from` ends, its closing quote included.
fn string_end(text: &str, from: usize) -> Result<usize, SoqlError> {
    let bytes = text.as_bytes();
    let mut at = from + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\'' => return Ok(at + 1),
            b'\\' => {
                let known = bytes.get(at + 1).is_some_and(|b| b"nNrRtTbBfF\"'\\_%uU".contains(b));
                if !known {
                    let shown: String = text[at..].chars().take(2).collect();
                    let message =
                        format!("Invalid string literal '{shown}'. Illegal character sequence '{shown}'");
                    return Err(SoqlError::malformed(message).at(text, at));
                }
                at += 2;
            }
            _ => at += 1,
        }
    }
    Err(SoqlError::malformed("unexpected token: '<EOF>'").at(text, from))
}
