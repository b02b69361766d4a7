//! The pages of an object's records and of one record, with the buttons that change it.

use std::fmt::Write as _;

use http::{Method, StatusCode};
use serde_json::{Map, Value as Json};

use super::html::{counted, encoded, escape, number, page};
use super::page::address;
use super::records::{change, update};
use super::rows::{Listing, cell};
use super::wish::{Wish, id};
use crate::schema::{Field, FieldType, Object, OnDelete};
use crate::server::OrgState;
use crate::store::transaction::Refusal;
use crate::store::{Row, RowRef, World};
use crate::value::Id;
use crate::web::{Answer, ApiError, Request};

/// Records of a page.
const PAGE: u64 = 50;
/// Columns of a list beside name, id and last change.
const COLUMNS: usize = 4;
/// Tables with more rows are not searched for the children of a record that is shown.
const SEARCHED: u64 = 200_000;

/// Answers below `orgs/<id>/records`.
pub(super) fn answer(org: &OrgState, request: &Request, rest: &[&str]) -> Result<Answer, ApiError> {
    let world = org.now();
    match rest {
        [name] if world.schema.find(name).is_some() && request.method == Method::GET => {
            list(org, &world, world.schema.find(name).unwrap_or_default(), request)
        }
        [text] if request.method == Method::GET => {
            record(org, &world, id(text)?, request.parameter("done"), None).ok_or_else(ApiError::not_found)
        }
        [text] => act(org, request, id(text)?),
        _ => Err(ApiError::not_found()),
    }
}

fn way(org: &OrgState, object: &Object) -> Vec<(String, String)> {
    let records = format!("{}/records/{}", address(org), object.name);
    vec![(org.org.settings.name.clone(), address(org)), (object.name.clone(), records)]
}

/// The field that names a record.
fn name_field(object: &Object) -> Option<usize> {
    ["Name", "Title", "Subject", "CaseNumber", "DeveloperName"].iter().find_map(|name| object.find(name))
}

fn list(org: &OrgState, world: &World, number_of: usize, request: &Request) -> Result<Answer, ApiError> {
    let object = world.schema.object(number_of);
    let offset = request.parameter("offset").and_then(|text| text.parse().ok()).unwrap_or(0);
    let condition = request.parameter("where").map(str::trim).filter(|text| !text.is_empty());
    let with_deleted = request.parameter("deleted") == Some("true");
    let listing = Listing { offset, limit: PAGE, with_deleted, condition };
    let read = listing.read(world, number_of, |world, object, id, row| {
        let cells: Vec<String> = (0..world.schema.object(object).fields.len())
            .map(|field| cell(world, object, row, field))
            .collect();
        (id, is_gone(world, id, row), cells)
    });
    let ((total, rows), said) = match read {
        Ok(read) => (read, String::new()),
        Err(error) => ((0, Vec::new()), format!("<p class=\"said bad\">{}</p>", escape(&error.message))),
    };
    let name = name_field(object);
    let columns = columns(object, name, &rows);
    let mut body = format!(
        "<h1>{}</h1>\n<p class=\"sub\"><code>{}</code> · {}</p>\n",
        escape(object.describe.get("labelPlural").and_then(Json::as_str).unwrap_or(&object.name)),
        escape(&object.name),
        counted(total, "record"),
    );
    let _ = writeln!(
        body,
        "<form class=\"filter\"><input type=\"text\" name=\"where\" value=\"{}\" aria-label=\"Condition\" \
         placeholder=\"A condition of SOQL: Name LIKE 'A%' AND CreatedDate = TODAY\">\
         <label><input type=\"checkbox\" name=\"deleted\" value=\"true\"{}> with the recycle bin</label>\
         <button>Show</button></form>{said}",
        escape(condition.unwrap_or_default()),
        if with_deleted { " checked" } else { "" },
    );
    body.push_str("<section><div class=\"scroll\"><table><tr>");
    body.push_str(if name.is_some() { "<th>Name<th>Id" } else { "<th>Id" });
    for column in &columns {
        let _ = write!(body, "<th>{}", escape(&object.fields[*column].label));
    }
    body.push_str("</tr>\n");
    for (id, gone, cells) in &rows {
        let _ = write!(body, "<tr{}>", if *gone { " class=\"gone\"" } else { "" });
        let link = format!("<a href=\"{}/records/{id}\">", address(org));
        if let Some(name) = name {
            let shown = if cells[name].is_empty() { "(no name)" } else { &cells[name] };
            let _ = write!(body, "<td class=\"cut\">{link}{}</a><td class=\"id soft\">{id}", escape(shown));
        } else {
            let _ = write!(body, "<td class=\"id\">{link}{id}</a>");
        }
        for column in &columns {
            let text = &cells[*column];
            let date = object.fields[*column].kind == FieldType::DateTime;
            let _ = write!(body, "<td class=\"cut\">{}", if date { readable(text) } else { escape(text) });
        }
        body.push_str("</tr>\n");
    }
    body.push_str("</table></div>");
    pages(&mut body, &listing, total, rows.len() as u64);
    body.push_str("</section>\n");
    Ok(page(StatusCode::OK, &object.name, &way(org, object), &body))
}

