//! `/services/Soap`: the envelope that all SOAP APIs share, who calls, and which API answers.

mod data;
mod describe;
pub(crate) mod envelope;
mod read;
mod sobject;
mod write;

use std::sync::Arc;

pub(crate) use envelope::{Api, Envelope, Fault, peek};

use crate::auth::{self, Caller, Place};
use crate::limits::InFlight;
use crate::metadata;
use crate::rest;
use crate::server::State;
use crate::web::{Answer, Request};

/// A SOAP call by somebody with a session.
pub(crate) struct Call<'a> {
    pub(crate) state: &'a State,
    pub(crate) api: Api,
    pub(crate) envelope: &'a Envelope<'a>,
    /// Org, user, world and version, as calls by REST have them.
    pub(crate) rest: rest::Call<'a>,
    pub(crate) place: Place,
}

/// An answer, and what the server notes of it.
pub(crate) struct Answered {
    pub(crate) org: Option<usize>,
    pub(crate) in_flight: Option<InFlight>,
    pub(crate) answer: Answer,
}

impl Answered {
    fn fault(org: Option<usize>, api: Api, fault: &Fault) -> Self {
        Self { org, in_flight: None, answer: fault.answer(api) }
    }
}

/// The name under which the log counts a call.
pub(crate) fn resource(api: Api, request: &Request) -> &'static str {
    match api {
        Api::Metadata => "SoapMetadata",
        Api::Tooling => "SoapTooling",
        Api::Partner | Api::Enterprise if peek(&request.body) == "login" => "SoapLogin",
        Api::Partner | Api::Enterprise => "Soap",
    }
}

/// Answers a message to `/services/Soap/<letter>/NN.0`; it may take its time, so it runs on a thread of its own.
pub(crate) async fn answer(
    state: Arc<State>,
    request: Request,
    place: Place,
    api: Api,
    version: String,
) -> Answered {
    let work = move || run(&state, &request, place, api, &version);
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        let message = "An unexpected error occurred. Please include this ErrorId if you contact support";
        Answered::fault(place.org(), api, &Fault::new("UNKNOWN_EXCEPTION", message))
    })
}

fn run(state: &State, request: &Request, place: Place, api: Api, version: &str) -> Answered {
    let Ok(text) = std::str::from_utf8(&request.body) else {
        return Answered::fault(place.org(), api, &Fault::client("the message is not UTF-8"));
    };
    let envelope = match Envelope::parse(text) {
        Ok(envelope) => envelope,
        Err(fault) => return Answered::fault(place.org(), api, &fault),
    };
    let data = matches!(api, Api::Partner | Api::Enterprise);
    if data && let Some((org, told)) = auth::soap(state, request, place, api, version, &envelope) {
        let answer = told.map_or_else(|fault| fault.answer(api), |told| envelope::answer(api, "", &told));
        return Answered { org, in_flight: None, answer };
    }
    let caller = envelope.session().and_then(|token| place.caller(state, &token));
    let Some(caller) = caller else { return Answered::fault(place.org(), api, &Fault::session()) };
    match with_session(state, request, place, api, version, caller, &envelope) {
        Ok((answer, in_flight)) => Answered { org: Some(caller.org), in_flight: Some(in_flight), answer },
        Err(fault) => Answered::fault(Some(caller.org), api, &fault),
    }
}

fn with_session(
    state: &State,
    request: &Request,
    place: Place,
    api: Api,
    version: &str,
    caller: Caller,
    envelope: &Envelope<'_>,
) -> Result<(Answer, InFlight), Fault> {
    let org = &*state.orgs[caller.org];
    let user = org.users.get(caller.user).ok_or_else(Fault::session)?;
    if !user.may("ApiEnabled") {
        return Err(Fault::new(
            "API_DISABLED_FOR_ORG",
            "API is not enabled for this Organization or Partner",
        ));
    }
    let named = format!("v{version}");
    let version = rest::known_version(&named, &org.org.settings)
        .map_err(|_| Fault::new("UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL"))?;
    let in_flight = org.limits.enter(caller)?;
    let world = org.now();
    let view = rest::seen_by(version, org.org.view(&world, caller.user, &user));
    let rest = rest::Call { org, world, caller, user: &user, view, version, request, open: None };
    let call = Call { state, api, envelope, rest, place };
    let told = match api {
        Api::Partner | Api::Enterprise => data::answer(&call),
        Api::Metadata => metadata::answer(&call),
        Api::Tooling => Err(Fault::no_operation()),
    };
    let answer = match told {
        Ok(told) => {
            let header = if api == Api::Metadata { String::new() } else { limit_info(&call) };
            envelope::answer(api, &header, &told)
        }
        Err(fault) => fault.answer(api),
    };
    Ok((answer, in_flight))
}

/// The header that tells of the allowance, as answers of the partner API have it (`LimitInfoHeader` of the WSDL).
fn limit_info(call: &Call<'_>) -> String {
    let requests = &call.rest.org.limits.requests;
    format!(
        "<LimitInfoHeader><limitInfo><current>{}</current><limit>{}</limit><type>API REQUESTS</type></limitInfo>\
         </LimitInfoHeader>",
        requests.told(),
        requests.max()
    )
}
