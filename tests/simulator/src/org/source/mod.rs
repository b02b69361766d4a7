//! Custom objects and fields from metadata source: `objects/X/X.object-meta.xml` with `objects/X/fields/*` as the
//! Salesforce CLI keeps them (source format), and `objects/X.object` as the Metadata API gives them. Anything
//! else of a package (layouts, code, automation) says nothing of what the data API shows, and is left aside.

mod deployed;
mod field;
#[cfg(test)]
mod tests;
mod xml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use roxmltree::Node;
use serde_json::json;

use super::error::{LoadError, read};
use super::model::Draft;
use crate::schema::full::is_custom;
use crate::schema::short::{NameField, ShortField, SystemFields};
pub(crate) use deployed::{ValueSets, field_of, object_of};
use field::{Values, read_field};
use xml::{child, flag, parse, text};

/// Folders below these are not looked into: they hold no source, and may be large.
const SKIPPED: [&str; 3] = ["node_modules", ".git", "staticresources"];
/// How deep objects may lie below a package folder.
const DEEPEST: usize = 12;

/// Adds what the folders describe. Fields of an object that has a recorded describe are added to it unless it
/// knows them.
pub(super) fn add(drafts: &mut BTreeMap<String, Draft>, folders: &[PathBuf]) -> Result<(), LoadError> {
    let mut found = Found::default();
    for folder in folders {
        found.look(folder, 0)?;
    }
    found.objects.sort();
    found.sets.sort();
    let mut sets = BTreeMap::new();
    for file in &found.sets {
        sets.insert(stem(file, ".globalValueSet"), global_values(file)?);
    }
    for file in &found.objects {
        add_object(drafts, file, &sets)?;
    }
    Ok(())
}

/// Files and folders that tell of objects.
#[derive(Default)]
struct Found {
    /// Folders of source format, and files of the Metadata API's.
    objects: Vec<PathBuf>,
    sets: Vec<PathBuf>,
}

impl Found {
    fn look(&mut self, folder: &Path, depth: usize) -> Result<(), LoadError> {
        let failed = |source| LoadError::Read { file: folder.to_owned(), source };
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            let in_objects = folder.file_name().is_some_and(|parent| parent == "objects");
            if path.is_dir() {
                if in_objects {
                    self.objects.push(path);
                } else if depth < DEEPEST && !SKIPPED.contains(&name.as_str()) {
                    self.look(&path, depth + 1)?;
                }
            } else if in_objects && path.extension().is_some_and(|extension| extension == "object") {
                self.objects.push(path);
            } else if name.contains(".globalValueSet") {
                self.sets.push(path);
            }
        }
        Ok(())
    }
}

/// The name of a file without its metadata suffix: `Account.object-meta.xml` is `Account`.
fn stem(file: &Path, suffix: &str) -> String {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.split(suffix).next().unwrap_or(name).to_owned()
}

fn global_values(file: &Path) -> Result<Values, LoadError> {
    let content = read(file)?;
    let document = parse(&content, file)?;
    let mut values = Values::default();
    for value in document.root_element().children().filter(|node| node.has_tag_name_local("customValue")) {
        values.add(value);
    }
    Ok(values)
}

fn add_object(
    drafts: &mut BTreeMap<String, Draft>,
    path: &Path,
    sets: &BTreeMap<String, Values>,
) -> Result<(), LoadError> {
    let name = stem(path, ".object");
    // events are streamed, not queried
    if name.ends_with("__e") {
        return Ok(());
    }
    // fields of Activity are those of tasks and events
    if name == "Activity" {
        for activity in ["Task", "Event"] {
            add_named(drafts, activity, path, sets)?;
        }
        return Ok(());
    }
    add_named(drafts, &name, path, sets)
}