/// The columns that tell most: those of the record's own fields that are filled on this page.
fn columns(object: &Object, name: Option<usize>, rows: &[(Id, bool, Vec<String>)]) -> Vec<usize> {
    let telling = |field: &Field| {
        let system =
            ["Id", "IsDeleted", "CreatedById", "LastModifiedById", "LastModifiedDate", "CreatedDate"];
        !system.contains(&field.name.as_str())
            && field.name != "SystemModstamp"
            && field.name != "OwnerId"
            && !field.kind.is_compound()
            && field.kind != FieldType::Base64
    };
    let fields =
        object.fields.iter().enumerate().filter(|(number, field)| Some(*number) != name && telling(field));
    let filled = |number: usize| rows.iter().filter(|(_, _, cells)| !cells[number].is_empty()).count();
    let mut columns: Vec<usize> =
        fields.map(|(number, _)| number).filter(|number| filled(*number) > 0).collect();
    columns.sort_by_key(|number| std::cmp::Reverse(filled(*number)));
    columns.truncate(COLUMNS);
    columns.sort_unstable();
    columns.extend(object.find("SystemModstamp"));
    columns
}

fn pages(body: &mut String, listing: &Listing<'_>, total: u64, shown: u64) {
    if shown == 0 {
        body.push_str("<p class=\"soft\">No records.</p>");
        return;
    }
    let link = |offset: u64, text: &str| {
        let deleted = if listing.with_deleted { "&amp;deleted=true" } else { "" };
        let condition =
            listing.condition.map(|text| format!("&amp;where={}", encoded(text))).unwrap_or_default();
        format!("<a href=\"?offset={offset}{deleted}{condition}\">{text}</a>")
    };
    let (first, last) = (listing.offset + 1, listing.offset + shown);
    let _ = write!(
        body,
        "<div class=\"pages\"><span>{}–{} of {}</span>",
        number(first),
        number(last),
        number(total)
    );
    if listing.offset > 0 {
        body.push_str(&link(listing.offset.saturating_sub(PAGE), "← Previous"));
    }
    if last < total {
        body.push_str(&link(last, "Next →"));
        body.push_str(&link((total - 1) / PAGE * PAGE, "Last"));
    }
    body.push_str("</div>");
}

/// In the recycle bin, and not just an archived activity.
fn is_gone(world: &World, id: Id, row: RowRef<'_>) -> bool {
    let in_bin =
        || world.schema.find_prefix(id.prefix()).and_then(|object| world.database.table(object).gone(id));
    matches!(row, RowRef::Stored(Row { deleted: true, .. })) && in_bin().is_some()
}

