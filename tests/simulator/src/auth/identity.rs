//! Who a token belongs to: the identity URL and `userinfo`.
//!
//! Keys after the guide's sample answers ("Using Identity URLs") and OpenID Connect's `userinfo`; the refusals are
//! plain text there.

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::place::{Place, identity_base, instance_url};
use super::sessions::Caller;
use crate::org::{OrgType, Settings, User};
use crate::server::{OrgState, State};
use crate::value::calendar::rest_datetime;
use crate::web::{Answer, Request};

/// When users were last changed: 2020-01-01T00:00:00Z, as their rows are.
const CHANGED: i64 = 1_577_836_800_000;

/// `/services/oauth2/userinfo`; beside the answer, the org that it is of.
pub(crate) fn userinfo(state: &State, request: &Request, place: Place) -> (Option<usize>, Answer) {
    let caller = match caller(state, request, place) {
        Ok(caller) => caller,
        Err(answer) => return (place.org(), answer),
    };
    let org = &state.orgs[caller.org];
    let Some(user) = org.users.get(caller.user) else { return (Some(caller.org), bad_id()) };
    let answer = Answer::ok(&json!({
        "sub": identity_url(request, org, &user),
        "user_id": user.id,
        "organization_id": org.org.id(),
        "preferred_username": user.username,
        "nickname": nickname(&user),
        "name": display_name(&user),
        "email": user.username,
        "email_verified": true,
        "given_name": user.first_name,
        "family_name": last_name(&user),
        "zoneinfo": "GMT",
        "photos": photos(request, org),
        "profile": format!("{}/{}", instance_url(request, org), user.id.as_deref().unwrap_or_default()),
        "picture": photo(request, org, "F"),
        "address": {},
        "urls": urls(request, org, &user),
        "active": user.active,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "en_US",
        "utcOffset": 0,
        "updated_at": rest_datetime(CHANGED),
        "is_salesforce_integration_user": false,
    }));
    (Some(caller.org), answer)
}

/// `/id/<org>/<user>`; a token tells only of its own org.
pub(crate) fn identity(
    state: &State,
    request: &Request,
    place: Place,
    rest: &[&str],
) -> (Option<usize>, Answer) {
    let caller = match caller(state, request, place) {
        Ok(caller) => caller,
        Err(answer) => return (place.org(), answer),
    };
    let org = &state.orgs[caller.org];
    let same = |given: &str, known: &str| {
        (given.len() == 15 || given.len() == 18)
            && given.get(..15).is_some_and(|given| known.get(..15) == Some(given))
    };
    let [of, id] = rest else { return (Some(caller.org), bad_id()) };
    if !same(of, org.org.id()) {
        return (Some(caller.org), plain(StatusCode::FORBIDDEN, "Wrong_Org"));
    }
    let users = org.users.all();
    let user = users.iter().find(|user| same(id, user.id.as_deref().unwrap_or_default()));
    let Some(user) = user else { return (Some(caller.org), bad_id()) };
    let answer = Answer::ok(&json!({
        "id": identity_url(request, org, user),
        "asserted_user": org.users.get(caller.user).is_some_and(|own| own.id == user.id),
        "user_id": user.id,
        "organization_id": org.org.id(),
        "username": user.username,
        "nick_name": nickname(user),
        "display_name": display_name(user),
        "email": user.username,
        "email_verified": true,
        "first_name": user.first_name,
        "last_name": last_name(user),
        "timezone": "GMT",
        "photos": photos(request, org),
        "addr_street": null,
        "addr_city": null,
        "addr_state": null,
        "addr_country": null,
        "addr_zip": null,
        "mobile_phone": null,
        "mobile_phone_verified": false,
        "is_lightning_login_user": false,
        "status": {"created_date": null, "body": null},
        "urls": urls(request, org, user),
        "active": user.active,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "en_US",
        "utcOffset": 0,
        "last_modified_date": rest_datetime(CHANGED),
        "is_app_installed": true,
    }));
    (Some(caller.org), answer)
}

/// Who asks; the token may also come as a parameter.
fn caller(state: &State, request: &Request, place: Place) -> Result<Caller, Answer> {
    let form = request.form();
    let named = |names: [&str; 2]| form.iter().find(|(name, _)| names.contains(&name.as_str()));
    let token = request.token().or_else(|| Some(named(["oauth_token", "access_token"])?.1.as_str()));
    let token = token.ok_or_else(|| plain(StatusCode::FORBIDDEN, "Missing_OAuth_Token"))?;
    place.caller(state, token).ok_or_else(|| plain(StatusCode::FORBIDDEN, "Bad_OAuth_Token"))
}

fn bad_id() -> Answer {
    plain(StatusCode::NOT_FOUND, "Bad_Id")
}

fn plain(status: StatusCode, text: &'static str) -> Answer {
    Answer::bytes(status, "text/html;charset=UTF-8", text)
}

/// Where a user's identity is told.
pub(super) fn identity_url(request: &Request, org: &OrgState, user: &User) -> String {
    let base = identity_base(request, org);
    format!("{base}/id/{}/{}", org.org.id(), user.id.as_deref().unwrap_or_default())
}

/// The kind of org, as SOAP says it.
pub(super) fn is_sandbox(settings: &Settings) -> bool {
    settings.r#type == OrgType::Sandbox
}

pub(super) fn display_name(user: &User) -> String {
    let last = last_name(user);
    user.first_name.as_ref().map_or_else(|| last.to_owned(), |first| format!("{first} {last}"))
}

fn last_name(user: &User) -> &str {
    user.last_name.as_deref().unwrap_or_else(|| nickname(user))
}

fn nickname(user: &User) -> &str {
    user.username.split('@').next().unwrap_or(&user.username)
}

fn photos(request: &Request, org: &OrgState) -> Json {
    json!({"picture": photo(request, org, "F"), "thumbnail": photo(request, org, "T")})
}

fn photo(request: &Request, org: &OrgState, size: &str) -> String {
    format!("{}/profilephoto/005/{size}", instance_url(request, org))
}

/// Addresses of the APIs; the version is left open, or the one that the parameter names.
fn urls(request: &Request, org: &OrgState, user: &User) -> Json {
    let newest = &org.org.settings.api_versions.newest;
    let version = match request.parameter("version") {
        None => "{version}",
        Some("latest") => newest,
        Some(version) => version,
    };
    let (base, id) = (instance_url(request, org), org.org.id());
    json!({
        "enterprise": format!("{base}/services/Soap/c/{version}/{id}"),
        "metadata": format!("{base}/services/Soap/m/{version}/{id}"),
        "partner": format!("{base}/services/Soap/u/{version}/{id}"),
        "rest": format!("{base}/services/data/v{version}/"),
        "sobjects": format!("{base}/services/data/v{version}/sobjects/"),
        "search": format!("{base}/services/data/v{version}/search/"),
        "query": format!("{base}/services/data/v{version}/query/"),
        "recent": format!("{base}/services/data/v{version}/recent/"),
        "tooling_soap": format!("{base}/services/Soap/T/{version}/{id}"),
        "tooling_rest": format!("{base}/services/data/v{version}/tooling/"),
        "profile": format!("{base}/{}", user.id.as_deref().unwrap_or_default()),
        "feeds": format!("{base}/services/data/v{version}/chatter/feeds"),
        "groups": format!("{base}/services/data/v{version}/chatter/groups"),
        "users": format!("{base}/services/data/v{version}/chatter/users"),
        "feed_items": format!("{base}/services/data/v{version}/chatter/feed-items"),
        "feed_elements": format!("{base}/services/data/v{version}/chatter/feed-elements"),
        "custom_domain": base,
    })
}
