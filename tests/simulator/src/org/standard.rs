//! Standard objects that an org directory names without describing them.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::{LoadError, files};
use super::model::{Draft, add_short};
use crate::schema::full::is_custom;
use crate::schema::short::SystemFields;

const STANDARD: &str = include_str!("../schema/standard.yaml");
/// Objects of which none is there without the others.
const FILES: [&str; 3] = ["ContentDocument", "ContentDocumentLink", "ContentVersion"];
/// What stands for every object in `to`.
const EVERY: &str = "*";

/// Gives the objects that `schema.yaml` names with custom fields at most, or that only a data file names, their
/// standard fields.
pub(super) fn add(drafts: &mut BTreeMap<String, Draft>, directory: &Path) -> Result<(), LoadError> {
    let mut known = BTreeMap::new();
    add_short(&mut known, STANDARD, Path::new("standard.yaml"))?;
    let data = files(&directory.join("data"))?;
    let stems: Vec<&str> = data.iter().filter_map(|file| file.file_stem()?.to_str()).collect();
    let named = |name: &String| match drafts.get(name) {
        Some(draft) => draft.recorded.is_none() && draft.fields.iter().all(|(field, _)| is_custom(field)),
        None => stems.contains(&name.as_str()),
    };
    let mut wanted: Vec<String> = known.keys().filter(|name| named(name)).cloned().collect();
    if wanted.iter().any(|name| FILES.contains(&name.as_str())) {
        let others = FILES.iter().filter(|name| !drafts.contains_key(**name));
        wanted.extend(others.map(|name| (*name).to_owned()));
    }
    for name in wanted {
        let Some(mut draft) = known.remove(&name) else { continue };
        if let Some(own) = drafts.remove(&name) {
            draft.file = own.file;
            draft.fields.extend(own.fields);
            draft.short.label = own.short.label;
            draft.short.label_plural = own.short.label_plural;
            draft.short.describe.extend(own.short.describe);
        }
        drafts.insert(name, draft);
    }
    expand(drafts);
    Ok(())
}

/// Writes out who `*` is: users, and all objects whose records have an owner or a master.
fn expand(drafts: &mut BTreeMap<String, Draft>) {
    let has_records = |draft: &Draft| match &draft.recorded {
        Some(describe) => describe.get("layoutable").is_some_and(|layoutable| layoutable == true),
        None => draft.short.system == SystemFields::Full,
    };
    let every: Vec<String> = drafts
        .iter()
        .filter(|(name, draft)| *name == "User" || has_records(draft) && !known_as_content(name))
        .map(|(name, _)| name.clone())
        .collect();
    for (_, field) in drafts.values_mut().flat_map(|draft| draft.fields.iter_mut()) {
        if field.to.iter().any(|target| target == EVERY) {
            field.to.clone_from(&every);
        }
    }
}

/// Contents are not attached to contents.
fn known_as_content(name: &str) -> bool {
    FILES.contains(&name) || matches!(name, "Attachment" | "Note" | "Document" | "EventLogFile")
}
