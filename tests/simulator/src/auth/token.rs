//! The token endpoint.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use ring::{digest, hmac};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::apps::{self, AUTHENTICATION, App, NOT_APPROVED, Secret, UNKNOWN_APP};
use super::device;
use super::form::{Form, Refused};
use super::grants::{CodeError, Family};
use super::identity::identity_url;
use super::jwt::Assertion;
use super::place::{Place, instance_url};
use crate::org::{Flow, OrgType};
use crate::server::State;
use crate::value::calendar::now_ms;
use crate::web::{Answer, Request};

/// How far ahead an assertion may end. The guide says three minutes; clients that work with real orgs (aiosalesforce
/// 0.6.2) send five.
const MOST_AHEAD_SECONDS: i64 = 300;

const BAD_ASSERTION: Refused = Refused("invalid_grant", "invalid assertion");
const EXPIRED: Refused = Refused("invalid_grant", "expired access/refresh token");
const NO_RUN_AS: Refused = Refused("invalid_grant", "no client credentials user enabled");

/// A sign-in that was granted.
pub(super) struct Granted<'a> {
    pub(super) app: App<'a>,
    pub(super) user: usize,
    pub(super) scopes: Vec<String>,
    /// The approval that it came of.
    pub(super) family: Option<Family>,
    /// A refresh token that the client does not have yet.
    pub(super) refresh: Option<String>,
}

/// `POST /services/oauth2/token`; beside the answer, the org that it is of.
pub(crate) fn answer(state: &State, request: &Request, place: Place) -> (Option<usize>, Answer) {
    let form = Form::read(request);
    if request.method != Method::POST {
        return (place.org(), Refused("invalid_request", "must use HTTP POST").answer());
    }
    if form.get("response_type") == Some("device_code") {
        return (place.org(), device::start(state, request, &form, place));
    }
    match grant(state, request, &form, place) {
        Ok(granted) => (Some(granted.app.org.number), told(state, request, granted)),
        Err(refused) => (place.org(), refused.answer()),
    }
}

fn grant<'a>(state: &'a State, request: &Request, form: &Form, place: Place) -> Result<Granted<'a>, Refused> {
    match form.get("grant_type").unwrap_or_default() {
        "client_credentials" => client_credentials(state, form, place),
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => bearer(state, request, form, place),
        "refresh_token" => refresh(state, form, place),
        "password" => password(state, form, place),
        "authorization_code" => code(state, form, place),
        "device" => device::poll(state, form, place),
        _ => Err(Refused("unsupported_grant_type", "grant type not supported")),
    }
}

fn client_credentials<'a>(state: &'a State, form: &Form, place: Place) -> Result<Granted<'a>, Refused> {
    if matches!(place, Place::Login(_)) {
        return Err(Refused("invalid_grant", "request not supported on this domain"));
    }
    let app = first(apps::with_secret(state, form, place, Secret::Needed)?)?;
    app.allows(Flow::ClientCredentials, NO_RUN_AS)?;
    let user = app.app.run_as.as_deref().and_then(|name| app.org.users.find(name));
    let (user, _) = user.ok_or(NO_RUN_AS)?;
    apps::active(app.org, user)?;
    Ok(without_refresh(app, user))
}

fn bearer<'a>(
    state: &'a State,
    request: &Request,
    form: &Form,
    place: Place,
) -> Result<Granted<'a>, Refused> {
    let assertion = form.get("assertion").and_then(Assertion::parse).ok_or(BAD_ASSERTION)?;
    let claims = &assertion.claims;
    let found = apps::find(state, Some(&claims.iss), place);
    let has_user = |app: &&App<'a>| app.org.users.find(&claims.sub).is_some();
    let app = *found.iter().find(has_user).or_else(|| found.first()).ok_or(UNKNOWN_APP)?;
    if !app.app.certificate.as_deref().is_some_and(|certificate| assertion.is_signed_by(certificate)) {
        return Err(BAD_ASSERTION);
    }
    let host = match app.org.org.settings.r#type {
        OrgType::Production => "https://login.salesforce.com",
        OrgType::Sandbox => "https://test.salesforce.com",
    };
    let audience = claims.aud.trim_end_matches('/');
    let own = audience.strip_prefix(request.base.as_str());
    if audience != host && !own.is_some_and(|path| path.is_empty() || path.starts_with('/')) {
        return Err(Refused("invalid_grant", "audience is invalid"));
    }
    // by the machine's clock, which the client goes by as well, not by one that was put ahead
    let ahead = claims.exp - now_ms() / 1_000;
    if ahead <= 0 {
        return Err(Refused("invalid_grant", "token expired"));
    }
    if ahead > MOST_AHEAD_SECONDS {
        return Err(Refused("invalid_grant", "expiration is too far in the future"));
    }
    app.allows(Flow::JwtBearer, NOT_APPROVED)?;
    let (user, _) = app.org.users.find(&claims.sub).ok_or(NOT_APPROVED)?;
    app.admit(state, user)?;
    Ok(without_refresh(app, user))
}

