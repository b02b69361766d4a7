//! A page of REST rows as text cells, exactly as the org wrote them.
//!
//! Numbers are never parsed: a decimal of 18 digits would not survive a float.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::transport::Flaw;

/// A row: one cell a column, `None` for null and for the empty text (Salesforce stores no empty text).
pub(super) type Row = Vec<Option<String>>;

/// The body of a query's page.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    total_size: u64,
    done: bool,
    #[serde(default)]
    next_records_url: Option<String>,
    #[serde(borrow)]
    records: Vec<HashMap<String, &'a RawValue>>,
}

/// A page that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) total_size: u64,
    pub(super) next: Option<String>,
    pub(super) rows: Vec<Row>,
}

/// Reads a page; the flaw says where and what is wrong with it.
pub(super) fn parse(text: &[u8], columns: &[String]) -> Result<Page, Flaw> {
    let body: Body<'_> = serde_json::from_slice(text).map_err(|error| Flaw::of_json(text, &error))?;
    if !body.done && body.next_records_url.is_none() {
        return Err(Flaw::new(text.len(), "it is not done and names no next page"));
    }
    let rows = body.records.iter().map(|record| row(text, record, columns)).collect::<Result<Vec<_>, _>>()?;
    if let Some(id) = columns.iter().position(|column| column == "Id") {
        let mut ids = HashSet::with_capacity(rows.len());
        for (record, row) in body.records.iter().zip(&rows) {
            if let Some(Some(id)) = row.get(id)
                && names_a_row(id)
                && !ids.insert(id)
            {
                let at = record.get("Id").map_or(0, |raw| place(text, raw.get()));
                return Err(Flaw::passing(at, format!("the row {id} stands in it twice")));
            }
        }
    }
    Ok(Page { total_size: body.total_size, next: if body.done { None } else { body.next_records_url }, rows })
}

fn row(text: &[u8], record: &HashMap<String, &RawValue>, columns: &[String]) -> Result<Row, Flaw> {
    columns
        .iter()
        .map(|column| {
            let raw = find(record, column).map_err(|detail| {
                // Any cell of the row tells where it stands.
                let near = record.values().next().map_or(0, |raw| place(text, raw.get()));
                Flaw::new(near, detail)
            })?;
            cell(raw).map_err(|error| Flaw::new(place(text, raw), format!("column {column}: {error}")))
        })
        .collect()
}

/// The JSON of a column: its own key, or for a parent's field such as `Owner.Name` the path through nested
/// objects, of which each may be null.
fn find<'a>(record: &HashMap<String, &'a RawValue>, column: &str) -> Result<&'a str, String> {
    if let Some(raw) = record.get(column) {
        return Ok(raw.get());
    }
    let lacks = || format!("a row lacks the column {column}");
    let (parent, rest) = column.split_once('.').ok_or_else(lacks)?;
    let raw = record.get(parent).ok_or_else(lacks)?.get();
    if raw == "null" {
        return Ok(raw);
    }
    let nested: HashMap<String, &'a RawValue> =
        serde_json::from_str(raw).map_err(|error| format!("column {column}: {error}"))?;
    find(&nested, rest)
}

/// Whether an id tells rows apart: rows of virtual objects (FieldDefinition and the like) may all have the empty key.
pub(super) fn names_a_row(id: &str) -> bool {
    !id.starts_with("000000000000000")
}

