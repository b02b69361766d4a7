//! The schema of an org directory: recorded describes, `schema.yaml`, and the objects that every org has.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use super::error::{LoadError, files, read};
use super::{source, standard};
use crate::schema::full::{child_relationship, complete_field, describe_field, describe_object};
use crate::schema::short::{NameField, ShortField, ShortObject, ShortSchema, check_field, standard_prefix};
use crate::schema::{Object, Schema};

const BUILT_IN: &str = include_str!("../schema/builtin.yaml");

/// What is known of an object before it is put together.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) file: PathBuf,
    pub(super) recorded: Option<Map<String, Json>>,
    pub(super) short: ShortObject,
    pub(super) fields: Vec<(String, ShortField)>,
}

/// Reads the schema of a directory.
pub(super) fn load(directory: &Path, source: &[PathBuf]) -> Result<Schema, LoadError> {
    let mut drafts = BTreeMap::new();
    add_short(&mut drafts, BUILT_IN, Path::new("builtin.yaml"))?;
    for file in files(&directory.join("describes"))? {
        if file.extension().is_some_and(|extension| extension == "json") {
            add_recorded(&mut drafts, &file)?;
        }
    }
    source::add(&mut drafts, &folders(directory, source))?;
    let yaml = directory.join("schema.yaml");
    if yaml.exists() {
        add_short(&mut drafts, &read(&yaml)?, &yaml)?;
    }
    standard::add(&mut drafts, directory)?;
    let mut described = Vec::new();
    let mut prefixes = Prefixes::new(&drafts);
    for (name, draft) in &drafts {
        described.push(match &draft.recorded {
            Some(recorded) => extend(recorded.clone(), draft),
            None => describe_object(name, &draft.short, &draft.fields, &prefixes.of(name)),
        });
    }
    add_children(&mut described, &drafts);
    let objects = described
        .into_iter()
        .map(|mut describe| {
            dedup_fields(&mut describe);
            let name = describe.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
            let file = drafts.get(&name).map_or(directory, |draft| draft.file.as_path());
            Object::from_describe(describe)
                .map_err(|message| LoadError::file(file, format!("the describe of {name}: {message}")))
        })
        .collect::<Result<_, _>>()?;
    Ok(Schema::new(objects))
}

/// The folders of an org's metadata: `force-app` and `metadata` in its directory, and those that `org.yaml` names.
pub(super) fn folders(directory: &Path, named: &[PathBuf]) -> Vec<PathBuf> {
    let own = ["force-app", "metadata"].map(|name| directory.join(name)).into_iter();
    let own = own.filter(|folder| folder.is_dir());
    own.chain(named.iter().map(|folder| directory.join(folder))).collect()
}

fn add_recorded(drafts: &mut BTreeMap<String, Draft>, file: &Path) -> Result<(), LoadError> {
    let json: Json = serde_json::from_str(&read(file)?)
        .map_err(|error| LoadError::file(file, format!("it is not JSON: {error}")))?;
    let Json::Object(describe) = json else {
        return Err(LoadError::file(file, "it is not the describe result of an object"));
    };
    if describe.contains_key("sobjects") {
        return Ok(()); // an answer of describeGlobal, which says nothing of fields
    }
    let Some(name) = describe.get("name").and_then(Json::as_str).map(str::to_owned) else {
        return Err(LoadError::file(file, "it has no `name`: is it the describe result of an object?"));
    };
    let draft = drafts.entry(name.clone()).or_default();
    if draft.recorded.is_some() {
        return Err(LoadError::file(file, format!("there are two describes of {name}; keep one")));
    }
    // what is built in gives way to what was recorded
    *draft = Draft { file: file.to_owned(), recorded: Some(describe), ..Draft::default() };
    if let Some(fields) =
        draft.recorded.as_mut().and_then(|d| d.get_mut("fields")).and_then(Json::as_array_mut)
    {
        fields.iter_mut().filter_map(Json::as_object_mut).for_each(complete_field);
    }
    Ok(())
}

