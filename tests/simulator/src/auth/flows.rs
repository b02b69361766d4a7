//! The token endpoint.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use ring::hmac;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::jwt::Assertion;
use super::sessions::{Caller, Grant};
use crate::org::{ConnectedApp, Flow, OrgType, User};
use crate::server::{OrgState, State};
use crate::value::calendar::now_ms;
use crate::web::{Answer, Request};

/// How far ahead an assertion may end.
const MOST_AHEAD_SECONDS: i64 = 180;

/// A refusal: OAuth's error and its description.
struct Refused(&'static str, &'static str);

const AUTHENTICATION: Refused = Refused("invalid_grant", "authentication failure");
const UNKNOWN_APP: Refused = Refused("invalid_client_id", "client identifier invalid");
const WRONG_SECRET: Refused = Refused("invalid_client", "invalid client credentials");
const NOT_APPROVED: Refused = Refused("invalid_grant", "user hasn't approved this consumer");
const INACTIVE: Refused = Refused("inactive_user", "user is inactive");
const BAD_ASSERTION: Refused = Refused("invalid_grant", "invalid assertion");

/// A sign-in that was granted.
struct Granted<'a> {
    org: &'a OrgState,
    app: &'a ConnectedApp,
    user: usize,
    refresh: Option<String>,
}

/// `POST /services/oauth2/token`.
pub(crate) fn token(state: &State, request: &Request, at: Option<usize>) -> (Option<usize>, Answer) {
    let form = Form::read(request);
    match grant(state, request, &form, at) {
        Ok(granted) => (Some(granted.org.number), answer(state, request, granted)),
        Err(Refused(error, description)) => {
            let body = json!({"error": error, "error_description": description});
            (at, Answer::json(StatusCode::BAD_REQUEST, &body).with("cache-control", "no-store"))
        }
    }
}

/// `POST /services/oauth2/revoke`.
pub(crate) fn revoke(state: &State, request: &Request) -> Answer {
    if Form::read(request).get("token").is_some_and(|token| state.sessions.revoke(token)) {
        return Answer::empty(StatusCode::OK);
    }
    let body =
        json!({"error": "unsupported_token_type", "error_description": "this token type is not supported"});
    Answer::json(StatusCode::BAD_REQUEST, &body)
}

fn grant<'a>(
    state: &'a State,
    request: &Request,
    form: &Form,
    at: Option<usize>,
) -> Result<Granted<'a>, Refused> {
    match form.get("grant_type").unwrap_or_default() {
        "client_credentials" => {
            let (org, app) = app_with_secret(state, form, at, true)?;
            allows(
                app,
                Flow::ClientCredentials,
                Refused("invalid_grant", "no client credentials user enabled"),
            )?;
            let user = app.run_as.as_deref().and_then(|name| user_number(org, name));
            let user = user.ok_or(Refused("invalid_grant", "no client credentials user enabled"))?;
            active(org, user)?;
            Ok(Granted { org, app, user, refresh: None })
        }
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => bearer(state, request, form, at),
        "refresh_token" => {
            let (org, app) = app_with_secret(state, form, at, false)?;
            let expired = || Refused("invalid_grant", "expired access/refresh token");
            let token = form.get("refresh_token").ok_or_else(expired)?;
            let known = state
                .sessions
                .granted(token)
                .filter(|grant| grant.client_id == app.client_id && grant.caller.org == org.number);
            let known = known.ok_or_else(expired)?;
            active(org, known.caller.user)?;
            let refresh = app.rotate_refresh_tokens.then(|| {
                state.sessions.revoke(token);
                state.sessions.grant(known.clone())
            });
            Ok(Granted { org, app, user: known.caller.user, refresh })
        }
        "password" => {
            let (org, app) = app_with_secret(state, form, at, true)?;
            allows(app, Flow::Password, AUTHENTICATION)?;
            let user = with_password(org, form.get("username"), form.get("password"))?;
            let caller = Caller { org: org.number, user };
            // Salesforce gives none for this flow; here it is how a test comes by one without a browser
            let refresh = app.flows.contains(&Flow::RefreshToken);
            let refresh =
                refresh.then(|| state.sessions.grant(Grant { caller, client_id: app.client_id.clone() }));
            Ok(Granted { org, app, user, refresh })
        }
        _ => Err(Refused("unsupported_grant_type", "grant type not supported")),
    }
}

