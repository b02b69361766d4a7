//! The device flow, for a client without a browser: it shows a code, the user types it in elsewhere, and the client
//! asks until that is done.
//!
//! After the help page "OAuth 2.0 Device Flow"; the recordings that there are of such a flow are another service's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::{Method, StatusCode};
use serde_json::json;

use super::apps::{self, Secret, UNKNOWN_APP};
use super::authorize::{WRONG_PASSWORD, form as sign_in_form, html, password, scopes};
use super::form::{Form, Refused, escape};
use super::place::{Place, instance_url};
use super::sessions::{Caller, random};
use super::token::{Granted, approve};
use crate::clock::Clock;
use crate::org::Flow;
use crate::server::State;
use crate::web::{Answer, Request};

/// How long a code lives.
const LIFE_MS: i64 = 10 * 60 * 1_000;
/// How long a client waits between two questions.
const INTERVAL_SECONDS: i64 = 5;

const INVALID: Refused = Refused("invalid_grant", "invalid device code");

/// Sign-ins that devices wait for, by device code.
#[derive(Debug)]
pub(crate) struct Devices {
    clock: Arc<Clock>,
    waiting: Mutex<HashMap<String, Waiting>>,
}

#[derive(Clone, Debug)]
struct Waiting {
    user_code: String,
    client_id: String,
    scopes: Vec<String>,
    end_ms: i64,
    asked_ms: Option<i64>,
    state: Approval,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Approval {
    Pending,
    Denied,
    Approved(Caller),
}

impl Devices {
    pub(super) fn new(clock: Arc<Clock>) -> Self {
        Self { clock, waiting: Mutex::default() }
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<String, Waiting>) -> T) -> T {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now_ms();
        waiting.retain(|_, entry| now < entry.end_ms);
        work(&mut waiting)
    }
}

/// `POST /services/oauth2/token` with `response_type=device_code`.
pub(super) fn start(state: &State, request: &Request, form: &Form, place: Place) -> Answer {
    let found = apps::find(state, form.get("client_id"), place);
    let Some(app) = found.first() else { return UNKNOWN_APP.answer() };
    if !app.app.flows.contains(&Flow::Device) {
        return Refused("invalid_request", "device flow is not enabled").answer();
    }
    let scopes = match scopes(app, form.get("scope")) {
        Ok(scopes) => scopes,
        Err(refused) => return refused.answer(),
    };
    let device_code = random(60);
    let user_code: String =
        random(40).chars().filter(char::is_ascii_alphanumeric).take(8).collect::<String>().to_uppercase();
    let devices = &state.sessions.devices;
    let waiting = Waiting {
        user_code: user_code.clone(),
        client_id: app.app.client_id.clone(),
        scopes,
        end_ms: devices.clock.now_ms().saturating_add(LIFE_MS),
        asked_ms: None,
        state: Approval::Pending,
    };
    devices.with(|all| all.insert(device_code.clone(), waiting));
    Answer::ok(&json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": format!("{}/setup/connect", instance_url(request, app.org)),
        "interval": INTERVAL_SECONDS,
    }))
    .with("cache-control", "no-store")
}

/// `grant_type=device`: the client asks whether the user has typed the code in.
pub(super) fn poll<'a>(state: &'a State, form: &Form, place: Place) -> Result<Granted<'a>, Refused> {
    let found = apps::with_secret(state, form, place, Secret::AsTheAppSays)?;
    let code = form.get("code").ok_or(INVALID)?;
    let devices = &state.sessions.devices;
    let now = devices.clock.now_ms();
    let (caller, scopes) = devices.with(|all| {
        let entry = all.get_mut(code).ok_or(INVALID)?;
        let early = entry.asked_ms.is_some_and(|asked| now - asked < INTERVAL_SECONDS * 1_000);
        entry.asked_ms = Some(now);
        match entry.state {
            Approval::Approved(caller) => {
                let scopes = std::mem::take(&mut entry.scopes);
                all.remove(code);
                Ok((caller, scopes))
            }
            Approval::Denied => Err(Refused("access_denied", "end-user denied authorization")),
            Approval::Pending if early => Err(Refused("slow_down", "polling too frequently")),
            Approval::Pending => Err(Refused("authorization_pending", "authorization pending")),
        }
    })?;
    let app = found.into_iter().find(|app| app.caller(caller.user) == caller).ok_or(INVALID)?;
    apps::active(app.org, caller.user)?;
    Ok(approve(state, app, caller.user, scopes))
}

/// `/setup/connect`, where the user types the code in.
pub(crate) fn page(state: &State, request: &Request, place: Place) -> (Option<usize>, Answer) {
    let form = Form::read(request);
    let user_code = form.get("user_code").unwrap_or_default().trim().to_uppercase();
    let show = |message: Option<&str>| {
        let field = format!(
            r#"<p>Enter the code that your device shows.</p><label>Code <input form="f" name="user_code" value="{}"></label>"#,
            escape(&user_code)
        );
        let page = sign_in_form(&field, form.get("username"), message);
        html(StatusCode::OK, &page.replacen("<form ", r#"<form id="f" "#, 1))
    };
    if request.method != Method::POST {
        return (place.org(), show(None));
    }
    let devices = &state.sessions.devices;
    let known = devices.with(|all| {
        let mut entries = all.iter();
        let found =
            entries.find(|(_, entry)| entry.user_code == user_code && entry.state == Approval::Pending);
        found.map(|(code, entry)| (code.clone(), entry.client_id.clone()))
    });
    let Some((code, client_id)) = known else { return (place.org(), show(Some("This code is not valid."))) };
    let decide = |approval: Approval| {
        devices.with(|all| {
            if let Some(entry) = all.get_mut(&code) {
                entry.state = approval;
            }
        });
    };
    if form.get("deny").is_some() {
        decide(Approval::Denied);
        return (place.org(), html(StatusCode::OK, "<h1>Denied</h1><p>The app was denied access.</p>"));
    }
    let (name, typed) = (form.get("username").unwrap_or_default(), password(&form));
    let found = apps::find(state, Some(&client_id), place);
    let Some((app, user)) = apps::signed_in(&found, name, typed) else {
        return (place.org(), show(Some(WRONG_PASSWORD)));
    };
    if let Err(Refused(_, description)) = app.admit_signed_in(user) {
        return (Some(app.org.number), show(Some(description)));
    }
    decide(Approval::Approved(app.caller(user)));
    let done = "<h1>Connected</h1><p>You can close this window and go on at your device.</p>";
    (Some(app.org.number), html(StatusCode::OK, done))
}
