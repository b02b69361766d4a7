//! The calls of the Metadata API that deploy.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::crud;
use super::input::Input;
use super::options::Options;
use super::queue::{By, Deploy, Deploys, QueueError, Status};
use super::result::{json, xml};
use crate::org::OrgType;
use crate::rest;
use crate::soap::envelope::{child, tag, text_of};
use crate::soap::{Call, Fault};
use crate::value::Id;

/// Answers a call that deploys or changes components; none if it is another one.
pub(crate) fn answer(call: &Call<'_>) -> Option<Result<String, Fault>> {
    let content = match call.envelope.name() {
        "deploy" => deploy(call),
        "checkDeployStatus" => check(call),
        // ids that begin with 09S are retrieves'
        "checkStatus" if id_of(call).starts_with("0Af") => check_old(call),
        "cancelDeploy" => cancel(call),
        "deployRecentValidation" => recent(call),
        name @ ("createMetadata" | "updateMetadata" | "upsertMetadata" | "deleteMetadata"
        | "renameMetadata") => crud::answer(call, name),
        _ => return None,
    };
    let name = call.envelope.name();
    Some(content.map(|content| format!("<{name}Response>{content}</{name}Response>")))
}

/// Whoever calls.
pub(super) fn by(call: &rest::Call<'_>) -> By {
    let user = call.user;
    let last = user
        .last_name
        .clone()
        .unwrap_or_else(|| user.username.split('@').next().unwrap_or_default().to_owned());
    let name = user.first_name.as_ref().map_or_else(|| last.clone(), |first| format!("{first} {last}"));
    By { id: Id::parse(call.user_id()).unwrap_or(Id::LOWEST), name }
}

impl From<QueueError> for Fault {
    fn from(error: QueueError) -> Self {
        let code = match &error {
            QueueError::Unknown => "INVALID_CROSS_REFERENCE_KEY",
            QueueError::Done(_) | QueueError::NoValidation(_) => "INVALID_ID_FIELD",
        };
        Self::new(code, error.to_string())
    }
}

/// Takes a zip in.
pub(super) fn begin(
    state: &crate::server::State,
    call: &rest::Call<'_>,
    zip: &[u8],
    options: Options,
) -> Result<Arc<Deploy>, &'static str> {
    let production = call.org.org.settings.r#type == OrgType::Production;
    if let Some(refusal) = options.refused(production) {
        return Err(refusal);
    }
    let input = Input::read(zip, &options).map_err(|error| error.to_string());
    Ok(Deploys::add(&state.orgs[call.org.number], options, input, by(call), state.bulk_job))
}

fn deploy(call: &Call<'_>) -> Result<String, Fault> {
    let operation = call.envelope.operation();
    // clients write the arguments with a small letter, too
    let zip = text_of(operation, "ZipFile").or_else(|| text_of(operation, "zipFile")).unwrap_or_default();
    let zip: String = zip.chars().filter(|c| !c.is_whitespace()).collect();
    let zip = STANDARD.decode(zip).map_err(|_| Fault::client("ZipFile is not base64Binary"))?;
    let options = child(operation, "DeployOptions").or_else(|| child(operation, "deployOptions"));
    let options = Options::of_node(options).map_err(Fault::client)?;
    let begun = begin(call.state, &call.rest, &zip, options);
    let deploy = begun.map_err(|refusal| Fault::new("INVALID_OPERATION", refusal))?;
    let mut out = String::from("<result>");
    tag(&mut out, "done", "false");
    tag(&mut out, "id", &deploy.id.to_string());
    tag(&mut out, "state", "Queued");
    out.push_str("</result>");
    Ok(out)
}

fn id_of(call: &Call<'_>) -> String {
    let operation = call.envelope.operation();
    ["asyncProcessId", "id", "String", "validationId"]
        .iter()
        .find_map(|name| text_of(operation, name))
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

fn find(call: &Call<'_>) -> Result<Arc<Deploy>, Fault> {
    Ok(call.rest.org.deploys.find(&id_of(call)).ok_or(QueueError::Unknown)?)
}

fn check(call: &Call<'_>) -> Result<String, Fault> {
    let deploy = find(call)?;
    let details = text_of(call.envelope.operation(), "includeDetails");
    let details = details.is_some_and(|text| text.trim().eq_ignore_ascii_case("true"));
    let mut out = String::new();
    xml(&mut out, "result", &json(&deploy, details));
    Ok(out)
}

/// `checkStatus` of API versions before 31.0.
fn check_old(call: &Call<'_>) -> Result<String, Fault> {
    let deploy = find(call)?;
    let standing = deploy.standing();
    let mut out = String::from("<result>");
    tag(&mut out, "done", if standing.status.is_done() { "true" } else { "false" });
    tag(&mut out, "id", &deploy.id.to_string());
    if let Some((_, message)) = standing.outcome.as_ref().and_then(|outcome| outcome.error.as_ref()) {
        tag(&mut out, "message", message);
    }
    let state = match standing.status {
        Status::Pending => "Queued",
        Status::InProgress | Status::Canceling => "InProgress",
        // what became of it is told by checkDeployStatus
        Status::Succeeded | Status::SucceededPartial | Status::Failed => "Completed",
        Status::Canceled => "Error",
    };
    tag(&mut out, "state", state);
    out.push_str("</result>");
    Ok(out)
}

fn cancel(call: &Call<'_>) -> Result<String, Fault> {
    let org = call.rest.org;
    let deploy = org.deploys.cancel(&id_of(call), by(&call.rest), org.clock.now_ms())?;
    let mut out = String::from("<result>");
    tag(&mut out, "done", if deploy.standing().status.is_done() { "true" } else { "false" });
    tag(&mut out, "id", &deploy.id.to_string());
    out.push_str("</result>");
    Ok(out)
}

fn recent(call: &Call<'_>) -> Result<String, Fault> {
    let org = &call.state.orgs[call.rest.org.number];
    let deploy = Deploys::deploy_validated(org, &id_of(call), by(&call.rest), call.state.bulk_job)?;
    let mut out = String::new();
    tag(&mut out, "result", &deploy.id.to_string());
    Ok(out)
}
