//! Rows of a result as CSV, XML or JSON.

use std::io::{self, Write};
use std::sync::Arc;

use http::StatusCode;

use super::form::{NAMESPACE, escape};
use super::job::ContentType;
use crate::bulk::write_rows;
use crate::soql::{Column, CsvForm, Cursor};
use crate::store::RowRef;
use crate::value::calendar::{DAY_MS, rest_datetime, write_clock, write_date};
use crate::value::decimal::write_integer;
use crate::value::{Cell, Id};
use crate::web::Answer;

/// Bytes that are gathered before they are handed on.
const PIECE: usize = 128 * 1024;

/// `rows` rows from a position on.
pub(super) fn answer(cursor: Arc<Cursor>, from: u64, rows: u64, kind: ContentType, version: &str) -> Answer {
    match kind {
        // clients look for these words in place of a header
        ContentType::Csv if cursor.total() == 0 => {
            Answer::bytes(StatusCode::OK, "text/csv", "Records not found for this query")
        }
        ContentType::Csv => Answer::stream(
            "text/csv",
            Box::new(move |out| {
                let form = CsvForm::default();
                let mut head = Vec::with_capacity(PIECE);
                cursor.write_csv_header(form, &mut head);
                write_rows(&cursor, &[(from, rows)], form, head, out)
            }),
        ),
        ContentType::Json => {
            let version = version.to_owned();
            Answer::stream("application/json", Box::new(move |out| json(&cursor, from, rows, &version, out)))
        }
        ContentType::Xml => {
            Answer::stream("application/xml", Box::new(move |out| xml(&cursor, from, rows, out)))
        }
    }
}

/// How the columns nest: a name, and a column or the columns below it.
enum Node {
    Column(usize),
    Parent(usize, usize, Vec<(String, Node)>),
}

fn nest(columns: &[(usize, &Column)], depth: usize) -> Vec<(String, Node)> {
    let mut nodes: Vec<(String, Node)> = Vec::new();
    for (number, column) in columns {
        let name = column.names[depth].clone();
        if column.names.len() == depth + 1 {
            nodes.push((name, Node::Column(*number)));
        } else if !nodes.iter().any(|(known, node)| *known == name && matches!(node, Node::Parent(..))) {
            let below: Vec<(usize, &Column)> = columns
                .iter()
                .filter(|(_, other)| {
                    other.names.len() > depth + 1 && other.names[..=depth] == column.names[..=depth]
                })
                .copied()
                .collect();
            nodes.push((name, Node::Parent(*number, depth + 1, nest(&below, depth + 1))));
        }
    }
    nodes
}

fn nodes(cursor: &Cursor) -> Vec<(String, Node)> {
    let columns: Vec<(usize, &Column)> = cursor.columns().iter().enumerate().collect();
    nest(&columns, 0)
}

fn json(cursor: &Cursor, from: u64, rows: u64, version: &str, out: &mut dyn Write) -> io::Result<()> {
    let nodes = nodes(cursor);
    let mut scratch = String::new();
    let mut piece = Vec::with_capacity(PIECE + 16 * 1024);
    piece.push(b'[');
    for (number, row) in cursor.rows(from, rows).enumerate() {
        if number > 0 {
            piece.push(b',');
        }
        let own = (cursor.plan().object, cursor.id(row));
        json_record(cursor, row, own, &nodes, version, &mut scratch, &mut piece)?;
        if piece.len() >= PIECE {
            out.write_all(&piece)?;
            piece.clear();
        }
    }
    piece.push(b']');
    out.write_all(&piece)
}

