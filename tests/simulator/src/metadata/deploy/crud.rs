//! The calls that change components without a zip: create, update, upsert, delete and rename.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roxmltree::Node;

use super::{apply, effect, remove};
use crate::metadata::catalog::Catalog;
use crate::metadata::mdapi::{self, Unit};
use crate::metadata::xml::Element;
use crate::metadata::{File, Key, Stamp, types};
use crate::org::Site;
use crate::schema::SchemaChange;
use crate::soap::envelope::{children, tag, text_of, texts, type_of};
use crate::soap::{Call, Fault};
use crate::store::World;
use crate::value::Id;

/// Components that a call may have, and more where they are records or applications ("CRUD-based calls").
const MOST: usize = 10;
const MOST_RECORDS: usize = 200;

/// Answers one of these calls.
pub(super) fn answer(call: &Call<'_>, name: &str) -> Result<String, Fault> {
    match name {
        "deleteMetadata" => delete(call),
        "renameMetadata" => rename(call),
        _ => save(call, name),
    }
}

/// What is wrong with one component: code and message.
type Wrong = (&'static str, String);

fn limited(type_name: &str, count: usize) -> Result<(), Fault> {
    let records = matches!(type_name, "CustomMetadata" | "CustomApplication");
    let most = if records { MOST_RECORDS } else { MOST };
    if count > most {
        let message = format!("record limit reached. cannot submit more than {most} records into this call");
        return Err(Fault::new("EXCEEDED_ID_LIMIT", message));
    }
    supported(type_name)
}

/// Code and bundles take a deploy ("CRUD-based calls": not for ApexClass and other types of content).
fn supported(type_name: &str) -> Result<(), Fault> {
    if !types::is_known(type_name) {
        return Err(Fault::new("INVALID_TYPE", format!("Unknown type:{type_name}")));
    }
    let of = types::find(type_name);
    if of.is_some_and(|of| of.bundle || matches!(of.directory, "classes" | "triggers")) {
        let message = format!("Entity type: '{type_name}' is not supported by this call");
        return Err(Fault::new("INVALID_TYPE", message));
    }
    Ok(())
}

fn all_or_none(call: &Call<'_>) -> bool {
    call.envelope.flag("AllOrNoneHeader", "allOrNone")
}

/// Carries out a change of each component by itself; all of them are taken back if one fails and the call wants that.
fn each<T>(
    call: &Call<'_>,
    parts: &[T],
    mut work: impl FnMut(&mut World, &T, Stamp) -> Result<bool, Wrong>,
) -> Vec<Result<bool, Wrong>> {
    let by = Id::parse(call.rest.user_id()).unwrap_or(Id::LOWEST);
    let whole = all_or_none(call);
    let mut results = Vec::new();
    let done: Result<(), ()> = call.rest.org.change_at(|world, at| {
        for part in parts {
            let mut trial = world.clone();
            let result = work(&mut trial, part, Stamp { at, by });
            if result.is_ok() {
                *world = trial;
            }
            results.push(result);
        }
        if whole && results.iter().any(Result::is_err) { Err(()) } else { Ok(()) }
    });
    if done.is_err() {
        for result in results.iter_mut().filter(|result| result.is_ok()) {
            let message = "Record rolled back because not all records were valid and the request was using AllOrNone header";
            *result = Err(("ALL_OR_NONE_OPERATION_ROLLED_BACK", message.to_owned()));
        }
    }
    results
}

fn told(out: &mut String, full_name: &str, result: &Result<bool, Wrong>, upsert: bool) {
    out.push_str("<result>");
    if upsert {
        tag(out, "created", if matches!(result, Ok(true)) { "true" } else { "false" });
    }
    if let Err((code, message)) = result {
        out.push_str("<errors>");
        tag(out, "message", message);
        tag(out, "statusCode", code);
        out.push_str("</errors>");
    }
    tag(out, "fullName", full_name);
    tag(out, "success", if result.is_ok() { "true" } else { "false" });
    out.push_str("</result>");
}

fn save(call: &Call<'_>, name: &str) -> Result<String, Fault> {
    let mut given = Vec::new();
    for node in children(call.envelope.operation(), "metadata") {
        let type_name = type_of(node).unwrap_or_default().to_owned();
        given.push((type_name, element(node)));
    }
    if let Some((type_name, _)) = given.first() {
        limited(type_name, given.len())?;
    }
    if given.iter().any(|(type_name, _)| *type_name != given[0].0) {
        // "all components must be of the same type" ("createMetadata()")
        return Err(Fault::new("INVALID_TYPE", "All metadata of a call must be of the same type"));
    }
    let site = &call.rest.org.org;
    let results = each(call, &given, |world, (type_name, root), stamp| {
        let (key, units) =
            units(type_name, root).map_err(|message| ("FIELD_INTEGRITY_EXCEPTION", message))?;
        let exists = Catalog::new(world, stamp.by).has(&key);
        match name {
            "createMetadata" if exists => {
                let message = format!("The object '{}' already exists", key.full_name);
                return Err(("DUPLICATE_DEVELOPER_NAME", message));
            }
            "updateMetadata" if !exists => {
                let message =
                    format!("Entity of type '{type_name}' named '{}' cannot be found", key.full_name);
                return Err(("INVALID_CROSS_REFERENCE_KEY", message));
            }
            _ => {}
        }
        put_units(world, &units, site, stamp).map_err(|message| ("FIELD_INTEGRITY_EXCEPTION", message))?;
        Ok(!exists)
    });
    let mut out = String::new();
    for ((_, root), result) in given.iter().zip(&results) {
        told(&mut out, root.text_of("fullName").unwrap_or_default(), result, name == "upsertMetadata");
    }
    Ok(out)
}

/// Puts one component into an org, given by its document with a full name in it.
pub(super) fn put(
    world: &mut World,
    type_name: &str,
    root: &Element,
    site: &Site,
    stamp: Stamp,
) -> Result<(), String> {
    let (_, units) = units(type_name, root)?;
    put_units(world, &units, site, stamp)
}

fn put_units(world: &mut World, units: &[Unit], site: &Site, stamp: Stamp) -> Result<(), String> {
    let mut sets = effect::value_sets(world);
    for unit in units {
        let file = unit.files.first().map(|file| file.path.to_string()).unwrap_or_default();
        apply::deploy_one(world, unit, &file, site, stamp, &mut sets).map_err(|problem| problem.message)?;
    }
    Ok(())
}

/// An element of a message as a document's. The type is told by its attribute, and by the root of a document.
fn element(node: Node<'_, '_>) -> Element {
    let mut element = Element::new(node.tag_name().name());
    for attribute in node.attributes() {
        let prefix = if attribute.namespace().is_some() { "xsi:" } else { "" };
        element.attributes.push((format!("{prefix}{}", attribute.name()), attribute.value().to_owned()));
    }
    for child in node.children() {
        if child.is_element() {
            element.children.push(self::element(child));
        } else if child.is_text() {
            element.text.push_str(child.text().unwrap_or_default());
        }
    }
    if !element.children.is_empty() {
        element.text.clear();
    }
    element
}

/// The components that an element of a message is, the one that it names first.
fn units(type_name: &str, root: &Element) -> Result<(Key, Vec<Unit>), String> {
    let full_name = root.text_of("fullName").filter(|name| !name.is_empty());
    let full_name = full_name.ok_or("Required field is missing: fullName")?.to_owned();
    let key = Key::new(type_name, &full_name);
    let mut root = Element { name: type_name.to_owned(), attributes: Vec::new(), ..root.clone() };
    if let Some(parent) = key.parent() {
        let of = types::find(&parent.type_name).ok_or_else(|| format!("Unknown type:{type_name}"))?;
        root.set("fullName", key.own_name());
        root.sort();
        let file = File::new(mdapi::document_path(of, &parent.full_name), root.document());
        return Ok((key.clone(), vec![Unit { key, files: vec![file], line: 1 }]));
    }
    let of = types::find(type_name).ok_or_else(|| format!("Unknown type:{type_name}"))?;
    root.children.retain(|child| child.name != "fullName");
    let content = root.text_of("content").map(|text| text.split_whitespace().collect::<String>());
    let path = mdapi::document_path(of, &full_name);
    if of.meta_file {
        root.children.retain(|child| child.name != "content");
        root.sort();
        let content =
            STANDARD.decode(content.unwrap_or_default()).map_err(|_| "content is not base64Binary")?;
        let files =
            vec![File::new(path.clone(), content), File::new(format!("{path}-meta.xml"), root.document())];
        return Ok((key.clone(), vec![Unit { key, files, line: 1 }]));
    }
    root.sort();
    if of.parts.is_empty() {
        let files = vec![File::new(path, root.document())];
        return Ok((key.clone(), vec![Unit { key, files, line: 1 }]));
    }
    let units = mdapi::take_apart(of, &key, &path, root).map_err(|fault| fault.to_string())?;
    Ok((key, units))
}

fn delete(call: &Call<'_>) -> Result<String, Fault> {
    let operation = call.envelope.operation();
    let type_name =
        text_of(operation, "type").or_else(|| text_of(operation, "metadataType")).unwrap_or_default();
    let type_name = type_name.trim().to_owned();
    let names: Vec<String> =
        texts(operation, "fullNames").iter().map(|name| name.trim().to_owned()).collect();
    limited(&type_name, names.len())?;
    let deleted: HashSet<Key> = names.iter().map(|name| Key::new(&type_name, name)).collect();
    let results = each(call, &names, |world, name, _| {
        let key = Key::new(&type_name, name);
        match remove::remove(world, &key, &deleted, false) {
            Ok(true) => Ok(false),
            Ok(false) => {
                let message = format!("no {type_name} named {name} found");
                Err(("INVALID_CROSS_REFERENCE_KEY", message))
            }
            Err(message) => Err(("DELETE_FAILED", message)),
        }
    });
    let mut out = String::new();
    for (name, result) in names.iter().zip(&results) {
        told(&mut out, name, result, false);
    }
    Ok(out)
}

fn rename(call: &Call<'_>) -> Result<String, Fault> {
    let operation = call.envelope.operation();
    let text = |name: &str| text_of(operation, name).unwrap_or_default().trim().to_owned();
    let type_name =
        text_of(operation, "type").or_else(|| text_of(operation, "metadataType")).unwrap_or_default();
    let type_name = type_name.trim().to_owned();
    supported(&type_name)?;
    let (old, new) = (text("oldFullName"), text("newFullName"));
    let names = [(Key::new(&type_name, &old), Key::new(&type_name, &new))];
    let results = each(call, &names, |world, (old, new), stamp| renamed(world, old, new, stamp));
    let mut out = String::new();
    told(&mut out, &old, &results[0], false);
    Ok(out)
}

fn renamed(world: &mut World, old: &Key, new: &Key, stamp: Stamp) -> Result<bool, Wrong> {
    let component = world.metadata.get(old).cloned();
    let missing = || {
        let message = format!("no {} named {} found", old.type_name, old.full_name);
        ("INVALID_CROSS_REFERENCE_KEY", message)
    };
    if &*old.type_name == "CustomField" {
        let (object, field) = old.full_name.split_once('.').ok_or_else(missing)?;
        let (_, to) = new.full_name.split_once('.').ok_or_else(missing)?;
        let (object, field, to) = (object.to_owned(), field.to_owned(), to.to_owned());
        world
            .change_schema(&SchemaChange::RenameField { object, field, to }, stamp.at)
            .map_err(|message| ("FIELD_INTEGRITY_EXCEPTION", message))?;
        if component.is_none() {
            return Ok(false);
        }
    } else if &*old.type_name == "CustomObject" {
        let message = "Objects are not renamed by this call here".to_owned();
        return Err(("INVALID_OPERATION", message));
    }
    let component = component.ok_or_else(missing)?;
    if world.metadata.get(new).is_some() {
        let message = format!("The object '{}' already exists", new.full_name);
        return Err(("DUPLICATE_DEVELOPER_NAME", message));
    }
    let mut moved = (*component).clone();
    moved.modified = stamp;
    let (from, to) = (old.own_name(), new.own_name());
    let whole = old.parent().is_none();
    moved.files = moved
        .files
        .iter()
        .map(|file| {
            if whole {
                return File::new(file.path.replace(from, to), file.bytes.clone());
            }
            let Ok(mut root) = Element::parse(&file.bytes) else { return file.clone() };
            root.set("fullName", to);
            root.sort();
            File::new(file.path.clone(), root.document())
        })
        .collect();
    world.metadata.remove(old);
    world.metadata.put_whole(new.clone(), moved);
    Ok(false)
}
