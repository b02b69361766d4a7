//! Files of a package as components: which type and member each belongs to, by what the org's describe says of
//! folders and suffixes. Pure.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::describe::{Described, MetadataType};
use super::package::{BuiltPackage, DeployPackage, FILES_LIMIT, PackageError, UNZIPPED_LIMIT};
use super::standard::{FIRST, LAST};

/// A component with its files, by their paths within the package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Component {
    /// Type.
    pub type_name: String,
    /// Name, as a package.xml has it.
    pub member: String,
    /// Files.
    pub files: BTreeMap<String, Bytes>,
}

/// Sorts files into components; files that no described type has are given back by name. `package.xml` and the
/// destructive ones are left out.
pub fn components(
    described: &Described,
    files: impl IntoIterator<Item = (String, Bytes)>,
) -> (Vec<Component>, Vec<String>) {
    let directories = described.by_directory();
    let mut found: BTreeMap<(String, String), BTreeMap<String, Bytes>> = BTreeMap::new();
    let mut unknown = Vec::new();
    for (path, content) in files {
        let path = path.strip_prefix("unpackaged/").map(str::to_owned).unwrap_or(path);
        if path == "package.xml" || path.starts_with("destructiveChanges") {
            continue;
        }
        let known = path.split_once('/').and_then(|(directory, rest)| {
            let types = directories.get(directory)?;
            types.iter().find_map(|known| Some((known.name.clone(), member(known, rest, types.len() == 1)?)))
        });
        match known {
            Some(key) => drop(found.entry(key).or_default().insert(path, content)),
            None => unknown.push(path),
        }
    }
    let component = |((type_name, member), files)| Component { type_name, member, files };
    (found.into_iter().map(component).collect(), unknown)
}

/// The member that a file of a type's directory belongs to.
fn member(known: &MetadataType, rest: &str, only: bool) -> Option<String> {
    let plain = rest.strip_suffix("-meta.xml").unwrap_or(rest);
    let suffix = known.suffix.as_deref().map(|suffix| format!(".{suffix}"));
    if known.in_folder {
        // a folder's own file is `reports/MyFolder-meta.xml`
        let of_folder = plain != rest && !plain.rsplit('/').next().unwrap_or_default().contains('.');
        let named = match &suffix {
            Some(suffix) => plain.strip_suffix(suffix.as_str()),
            None => plain.contains('/').then_some(plain),
        };
        return named.or_else(|| of_folder.then_some(plain)).map(str::to_owned);
    }
    match &suffix {
        Some(suffix) => {
            let named = plain.strip_suffix(suffix.as_str())?;
            // parts of a component below a folder with its name are its children: `M/rules/R` (territories)
            Some(named.to_owned())
        }
        // bundles: a folder each
        None => match plain.split_once('/') {
            Some((bundle, _)) => Some(bundle.to_owned()),
            // `experiences/Shop.site-meta.xml` beside the bundle `Shop`
            None => only.then(|| plain.split('.').next().unwrap_or(plain).to_owned()),
        },
    }
}

/// Divides components into packages that can be deployed one after the other: what others build upon first, each
/// below Salesforce's limits.
pub fn deploy_chunks(
    version: &str,
    components: Vec<Component>,
    files: usize,
) -> Result<Vec<BuiltPackage>, PackageError> {
    let mut components = components;
    components.sort_by_cached_key(|component| (rank(&component.type_name), component.type_name.clone()));
    let files = files.clamp(1, FILES_LIMIT - 3);
    let mut chunks: Vec<Vec<Component>> = Vec::new();
    let (mut count, mut bytes) = (0, 0);
    for component in components {
        let size: usize = component.files.values().map(Bytes::len).sum();
        let fits = count + component.files.len() <= files && bytes + size <= UNZIPPED_LIMIT;
        match chunks.last_mut() {
            Some(chunk) if fits => chunk.push(component),
            _ => {
                (count, bytes) = (0, 0);
                chunks.push(vec![component]);
            }
        }
        count += chunks.last().and_then(|chunk| chunk.last()).map_or(0, |component| component.files.len());
        bytes += size;
    }
    let mut built = Vec::new();
    chunks.reverse();
    while let Some(mut chunk) = chunks.pop() {
        match build(version, &chunk) {
            // how small a zip becomes is known only when it is written
            Err(PackageError::TooLarge { .. }) if chunk.len() > 1 => {
                let right = chunk.split_off(chunk.len() / 2);
                chunks.push(right);
                chunks.push(chunk);
            }
            package => built.push(package?),
        }
    }
    Ok(built)
}

