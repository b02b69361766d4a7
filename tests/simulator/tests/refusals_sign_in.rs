//! What the simulator refuses of sign-in and limits, as Salesforce does, by the numbers of the list.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::jwt::{CERTIFICATE, GRANT, assertion, claims, sign, sign_as};
use common::{ORG, Served, refused, serve, serve_with};
use reqwest::Method;
use serde_json::Value;

const V: &str = "/services/data/v62.0";
const ADMIN: &str = "admin@acme.example";
const LOGIN: &str = "https://login.salesforce.com";

async fn oauth_refused(served: &Served, form: &[(&str, &str)], error: &str, description: &str) {
    let (status, body) = served.oauth(form).await;
    assert_eq!(
        (status, body["error"].as_str(), body["error_description"].as_str()),
        (400, Some(error), Some(description)),
        "{body}"
    );
    assert_eq!(body.as_object().unwrap().len(), 2, "OAuth errors are an object of two");
}

#[tokio::test]
async fn refuses_01_a_call_without_a_token() {
    let served = serve().await;
    let url = format!("{}{V}/limits", served.simulator.address);
    let answer = served.client.get(&url).send().await.unwrap();
    assert_eq!(refused(answer, 401, "INVALID_SESSION_ID").await, "Session expired or invalid");
    for header in ["Basic YTpi", "Bearer", "Bearer nonsense", "Negotiate x"] {
        let answer = served.client.get(&url).header("authorization", header).send().await.unwrap();
        refused(answer, 401, "INVALID_SESSION_ID").await;
    }
    let answer =
        served.client.get(&url).header("authorization", format!("OAuth {}", served.token)).send().await;
    assert_eq!(answer.unwrap().status(), 200, "what old clients say");
}

#[tokio::test]
async fn refuses_02_an_expired_session() {
    let org = ORG.replace("name: Acme", "name: Acme\nsessionMinutes: 30");
    let served = serve_with(&[("org.yaml", &org)], &[]).await;
    served.simulator.advance(Duration::from_mins(29));
    assert_eq!(served.get(&format!("{V}/limits")).await.status(), 200);
    served.simulator.advance(Duration::from_mins(29));
    assert_eq!(served.get(&format!("{V}/limits")).await.status(), 200, "a use makes it live on");
    served.simulator.advance(Duration::from_mins(30));
    let message = refused(served.get(&format!("{V}/limits")).await, 401, "INVALID_SESSION_ID").await;
    assert_eq!(message, "Session expired or invalid");
}

#[tokio::test]
async fn refuses_03_a_revoked_token() {
    let served = serve().await;
    assert_eq!(served.get(&format!("{V}/limits")).await.status(), 200);
    let url = format!("{}/services/oauth2/revoke", served.simulator.address);
    let revoke = async |token: &str| {
        let answer = served.client.post(&url).form(&[("token", token)]).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap_or_default())
    };
    assert_eq!(revoke(&served.token).await.0, 200);
    refused(served.get(&format!("{V}/limits")).await, 401, "INVALID_SESSION_ID").await;
    let (status, body) = revoke(&served.token).await;
    assert_eq!((status, body["error"].as_str()), (400, Some("invalid_token")));
    let (status, body) = revoke("nonsense").await;
    assert_eq!((status, body["error"].as_str()), (400, Some("unsupported_token_type")));
}

#[tokio::test]
async fn refuses_03_all_that_came_of_a_revoked_refresh_token() {
    let served = serve().await;
    let refresh = served.simulator.refresh_token("app", ADMIN).unwrap();
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "app"),
        ("client_secret", "app-secret"),
        ("refresh_token", &refresh),
    ];
    let token = served.oauth(&form).await.1["access_token"].as_str().unwrap().to_owned();
    let call = async || served.send(Method::GET, &token, &format!("{V}/limits"), None).await;
    assert_eq!(call().await.status(), 200);
    let url = format!("{}/services/oauth2/revoke?token={refresh}", served.simulator.address);
    assert_eq!(served.client.get(url).send().await.unwrap().status(), 200);
    refused(call().await, 401, "INVALID_SESSION_ID").await;
    oauth_refused(&served, &form, "invalid_grant", "expired access/refresh token").await;
    assert_eq!(served.get(&format!("{V}/limits")).await.status(), 200, "other sessions of the user go on");
}

