//! What a retrieve gathers: the files that a manifest asks for, what is told of them, and what could not be found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::catalog::Catalog;
use super::mdapi;
use super::package::Package;
use super::profile;
use super::store::{Component, File, Key};
use super::types;
use super::zip::{self, LARGEST_CONTENT, LARGEST_ZIP, MOST_FILES};

/// What a retrieve asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Types and members.
    pub(crate) package: Package,
    /// Paths; all files if there are none.
    pub(crate) files: Vec<String>,
    /// Whether the zip has no folder of the package.
    pub(crate) single: bool,
    /// Names of installed packages.
    pub(crate) packages: Vec<String>,
}

/// A component that was retrieved.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) key: Key,
    /// Its place in the zip.
    pub(crate) path: String,
    pub(crate) component: Arc<Component>,
}

/// A retrieve that came to its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) zip: Vec<u8>,
    /// Names within the zip of its manifest.
    pub(crate) manifest: String,
    pub(crate) components: Vec<Told>,
    /// File, and what is the matter.
    pub(crate) messages: Vec<(String, String)>,
}

/// Why a retrieve fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RetrieveError {
    /// (the words are those that users report, such as amtrack/force-dev-tool#166)
    #[error("LIMIT_EXCEEDED: Too many files in retrieve call, limit is: {MOST_FILES}")]
    Files,
    /// (no recording has the words of this one and the next)
    #[error("LIMIT_EXCEEDED: Retrieved zip file is too large, limit is: {LARGEST_ZIP} bytes")]
    Zip,
    #[error("LIMIT_EXCEEDED: Retrieved files are too large, limit is: {LARGEST_CONTENT} bytes")]
    Content,
    #[error("INVALID_CROSS_REFERENCE_KEY: No package named '{0}' found")]
    Package(String),
    #[error("UNKNOWN_EXCEPTION: {0}")]
    Unwritable(String),
}

impl RetrieveError {
    /// The code in front of the words.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Files | Self::Zip | Self::Content => "LIMIT_EXCEEDED",
            Self::Package(_) => "INVALID_CROSS_REFERENCE_KEY",
            Self::Unwritable(_) => "UNKNOWN_EXCEPTION",
        }
    }
}

/// A document that other components stand in, as far as it is asked for.
#[derive(Default)]
struct Holder {
    whole: bool,
    parts: BTreeMap<&'static str, BTreeSet<String>>,
}

/// Gathers what is asked for.
pub(crate) fn gather(catalog: &Catalog<'_>, wanted: &Wanted) -> Result<Gathered, RetrieveError> {
    if let Some(name) = wanted.packages.first() {
        return Err(RetrieveError::Package(name.clone()));
    }
    let root = if wanted.single { "" } else { "unpackaged/" };
    let manifest = format!("{root}package.xml");
    let mut gathered = Gathered { manifest: manifest.clone(), ..Gathered::default() };
    let mut found = Package { version: wanted.package.version.clone(), ..Package::default() };
    let mut keys = BTreeSet::new();
    for (type_name, members) in &wanted.package.types {
        if !types::is_known(type_name) {
            let problem = format!("Unknown type name '{type_name}' specified in package.xml");
            gathered.messages.push((manifest.clone(), problem));
            continue;
        }
        for member in members {
            if member == "*" && types::takes_wildcard(type_name) {
                keys.extend(all(catalog, type_name));
                found.add(type_name, member);
                continue;
            }
            match named(catalog, type_name, member) {
                Some(key) => {
                    keys.insert(key);
                    found.add(type_name, member);
                }
                None => {
                    let problem = format!("Entity of type '{type_name}' named '{member}' cannot be found");
                    gathered.messages.push((manifest.clone(), problem));
                }
            }
        }
    }
    let mut files = files_of(catalog, &wanted.package, &keys, root, &mut gathered.components);
    if !wanted.files.is_empty() {
        files.retain(|file| wanted.files.iter().any(|path| *path == *file.path));
        gathered.components.retain(|told| wanted.files.contains(&told.path));
    }
    // the manifest is none of the files that count
    if files.len() > MOST_FILES {
        return Err(RetrieveError::Files);
    }
    if files.iter().map(|file| file.bytes.len() as u64).sum::<u64>() > LARGEST_CONTENT {
        return Err(RetrieveError::Content);
    }
    files.push(File::new(manifest, found.document()));
    gathered.zip = zip::write(&files).map_err(|error| RetrieveError::Unwritable(error.to_string()))?;
    if gathered.zip.len() > LARGEST_ZIP {
        return Err(RetrieveError::Zip);
    }
    Ok(gathered)
}

