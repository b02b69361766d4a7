//! The types of metadata: where their files lie, and which are parts of others.
//!
//! `types.tsv` is made from `describe.json` and `metadataRegistry.json` of forcedotcom/source-deploy-retrieve (commit
//! ac2a8fe, Apache-2.0): name, folder, suffix, flags, parts. Flags: `f` in folders, `m` content with a `-meta.xml`
//! beside it, `b` a folder of files, `d` the folders themselves. A part is `Type:element:suffix:folder` (the last two
//! as source format has them), with a `-` in front where it cannot be asked for by itself. The many types of settings
//! are one, as they are in package.xml.

use std::collections::HashMap;
use std::sync::LazyLock;

/// A type of metadata that has files of its own.
#[derive(Debug)]
pub(crate) struct Type {
    /// `ApexClass`.
    pub(crate) name: &'static str,
    /// `classes`.
    pub(crate) directory: &'static str,
    /// `cls`; empty where names say nothing.
    pub(crate) suffix: &'static str,
    /// Its components lie in folders.
    pub(crate) in_folder: bool,
    /// Content, and a `-meta.xml` that tells of it.
    pub(crate) meta_file: bool,
    /// Each component is a folder of files.
    pub(crate) bundle: bool,
    /// It is the folders of another type.
    pub(crate) is_folder: bool,
    /// What its documents hold that is a component, too.
    pub(crate) parts: Vec<Part>,
}

/// A type of metadata that stands within the document of another one.
#[derive(Debug)]
pub(crate) struct Part {
    /// `CustomField`.
    pub(crate) name: &'static str,
    /// The element: `fields`.
    pub(crate) element: &'static str,
    /// `field`, in source format.
    pub(crate) suffix: &'static str,
    /// `fields`, in source format.
    pub(crate) directory: &'static str,
    /// Whether it is a component of its own.
    pub(crate) addressable: bool,
}

struct Table {
    types: Vec<Type>,
    by_name: HashMap<&'static str, usize>,
    parts: HashMap<&'static str, (usize, usize)>,
    directories: HashMap<&'static str, Vec<usize>>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let types: Vec<Type> = include_str!("types.tsv").lines().filter_map(read).collect();
    let mut directories: HashMap<_, Vec<_>> = HashMap::new();
    let (mut by_name, mut parts) = (HashMap::new(), HashMap::new());
    for (number, of) in types.iter().enumerate() {
        by_name.insert(of.name, number);
        directories.entry(of.directory).or_default().push(number);
        for (at, part) in of.parts.iter().enumerate().filter(|(_, part)| part.addressable) {
            parts.insert(part.name, (number, at));
        }
    }
    Table { types, by_name, parts, directories }
});

fn read(line: &'static str) -> Option<Type> {
    let mut cells = line.split('\t');
    let (name, directory) = (cells.next()?, cells.next()?);
    let (suffix, flags) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
    let parts = cells.next().unwrap_or_default().split(',').filter_map(|told| {
        let mut told = told.split(':');
        let name = told.next()?;
        Some(Part {
            name: name.trim_start_matches('-'),
            element: told.next()?,
            suffix: told.next()?,
            directory: told.next()?,
            addressable: !name.starts_with('-'),
        })
    });
    let has = |flag: char| flags.contains(flag);
    let (in_folder, meta_file, bundle, is_folder) = (has('f'), has('m'), has('b'), has('d'));
    let parts = parts.collect();
    Some(Type { name, directory, suffix, in_folder, meta_file, bundle, is_folder, parts })
}

/// All types with files of their own, by name.
pub(crate) fn all() -> &'static [Type] {
    &TABLE.types
}

/// A type with files of its own.
pub(crate) fn find(name: &str) -> Option<&'static Type> {
    TABLE.by_name.get(name).map(|number| &TABLE.types[*number])
}

/// A part that is a component of its own, and the type whose documents hold it.
pub(crate) fn part(name: &str) -> Option<(&'static Type, &'static Part)> {
    TABLE.parts.get(name).map(|(of, at)| (&TABLE.types[*of], &TABLE.types[*of].parts[*at]))
}

/// Whether there is such a type at all.
pub(crate) fn is_known(name: &str) -> bool {
    TABLE.by_name.contains_key(name) || TABLE.parts.contains_key(name)
}

