//! The web-server flow with its page, codes and PKCE, and the device flow.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::HashMap;
use std::time::Duration;

use common::{ORG, Served, client, serve, serve_with};
use reqwest::{Client, redirect};
use serde_json::Value;
use url::Url;

const BACK: &str = "http://localhost:1717/OauthRedirect";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const ADMIN: [(&str, &str); 3] = [("username", "admin@acme.example"), ("pw", "secret"), ("allow", "1")];

/// A browser that shows where it is led to.
fn browser() -> Client {
    client().redirect(redirect::Policy::none()).build().unwrap()
}

fn authorize(served: &Served, more: &[(&str, &str)]) -> Url {
    let mut all: Vec<(&str, &str)> =
        vec![("response_type", "code"), ("client_id", "app"), ("redirect_uri", BACK), ("state", "s 1&2")];
    for (name, value) in more {
        all.retain(|(known, _)| known != name);
        all.push((name, value));
    }
    all.retain(|(_, value)| !value.is_empty());
    let base = format!("{}/services/oauth2/authorize", served.simulator.address);
    Url::parse_with_params(&base, all).unwrap()
}

/// Sends the page's form; the parameters that the app is led back with.
async fn submit(url: Url, form: &[(&str, &str)]) -> HashMap<String, String> {
    let answer = browser().post(url).form(form).send().await.unwrap();
    assert_eq!(answer.status(), 302);
    led_to(answer.headers()["location"].to_str().unwrap())
}

fn led_to(location: &str) -> HashMap<String, String> {
    assert!(location.starts_with(&format!("{BACK}?")), "{location}");
    Url::parse(location).unwrap().query_pairs().into_owned().collect()
}

async fn code(served: &Served, more: &[(&str, &str)]) -> String {
    let led = submit(authorize(served, more), &ADMIN).await;
    assert_eq!(led["state"], "s 1&2");
    led["code"].clone()
}

async fn exchange(served: &Served, code: &str, more: &[(&str, &str)]) -> (u16, Value) {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("client_id", "app"),
        ("client_secret", "app-secret"),
        ("redirect_uri", BACK),
        ("code", code),
    ];
    for (name, value) in more {
        form.retain(|(known, _)| known != name);
        form.push((name, value));
    }
    served.oauth(&form).await
}

const PKCE: [(&str, &str); 2] = [("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];

#[tokio::test]
async fn a_user_signs_in_and_allows_the_app() {
    let served = serve().await;
    let url = authorize(&served, &[("login_hint", "a\"<b>")]);
    let page = browser().get(url).send().await.unwrap();
    assert_eq!(
        (page.status().as_u16(), page.headers()["content-type"].to_str().unwrap()),
        (200, "text/html;charset=UTF-8")
    );
    let text = page.text().await.unwrap();
    assert!(text.contains("type=\"password\"") && text.contains("a&quot;&lt;b&gt;"), "{text}");

    let code = code(&served, &PKCE).await;
    let (status, answer) = exchange(&served, &code, &[("code_verifier", VERIFIER)]).await;
    assert_eq!((status, answer["scope"].as_str()), (200, Some("api refresh_token id")), "{answer}");
    let refresh = answer["refresh_token"].as_str().unwrap();
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "app"),
        ("client_secret", "app-secret"),
        ("refresh_token", refresh),
    ];
    let (status, again) = served.oauth(&form).await;
    assert_eq!((status, again.get("refresh_token"), &again["id"]), (200, None, &answer["id"]));
    assert_ne!(again["access_token"], answer["access_token"]);
}

#[tokio::test]
async fn a_code_works_once_for_a_quarter_of_an_hour_and_with_its_own_address_and_verifier() {
    let served = serve().await;
    let words = |(status, answer): (u16, Value)| {
        assert_eq!(status, 400, "{answer}");
        answer["error_description"].as_str().unwrap().to_owned()
    };
    let verifier = [("code_verifier", VERIFIER)];
    let once = code(&served, &PKCE).await;
    assert_eq!(exchange(&served, &once, &verifier).await.0, 200);
    assert_eq!(words(exchange(&served, &once, &verifier).await), "expired authorization code");
    let old = code(&served, &PKCE).await;
    served.simulator.advance(Duration::from_mins(15));
    assert_eq!(words(exchange(&served, &old, &verifier).await), "expired authorization code");
    assert_eq!(words(exchange(&served, "aPrxNothing", &verifier).await), "invalid authorization code");
    for (challenge, more, expected) in [
        (&PKCE[..], &[("code_verifier", "another")][..], "invalid code verifier"),
        (&PKCE, &[("code_verifier", CHALLENGE)], "invalid code verifier"),
        (&PKCE, &[], "invalid code verifier"),
        (&[], &[("code_verifier", VERIFIER)], "unexpected code verifier"),
        (&[], &[("redirect_uri", "http://localhost:1717/other")], "redirect_uri must match configuration"),
    ] {
        let code = code(&served, challenge).await;
        assert_eq!(words(exchange(&served, &code, more).await), expected);
        assert_eq!(
            words(exchange(&served, &code, &verifier).await),
            "expired authorization code",
            "a try uses it up"
        );
    }
    let code = code(&served, &[]).await;
    let other = [("client_id", "rotating")];
    assert_eq!(words(exchange(&served, &code, &other).await), "invalid authorization code");
}