/// Where a part of a text begins in it, bytes.
fn place(text: &[u8], part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

/// The text of a JSON value: strings without quotes, everything else as it stands.
fn cell(raw: &str) -> Result<Option<String>, String> {
    if raw == "null" {
        return Ok(None);
    }
    if !raw.starts_with('"') {
        return Ok(Some(raw.to_owned()));
    }
    let text: String = serde_json::from_str(raw).map_err(|error| error.to_string())?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn cells_keep_their_text() {
        let body = r#"{"totalSize":1,"done":true,"records":[{"attributes":{"type":"X"},
            "Amount":123456789012345678.90,"Big":1.0E7,"Open":true,"Name":"a\n\"ü\"","Note":"","Gone":null,
            "At":"2026-01-31T10:11:12.000+0000"}]}"#;
        let names = columns(&["Amount", "Big", "Open", "Name", "Note", "Gone", "At"]);
        let page = parse(body.as_bytes(), &names).unwrap();
        let want = [
            Some("123456789012345678.90"),
            Some("1.0E7"),
            Some("true"),
            Some("a\n\"ü\""),
            None,
            None,
            Some("2026-01-31T10:11:12.000+0000"),
        ];
        assert_eq!(page.rows, [want.map(|cell| cell.map(str::to_owned)).to_vec()]);
    }

    #[test]
    fn what_is_not_as_promised_is_refused_with_its_place() {
        let refused = |body: &str| parse(body.as_bytes(), &columns(&["Id"])).unwrap_err();
        let lacking = refused(r#"{"totalSize":1,"done":true,"records":[{"Name":"x"}]}"#);
        assert!(lacking.detail.contains("lacks the column Id"));
        assert_eq!(lacking.offset, 46);
        let broken = refused(r#"{"totalSize":1,"done":true,"records":[{"Id":"\ud800"}]}"#);
        assert!(broken.detail.contains("column Id") && broken.offset == 44, "{broken:?}");
        assert!(refused(r#"{"totalSize":1,"done":false,"records":[]}"#).detail.contains("no next page"));
        let twice = refused(r#"{"totalSize":2,"done":true,"records":[{"Id":"1"},{"Id":"1"}]}"#);
        assert!(
            twice.passing && twice.offset == 55 && twice.detail.contains("row 1 stands in it twice"),
            "{twice:?}"
        );
        assert!(refused("<html>").detail.contains("expected value"));
        assert!(refused(r#"{"totalSize":1,"done":true,"records":[{"Id":"#).passing);
    }

    #[test]
    fn rows_without_an_id_of_their_own_are_no_repetition() {
        let body = r#"{"totalSize":2,"done":true,"records":[{"Id":"000000000000000AAA"},{"Id":"000000000000000AAA"}]}"#;
        assert_eq!(parse(body.as_bytes(), &columns(&["Id"])).unwrap().rows.len(), 2);
    }

    #[test]
    fn parents_fields_are_found_and_a_value_of_an_unknown_kind_is_its_own_text() {
        let body = r#"{"totalSize":2,"done":true,"records":[
            {"Owner":{"attributes":{"type":"User"},"Manager":{"Name":"Ada"}},"Shape__c":{"a":[1]}},
            {"Owner":null,"Shape__c":[true]}]}"#;
        let page = parse(body.as_bytes(), &columns(&["Owner.Manager.Name", "Shape__c"])).unwrap();
        let cells = |row: [Option<&str>; 2]| row.map(|cell| cell.map(str::to_owned)).to_vec();
        assert_eq!(page.rows, [cells([Some("Ada"), Some(r#"{"a":[1]}"#)]), cells([None, Some("[true]")])]);
    }

    /// What no JSON number type holds, and what no release has named yet, comes through as it stands.
    #[test]
    fn numbers_are_text_whatever_their_size() {
        for number in [
            "123456789012345678.90",
            "9007199254740993",
            "99999999999999999999999999999999999999",
            "0.1000000000000000055511151231257827",
            "1e400",
            "-1.7976931348623157E+309",
            "0",
            "-0.0",
            "1.0E7",
        ] {
            let body = format!(r#"{{"totalSize":1,"done":true,"records":[{{"Id":{number}}}]}}"#);
            let page = parse(body.as_bytes(), &columns(&["Id"])).unwrap();
            assert_eq!(page.rows, [[Some(number.to_owned())]]);
        }
    }
}