/// What `*` stands for: of objects, the custom ones.
fn all(catalog: &Catalog<'_>, type_name: &str) -> Vec<Key> {
    let names = catalog.names(type_name).into_iter();
    let names = names.filter(|name| type_name != "CustomObject" || name.contains("__"));
    names.map(|name| Key::new(type_name, &name)).collect()
}

/// The component that a member names: one of the type, or a folder of it.
fn named(catalog: &Catalog<'_>, type_name: &str, member: &str) -> Option<Key> {
    let key = Key::new(type_name, member);
    if catalog.has(&key) {
        return Some(key);
    }
    let of = types::find(type_name)?;
    if !of.parts.is_empty() && catalog.whole(of, member).is_some() {
        return Some(key);
    }
    let folder = Key::new(types::folder_type(of)?.name, member);
    catalog.has(&folder).then_some(folder)
}

fn files_of(
    catalog: &Catalog<'_>,
    package: &Package,
    keys: &BTreeSet<Key>,
    root: &str,
    components: &mut Vec<Told>,
) -> Vec<File> {
    let asked = profile::Asked::new(package);
    let mut files = BTreeMap::new();
    let mut holders: BTreeMap<Key, Holder> = BTreeMap::new();
    for key in keys {
        if let Some((_, part)) = types::part(&key.type_name) {
            if let Some(parent) = key.parent() {
                let holder = holders.entry(parent).or_default();
                holder.parts.entry(part.name).or_default().insert(key.full_name.to_string());
            }
        } else if types::find(&key.type_name).is_some_and(|of| !of.parts.is_empty()) {
            holders.entry(key.clone()).or_default().whole = true;
        }
        let Some(component) = catalog.get(key).or_else(|| holder_alone(catalog, key)) else { continue };
        let of = types::find(&key.type_name);
        let path = match of {
            Some(of) => mdapi::told_path(of, &key.full_name, &component.files),
            None => component.files.first().map(|file| file.path.to_string()).unwrap_or_default(),
        };
        if of.is_some_and(|of| of.parts.is_empty()) {
            for file in component.files.iter() {
                let bytes = if &*key.type_name == "Profile" {
                    profile::as_asked(catalog, &asked, &key.full_name, &file.bytes).into()
                } else {
                    file.bytes.clone()
                };
                files.insert(format!("{root}{}", file.path), bytes);
            }
        }
        components.push(Told { key: key.clone(), path: format!("{root}{path}"), component });
    }
    for (key, holder) in holders {
        let Some(of) = types::find(&key.type_name) else { continue };
        let document = if holder.whole {
            catalog.whole(of, &key.full_name)
        } else {
            Some(catalog.with_parts(of, None, &holder.parts))
        };
        if let Some(document) = document {
            let path = format!("{root}{}", mdapi::document_path(of, &key.full_name));
            files.insert(path, document.document().into());
        }
    }
    files.into_iter().map(|(path, bytes)| File::new(path, bytes)).collect()
}

/// A component that is nothing but its parts, and as old as the first of them.
pub(super) fn holder_alone(catalog: &Catalog<'_>, key: &Key) -> Option<Arc<Component>> {
    let of = types::find(&key.type_name)?;
    let first = of.parts.iter().filter(|part| part.addressable).find_map(|part| {
        let name = catalog.parts(part.name, &key.full_name, true).into_iter().next()?;
        catalog.get(&Key::new(part.name, &name))
    })?;
    let path = mdapi::document_path(of, &key.full_name);
    let files = vec![File::new(path, bytes::Bytes::new())].into();
    Some(Arc::new(Component { id: None, files, ..Component::clone(&first) }))
}
