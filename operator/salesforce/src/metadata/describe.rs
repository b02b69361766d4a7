//! describeMetadata: the types that an org has, and where a package keeps them.

use std::collections::HashMap;

use super::call::{Metadata, element};
use super::error::MetadataResult;

/// A type of metadata, as `DescribeMetadataObject` of the Metadata WSDL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetadataType {
    /// `CustomObject`
    pub name: String,
    /// The folder of a package that it stands in: `objects`.
    pub directory: String,
    /// What its files end with, without the dot; bundles and documents have none.
    pub suffix: Option<String>,
    /// Whether its components stand in folders of the org (reports, dashboards, documents, e-mail templates).
    pub in_folder: bool,
    /// Whether each file has another one with `-meta.xml` beside it.
    pub meta_file: bool,
    /// Types of its parts, which come and go with it: `CustomField`.
    pub children: Vec<String>,
}

/// What an org's metadata is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Described {
    /// All types, in the order of the answer.
    pub types: Vec<MetadataType>,
    /// The org's own namespace; empty for nearly all.
    pub namespace: String,
    /// Whether a deploy may keep what succeeded of it; production orgs say no.
    pub partial_save_allowed: bool,
    /// Whether a deploy with code runs tests.
    pub test_required: bool,
}

impl Described {
    /// A type by name.
    pub fn find(&self, name: &str) -> Option<&MetadataType> {
        self.types.iter().find(|known| known.name == name)
    }

    /// Types by the folder of a package that they stand in.
    pub(super) fn by_directory(&self) -> HashMap<&str, Vec<&MetadataType>> {
        let mut map: HashMap<&str, Vec<&MetadataType>> = HashMap::new();
        for known in &self.types {
            map.entry(&known.directory).or_default().push(known);
        }
        map
    }
}

impl Metadata {
    /// Asks the org for its types: one call.
    pub async fn describe(&self) -> MetadataResult<Described> {
        let body = element("asOfVersion", self.version());
        let answer = self.ask_one("describeMetadata", body, "").await?;
        let types = answer.all("metadataObjects").map(|object| MetadataType {
            name: object.text("xmlName").unwrap_or_default().to_owned(),
            directory: object.text("directoryName").unwrap_or_default().to_owned(),
            suffix: object.text("suffix").filter(|suffix| !suffix.is_empty()).map(str::to_owned),
            in_folder: object.flag("inFolder"),
            meta_file: object.flag("metaFile"),
            children: object.texts("childXmlNames").into_iter().filter(|name| !name.is_empty()).collect(),
        });
        Ok(Described {
            types: types.collect(),
            namespace: answer.text("organizationNamespace").unwrap_or_default().to_owned(),
            partial_save_allowed: answer.flag("partialSaveAllowed"),
            test_required: answer.flag("testRequired"),
        })
    }
}
