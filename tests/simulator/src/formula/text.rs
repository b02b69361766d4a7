//! Functions of texts.

use super::eval::{Evaluation, value};
use super::{FormulaError, Given, Node, Number};

/// The value of a call.
pub(super) fn call(
    evaluation: &Evaluation<'_>,
    name: &'static str,
    parameters: &[Node],
) -> Result<Given, FormulaError> {
    let place = format!("{name}()");
    let given = |number: usize| parameters.get(number).map_or(Ok(Given::Null), |node| evaluation.value(node));
    let text = |number: usize| given(number)?.as_text(&place);
    let count = |number: usize| -> Result<usize, FormulaError> {
        let number = given(number)?.as_number(&place)?.and_then(Number::to_i64);
        Ok(number.map_or(0, |number| usize::try_from(number).unwrap_or(0)))
    };
    Ok(match name {
        "TEXT" => Given::Text(given(0)?.to_text()),
        "VALUE" => {
            let text = text(0)?;
            if text.trim().is_empty() {
                return Ok(Given::Null);
            }
            Number::parse(&text.replace(',', "")).ok_or_else(|| value("Not a number"))?.into()
        }
        "ISNUMBER" => Given::Bool(Number::parse(&given(0)?.to_text()).is_some()),
        "ISPICKVAL" => Given::Bool(text(0)? == text(1)?),
        // documented: equal in case
        "INCLUDES" => {
            let (chosen, wanted) = (text(0)?, text(1)?);
            Given::Bool(!wanted.is_empty() && chosen.split(';').any(|value| value.trim() == wanted))
        }
        "LEN" => Number::whole(text(0)?.chars().count() as i64).into(),
        "LEFT" => Given::Text(text(0)?.chars().take(count(1)?).collect()),
        "RIGHT" => {
            let text = text(0)?;
            let skip = text.chars().count().saturating_sub(count(1)?);
            Given::Text(text.chars().skip(skip).collect())
        }
        "MID" => {
            let skip = count(1)?.saturating_sub(1);
            Given::Text(text(0)?.chars().skip(skip).take(count(2)?).collect())
        }
        "TRIM" => Given::text(text(0)?.trim()),
        "UPPER" => Given::Text(text(0)?.to_uppercase()),
        "LOWER" => Given::Text(text(0)?.to_lowercase()),
        "INITCAP" => Given::Text(initial_capitals(&text(0)?)),
        "REVERSE" => Given::Text(text(0)?.chars().rev().collect()),
        "CONTAINS" => {
            let (text, part) = (text(0)?, text(1)?);
            Given::Bool(text.contains(&part))
        }
        "BEGINS" => {
            let (text, part) = (text(0)?, text(1)?);
            Given::Bool(text.starts_with(&part))
        }
        "FIND" => {
            let (part, text, from) = (text(0)?, text(1)?, count(2)?.max(1) - 1);
            let start = text.char_indices().nth(from).map(|(at, _)| at);
            let found = start.filter(|_| !part.is_empty()).and_then(|start| {
                let at = start + text.get(start..)?.find(&part)?;
                Some(text.get(..at)?.chars().count() as i64 + 1)
            });
            Number::whole(found.unwrap_or(0)).into()
        }
        "SUBSTITUTE" => {
            let (text, old, new) = (text(0)?, text(1)?, text(2)?);
            Given::Text(if old.is_empty() { text } else { text.replace(&old, &new) })
        }
        "LPAD" | "RPAD" => {
            let fill = if parameters.len() > 2 { text(2)? } else { " ".to_owned() };
            Given::Text(padded(&text(0)?, count(1)?, &fill, name == "LPAD"))
        }
        "REGEX" => {
            // Java's matches(): all of the text
            let pattern =
                regex::RegexBuilder::new(&format!(r"\A(?:{})\z", text(1)?)).size_limit(1 << 20).build();
            let pattern = pattern.map_err(|_| value("Invalid regular expression"))?;
            Given::Bool(pattern.is_match(&text(0)?))
        }
        "CASESAFEID" => match given(0)? {
            Given::Id(id) => Given::Text(id.to_string()),
            other => {
                let text = other.as_text(&place)?;
                Given::Text(crate::value::Id::parse(&text).map_or(text, |id| id.to_string()))
            }
        },
        "CHR" => {
            let code = u32::try_from(count(0)?).ok().and_then(char::from_u32);
            Given::Text(code.map(String::from).unwrap_or_default())
        }
        "ASCII" => match text(0)?.chars().next() {
            Some(c) => Number::whole(i64::from(u32::from(c))).into(),
            None => Given::Null,
        },
        // the API gives what a page would show, as markup
        "BR" => Given::text("<br>"),
        "HYPERLINK" => {
            let (url, label) = (text(0)?, given(1)?.to_text());
            let target = if parameters.len() > 2 { text(2)? } else { "_blank".to_owned() };
            Given::Text(format!("<a href=\"{url}\" target=\"{target}\">{label}</a>"))
        }
        "IMAGE" => {
            let (url, alt) = (text(0)?, text(1)?);
            let size = if parameters.len() > 3 {
                format!(" style=\"height:{}px; width:{}px;\"", given(2)?.to_text(), given(3)?.to_text())
            } else {
                String::new()
            };
            Given::Text(format!("<img src=\"{url}\" alt=\"{alt}\"{size} border=\"0\"/>"))
        }
        "HTMLENCODE" => {
            let text = text(0)?.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            Given::Text(text.replace('"', "&quot;").replace('\'', "&#39;"))
        }
        "JSENCODE" => {
            let text = text(0)?.replace('\\', "\\\\").replace('\'', "\\'").replace('"', "\\\"");
            Given::Text(text.replace('\n', "\\n").replace('\r', "\\r"))
        }
        "URLENCODE" => Given::Text(url::form_urlencoded::byte_serialize(text(0)?.as_bytes()).collect()),
        other => return Err(FormulaError::Function(other.to_owned())),
    })
}

fn initial_capitals(text: &str) -> String {
    let mut first = true;
    text.chars()
        .flat_map(|c| {
            let shown: Vec<char> =
                if first { c.to_uppercase().collect() } else { c.to_lowercase().collect() };
            first = !c.is_alphanumeric();
            shown
        })
        .collect()
}

fn padded(text: &str, length: usize, fill: &str, before: bool) -> String {
    let have = text.chars().count();
    let length = length.min(4_000);
    if fill.is_empty() {
        return text.to_owned();
    }
    if have >= length {
        return text.chars().take(length).collect();
    }
    let filling: String = fill.chars().cycle().take(length - have).collect();
    if before { filling + text } else { text.to_owned() + &filling }
}
