//! Metadata from folders: source format, as the Salesforce CLI keeps it (objects in folders of their parts,
//! `-meta.xml` behind every document, resources unpacked), and the format of packages. Both become files of a package.
//!
//! Rules of source format after metadataRegistry.json of forcedotcom/source-deploy-retrieve.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::mdapi::{self, Fault};
use super::store::{File, Stamp, Store};
use super::types::{self, Type};
use super::xml::Element;
use super::zip;
use crate::org::LoadError;

/// Folders that hold no metadata; the last two are left out by the CLI's own `.forceignore`.
const SKIPPED: [&str; 4] = ["node_modules", ".git", "__tests__", "__mocks__"];
/// How deep files may lie below a folder that is given.
const DEEPEST: usize = 24;

/// Loads the components of these folders.
pub(crate) fn load(folders: &[PathBuf], stamp: Stamp) -> Result<Store, LoadError> {
    let mut found = Found::default();
    for folder in folders {
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        found.look(folder, &mut vec![name])?;
    }
    let files = found.files()?;
    let contents = mdapi::read(&files);
    for problem in &contents.problems {
        // what a repository leaves out (large resources, above all) cannot be deployed from it either
        if matches!(problem.fault, Fault::Missing(_)) {
            tracing::debug!(path = problem.path, "metadata without its content is left out");
            continue;
        }
        let file = found.origins.get(&problem.path).cloned().unwrap_or_else(|| problem.path.clone().into());
        return Err(LoadError::File { file, message: problem.fault.to_string() });
    }
    let mut store = Store::default();
    for unit in contents.units {
        store.put(unit.key, unit.files, stamp);
    }
    Ok(store)
}

/// Where a file of a folder goes in a package.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// To this path.
    At(String),
    /// It is the document at this path, which may have parts in files of their own.
    Own(String),
    /// It is a part, with this element, of the document at this path.
    Part(String, &'static str),
    /// It describes a static resource.
    ResourceMeta(String),
    /// It is the content of a static resource, or a file within it.
    Resource(String, Option<String>),
    /// It describes a document whose content has another suffix: path without one.
    DocumentMeta(String),
    /// Nowhere.
    Nothing,
}

/// Where a file goes, by its path; `described` tells whether there is a `-meta.xml` beside it.
fn place(parts: &[&str], described: bool) -> Place {
    let [above @ .., file] = parts else { return Place::Nothing };
    if file.starts_with('.') || *file == "jsconfig.json" {
        return Place::Nothing;
    }
    if let Some(at) = above.iter().position(|name| types::in_directory(name).any(|of| of.bundle)) {
        return Place::At(parts[at..].join("/"));
    }
    if let Some(at) = above.iter().position(|name| *name == "staticresources") {
        return resource(&parts[at + 1..]);
    }
    if let Some(at) = above.iter().position(|name| *name == "documents") {
        return document(&parts[at..].join("/"));
    }
    match file.strip_suffix("-meta.xml") {
        Some(base) => meta(above, base),
        None => content(above, file, described),
    }
}

fn resource(rest: &[&str]) -> Place {
    match rest {
        [file] => match file.strip_suffix(".resource-meta.xml") {
            Some(name) => Place::ResourceMeta(name.to_owned()),
            // names of resources have no dots
            None => Place::Resource(file.split('.').next().unwrap_or(file).to_owned(), None),
        },
        [name, within @ ..] => Place::Resource((*name).to_owned(), Some(within.join("/"))),
        [] => Place::Nothing,
    }
}

fn document(path: &str) -> Place {
    if let Some(folder) = path.strip_suffix(".documentFolder-meta.xml") {
        return Place::At(format!("{folder}-meta.xml"));
    }
    match path.strip_suffix(".document-meta.xml") {
        Some(stem) => Place::DocumentMeta(stem.to_owned()),
        None => Place::At(path.to_owned()),
    }
}

fn meta(above: &[&str], base: &str) -> Place {
    let Some((stem, suffix)) = base.rsplit_once('.') else {
        // a folder, as packages have it
        let folder = above.last().filter(|name| types::in_directory(name).any(|of| of.in_folder));
        return folder.map_or(Place::Nothing, |folder| Place::At(format!("{folder}/{base}-meta.xml")));
    };
    if let [.., parent, directory] = above
        && let Some(object) = types::find("CustomObject")
        && let Some(part) =
            object.parts.iter().find(|part| part.suffix == suffix && part.directory == *directory)
    {
        return Place::Part(mdapi::document_path(object, parent), part.element);
    }
    for holder in ["CustomObjectTranslation", "Bot"] {
        if let (Some(of), Some(parent)) = (types::find(holder), above.last())
            && let Some(part) = of.parts.iter().find(|part| part.suffix == suffix)
        {
            return Place::Part(mdapi::document_path(of, parent), part.element);
        }
    }
    if let Some(of) = types::all().iter().find(|of| of.is_folder && of.suffix == suffix) {
        return Place::At(format!("{}-meta.xml", below(of, above, stem)));
    }
    let Some(of) = of_suffix(above, suffix) else { return Place::Nothing };
    if of.meta_file {
        return Place::At(format!("{}.{suffix}-meta.xml", below(of, above, stem)));
    }
    whole(of, above, stem)
}