fn record(
    org: &OrgState,
    world: &World,
    id: Id,
    done: Option<&str>,
    refused: Option<&Refusal>,
) -> Option<Answer> {
    let number_of = world.schema.find_prefix(id.prefix())?;
    let row = world.database.find(number_of, id)?;
    let object = world.schema.object(number_of);
    let gone = is_gone(world, id, row);
    let name = name_of(world, id)?;
    let tag = if gone { " <span class=\"tag bad\">in the recycle bin</span>" } else { "" };
    let mut body = format!(
        "<form method=\"post\"><div class=\"title\"><div><h1>{}{tag}</h1>\
         <p class=\"sub\">{} · <span class=\"id\">{id}</span></p></div><div class=\"buttons\">",
        escape(&name),
        escape(&object.name),
    );
    let button = |what: &str, class: &str, text: &str| {
        format!("<button name=\"_do\" value=\"{what}\" class=\"{class}\">{text}</button>")
    };
    if gone {
        body.push_str(&button("undelete", "main", "Bring back"));
        body.push_str(&button("purge", "bad", "Remove for good"));
    } else {
        if object.allows("updateable") {
            body.push_str(&button("save", "main", "Save"));
        }
        if object.allows("deletable") {
            body.push_str(&button("delete", "bad", "Delete"));
        }
    }
    body.push_str("</div></div>\n");
    if let Some(refusal) = refused {
        let _ = writeln!(
            body,
            "<p class=\"said bad\"><code>{}</code> {}</p>",
            refusal.code,
            escape(&refusal.message)
        );
    } else if let Some(done) = done.filter(|done| ["Saved", "Deleted", "Brought back"].contains(done)) {
        let _ = writeln!(body, "<p class=\"said good\">{done}.</p>");
    }
    body.push_str("<div class=\"columns\" style=\"margin-top:1.5rem\"><section><table class=\"fields\">");
    for (number, field) in object.fields.iter().enumerate() {
        if field.kind.is_compound() {
            continue;
        }
        let text = cell(world, number_of, row, number);
        let edited =
            !gone && object.allows("updateable") && field.updateable && field.kind != FieldType::Base64;
        let shown = match (edited, named(org, world, field, &text)) {
            (true, Some(link)) => format!("{}<small>{link}</small>", input(field, &text)),
            (true, None) => input(field, &text),
            (false, _) => shown(org, world, field, &text),
        };
        let class = if edited { "" } else { " class=\"read\"" };
        let (label, api) = (escape(&field.label), escape(&field.name));
        let below = if field.label == field.name { String::new() } else { format!("<code>{api}</code>") };
        let _ = writeln!(body, "<tr><td>{label}{below}<td{class}>{shown}</tr>");
    }
    body.push_str("</table></section>\n");
    related(org, world, number_of, id, &mut body);
    body.push_str("</div></form>\n");
    let mut way = way(org, object);
    way.push((name.clone(), format!("{}/records/{id}", address(org))));
    let status = if refused.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    Some(page(status, &name, &way, &body))
}

fn input(field: &Field, text: &str) -> String {
    let (name, value) = (escape(&field.name), escape(text));
    match field.kind {
        FieldType::Boolean => format!(
            "<input type=\"hidden\" name=\"{name}\" value=\"false\">\
             <input type=\"checkbox\" name=\"{name}\" value=\"true\" aria-label=\"{name}\"{}>",
            if text == "true" { " checked" } else { "" }
        ),
        FieldType::Picklist if !field.picklist.is_empty() => {
            let mut values: Vec<&str> = vec![""];
            values.extend(field.picklist.iter().map(String::as_str));
            if !values.contains(&text) {
                values.push(text);
            }
            let option = |value: &&str| {
                let chosen = if *value == text { " selected" } else { "" };
                format!("<option{chosen}>{}</option>", escape(value))
            };
            let options: String = values.iter().map(option).collect();
            format!("<select name=\"{name}\" aria-label=\"{name}\">{options}</select>")
        }
        FieldType::TextArea => {
            format!("<textarea name=\"{name}\" aria-label=\"{name}\">\n{value}</textarea>")
        }
        _ => format!("<input type=\"text\" name=\"{name}\" aria-label=\"{name}\" value=\"{value}\">"),
    }
}

fn shown(org: &OrgState, world: &World, field: &Field, text: &str) -> String {
    if text.is_empty() {
        return "<span class=\"soft\">–</span>".to_owned();
    }
    let known = Id::parse(text).filter(|_| field.kind.is_id());
    match (field.kind, known, named(org, world, field, text)) {
        (_, Some(id), Some(link)) => format!("{link} <span class=\"id soft\">{id}</span>"),
        (_, Some(id), None) => format!("<span class=\"id\">{id}</span>"),
        (FieldType::DateTime, ..) => readable(text),
        _ => escape(text),
    }
}

/// A link to the record that a reference points to, by its name.
fn named(org: &OrgState, world: &World, field: &Field, text: &str) -> Option<String> {
    let id = Id::parse(text).filter(|_| field.kind == FieldType::Reference)?;
    let name = name_of(world, id)?;
    Some(format!("<a href=\"{}/records/{id}\">{}</a>", address(org), escape(&name)))
}

