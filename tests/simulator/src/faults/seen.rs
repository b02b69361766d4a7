//! What a call is for, before anything is done with it: by the names that the request log gives.

use http::Method;

use super::engine::{Firing, Seen};
use crate::auth::Place;
use crate::rest;
use crate::server::State;
use crate::soap;
use crate::web::Request;

/// Bytes of a large body that `body` of a match looks at.
const LOOKED_AT: usize = 64 * 1024;

/// A fault that fires, and what is known of the call.
pub(crate) struct Fired {
    pub(crate) firing: Firing,
    /// The name under which the log counts it.
    pub(crate) resource: &'static str,
    pub(crate) org: Option<usize>,
}

/// The fault that fires at a call.
pub(crate) fn check(state: &State, request: &Request) -> Option<Fired> {
    if !state.faults.any() {
        return None;
    }
    let (place, path) = Place::of(state, request);
    let resource = resource(request, path);
    // the simulator's own pages are how a plan is taken back
    if resource == "Simulator" {
        return None;
    }
    let org = org(state, request, place);
    // the beginning of a body that may be of any size
    let spooled = request.spooled.as_ref().and_then(|spooled| spooled.read_at(0, LOOKED_AT).ok());
    let body = spooled.unwrap_or_else(|| request.body.clone());
    let seen = Seen {
        method: request.method.as_str(),
        path,
        query: &request.query,
        resource,
        org: org.map(|org| (state.orgs[org].org.id(), state.orgs[org].org.settings.name.as_str())),
        headers: &request.headers,
        body: &body,
    };
    let firing = state.faults.check(&seen)?;
    Some(Fired { firing, resource, org })
}

/// Whose call it is, as far as that is known before it is looked at.
fn org(state: &State, request: &Request, place: Place) -> Option<usize> {
    let token = request.header("x-sfdc-session").or_else(|| request.token());
    let only = (state.orgs.len() == 1).then_some(0);
    place.org().or_else(|| Some(place.caller(state, token?)?.org)).or(only)
}

/// The name under which the log counts a call.
fn resource(request: &Request, path: &str) -> &'static str {
    let method = &request.method;
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["services", "oauth2", "token"] => "Token",
        ["services", "oauth2", "revoke"] => "TokenRevoke",
        ["services", "oauth2", "userinfo"] => "UserInfo",
        ["services", "oauth2", "authorize"] => "TokenAuthorize",
        ["setup", "connect"] => "TokenConnect",
        ["id", ..] => "Identity",
        ["services", "Soap", api, _, ..] if *method == Method::POST => {
            soap::Api::of(api).map_or("Unknown", |api| soap::resource(api, request))
        }
        ["services", "data"] => "Versions",
        ["services", "data", _, rest @ ..] => rest::resource(rest, method),
        ["services", "async", _, rest @ ..] => crate::bulk1::resource(rest, method),
        ["_simulator", ..] => "Simulator",
        _ => "Unknown",
    }
}