/// A document that is all of its component, or that parts are added to.
fn whole(of: &Type, above: &[&str], stem: &str) -> Place {
    match of.name {
        // there is one component of all labels, in as many files as one likes
        "CustomLabels" => Place::Own(mdapi::document_path(of, "CustomLabels")),
        "CustomObject" | "CustomObjectTranslation" | "Bot" => Place::Own(mdapi::document_path(of, stem)),
        _ => Place::At(format!("{}.{}", below(of, above, stem), of.suffix)),
    }
}

fn content(above: &[&str], file: &str, described: bool) -> Place {
    let Some((stem, suffix)) = file.rsplit_once('.') else { return Place::Nothing };
    let Some(of) = of_suffix(above, suffix) else { return Place::Nothing };
    let in_place = above.contains(&of.directory);
    if of.meta_file {
        return if described {
            Place::At(format!("{}.{suffix}", below(of, above, stem)))
        } else {
            Place::Nothing
        };
    }
    // a package's own document
    if in_place { whole(of, above, stem) } else { Place::Nothing }
}

/// The type of documents with this suffix; where several have it, the one whose folder they lie in.
fn of_suffix(above: &[&str], suffix: &str) -> Option<&'static Type> {
    let mut found: Option<&'static Type> = None;
    for of in types::all().iter().filter(|of| of.suffix == suffix && !of.is_folder && !of.bundle) {
        if above.contains(&of.directory) {
            return Some(of);
        }
        found = found.or(Some(of));
    }
    found
}

/// Folder of the type, folders of the component, and a name.
fn below(of: &Type, above: &[&str], stem: &str) -> String {
    let mut path = of.directory.to_owned();
    if of.in_folder || of.is_folder {
        let at = above.iter().rposition(|name| *name == of.directory).map_or(above.len(), |at| at + 1);
        for folder in &above[at..] {
            path.push('/');
            path.push_str(folder);
        }
    }
    path.push('/');
    path.push_str(stem);
    path
}

/// What was found in folders.
#[derive(Default)]
struct Found {
    files: BTreeMap<String, Bytes>,
    /// Documents by their path: themselves, and the parts from files of their own.
    documents: BTreeMap<String, (Option<Element>, Vec<Element>)>,
    resources: BTreeMap<String, Resource>,
    /// Paths without suffix of documents' content, and what describes them.
    document_metas: BTreeMap<String, Bytes>,
    /// Where the files of the package come from, for messages.
    origins: HashMap<String, PathBuf>,
}

/// A static resource.
#[derive(Default)]
struct Resource {
    meta: Option<Bytes>,
    content: Option<Bytes>,
    within: Vec<File>,
}

