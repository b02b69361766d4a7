//! Between the files of a package and components: which file belongs to which, and documents that hold other
//! components, taken apart and put together again.

use std::collections::BTreeMap;

use super::store::{File, Key};
use super::types::{self, Part, Type};
use super::xml::Element;

/// The files beside components: what is asked for, and what is to go.
pub(crate) const MANIFESTS: [&str; 4] =
    ["package.xml", "destructiveChanges.xml", "destructiveChangesPre.xml", "destructiveChangesPost.xml"];

/// A component as a package has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    /// Type and name.
    pub(crate) key: Key,
    /// Its files in the form in which they are stored.
    pub(crate) files: Vec<File>,
    /// The line of its document where it begins, from 1.
    pub(crate) line: u32,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The file.
    pub(crate) path: String,
    /// What it would have been.
    pub(crate) key: Key,
    /// What is wrong.
    pub(crate) fault: Fault,
}

/// Why a file gives no component.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// It is no XML.
    #[error("Error parsing file: {0}")]
    Xml(#[from] super::xml::XmlError),
    /// Content without what describes it.
    #[error("the file {0} is missing")]
    Missing(String),
    /// An element of a list has no name.
    #[error("Required field is missing: fullName in {0}, line {1}")]
    NoName(String, u32),
}

/// A package, read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    /// Components, parents before their parts.
    pub(crate) units: Vec<Unit>,
    /// Files that are none.
    pub(crate) problems: Vec<Problem>,
    /// Files that belong to no type.
    pub(crate) stray: Vec<String>,
}

