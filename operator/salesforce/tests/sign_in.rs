//! All ways to sign in, and what becomes of a session and of its refresh token.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{Org, Seen, json, parameter, refusal};
use futures::future::BoxFuture;
use orgkeep_core::problem::Reaction;
use orgkeep_core::reason::Reason;
use orgkeep_salesforce::{Auth, Client, ConnectOptions, Environment, Error, RefreshTokenSink, Sink};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};

const TOKEN: &str = "/services/oauth2/token";
const DESCRIBE: &str = "/services/data/v64.0/sobjects/Account/describe";
const DESCRIBED: &str = r#"{"name":"Account","fields":[{"name":"Id","type":"id"}]}"#;

/// The key that the simulator's tests use; it opens nothing.
const KEY: &str = include_str!("../../../tests/simulator/tests/data/app.key");

fn with_auth(org: &Org, auth: Auth) -> ConnectOptions {
    ConnectOptions { auth, ..org.options() }
}

fn refreshing(org: &Org) -> ConnectOptions {
    with_auth(
        org,
        Auth::RefreshToken {
            client_id: "app".to_owned(),
            client_secret: Some("app-secret".to_owned().into()),
            refresh_token: "refresh-0".to_owned().into(),
        },
    )
}

fn form(seen: &Seen, name: &str) -> Option<String> {
    parameter(&seen.body, name)
}

#[tokio::test]
async fn jwt_bearer_signs_the_claims_that_the_org_asks_for() {
    let org = Org::start().await;
    for (environment, audience) in [
        (Environment::Production, "https://login.salesforce.com"),
        (Environment::Sandbox, "https://test.salesforce.com"),
    ] {
        let auth = Auth::JwtBearer {
            client_id: "3MVG9app".to_owned(),
            username: "backup@acme.example".to_owned(),
            private_key: KEY.to_owned().into(),
        };
        Client::connect(ConnectOptions { environment, ..with_auth(&org, auth) }).await.unwrap();
        let seen = org.seen(TOKEN).pop().unwrap();
        assert_eq!(form(&seen, "grant_type").unwrap(), "urn:ietf:params:oauth:grant-type:jwt-bearer");
        let assertion = form(&seen, "assertion").unwrap();
        let parts: Vec<&str> = assertion.split('.').collect();
        let decoded = |part: &str| -> serde_json::Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        assert_eq!(decoded(parts[0])["alg"], "RS256");
        let claims = decoded(parts[1]);
        assert_eq!((&claims["iss"], &claims["sub"]), (&"3MVG9app".into(), &"backup@acme.example".into()));
        assert_eq!(claims["aud"], audience);
        let life = claims["exp"].as_i64().unwrap() - jiff::Timestamp::now().as_second();
        assert!((60..=180).contains(&life), "{life}");
        let der = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
        let pair = ring::rsa::KeyPair::from_pkcs8(der.secret_der()).unwrap();
        let public = ring::signature::RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
        let signed = format!("{}.{}", parts[0], parts[1]);
        let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
        public.verify(&ring::signature::RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature).unwrap();
    }
}

#[tokio::test]
async fn a_key_that_is_none_is_said_without_it() {
    let org = Org::start().await;
    let auth = Auth::JwtBearer {
        client_id: "x".to_owned(),
        username: "x".to_owned(),
        private_key: "n0t-a-key".to_owned().into(),
    };
    let error = Client::connect(with_auth(&org, auth)).await.unwrap_err();
    assert!(matches!(error, Error::PrivateKey { .. }), "{error}");
    assert!(!error.to_string().contains("n0t-a-key"));
    assert_eq!(error.reason(), Reason::AuthenticationFailed);
    assert!(org.seen(TOKEN).is_empty());
}

#[tokio::test]
async fn client_credentials_and_refresh_send_what_the_org_asks_for() {
    let org = Org::start().await;
    org.connect().await;
    let seen = org.seen(TOKEN).pop().unwrap();
    assert_eq!(form(&seen, "grant_type").unwrap(), "client_credentials");
    assert_eq!(
        (form(&seen, "client_id"), form(&seen, "client_secret")),
        (Some("app".into()), Some("app-secret".into()))
    );
    Client::connect(refreshing(&org)).await.unwrap();
    let seen = org.seen(TOKEN).pop().unwrap();
    assert_eq!(form(&seen, "grant_type").unwrap(), "refresh_token");
    assert_eq!(form(&seen, "refresh_token").unwrap(), "refresh-0");
    assert!(seen.authorization.is_empty());
}

/// Remembers the tokens; fails from the given one on.
#[derive(Clone, Default)]
struct Memory {
    kept: Arc<Mutex<Vec<String>>>,
    full: bool,
}

impl RefreshTokenSink for Memory {
    fn keep(&self, token: SecretString) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            if self.full {
                return Err("the Secret is read-only".to_owned());
            }
            self.kept.lock().unwrap().push(token.expose_secret().to_owned());
            Ok(())
        })
    }
}

