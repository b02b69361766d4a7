//! Who a token belongs to: the identity URL and `userinfo`.

use serde_json::{Value as Json, json};

use super::flows::identity_url;
use super::sessions::Caller;
use crate::org::{OrgType, User};
use crate::server::{OrgState, State};
use crate::web::{Answer, ApiError, Request};

/// `GET /services/oauth2/userinfo`.
pub(crate) fn userinfo(state: &State, request: &Request, caller: Caller) -> Answer {
    let org = &state.orgs[caller.org];
    let user = &org.org.settings.users[caller.user];
    Answer::ok(&json!({
        "sub": identity_url(request, org, user),
        "user_id": user.id,
        "organization_id": org.org.id(),
        "preferred_username": user.username,
        "nickname": nickname(user),
        "name": display_name(user),
        "email": user.username,
        "email_verified": true,
        "given_name": user.first_name,
        "family_name": user.last_name,
        "zoneinfo": "GMT",
        "urls": urls(request, org),
        "active": user.active,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "en_US",
        "utcOffset": 0,
        "is_salesforce_integration_user": false,
    }))
}

/// `GET /id/<org>/<user>`; a token tells only of its own org.
pub(crate) fn identity(
    state: &State,
    request: &Request,
    caller: Caller,
    rest: &str,
) -> Result<Answer, ApiError> {
    let org = &state.orgs[caller.org];
    let mut parts = rest.split('/');
    let same = |given: &str, known: &str| given.get(..15).is_some_and(|given| known.get(..15) == Some(given));
    if !parts.next().is_some_and(|id| same(id, org.org.id())) {
        return Err(ApiError::forbidden("FORBIDDEN", "Wrong_Org"));
    }
    let id = parts.next().unwrap_or_default();
    let user = org.org.settings.users.iter().find(|user| same(id, user.id.as_deref().unwrap_or_default()));
    let user = user.ok_or_else(ApiError::not_found)?;
    Ok(Answer::ok(&json!({
        "id": identity_url(request, org, user),
        "asserted_user": true,
        "user_id": user.id,
        "organization_id": org.org.id(),
        "username": user.username,
        "nick_name": nickname(user),
        "display_name": display_name(user),
        "email": user.username,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "timezone": "GMT",
        "urls": urls(request, org),
        "active": user.active,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "en_US",
        "utcOffset": 0,
        "is_app_installed": true,
    })))
}

/// The kind of org, as SOAP says it.
pub(super) fn is_sandbox(org: &OrgState) -> bool {
    org.org.settings.r#type == OrgType::Sandbox
}

pub(super) fn display_name(user: &User) -> String {
    let last = user.last_name.as_deref().unwrap_or_else(|| nickname(user));
    user.first_name.as_ref().map_or_else(|| last.to_owned(), |first| format!("{first} {last}"))
}

fn nickname(user: &User) -> &str {
    user.username.split('@').next().unwrap_or(&user.username)
}

fn urls(request: &Request, org: &OrgState) -> Json {
    let (base, id) = (&request.base, org.org.id());
    json!({
        "enterprise": format!("{base}/services/Soap/c/{{version}}/{id}"),
        "metadata": format!("{base}/services/Soap/m/{{version}}/{id}"),
        "partner": format!("{base}/services/Soap/u/{{version}}/{id}"),
        "rest": format!("{base}/services/data/v{{version}}/"),
        "sobjects": format!("{base}/services/data/v{{version}}/sobjects/"),
        "search": format!("{base}/services/data/v{{version}}/search/"),
        "query": format!("{base}/services/data/v{{version}}/query/"),
        "recent": format!("{base}/services/data/v{{version}}/recent/"),
        "tooling_soap": format!("{base}/services/Soap/T/{{version}}/{id}"),
        "tooling_rest": format!("{base}/services/data/v{{version}}/tooling/"),
        "profile": format!("{base}/{id}"),
        "custom_domain": base,
    })
}
