//! Connected apps: which one a form means, its secret, and who may use it.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

use super::form::{Form, Refused};
use super::place::Place;
use super::sessions::Caller;
use crate::org::{ConnectedApp, Flow, User};
use crate::server::{OrgState, State};

pub(super) const AUTHENTICATION: Refused = Refused("invalid_grant", "authentication failure");
pub(super) const UNKNOWN_APP: Refused = Refused("invalid_client_id", "client identifier invalid");
pub(super) const NOT_APPROVED: Refused = Refused("invalid_grant", "user hasn't approved this consumer");
const WRONG_SECRET: Refused = Refused("invalid_client", "invalid client credentials");
const NOT_ADMIN_APPROVED: Refused =
    Refused("invalid_app_access", "user is not admin approved to access this app");
const INACTIVE: Refused = Refused("inactive_user", "user is inactive");

/// Whether a form must have the secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Secret {
    Needed,
    /// If there is one, and the app does not do without.
    AsTheAppSays,
}

/// An app in one of the orgs that have it.
#[derive(Clone, Copy)]
pub(super) struct App<'a> {
    pub(super) org: &'a OrgState,
    pub(super) number: usize,
    pub(super) app: &'a ConnectedApp,
}

/// The app in every org that has it and is signed in to at this place.
pub(super) fn find<'a>(state: &'a State, client_id: Option<&str>, place: Place) -> Vec<App<'a>> {
    let of_org = |org: &'a Arc<OrgState>| {
        let apps = org.org.settings.connected_apps.iter().enumerate();
        let mut apps = apps.filter(|(_, app)| Some(app.client_id.as_str()) == client_id);
        apps.next().map(|(number, app)| App { org, number, app })
    };
    state.orgs.iter().filter(|org| place.has(org)).filter_map(of_org).collect()
}

/// The same for the app that a form names, as far as the secret is right. There is at least one.
pub(super) fn with_secret<'a>(
    state: &'a State,
    form: &Form,
    place: Place,
    secret: Secret,
) -> Result<Vec<App<'a>>, Refused> {
    let mut apps = find(state, form.get("client_id"), place);
    if apps.is_empty() {
        return Err(UNKNOWN_APP);
    }
    let given = form.get("client_secret");
    apps.retain(|found| {
        let known = found.app.client_secret.as_ref().map(SecretString::expose_secret);
        match (given, known) {
            (Some(given), Some(known)) => given == known,
            (None, Some(_)) => secret == Secret::AsTheAppSays && !found.app.require_secret,
            (None, None) => secret == Secret::AsTheAppSays,
            (Some(given), None) => secret == Secret::AsTheAppSays && given.is_empty(),
        }
    });
    if apps.is_empty() { Err(WRONG_SECRET) } else { Ok(apps) }
}

impl App<'_> {
    /// Refuses a flow that the app does not allow.
    pub(super) fn allows(self, flow: Flow, refused: Refused) -> Result<(), Refused> {
        if self.app.flows.contains(&flow) { Ok(()) } else { Err(refused) }
    }

    /// A user of its org who uses it.
    pub(super) fn caller(self, user: usize) -> Caller {
        Caller { org: self.org.number, user, app: Some(self.number) }
    }

    /// Lets a user in who is active and may use the app without being asked.
    ///
    /// "admin approved" and "hasn't approved" are the two kinds of permitted users of an app: those whom an
    /// administrator approved, and all who approved it themselves, in the web-server flow.
    pub(super) fn admit(self, state: &State, user: usize) -> Result<Arc<User>, Refused> {
        let known = self.admit_signed_in(user)?;
        if self.app.self_authorize && !state.sessions.grants.approved(self.caller(user)) {
            return Err(NOT_APPROVED);
        }
        Ok(known)
    }

    /// The same for a user who is there to be asked.
    pub(super) fn admit_signed_in(self, user: usize) -> Result<Arc<User>, Refused> {
        let known = active(self.org, user)?;
        let is_user = |name: &String| name.eq_ignore_ascii_case(&known.username);
        match &self.app.approved_users {
            Some(approved) if !approved.iter().any(is_user) => Err(NOT_ADMIN_APPROVED),
            _ => Ok(known),
        }
    }
}

/// A user who may sign in.
pub(super) fn active(org: &OrgState, user: usize) -> Result<Arc<User>, Refused> {
    org.users.get(user).filter(|user| user.active).ok_or(INACTIVE)
}

/// A user by name and password. The password may be followed by the security token: the user's, or, if none is
/// given for the user, anything that looks like one. Too many wrong ones in a row lock the user out.
pub(super) fn check_password(org: &OrgState, name: &str, password: &str) -> Option<usize> {
    let (number, user) = org.users.find(name)?;
    let known = user.password.as_ref()?.expose_secret();
    let right = !known.is_empty() && is_right(password, known, &user);
    (org.limits.lockout.lets_in(number, right) && user.active).then_some(number)
}

fn is_right(password: &str, known: &str, user: &User) -> bool {
    match (password.strip_prefix(known), &user.security_token) {
        (None, _) => false,
        (Some(""), _) => true,
        (Some(rest), Some(token)) => rest == token.expose_secret(),
        (Some(rest), None) => {
            (20..=30).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
        }
    }
}

/// The first app whose org knows a user by this name and password.
pub(super) fn signed_in<'a>(apps: &[App<'a>], name: &str, password: &str) -> Option<(App<'a>, usize)> {
    apps.iter().find_map(|app| Some((*app, check_password(app.org, name, password)?)))
}
