//! Rows as CSV in Bulk's form (all quoted; null and empty are both empty) or as JSON (null, exact decimals).

use std::io::Write;

use super::cell;
use super::rows::{Opened, PartRef, ReadError, Row, Rows};

/// Bytes gathered before they are handed on.
const CHUNK: usize = 64 << 10;

/// Writes a header and all rows as CSV; returns the rows.
pub fn write_csv<F: FnMut(&PartRef) -> Opened>(
    rows: &mut Rows<F>,
    out: &mut impl Write,
) -> Result<u64, ReadError> {
    let mut buffer = Vec::with_capacity(2 * CHUNK);
    for (at, name) in rows.fields().iter().enumerate() {
        separate(at, &mut buffer);
        quote(name.as_bytes(), &mut buffer);
    }
    buffer.push(b'\n');
    let (mut count, mut text) = (0, Vec::new());
    while let Some(row) = rows.next()? {
        csv_row(&row, &mut text, &mut buffer)?;
        count += 1;
        hand_on(&mut buffer, out, CHUNK)?;
    }
    hand_on(&mut buffer, out, 0)?;
    Ok(count)
}

/// Writes each row as a JSON object in a line of its own; returns the rows.
pub fn write_json_lines<F: FnMut(&PartRef) -> Opened>(
    rows: &mut Rows<F>,
    out: &mut impl Write,
) -> Result<u64, ReadError> {
    json(rows, out, ["", "\n", "\n", ""])
}

/// Writes all rows as one JSON array; returns the rows.
pub fn write_json<F: FnMut(&PartRef) -> Opened>(
    rows: &mut Rows<F>,
    out: &mut impl Write,
) -> Result<u64, ReadError> {
    json(rows, out, ["[\n", ",\n", "\n", "]\n"])
}

/// Rows as JSON with what stands before all, between two, after the last, and after all.
fn json<F: FnMut(&PartRef) -> Opened>(
    rows: &mut Rows<F>,
    out: &mut impl Write,
    [before, between, last, after]: [&str; 4],
) -> Result<u64, ReadError> {
    let mut buffer = before.as_bytes().to_vec();
    let names: Vec<Vec<u8>> = rows
        .fields()
        .iter()
        .map(|name| serde_json::Value::from(name.as_str()).to_string().into_bytes())
        .collect();
    let mut count = 0;
    while let Some(row) = rows.next()? {
        if count > 0 {
            buffer.extend_from_slice(between.as_bytes());
        }
        json_row(&row, &names, &mut buffer)?;
        count += 1;
        hand_on(&mut buffer, out, CHUNK)?;
    }
    if count > 0 {
        buffer.extend_from_slice(last.as_bytes());
    }
    buffer.extend_from_slice(after.as_bytes());
    hand_on(&mut buffer, out, 0)?;
    Ok(count)
}

fn csv_row(row: &Row<'_>, text: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<(), ReadError> {
    let raw = row.raw_cells()?;
    for (at, name) in row.field_names().iter().enumerate() {
        separate(at, out);
        text.clear();
        match (row.typed(at), raw.get(name)) {
            (Some((column, at)), _) => {
                cell::write_text(column, at, text).map_err(|source| row.error(source))?;
            }
            (None, Some(raw)) => text.extend_from_slice(raw.as_bytes()),
            (None, None) => {}
        }
        quote(text, out);
    }
    out.push(b'\n');
    Ok(())
}

fn json_row(row: &Row<'_>, names: &[Vec<u8>], out: &mut Vec<u8>) -> Result<(), ReadError> {
    let raw = row.raw_cells()?;
    out.push(b'{');
    for (at, (field, name)) in row.field_names().iter().zip(names).enumerate() {
        separate(at, out);
        out.extend_from_slice(name);
        out.push(b':');
        let bare = row.is_bare(at);
        match (row.typed(at), raw.get(field)) {
            (Some((column, at)), _) if bare && cell::is_bare(column.data_type()) => {
                cell::write_text(column, at, out).map_err(|source| row.error(source))?;
            }
            (Some((column, at)), _) => {
                let mut text = Vec::new();
                cell::write_text(column, at, &mut text).map_err(|source| row.error(source))?;
                match String::from_utf8_lossy(&text) {
                    // A part of a time when the field was text.
                    number if bare && is_number(&number) => out.extend_from_slice(number.as_bytes()),
                    text => json_text(&text, out),
                }
            }
            (None, Some(raw)) if bare && is_number(raw) => out.extend_from_slice(raw.as_bytes()),
            (None, Some(raw)) => json_text(raw, out),
            (None, None) => out.extend_from_slice(b"null"),
        }
    }
    out.push(b'}');
    Ok(())
}

pub(crate) fn is_number(text: &str) -> bool {
    serde_json::from_str::<serde_json::Number>(text).is_ok()
}

pub(crate) fn json_text(text: &str, out: &mut Vec<u8>) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, text).is_err() {
        // Memory takes all that is written to it; should it not, the long way round.
        out.truncate(before);
        out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
    }
}

pub(crate) fn separate(at: usize, out: &mut Vec<u8>) {
    if at > 0 {
        out.push(b',');
    }
}

pub(crate) fn quote(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=at]);
        out.push(b'"');
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn hand_on(buffer: &mut Vec<u8>, out: &mut impl Write, above: usize) -> Result<(), ReadError> {
    if buffer.len() > above {
        out.write_all(buffer)?;
        buffer.clear();
    }
    Ok(())
}