/// A token endpoint that rotates: each refresh token is good once.
fn rotating(org: &Org) {
    let address = org.address;
    org.on(TOKEN, move |seen| {
        if form(seen, "refresh_token").unwrap() != format!("refresh-{}", seen.nth) {
            return json(400, r#"{"error":"invalid_grant","error_description":"expired access/refresh token"}"#);
        }
        json(
            200,
            &format!(
                r#"{{"access_token":"token-{0}","instance_url":"http://{address}","refresh_token":"refresh-{1}"}}"#,
                seen.nth,
                seen.nth + 1
            ),
        )
    });
}

/// Sessions that end one after the other: only the newest token is good.
fn expiring(org: &Org, sessions: usize) {
    org.on(DESCRIBE, move |seen| {
        let session: usize = seen.authorization.strip_prefix("Bearer token-").unwrap().parse().unwrap();
        if session < sessions {
            refusal(401, "INVALID_SESSION_ID", "Session expired or invalid")
        } else {
            json(200, DESCRIBED)
        }
    });
}

#[tokio::test]
async fn a_rotated_refresh_token_is_kept_and_used_for_the_next_renewal() {
    let org = Org::start().await;
    rotating(&org);
    expiring(&org, 1);
    let memory = Memory::default();
    let options = ConnectOptions { refresh_token_sink: Some(Sink::new(memory.clone())), ..refreshing(&org) };
    let client = Client::connect(options).await.unwrap();
    assert!(client.refresh_token_rotated());
    let tasks = (0..12).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.describe("Account").await })
    });
    for described in futures::future::join_all(tasks).await {
        described.unwrap().unwrap();
    }
    assert_eq!(*memory.kept.lock().unwrap(), ["refresh-1", "refresh-2"]);
    assert_eq!(org.seen(TOKEN).len(), 2);
    assert!(!format!("{client:?}").contains("refresh-"));
}

#[tokio::test]
async fn a_rotated_refresh_token_that_cannot_be_kept_is_said_at_once() {
    let org = Org::start().await;
    rotating(&org);
    let memory = Memory { full: true, ..Memory::default() };
    let options = ConnectOptions { refresh_token_sink: Some(Sink::new(memory)), ..refreshing(&org) };
    let error = Client::connect(options).await.unwrap_err();
    assert!(matches!(error, Error::RefreshTokenLost { .. }), "{error}");
    assert_eq!(error.reaction(), Reaction::EndRun(Reason::AuthenticationFailed));
    assert!(!format!("{error:?}").contains("refresh-1"));
    assert_eq!(org.seen(TOKEN).len(), 1);
}

#[tokio::test]
async fn without_a_sink_the_run_goes_on_and_it_can_be_asked() {
    let org = Org::start().await;
    rotating(&org);
    expiring(&org, 1);
    let client = Client::connect(refreshing(&org)).await.unwrap();
    client.describe("Account").await.unwrap();
    assert!(client.refresh_token_rotated());
    assert!(!Org::start().await.connect().await.refresh_token_rotated());
}

#[tokio::test]
async fn access_that_was_revoked_is_told_from_credentials_that_never_worked() {
    let org = Org::start().await;
    let refuse = |code: &'static str| {
        move |_: &Seen| json(400, &format!(r#"{{"error":"{code}","error_description":"no longer"}}"#))
    };
    expiring(&org, 1);
    let client = org.connect().await;
    org.on(TOKEN, refuse("invalid_grant"));
    let error = client.describe("Account").await.unwrap_err();
    assert!(matches!(&error, Error::AccessRevoked { .. }), "{error}");
    assert_eq!((error.code(), error.reason()), ("invalid_grant", Reason::AuthenticationFailed));
    // It is not asked again and again.
    let asked = org.seen(TOKEN).len();
    client.describe("Account").await.unwrap_err();
    assert_eq!(org.seen(TOKEN).len(), asked);
    for code in ["invalid_grant", "invalid_client_id", "inactive_user", "unauthorized_client"] {
        org.on(TOKEN, refuse(code));
        let error = Client::connect(org.options()).await.unwrap_err();
        assert!(matches!(&error, Error::Refused { .. }), "{error}");
        assert_eq!((error.code(), error.reason()), (code, Reason::AuthenticationFailed));
    }
}

#[tokio::test]
async fn a_web_page_at_the_token_endpoint_is_asked_again() {
    let org = Org::start().await;
    let address = org.address;
    org.on(TOKEN, move |seen| match seen.nth {
        0 => common::answer(200, &[("content-type", "text/html")], "<html>maintenance</html>"),
        1 => json(200, r#"{"access_token":"00D"#),
        _ => common::token(address, "token-0"),
    });
    org.connect().await;
    assert_eq!(org.seen(TOKEN).len(), 3);
    org.on(TOKEN, |_| json(200, r#"{"token_type":"Bearer"}"#));
    let error = Client::connect(org.options()).await.unwrap_err();
    assert!(error.to_string().contains("POST /services/oauth2/token: the answer"), "{error}");
    assert_eq!(org.seen(TOKEN).len(), 4);
}

#[tokio::test]
async fn a_busy_token_endpoint_is_asked_again_and_is_no_revocation() {
    let org = Org::start().await;
    expiring(&org, 1);
    let client = org.connect().await;
    org.on(TOKEN, |_| common::answer(503, &[("content-type", "text/html")], "<html>busy</html>"));
    let error = client.describe("Account").await.unwrap_err();
    assert!(matches!(&error, Error::Refused { symptom, .. } if symptom.status == Some(503)), "{error}");
    assert_eq!(org.seen(TOKEN).len(), 1 + 4);
    // A later call may find it well again.
    let address = org.address;
    org.on(TOKEN, move |_| common::token(address, "token-5"));
    client.describe("Account").await.unwrap();
}