fn refresh<'a>(state: &'a State, form: &Form, place: Place) -> Result<Granted<'a>, Refused> {
    let found = apps::with_secret(state, form, place, Secret::AsTheAppSays)?;
    let text = form.get("refresh_token").ok_or(EXPIRED)?;
    let known = state.sessions.grants.refresh(text).ok_or(EXPIRED)?;
    let user = known.caller.user;
    let app = found.into_iter().find(|app| app.caller(user) == known.caller).ok_or(EXPIRED)?;
    if known.rotated {
        if app.app.revoke_on_reuse {
            state.sessions.end_family(known.family);
        }
        return Err(EXPIRED);
    }
    if app.app.refresh_token_hours.is_some_and(|hours| state.sessions.grants.is_older(&known, hours)) {
        return Err(EXPIRED);
    }
    apps::active(app.org, user)?;
    let refresh = if app.app.rotate_refresh_tokens {
        Some(state.sessions.grants.rotate(text).ok_or(EXPIRED)?)
    } else {
        None
    };
    Ok(Granted { app, user, scopes: known.scopes, family: Some(known.family), refresh })
}

/// It has never given out a refresh token.
fn password<'a>(state: &'a State, form: &Form, place: Place) -> Result<Granted<'a>, Refused> {
    let found = apps::with_secret(state, form, place, Secret::Needed)?;
    let name = form.get("username").ok_or(AUTHENTICATION)?;
    let password = form.get("password").ok_or(AUTHENTICATION)?;
    let (app, user) = apps::signed_in(&found, name, password).ok_or(AUTHENTICATION)?;
    app.allows(Flow::Password, AUTHENTICATION)?;
    app.admit(state, user)?;
    Ok(without_refresh(app, user))
}

fn code<'a>(state: &'a State, form: &Form, place: Place) -> Result<Granted<'a>, Refused> {
    let found = apps::with_secret(state, form, place, Secret::AsTheAppSays)?;
    let invalid = Refused("invalid_grant", "invalid authorization code");
    let known = state.sessions.grants.take_code(form.get("code").ok_or(invalid)?);
    let known = known.map_err(|error| match error {
        CodeError::Unknown => invalid,
        CodeError::Expired => Refused("invalid_grant", "expired authorization code"),
    })?;
    let user = known.caller.user;
    let app = found.into_iter().find(|app| app.caller(user) == known.caller).ok_or(invalid)?;
    if form.get("redirect_uri") != Some(known.redirect_uri.as_str()) {
        return Err(Refused("redirect_uri_mismatch", "redirect_uri must match configuration"));
    }
    match (&known.challenge, form.get("code_verifier")) {
        (None, None) => {}
        (Some(challenge), Some(verifier)) if *challenge == s256(verifier) => {}
        (None, Some(_)) => return Err(Refused("invalid_grant", "unexpected code verifier")),
        _ => return Err(Refused("invalid_grant", "invalid code verifier")),
    }
    apps::active(app.org, user)?;
    Ok(approve(state, app, user, known.scopes))
}

/// What comes of a user's approval: a refresh token, too, if the app may have one.
pub(super) fn approve<'a>(state: &State, app: App<'a>, user: usize, scopes: Vec<String>) -> Granted<'a> {
    let offline = scopes.iter().any(|scope| scope == "refresh_token" || scope == "offline_access");
    if !offline || !app.app.flows.contains(&Flow::RefreshToken) {
        return Granted { app, user, scopes, family: None, refresh: None };
    }
    let (token, family, ends) = state.sessions.grants.approve(app.caller(user), scopes.clone());
    if let Some(oldest) = ends {
        state.sessions.end_family(oldest);
    }
    Granted { app, user, scopes, family: Some(family), refresh: Some(token) }
}

fn first(apps: Vec<App<'_>>) -> Result<App<'_>, Refused> {
    apps.into_iter().next().ok_or(UNKNOWN_APP)
}

fn without_refresh(app: App<'_>, user: usize) -> Granted<'_> {
    let offline = |scope: &&String| !matches!(scope.as_str(), "refresh_token" | "offline_access");
    let scopes = app.app.scopes.iter().filter(offline).cloned().collect();
    Granted { app, user, scopes, family: None, refresh: None }
}

/// The challenge of a verifier (RFC 7636, S256).
fn s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

/// Opens the session and tells of it. There is no `expires_in`: how long a token lives is found out by 401.
fn told(state: &State, request: &Request, granted: Granted<'_>) -> Answer {
    let Granted { app, user, scopes, family, refresh } = granted;
    if !app.org.limits.sign_in(user) {
        return Refused("rate_limit_exceeded", "login rate exceeded").answer();
    }
    let access_token = state.sessions.open(app.org, app.caller(user), family);
    let id = app.org.users.get(user).map(|user| identity_url(request, app.org, &user)).unwrap_or_default();
    let issued_at = now_ms().to_string();
    let secret = app.app.client_secret.as_ref().map_or("", |secret| secret.expose_secret());
    let signature = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
        format!("{id}{issued_at}").as_bytes(),
    );
    let mut body = json!({
        "access_token": access_token,
        "signature": STANDARD.encode(signature),
        "scope": scopes.join(" "),
        "instance_url": instance_url(request, app.org),
        "id": id,
        "token_type": "Bearer",
        "issued_at": issued_at,
    });
    if let Some(refresh) = refresh {
        body["refresh_token"] = json!(refresh);
    }
    Answer::ok(&body).with("cache-control", "no-store").with("pragma", "no-cache")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_challenge_of_rfc_7636() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(super::s256(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
