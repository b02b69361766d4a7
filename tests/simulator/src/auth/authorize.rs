//! The web-server flow's first half: a page on which a user signs in and allows an app, which leads back to the app
//! with a code. Salesforce shows two pages, one after the other; here it is one.

use http::{Method, StatusCode};
use url::Url;

use super::apps::{self, App, UNKNOWN_APP};
use super::form::{Form, Refused, escape};
use super::grants::Code;
use super::place::Place;
use crate::org::Flow;
use crate::server::State;
use crate::web::{Answer, Request};

/// What is said of a wrong name or password.
pub(super) const WRONG_PASSWORD: &str = "Please check your username and password. If you still can't log in, contact \
                                         your Salesforce administrator.";

const MISMATCH: Refused = Refused("redirect_uri_mismatch", "redirect_uri must match configuration");

/// An error that the app is told of, by leading back to it, or one that only the user sees.
enum Wrong {
    Led(Refused),
    Shown(Refused),
}

/// What an app asks for.
struct Asked<'a> {
    apps: Vec<App<'a>>,
    redirect: Url,
    /// As it was given, which is what it is compared with later.
    redirect_uri: String,
    scopes: Vec<String>,
    challenge: Option<String>,
}

/// `GET /services/oauth2/authorize` shows the page, `POST` is what it sends; beside the answer, the org that it is of.
pub(crate) fn page(state: &State, request: &Request, place: Place) -> (Option<usize>, Answer) {
    let form = Form::read(request);
    let found = apps::find(state, form.get("client_id"), place);
    let back = form.get("redirect_uri").and_then(|uri| Url::parse(uri).ok());
    let asked = match asked(found, &form) {
        Ok(asked) => asked,
        Err(Wrong::Led(refused)) => {
            let answer = back.map_or_else(|| shown(refused), |back| led_to_error(back, refused, &form));
            return (place.org(), answer);
        }
        Err(Wrong::Shown(refused)) => return (place.org(), shown(refused)),
    };
    let label = asked.apps.first().map_or("", |app| app.app.label()).to_owned();
    if request.method != Method::POST {
        return (place.org(), sign_in_page(&label, form.get("login_hint"), None));
    }
    if form.get("deny").is_some() {
        let denied = Refused("access_denied", "end-user denied authorization");
        return (place.org(), led_to_error(asked.redirect, denied, &form));
    }
    let name = form.get("username").unwrap_or_default();
    let password = password(&form);
    let Some((app, user)) = apps::signed_in(&asked.apps, name, password) else {
        return (place.org(), sign_in_page(&label, Some(name), Some(WRONG_PASSWORD)));
    };
    if let Err(refused) = app.admit_signed_in(user) {
        return (Some(app.org.number), led_to_error(asked.redirect, refused, &form));
    }
    let code = state.sessions.grants.code(Code {
        caller: app.caller(user),
        redirect_uri: asked.redirect_uri,
        challenge: asked.challenge,
        scopes: asked.scopes,
    });
    let mut redirect = asked.redirect;
    redirect.query_pairs_mut().append_pair("code", &code);
    (Some(app.org.number), led(redirect, &form))
}

/// Reads what is asked. An unknown app or address is no place to lead anyone to.
fn asked<'a>(mut apps: Vec<App<'a>>, form: &Form) -> Result<Asked<'a>, Wrong> {
    if apps.is_empty() {
        return Err(Wrong::Shown(UNKNOWN_APP));
    }
    let missing = Wrong::Shown(Refused("redirect_uri_missing", "redirect_uri is missing"));
    let redirect_uri = form.get("redirect_uri").ok_or(missing)?.to_owned();
    apps.retain(|app| app.app.callback_urls.contains(&redirect_uri));
    let redirect = Url::parse(&redirect_uri).map_err(|_| Wrong::Shown(MISMATCH))?;
    if apps.is_empty() {
        return Err(Wrong::Shown(MISMATCH));
    }
    if form.get("response_type") != Some("code") {
        return Err(Wrong::Led(Refused("unsupported_response_type", "response type not supported")));
    }
    apps.retain(|app| app.app.flows.contains(&Flow::WebServer));
    let Some(first) = apps.first() else {
        return Err(Wrong::Led(Refused("unauthorized_client", "client not authorized for this flow")));
    };
    let scopes = scopes(first, form.get("scope")).map_err(Wrong::Led)?;
    let challenge = form.get("code_challenge").filter(|challenge| !challenge.is_empty()).map(str::to_owned);
    if challenge.is_none() && first.app.require_pkce {
        return Err(Wrong::Led(Refused("invalid_request", "missing required code challenge")));
    }
    if form.get("code_challenge_method").is_some_and(|method| method != "S256") {
        return Err(Wrong::Led(Refused("invalid_request", "invalid code challenge method")));
    }
    Ok(Asked { apps, redirect, redirect_uri, scopes, challenge })
}

