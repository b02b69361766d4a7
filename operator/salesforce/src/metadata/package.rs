//! package.xml and its destructive brothers, and zips to deploy.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Write as _};

use bytes::Bytes;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::zip::check_name;
use crate::xml::{escape, parse};

/// Files of a deploy or retrieve, package.xml included (Metadata API Developer Guide, "Metadata Limits").
pub(super) const FILES_LIMIT: usize = 10_000;
/// Bytes of a zip: as base64 it must fit into a SOAP message of 50 MB.
pub(super) const ZIP_LIMIT: usize = 39 * 1024 * 1024;
/// Bytes of all files of a zip.
pub(super) const UNZIPPED_LIMIT: usize = 629_145_600;

/// Why a package cannot be built or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// A file's name leaves the package, or is one that we write ourselves.
    #[error("the file name {name:?}: {why}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// More than Salesforce takes in one deploy: split it.
    #[error("it has {size} {what}, more than {limit}; split it")]
    TooLarge {
        /// `files`, `bytes as a zip`, `bytes`.
        what: &'static str,
        /// How many.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// A package.xml that cannot be understood.
    #[error("package.xml {0}")]
    Nonsense(String),
    /// The zip could not be written.
    #[error("the zip cannot be written: {0}")]
    Zip(String),
}

/// Members by type, as a package.xml lists them; every one once.
pub type Members = BTreeMap<String, BTreeSet<String>>;

/// Writes a package.xml; without a version for destructive changes of an existing package's version.
pub fn package_xml(members: &Members, version: &str) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Package xmlns=\"http://soap.sforce.com/2006/04/metadata\">\n",
    );
    for (name, members) in members.iter().filter(|(_, members)| !members.is_empty()) {
        text.push_str("    <types>\n");
        for member in members {
            text.push_str(&format!("        <members>{}</members>\n", escape(member)));
        }
        text.push_str(&format!("        <name>{}</name>\n    </types>\n", escape(name)));
    }
    text.push_str(&format!("    <version>{}</version>\n</Package>\n", escape(version)));
    text
}

/// Reads a package.xml: its members and its version.
pub fn read_package_xml(text: &str) -> Result<(Members, Option<String>), PackageError> {
    let root = parse(text).map_err(|error| PackageError::Nonsense(error.to_string()))?;
    if root.name != "Package" {
        return Err(PackageError::Nonsense(format!("is a <{}>", root.name)));
    }
    let mut members = Members::new();
    for types in root.all("types") {
        let name = types.text("name").map(str::trim).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| PackageError::Nonsense("has <types> without a <name>".to_owned()))?;
        members.entry(name.to_owned()).or_default().extend(types.texts("members"));
    }
    Ok((members, root.text("version").map(str::to_owned)))
}

/// A package to deploy: files, and what is to be deleted before or after them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeployPackage {
    version: String,
    files: BTreeMap<String, Bytes>,
    members: Members,
    before: Members,
    after: Members,
}

/// A zip ready to be deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltPackage {
    /// The zip.
    pub zip: Bytes,
    /// Files in it.
    pub files: usize,
}

impl DeployPackage {
    /// An empty package of an API version.
    pub fn new(version: &str) -> Self {
        Self { version: version.to_owned(), ..Self::default() }
    }

    /// Adds a component and its files, by their paths within the package.
    pub fn add(
        &mut self,
        type_name: &str,
        member: &str,
        files: impl IntoIterator<Item = (String, Bytes)>,
    ) -> Result<(), PackageError> {
        for (name, content) in files {
            let wrong = |why: &str| PackageError::Name { name: name.clone(), why: why.to_owned() };
            check_name(&name).map_err(wrong)?;
            let ours = [
                "package.xml",
                "destructiveChangesPre.xml",
                "destructiveChangesPost.xml",
                "destructiveChanges.xml",
            ];
            if ours.contains(&name.as_str()) {
                return Err(wrong("it is written from the members"));
            }
            if self.files.get(&name).is_some_and(|known| *known != content) {
                return Err(wrong("there are two files with this name"));
            }
            self.files.insert(name, content);
        }
        self.members.entry(type_name.to_owned()).or_default().insert(member.to_owned());
        Ok(())
    }