#[tokio::test]
async fn what_the_app_and_what_only_the_user_is_told() {
    let served = serve().await;
    for (more, shown) in [
        ([("client_id", "other")], "error=invalid_client_id&amp;error_description=client identifier invalid"),
        ([("redirect_uri", "http://evil.example/")], "redirect_uri must match configuration"),
        (
            [("redirect_uri", "http://localhost:1717/OauthRedirect/x")],
            "redirect_uri must match configuration",
        ),
        ([("redirect_uri", "")], "error=redirect_uri_missing"),
    ] {
        let answer = browser().get(authorize(&served, &more)).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers().get("location")), (400, None));
        let text = answer.text().await.unwrap();
        assert!(text.contains(shown), "{text}");
    }
    for (more, error) in [
        ([("response_type", "token")], "unsupported_response_type"),
        ([("scope", "api full")], "invalid_scope"),
        ([("code_challenge_method", "plain")], "invalid_request"),
    ] {
        let answer = browser().get(authorize(&served, &more)).send().await.unwrap();
        let led = led_to(answer.headers()["location"].to_str().unwrap());
        assert_eq!((led["error"].as_str(), led["state"].as_str()), (error, "s 1&2"));
    }
    let led = submit(authorize(&served, &[]), &[("deny", "1")]).await;
    assert_eq!(
        (led["error"].as_str(), led["error_description"].as_str()),
        ("access_denied", "end-user denied authorization")
    );
    let wrong = [("username", "admin@acme.example"), ("password", "wrong"), ("allow", "1")];
    let answer = browser().post(authorize(&served, &[])).form(&wrong).send().await.unwrap();
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    assert!(status == 200 && text.contains("Please check your username and password"), "{text}");
}

#[tokio::test]
async fn an_app_may_insist_on_pkce_and_do_without_secret() {
    let org = ORG
        .replace("certificate: app.crt,", "certificate: app.crt, requirePkce: true, requireSecret: false,");
    let served = serve_with(&[("org.yaml", &org)], &[]).await;
    let answer = browser().get(authorize(&served, &[])).send().await.unwrap();
    let led = led_to(answer.headers()["location"].to_str().unwrap());
    assert_eq!(led["error_description"], "missing required code challenge");
    let code = code(&served, &[PKCE[0], PKCE[1], ("scope", "api")]).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "app"),
        ("redirect_uri", BACK),
        ("code", code.as_str()),
        ("code_verifier", VERIFIER),
    ];
    let (status, answer) = served.oauth(&form).await;
    assert_eq!((status, answer.get("refresh_token")), (200, None), "it did not ask for one");
}

#[tokio::test]
async fn a_device_waits_for_its_user() {
    let served = serve().await;
    let (status, begun) = served
        .oauth(&[("response_type", "device_code"), ("client_id", "app"), ("scope", "api refresh_token")])
        .await;
    assert_eq!((status, begun["interval"].as_u64()), (200, Some(5)));
    let device = begun["device_code"].as_str().unwrap();
    let poll = async || {
        let form = [
            ("grant_type", "device"),
            ("client_id", "app"),
            ("client_secret", "app-secret"),
            ("code", device),
        ];
        served.oauth(&form).await
    };
    assert_eq!(poll().await.1["error"], "authorization_pending");
    assert_eq!(poll().await.1["error"], "slow_down");
    served.simulator.advance(Duration::from_secs(5));
    assert_eq!(poll().await.1["error"], "authorization_pending");
    let page = begun["verification_uri"].as_str().unwrap();
    assert_eq!(browser().get(page).send().await.unwrap().status(), 200);
    let code = begun["user_code"].as_str().unwrap();
    let typed = async |code: &str| {
        let form = [("user_code", code), ADMIN[0], ADMIN[1], ADMIN[2]];
        browser().post(page).form(&form).send().await.unwrap().text().await.unwrap()
    };
    assert!(typed("WRONG123").await.contains("This code is not valid."));
    assert!(typed(&code.to_lowercase()).await.contains("Connected"));
    let (status, answer) = poll().await;
    assert_eq!((status, answer["refresh_token"].is_string()), (200, true), "{answer}");
    assert_eq!(poll().await.1["error"], "invalid_grant");
}
