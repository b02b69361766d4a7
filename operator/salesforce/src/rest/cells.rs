//! A page of REST rows as text cells, exactly as the org wrote them.
//!
//! Numbers are never parsed: a decimal of 18 digits would not survive a float.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

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

/// Reads a page; the error says what is wrong with it.
pub(super) fn parse(body: &[u8], columns: &[String]) -> Result<Page, String> {
    let body: Body<'_> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if !body.done && body.next_records_url.is_none() {
        return Err("it is not done and names no next page".to_owned());
    }
    let rows = body.records.iter().map(|record| row(record, columns)).collect::<Result<_, _>>()?;
    Ok(Page { total_size: body.total_size, next: if body.done { None } else { body.next_records_url }, rows })
}

fn row(record: &HashMap<String, &RawValue>, columns: &[String]) -> Result<Row, String> {
    columns
        .iter()
        .map(|column| {
            let raw = record.get(column).ok_or_else(|| format!("a row lacks the column {column}"))?;
            cell(raw.get()).map_err(|error| format!("column {column}: {error}"))
        })
        .collect()
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
    fn what_is_not_as_promised_is_refused() {
        let refused = |body: &str| parse(body.as_bytes(), &columns(&["Id"])).unwrap_err();
        assert!(
            refused(r#"{"totalSize":1,"done":true,"records":[{"Name":"x"}]}"#)
                .contains("lacks the column Id")
        );
        assert!(refused(r#"{"totalSize":1,"done":false,"records":[]}"#).contains("no next page"));
        assert!(refused("<html>").contains("expected value"));
    }
}
