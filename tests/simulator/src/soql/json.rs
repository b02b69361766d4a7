//! Rows as REST writes them: parents as objects within, lists of children, addresses as objects, content of blobs
//! as its URL.

use std::sync::Arc;

use super::columns::Layout;
use super::plan::Column;
use super::{Cursor, Path, Plan};
use crate::schema::{FieldType, Schema};
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
    /// Of each TYPEOF clause, the nodes by object.
    variants: Vec<Vec<(usize, Vec<Node>)>>,
    /// Of each sub-select.
    children: Vec<JsonForm>,
}

#[derive(Debug)]
enum Node {
    /// The column with this number.
    Column(usize),
    /// A parent.
    Parent(Parent),
    /// The sub-select with this number.
    Children(usize),
    /// The TYPEOF clause with this number.
    Variants(usize),
}

#[derive(Debug)]
struct Parent {
    /// Name of the relationship.
    name: String,
    /// A column below it.
    column: usize,
    /// It may be one of several objects: its type is told as `Name` then, as recorded orgs do.
    several: bool,
    /// What is asked of it.
    within: Vec<Node>,
}

/// How long lists of children are cut into pages.
pub trait Pages {
    /// How many rows of a list go into the answer.
    fn size(&mut self, list: &Cursor) -> u64;
    /// Keeps a list whose rows from `from` on are not in the answer; the URL to go on with.
    fn keep(&mut self, list: Arc<Cursor>, from: u64) -> String;
}

/// Every list as a whole.
struct Whole;

impl Pages for Whole {
    fn size(&mut self, list: &Cursor) -> u64 {
        list.total()
    }

    fn keep(&mut self, _: Arc<Cursor>, _: u64) -> String {
        String::new()
    }
}

impl JsonForm {
    /// The form for a plan in an API version (`62.0`).
    pub fn new(plan: &Plan, version: &str) -> Self {
        Self::at(plan, &format!("/services/data/v{version}/sobjects/"))
    }

    /// The form for a plan, with URLs of records that begin so.
    pub fn at(plan: &Plan, base: &str) -> Self {
        let mut nodes = Vec::new();
        for place in &plan.layout {
            match place {
                Layout::Column(number) => {
                    insert(&mut nodes, &plan.schema, &plan.columns[*number], *number);
                }
                Layout::Children(number) => nodes.push(Node::Children(*number)),
                Layout::Variants(number) => nodes.push(Node::Variants(*number)),
            }
        }
        let nested = |columns: &[Column]| {
            let mut nodes = Vec::new();
            for (number, column) in columns.iter().enumerate() {
                insert(&mut nodes, &plan.schema, column, number);
            }
            nodes
        };
        let variants = plan.variants.iter();
        Self {
            base: base.to_owned(),
            nodes,
            variants: variants.map(|v| v.columns.iter().map(|(o, c)| (*o, nested(c))).collect()).collect(),
            children: plan.children.iter().map(|list| Self::at(&list.plan, base)).collect(),
        }
    }
}

/// Puts a column at its place, below the parents that its name goes through.
fn insert(level: &mut Vec<Node>, schema: &Schema, column: &Column, number: usize) {
    put(level, schema, (&column.names, &column.path), number);
}

fn put(level: &mut Vec<Node>, schema: &Schema, (names, path): (&[String], &Path), number: usize) {
    let [name, rest @ ..] = names else { return };
    let Some(next) = path.next.first().filter(|_| !rest.is_empty()) else {
        level.push(Node::Column(number));
        return;
    };
    for node in level.iter_mut() {
        if let Node::Parent(known) = node
            && known.name == *name
        {
            return put(&mut known.within, schema, (rest, next), number);
        }
    }
    let several = schema.object(path.object).fields[path.field].reference_to.len() > 1;
    let mut parent = Parent { name: name.clone(), column: number, several, within: Vec::new() };
    put(&mut parent.within, schema, (rest, next), number);
    level.push(Node::Parent(parent));
}

/// What a record is written with.
struct Writer<'a> {
    form: &'a JsonForm,
    pages: &'a mut dyn Pages,
    scratch: &'a mut String,
    out: &'a mut Vec<u8>,
}

impl Cursor {
    /// Appends the record of a row, lists of children as a whole.
    pub fn write_json_row(&self, row: RowRef<'_>, form: &JsonForm, scratch: &mut String, out: &mut Vec<u8>) {
        self.write_record(row, &mut Writer { form, pages: &mut Whole, scratch, out });
    }

    /// Appends the record of a row, lists of children in pages.
    pub fn write_json_record(
        &self,
        row: RowRef<'_>,
        form: &JsonForm,
        pages: &mut dyn Pages,
        scratch: &mut String,
        out: &mut Vec<u8>,
    ) {
        self.write_record(row, &mut Writer { form, pages, scratch, out });
    }

    fn write_record(&self, row: RowRef<'_>, to: &mut Writer<'_>) {
        if self.plan().aggregate {
            to.out.extend_from_slice(b"{\"attributes\":{\"type\":\"AggregateResult\"}");
        } else {
            self.write_attributes(self.plan().object, self.id(row), false, to);
        }
        let form = to.form;
        self.write_nodes(row, self.columns(), &form.nodes, 0, to);
        to.out.push(b'}');
    }

    fn write_attributes(&self, object: usize, id: Id, several: bool, to: &mut Writer<'_>) {
        let name = self.plan().schema.object(object).name.as_bytes();
        to.out.extend_from_slice(b"{\"attributes\":{\"type\":\"");
        to.out.extend_from_slice(if several { b"Name" } else { name });
        to.out.extend_from_slice(b"\",\"url\":\"");
        write_url(name, id, to);
        to.out.extend_from_slice(b"\"}");
    }

