//! The same for components of a deploy: documents instead of files.

use std::collections::BTreeMap;
use std::path::Path;

use roxmltree::Document;

use super::field::{Values, read_field};
use super::{LocalName as _, describe};
use crate::org::error::LoadError;
use crate::org::model::Draft;
use crate::schema::short::{NameField, ShortField, ShortObject};

/// The global value sets of an org, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct ValueSets(BTreeMap<String, Values>);

impl ValueSets {
    /// Adds one. The error says what is wrong with it.
    pub(crate) fn add(&mut self, name: &str, document: &str) -> Result<(), String> {
        let document = Document::parse(document).map_err(|error| error.to_string())?;
        let mut values = Values::default();
        for value in document.root_element().children().filter(|node| node.has_tag_name_local("customValue"))
        {
            values.add(value);
        }
        self.0.insert(name.to_owned(), values);
        Ok(())
    }

    /// Whether there is one of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// The field that a document describes; none for what the data API does not show. The error says what is wrong with it.
pub(crate) fn field_of(document: &str, sets: &ValueSets) -> Result<Option<(String, ShortField)>, String> {
    let document = Document::parse(document).map_err(|error| error.to_string())?;
    read_field(document.root_element(), Path::new(""), &sets.0).map_err(told)
}

/// The object that a document describes, and the fields that its kind has. The error says what is wrong with it.
pub(crate) fn object_of(
    name: &str,
    document: &str,
    sets: &ValueSets,
) -> Result<(ShortObject, Vec<(String, ShortField)>), String> {
    let document = Document::parse(document).map_err(|error| error.to_string())?;
    let mut draft = Draft::default();
    if name == "Task" || name == "Event" {
        draft.short.name_field = NameField::None;
    }
    describe(&mut draft, name, document.root_element(), Path::new(""), &sets.0).map_err(told)?;
    Ok((draft.short, draft.fields))
}

fn told(error: LoadError) -> String {
    match error {
        LoadError::File { message, .. } => message,
        other => other.to_string(),
    }
}
