//! Sign-in called with fields put together at random: always an answer in OAuth's form, never a token for nothing, and
//! never a secret.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::jwt::{CERTIFICATE, GRANT, assertion};
use common::{Served, client, serve_with};
use reqwest::redirect;
use serde_json::Value;

const CALLS: usize = 1_500;

/// Numbers that are the same in every run (Knuth's MMIX generator).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

const FIELDS: [&str; 18] = [
    "grant_type",
    "client_id",
    "client_secret",
    "username",
    "password",
    "pw",
    "refresh_token",
    "code",
    "redirect_uri",
    "code_verifier",
    "code_challenge",
    "response_type",
    "scope",
    "state",
    "token",
    "assertion",
    "user_code",
    "deny",
];
const PATHS: [&str; 8] = [
    "services/oauth2/token",
    "services/oauth2/token",
    "services/oauth2/token",
    "services/oauth2/authorize",
    "services/oauth2/revoke",
    "services/oauth2/userinfo",
    "setup/connect",
    "id/00D000000000001AAA/005000000000001AAA",
];

/// Values that make sense somewhere, and some that do nowhere.
fn values<'a>(refresh: &'a str, assertion: &'a str) -> Vec<&'a str> {
    vec![
        "authorization_code",
        "client_credentials",
        "device",
        "password",
        "refresh_token",
        GRANT,
        "app",
        "rotating",
        "none",
        "wrong",
        "admin@acme.example",
        "blind@acme.example",
        "secre",
        "code",
        "device_code",
        "api",
        "full",
        "http://localhost:1717/OauthRedirect",
        "javascript:alert(1)",
        "\u{0}\r\n<script>",
        "ä€😀",
        "",
        "00D000000000001!x",
        "5Aep861x",
        refresh,
        assertion,
    ]
}

/// Forms that lack only what is secret.
const NEARLY_RIGHT: [&[(&str, &str)]; 8] = [
    &[("grant_type", "client_credentials"), ("client_id", "app"), ("client_secret", "app-secreT")],
    &[
        ("grant_type", "password"),
        ("client_id", "app"),
        ("username", "admin@acme.example"),
        ("password", "secre"),
    ],
    &[("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", "5Aep861x")],
    &[("grant_type", "authorization_code"), ("client_id", "app"), ("code", "aPrxx"), ("redirect_uri", BACK)],
    &[("grant_type", "device"), ("client_id", "app"), ("code", "x")],
    &[("response_type", "device_code"), ("client_id", "app"), ("scope", "api")],
    &[
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", BACK),
        ("state", "s"),
        ("code_challenge", "x"),
    ],
    &[("user_code", "ABCD1234"), ("username", "admin@acme.example"), ("pw", "secre")],
];
const BACK: &str = "http://localhost:1717/OauthRedirect";

/// Such a form, or none, with a few fields changed.
fn form<'a>(dice: &mut Dice, values: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    let mut form = match dice.roll(4) {
        0 => Vec::new(),
        _ => NEARLY_RIGHT[dice.roll(NEARLY_RIGHT.len())].to_vec(),
    };
    for _ in 0..dice.roll(4) {
        let field = (dice.pick(&FIELDS), dice.pick(values));
        form.retain(|(name, _)| *name != field.0);
        form.insert(dice.roll(form.len() + 1), field);
    }
    form
}

#[tokio::test]
async fn has_an_answer_for_everything_and_a_token_for_nothing() {
    let served = serve_with(&[("app.crt", CERTIFICATE)], &[]).await;
    let refresh = served.simulator.refresh_token("app", "admin@acme.example").unwrap();
    let assertion = assertion("https://test.salesforce.com", "admin@acme.example", 120);
    let values = values(&refresh, &assertion);
    let browser = client().redirect(redirect::Policy::none()).build().unwrap();
    let mut dice = Dice(7);
    for call in 0..CALLS {
        let (fields, query) = (form(&mut dice, &values), form(&mut dice, &values));
        let path = dice.pick(&PATHS);
        let url = format!("{}/{path}", served.simulator.address);
        let url =
            if dice.roll(2) == 0 { url::Url::parse(&url) } else { url::Url::parse_with_params(&url, &query) };
        let request = match dice.roll(4) {
            0 => browser.get(url.unwrap()),
            _ => browser.post(url.unwrap()).form(&fields),
        };
        let answer = request.send().await.unwrap();
        let (status, kind) = (answer.status().as_u16(), answer.headers().get("content-type").cloned());
        let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        let text = answer.text().await.unwrap();
        let told = format!("call {call}: {path} {fields:?} {query:?}: {status} {location:?} {text}");
        assert!(matches!(status, 200 | 302 | 400 | 403 | 404), "{told}");
        assert!(!told_of_secret(&text), "{told}");
        assert!(!text.contains("<script>"), "{told}");
        if let Some(location) = location {
            assert!(location.starts_with("http://localhost:1717/OauthRedirect?"), "{told}");
            assert!(!location.contains("code=aPrx"), "there is no right password among the values: {told}");
        }
        if path.ends_with("/token") {
            assert!(kind.unwrap().to_str().unwrap().starts_with("application/json"), "{told}");
            let body: Value = serde_json::from_str(&text).unwrap();
            let keys: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
            let begun = keys == ["device_code", "user_code", "verification_uri", "interval"];
            assert!(begun || (status == 400 && keys == ["error", "error_description"]), "{told}");
        }
    }
    still_well(&served).await;
}

/// The secrets and the password of the org.
fn told_of_secret(text: &str) -> bool {
    text.contains("app-secret") || text.contains("\"secret\"")
}

async fn still_well(served: &Served) {
    let log = served.get("/_simulator/requests").await.text().await.unwrap();
    assert!(!log.contains("5Aep861"), "the log tells no token");
    assert_eq!(served.get("/services/data/v62.0/limits").await.status(), 200);
}