    fn write_nodes(
        &self,
        row: RowRef<'_>,
        columns: &[Column],
        nodes: &[Node],
        depth: usize,
        to: &mut Writer<'_>,
    ) {
        for node in nodes {
            let name = match node {
                Node::Column(number) => columns[*number].names.last().map_or("", String::as_str),
                Node::Parent(parent) => &parent.name,
                Node::Children(number) => &self.plan().children[*number].name,
                Node::Variants(number) => &self.plan().variants[*number].name,
            };
            to.out.extend_from_slice(b",\"");
            to.out.extend_from_slice(name.as_bytes());
            to.out.extend_from_slice(b"\":");
            match node {
                Node::Column(number) if self.plan().aggregate => {
                    write_cell(self.cell(row, *number, to.scratch), to.out);
                }
                Node::Column(number) => self.write_column(row, &columns[*number], to),
                Node::Parent(parent) => match self.column_ancestor(&columns[parent.column], row, depth + 1) {
                    Some((object, id)) => {
                        self.write_attributes(object, id, parent.several, to);
                        self.write_nodes(row, columns, &parent.within, depth + 1, to);
                        to.out.push(b'}');
                    }
                    None => to.out.extend_from_slice(b"null"),
                },
                Node::Children(number) => self.write_children(row, *number, to),
                Node::Variants(number) => self.write_variant(row, *number, to),
            }
        }
    }

    /// The list of a sub-select; null for none, as recorded.
    fn write_children(&self, row: RowRef<'_>, number: usize, to: &mut Writer<'_>) {
        let Some(list) = self.children(number, self.id(row)) else {
            return to.out.extend_from_slice(b"null");
        };
        let list = Arc::new(list);
        let (total, size) = (list.total(), to.pages.size(&list));
        to.out.extend_from_slice(b"{\"totalSize\":");
        write_integer(i64::try_from(total).unwrap_or(i64::MAX), to.out);
        if size < total {
            let next = to.pages.keep(list.clone(), size);
            to.out.extend_from_slice(format!(",\"done\":false,\"nextRecordsUrl\":\"{next}\"").as_bytes());
        } else {
            to.out.extend_from_slice(b",\"done\":true");
        }
        to.out.extend_from_slice(b",\"records\":[");
        for (n, child) in list.rows(0, size).enumerate() {
            if n > 0 {
                to.out.push(b',');
            }
            let form = &to.form.children[number];
            let Writer { pages, scratch, out, .. } = to;
            list.write_record(child, &mut Writer { form, pages: &mut **pages, scratch, out });
        }
        to.out.extend_from_slice(b"]}");
    }

    /// A parent with the fields that TYPEOF names for its object.
    fn write_variant(&self, row: RowRef<'_>, number: usize, to: &mut Writer<'_>) {
        let (plan, database) = (self.plan(), self.database());
        let (schema, variants) = (&plan.schema, &plan.variants[number]);
        let cell = database.cell(schema, plan.object, row, variants.reference, to.scratch);
        let found = match cell {
            Cell::Id(id) => schema.find_prefix(id.prefix()).map(|object| (object, id)),
            _ => None,
        };
        let place =
            found.and_then(|(object, _)| variants.columns.iter().position(|(known, _)| *known == object));
        let (Some((object, id)), Some(place)) = (found, place) else {
            return to.out.extend_from_slice(b"null");
        };
        let Some(parent) = database.find(object, id) else { return to.out.extend_from_slice(b"null") };
        let form = to.form;
        self.write_attributes(object, id, false, to);
        self.write_nodes(parent, &variants.columns[place].1, &form.variants[number][place].1, 0, to);
        to.out.push(b'}');
    }

    fn write_column(&self, row: RowRef<'_>, column: &Column, to: &mut Writer<'_>) {
        if column.kind.is_compound() {
            return self.write_compound(row, column, to);
        }
        let cell = self.column_cell(column, row, to.scratch);
        if column.kind == FieldType::Base64 && cell != Cell::Null {
            let Some((object, id)) = self.column_ancestor(column, row, usize::MAX) else {
                return write_cell(Cell::Null, to.out);
            };
            let described = self.plan().schema.object(object);
            to.out.push(b'"');
            write_url(described.name.as_bytes(), id, to);
            to.out.push(b'/');
            to.out.extend_from_slice(described.fields[column.field].name.as_bytes());
            to.out.push(b'"');
            return;
        }
        write_cell(cell, to.out);
    }

    fn write_compound(&self, row: RowRef<'_>, column: &Column, to: &mut Writer<'_>) {
        let parts = &self.plan().schema.object(column.object).fields[column.field].parts;
        if parts.iter().all(|(_, field)| self.column_part(column, row, *field, to.scratch) == Cell::Null) {
            return write_cell(Cell::Null, to.out);
        }
        for (n, (key, field)) in parts.iter().enumerate() {
            to.out.extend_from_slice(if n == 0 { b"{\"" } else { b",\"" });
            to.out.extend_from_slice(key.as_bytes());
            to.out.extend_from_slice(b"\":");
            write_cell(self.column_part(column, row, *field, to.scratch), to.out);
        }
        to.out.push(b'}');
    }
}

fn write_url(object: &[u8], id: Id, to: &mut Writer<'_>) {
    to.out.extend_from_slice(to.form.base.as_bytes());
    to.out.extend_from_slice(object);
    to.out.push(b'/');
    to.out.extend_from_slice(&id.to_bytes());
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