fn json_record(
    cursor: &Cursor,
    row: RowRef<'_>,
    (object, id): (usize, Id),
    nodes: &[(String, Node)],
    version: &str,
    scratch: &mut String,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    let name = &cursor.plan().schema().object(object).name;
    write!(
        out,
        "{{\"attributes\":{{\"type\":\"{name}\",\"url\":\"/services/data/v{version}/sobjects/{name}/{id}\"}}"
    )?;
    for (name, node) in nodes {
        write!(out, ",\"{name}\":")?;
        match node {
            Node::Column(column) => json_cell(cursor.cell(row, *column, scratch), out)?,
            Node::Parent(column, depth, below) => match cursor.ancestor(row, *column, *depth) {
                Some(parent) => json_record(cursor, row, parent, below, version, scratch, out)?,
                None => out.extend_from_slice(b"null"),
            },
        }
    }
    out.push(b'}');
    Ok(())
}

fn json_cell(cell: Cell<'_>, out: &mut Vec<u8>) -> io::Result<()> {
    match cell {
        Cell::Null => out.extend_from_slice(b"null"),
        Cell::Text(text) => serde_json::to_writer(out, text)?,
        Cell::Bool(value) => write!(out, "{value}")?,
        Cell::Int(number) => write_integer(number, out),
        Cell::Number(number) => number.write(out),
        // milliseconds since 1970, unlike everywhere else (simple-salesforce issue 290); dates likewise
        Cell::Date(days) => write_integer(i64::from(days) * DAY_MS, out),
        Cell::DateTime(millis) => write_integer(millis, out),
        Cell::Time(millis) => {
            out.push(b'"');
            write_clock(millis, out);
            out.extend_from_slice(b"Z\"");
        }
        Cell::Id(id) => write!(out, "\"{id}\"")?,
    }
    Ok(())
}

fn xml(cursor: &Cursor, from: u64, rows: u64, out: &mut dyn Write) -> io::Result<()> {
    let nodes = nodes(cursor);
    let mut scratch = String::new();
    let mut piece = Vec::with_capacity(PIECE + 16 * 1024);
    write!(
        piece,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><queryResult xmlns=\"{NAMESPACE}\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">"
    )?;
    for row in cursor.rows(from, rows) {
        xml_record(cursor, row, ("records", cursor.plan().object), &nodes, &mut scratch, &mut piece)?;
        if piece.len() >= PIECE {
            out.write_all(&piece)?;
            piece.clear();
        }
    }
    piece.extend_from_slice(b"</queryResult>");
    out.write_all(&piece)
}

fn xml_record(
    cursor: &Cursor,
    row: RowRef<'_>,
    (tag, object): (&str, usize),
    nodes: &[(String, Node)],
    scratch: &mut String,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    let name = &cursor.plan().schema().object(object).name;
    write!(out, "<{tag} xsi:type=\"sObject\"><type>{name}</type>")?;
    for (name, node) in nodes {
        match node {
            Node::Column(column) => match cursor.cell(row, *column, scratch) {
                Cell::Null => write!(out, "<{name} xsi:nil=\"true\"/>")?,
                cell => {
                    write!(out, "<{name}>")?;
                    xml_cell(cell, out)?;
                    write!(out, "</{name}>")?;
                }
            },
            Node::Parent(column, depth, below) => match cursor.ancestor(row, *column, *depth) {
                Some((object, _)) => xml_record(cursor, row, (name, object), below, scratch, out)?,
                None => write!(out, "<{name} xsi:nil=\"true\"/>")?,
            },
        }
    }
    write!(out, "</{tag}>")
}

fn xml_cell(cell: Cell<'_>, out: &mut Vec<u8>) -> io::Result<()> {
    match cell {
        Cell::Null => {}
        Cell::Text(text) => out.extend_from_slice(escape(text).as_bytes()),
        Cell::Bool(value) => write!(out, "{value}")?,
        Cell::Int(number) => write_integer(number, out),
        Cell::Number(number) => number.write(out),
        Cell::Date(days) => write_date(days, out),
        Cell::DateTime(millis) => {
            out.extend_from_slice(rest_datetime(millis).replace("+0000", "Z").as_bytes());
        }
        Cell::Time(millis) => {
            write_clock(millis, out);
            out.push(b'Z');
        }
        Cell::Id(id) => write!(out, "{id}")?,
    }
    Ok(())
}