/// The types whose files lie in this folder of a package.
pub(crate) fn in_directory(directory: &str) -> impl Iterator<Item = &'static Type> {
    let numbers = TABLE.directories.get(directory).map(Vec::as_slice).unwrap_or_default();
    numbers.iter().map(|number| &TABLE.types[*number])
}

/// The type that holds the folders of a type: `ReportFolder` of `Report`.
pub(crate) fn folder_type(of: &Type) -> Option<&'static Type> {
    if !of.in_folder {
        return None;
    }
    // EmailTemplateFolder holds those of Lightning templates, which nothing here has
    in_directory(of.directory).find(|other| other.is_folder && other.name != "EmailTemplateFolder")
}

/// Whether `*` stands for all components of a type in package.xml ("Metadata Types" of the Metadata API guide: not for
/// what lies in folders, for standard values, and for parts of objects; labels and rules may be asked for so).
pub(crate) fn takes_wildcard(name: &str) -> bool {
    match find(name) {
        Some(of) => !of.in_folder && !of.is_folder && name != "StandardValueSet",
        None => part(name).is_some_and(|(of, _)| of.name != "CustomObject"),
    }
}

/// The parts whose names are not led by the name of what holds them: labels are known by their own.
pub(crate) fn is_flat(part: &str) -> bool {
    part == "CustomLabel"
}

/// The key prefix of a type's ids; most types of components without records have none, and give an empty id.
pub(crate) fn key_prefix(name: &str) -> Option<[u8; 3]> {
    let prefix: &[u8; 3] = match name {
        "ApexClass" => b"01p",
        "ApexComponent" => b"099",
        "ApexPage" => b"066",
        "ApexTrigger" => b"01q",
        "AuraDefinitionBundle" => b"0Ab",
        "BusinessProcess" => b"019",
        "CompactLayout" => b"0AH",
        "CustomApplication" => b"02u",
        "CustomField" => b"00N",
        "CustomLabel" => b"101",
        "CustomMetadata" => b"m00",
        "CustomObject" => b"01I",
        "CustomPermission" => b"0CP",
        "CustomTab" => b"01r",
        "Dashboard" => b"01Z",
        "DashboardFolder" | "DocumentFolder" | "EmailFolder" | "ReportFolder" => b"00l",
        "Document" => b"015",
        "DuplicateRule" => b"0Bm",
        "EmailTemplate" => b"00X",
        "FieldSet" => b"0IX",
        "FlexiPage" => b"0M0",
        "Flow" => b"301",
        "FlowDefinition" => b"300",
        "GlobalValueSet" => b"0Nt",
        "Group" | "Queue" => b"00G",
        "Layout" => b"00h",
        "LightningComponentBundle" => b"0Rb",
        "ListView" => b"00B",
        "MatchingRule" => b"0JD",
        "NamedCredential" => b"0XA",
        "PermissionSet" => b"0PS",
        "Profile" => b"00e",
        "QuickAction" => b"09D",
        "RecordType" => b"012",
        "RemoteSiteSetting" => b"0rp",
        "Report" => b"00O",
        "ReportType" => b"070",
        "Role" => b"00E",
        "StaticResource" => b"081",
        "ValidationRule" => b"03d",
        "WebLink" => b"00b",
        "WorkflowAlert" => b"01W",
        "WorkflowFieldUpdate" => b"04Y",
        "WorkflowOutboundMessage" => b"04k",
        "WorkflowRule" => b"01Q",
        "WorkflowTask" => b"01V",
        _ => return None,
    };
    Some(*prefix)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_table_tells_where_files_lie() {
        assert!(all().len() > 400);
        let class = find("ApexClass").unwrap();
        assert_eq!((class.directory, class.suffix, class.meta_file), ("classes", "cls", true));
        let (object, field) = part("CustomField").unwrap();
        assert_eq!((object.name, field.element), ("CustomObject", "fields"));
        assert_eq!(folder_type(find("Report").unwrap()).unwrap().name, "ReportFolder");
        assert!(takes_wildcard("ApexClass") && takes_wildcard("CustomLabel") && takes_wildcard("Settings"));
        assert!(
            !takes_wildcard("Report")
                && !takes_wildcard("CustomField")
                && !takes_wildcard("StandardValueSet")
        );
        assert!(!is_known("AddressSettings") && !is_known("Apex"));
    }
}