impl Found {
    fn look(&mut self, folder: &Path, parts: &mut Vec<String>) -> Result<(), LoadError> {
        let failed = |source| LoadError::Read { file: folder.to_owned(), source };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            paths.push(entry.map_err(failed)?.path());
        }
        paths.sort();
        for path in paths {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let name = name.to_owned();
            if path.is_dir() {
                if parts.len() < DEEPEST && !SKIPPED.contains(&name.as_str()) {
                    parts.push(name);
                    self.look(&path, parts)?;
                    parts.pop();
                }
                continue;
            }
            let described = !name.ends_with("-meta.xml") && {
                let mut beside = path.clone().into_os_string();
                beside.push("-meta.xml");
                Path::new(&beside).is_file()
            };
            parts.push(name);
            let named: Vec<&str> = parts.iter().map(String::as_str).collect();
            let place = place(&named, described);
            self.take(place, &path)?;
            parts.pop();
        }
        Ok(())
    }

    fn take(&mut self, place: Place, path: &Path) -> Result<(), LoadError> {
        if place == Place::Nothing {
            return Ok(());
        }
        let read = std::fs::read(path);
        let bytes = Bytes::from(read.map_err(|source| LoadError::Read { file: path.to_owned(), source })?);
        let parse = |bytes: &[u8]| {
            Element::parse(bytes).map_err(|error| LoadError::File {
                file: path.to_owned(),
                message: format!("it is not XML: {error}"),
            })
        };
        match place {
            Place::At(at) => {
                self.origins.insert(at.clone(), path.to_owned());
                self.files.insert(at, bytes);
            }
            Place::Own(at) => {
                let root = parse(&bytes)?;
                self.origins.entry(at.clone()).or_insert_with(|| path.to_owned());
                let document = self.documents.entry(at).or_default();
                match &mut document.0 {
                    Some(known) => known.children.extend(root.children),
                    own => *own = Some(root),
                }
            }
            Place::Part(at, element) => {
                let root = parse(&bytes)?;
                self.origins.entry(at.clone()).or_insert_with(|| path.to_owned());
                let part = Element { name: element.to_owned(), ..root };
                self.documents.entry(at).or_default().1.push(part);
            }
            Place::ResourceMeta(name) => self.resources.entry(name).or_default().meta = Some(bytes),
            Place::Resource(name, None) => self.resources.entry(name).or_default().content = Some(bytes),
            Place::Resource(name, Some(within)) => {
                self.resources.entry(name).or_default().within.push(File::new(within, bytes));
            }
            Place::DocumentMeta(stem) => {
                self.document_metas.insert(stem, bytes);
            }
            Place::Nothing => {}
        }
        Ok(())
    }

    /// The files of a package.
    fn files(&mut self) -> Result<Vec<File>, LoadError> {
        for (path, (own, parts)) in std::mem::take(&mut self.documents) {
            let of = mdapi::classify(&path).map_or("CustomObject", |(of, _)| of.name);
            let mut root = own.unwrap_or_else(|| Element::new(of));
            root.children.extend(parts);
            self.files.insert(path, root.document().into());
        }
        for (name, Resource { meta, content, mut within }) in std::mem::take(&mut self.resources) {
            let Some(meta) = meta else { continue };
            within.sort_by(|a, b| a.path.cmp(&b.path));
            let content = match content {
                Some(content) => content,
                None if within.is_empty() => continue,
                None => {
                    let zipped = zip::write(&within).map_err(|error| LoadError::File {
                        file: format!("staticresources/{name}").into(),
                        message: error.to_string(),
                    })?;
                    zipped.into()
                }
            };
            self.files.insert(format!("staticresources/{name}.resource"), content);
            self.files.insert(format!("staticresources/{name}.resource-meta.xml"), meta);
        }
        for (stem, meta) in std::mem::take(&mut self.document_metas) {
            let content = self.files.range(format!("{stem}.")..).next().map(|(path, _)| path.clone());
            if let Some(content) = content.filter(|path| path.starts_with(&format!("{stem}."))) {
                self.files.insert(format!("{content}-meta.xml"), meta);
            }
        }
        Ok(std::mem::take(&mut self.files).into_iter().map(|(path, bytes)| File::new(path, bytes)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> Place {
        place(&path.split('/').collect::<Vec<_>>(), true)
    }

    #[test]
    fn source_files_go_where_packages_have_them() {
        let to = |path: &str| Place::At(path.to_owned());
        for (path, place) in [
            ("f/main/default/classes/sub/A.cls", to("classes/A.cls")),
            ("f/handlers/A.cls-meta.xml", to("classes/A.cls-meta.xml")),
            ("f/layouts/A-B.layout-meta.xml", to("layouts/A-B.layout")),
            ("f/objects/A/A.object-meta.xml", Place::Own("objects/A.object".to_owned())),
            ("f/objects/A/fields/b__c.field-meta.xml", Place::Part("objects/A.object".to_owned(), "fields")),
            ("f/objects/A.object", Place::Own("objects/A.object".to_owned())),
            (
                "f/objectTranslations/A-de/b__c.fieldTranslation-meta.xml",
                Place::Part("objectTranslations/A-de.objectTranslation".to_owned(), "fields"),
            ),
            ("f/labels/Other.labels-meta.xml", Place::Own("labels/CustomLabels.labels".to_owned())),
            ("f/reports/F.reportFolder-meta.xml", to("reports/F-meta.xml")),
            ("f/reports/F/R.report-meta.xml", to("reports/F/R.report")),
            ("f/reports/F-meta.xml", to("reports/F-meta.xml")),
            ("f/email/F/T.email", to("email/F/T.email")),
            ("f/documents/F.documentFolder-meta.xml", to("documents/F-meta.xml")),
            ("f/documents/F/D.document-meta.xml", Place::DocumentMeta("documents/F/D".to_owned())),
            ("f/documents/F/D.png", to("documents/F/D.png")),
            ("f/lwc/a/a.js-meta.xml", to("lwc/a/a.js-meta.xml")),
            ("f/staticresources/r.resource-meta.xml", Place::ResourceMeta("r".to_owned())),
            ("f/staticresources/r/a/b.js", Place::Resource("r".to_owned(), Some("a/b.js".to_owned()))),
            ("f/staticresources/r.min.js", Place::Resource("r".to_owned(), None)),
            ("f/customMetadata/T.R.md-meta.xml", to("customMetadata/T.R.md")),
            ("f/experiences/S/views/home.json", to("experiences/S/views/home.json")),
            ("f/experiences/S.site-meta.xml", to("experiences/S.site-meta.xml")),
            ("f/sites/S.site-meta.xml", to("sites/S.site")),
            ("f/test/jest-mocks/apex.js", Place::Nothing),
            ("f/package.xml", Place::Nothing),
            ("f/lwc/jsconfig.json", Place::Nothing),
        ] {
            assert_eq!(at(path), place, "{path}");
        }
    }
}
