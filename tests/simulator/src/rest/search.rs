//! `search?q=FIND {acme} RETURNING Account(Id, Name)`: words of texts looked for row by row, since no index is kept.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::Call;
use super::query::JSON;
use super::versions::reached;
use crate::schema::FieldType;
use crate::soql::{JsonForm, Plan, parse};
use crate::store::RowRef;
use crate::value::Cell;
use crate::web::{Answer, ApiError};

/// Records of an answer at most.
const MOST: u64 = 2_000;
/// The API version since which the records stand in an object.
const OBJECT_SINCE: u16 = 37;

/// What is looked for, and in which fields.
struct Sought {
    words: Vec<String>,
    group: String,
}

/// What is wanted of one object.
struct Wanted {
    plan: Arc<Plan>,
    most: u64,
}

fn malformed(message: impl Into<String>) -> ApiError {
    ApiError::bad("MALFORMED_SEARCH", message)
}

/// Answers a search.
pub(super) fn answer(call: &Call<'_>) -> Result<Answer, ApiError> {
    let text = call.request.parameter("q").unwrap_or_default().trim();
    let term = text.find('{').zip(text.find('}')).filter(|(open, close)| open < close);
    let Some((open, close)) =
        term.filter(|_| text.get(..4).is_some_and(|find| find.eq_ignore_ascii_case("FIND")))
    else {
        let message = "No search term found. The search term must be enclosed in braces.";
        return Err(malformed(message));
    };
    let mut rest = text[close + 1..].trim();
    let mut group = "ALL".to_owned();
    if let Some(after) = keyword(rest, "IN") {
        let (word, tail) = after.split_once(char::is_whitespace).unwrap_or((after, ""));
        group = word.to_ascii_uppercase();
        rest = keyword(tail.trim_start(), "FIELDS").ok_or_else(|| malformed("unexpected token: IN"))?;
    }
    let sought = Sought { words: words(&text[open + 1..close])?, group };
    let wanted = match keyword(rest, "RETURNING") {
        Some(list) => {
            let (entries, tail) = entries(list);
            rest = tail;
            entries.into_iter().map(|entry| wanted(call, entry)).collect::<Result<Vec<_>, _>>()?
        }
        None => everywhere(call),
    };
    let most = match keyword(rest, "LIMIT") {
        Some(number) => {
            number.trim().parse().map_err(|_| malformed(format!("unexpected token: {number}")))?
        }
        None if rest.is_empty() => MOST,
        None => return Err(malformed(format!("unexpected token: {rest}"))),
    };
    Ok(written(call, &sought, &wanted, most.min(MOST)))
}

/// What follows a keyword, if the text begins with it.
fn keyword<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (head, rest) = (text.get(..word.len())?, text.get(word.len()..)?);
    (head.eq_ignore_ascii_case(word) && rest.starts_with(|c: char| c.is_whitespace()))
        .then(|| rest.trim_start())
}

/// Words that must all be found, in lower case; a `*` at the end stands for anything.
fn words(term: &str) -> Result<Vec<String>, ApiError> {
    let split = term.split(|c: char| !(c.is_alphanumeric() || c == '*' || c == '_'));
    let words: Vec<String> = split.filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    if words.is_empty() || words.iter().any(|word| word.trim_end_matches('*').chars().count() < 2) {
        return Err(malformed(format!("search term must be longer than one character: {term}")));
    }
    Ok(words)
}

/// The entries of RETURNING, and what stands behind them.
fn entries(list: &str) -> (Vec<&str>, &str) {
    let (mut found, mut from, mut depth, mut end) = (Vec::new(), 0, 0usize, list.len());
    for (at, c) in list.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                found.push(list[from..at].trim());
                from = at + 1;
            }
            _ if depth == 0 && keyword(&list[at..], "LIMIT").is_some() => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    found.push(list[from.min(end)..end].trim());
    (found, &list[end..])
}