#[tokio::test]
async fn refuses_04_assertions_that_are_wrong() {
    let served = serve_with(&[("app.crt", CERTIFICATE)], &[]).await;
    let right = assertion(LOGIN, ADMIN, 120);
    let (head, signature) = right.rsplit_once('.').unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[7] ^= 1;
    let forged = format!("{head}.{}", URL_SAFE_NO_PAD.encode(bytes));
    let other_claims = assertion(LOGIN, "blind@acme.example", 120);
    let swapped = format!("{}.{signature}", other_claims.rsplit_once('.').unwrap().0);
    let no_signature = format!("{head}.");
    let unsigned = sign_as(r#"{"alg":"none"}"#, &claims(LOGIN, ADMIN, 120));
    let hmac = sign_as(r#"{"alg":"HS256"}"#, &claims(LOGIN, ADMIN, 120));
    let mut other_app = claims(LOGIN, ADMIN, 120);
    other_app["iss"] = "other".into();
    for (assertion, error, expected) in [
        (forged, "invalid_grant", "invalid assertion"),
        (swapped, "invalid_grant", "invalid assertion"),
        (no_signature, "invalid_grant", "invalid assertion"),
        (unsigned, "invalid_grant", "invalid assertion"),
        (hmac, "invalid_grant", "invalid assertion"),
        ("a.b".to_owned(), "invalid_grant", "invalid assertion"),
        (assertion("https://test.salesforce.com", ADMIN, 120), "invalid_grant", "audience is invalid"),
        (assertion("https://login.salesforce.com.evil", ADMIN, 120), "invalid_grant", "audience is invalid"),
        (assertion(LOGIN, ADMIN, 600), "invalid_grant", "expiration is too far in the future"),
        (assertion(LOGIN, ADMIN, -10), "invalid_grant", "token expired"),
        (assertion(LOGIN, "nobody@acme.example", 120), "invalid_grant", "user hasn't approved this consumer"),
        (sign(&other_app), "invalid_client_id", "client identifier invalid"),
    ] {
        let form = [("grant_type", GRANT), ("assertion", assertion.as_str())];
        oauth_refused(&served, &form, error, expected).await;
    }
    oauth_refused(&served, &[("grant_type", GRANT)], "invalid_grant", "invalid assertion").await;
}

#[tokio::test]
async fn refuses_04_an_assertion_for_another_kind_of_org() {
    let org = ORG.replace("name: Acme", "name: Acme\ntype: Sandbox");
    let served = serve_with(&[("org.yaml", &org), ("app.crt", CERTIFICATE)], &[]).await;
    let wrong = assertion(LOGIN, ADMIN, 120);
    let form = [("grant_type", GRANT), ("assertion", wrong.as_str())];
    oauth_refused(&served, &form, "invalid_grant", "audience is invalid").await;
    let right = assertion("https://test.salesforce.com", ADMIN, 120);
    assert_eq!(served.oauth(&[("grant_type", GRANT), ("assertion", &right)]).await.0, 200);
}

#[tokio::test]
async fn refuses_05_a_user_who_has_not_approved_the_app() {
    let org = ORG.replace("certificate: app.crt", "certificate: app.crt, selfAuthorize: true");
    let org = org.replace(
        "- {clientId: none,",
        "- {clientId: none, flows: [Password], approvedUsers: [blind@acme.example],",
    );
    // the tests' own sign-in is by password, which is not allowed either before there is an approval
    let served = common::serve_unsigned(&[("org.yaml", &org), ("app.crt", CERTIFICATE)]).await;
    let assertion = assertion(LOGIN, ADMIN, 120);
    let form = [("grant_type", GRANT), ("assertion", assertion.as_str())];
    oauth_refused(&served, &form, "invalid_grant", "user hasn't approved this consumer").await;
    assert!(served.simulator.refresh_token("app", "blind@acme.example").is_some());
    oauth_refused(&served, &form, "invalid_grant", "user hasn't approved this consumer").await;
    assert!(served.simulator.refresh_token("app", ADMIN).is_some());
    assert_eq!(served.oauth(&form).await.0, 200);

    let with = |user| {
        let app = [("client_id", "none"), ("client_secret", "app-secret")];
        let who = [("grant_type", "password"), ("username", user), ("password", "secret")];
        [app.to_vec(), who.to_vec()].concat()
    };
    let words = "user is not admin approved to access this app";
    oauth_refused(&served, &with(ADMIN), "invalid_app_access", words).await;
    assert_eq!(served.oauth(&with("blind@acme.example")).await.0, 200);
}

#[tokio::test]
async fn refuses_05_flows_that_the_app_does_not_have() {
    let served = serve().await;
    let app = [("client_id", "none"), ("client_secret", "app-secret")];
    let with = |more: &[(&'static str, &'static str)]| [app.to_vec(), more.to_vec()].concat();
    let form = with(&[("grant_type", "client_credentials")]);
    oauth_refused(&served, &form, "invalid_grant", "no client credentials user enabled").await;
    let form = with(&[("grant_type", "password"), ("username", ADMIN), ("password", "secret")]);
    oauth_refused(&served, &form, "invalid_grant", "authentication failure").await;
}

#[tokio::test]
async fn refuses_06_a_wrong_client_secret() {
    let served = serve().await;
    let refresh = served.simulator.refresh_token("app", ADMIN).unwrap();
    let app = |id: &'static str, secret: &'static str| vec![("client_id", id), ("client_secret", secret)];
    for kind in [
        vec![("grant_type", "client_credentials")],
        vec![("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())],
        vec![("grant_type", "password"), ("username", ADMIN), ("password", "secret")],
        vec![("grant_type", "authorization_code"), ("code", "aPrx")],
    ] {
        let with = |app: Vec<(&'static str, &'static str)>| [kind.clone(), app].concat();
        let words = "invalid client credentials";
        oauth_refused(&served, &with(app("app", "wrong")), "invalid_client", words).await;
        oauth_refused(&served, &with(app("app", "")), "invalid_client", words).await;
        oauth_refused(&served, &with(vec![("client_id", "app")]), "invalid_client", words).await;
        let unknown = with(app("other", "app-secret"));
        oauth_refused(&served, &unknown, "invalid_client_id", "client identifier invalid").await;
    }
    let words = "grant type not supported";
    oauth_refused(&served, &[("grant_type", "magic")], "unsupported_grant_type", words).await;
    oauth_refused(&served, &[], "unsupported_grant_type", words).await;
    let url = format!("{}/services/oauth2/token?grant_type=password", served.simulator.address);
    let answer = served.client.get(url).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.text().await.unwrap().contains("must use HTTP POST")),
        (400, true)
    );
}

#[tokio::test]
async fn refuses_06_a_wrong_password_and_a_user_who_left() {
    let org = ORG.replace("permissions: []}", "permissions: [], active: false}");
    let served = serve_with(&[("org.yaml", &org), ("app.crt", CERTIFICATE)], &[]).await;
    let with = |user: &'static str, password: &'static str| {
        let app = [("client_id", "app"), ("client_secret", "app-secret"), ("grant_type", "password")];
        [app.to_vec(), vec![("username", user), ("password", password)]].concat()
    };
    let words = "authentication failure";
    oauth_refused(&served, &with(ADMIN, "wrong"), "invalid_grant", words).await;
    oauth_refused(&served, &with("nobody@acme.example", "secret"), "invalid_grant", words).await;
    oauth_refused(&served, &with("noapi@acme.example", "secret"), "invalid_grant", words).await;
    let assertion = assertion(LOGIN, "noapi@acme.example", 120);
    let form = [("grant_type", GRANT), ("assertion", assertion.as_str())];
    oauth_refused(&served, &form, "inactive_user", "user is inactive").await;
}

#[tokio::test]
async fn refuses_06_a_user_who_is_locked_out() {
    let served = serve().await;
    let form = |password| {
        let app = [("grant_type", "password"), ("client_id", "app"), ("client_secret", "app-secret")];
        [app.to_vec(), vec![("username", "blind@acme.example"), ("password", password)]].concat()
    };
    for _ in 0..10 {
        assert_eq!(served.oauth(&form("wrong")).await.0, 400);
    }
    oauth_refused(&served, &form("secret"), "invalid_grant", "authentication failure").await;
    served.simulator.advance(Duration::from_mins(15));
    assert_eq!(served.oauth(&form("secret")).await.0, 200);
}

#[tokio::test]
async fn refuses_06_refresh_tokens_that_are_too_old_or_too_many() {
    let org = ORG.replace("certificate: app.crt,", "certificate: app.crt, refreshTokenHours: 2,");
    let served = serve_with(&[("org.yaml", &org)], &[]).await;
    let mut tokens: Vec<String> =
        (0..6).map(|_| served.simulator.refresh_token("app", ADMIN).unwrap()).collect();
    let form = |token| {
        let app = [("grant_type", "refresh_token"), ("client_id", "app"), ("client_secret", "app-secret")];
        [app.to_vec(), vec![("refresh_token", token)]].concat()
    };
    let oldest = tokens.remove(0);
    oauth_refused(&served, &form(&oldest), "invalid_grant", "expired access/refresh token").await;
    for token in &tokens {
        assert_eq!(served.oauth(&form(token)).await.0, 200, "five stay");
    }
    served.simulator.advance(Duration::from_hours(2));
    oauth_refused(&served, &form(&tokens[0]), "invalid_grant", "expired access/refresh token").await;
}

#[tokio::test]
async fn refuses_07_a_retired_version() {
    let served = serve().await;
    refused(served.get("/services/data/v30.0/limits").await, 410, "UNSUPPORTED_API_VERSION").await;
    refused(served.get("/services/data/v99.0/limits").await, 404, "NOT_FOUND").await;
    refused(served.get("/services/data/62.0/limits").await, 404, "NOT_FOUND").await;
    assert_eq!(served.get("/services/data/v31.0/limits").await.status(), 200);
}

#[tokio::test]
async fn refuses_26_calls_above_the_allowance() {
    let served = serve_with(&[("org.yaml", &ORG.replace("100000", "3"))], &[]).await;
    for used in 1..=3 {
        let answer = served.get(&format!("{V}/limits")).await;
        assert_eq!(answer.headers()["sforce-limit-info"], format!("api-usage={used}/3").as_str());
    }
    let answer = served.get(&format!("{V}/limits")).await;
    assert_eq!(answer.headers()["sforce-limit-info"], "api-usage=3/3");
    assert_eq!(refused(answer, 403, "REQUEST_LIMIT_EXCEEDED").await, "TotalRequests Limit exceeded.");
    served.simulator.advance(Duration::from_hours(25));
    let token = served.sign_in(ADMIN).await;
    let answer = served.send(Method::GET, &token, &format!("{V}/limits"), None).await;
    assert_eq!(answer.headers()["sforce-limit-info"], "api-usage=1/3", "a day is a rolling one");
}

#[tokio::test]
async fn refuses_26_query_jobs_above_theirs() {
    let org = ORG.replace("dailyApiRequests: 100000", "dailyBulkV2QueryJobs: 1");
    let served = serve_with(&[("org.yaml", &org)], &[]).await;
    assert_eq!(served.create_job("SELECT Id FROM Account").await.status(), 200);
    let answer = served.create_job("SELECT Id FROM Account").await;
    assert!(answer.status().is_client_error(), "{}", answer.status());
    let limits = served.json(&format!("{V}/limits")).await;
    assert_eq!(limits["DailyBulkV2QueryJobs"], serde_json::json!({"Max": 1, "Remaining": 0}));
}

#[tokio::test]
async fn refuses_27_too_many_long_calls() {
    let org = ORG.replace("dailyApiRequests: 100000", "concurrentLongCalls: 2");
    let served = serve_with(&[("org.yaml", &org)], &[("Account", 200_000)]).await;
    let job = served.complete_job("SELECT Id, Name, Industry, AnnualRevenue, Description FROM Account").await;
    // answers of many megabytes that nobody reads on: the calls stay in flight
    let results = format!("{job}/results");
    let (one, two) = (served.get(&results).await, served.get(&results).await);
    assert_eq!((one.status().as_u16(), two.status().as_u16()), (200, 200));
    assert_eq!(served.get(&format!("{V}/limits")).await.status(), 200, "they are not long yet");
    served.simulator.advance(Duration::from_secs(20));
    let answer = served.get(&format!("{V}/limits")).await;
    let message = refused(answer, 403, "REQUEST_LIMIT_EXCEEDED").await;
    assert_eq!(message, "ConcurrentPerOrgLongTxn Limit exceeded.");
    drop((one, two));
    for _ in 0..100 {
        if served.get(&format!("{V}/limits")).await.status() == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("calls that ended still count");
}

#[tokio::test]
async fn refuses_30_a_user_without_the_api() {
    let served = serve().await;
    let token = served.sign_in("noapi@acme.example").await;
    let answer = served.send(Method::GET, &token, &format!("{V}/limits"), None).await;
    let message = refused(answer, 403, "API_DISABLED_FOR_ORG").await;
    assert_eq!(message, "The REST API is not enabled for this Organization.");
}

#[tokio::test]
async fn refuses_62_soap_login_at_65_and_later() {
    let served = serve().await;
    let body = "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><login xmlns='urn:partner.soap.sforce.com'><username>admin@acme.example</username><password>secret</password></login></e:Body></e:Envelope>";
    for (api, version, works) in
        [("u", "64.0", true), ("c", "64.0", true), ("u", "65.0", false), ("c", "67.0", false)]
    {
        let url = format!("{}/services/Soap/{api}/{version}", served.simulator.address);
        let answer = served.client.post(url).header("SOAPAction", "\"\"").body(body).send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!((status, text.contains("<sessionId>")), (if works { 200 } else { 500 }, works), "{text}");
        if !works {
            let words = format!(
                "INVALID_OPERATION: The SOAP Login operation is not available in the API version specified ({version})."
            );
            assert!(text.contains(&words), "{text}");
        }
    }
}