/// Reads the files of a package, given by their place below its root.
pub(crate) fn read(files: &[File]) -> Contents {
    let mut contents = Contents::default();
    let mut groups: BTreeMap<Key, (&'static Type, Vec<&File>)> = BTreeMap::new();
    for file in files {
        if MANIFESTS.contains(&&*file.path) {
            continue;
        }
        match classify(&file.path) {
            Some((of, name)) => {
                groups.entry(Key::new(of.name, &name)).or_insert_with(|| (of, Vec::new())).1.push(file);
            }
            None => contents.stray.push(file.path.to_string()),
        }
    }
    for (key, (of, mut files)) in groups {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        unit(&key, of, &files, &mut contents);
    }
    contents
}

/// Which component a file belongs to: its type and name.
pub(crate) fn classify(path: &str) -> Option<(&'static Type, String)> {
    let (directory, rest) = path.split_once('/')?;
    let mut candidates = types::in_directory(directory);
    let first = types::in_directory(directory).next()?;
    if let Some(bundle) = types::in_directory(directory).find(|of| of.bundle) {
        return Some((bundle, bundle_name(bundle, rest)?));
    }
    let meta = rest.strip_suffix("-meta.xml");
    let base = meta.unwrap_or(rest);
    if first.directory == "documents" && base.contains('/') {
        return Some((types::find("Document")?, base.to_owned()));
    }
    let suffixed = candidates.find_map(|of| {
        let name = base.strip_suffix(of.suffix)?.strip_suffix('.')?;
        (!of.is_folder && !of.suffix.is_empty()).then_some((of, name))
    });
    if let Some((of, name)) = suffixed {
        let name = if of.in_folder { name } else { name.rsplit('/').next().unwrap_or(name) };
        return (!name.is_empty()).then(|| (of, name.to_owned()));
    }
    let folder = types::in_directory(directory).find_map(types::folder_type)?;
    meta.filter(|name| !name.is_empty()).map(|name| (folder, name.to_owned()))
}

fn bundle_name(of: &Type, rest: &str) -> Option<String> {
    let mut parts = rest.split('/');
    let first = parts.next()?;
    let name = match (of.name, parts.next()) {
        // beside its folder: `experiences/Name.site-meta.xml`
        (_, None) => first.strip_suffix("-meta.xml")?.rsplit_once('.')?.0.to_owned(),
        // the folder of a kind lies between: `digitalExperiences/site/Name`
        ("DigitalExperienceBundle", Some(second)) if parts.next().is_some() => format!("{first}/{second}"),
        ("DigitalExperienceBundle", Some(_)) => return None,
        (_, Some(_)) => first.to_owned(),
    };
    Some(name)
}

/// Where the document of a component lies in a package.
pub(crate) fn document_path(of: &Type, full_name: &str) -> String {
    if of.is_folder {
        return format!("{}/{full_name}-meta.xml", of.directory);
    }
    format!("{}/{full_name}.{}", of.directory, of.suffix)
}

/// The file name that tells of a component in lists: the folder of a bundle, else its first file. Folders have no
/// `-meta.xml` there (as recorded by clients: `reports/Folder`).
pub(crate) fn told_path(of: &Type, full_name: &str, files: &[File]) -> String {
    if of.bundle {
        return format!("{}/{full_name}", of.directory);
    }
    let first = files.first().map_or_else(|| document_path(of, full_name), |file| file.path.to_string());
    first.strip_suffix("-meta.xml").map(str::to_owned).unwrap_or(first)
}

fn unit(key: &Key, of: &'static Type, files: &[&File], contents: &mut Contents) {
    if of.bundle {
        let files = files.iter().copied().cloned().collect();
        contents.units.push(Unit { key: key.clone(), files, line: 1 });
        return;
    }
    let mut problem = |path: &str, fault: Fault| {
        contents.problems.push(Problem { path: path.to_owned(), key: key.clone(), fault });
    };
    if of.meta_file {
        let described = files.iter().any(|file| file.path.ends_with("-meta.xml"));
        if files.len() < 2 {
            let path = files.first().map(|file| &*file.path).unwrap_or_default();
            let missing = match path.strip_suffix("-meta.xml") {
                Some(content) if described => content.to_owned(),
                _ => format!("{path}-meta.xml"),
            };
            problem(path, Fault::Missing(missing));
            return;
        }
    }
    let mut kept = Vec::new();
    for file in files {
        let is_document = !of.meta_file || file.path.ends_with("-meta.xml");
        if !is_document {
            kept.push(File::clone(file));
            continue;
        }
        let mut root = match Element::parse(&file.bytes) {
            Ok(root) => root,
            Err(error) => return problem(&file.path, error.into()),
        };
        root.sort();
        if of.parts.is_empty() {
            kept.push(File::new(file.path.clone(), root.document()));
            continue;
        }
        match take_apart(of, key, &file.path, root) {
            Ok(units) => contents.units.extend(units),
            Err(fault) => problem(&file.path, fault),
        }
        return;
    }
    contents.units.push(Unit { key: key.clone(), files: kept, line: 1 });
}

/// A document that holds other components: itself without them, if anything is left, and each of them.
pub(crate) fn take_apart(
    of: &'static Type,
    key: &Key,
    path: &str,
    mut root: Element,
) -> Result<Vec<Unit>, Fault> {
    let mut parts = Vec::new();
    let mut own = Vec::new();
    for child in std::mem::take(&mut root.children) {
        let part = of.parts.iter().find(|part| part.addressable && part.element == child.name);
        let Some(part) = part else {
            own.push(child);
            continue;
        };
        let named = child.text_of("fullName").filter(|name| !name.is_empty());
        // an object's standard fields may be told without a name of their own
        let name = named.ok_or_else(|| Fault::NoName(child.name.clone(), child.line))?;
        let full_name = part_name(part, &key.full_name, name);
        let line = child.line;
        let document = Element { name: part.name.to_owned(), ..child };
        parts.push(Unit {
            key: Key::new(part.name, &full_name),
            files: vec![File::new(path, document.document())],
            line,
        });
    }
    root.children = own;
    let mut units = Vec::new();
    // the document of a standard object that holds nothing but fields says nothing of the object
    if of.name != "CustomObject" || !root.children.is_empty() || key.full_name.contains("__") {
        units.push(Unit { key: key.clone(), files: vec![File::new(path, root.document())], line: 1 });
    }
    units.extend(parts);
    Ok(units)
}

/// A part's name among all of its type.
pub(crate) fn part_name(part: &Part, parent: &str, own: &str) -> String {
    if types::is_flat(part.name) { own.to_owned() } else { format!("{parent}.{own}") }
}

/// The document of a component with the parts that it holds: what [`take_apart`] took apart. Parts of one type are in
/// the order of their names, as Salesforce gives them.
pub(crate) fn put_together(of: &Type, own: Option<Element>, parts: Vec<(&Part, Element)>) -> Element {
    let mut root = own.unwrap_or_else(|| Element::new(of.name));
    for (part, document) in parts {
        root.children.push(Element { name: part.element.to_owned(), ..document });
    }
    let place = |element: &Element| element.text_of("fullName").unwrap_or_default().to_owned();
    root.children.sort_by(|a, b| {
        let is_part = of.parts.iter().any(|part| part.element == a.name);
        let by_name = (a.name != "fullName", &a.name).cmp(&(b.name != "fullName", &b.name));
        by_name.then_with(|| if is_part { place(a).cmp(&place(b)) } else { std::cmp::Ordering::Equal })
    });
    root
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn named(path: &str) -> Option<(&'static str, String)> {
        classify(path).map(|(of, name)| (of.name, name))
    }

    #[test]
    fn files_belong_to_components() {
        for (path, of, name) in [
            ("classes/A.cls", "ApexClass", "A"),
            ("classes/A.cls-meta.xml", "ApexClass", "A"),
            ("objects/Account.object", "CustomObject", "Account"),
            ("layouts/Account-A %28b%29 c.layout", "Layout", "Account-A %28b%29 c"),
            ("reports/F-meta.xml", "ReportFolder", "F"),
            ("reports/F/G-meta.xml", "ReportFolder", "F/G"),
            ("reports/F/R.report", "Report", "F/R"),
            ("documents/F-meta.xml", "DocumentFolder", "F"),
            ("documents/F/D.txt", "Document", "F/D.txt"),
            ("documents/F/D.txt-meta.xml", "Document", "F/D.txt"),
            ("email/F-meta.xml", "EmailFolder", "F"),
            ("email/F/T.email-meta.xml", "EmailTemplate", "F/T"),
            ("lwc/a/__tests__/a.js", "LightningComponentBundle", "a"),
            ("experiences/S.site-meta.xml", "ExperienceBundle", "S"),
            ("experiences/S/views/home.json", "ExperienceBundle", "S"),
            ("digitalExperiences/site/S/S.digitalExperience-meta.xml", "DigitalExperienceBundle", "site/S"),
            ("settings/Account.settings", "Settings", "Account"),
            ("customMetadata/T.R.md", "CustomMetadata", "T.R"),
            ("matchingRules/Account.matchingRule", "MatchingRules", "Account"),
            ("territory2Models/M/M.territory2Model", "Territory2Model", "M"),
        ] {
            assert_eq!(named(path), Some((of, name.to_owned())), "{path}");
        }
        for path in ["README.md", "nothing/A.cls", "classes/A.txt", "lwc/jsconfig.json", "classes/.cls"] {
            assert_eq!(named(path), None, "{path}");
        }
    }

    #[test]
    fn objects_are_taken_apart_and_put_together() {
        let text = "<CustomObject xmlns='http://soap.sforce.com/2006/04/metadata'><label>A</label>\
            <fields><fullName>b__c</fullName></fields><fields><label>L</label><fullName>a__c</fullName></fields>\
            <actionOverrides><actionName>New</actionName></actionOverrides></CustomObject>";
        let contents = read(&[File::new("objects/X__c.object", text), File::new("package.xml", "")]);
        assert!(contents.problems.is_empty() && contents.stray.is_empty());
        let keys: Vec<_> = contents.units.iter().map(|unit| unit.key.full_name.to_string()).collect();
        assert_eq!(keys, ["X__c", "X__c.b__c", "X__c.a__c"]);
        let part = &types::find("CustomObject").unwrap().parts[2];
        let element = |unit: &Unit| Element::parse(&unit.files[0].bytes).unwrap();
        let parts = contents.units[1..].iter().map(|unit| (part, element(unit))).collect();
        let root =
            put_together(types::find("CustomObject").unwrap(), Some(element(&contents.units[0])), parts);
        let names: Vec<_> = root.children.iter().map(|child| child.name.as_str()).collect();
        assert_eq!(names, ["actionOverrides", "fields", "fields", "label"]);
        assert_eq!(root.children[1].text_of("fullName"), Some("a__c"));
    }

    #[test]
    fn standard_objects_with_fields_alone_say_nothing_of_themselves() {
        let text = "<CustomObject><fields><fullName>b__c</fullName><type>Text</type></fields></CustomObject>";
        let contents = read(&[File::new("objects/Account.object", text)]);
        assert_eq!(contents.units.len(), 1);
        assert_eq!(contents.units[0].key, Key::new("CustomField", "Account.b__c"));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let contents = read(&[
            File::new("classes/A.cls", "class A {}"),
            File::new("classes/B.cls-meta.xml", "<ApexClass/>"),
            File::new("layouts/C.layout", "<Layout>"),
            File::new(
                "objects/D__c.object",
                "<CustomObject><fields><label>x</label></fields></CustomObject>",
            ),
        ]);
        assert!(contents.units.is_empty());
        let faults: Vec<_> = contents.problems.iter().map(|problem| problem.fault.to_string()).collect();
        assert_eq!(faults.len(), 4);
        assert_eq!(faults[0], "the file classes/A.cls-meta.xml is missing");
        assert_eq!(faults[1], "the file classes/B.cls is missing");
    }

    proptest::proptest! {
        #[test]
        fn anything_is_read_without_a_panic(
            directory in "objects|classes|lwc|reports|documents|email|labels|experiences|x",
            rest in "[a-c/.]{0,8}(\\.object|\\.cls|\\.report|-meta\\.xml)?",
            content in "(<[abF/]*>|<fields>|</fields>|<fullName>|</fullName>|<CustomObject>|</CustomObject>|&|é){0,12}",
        ) {
            let files = [File::new(format!("{directory}/{rest}"), content)];
            let contents = read(&files);
            proptest::prop_assert!(contents.units.len() + contents.problems.len() + contents.stray.len() >= 1);
        }

        #[test]
        fn what_was_put_together_is_taken_apart(names in proptest::collection::btree_set("[a-z]{1,4}__c", 1..6)) {
            let fields: String = names.iter().map(|name| format!("<fields><label>L</label><fullName>{name}</fullName></fields>")).collect();
            let text = format!("<CustomObject>{fields}<label>A &amp; &lt;B&gt;</label></CustomObject>");
            let object = types::find("CustomObject").unwrap();
            let first = read(&[File::new("objects/X__c.object", text)]).units;
            let element = |unit: &Unit| Element::parse(&unit.files[0].bytes).unwrap();
            let parts = first[1..].iter().map(|unit| (&object.parts[2], element(unit))).collect();
            let whole = put_together(object, Some(element(&first[0])), parts).document();
            let again = read(&[File::new("objects/X__c.object", whole)]).units;
            let files = |units: &[Unit]| units.iter().map(|unit| unit.files.clone()).collect::<Vec<_>>();
            proptest::prop_assert_eq!(files(&first), files(&again));
        }
    }
}
