//! Every way to sign in, https, several orgs, and the request log.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;

use common::jwt::{CERTIFICATE, GRANT, assertion, claims, sign};
use common::{ORG, client, directory, refused, serve, serve_with};
use orgkeep_simulator::{Simulator, StartOptions, Tls};
use serde_json::{Value, json};

const V: &str = "/services/data/v62.0";
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
async fn assertions_signed_with_the_app_s_key() {
    let served = serve_with(&[("app.crt", CERTIFICATE)], &[]).await;
    let (production, admin) = ("https://login.salesforce.com", "admin@acme.example");
    let own = served.simulator.address.clone();
    let mut quoted = claims(production, admin, 120);
    quoted["exp"] = quoted["exp"].to_string().into();
    // as Salesforce's own CLI has it: in milliseconds, and hardly ahead
    let mut milliseconds = claims(production, admin, 0);
    milliseconds["exp"] = (milliseconds["exp"].as_i64().unwrap() * 1_000 + 300).into();
    for assertion in [
        assertion(production, admin, 120),
        assertion(&format!("{production}/"), admin, 179),
        assertion(&own, "ADMIN@acme.example", 120),
        assertion(&format!("{own}/services/oauth2/token"), admin, 120),
        assertion(production, admin, 299),
        sign(&quoted),
        sign(&milliseconds),
    ] {
        let (status, answer) = served.oauth(&[("grant_type", GRANT), ("assertion", &assertion)]).await;
        assert_eq!(status, 200, "{answer}");
        assert!(answer.get("refresh_token").is_none(), "whoever has the key mints another token");
        let token = answer["access_token"].as_str().unwrap();
        let url = answer["id"].as_str().unwrap();
        let answer = served.client.get(url).bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.json::<Value>().await.unwrap()["username"], admin);
    }
}

#[tokio::test]
async fn refresh_tokens_stay_or_rotate() {
    let served = serve().await;
    for (app, stays) in [("app", true), ("rotating", false)] {
        let refresh = served.simulator.refresh_token(app, "admin@acme.example").unwrap();
        let with = |token: &str| served_form(app, token);
        let (status, answer) = served.oauth(&pairs(&with(&refresh))).await;
        assert_eq!((status, answer.get("refresh_token").is_none()), (200, stays));
        let next = answer["refresh_token"].as_str().unwrap_or(&refresh).to_owned();
        let (status, answer) = served.oauth(&pairs(&with(&refresh))).await;
        assert_eq!(status, if stays { 200 } else { 400 }, "{answer}");
        if !stays {
            assert_eq!(answer["error_description"], "expired access/refresh token");
        }
        let (status, answer) = served.oauth(&pairs(&with(&next))).await;
        assert_eq!(status, 200, "the new one goes on: {answer}");
        assert_eq!(served.oauth(&pairs(&served_form("none", &refresh))).await.0, 400, "another app's");
    }
}

#[tokio::test]
async fn a_rotated_token_that_comes_back_may_end_all() {
    let org = ORG.replace("rotateRefreshTokens: true", "rotateRefreshTokens: true, revokeOnReuse: true");
    let served = serve_with(&[("org.yaml", &org)], &[]).await;
    let first = served.simulator.refresh_token("rotating", "admin@acme.example").unwrap();
    let answer = served.oauth(&pairs(&served_form("rotating", &first))).await.1;
    let (token, second) =
        (answer["access_token"].as_str().unwrap(), answer["refresh_token"].as_str().unwrap());
    assert_eq!(served.oauth(&pairs(&served_form("rotating", &first))).await.0, 400);
    let limits = served.send(reqwest::Method::GET, token, &format!("{V}/limits"), None).await;
    refused(limits, 401, "INVALID_SESSION_ID").await;
    assert_eq!(served.oauth(&pairs(&served_form("rotating", second))).await.0, 400);
}

