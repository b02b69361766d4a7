//! What an administrator changes while the org runs: permissions, what is hidden, who may sign in, sessions.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{ORG, Served, refused, serve, serve_with};
use reqwest::Method;
use serde_json::{Value, json};

const V: &str = "/services/data/v62.0";
const BLIND: &str = "blind@acme.example";

async fn change(served: &Served, user: &str, change: Value) -> reqwest::Response {
    let url = format!("{}/_simulator/users/{user}", served.simulator.address);
    served.client.patch(url).json(&change).send().await.unwrap()
}

#[tokio::test]
async fn what_is_hidden_and_shown_again() {
    let served = serve().await;
    let token = served.sign_in(BLIND).await;
    let query = async |soql: &str| served.query_as(&token, soql).await;
    refused(query("SELECT Secret__c FROM Account").await, 400, "INVALID_FIELD").await;
    refused(query("SELECT Id FROM Contact").await, 400, "INVALID_TYPE").await;
    let wish = json!({"hiddenFields": ["Account.Industry"], "hiddenObjects": []});
    assert_eq!(change(&served, BLIND, wish).await.status(), 200);
    assert_eq!(query("SELECT Secret__c FROM Account").await.status(), 200);
    assert_eq!(query("SELECT Id FROM Contact").await.status(), 200);
    refused(query("SELECT Industry FROM Account").await, 400, "INVALID_FIELD").await;
    let describe = served.send(Method::GET, &token, &format!("{V}/sobjects/Account/describe"), None).await;
    assert!(!describe.text().await.unwrap().contains("\"Industry\""));
    assert_eq!(
        served.query("SELECT Industry FROM Account").await.status(),
        200,
        "for others nothing changed"
    );
    for wish in [
        json!({"hiddenFields": ["Account.Nothing"]}),
        json!({"hiddenObjects": ["Nothing"]}),
        json!({"rights": 1}),
    ] {
        assert_eq!(change(&served, BLIND, wish).await.status(), 400);
    }
    assert_eq!(change(&served, "nobody", json!({})).await.status(), 404);
}

#[tokio::test]
async fn permissions_come_and_go() {
    let served = serve().await;
    let token = served.sign_in("noapi@acme.example").await;
    let limits = async || served.send(Method::GET, &token, &format!("{V}/limits"), None).await;
    refused(limits().await, 403, "API_DISABLED_FOR_ORG").await;
    let wish = json!({"permissions": ["ApiEnabled", "ViewAllData"]});
    assert_eq!(change(&served, "noapi@acme.example", wish).await.status(), 200);
    assert_eq!(limits().await.status(), 200);
    let soql = "SELECT PermissionsApiEnabled, PermissionsViewAllData, PermissionsModifyAllData FROM UserPermissionAccess";
    let rows: Value = served.query_as(&token, soql).await.json().await.unwrap();
    let row = &rows["records"][0];
    assert_eq!(
        (&row["PermissionsApiEnabled"], &row["PermissionsModifyAllData"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(change(&served, "noapi@acme.example", json!({"permissions": []})).await.status(), 200);
    refused(limits().await, 403, "API_DISABLED_FOR_ORG").await;
}

#[tokio::test]
async fn a_user_who_leaves_is_out_at_once() {
    let served = serve().await;
    let refresh = served.simulator.refresh_token("app", BLIND).unwrap();
    let token = served.sign_in(BLIND).await;
    assert_eq!(change(&served, BLIND, json!({"active": false})).await.status(), 200);
    let limits = served.send(Method::GET, &token, &format!("{V}/limits"), None).await;
    refused(limits, 401, "INVALID_SESSION_ID").await;
    let app = [("client_id", "app"), ("client_secret", "app-secret")];
    let form = [app[0], app[1], ("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    assert_eq!(served.oauth(&form).await.1["error"], "inactive_user");
    let rows: Value =
        served.query("SELECT Username FROM User WHERE IsActive = false").await.json().await.unwrap();
    assert_eq!(rows["records"][0]["Username"], BLIND);
    assert_eq!(change(&served, BLIND, json!({"active": true, "password": "another"})).await.status(), 200);
    assert_eq!(served.oauth(&form).await.0, 200);
    let form = [app[0], app[1], ("grant_type", "password"), ("username", BLIND), ("password", "another")];
    assert_eq!(served.oauth(&form).await.0, 200);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one() {
    let served = serve().await;
    let other = served.sign_in("admin@acme.example").await;
    let blind = served.sign_in(BLIND).await;
    let list: Value = served.json("/_simulator/sessions").await;
    let sessions = list["sessions"].as_array().unwrap();
    assert_eq!((sessions.len(), sessions[2]["user"].as_str()), (3, Some(BLIND)));
    assert!(!list.to_string().contains(&other), "no tokens");
    let limits = async |token: &str| {
        served.send(Method::GET, token, &format!("{V}/limits"), None).await.status().as_u16()
    };
    let path = format!("/_simulator/sessions/{}", sessions[1]["id"]);
    assert_eq!(served.send(Method::DELETE, "", &path, None).await.status(), 204);
    assert_eq!(served.send(Method::DELETE, "", &path, None).await.status(), 404);
    assert_eq!((limits(&served.token).await, limits(&other).await, limits(&blind).await), (200, 401, 200));
    let body = Some(json!({"user": BLIND}));
    assert_eq!(served.send(Method::POST, "", "/_simulator/sessions/end", body).await.status(), 204);
    assert_eq!((limits(&served.token).await, limits(&blind).await), (200, 401));
    assert_eq!(served.send(Method::POST, "", "/_simulator/sessions/end", None).await.status(), 204);
    assert_eq!(limits(&served.token).await, 401);
}

#[tokio::test]
async fn the_clock_goes_ahead() {
    let org = ORG.replace("name: Acme", "name: Acme\nsessionMinutes: 0.5");
    let served = serve_with(&[("org.yaml", &org)], &[]).await;
    assert_eq!(served.get(&format!("{V}/limits")).await.status(), 200);
    let body = Some(json!({"advanceSeconds": 31}));
    let clock = served.send(Method::POST, "", "/_simulator/clock", body).await;
    assert!(clock.json::<Value>().await.unwrap()["now"].is_string());
    refused(served.get(&format!("{V}/limits")).await, 401, "INVALID_SESSION_ID").await;
    let body = Some(json!({"advanceSeconds": -1}));
    assert_eq!(served.send(Method::POST, "", "/_simulator/clock", body).await.status(), 400);
}

#[tokio::test]
async fn an_approval_without_a_browser() {
    let served = serve().await;
    let body = Some(json!({"clientId": "app", "user": BLIND}));
    let answer = served.send(Method::POST, "", "/_simulator/refresh-tokens", body).await;
    let token = answer.json::<Value>().await.unwrap()["refreshToken"].as_str().unwrap().to_owned();
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "app"),
        ("client_secret", "app-secret"),
        ("refresh_token", &token),
    ];
    assert_eq!(served.oauth(&form).await.0, 200);
    let body = Some(json!({"clientId": "none", "user": BLIND}));
    assert_eq!(served.send(Method::POST, "", "/_simulator/refresh-tokens", body).await.status(), 400);
}
