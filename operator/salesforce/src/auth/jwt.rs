//! OAuth 2.0 JWT bearer flow (RFC 7523): a claim signed with the key whose certificate the app knows.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::RSA_PKCS1_SHA256;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};

use super::Form;
use crate::error::{Error, Result};
use crate::options::Environment;

/// How long a claim is good for. Salesforce accepts up to 3 minutes; less leaves room for clocks that differ.
const CLAIM_LIFE: Duration = Duration::from_mins(2);

/// Fills the form.
pub(super) fn form(
    client_id: &str,
    username: &str,
    private_key: &SecretString,
    environment: Environment,
    now: Timestamp,
) -> Result<Form> {
    let claims = serde_json::json!({
        "iss": client_id,
        "sub": username,
        "aud": audience(environment),
        "exp": now.as_second() + CLAIM_LIFE.as_secs() as i64,
    });
    let assertion = sign(&claims, &parse_key(private_key)?)?;
    Ok(vec![("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer".into()), ("assertion", assertion)])
}

/// Who the claim is for: not the login URL, but the host that stands for the kind of org.
fn audience(environment: Environment) -> &'static str {
    match environment {
        Environment::Production => "https://login.salesforce.com",
        Environment::Sandbox => "https://test.salesforce.com",
    }
}

fn parse_key(pem: &SecretString) -> Result<KeyPair> {
    let refuse = |detail: String| Error::PrivateKey { detail };
    let der = PrivateKeyDer::from_pem_slice(pem.expose_secret().as_bytes())
        .map_err(|_| refuse("no PEM section with a private key was found".to_owned()))?;
    match &der {
        PrivateKeyDer::Pkcs1(key) => KeyPair::from_der(key.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(key) => KeyPair::from_pkcs8(key.secret_pkcs8_der()),
        _ => return Err(refuse("it is not an RSA key".to_owned())),
    }
    .map_err(|rejected| refuse(rejected.to_string()))
}

fn sign(claims: &serde_json::Value, key: &KeyPair) -> Result<SecretString> {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mut signature = vec![0_u8; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .map_err(|_| Error::PrivateKey { detail: "signing with it failed".to_owned() })?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)).into())
}
