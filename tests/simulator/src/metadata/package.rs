//! `package.xml` and `destructiveChanges.xml`: types and their members.

use super::xml::{Element, XmlError};

/// Why a manifest is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PackageError {
    /// It is no XML.
    #[error("Error parsing file: {0}")]
    Xml(#[from] XmlError),
    /// Its root is something else.
    #[error("Error parsing file: the root element is {0}, not Package")]
    Root(String),
    /// A group without the name of its type.
    #[error("Error parsing file: Required field is missing: name in types, line {0}")]
    NoName(u32),
    /// A version that is none.
    #[error("Invalid version specified in package.xml: {0}")]
    Version(String),
}

/// What a manifest asks for or tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Package {
    /// The package's name, where it has one.
    pub(crate) full_name: Option<String>,
    /// Type and members, as they stand.
    pub(crate) types: Vec<(String, Vec<String>)>,
    /// `63.0`.
    pub(crate) version: Option<String>,
}

impl Package {
    /// Reads a manifest.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, PackageError> {
        let root = Element::parse(bytes)?;
        if root.name != "Package" {
            return Err(PackageError::Root(root.name));
        }
        Self::of(&root)
    }

    /// The same from an element of a message.
    pub(crate) fn of(root: &Element) -> Result<Self, PackageError> {
        let mut types = Vec::new();
        for group in root.children_of("types") {
            let name = group.text_of("name").filter(|name| !name.is_empty());
            let name = name.ok_or(PackageError::NoName(group.line))?.to_owned();
            let members = group.children_of("members").map(|member| member.text.trim().to_owned()).collect();
            types.push((name, members));
        }
        let version = root.text_of("version").filter(|version| !version.is_empty()).map(str::to_owned);
        if let Some(version) = version.as_ref().filter(|version| version.parse::<f64>().is_err()) {
            return Err(PackageError::Version(version.clone()));
        }
        let full_name = root.text_of("fullName").filter(|name| !name.is_empty()).map(str::to_owned);
        Ok(Self { full_name, types, version })
    }

    /// Adds a member.
    pub(crate) fn add(&mut self, type_name: &str, member: &str) {
        match self.types.iter_mut().find(|(name, _)| name == type_name) {
            Some((_, members)) => members.push(member.to_owned()),
            None => self.types.push((type_name.to_owned(), vec![member.to_owned()])),
        }
    }

    /// Whether a type is asked for at all.
    pub(crate) fn names_type(&self, type_name: &str) -> bool {
        self.types.iter().any(|(name, _)| name == type_name)
    }

    /// The manifest, types and members in order.
    pub(crate) fn document(&self) -> Vec<u8> {
        let mut root = Element::new("Package");
        if let Some(name) = &self.full_name {
            root.push("fullName", name);
        }
        let mut types = self.types.clone();
        types.sort();
        for (name, mut members) in types {
            members.sort();
            members.dedup();
            let mut group = Element::new("types");
            for member in &members {
                group.push("members", member);
            }
            group.push("name", name);
            root.children.push(group);
        }
        if let Some(version) = &self.version {
            root.push("version", version);
        }
        root.document()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_read_and_written() {
        let text = "<Package xmlns='http://soap.sforce.com/2006/04/metadata'><types><members> B </members><members>A</members>\
            <name>ApexClass</name></types><version>63.0</version></Package>";
        let package = Package::parse(text.as_bytes()).unwrap();
        assert_eq!(package.types, [("ApexClass".to_owned(), vec!["B".to_owned(), "A".to_owned()])]);
        let again = Package::parse(&package.document()).unwrap();
        assert_eq!(again.types[0].1, ["A", "B"]);
        assert_eq!(again.version.as_deref(), Some("63.0"));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "no",
            "<Packages/>",
            "<Package><types><members>A</members></types></Package>",
            "<Package><version>x</version></Package>",
        ] {
            assert!(Package::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
