//! listMetadata: every component of an org, three questions in a call, several calls at a time, folders first.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt as _};

use super::call::{Metadata, element};
use super::describe::Described;
use super::error::{MetadataError, MetadataResult};
use super::standard::VALUE_SETS;
use crate::error::Error;
use crate::xml::Element;

/// Questions that the org takes in one call (Metadata WSDL, `ListMetadataQuery`; more is `EXCEEDED_ID_LIMIT`).
const QUERIES_LIMIT: usize = 3;
/// The pseudo folder of what lies in none. It can be listed, and is no component itself.
const UNFILED: &str = "unfiled$public";

/// A component or file, as listMetadata and retrieve tell of it (`FileProperties` of the Metadata WSDL).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileProperties {
    /// Type: `ApexClass`.
    pub type_name: String,
    /// Name, as a package.xml has it: `MyFolder/MyReport`.
    pub full_name: String,
    /// Path in a package.
    pub file_name: String,
    /// Its id, where it has one.
    pub id: Option<String>,
    /// Namespace of the package that it came with.
    pub namespace: Option<String>,
    /// `installed` for what came with a managed package, `unmanaged`, …
    pub manageable_state: Option<String>,
    /// User id.
    pub created_by_id: String,
    /// ISO 8601.
    pub created_date: String,
    /// User id.
    pub last_modified_by_id: String,
    /// Name of the user.
    pub last_modified_by_name: String,
    /// ISO 8601; 1970-01-01 where Salesforce does not keep it.
    pub last_modified_date: String,
}

impl FileProperties {
    pub(super) fn read(from: &Element) -> Self {
        let text = |name: &str| from.text(name).unwrap_or_default().to_owned();
        let some = |name: &str| from.text(name).filter(|text| !text.is_empty()).map(str::to_owned);
        Self {
            type_name: text("type"),
            full_name: text("fullName"),
            file_name: text("fileName"),
            id: some("id"),
            namespace: some("namespacePrefix"),
            manageable_state: some("manageableState"),
            created_by_id: text("createdById"),
            created_date: text("createdDate"),
            last_modified_by_id: text("lastModifiedById"),
            last_modified_by_name: text("lastModifiedByName"),
            last_modified_date: text("lastModifiedDate"),
        }
    }
}

/// A question of listMetadata.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListAsk {
    /// The type, or the type of its folders (`ReportFolder`).
    pub type_name: String,
    /// The folder, for types that have folders.
    pub folder: Option<String>,
}

impl ListAsk {
    /// All of a type without folders.
    pub fn of(type_name: &str) -> Self {
        Self { type_name: type_name.to_owned(), folder: None }
    }
}

/// Every component of an org.
#[derive(Debug, Default)]
pub struct Listed {
    /// Components, in the order of types and names. A folder is a component of the type that it is for.
    pub components: Vec<FileProperties>,
    /// Questions that the org did not answer, and why; all others were answered.
    pub failed: Vec<(ListAsk, MetadataError)>,
}

/// How to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListOptions {
    /// Only these types; all if empty.
    pub only: BTreeSet<String>,
    /// Calls at a time (at least 1).
    pub parallel: usize,
}

impl Default for ListOptions {
    fn default() -> Self {
        Self { only: BTreeSet::new(), parallel: 4 }
    }
}

impl Metadata {
    /// Lists the components of up to three types or folders: one call.
    pub async fn list(&self, asks: &[ListAsk]) -> MetadataResult<Vec<FileProperties>> {
        if asks.len() > QUERIES_LIMIT {
            let detail = format!("listMetadata takes {QUERIES_LIMIT} questions, not {}", asks.len());
            return Err(Error::Options { detail }.into());
        }
        let mut body = String::new();
        for ask in asks {
            body.push_str("<queries>");
            if let Some(folder) = &ask.folder {
                body.push_str(&element("folder", folder));
            }
            body.push_str(&element("type", &ask.type_name));
            body.push_str("</queries>");
        }
        body.push_str(&element("asOfVersion", self.version()));
        let about: Vec<&str> = asks.iter().map(|ask| ask.type_name.as_str()).collect();
        let answer = self.ask("listMetadata", body, &about.join(", ")).await?;
        let mut listed: Vec<FileProperties> = answer.iter().map(FileProperties::read).collect();
        if let [only] = asks {
            // a few types come without their name (K)
            let nameless = listed.iter_mut().filter(|component| component.type_name.is_empty());
            nameless.for_each(|component| component.type_name.clone_from(&only.type_name));
        }
        Ok(listed)
    }

