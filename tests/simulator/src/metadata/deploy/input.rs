//! A deploy's zip: the packages in it, held against their manifests.

use std::collections::HashSet;

use super::options::Options;
use super::outcome::{Message, Severity};
use crate::metadata::mdapi::{self, Fault, Unit};
use crate::metadata::package::Package;
use crate::metadata::{File, Key, types, zip};

/// A zip, read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Input {
    /// What is deployed, each with its file in the zip.
    pub(crate) units: Vec<(Unit, String)>,
    /// What is deleted before that and after it, each with its manifest.
    pub(crate) before: Vec<(Key, String)>,
    pub(crate) after: Vec<(Key, String)>,
    /// What is wrong with the packages, and what is to be told of their manifests.
    pub(crate) messages: Vec<Message>,
}

impl Input {
    /// Reads a zip. The error is about the zip itself.
    pub(crate) fn read(bytes: &[u8], options: &Options) -> Result<Self, zip::ZipError> {
        let files = zip::read(bytes)?;
        let mut input = Self::default();
        if options.single_package {
            input.package("", &files, options);
            return Ok(input);
        }
        let mut folders: Vec<&str> =
            files.iter().map(|file| file.path.split_once('/').map_or("", |(folder, _)| folder)).collect();
        folders.sort_unstable();
        folders.dedup();
        for folder in folders {
            // what lies beside the folders belongs to no package
            if folder.is_empty() && folders_only(&files) {
                continue;
            }
            let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            let within: Vec<File> = files
                .iter()
                .filter_map(|file| {
                    let rest = file.path.strip_prefix(&*prefix).filter(|_| !prefix.is_empty());
                    let rest = rest
                        .or_else(|| (folder.is_empty() && !file.path.contains('/')).then_some(&*file.path));
                    Some(File::new(rest?, file.bytes.clone()))
                })
                .collect();
            input.package(&prefix, &within, options);
        }
        if input.units.is_empty()
            && input.messages.is_empty()
            && input.before.is_empty()
            && input.after.is_empty()
        {
            let key = Key::new("", "package.xml");
            input.messages.push(Message::error(&key, "package.xml", "No package.xml found"));
        }
        Ok(input)
    }

    /// How many components there are.
    pub(crate) fn len(&self) -> usize {
        self.units.len() + self.before.len() + self.after.len()
    }

    fn package(&mut self, prefix: &str, files: &[File], options: &Options) {
        let path = |name: &str| format!("{prefix}{name}");
        let manifest_key = Key::new("", "package.xml");
        let manifest = path("package.xml");
        let find = |name: &str| files.iter().find(|file| &*file.path == name);
        let Some(file) = find("package.xml") else {
            // as users report it (forcedotcom/CustomMetadataLoader#34)
            self.messages.push(Message::error(&manifest_key, &manifest, "No package.xml found"));
            return;
        };
        let package = match Package::parse(&file.bytes) {
            Ok(package) => package,
            Err(error) => {
                self.messages.push(Message::error(&manifest_key, &manifest, error.to_string()));
                return;
            }
        };
        self.messages.push(Message { changed: true, ..Message::new(&manifest_key, &manifest) });
        for (name, first) in [
            ("destructiveChangesPre.xml", true),
            ("destructiveChanges.xml", true),
            ("destructiveChangesPost.xml", false),
        ] {
            let Some(file) = find(name) else { continue };
            self.destroy(&path(name), &file.bytes, first);
        }
        let contents = mdapi::read(files);
        for problem in contents.problems {
            let (line, column) = match &problem.fault {
                Fault::Xml(error) => (error.line, error.column),
                Fault::NoName(_, line) => (*line, 1),
                Fault::Missing(_) => (0, 0),
            };
            let message = Message::error(&problem.key, &path(&problem.path), problem.fault.to_string());
            self.messages.push(Message { line, column, ..message });
        }
        for stray in &contents.stray {
            let key = Key::new("", stray);
            // files that belong to no type say that they are in no manifest, too
            self.messages.push(Message::error(&key, &path(stray), "Not in package.xml"));
        }
        self.hold_against(&package, contents.units, prefix, options);
    }

    /// Deploys what the manifest names, and tells of what it names and there is not, and of files that it does not name.
    fn hold_against(&mut self, package: &Package, units: Vec<Unit>, prefix: &str, options: &Options) {
        let manifest = format!("{prefix}package.xml");
        let wrong: HashSet<Key> = self
            .messages
            .iter()
            .filter(|message| message.counts())
            .map(|message| Key::new(&message.type_name, &message.full_name))
            .collect();
        for (type_name, members) in &package.types {
            if !types::is_known(type_name) {
                let message = format!("Unknown type name '{type_name}' specified in package.xml");
                self.messages.push(Message::error(&Key::new("", type_name), &manifest, message));
                continue;
            }
            for member in members.iter().filter(|member| *member != "*") {
                let found = units.iter().any(|unit| is_named(&unit.key, type_name, member));
                let key = Key::new(type_name, member);
                if found || wrong.contains(&key) || key.parent().is_some_and(|parent| wrong.contains(&parent))
                {
                    continue;
                }
                let holds_parts =
                    units.iter().any(|unit| unit.key.parent().is_some_and(|parent| parent == key));
                if holds_parts {
                    continue;
                }
                // as users report it (forcedotcom/cli#2182)
                let message = format!(
                    "An object '{member}' of type {type_name} was named in package.xml, but was not found in zipped directory"
                );
                let severity = if options.allow_missing_files { Severity::Warning } else { Severity::Error };
                let told = Message::new(&key, &manifest).with(severity, message);
                self.messages.push(told);
            }
        }
        let mut strangers = HashSet::new();
        let mut named = HashSet::new();
        for unit in units {
            let file = unit.files.first().map(|file| file.path.to_string()).unwrap_or_default();
            let file = format!("{prefix}{}", file.strip_suffix("-meta.xml").unwrap_or(&file));
            if names(package, &unit.key) {
                named.insert(file.clone());
                self.units.push((unit, file));
            } else {
                strangers.insert((unit.key.parent().unwrap_or(unit.key), file));
            }
        }
        let mut strangers: Vec<_> = strangers.into_iter().filter(|(_, file)| !named.contains(file)).collect();
        strangers.sort();
        for (key, file) in strangers {
            self.messages.push(Message::error(&key, &file, "Not in package.xml"));
        }
    }

