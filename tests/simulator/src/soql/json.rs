//! Rows as REST writes them: parents as objects within, addresses as objects, content of blobs as its URL.

use super::{Cursor, Plan};
use crate::schema::FieldType;
use crate::store::RowRef;
use crate::value::calendar::{write_clock, write_date, write_datetime};
use crate::value::decimal::write_integer;
use crate::value::{Cell, Id};

/// How the columns of a plan nest in a record; made once per answer.
#[derive(Debug)]
pub struct JsonForm {
    /// `/services/data/v62.0/sobjects/`
    base: String,
    nodes: Vec<Node>,
}

#[derive(Debug)]
enum Node {
    /// The column with this number.
    Column(usize),
    /// A parent: name of the relationship, a column below it, and what is asked of it.
    Parent(String, usize, Vec<Node>),
}

impl JsonForm {
    /// The form for a plan in an API version (`62.0`).
    pub fn new(plan: &Plan, version: &str) -> Self {
        let mut nodes = Vec::new();
        for (number, column) in plan.columns.iter().enumerate() {
            insert(&mut nodes, &column.names, number);
        }
        Self { base: format!("/services/data/v{version}/sobjects/"), nodes }
    }
}

/// Puts a column at its place, below the parents that its name goes through.
fn insert(level: &mut Vec<Node>, names: &[String], number: usize) {
    let [parent, rest @ ..] = names else { return };
    if rest.is_empty() {
        level.push(Node::Column(number));
        return;
    }
    for node in level.iter_mut() {
        if let Node::Parent(known, _, within) = node
            && known == parent
        {
            return insert(within, rest, number);
        }
    }
    let mut within = Vec::new();
    insert(&mut within, rest, number);
    level.push(Node::Parent(parent.clone(), number, within));
}

impl Cursor {
    /// Appends the record of a row.
    pub fn write_json_row(&self, row: RowRef<'_>, form: &JsonForm, scratch: &mut String, out: &mut Vec<u8>) {
        if self.plan().aggregate {
            out.extend_from_slice(b"{\"attributes\":{\"type\":\"AggregateResult\"}");
        } else {
            self.write_attributes(self.plan().object, self.id(row), form, out);
        }
        self.write_nodes(row, &form.nodes, 0, form, scratch, out);
        out.push(b'}');
    }

    fn write_attributes(&self, object: usize, id: Id, form: &JsonForm, out: &mut Vec<u8>) {
        let name = self.plan().schema.object(object).name.as_bytes();
        out.extend_from_slice(b"{\"attributes\":{\"type\":\"");
        out.extend_from_slice(name);
        out.extend_from_slice(b"\",\"url\":\"");
        write_url(name, id, form, out);
        out.extend_from_slice(b"\"}");
    }

    fn write_nodes(
        &self,
        row: RowRef<'_>,
        nodes: &[Node],
        depth: usize,
        form: &JsonForm,
        scratch: &mut String,
        out: &mut Vec<u8>,
    ) {
        for node in nodes {
            out.extend_from_slice(b",\"");
            match node {
                Node::Column(number) => {
                    let name = self.columns()[*number].names.last().map_or("", String::as_str);
                    out.extend_from_slice(name.as_bytes());
                    out.extend_from_slice(b"\":");
                    self.write_column(row, *number, form, scratch, out);
                }
                Node::Parent(name, number, within) => {
                    out.extend_from_slice(name.as_bytes());
                    out.extend_from_slice(b"\":");
                    match self.ancestor(row, *number, depth + 1) {
                        Some((object, id)) => {
                            self.write_attributes(object, id, form, out);
                            self.write_nodes(row, within, depth + 1, form, scratch, out);
                            out.push(b'}');
                        }
                        None => out.extend_from_slice(b"null"),
                    }
                }
            }
        }
    }

    fn write_column(
        &self,
        row: RowRef<'_>,
        number: usize,
        form: &JsonForm,
        scratch: &mut String,
        out: &mut Vec<u8>,
    ) {
        let column = &self.columns()[number];
        if column.kind.is_compound() {
            return self.write_compound(row, number, scratch, out);
        }
        let cell = self.cell(row, number, scratch);
        if column.kind == FieldType::Base64 && cell != Cell::Null {
            let Some((object, id)) = self.ancestor(row, number, usize::MAX) else {
                return write_cell(Cell::Null, out);
            };
            let described = self.plan().schema.object(object);
            out.push(b'"');
            write_url(described.name.as_bytes(), id, form, out);
            out.push(b'/');
            out.extend_from_slice(described.fields[column.field].name.as_bytes());
            out.push(b'"');
            return;
        }
        write_cell(cell, out);
    }

    fn write_compound(&self, row: RowRef<'_>, number: usize, scratch: &mut String, out: &mut Vec<u8>) {
        let column = &self.columns()[number];
        let parts = &self.plan().schema.object(column.object).fields[column.field].parts;
        if parts.iter().all(|(_, field)| self.part(row, number, *field, scratch) == Cell::Null) {
            return write_cell(Cell::Null, out);
        }
        for (n, (key, field)) in parts.iter().enumerate() {
            out.extend_from_slice(if n == 0 { b"{\"" } else { b",\"" });
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(b"\":");
            write_cell(self.part(row, number, *field, scratch), out);
        }
        out.push(b'}');
    }
}

fn write_url(object: &[u8], id: Id, form: &JsonForm, out: &mut Vec<u8>) {
    out.extend_from_slice(form.base.as_bytes());
    out.extend_from_slice(object);
    out.push(b'/');
    out.extend_from_slice(&id.to_bytes());
}

fn write_cell(cell: Cell<'_>, out: &mut Vec<u8>) {
    let quoted = |out: &mut Vec<u8>, write: &dyn Fn(&mut Vec<u8>)| {
        out.push(b'"');
        write(out);
        out.push(b'"');
    };
    match cell {
        Cell::Null => out.extend_from_slice(b"null"),
        Cell::Text(text) => write_text(text, out),
        Cell::Bool(true) => out.extend_from_slice(b"true"),
        Cell::Bool(false) => out.extend_from_slice(b"false"),
        Cell::Int(number) => write_integer(number, out),
        Cell::Number(number) => number.write(out),
        Cell::Date(days) => quoted(out, &|out| write_date(days, out)),
        Cell::DateTime(millis) => quoted(out, &|out| {
            write_datetime(millis, out);
            out.extend_from_slice(b"+0000");
        }),
        Cell::Time(millis) => quoted(out, &|out| {
            write_clock(millis, out);
            out.push(b'Z');
        }),
        Cell::Id(id) => quoted(out, &|out| out.extend_from_slice(&id.to_bytes())),
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&text.as_bytes()[from..at]);
        from = at + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
        }
    }
    out.extend_from_slice(&text.as_bytes()[from..]);
    out.push(b'"');
}
