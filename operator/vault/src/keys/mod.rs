//! Who can open a vault: the cluster's key, recipients of `age`, and what hangs below the root key.
//!
//! One random root key, made with the vault, wraps a data key per object and run, and the key that signs
//! manifests. `vault.json` holds the root key wrapped for each recipient, so that rekeying touches one file.

pub(crate) mod envelope;
mod keyring;
mod kms;
mod recipients;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::error::{Result, VaultError};
use envelope::Secret;
pub(crate) use keyring::{Keyring, verify_signature};
pub use kms::Kms;
pub(crate) use recipients::{Recipient, unwrap_root, wrap_missing};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What the caller has to open a vault with.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The key; `None`: the vault is to be without encryption.
    pub key: Option<Key>,
    /// `age1…` public keys that can open it, too; added to the vault when it is opened for writing.
    pub recipients: Vec<String>,
    /// Public signing key that the vault had before, base64: another one is refused.
    pub signing_key: Option<String>,
}

/// A key that opens a vault.
#[derive(Clone)]
pub enum Key {
    /// 32 bytes.
    Raw(Zeroizing<[u8; 32]>),
    /// An age identity, such as a recovery key.
    Age(age::x25519::Identity),
    /// A key that never leaves a key management service.
    Kms(Arc<dyn Kms>),
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw(_) => "Key::Raw(…)",
            Self::Age(_) => "Key::Age(…)",
            Self::Kms(_) => "Key::Kms(…)",
        })
    }
}

impl Key {
    /// Reads a key file: 32 bytes as base64, an age identity with its comments, or the address of a key of AWS KMS
    /// (`aws-kms:arn:aws:kms:eu-central-1:111122223333:key/…`). Nothing is asked of a service yet.
    pub fn parse(text: &str) -> Result<Self> {
        let lines: Vec<&str> =
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        match lines.as_slice() {
            [] => Err(VaultError::InvalidKey("the encryption key is empty".to_owned())),
            [identity] if identity.starts_with("AGE-SECRET-KEY-") => {
                age::x25519::Identity::from_str(identity)
                    .map(Self::Age)
                    .map_err(|why| VaultError::InvalidKey(format!("the age identity cannot be read: {why}")))
            }
            [address] if address.starts_with(kms::AWS) => Ok(Self::Kms(Arc::new(kms::Aws::parse(address)?))),
            [base64] => {
                let bytes = Zeroizing::new(LENIENT.decode(base64).map_err(|_| {
                    VaultError::InvalidKey(
                        "the encryption key is neither base64 nor an age identity nor an address of a key (aws-kms:…)"
                            .to_owned(),
                    )
                })?);
                let found = bytes.len();
                <[u8; 32]>::try_from(bytes.as_slice()).map(|key| Self::Raw(Zeroizing::new(key))).map_err(
                    |_| {
                        VaultError::InvalidKey(format!(
                            "the encryption key has {found} bytes, it must have 32"
                        ))
                    },
                )
            }
            _ => Err(VaultError::InvalidKey("the encryption key has more than one line".to_owned())),
        }
    }
}

/// The key of one object's files in one run, and how the vault wraps it.
#[derive(Clone)]
pub struct DataKey {
    pub(crate) secret: Option<Secret>,
    pub(crate) wrapped: String,
    pub(crate) vault_id: String,
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataKey").field("encrypted", &self.secret.is_some()).finish_non_exhaustive()
    }
}

impl DataKey {
    /// The footer key of Parquet files; `None` in a vault without encryption.
    pub fn bytes(&self) -> Option<&[u8; 32]> {
        self.secret.as_deref()
    }

    /// The key as the vault wraps it; empty without encryption.
    pub fn wrapped(&self) -> &str {
        &self.wrapped
    }

    /// Footer key metadata: the key material that pyarrow's `CryptoFactory` reads (`wrappedDEK`, `masterKeyID`).
    pub fn footer_metadata(&self) -> Vec<u8> {
        serde_json::json!({
            "keyMaterialType": "PKMT1",
            "internalStorage": true,
            "isFooterKey": true,
            "kmsInstanceID": "orgkeep",
            "kmsInstanceURL": "DEFAULT",
            "masterKeyID": self.vault_id,
            "wrappedDEK": self.wrapped,
            "doubleWrapping": false,
        })
        .to_string()
        .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orgkeep_core::reason::Reason;

    #[test]
    fn key_files_of_both_kinds_are_read() {
        assert!(matches!(Key::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").unwrap(), Key::Raw(_)));
        assert!(matches!(Key::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8").unwrap(), Key::Raw(_)));
        let identity = age::x25519::Identity::generate();
        use secrecy::ExposeSecret;
        let file = format!("# created: today\n# public key: x\n{}\n", identity.to_string().expose_secret());
        assert!(matches!(Key::parse(&file).unwrap(), Key::Age(_)));
    }

    #[test]
    fn other_keys_are_refused_without_being_told() {
        for text in
            ["", "#only a comment", "AAECAwQFBgcICQoLDA0ODw==", "not-base64!", "AGE-SECRET-KEY-1XYZ", "a\nb"]
        {
            let error = Key::parse(text).unwrap_err();
            assert_eq!(error.reason(), Reason::InvalidEncryptionKey);
            assert!(text.is_empty() || !error.to_string().contains(text), "{error}");
        }
        assert!(Key::parse("AAECAwQFBgcICQoLDA0ODw==").unwrap_err().to_string().contains("16 bytes"));
    }
}