/// `Account`, `Account(Id, Name WHERE Name != 'x' LIMIT 5)`
fn wanted(call: &Call<'_>, entry: &str) -> Result<Wanted, ApiError> {
    let (object, inner) = match entry.split_once('(') {
        Some((object, inner)) => (object.trim(), inner.strip_suffix(')').unwrap_or(inner).trim()),
        None => (entry, "Id"),
    };
    let clause = ["WHERE", "USING", "ORDER", "LIMIT", "OFFSET"]
        .iter()
        .filter_map(|clause| {
            inner.char_indices().find(|(at, _)| {
                inner[..*at].ends_with(char::is_whitespace) && keyword(&inner[*at..], clause).is_some()
            })
        })
        .map(|(at, _)| at)
        .min()
        .unwrap_or(inner.len());
    let mut query = parse(&format!("SELECT {} FROM {object} {}", &inner[..clause], &inner[clause..]))?;
    let most = query.limit.take().unwrap_or(MOST);
    let plan = Plan::new(&call.world.schema, &call.view, &query)?;
    if plan.described().describe.get("searchable") != Some(&Json::Bool(true)) || plan.aggregate {
        let message = format!("entity type {} does not support search", plan.described().name);
        return Err(ApiError::bad("INVALID_TYPE_FOR_OPERATION", message));
    }
    Ok(Wanted { plan: Arc::new(plan), most })
}

/// Every object that can be searched; those that want to be filtered cannot.
fn everywhere(call: &Call<'_>) -> Vec<Wanted> {
    let objects = call.world.schema.objects().iter().enumerate();
    let searchable = objects.filter(|(number, object)| {
        call.view.sees_object(*number)
            && object.queryable
            && object.describe.get("searchable") == Some(&Json::Bool(true))
    });
    searchable.filter_map(|(_, object)| wanted(call, &object.name).ok()).collect()
}

fn written(call: &Call<'_>, sought: &Sought, wanted: &[Wanted], most: u64) -> Answer {
    let (mut out, mut scratch, mut found) = (Vec::new(), String::new(), 0);
    for wanted in wanted {
        let cursor = wanted.plan.open(call.world.database.clone(), false);
        let form = JsonForm::new(&wanted.plan, call.version);
        let rows = cursor.rows(0, u64::MAX).filter(|row| sought.is_in(call, wanted.plan.object, *row));
        let left = usize::try_from(wanted.most.min(most - found)).unwrap_or(usize::MAX);
        for row in rows.take(left) {
            out.extend_from_slice(if found > 0 { b"," } else { b"" });
            cursor.write_json_row(row, &form, &mut scratch, &mut out);
            found += 1;
        }
    }
    let list = [b"[".as_slice(), &out, b"]"].concat();
    if !reached(call.version, OBJECT_SINCE) {
        return Answer::bytes(StatusCode::OK, JSON, list);
    }
    Answer::bytes(StatusCode::OK, JSON, [b"{\"searchRecords\":".as_slice(), &list, b"}"].concat())
}

impl Sought {
    /// Whether a row's fields hold every word.
    fn is_in(&self, call: &Call<'_>, object: usize, row: RowRef<'_>) -> bool {
        let (schema, database) = (&call.world.schema, &call.world.database);
        let mut missing: Vec<&String> = self.words.iter().collect();
        let mut scratch = String::new();
        for (number, field) in schema.object(object).fields.iter().enumerate() {
            let looked_in = match self.group.as_str() {
                "NAME" | "SIDEBAR" => field.name == "Name" || field.name.ends_with("Name"),
                "EMAIL" => field.kind == FieldType::Email,
                "PHONE" => field.kind == FieldType::Phone,
                _ => field.kind != FieldType::Base64,
            };
            if !looked_in || !call.view.sees_field(object, number) {
                continue;
            }
            let Cell::Text(text) = database.cell(schema, object, row, number, &mut scratch) else { continue };
            let text = text.to_lowercase();
            let has = |word: &str| {
                let mut tokens = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
                match word.strip_suffix('*') {
                    Some(start) => tokens.any(|token| token.starts_with(start)),
                    None => tokens.any(|token| token == word),
                }
            };
            missing.retain(|word| !has(word));
            if missing.is_empty() {
                return true;
            }
        }
        false
    }
}

/// What users have looked at: nothing, since nobody looks at records here.
pub(super) fn recent() -> Answer {
    Answer::ok(&json!([]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_end_before_a_limit() {
        let (found, rest) = entries("Account(Id, Name LIMIT 3), Contact LIMIT 5");
        assert_eq!((found, rest), (vec!["Account(Id, Name LIMIT 3)", "Contact"], "LIMIT 5"));
        assert_eq!(entries("Lead").0, ["Lead"]);
        assert_eq!(words("Acme, Inc*").unwrap(), ["acme", "inc*"]);
        assert!(words("a").is_err());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            let _ = (entries(&text), words(&text), keyword(&text, "LIMIT"));
        }
    }
}