    /// Has a component deleted before the files are deployed.
    pub fn delete_before(&mut self, type_name: &str, member: &str) {
        self.before.entry(type_name.to_owned()).or_default().insert(member.to_owned());
    }

    /// Has a component deleted after the files were deployed.
    pub fn delete_after(&mut self, type_name: &str, member: &str) {
        self.after.entry(type_name.to_owned()).or_default().insert(member.to_owned());
    }

    /// Members by type.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// Writes the zip: the same package gives the same bytes.
    pub fn build(&self) -> Result<BuiltPackage, PackageError> {
        let mut texts = vec![("package.xml", package_xml(&self.members, &self.version))];
        for (name, members) in
            [("destructiveChangesPre.xml", &self.before), ("destructiveChangesPost.xml", &self.after)]
        {
            if !members.is_empty() {
                texts.push((name, package_xml(members, &self.version)));
            }
        }
        let files = self.files.len() + texts.len();
        let unzipped = self.files.values().map(Bytes::len).sum();
        within("files", files, FILES_LIMIT)?;
        within("bytes", unzipped, UNZIPPED_LIMIT)?;
        let failed = |error: &dyn std::error::Error| PackageError::Zip(error.to_string());
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default());
        let own = texts.iter().map(|(name, text)| (*name, text.as_bytes()));
        let all = own.chain(self.files.iter().map(|(name, content)| (name.as_str(), &content[..])));
        for (name, content) in all {
            writer.start_file(name, options).map_err(|error| failed(&error))?;
            writer.write_all(content).map_err(|error| failed(&error))?;
        }
        let zip = writer.finish().map_err(|error| failed(&error))?.into_inner();
        within("bytes as a zip", zip.len(), ZIP_LIMIT)?;
        Ok(BuiltPackage { zip: zip.into(), files })
    }
}

fn within(what: &'static str, size: usize, limit: usize) -> Result<(), PackageError> {
    if size > limit { Err(PackageError::TooLarge { what, size, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::super::zip::{PackageZip, ZipLimits};
    use super::*;

    fn built() -> DeployPackage {
        let mut package = DeployPackage::new("64.0");
        let file = |name: &str| (name.to_owned(), Bytes::from_static(b"class A {}"));
        package.add("ApexClass", "A", [file("classes/A.cls"), file("classes/A.cls-meta.xml")]).unwrap();
        package.delete_before("CustomField", "Account.Old & Gone__c");
        package
    }

    #[test]
    fn the_same_package_is_the_same_zip_and_lists_its_members() {
        let zip = built().build().unwrap().zip;
        assert_eq!(zip, built().build().unwrap().zip);
        let mut read = PackageZip::open(Cursor::new(&zip[..]), ZipLimits::default()).unwrap();
        let mut texts = BTreeMap::new();
        read.each(|name, content| {
            texts.insert(name.to_owned(), String::from_utf8(content).unwrap());
            Ok(())
        })
        .unwrap();
        let (members, version) = read_package_xml(&texts["package.xml"]).unwrap();
        assert_eq!((members.len(), version.as_deref()), (1, Some("64.0")));
        let (gone, _) = read_package_xml(&texts["destructiveChangesPre.xml"]).unwrap();
        assert!(gone["CustomField"].contains("Account.Old & Gone__c"));
        assert!(!texts.contains_key("destructiveChangesPost.xml"));
    }

    #[test]
    fn bad_names_and_too_much_are_refused() {
        let mut package = built();
        let file = |name: &str| [(name.to_owned(), Bytes::from_static(b"other"))];
        for name in ["../A.cls", "/A.cls", "package.xml", "classes/A.cls", ""] {
            assert!(
                matches!(package.add("ApexClass", "A", file(name)), Err(PackageError::Name { .. })),
                "{name}"
            );
        }
        for n in 0..FILES_LIMIT {
            package.add("ApexClass", "B", file(&format!("classes/B{n}.cls"))).unwrap();
        }
        assert!(matches!(package.build(), Err(PackageError::TooLarge { what: "files", .. })));
    }

    #[test]
    fn nonsense_is_an_error() {
        for text in ["", "<Package>", "<a/>", "no", "<Package><types><members>A</members></types></Package>"]
        {
            assert!(read_package_xml(text).is_err(), "{text}");
        }
    }
}
