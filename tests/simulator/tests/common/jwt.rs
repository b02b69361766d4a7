//! Assertions of the JWT bearer flow, signed with the key made for these tests.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

const KEY: &str = include_str!("../data/app.key");
pub const CERTIFICATE: &str = include_str!("../data/app.crt");
pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Claims of the app for a user, which end in so many seconds.
pub fn claims(audience: &str, user: &str, seconds: i64) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    json!({"iss": "app", "sub": user, "aud": audience, "exp": now + seconds})
}

pub fn sign(claims: &Value) -> String {
    sign_as(r#"{"alg":"RS256"}"#, claims)
}

pub fn sign_as(header: &str, claims: &Value) -> String {
    let key = match PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap() {
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap(),
        _ => panic!("another form of key"),
    };
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

pub fn assertion(audience: &str, user: &str, seconds: i64) -> String {
    sign(&claims(audience, user, seconds))
}