/// `2026-01-31T10:11:12.000+0000` as people write it; all times here are UTC.
fn readable(datetime: &str) -> String {
    match datetime.split_once('T') {
        Some((date, time)) => format!("{date} {}", time.get(..8).unwrap_or(time)),
        None => escape(datetime),
    }
}

/// What a record is called, if there is one.
fn name_of(world: &World, id: Id) -> Option<String> {
    let object = world.schema.find_prefix(id.prefix())?;
    let row = world.database.find(object, id)?;
    let name = name_field(world.schema.object(object)).map(|field| cell(world, object, row, field));
    Some(name.filter(|name| !name.is_empty()).unwrap_or_else(|| id.to_string()))
}

/// Who refers to a record, and what becomes of that when it is deleted.
fn related(org: &OrgState, world: &World, object: usize, id: Id, body: &mut String) {
    let mut rows = String::new();
    for relation in world.schema.relations_to(object) {
        let child = world.schema.object(relation.child);
        let field = &child.fields[relation.field].name;
        let table = world.database.table(relation.child);
        if relation.on_delete == OnDelete::Keep || table.count(false) == 0 || !child.queryable {
            continue;
        }
        let condition = format!("{field} = '{id}'");
        let count = if table.count(false) > SEARCHED {
            "many".to_owned()
        } else {
            let listing = Listing { offset: 0, limit: 0, with_deleted: false, condition: Some(&condition) };
            match listing.read(world, relation.child, |_, _, _, _| ()) {
                Ok((0, _)) | Err(_) => continue,
                Ok((count, _)) => number(count),
            }
        };
        let fate = match relation.on_delete {
            OnDelete::Cascade => "go along",
            OnDelete::Restrict => "hold it",
            _ => "lose the reference",
        };
        let _ = write!(
            rows,
            "<tr><td><a href=\"{}/records/{}?where={}\">{}</a> <span class=\"soft\">by {}</span><td class=\"n\">{count}\
             <td class=\"soft\">{fate}</tr>",
            address(org),
            child.name,
            encoded(&condition),
            escape(&child.name),
            escape(field),
        );
    }
    if !rows.is_empty() {
        let head = "<tr><th>Records<th class=\"n\">How many<th>If it is deleted, they</tr>";
        let _ = writeln!(body, "<section><h2>Who refers to it</h2><table>{head}{rows}</table></section>");
    }
}

/// What a button does: the change, and then the page of the record again.
fn act(org: &OrgState, request: &Request, id: Id) -> Result<Answer, ApiError> {
    let wish = Wish::new(org, request)?;
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&request.body).into_owned().collect();
    let what = form.iter().find(|(name, _)| name == "_do").map_or("save", |(_, what)| what.as_str());
    let world = org.now();
    let object = world.schema.find_prefix(id.prefix()).ok_or_else(ApiError::not_found)?;
    let row = world.database.find(object, id).ok_or_else(ApiError::not_found)?;
    let (done, changed) = match what {
        "delete" => ("Deleted", change(&wish, |transaction| transaction.delete(id))),
        "undelete" => ("Brought back", change(&wish, |transaction| transaction.undelete(id))),
        "purge" => ("", change(&wish, |transaction| transaction.purge(id))),
        _ => {
            let mut fields: Map<String, Json> = Map::new();
            for (name, value) in form.iter().filter(|(name, _)| name != "_do") {
                // browsers send line ends as CRLF
                fields.insert(name.clone(), Json::String(value.replace("\r\n", "\n")));
            }
            let described = world.schema.object(object);
            fields.retain(|name, value| {
                described.find(name).is_none_or(|field| {
                    value.as_str() != Some(cell(&world, object, row, field).replace("\r\n", "\n").as_str())
                })
            });
            ("Saved", change(&wish, |transaction| update(transaction, id, &fields)))
        }
    };
    if let Err(refusal) = changed {
        return record(org, &org.now(), id, None, Some(&refusal)).ok_or_else(ApiError::not_found);
    }
    let to = match done {
        "" => format!("{}/records/{}", address(org), world.schema.object(object).name),
        done => format!("{}/records/{id}?done={}", address(org), encoded(done)),
    };
    Ok(Answer::empty(StatusCode::SEE_OTHER).with("location", &to))
}
