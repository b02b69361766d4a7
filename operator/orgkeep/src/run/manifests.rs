//! The YAML of a local run: the files at the top level of a folder, checked as an API server would.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use orgkeep_api::{BackupVault, SalesforceBackup, SalesforceConnection, Snapshot, validate};
use orgkeep_engine::secrets::InlineSecrets;
use secrecy::SecretString;
use serde::Deserialize as _;
use serde_json::Value;

/// Everything that a folder declares.
#[derive(Debug, Default)]
pub(crate) struct Manifests {
    /// Orgs.
    pub(crate) connections: Vec<SalesforceConnection>,
    /// Vaults.
    pub(crate) vaults: Vec<BackupVault>,
    /// Backups.
    pub(crate) backups: Vec<SalesforceBackup>,
    /// Snapshots: backups on demand.
    pub(crate) snapshots: Vec<Snapshot>,
    /// Secrets and ConfigMaps.
    pub(crate) secrets: InlineSecrets,
}

/// What is wrong with the YAML: every problem, not only the first.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManifestError {
    /// The folder or a file cannot be read.
    #[error("{path}: {why}")]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// Objects are refused.
    #[error("the YAML is refused:\n{}", .0.join("\n"))]
    Refused(Vec<String>),
}

/// Reads a folder.
pub(crate) fn load(folder: &Path) -> Result<Manifests, ManifestError> {
    let unreadable = |path: &Path, why: &dyn std::fmt::Display| ManifestError::Unreadable {
        path: path.into(),
        why: why.to_string(),
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(|error| unreadable(folder, &error))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file() && has_yaml_name(path))
        .collect();
    files.sort();
    let mut manifests = Manifests::default();
    let mut errors = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        for document in serde_yaml::Deserializer::from_str(&text) {
            match Value::deserialize(document) {
                Ok(Value::Null) => {}
                Ok(value) => manifests.add(&value, &name, &mut errors),
                Err(error) => {
                    errors.push(format!("  {name}: {error}"));
                    break; // the parser cannot find the next document after a syntax error
                }
            }
        }
    }
    manifests.check_references(&mut errors);
    if errors.is_empty() { Ok(manifests) } else { Err(ManifestError::Refused(errors)) }
}

fn has_yaml_name(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

impl Manifests {
    fn add(&mut self, value: &Value, file: &str, errors: &mut Vec<String>) {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (kind, name) = (text("/kind"), text("/metadata/name"));
        let place = format!("{file}: {kind} {name}");
        let mut refuse = |problems: Vec<String>| {
            errors.extend(problems.into_iter().map(|problem| format!("  {place}: {problem}")));
        };
        if name.is_empty() {
            return refuse(vec!["metadata.name is required".to_owned()]);
        }
        let ours = format!("{}/{}", orgkeep_api::GROUP, orgkeep_api::VERSION);
        match (text("/apiVersion"), kind) {
            ("v1", "Secret") => match secret_values(value) {
                Ok(values) => self.secrets.add_secret(name, values),
                Err(problem) => refuse(vec![problem]),
            },
            ("v1", "ConfigMap") => {
                let data = value.get("data").and_then(Value::as_object);
                let values = data.into_iter().flatten().filter_map(|(key, value)| {
                    value.as_str().map(|text| (key.clone(), text.as_bytes().to_vec()))
                });
                self.secrets.add_config_map(name, values);
            }
            ("v1", "Namespace") => {}
            (version, _) if version != ours => {
                refuse(vec![format!(
                    "apiVersion {version:?} and this kind are not known here; ours is {ours}"
                )]);
            }
            (_, "SalesforceConnection") => keep(validate::read(value), &mut self.connections, refuse),
            (_, "BackupVault") => keep(validate::read(value), &mut self.vaults, refuse),
            (_, "SalesforceBackup") => keep(validate::read(value), &mut self.backups, refuse),
            (_, "Snapshot") => keep(validate::read(value), &mut self.snapshots, refuse),
            _ => refuse(vec!["this kind is not known".to_owned()]),
        }
    }

    /// Two objects of one kind and name would overwrite each other in a cluster.
    fn check_references(&self, errors: &mut Vec<String>) {
        let mut seen: BTreeMap<(&str, &str), u32> = BTreeMap::new();
        let names = |name: &Option<String>| name.as_deref().unwrap_or_default().to_owned();
        let all: Vec<(&str, String)> =
            (self.connections.iter().map(|o| ("SalesforceConnection", names(&o.metadata.name))))
                .chain(self.vaults.iter().map(|o| ("BackupVault", names(&o.metadata.name))))
                .chain(self.backups.iter().map(|o| ("SalesforceBackup", names(&o.metadata.name))))
                .chain(self.snapshots.iter().map(|o| ("Snapshot", names(&o.metadata.name))))
                .collect();
        for (kind, name) in &all {
            let count = seen.entry((kind, name)).or_default();
            *count += 1;
            if *count == 2 {
                errors.push(format!("  {kind} {name} is declared twice"));
            }
        }
    }
}

fn keep<K>(read: Result<K, Vec<String>>, into: &mut Vec<K>, refuse: impl FnOnce(Vec<String>)) {
    match read {
        Ok(object) => into.push(object),
        Err(problems) => refuse(problems),
    }
}

/// `stringData`; `data` in base64 is what a cluster stores, not what a person writes.
fn secret_values(value: &Value) -> Result<Vec<(String, SecretString)>, String> {
    if value.get("data").is_some_and(|data| !data.is_null()) {
        return Err("give the values as stringData; data (base64) is not read here".to_owned());
    }
    let Some(data) = value.get("stringData").and_then(Value::as_object) else {
        return Err("stringData is required".to_owned());
    };
    data.iter()
        .map(|(key, value)| match value.as_str() {
            Some(text) => Ok((key.clone(), SecretString::from(text))),
            None => Err(format!("stringData.{key} must be a text; put it in quotes")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VAULT: &str = "apiVersion: orgkeep.dev/v1alpha1\nkind: BackupVault\nmetadata: {name: main}\n\
                         spec: {volume: {path: vault}, encryption: {disabled: true}}\n";

    fn load_text(text: &str) -> Result<Manifests, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("all.yaml"), text).unwrap();
        std::fs::create_dir(folder.path().join("below")).unwrap();
        std::fs::write(folder.path().join("below/other.yaml"), "kind: Nonsense").unwrap();
        load(folder.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_top_level_is_read_with_defaults_filled_in() {
        let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: v}\n";
        let manifests = load_text(&format!("{VAULT}{secret}---\n")).unwrap();
        assert_eq!(manifests.vaults.len(), 1);
        assert_eq!(manifests.vaults[0].spec.catalog.keep, 100);
    }

    #[test]
    fn every_problem_is_named_with_its_file() {
        let twice = format!("{VAULT}---\n{VAULT}");
        assert!(load_text(&twice).unwrap_err().contains("BackupVault main is declared twice"));
        let both = VAULT.replace("disabled: true", "disabled: false");
        let error =
            load_text(&format!("{both}---\nkind: X\napiVersion: v9\nmetadata: {{name: y}}\n")).unwrap_err();
        assert!(error.contains("all.yaml: BackupVault main: ") && error.contains("keySecretRef"), "{error}");
        assert!(error.contains("X y") && error.contains("v9"), "{error}");
        assert!(load_text("a: [").unwrap_err().contains("all.yaml"));
    }
}
