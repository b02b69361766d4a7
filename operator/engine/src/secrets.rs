//! Where a run gets secrets from: files that the kubelet mounted, or the Secret manifests of a local run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use orgkeep_core::reason::Reason;
use secrecy::SecretString;

/// Why a secret (or a ConfigMap's key) is not to be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// No Secret of that name.
    #[error("Secret {name:?} is not there")]
    NotFound {
        /// Name of the Secret.
        name: String,
    },
    /// The Secret has no such key.
    #[error("Secret {name:?} has no key {key:?}; it has: {present}")]
    KeyNotFound {
        /// Name of the Secret.
        name: String,
        /// The key that was asked for.
        key: String,
        /// The keys that it has, for the message.
        present: String,
    },
    /// The file is there and cannot be read.
    #[error("Secret {name:?} key {key:?} cannot be read: {why}")]
    Unreadable {
        /// Name of the Secret.
        name: String,
        /// The key that was asked for.
        key: String,
        /// What the system says.
        why: String,
    },
    /// The ConfigMap or its key is not there.
    #[error("ConfigMap {name:?} has no key {key:?}, or is not there")]
    ConfigMap {
        /// Name of the ConfigMap.
        name: String,
        /// The key that was asked for.
        key: String,
    },
}

impl SecretError {
    /// The reason that conditions show.
    pub fn reason(&self) -> Reason {
        match self {
            Self::NotFound { .. } => Reason::SecretNotFound,
            Self::KeyNotFound { .. } | Self::Unreadable { .. } => Reason::SecretKeyNotFound,
            Self::ConfigMap { .. } => Reason::ConfigMapNotFound,
        }
    }
}

/// A source of secrets and ConfigMaps, by name and key.
pub trait SecretSource: Send + Sync {
    /// The value of a Secret's key, as text.
    fn secret(&self, name: &str, key: &str) -> Result<SecretString, SecretError>;
    /// The value of a ConfigMap's key.
    fn config(&self, name: &str, key: &str) -> Result<Vec<u8>, SecretError>;
}

/// Secrets mounted whole and `optional: true`, each under its name.
///
/// An optional Secret that does not exist is an empty folder, which is how a missing Secret is told from a
/// missing key.
#[derive(Debug, Clone)]
pub struct MountedSecrets {
    /// Folder with one folder per Secret.
    pub secrets: PathBuf,
    /// Folder with one folder per ConfigMap.
    pub config_maps: PathBuf,
}

impl SecretSource for MountedSecrets {
    fn secret(&self, name: &str, key: &str) -> Result<SecretString, SecretError> {
        let folder = self.secrets.join(name);
        match std::fs::read_to_string(folder.join(key)) {
            Ok(text) => Ok(SecretString::from(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let present = keys_in(&folder);
                if present.is_empty() {
                    Err(SecretError::NotFound { name: name.into() })
                } else {
                    Err(SecretError::KeyNotFound {
                        name: name.into(),
                        key: key.into(),
                        present: present.join(", "),
                    })
                }
            }
            Err(error) => {
                Err(SecretError::Unreadable { name: name.into(), key: key.into(), why: error.to_string() })
            }
        }
    }

    fn config(&self, name: &str, key: &str) -> Result<Vec<u8>, SecretError> {
        std::fs::read(self.config_maps.join(name).join(key))
            .map_err(|_| SecretError::ConfigMap { name: name.into(), key: key.into() })
    }
}

/// Names of the keys in a mounted folder; the kubelet's own entries begin with two dots.
fn keys_in(folder: &Path) -> Vec<String> {
    let mut keys: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with(".."))
        .collect();
    keys.sort();
    keys
}

/// Secrets of a local run, read from manifests beside the other YAML.
#[derive(Debug, Clone, Default)]
pub struct InlineSecrets {
    secrets: BTreeMap<String, BTreeMap<String, SecretString>>,
    config_maps: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
}

impl InlineSecrets {
    /// Adds a Secret.
    pub fn add_secret(&mut self, name: &str, values: impl IntoIterator<Item = (String, SecretString)>) {
        self.secrets.entry(name.to_owned()).or_default().extend(values);
    }

    /// Adds a ConfigMap.
    pub fn add_config_map(&mut self, name: &str, values: impl IntoIterator<Item = (String, Vec<u8>)>) {
        self.config_maps.entry(name.to_owned()).or_default().extend(values);
    }
}

impl SecretSource for InlineSecrets {
    fn secret(&self, name: &str, key: &str) -> Result<SecretString, SecretError> {
        let values = self.secrets.get(name).ok_or_else(|| SecretError::NotFound { name: name.into() })?;
        values.get(key).cloned().ok_or_else(|| SecretError::KeyNotFound {
            name: name.into(),
            key: key.into(),
            present: values.keys().cloned().collect::<Vec<_>>().join(", "),
        })
    }

    fn config(&self, name: &str, key: &str) -> Result<Vec<u8>, SecretError> {
        self.config_maps
            .get(name)
            .and_then(|values| values.get(key))
            .cloned()
            .ok_or_else(|| SecretError::ConfigMap { name: name.into(), key: key.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn mounted_tells_a_missing_secret_from_a_missing_key() {
        let root = tempfile::tempdir().unwrap();
        let source = MountedSecrets { secrets: root.path().into(), config_maps: root.path().into() };
        std::fs::create_dir_all(root.path().join("empty/..data")).unwrap();
        std::fs::create_dir(root.path().join("acme")).unwrap();
        std::fs::write(root.path().join("acme/token"), "t0p").unwrap();
        assert_eq!(source.secret("acme", "token").unwrap().expose_secret(), "t0p");
        assert_eq!(source.secret("empty", "token").unwrap_err().reason(), Reason::SecretNotFound);
        assert_eq!(source.secret("none", "token").unwrap_err().reason(), Reason::SecretNotFound);
        let missing = source.secret("acme", "key").unwrap_err();
        assert_eq!(missing.reason(), Reason::SecretKeyNotFound);
        assert!(missing.to_string().contains("it has: token"), "{missing}");
        assert_eq!(source.config("acme", "ca.crt").unwrap_err().reason(), Reason::ConfigMapNotFound);
    }

    #[test]
    fn inline_says_the_same() {
        let mut source = InlineSecrets::default();
        source.add_secret("acme", [("token".to_owned(), SecretString::from("t0p"))]);
        assert_eq!(source.secret("acme", "token").unwrap().expose_secret(), "t0p");
        assert_eq!(source.secret("acme", "key").unwrap_err().reason(), Reason::SecretKeyNotFound);
        assert_eq!(source.secret("none", "key").unwrap_err().reason(), Reason::SecretNotFound);
        assert!(!format!("{source:?}").contains("t0p"));
    }
}
