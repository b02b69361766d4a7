//! `metadata/deployRequest`: deploys by REST (Metadata API guide, "Deploying and Retrieving Metadata with REST").

use http::{Method, StatusCode};
use serde_json::{Value as Json, json};

use super::options::Options;
use super::queue::{Deploy, Deploys, QueueError};
use super::result;
use super::soap::{begin, by};
use crate::rest::Call;
use crate::server::State;
use crate::web::{Answer, ApiError};

/// Answers below `metadata`.
pub(crate) fn answer(state: &State, call: &Call<'_>, rest: &[&str]) -> Result<Answer, ApiError> {
    if !call.user.may("ModifyMetadata") && !call.user.may("ModifyAllData") {
        let message =
            "use of the Metadata API requires a user with the ModifyAllData or ModifyMetadata permissions";
        return Err(ApiError::forbidden("INSUFFICIENT_ACCESS", message));
    }
    match (rest, &call.request.method) {
        (["deployRequest"], &Method::POST) => post(state, call),
        (["deployRequest"], method) => Err(ApiError::method(method, "POST")),
        (["deployRequest", id], &Method::GET) => {
            let deploy = call.org.deploys.find(id).ok_or_else(unknown)?;
            let details = call.request.parameter("includeDetails") == Some("true");
            Ok(Answer::ok(&told(&deploy, details)))
        }
        (["deployRequest", id], &Method::PATCH) => {
            let body: Json = serde_json::from_slice(&call.request.body)
                .map_err(|error| ApiError::bad("JSON_PARSER_ERROR", error.to_string()))?;
            if body["deployResult"]["status"] != "Canceling" {
                let message = "deployResult.status can be set to Canceling only";
                return Err(ApiError::bad("INVALID_INPUT", message));
            }
            let deploy = call.org.deploys.cancel(id, by(call), call.org.clock.now_ms())?;
            Ok(Answer::json(StatusCode::ACCEPTED, &told(&deploy, false)))
        }
        (["deployRequest", _], method) => Err(ApiError::method(method, "GET,PATCH")),
        _ => Err(ApiError::not_found()),
    }
}

impl From<QueueError> for ApiError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Unknown => unknown(),
            error => Self::bad("INVALID_ID_FIELD", error.to_string()),
        }
    }
}

fn unknown() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "NOT_FOUND", "The requested resource does not exist")
}

fn told(deploy: &Deploy, details: bool) -> Json {
    let mut result = result::json(deploy, details);
    if let Some(details) = result.get_mut("details") {
        let all = ["componentFailures", "componentSuccesses"].map(|name| details[name].clone());
        let all = all.iter().filter_map(Json::as_array).flatten().cloned().collect::<Vec<_>>();
        details["allComponentMessages"] = Json::Array(all);
    }
    json!({
        "deployOptions": deploy.options.told(), "deployResult": result, "id": deploy.id.to_string(),
        "validatedDeployRequestId": null,
    })
}

fn post(state: &State, call: &Call<'_>) -> Result<Answer, ApiError> {
    let malformed = |message: String| ApiError::bad("INVALID_MULTIPART_REQUEST", message);
    let Some(parts) = &call.request.parts else {
        let body: Json = serde_json::from_slice(&call.request.body)
            .map_err(|error| ApiError::bad("JSON_PARSER_ERROR", error.to_string()))?;
        let id = body["validatedDeployRequestId"].as_str();
        let id = id.ok_or_else(|| {
            malformed("The request has no parts and no validatedDeployRequestId".to_owned())
        })?;
        let org = &state.orgs[call.org.number];
        let deploy = Deploys::deploy_validated(org, id, by(call), state.bulk_job)?;
        let mut told = told(&deploy, false);
        told["validatedDeployRequestId"] = json!(id);
        return Ok(Answer::json(StatusCode::CREATED, &told));
    };
    let bytes = |text: bool| {
        let part = parts.iter().find(|part| part.is_text == text)?;
        Some(part.content.to_bytes().map_err(|error| malformed(error.to_string())))
    };
    let options = bytes(true).ok_or_else(|| malformed("The request has no part in JSON".to_owned()))??;
    let options: Json = serde_json::from_slice(&options)
        .map_err(|error| ApiError::bad("JSON_PARSER_ERROR", error.to_string()))?;
    let options = Options::of_json(&options["deployOptions"])
        .map_err(|message| ApiError::bad("JSON_PARSER_ERROR", message))?;
    let zip = bytes(false).ok_or_else(|| malformed("The request has no part with a zip".to_owned()))??;
    let begun = begin(state, call, &zip, options);
    let deploy = begun.map_err(|refusal| ApiError::bad("INVALID_OPERATION", refusal))?;
    Ok(Answer::json(StatusCode::CREATED, &told(&deploy, false)))
}
