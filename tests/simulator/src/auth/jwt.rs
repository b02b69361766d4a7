//! The assertion of the JWT bearer flow, held against the certificate of the connected app.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde::Deserialize;
use x509_parser::pem::parse_x509_pem;

/// The claims that count.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    #[serde(alias = "prn")]
    pub(super) sub: String,
    pub(super) aud: String,
    #[serde(deserialize_with = "seconds")]
    pub(super) exp: i64,
}

/// From here on a number means milliseconds: Salesforce's own CLI (@salesforce/core 8.32) sends such an end.
const MILLISECONDS: i64 = 100_000_000_000;
/// Its end is 300 ms ahead, which real orgs take: there must be a margin for clocks that differ.
const MARGIN_SECONDS: i64 = 60;

/// A number, or one in quotes as in Salesforce's own sample.
fn seconds<'de, D: serde::Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Text(String),
    }
    let number = match Either::deserialize(from)? {
        Either::Number(number) => number,
        Either::Text(text) => text.parse().map_err(serde::de::Error::custom)?,
    };
    Ok(if number >= MILLISECONDS { number / 1_000 + MARGIN_SECONDS } else { number })
}

/// An assertion whose signature was not looked at yet.
pub(super) struct Assertion<'a> {
    pub(super) claims: Claims,
    signed: &'a str,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

impl<'a> Assertion<'a> {
    /// Reads it; nothing if it is no JWT signed with RS256.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok();
        let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
        let claims = serde_json::from_slice(&decode(claims)?).ok()?;
        (header.alg == "RS256").then_some(Self { claims, signed, signature: decode(signature)? })
    }

    /// Whether the key of the certificate signed it.
    pub(super) fn is_signed_by(&self, certificate: &Path) -> bool {
        let Ok(pem) = std::fs::read(certificate) else {
            tracing::warn!(certificate = %certificate.display(), "the certificate of a connected app cannot be read");
            return false;
        };
        let Ok((_, pem)) = parse_x509_pem(&pem) else { return false };
        let Ok(certificate) = pem.parse_x509() else { return false };
        let key = &certificate.public_key().subject_public_key.data;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
            .verify(self.signed.as_bytes(), &self.signature)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,60}", dots in "[A-Za-z0-9_=.-]{0,60}") {
            proptest::prop_assert!(Assertion::parse(&text).is_none() && Assertion::parse(&dots).is_none());
        }
    }
}