    /// Lists every component of the types that were described: folders first, then what is in them.
    ///
    /// `Err` is about more than single questions; those stand in the answer.
    pub async fn list_all(&self, described: &Described, options: &ListOptions) -> MetadataResult<Listed> {
        let wanted = |name: &String| options.only.is_empty() || options.only.contains(name);
        let types = described.types.iter().filter(|known| wanted(&known.name));
        let (in_folders, plain): (Vec<_>, Vec<_>) = types.partition(|known| known.in_folder);
        let mut asks: Vec<ListAsk> = plain.iter().map(|known| ListAsk::of(&known.name)).collect();
        asks.extend(in_folders.iter().map(|known| ListAsk::of(&folder_type(&known.name))));
        let mut listed = Listed::default();
        self.list_many(asks, options.parallel, &mut listed).await?;
        let mut inner = Vec::new();
        for known in &in_folders {
            let folder_type = folder_type(&known.name);
            let folders = listed.components.iter_mut().filter(|found| found.type_name == folder_type);
            let mut names: BTreeSet<String> = BTreeSet::from([UNFILED.to_owned()]);
            for folder in folders {
                folder.type_name.clone_from(&known.name);
                names.insert(folder.full_name.clone());
            }
            let ask = |name| ListAsk { type_name: known.name.clone(), folder: Some(name) };
            inner.extend(names.into_iter().map(ask));
        }
        self.list_many(inner, options.parallel, &mut listed).await?;
        listed.components.retain(|component| component.full_name != UNFILED);
        let sets = "StandardValueSet".to_owned();
        if described.find(&sets).is_some() && wanted(&sets) {
            add_value_sets(&mut listed.components);
        }
        let key = |component: &FileProperties| (component.type_name.clone(), component.full_name.clone());
        listed.components.sort_by_cached_key(key);
        listed.components.dedup_by_key(|component| key(component));
        Ok(listed)
    }

    /// Asks many questions. Where a call of several fails, each is asked by itself, so that one bad type costs no
    /// other.
    async fn list_many(&self, asks: Vec<ListAsk>, parallel: usize, into: &mut Listed) -> MetadataResult<()> {
        let calls: Vec<Vec<ListAsk>> = asks.chunks(QUERIES_LIMIT).map(<[ListAsk]>::to_vec).collect();
        let parallel = parallel.max(1);
        let answers = stream::iter(calls).map(|asks| async move { (self.list(&asks).await, asks) });
        let answers: Vec<_> = answers.buffered(parallel).collect().await;
        let mut alone = Vec::new();
        for (answer, asks) in answers {
            match answer {
                Ok(found) => into.components.extend(found),
                Err(error) if !error.is_about_members() => return Err(error),
                Err(error) => match <[ListAsk; 1]>::try_from(asks) {
                    Ok([ask]) => into.failed.push((ask, error)),
                    Err(several) => alone.extend(several),
                },
            }
        }
        let answers =
            stream::iter(alone).map(|ask| async move { (self.list(std::slice::from_ref(&ask)).await, ask) });
        let answers: Vec<_> = answers.buffered(parallel).collect().await;
        for (answer, ask) in answers {
            match answer {
                Ok(found) => into.components.extend(found),
                Err(error) if error.is_about_members() => into.failed.push((ask, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The type under which the folders of a type are listed (Metadata API Developer Guide, listMetadata).
pub(super) fn folder_type(name: &str) -> String {
    match name {
        "EmailTemplate" => "EmailFolder".to_owned(),
        other => format!("{other}Folder"),
    }
}

/// Standard value sets are not listed, and can only be asked for by their names.
fn add_value_sets(components: &mut Vec<FileProperties>) {
    if components.iter().any(|component| component.type_name == "StandardValueSet") {
        return;
    }
    components.extend(VALUE_SETS.iter().map(|name| FileProperties {
        type_name: "StandardValueSet".to_owned(),
        full_name: (*name).to_owned(),
        file_name: format!("standardValueSets/{name}.standardValueSet"),
        ..FileProperties::default()
    }));
}