/// The scopes asked for, or all that the app has.
pub(super) fn scopes(app: &App<'_>, asked: Option<&str>) -> Result<Vec<String>, Refused> {
    let allowed = &app.app.scopes;
    let Some(asked) = asked.filter(|asked| !asked.trim().is_empty()) else { return Ok(allowed.clone()) };
    let known = |scope: &str| match scope {
        "refresh_token" | "offline_access" => {
            allowed.iter().any(|known| known == "refresh_token" || known == "offline_access")
        }
        scope => allowed.iter().any(|known| known == scope || known == "full"),
    };
    if !asked.split_whitespace().all(known) {
        return Err(Refused("invalid_scope", "the requested scope is not allowed"));
    }
    Ok(asked.split_whitespace().map(str::to_owned).collect())
}

fn led_to_error(mut back: Url, Refused(error, description): Refused, form: &Form) -> Answer {
    back.query_pairs_mut().append_pair("error", error).append_pair("error_description", description);
    led(back, form)
}

fn led(mut back: Url, form: &Form) -> Answer {
    if let Some(state) = form.get("state") {
        back.query_pairs_mut().append_pair("state", state);
    }
    Answer::empty(StatusCode::FOUND).with("location", back.as_str()).with("cache-control", "no-store")
}

/// The words are those that users report of Salesforce's page.
fn shown(Refused(error, description): Refused) -> Answer {
    let content = format!(
        "<h1>OAuth Error</h1><p>We can't authorize you because of an OAuth error. For more information, contact your \
         Salesforce administrator.</p><p>error={error}&amp;error_description={}</p>",
        escape(description)
    );
    html(StatusCode::BAD_REQUEST, &content)
}

fn sign_in_page(app: &str, name: Option<&str>, message: Option<&str>) -> Answer {
    let asks = format!("<p><b>{}</b> asks to access your data with the API.</p>", escape(app));
    html(StatusCode::OK, &form(&asks, name, message))
}

/// The password of that form; the field is called as on Salesforce's own page, and `password` does as well.
pub(super) fn password(form: &Form) -> &str {
    form.get("pw").or_else(|| form.get("password")).unwrap_or_default()
}

/// A form with user name and password, and with `content` above them.
pub(super) fn form(content: &str, name: Option<&str>, message: Option<&str>) -> String {
    format!(
        r#"<h1>Log In</h1>{content}{message}<form method="post" action=""><label>Username <input name="username" value="{name}" autocomplete="username" autofocus></label><label>Password <input name="pw" type="password" autocomplete="current-password"></label><button name="allow" value="1">Log In and Allow</button> <button name="deny" value="1">Deny</button></form>"#,
        message = message.map(|text| format!(r#"<p role="alert">{}</p>"#, escape(text))).unwrap_or_default(),
        name = escape(name.unwrap_or_default()),
    )
}

/// A page of the sign-in.
pub(super) fn html(status: StatusCode, content: &str) -> Answer {
    let page = format!(
        r#"<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Login | Orgkeep simulator</title><style>body{{font:16px system-ui;max-width:24rem;margin:10vh auto;padding:0 1rem}}label{{display:block;margin:1rem 0}}input{{display:block;width:100%;font:inherit;padding:.4rem;box-sizing:border-box}}button{{font:inherit;padding:.4rem 1rem}}[role=alert]{{color:#b00020}}</style></head><body>{content}<p><small>This is the Orgkeep simulator, not Salesforce: give it no real password.</small></p></body></html>"#
    );
    Answer::bytes(status, "text/html;charset=UTF-8", page).with("cache-control", "no-store")
}
