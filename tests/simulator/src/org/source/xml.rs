//! Reading of metadata XML.

use std::path::Path;

use roxmltree::{Document, Node};

use super::LocalName as _;
use crate::org::error::LoadError;

/// Parses a metadata file; an error names the file and the place in it.
pub(super) fn parse<'a>(content: &'a str, file: &Path) -> Result<Document<'a>, LoadError> {
    Document::parse(content).map_err(|error| LoadError::file(file, format!("it is not XML: {error}")))
}

/// The first element with this name within another one.
pub(super) fn child<'a, 'b>(node: Node<'a, 'b>, name: &str) -> Option<Node<'a, 'b>> {
    node.children().find(|child| child.has_tag_name_local(name))
}

/// The text of an element within another one.
pub(super) fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    child(node, name)?.text()
}

/// Whether an element says `true`.
pub(super) fn flag(node: Node<'_, '_>, name: &str) -> bool {
    text(node, name).is_some_and(|text| text.trim() == "true")
}

/// A number that an element holds.
pub(super) fn number<T: std::str::FromStr>(node: Node<'_, '_>, name: &str) -> Option<T> {
    text(node, name)?.trim().parse().ok()
}