fn served_form(app: &str, refresh: &str) -> Vec<(String, String)> {
    [
        ("grant_type", "refresh_token"),
        ("client_id", app),
        ("client_secret", "app-secret"),
        ("refresh_token", refresh),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

fn pairs(form: &[(String, String)]) -> Vec<(&str, &str)> {
    form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[tokio::test]
async fn of_many_who_rotate_one_token_one_gets_the_next() {
    let served = serve().await;
    let refresh = served.simulator.refresh_token("rotating", "admin@acme.example").unwrap();
    let form = served_form("rotating", &refresh);
    let tries = (0..32).map(|_| async { served.oauth(&pairs(&form)).await.0 });
    let statuses = futures::future::join_all(tries).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
}

#[tokio::test]
async fn an_org_may_give_the_living_session_again() {
    for (reuse, same) in [("true", true), ("false", false)] {
        let org = ORG.replace("name: Acme", &format!("name: Acme\nreuseSessions: {reuse}"));
        let served = serve_with(&[("org.yaml", &org)], &[]).await;
        let token = async || served.oauth(&CREDENTIALS).await.1["access_token"].as_str().unwrap().to_owned();
        let first = token().await;
        assert_eq!(token().await == first, same);
        served.simulator.end_sessions();
        assert_ne!(token().await, first, "but no dead one");
    }
}

#[tokio::test]
async fn a_user_signs_in_only_so_often_in_an_hour() {
    let org = ORG.replace("dailyApiRequests: 100000", "loginsPerHour: 2");
    let served = serve_with(&[("org.yaml", &org)], &[]).await;
    assert_eq!(served.oauth(&CREDENTIALS).await.0, 200);
    let (status, answer) = served.oauth(&CREDENTIALS).await;
    assert_eq!((status, answer["error"].as_str()), (400, Some("rate_limit_exceeded")));
    served.sign_in("blind@acme.example").await;
    served.simulator.advance(std::time::Duration::from_mins(61));
    assert_eq!(served.oauth(&CREDENTIALS).await.0, 200);
}

#[tokio::test]
async fn a_security_token_may_follow_the_password() {
    let org =
        ORG.replacen("password: secret,", "password: secret, securityToken: KaL9pXw2TqZb7RmN4VcYd8Hs,", 1);
    let served = serve_with(&[("org.yaml", &org)], &[]).await;
    for (user, password, status) in [
        ("admin@acme.example", "secretKaL9pXw2TqZb7RmN4VcYd8Hs", 200),
        ("admin@acme.example", "secretKaL9pXw2TqZb7RmN4VcYd8HX", 400),
        ("admin@acme.example", "secret", 200),
        ("admin@acme.example", "secre", 400),
        ("blind@acme.example", "secretKaL9pXw2TqZb7RmN4VcYd8HX", 200),
        ("blind@acme.example", "secret1", 400),
    ] {
        let form = [
            ("grant_type", "password"),
            ("client_id", "app"),
            ("client_secret", "app-secret"),
            ("username", user),
            ("password", password),
        ];
        assert_eq!(served.oauth(&form).await.0, status, "{user} {password}");
    }
}

#[tokio::test]
async fn user_name_and_password_give_no_refresh_token() {
    let served = serve().await;
    let form = [
        ("grant_type", "password"),
        ("client_id", "app"),
        ("client_secret", "app-secret"),
        ("username", "Admin@Acme.example"),
        ("password", "secretKaL9pXw2TqZb7RmN4VcY"),
    ];
    let (status, answer) = served.oauth(&form).await;
    assert_eq!((status, answer.get("refresh_token")), (200, None));
    let mut keys: Vec<&str> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    // those of the recorded answers are id, issued_at, instance_url, signature and access_token
    let expected = ["access_token", "id", "instance_url", "issued_at", "scope", "signature", "token_type"];
    assert_eq!(keys, expected);
    assert!(answer["issued_at"].as_str().is_some_and(|at| at.parse::<u64>().is_ok()), "a number in quotes");
}

#[tokio::test]
async fn soap_login() {
    let served = serve().await;
    let body = |password: &str| {
        format!(
            "<env:Envelope xmlns:env='http://schemas.xmlsoap.org/soap/envelope/'><env:Body><n1:login xmlns:n1='urn:partner.soap.sforce.com'><n1:username>admin@acme.example</n1:username><n1:password>{password}</n1:password></n1:login></env:Body></env:Envelope>"
        )
    };
    let login = async |version: &str, password: &str| {
        let url = format!("{}/services/Soap/u/{version}", served.simulator.address);
        let answer =
            served.client.post(url).header("SOAPAction", "login").body(body(password)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, text) = login("59.0", "secretKaL9pXw2TqZb7RmN4VcY").await;
    let session = text.split("<sessionId>").nth(1).unwrap().split('<').next().unwrap();
    let limits = served.send(reqwest::Method::GET, session, &format!("{V}/limits"), None).await;
    assert_eq!((status, limits.status().as_u16()), (200, 200));
    let (status, text) = login("59.0", "wrong").await;
    assert!(status == 500 && text.contains("<sf:exceptionCode>INVALID_LOGIN<"), "{text}");
    assert!(text.contains("INVALID_LOGIN: Invalid username, password, security token; or user locked out."));
    for (version, code) in
        [("65.0", "INVALID_OPERATION"), ("30.0", "UNSUPPORTED_API_VERSION"), ("x", "UNSUPPORTED_API_VERSION")]
    {
        let (status, text) = login(version, "secret").await;
        assert!(status == 500 && text.contains(&format!("<faultcode>sf:{code}</faultcode>")), "{text}");
    }
    let call = async |operation: &str| {
        let body = format!(
            "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Header><SessionHeader><sessionId>{session}</sessionId></SessionHeader></e:Header><e:Body><{operation} xmlns='urn:partner.soap.sforce.com'/></e:Body></e:Envelope>"
        );
        let url = format!("{}/services/Soap/u/59.0/00D", served.simulator.address);
        let answer = served.client.post(url).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, text) = call("getUserInfo").await;
    assert!(status == 200 && text.contains("<userName>admin@acme.example</userName>"), "{text}");
    assert_eq!(call("logout").await.0, 200);
    let (status, text) = call("getUserInfo").await;
    assert!(status == 500 && text.contains("<faultcode>sf:INVALID_SESSION_ID</faultcode>"), "{text}");
}

#[tokio::test]
async fn soap_login_that_nobody_allowed() {
    let served =
        serve_with(&[("org.yaml", &ORG.replace("name: Acme", "name: Acme\nsoapLogin: false"))], &[]).await;
    let body = "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><login><username>admin@acme.example</username><password>secret</password></login></e:Body></e:Envelope>";
    let url = format!("{}/services/Soap/u/59.0", served.simulator.address);
    let text = served.client.post(url).body(body).send().await.unwrap().text().await.unwrap();
    assert!(
        text.contains("INVALID_OPERATION: SOAP API login() is disabled by default in this org."),
        "{text}"
    );
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

/// Two orgs, a production one and its sandbox, that know the same app.
async fn two_orgs() -> (Simulator, [tempfile::TempDir; 2]) {
    let bravo = ORG
        .replace("name: Acme", "name: Bravo\ntype: Sandbox\nmyDomain: bravo--uat")
        .replace("noapi@acme.example", "only@bravo.example");
    let directories = [directory(&[]), directory(&[("org.yaml", &bravo)])];
    let orgs = directories.iter().map(|directory| directory.path().into()).collect();
    let simulator = Simulator::start(StartOptions { orgs, ..StartOptions::default() }).await.unwrap();
    (simulator, directories)
}

const CREDENTIALS: [(&str, &str); 3] =
    [("grant_type", "client_credentials"), ("client_id", "app"), ("client_secret", "app-secret")];

#[tokio::test]
async fn several_orgs_each_with_its_path_and_tokens() {
    let (simulator, _directories) = two_orgs().await;
    let client = client().build().unwrap();
    let mut tokens = Vec::new();
    for org in &simulator.orgs {
        let url = format!("{}/services/oauth2/token", org.login_url);
        let answer: Value = client.post(url).form(&CREDENTIALS).send().await.unwrap().json().await.unwrap();
        let token = answer["access_token"].as_str().unwrap().to_owned();
        let url = format!(
            "{}{V}/query?q=SELECT+Id,Name+FROM+Organization",
            answer["instance_url"].as_str().unwrap()
        );
        let rows: Value = client.get(url).bearer_auth(&token).send().await.unwrap().json().await.unwrap();
        assert_eq!(
            (&rows["records"][0]["Id"], &rows["records"][0]["Name"]),
            (&json!(org.id), &json!(org.name))
        );
        tokens.push(token);
    }
    for (at, org) in simulator.orgs.iter().enumerate() {
        let path = format!("{}/o/{}{V}/limits", simulator.address, org.id);
        let own = client.get(&path).bearer_auth(&tokens[at]).send().await.unwrap();
        assert_eq!(own.status(), 200);
        let other = client.get(&path).bearer_auth(&tokens[1 - at]).send().await.unwrap();
        refused(other, 401, "INVALID_SESSION_ID").await;
        let url = format!("{}/id/{}/0055g0000000001AAA", simulator.address, org.id);
        let answer = client.get(url).bearer_auth(&tokens[1 - at]).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (403, "Wrong_Org"));
    }
    // a user whom only one org knows is found without the path
    let form = [
        ("grant_type", "password"),
        ("client_id", "app"),
        ("client_secret", "app-secret"),
        ("username", "only@bravo.example"),
        ("password", "secret"),
    ];
    let url = format!("{}/services/oauth2/token", simulator.address);
    let answer: Value = client.post(url).form(&form).send().await.unwrap().json().await.unwrap();
    assert!(answer["id"].as_str().unwrap().contains(&simulator.orgs[1].id), "{answer}");
}

#[tokio::test]
async fn the_hosts_of_salesforce() {
    let (simulator, _directories) = two_orgs().await;
    let address = simulator.address.trim_start_matches("http://").parse().unwrap();
    let mut client = client();
    let hosts = ["login", "test", "acme.my", "bravo--uat.sandbox.my", "nobody.my"];
    for host in hosts {
        client = client.resolve(&format!("{host}.salesforce.com"), address);
    }
    let client = client.build().unwrap();
    let port = simulator.address.rsplit(':').next().unwrap();
    let sign_in = async |host: &str, form: &[(&str, &str)]| {
        let url = format!("http://{host}.salesforce.com:{port}/services/oauth2/token");
        client.post(url).form(form).send().await.unwrap().json::<Value>().await.unwrap()
    };
    for (host, number) in [("acme.my", 0), ("bravo--uat.sandbox.my", 1)] {
        let answer = sign_in(host, &CREDENTIALS).await;
        assert_eq!(answer["instance_url"], format!("http://{host}.salesforce.com:{port}"));
        let login = ["login", "test"][number];
        let id = answer["id"].as_str().unwrap();
        assert!(id.starts_with(&format!("http://{login}.salesforce.com:{port}/id/00D")), "{id}");
        let token = answer["access_token"].as_str().unwrap();
        assert_eq!(client.get(id).bearer_auth(token).send().await.unwrap().status(), 200);
        for (other, status) in [("acme.my", 200), ("bravo--uat.sandbox.my", 401)] {
            let url = format!("http://{other}.salesforce.com:{port}{V}/limits");
            let found = client.get(url).bearer_auth(token).send().await.unwrap().status();
            let own = (status == 200) == (number == 0);
            assert_eq!(found.as_u16(), if own { 200 } else { 401 }, "{other}");
        }
    }
    for host in ["login", "test"] {
        let answer = sign_in(host, &CREDENTIALS).await;
        assert_eq!(answer["error_description"], "request not supported on this domain");
    }
    let form = [
        ("grant_type", "password"),
        ("client_id", "app"),
        ("client_secret", "app-secret"),
        ("username", "blind@acme.example"),
        ("password", "secret"),
    ];
    for (host, own) in [("login", "acme.my"), ("test", "bravo--uat.sandbox.my")] {
        let answer = sign_in(host, &form).await;
        assert_eq!(answer["instance_url"], format!("http://{own}.salesforce.com:{port}"), "{answer}");
    }
    assert_eq!(sign_in("nobody.my", &CREDENTIALS).await["error"], "invalid_client_id");
}

#[tokio::test]
async fn who_am_i() {
    let served = serve().await;
    let answer = served.get("/services/oauth2/userinfo").await;
    let info: Value = answer.json().await.unwrap();
    assert_eq!(
        (info["preferred_username"].as_str(), info["user_type"].as_str()),
        (Some("admin@acme.example"), Some("STANDARD"))
    );
    let rest = info["urls"]["rest"].as_str().unwrap();
    assert_eq!(rest, format!("{}/services/data/v{{version}}/", served.simulator.address));
    let id = info["sub"].as_str().unwrap();
    let identity = async |url: &str| {
        let answer = served.client.get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, text) = identity(&format!("{id}?version=latest&oauth_token={}", served.token)).await;
    assert!(status == 200 && text.contains("/services/data/v67.0/"), "{text}");
    assert_eq!(identity(id).await, (403, "Missing_OAuth_Token".to_owned()));
    assert_eq!(identity(&format!("{id}?oauth_token=x")).await, (403, "Bad_OAuth_Token".to_owned()));
    let unknown =
        format!("{}000000000000001?oauth_token={}", id.trim_end_matches(|c| c != '/'), served.token);
    assert_eq!(identity(&unknown).await, (404, "Bad_Id".to_owned()));
    let log = served.get("/_simulator/requests").await.text().await.unwrap();
    assert!(!log.contains(&served.token), "nor does the log tell a token that came as a parameter");
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