pub(super) fn add_short(
    drafts: &mut BTreeMap<String, Draft>,
    text: &str,
    file: &Path,
) -> Result<(), LoadError> {
    let wrong = |message: String| LoadError::file(file, message);
    let schema: ShortSchema = serde_yaml::from_str(text).map_err(|error| wrong(error.to_string()))?;
    for (name, object) in schema.objects {
        let name = name.as_str().ok_or_else(|| wrong("an object's name is not text".to_owned()))?.to_owned();
        let short: ShortObject =
            serde_yaml::from_value(object).map_err(|error| wrong(format!("objects.{name}: {error}")))?;
        if short
            .key_prefix
            .as_deref()
            .is_some_and(|p| p.len() != 3 || !p.bytes().all(|b| b.is_ascii_alphanumeric()))
        {
            return Err(wrong(format!("objects.{name}.keyPrefix: give three letters or digits")));
        }
        // what is built in, or comes from metadata source, keeps its own but for what is said here
        let keeps_own = drafts.get(&name).is_some_and(|draft| draft.recorded.is_none());
        let draft = drafts.entry(name.clone()).or_default();
        if draft.recorded.is_none() {
            file.clone_into(&mut draft.file);
        }
        for (field, content) in &short.fields {
            let field =
                field.as_str().ok_or_else(|| wrong(format!("objects.{name}: a field's name is not text")))?;
            let content: ShortField = serde_yaml::from_value(content.clone())
                .map_err(|error| wrong(format!("objects.{name}.fields.{field}: {error}")))?;
            check_field(&content)
                .map_err(|message| wrong(format!("objects.{name}.fields.{field}: {message}")))?;
            draft.fields.retain(|(known, _)| !known.eq_ignore_ascii_case(field));
            draft.fields.push((field.to_owned(), content));
        }
        if keeps_own {
            draft.short.key_prefix = short.key_prefix.or(draft.short.key_prefix.take());
            draft.short.label = short.label.or(draft.short.label.take());
            draft.short.label_plural = short.label_plural.or(draft.short.label_plural.take());
            draft.short.describe.extend(short.describe);
        } else {
            draft.short = short;
        }
        if draft.fields.iter().any(|(field, _)| field == "Name") {
            draft.short.name_field = NameField::None;
        }
    }
    Ok(())
}

/// A recorded describe with the fields and keys that `schema.yaml` adds.
fn extend(mut describe: Map<String, Json>, draft: &Draft) -> Map<String, Json> {
    if let Some(Json::Array(fields)) = describe.get_mut("fields") {
        fields.extend(draft.fields.iter().flat_map(|(name, field)| describe_field(name, field)));
    }
    for (key, value) in &draft.short.describe {
        describe.insert(key.clone(), value.clone());
    }
    describe
}

/// A later field of the same name takes the place of an earlier one.
fn dedup_fields(describe: &mut Map<String, Json>) {
    let Some(Json::Array(fields)) = describe.get_mut("fields") else { return };
    let mut seen = HashSet::new();
    let mut kept: Vec<Json> = std::mem::take(fields)
        .into_iter()
        .rev()
        .filter(|field| seen.insert(field["name"].as_str().unwrap_or_default().to_ascii_lowercase()))
        .collect();
    kept.reverse();
    *fields = kept;
}

/// Tells parents of the references that short forms declare.
fn add_children(described: &mut [Map<String, Json>], drafts: &BTreeMap<String, Draft>) {
    for (child, draft) in drafts {
        for (field, short) in &draft.fields {
            for parent in &short.to {
                let found =
                    described.iter_mut().find(|d| d.get("name").and_then(Json::as_str) == Some(parent));
                if let Some(Json::Array(children)) = found.and_then(|d| d.get_mut("childRelationships")) {
                    children.retain(|known| {
                        known["childSObject"].as_str() != Some(child)
                            || known["field"].as_str() != Some(field)
                    });
                    children.push(child_relationship(child, field, short));
                }
            }
        }
    }
}

/// Key prefixes for objects that do not name theirs.
struct Prefixes {
    taken: HashSet<String>,
    given: BTreeMap<String, String>,
    next: u32,
}

impl Prefixes {
    fn new(drafts: &BTreeMap<String, Draft>) -> Self {
        let mut given = BTreeMap::new();
        for (name, draft) in drafts {
            let recorded = draft.recorded.as_ref().and_then(|d| d.get("keyPrefix")).and_then(Json::as_str);
            let prefix = recorded.or(draft.short.key_prefix.as_deref()).or_else(|| standard_prefix(name));
            if let Some(prefix) = prefix {
                given.insert(name.clone(), prefix.to_owned());
            }
        }
        Self { taken: given.values().cloned().collect(), given, next: 0 }
    }

    fn of(&mut self, name: &str) -> String {
        if let Some(known) = self.given.get(name) {
            return known.clone();
        }
        loop {
            let digit = |n: u32| char::from_digit(n % 36, 36).unwrap_or('0');
            let kind = if name.ends_with("__mdt") { 'm' } else { 'a' };
            let prefix = format!("{kind}{}{}", digit(self.next / 36), digit(self.next));
            self.next += 1;
            if self.taken.insert(prefix.clone()) {
                return prefix;
            }
        }
    }
}
