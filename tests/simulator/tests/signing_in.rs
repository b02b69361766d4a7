//! Every way to sign in, https, several orgs, and the request log.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{ORG, client, directory, refused, serve, serve_with};
use orgkeep_simulator::{Simulator, StartOptions, Tls};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

const V: &str = "/services/data/v62.0";
const KEY: &str = include_str!("data/app.key");
const CERTIFICATE: &str = include_str!("data/app.crt");

fn assertion(audience: &str, user: &str, seconds: i64) -> String {
    let key = match PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap() {
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap(),
        _ => panic!("another form of key"),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let claims = json!({"iss": "app", "sub": user, "aud": audience, "exp": now + seconds});
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn client_credentials_by_form_and_by_basic() {
    let served = serve().await;
    let form = [("grant_type", "client_credentials"), ("client_id", "app"), ("client_secret", "app-secret")];
    let (status, answer) = served.oauth(&form).await;
    assert_eq!((status, answer["token_type"].as_str()), (200, Some("Bearer")));
    assert_eq!(answer["instance_url"], served.simulator.address);
    assert!(answer.get("refresh_token").is_none() && answer.get("expires_in").is_none());
    let token = answer["access_token"].as_str().unwrap();
    assert!(token.starts_with("00D") && token.contains('!'));
    let identity: Value = served
        .client
        .get(answer["id"].as_str().unwrap())
        .bearer_auth(token)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(identity["username"], "admin@acme.example");
    let url = format!("{}/services/oauth2/token", served.simulator.address);
    let basic = served
        .client
        .post(url)
        .basic_auth("app", Some("app-secret"))
        .form(&[("grant_type", "client_credentials")]);
    assert_eq!(basic.send().await.unwrap().status(), 200);
    let url = format!("{}/services/oauth2/userinfo", served.simulator.address);
    let info: Value = served.client.get(url).bearer_auth(token).send().await.unwrap().json().await.unwrap();
    assert_eq!(info["preferred_username"], "admin@acme.example");
}

#[tokio::test]
async fn refuses_04_assertions_that_are_wrong_and_takes_right_ones() {
    let served = serve_with(&[("app.crt", CERTIFICATE)], &[]).await;
    let production = "https://login.salesforce.com";
    let admin = "admin@acme.example";
    let mut forged = assertion(production, admin, 120);
    let changed = if forged.ends_with("AA") { "BB" } else { "AA" };
    forged.replace_range(forged.len() - 40..forged.len() - 38, changed);
    for (assertion, expected) in [
        (assertion(production, admin, 120), None),
        (assertion(&served.simulator.address, admin, 120), None),
        (forged, Some("invalid assertion")),
        (assertion("https://test.salesforce.com", admin, 120), Some("audience is invalid")),
        (assertion(production, admin, 600), Some("expiration is too far in the future")),
        (assertion(production, admin, -10), Some("token expired")),
        (assertion(production, "nobody@acme.example", 120), Some("user hasn't approved this consumer")),
    ] {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", assertion.as_str()),
        ];
        let (status, answer) = served.oauth(&form).await;
        assert_eq!(answer["error_description"].as_str(), expected, "{answer}");
        assert_eq!(status, if expected.is_some() { 400 } else { 200 });
        assert_eq!(answer["error"].as_str(), expected.map(|_| "invalid_grant"));
    }
}

#[tokio::test]
async fn refresh_tokens_stay_or_rotate() {
    let served = serve().await;
    for (app, stays) in [("app", true), ("rotating", false)] {
        let with = |kind, name, value| {
            [("grant_type", kind), ("client_id", app), ("client_secret", "app-secret"), (name, value)]
        };
        let mut form = with("password", "username", "admin@acme.example").to_vec();
        form.push(("password", "secret"));
        let refresh = served.oauth(&form).await.1["refresh_token"].as_str().unwrap().to_owned();
        let (status, answer) = served.oauth(&with("refresh_token", "refresh_token", &refresh)).await;
        assert_eq!((status, answer.get("refresh_token").is_none()), (200, stays));
        let (status, answer) = served.oauth(&with("refresh_token", "refresh_token", &refresh)).await;
        assert_eq!(status, if stays { 200 } else { 400 }, "{answer}");
    }
}

#[tokio::test]
async fn soap_login() {
    let served = serve().await;
    let body = |password: &str| {
        format!(
            "<env:Envelope><env:Body><n1:login xmlns:n1='urn:partner.soap.sforce.com'><n1:username>admin@acme.example</n1:username><n1:password>{password}</n1:password></n1:login></env:Body></env:Envelope>"
        )
    };
    let login = async |version: &str, password: &str| {
        let url = format!("{}/services/Soap/u/{version}", served.simulator.address);
        let answer =
            served.client.post(url).header("SOAPAction", "login").body(body(password)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, text) = login("59.0", "secretTOKEN").await;
    let session = text.split("<sessionId>").nth(1).unwrap().split('<').next().unwrap();
    let limits = served.send(reqwest::Method::GET, session, &format!("{V}/limits"), None).await;
    assert_eq!((status, limits.status().as_u16()), (200, 200));
    let (status, text) = login("59.0", "wrong").await;
    assert!(status == 500 && text.contains("<sf:exceptionCode>INVALID_LOGIN<"), "{text}");
    let (status, text) = login("65.0", "secret").await;
    assert!(status == 500 && text.contains("UNSUPPORTED_API_VERSION"), "{text}");
}

#[tokio::test]
async fn https_with_an_authority_of_its_own() {
    let directory = directory(&[]);
    let file = directory.path().join("ca.pem");
    let mut options = StartOptions::org(directory.path());
    options.tls = Some(Tls::SelfSigned { names: Vec::new(), authority: Some(file.clone()) });
    let simulator = Simulator::start(options).await.unwrap();
    assert!(simulator.address.starts_with("https://"));
    assert_eq!(simulator.authority.as_deref(), Some(fs::read_to_string(&file).unwrap().as_str()));
    let authority = reqwest::Certificate::from_pem(&fs::read(&file).unwrap()).unwrap();
    let trusting = client().tls_certs_only([authority]).build().unwrap();
    let url = format!("{}/services/data", simulator.address);
    assert_eq!(trusting.get(&url).send().await.unwrap().status(), 200);
    assert!(client().tls_certs_only([]).build().unwrap().get(&url).send().await.is_err());
}

#[tokio::test]
async fn several_orgs_each_with_its_path_and_tokens() {
    let (one, two) = (directory(&[]), directory(&[("org.yaml", &ORG.replace("name: Acme", "name: Bravo"))]));
    let options =
        StartOptions { orgs: vec![one.path().into(), two.path().into()], ..StartOptions::default() };
    let simulator = Simulator::start(options).await.unwrap();
    let client = client().build().unwrap();
    for org in &simulator.orgs {
        let url = format!("{}/services/oauth2/token", org.login_url);
        let form =
            [("grant_type", "client_credentials"), ("client_id", "app"), ("client_secret", "app-secret")];
        let answer: Value = client.post(url).form(&form).send().await.unwrap().json().await.unwrap();
        let token = answer["access_token"].as_str().unwrap();
        let url = format!(
            "{}{V}/query?q=SELECT+Id,Name+FROM+Organization",
            answer["instance_url"].as_str().unwrap()
        );
        let rows: Value = client.get(url).bearer_auth(token).send().await.unwrap().json().await.unwrap();
        assert_eq!(
            (&rows["records"][0]["Id"], &rows["records"][0]["Name"]),
            (&json!(org.id), &json!(org.name))
        );
    }
}

#[tokio::test]
async fn the_log_counts_and_tells_no_secret() {
    let served = serve().await;
    served.query("SELECT Id FROM Account").await;
    served.get(&format!("{V}/limits")).await;
    let log = served.simulator.log();
    assert_eq!((log.count("Token"), log.count("Query"), log.count("Limits")), (1, 1, 1));
    let answer = served.get("/_simulator/requests").await;
    assert!(answer.content_length().is_some_and(|length| length > 0));
    let text = answer.text().await.unwrap();
    assert!(
        text.contains("\"resource\":\"Query\"")
            && !text.contains("app-secret")
            && !text.contains(&served.token)
    );
    served.simulator.end_sessions();
    refused(served.get(&format!("{V}/limits")).await, 401, "INVALID_SESSION_ID").await;
    let token = served.sign_in("admin@acme.example").await;
    let path = format!("{V}/limits");
    assert_eq!(served.send(reqwest::Method::GET, &token, &path, None).await.status(), 200);
    served.simulator.stop().await;
}