/// Adds what a folder or file says to the object with this name.
fn add_named(
    drafts: &mut BTreeMap<String, Draft>,
    name: &str,
    path: &Path,
    sets: &BTreeMap<String, Values>,
) -> Result<(), LoadError> {
    let mut fields = Vec::new();
    let main = if path.is_dir() { path.join(format!("{name}.object-meta.xml")) } else { path.to_owned() };
    let draft = drafts.entry(name.to_owned()).or_default();
    if draft.file.as_os_str().is_empty() {
        draft.file.clone_from(&main);
        if name == "Task" || name == "Event" {
            draft.short.name_field = NameField::None;
        }
    }
    if main.is_file() {
        let content = read(&main)?;
        let document = parse(&content, &main)?;
        let root = document.root_element();
        if draft.recorded.is_none() && is_custom(name) {
            describe(draft, name, root, &main, sets)?;
        }
        for node in root.children().filter(|node| node.has_tag_name_local("fields")) {
            fields.extend(read_field(node, &main, sets)?);
        }
    }
    let apart = if path.is_dir() { super::error::files(&path.join("fields"))? } else { Vec::new() };
    for file in apart {
        let content = read(&file)?;
        let document = parse(&content, &file)?;
        fields.extend(read_field(document.root_element(), &file, sets)?);
    }
    let recorded = draft.recorded.as_ref().and_then(|d| d.get("fields")).and_then(|fields| fields.as_array());
    let known = |name: &str| {
        recorded.is_some_and(|fields| fields.iter().any(|field| field["name"].as_str() == Some(name)))
    };
    for (name, field) in fields {
        if !is_custom(&name) || known(&name) {
            continue; // standard fields are described by their settings alone
        }
        draft.fields.retain(|(other, _)| *other != name);
        draft.fields.push((name, field));
    }
    Ok(())
}

/// What an object's own file says of it.
fn describe(
    draft: &mut Draft,
    name: &str,
    root: Node<'_, '_>,
    file: &Path,
    sets: &BTreeMap<String, Values>,
) -> Result<(), LoadError> {
    let short = &mut draft.short;
    short.label = text(root, "label").map(str::to_owned);
    short.label_plural = text(root, "pluralLabel").map(str::to_owned);
    if name.ends_with("__mdt") {
        short.system = SystemFields::Setup;
        short.name_field = NameField::None;
        short.describe.extend([
            ("createable".to_owned(), json!(false)),
            ("updateable".to_owned(), json!(false)),
            ("replicateable".to_owned(), json!(false)),
        ]);
        draft.fields.extend(of_metadata_type());
        return Ok(());
    }
    if let Some(kind) = text(root, "customSettingsType") {
        short.system = SystemFields::Setup;
        short.describe.insert("customSetting".to_owned(), json!(true));
        short.describe.insert("deletable".to_owned(), json!(true));
        if kind == "Hierarchy" {
            let to = ["Organization", "Profile", "User"].map(str::to_owned).to_vec();
            let owner = ShortField {
                r#type: "reference".to_owned(),
                to,
                relationship: Some("SetupOwner".to_owned()),
                required: true,
                ..ShortField::default()
            };
            draft.fields.push(("SetupOwnerId".to_owned(), owner));
        }
    }
    if flag(root, "enableFeeds") {
        short.describe.insert("feedEnabled".to_owned(), json!(true));
    }
    if let Some(name_field) = child(root, "nameField") {
        let field = read_field(name_field, file, sets)?.map(|(_, field)| field).unwrap_or_default();
        short.name_field = if field.r#type == "autonumber" { NameField::AutoNumber } else { NameField::Text };
        short.name_label = field.label;
        short.name_format = field.display_format;
    }
    Ok(())
}

/// The standard fields of custom metadata types.
fn of_metadata_type() -> Vec<(String, ShortField)> {
    let text = |name: &str, length: u32, required: bool| {
        let field = ShortField {
            r#type: "string".to_owned(),
            length: Some(length),
            required,
            read_only: true,
            ..ShortField::default()
        };
        (name.to_owned(), field)
    };
    vec![
        text("DeveloperName", 40, true),
        text("MasterLabel", 40, true),
        text("Language", 40, true),
        text("NamespacePrefix", 15, false),
        text("Label", 40, true),
        text("QualifiedApiName", 70, true),
    ]
}

/// Tag names without their namespace, which all metadata shares.
pub(super) trait LocalName {
    /// Whether this is an element with that name.
    fn has_tag_name_local(&self, name: &str) -> bool;
}

impl LocalName for Node<'_, '_> {
    fn has_tag_name_local(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}
