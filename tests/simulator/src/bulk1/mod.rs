//! Bulk API 1.0: `/services/async/NN.0/job`, queries and loads, as older clients call them. Shapes are those of CumulusCI's
//! recorded exchanges (XML) and of public issues and tests of clients (JSON, words of errors).

mod batch;
mod chunks;
mod form;
mod job;
mod load;
mod records;
mod rows;

use std::sync::Arc;

use http::{Method, StatusCode};

pub(crate) use form::{error_answer, escape};
pub(crate) use job::Jobs;

use crate::auth::{Caller, Place};
use crate::limits::InFlight;
use crate::org::User;
use crate::rest::known_version;
use crate::schema::View;
use crate::server::{OrgState, State};
use crate::store::World;
use crate::web::{Answer, Request};

use form::Form;

/// Why a call is refused: status, `exceptionCode` and `exceptionMessage`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refusal {
    /// 400: nearly all errors of this API, a dead session included.
    fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.into() }
    }

    fn url(path: &str) -> Self {
        Self { status: StatusCode::NOT_FOUND, code: "InvalidUrl", message: format!("Unknown url {path}") }
    }
}

/// One call below `/services/async/NN.0/`.
struct Call<'a> {
    org: &'a OrgState,
    world: World,
    view: View,
    caller: Caller,
    user: Arc<User>,
    user_id: String,
    version: &'a str,
    request: &'a Request,
}

/// The name under which the log counts a call, given what stands behind the version.
pub(crate) fn resource(parts: &[&str], method: &Method) -> &'static str {
    match parts {
        ["job"] => "Bulk1Create",
        ["job", _] => "Bulk1Job",
        ["job", _, "batch"] if method == Method::POST => "Bulk1Batch",
        ["job", _, "batch"] => "Bulk1Batches",
        ["job", _, "batch", _, "result"] => "Bulk1ResultList",
        ["job", _, "batch", _, "result", _] => "Bulk1Results",
        ["job", _, "batch", ..] => "Bulk1BatchInfo",
        _ => "Bulk1Unknown",
    }
}

/// Answers a call, and tells whose org it was in.
pub(crate) async fn answer(
    state: &Arc<State>,
    request: &Request,
    place: Place,
    version: &str,
    parts: &[&str],
) -> (Option<usize>, Answer, Option<InFlight>) {
    // only this header is taken here, not `Authorization`
    let caller = request.header("x-sfdc-session").and_then(|token| place.caller(state, token.trim()));
    let Some(caller) = caller else {
        let refusal = Refusal::bad("InvalidSessionId", "Invalid session id");
        return (None, Form::of(request, None).error(&refusal), None);
    };
    let (state, request) = (state.clone(), request.clone());
    let (version, parts) =
        (version.to_owned(), parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>());
    let work = move || {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let mut in_flight = None;
        let answer = carry_out(&state, &request, caller, &version, &parts, &mut in_flight)
            .unwrap_or_else(|refusal| Form::of(&request, None).error(&refusal));
        (answer, in_flight)
    };
    let (answer, in_flight) = tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        (error_answer(status, "Unknown", "Exception thrown on server", false), None)
    });
    (Some(caller.org), answer, in_flight)
}

fn carry_out(
    state: &State,
    request: &Request,
    caller: Caller,
    version: &str,
    parts: &[&str],
    in_flight: &mut Option<InFlight>,
) -> Result<Answer, Refusal> {
    let org = &*state.orgs[caller.org];
    let user = org.users.get(caller.user);
    let user = user.ok_or_else(|| Refusal::bad("InvalidSessionId", "Invalid session id"))?;
    if !user.may("ApiEnabled") {
        return Err(Refusal::bad("InvalidUser", "API is not enabled for this Organization or Partner"));
    }
    let with_letter = format!("v{version}");
    known_version(&with_letter, &org.org.settings)
        .map_err(|_| Refusal::bad("InvalidVersion", format!("Unsupported version {version}")))?;
    *in_flight =
        Some(org.limits.enter(caller).map_err(|error| Refusal::bad("ExceededQuota", error.message))?);
    let world = org.now();
    let view = org.org.view(&world, caller.user, &user);
    let user_id = user.id.clone().unwrap_or_default();
    let call = Call { org, world, view, caller, user, user_id, version, request };
    let method = &request.method;
    match parts {
        ["job"] if method == Method::POST => job::create(state, &call),
        ["job", id] => job::answer(&call, state.bulk_job, id),
        ["job", id, "batch", rest @ ..] => batch::answer(state, &call, id, rest),
        _ => Err(Refusal::url(&request.path)),
    }
}