    fn destroy(&mut self, path: &str, bytes: &[u8], first: bool) {
        let name = path.rsplit('/').next().unwrap_or(path);
        let key = Key::new("", name);
        let package = match Package::parse(bytes) {
            Ok(package) => package,
            Err(error) => {
                self.messages.push(Message::error(&key, path, error.to_string()));
                return;
            }
        };
        self.messages.push(Message { changed: true, ..Message::new(&key, path) });
        for (type_name, members) in &package.types {
            if !types::is_known(type_name) {
                let message = format!("Unknown type name '{type_name}' specified in {name}");
                self.messages.push(Message::error(&Key::new("", type_name), path, message));
                continue;
            }
            for member in members {
                if member == "*" {
                    // "destructiveChanges.xml doesn't support the wildcard" (Metadata API guide, Deleting Components)
                    let message = format!("The wildcard * cannot be used in {name}");
                    self.messages.push(Message::error(&Key::new(type_name, "*"), path, message));
                    continue;
                }
                let to = if first { &mut self.before } else { &mut self.after };
                to.push((Key::new(type_name, member), path.to_owned()));
            }
        }
    }
}

fn folders_only(files: &[File]) -> bool {
    !files.iter().any(|file| &*file.path == "package.xml")
}

/// Whether a manifest names a component, itself, by `*`, or by what holds it.
fn names(package: &Package, key: &Key) -> bool {
    let by = |key: &Key| {
        package.types.iter().any(|(type_name, members)| {
            members
                .iter()
                .any(|member| is_named(key, type_name, member) || member == "*" && is_of(key, type_name))
        })
    };
    by(key) || key.parent().is_some_and(|parent| by(&parent))
}

/// Folders are named under the type of what lies in them.
fn is_of(key: &Key, type_name: &str) -> bool {
    *key.type_name == *type_name
        || types::find(type_name)
            .and_then(types::folder_type)
            .is_some_and(|folder| folder.name == &*key.type_name)
}

fn is_named(key: &Key, type_name: &str, member: &str) -> bool {
    if !is_of(key, type_name) {
        return false;
    }
    let name = &*key.full_name;
    // names in manifests may be written with the characters that file names escape, and documents without their suffix
    name == member
        || decoded(name) == decoded(member)
        || type_name == "Document" && name.rsplit_once('.').is_some_and(|(stem, _)| stem == member)
}

fn decoded(name: &str) -> String {
    let name = name.replace('+', "%2B");
    url::form_urlencoded::parse(format!("n={name}").as_bytes())
        .next()
        .map_or(name.clone(), |(_, value)| value.into_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)], single: bool) -> Input {
        let files: Vec<File> =
            files.iter().map(|(path, text)| File::new(*path, (*text).to_owned())).collect();
        let options = Options { single_package: single, ..Options::default() };
        Input::read(&zip::write(&files).unwrap(), &options).unwrap()
    }

    fn problems(input: &Input) -> Vec<(String, String)> {
        let told = |message: &'_ Message| -> Option<(String, String)> {
            let Message { file, problem: Some((_, problem)), .. } = message else { return None };
            Some((file.clone(), problem.clone()))
        };
        input.messages.iter().filter_map(told).collect()
    }

    fn pairs(all: &[(String, String)]) -> Vec<(&str, &str)> {
        all.iter().map(|(file, problem)| (file.as_str(), problem.as_str())).collect()
    }

    const MANIFEST: &str = "<Package><types><members>A</members><members>Gone</members><name>ApexClass</name></types>\
        <types><members>X</members><name>Nothing</name></types></Package>";

    #[test]
    fn packages_are_held_against_their_manifests() {
        let files = [
            ("package.xml", MANIFEST),
            ("classes/A.cls", "class A {}"),
            ("classes/A.cls-meta.xml", "<ApexClass/>"),
            ("layouts/L.layout", "<Layout/>"),
        ];
        let input = read(&files, true);
        assert_eq!(input.units.len(), 1);
        assert_eq!(
            pairs(&problems(&input)),
            [
                (
                    "package.xml",
                    "An object 'Gone' of type ApexClass was named in package.xml, but was not found in zipped directory"
                ),
                ("package.xml", "Unknown type name 'Nothing' specified in package.xml"),
                ("layouts/L.layout", "Not in package.xml"),
            ]
        );
        // each folder is a package of its own otherwise
        let input = read(&files[1..], false);
        assert_eq!(
            pairs(&problems(&input)),
            [
                ("classes/package.xml", "No package.xml found"),
                ("layouts/package.xml", "No package.xml found")
            ]
        );
        let input = read(&[("p/package.xml", "<Package/>"), ("p/destructiveChanges.xml", MANIFEST)], false);
        assert_eq!(input.before.len(), 2);
        assert_eq!(problems(&input).len(), 1);
    }
}