fn bearer<'a>(
    state: &'a State,
    request: &Request,
    form: &Form,
    at: Option<usize>,
) -> Result<Granted<'a>, Refused> {
    let assertion = form.get("assertion").and_then(Assertion::parse).ok_or(BAD_ASSERTION)?;
    let claims = &assertion.claims;
    let (org, app) = find_app(state, Some(&claims.iss), at).ok_or(UNKNOWN_APP)?;
    if !app.certificate.as_deref().is_some_and(|certificate| assertion.is_signed_by(certificate)) {
        return Err(BAD_ASSERTION);
    }
    let host = match org.org.settings.r#type {
        OrgType::Production => "https://login.salesforce.com",
        OrgType::Sandbox => "https://test.salesforce.com",
    };
    let audience = claims.aud.trim_end_matches('/');
    let own = audience.strip_prefix(request.base.as_str());
    if audience != host && !own.is_some_and(|path| path.is_empty() || path.starts_with('/')) {
        return Err(Refused("invalid_grant", "audience is invalid"));
    }
    let ahead = claims.exp - now_ms() / 1_000;
    if ahead <= 0 {
        return Err(Refused("invalid_grant", "token expired"));
    }
    if ahead > MOST_AHEAD_SECONDS {
        return Err(Refused("invalid_grant", "expiration is too far in the future"));
    }
    allows(app, Flow::JwtBearer, NOT_APPROVED)?;
    let user = user_number(org, &claims.sub).ok_or(NOT_APPROVED)?;
    active(org, user)?;
    Ok(Granted { org, app, user, refresh: None })
}

/// A user by name and password; the security token that some append is taken, whatever it is.
pub(super) fn check_password(org: &OrgState, name: &str, password: &str) -> Option<usize> {
    let number = user_number(org, name)?;
    let user = &org.org.settings.users[number];
    let known = user.password.as_ref()?.expose_secret();
    let matches = !known.is_empty() && password.starts_with(known);
    (matches && user.active).then_some(number)
}

fn with_password(org: &OrgState, name: Option<&str>, password: Option<&str>) -> Result<usize, Refused> {
    let (Some(name), Some(password)) = (name, password) else { return Err(AUTHENTICATION) };
    check_password(org, name, password).ok_or(AUTHENTICATION)
}

fn answer(state: &State, request: &Request, granted: Granted<'_>) -> Answer {
    let Granted { org, app, user, refresh } = granted;
    let caller = Caller { org: org.number, user };
    let settings = &org.org.settings;
    let life = Duration::from_secs(settings.session_minutes.saturating_mul(60));
    let access_token = state.sessions.open(caller, org.org.id(), life);
    let id = identity_url(request, org, &settings.users[user]);
    let issued_at = now_ms().to_string();
    let secret = app.client_secret.as_ref().map_or("", |secret| secret.expose_secret());
    let signature = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
        format!("{id}{issued_at}").as_bytes(),
    );
    let mut body = json!({
        "access_token": access_token,
        "signature": STANDARD.encode(signature),
        "scope": "api",
        "instance_url": request.base,
        "id": id,
        "token_type": "Bearer",
        "issued_at": issued_at,
    });
    if let Some(refresh) = refresh {
        body["scope"] = json!("refresh_token api");
        body["refresh_token"] = json!(refresh);
    }
    Answer::ok(&body).with("cache-control", "no-store").with("pragma", "no-cache")
}

/// Where a user's identity is told.
pub(super) fn identity_url(request: &Request, org: &OrgState, user: &User) -> String {
    format!("{}/id/{}/{}", request.base, org.org.id(), user.id.as_deref().unwrap_or_default())
}

fn find_app<'a>(
    state: &'a State,
    client_id: Option<&str>,
    at: Option<usize>,
) -> Option<(&'a OrgState, &'a ConnectedApp)> {
    let mut orgs = state.orgs.iter().filter(|org| at.is_none_or(|at| at == org.number));
    orgs.find_map(|org| {
        let app =
            org.org.settings.connected_apps.iter().find(|app| Some(app.client_id.as_str()) == client_id)?;
        Some((&**org, app))
    })
}

/// The app that a form names, its secret checked; without `needed` a form without one passes.
fn app_with_secret<'a>(
    state: &'a State,
    form: &Form,
    at: Option<usize>,
    needed: bool,
) -> Result<(&'a OrgState, &'a ConnectedApp), Refused> {
    let (org, app) = find_app(state, form.get("client_id"), at).ok_or(UNKNOWN_APP)?;
    let given = form.get("client_secret");
    let known = app.client_secret.as_ref().map(SecretString::expose_secret);
    let right = match (given, known) {
        (Some(given), Some(known)) => given == known,
        (None, _) => !needed,
        (Some(_), None) => false,
    };
    if right { Ok((org, app)) } else { Err(WRONG_SECRET) }
}

fn allows(app: &ConnectedApp, flow: Flow, refused: Refused) -> Result<(), Refused> {
    if app.flows.contains(&flow) { Ok(()) } else { Err(refused) }
}

fn active(org: &OrgState, user: usize) -> Result<(), Refused> {
    if org.org.settings.users[user].active { Ok(()) } else { Err(INACTIVE) }
}

fn user_number(org: &OrgState, name: &str) -> Option<usize> {
    org.org.settings.users.iter().position(|user| user.username.eq_ignore_ascii_case(name))
}

/// The form, with id and secret of HTTP Basic where they are given so.
struct Form(Vec<(String, String)>);

impl Form {
    fn read(request: &Request) -> Self {
        let mut form = request.form();
        if let Some((id, secret)) = basic(request) {
            form.push(("client_id".to_owned(), id));
            form.push(("client_secret".to_owned(), secret));
        }
        Self(form)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn basic(request: &Request) -> Option<(String, String)> {
    let encoded = request.header("authorization")?.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}