fn build(version: &str, chunk: &[Component]) -> Result<BuiltPackage, PackageError> {
    let mut package = DeployPackage::new(version);
    for component in chunk {
        let files = component.files.iter().map(|(name, content)| (name.clone(), content.clone()));
        package.add(&component.type_name, &component.member, files)?;
    }
    package.build()
}

/// The place of a type in the order of a deploy.
fn rank(type_name: &str) -> usize {
    if let Some(place) = FIRST.iter().position(|name| *name == type_name) {
        return place;
    }
    let last = LAST.iter().position(|name| *name == type_name);
    last.map_or(FIRST.len(), |place| FIRST.len() + 1 + place)
}

/// The names of files that differ between two sets, and how: for a look at what a round trip changed.
pub fn differences(before: &[Component], after: &[Component]) -> Vec<String> {
    let all = |components: &[Component]| -> BTreeMap<String, Bytes> {
        let files = components.iter().flat_map(|component| &component.files);
        files.map(|(name, content)| (name.clone(), content.clone())).collect()
    };
    let (before, after) = (all(before), all(after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let told = names.into_iter().filter_map(|name| match (before.get(name), after.get(name)) {
        (Some(_), None) => Some(format!("{name}: gone")),
        (None, Some(_)) => Some(format!("{name}: new")),
        (before, after) if before != after => Some(format!("{name}: changed")),
        _ => None,
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described() -> Described {
        let known = |name: &str, directory: &str, suffix: &str, in_folder, meta_file| MetadataType {
            name: name.to_owned(),
            directory: directory.to_owned(),
            suffix: (!suffix.is_empty()).then(|| suffix.to_owned()),
            in_folder,
            meta_file,
            children: Vec::new(),
        };
        let types = vec![
            known("ApexClass", "classes", "cls", false, true),
            known("CustomObject", "objects", "object", false, false),
            known("Report", "reports", "report", true, false),
            known("Document", "documents", "", true, true),
            known("LightningComponentBundle", "lwc", "", false, false),
            known("Profile", "profiles", "profile", false, false),
        ];
        Described { types, ..Described::default() }
    }

    fn file(name: &str) -> (String, Bytes) {
        (name.to_owned(), Bytes::from_static(b"content"))
    }

    #[test]
    fn files_find_their_components() {
        let files = [
            "package.xml",
            "unpackaged/classes/A.cls",
            "unpackaged/classes/A.cls-meta.xml",
            "objects/Account.object",
            "reports/Sales-meta.xml",
            "reports/Sales/Q1.report",
            "reports/Sales/Deep/Q2.report",
            "documents/Logos/a.png",
            "documents/Logos/a.png-meta.xml",
            "documents/Logos-meta.xml",
            "lwc/tile/tile.js",
            "lwc/tile/tile.js-meta.xml",
            "readme.txt",
        ];
        let (found, unknown) = components(&described(), files.map(file));
        let named: Vec<(&str, &str, usize)> = found
            .iter()
            .map(|component| (component.type_name.as_str(), component.member.as_str(), component.files.len()))
            .collect();
        assert_eq!(
            named,
            [
                ("ApexClass", "A", 2),
                ("CustomObject", "Account", 1),
                ("Document", "Logos", 1),
                ("Document", "Logos/a.png", 2),
                ("LightningComponentBundle", "tile", 2),
                ("Report", "Sales", 1),
                ("Report", "Sales/Deep/Q2", 1),
                ("Report", "Sales/Q1", 1),
            ]
        );
        assert_eq!(unknown, ["readme.txt"]);
    }

    #[test]
    fn chunks_keep_components_whole_and_go_in_order() {
        let mut files = vec![file("profiles/Admin.profile"), file("objects/Account.object")];
        for n in 0..30 {
            files.push(file(&format!("classes/C{n}.cls")));
            files.push(file(&format!("classes/C{n}.cls-meta.xml")));
        }
        let (found, _) = components(&described(), files);
        let chunks = deploy_chunks("64.0", found, 21).unwrap();
        assert_eq!(chunks.iter().map(|chunk| chunk.files - 1).collect::<Vec<_>>(), [21, 20, 21]);
    }
}
