//! Errors in the form of the API that was called: a JSON array, the object of OAuth, the `<error>` of Bulk 1.0, a SOAP
//! fault, or the HTML page of a node that cannot be reached.

use http::StatusCode;
use serde_json::json;

use super::plan::Action;
use crate::web::{Answer, Request};

/// Which form an error has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Rest,
    OAuth,
    BulkXml,
    BulkJson,
    Soap,
}

/// Code, status and words of errors that happen at any call.
const KNOWN: [(&str, u16, &str); 24] = [
    ("INVALID_SESSION_ID", 401, "Session expired or invalid"),
    ("REQUEST_LIMIT_EXCEEDED", 403, "TotalRequests Limit exceeded."),
    ("API_DISABLED_FOR_ORG", 403, "The REST API is not enabled for this Organization."),
    ("API_CURRENTLY_DISABLED", 403, "API is currently disabled for this user"),
    ("INSUFFICIENT_ACCESS", 403, "insufficient access rights on object id"),
    ("NOT_FOUND", 404, "The requested resource does not exist"),
    (
        "UNKNOWN_EXCEPTION",
        500,
        "An unexpected error occurred. Please include this ErrorId if you contact support",
    ),
    ("SERVER_UNAVAILABLE", 503, "The server is temporarily unable to process your request."),
    ("QUERY_TIMEOUT", 400, "Your query request was running for too long."),
    ("OPERATION_TOO_LARGE", 400, "exceeded maximum number of rows"),
    (
        "QUERY_TOO_COMPLICATED",
        400,
        "Query is either selecting too many fields or the filter conditions are too complicated.",
    ),
    ("INVALID_QUERY_LOCATOR", 400, "invalid query locator"),
    ("UNABLE_TO_LOCK_ROW", 400, "unable to obtain exclusive access to this record"),
    ("LIMIT_EXCEEDED", 400, "Max bulk v2 query jobs (10000) per 24 hrs has been reached"),
    ("EXCEEDED_ID_LIMIT", 400, "exceeded the maximum number of ids"),
    ("invalid_grant", 400, "authentication failure"),
    ("invalid_client", 400, "invalid client credentials"),
    ("invalid_client_id", 400, "client identifier invalid"),
    ("inactive_user", 400, "user is inactive"),
    ("inactive_org", 400, "organization is inactive"),
    ("invalid_app_access", 400, "user is not admin approved to access this app"),
    ("unauthorized_client", 400, "client is not authorized"),
    ("unsupported_grant_type", 400, "grant type not supported"),
    ("rate_limit_exceeded", 403, "login rate exceeded"),
];

/// The answer that a fault gives instead of the true one.
pub(crate) fn answer(action: &Action, request: &Request, resource: &str) -> Answer {
    let known = action.error.as_deref().and_then(|code| KNOWN.iter().find(|(name, ..)| *name == code));
    let status = action.status.or(known.map(|(_, status, _)| *status));
    if let Some(body) = &action.body {
        return Answer::bytes(code_of(status.unwrap_or(200)), "text/plain;charset=UTF-8", body.clone());
    }
    let is_html = action.html
        || (action.error.is_none() && status.is_some_and(|status| status >= 500 || status == 420));
    if is_html {
        return html(status.unwrap_or(200));
    }
    let code = action.error.as_deref().unwrap_or(match status {
        Some(401) => "INVALID_SESSION_ID",
        // Salesforce says it with 403; a gateway before it with 429
        Some(403 | 429) => "REQUEST_LIMIT_EXCEEDED",
        Some(404) => "NOT_FOUND",
        Some(405) => "METHOD_NOT_ALLOWED",
        _ => "UNKNOWN_EXCEPTION",
    });
    let words = KNOWN.iter().find(|(name, ..)| *name == code).map_or(code, |(.., words)| *words);
    let message = action.message.as_deref().unwrap_or(words);
    in_form(form(request, resource), status, code, message)
}

fn in_form(form: Form, status: Option<u16>, code: &str, message: &str) -> Answer {
    let or = |usual: u16| code_of(status.unwrap_or(usual));
    match form {
        Form::Rest => Answer::json(or(400), &json!([{"message": message, "errorCode": code}])),
        Form::OAuth => Answer::json(or(400), &json!({"error": code, "error_description": message})),
        // a dead session is no 401 there, and has a name of its own
        Form::BulkXml | Form::BulkJson => {
            let (status, code) = match code {
                "INVALID_SESSION_ID" => (StatusCode::BAD_REQUEST, "InvalidSessionId"),
                "REQUEST_LIMIT_EXCEEDED" => (or(400), "ExceededQuota"),
                "UNKNOWN_EXCEPTION" => (or(500), "Unknown"),
                other => (or(400), other),
            };
            crate::bulk1::error_answer(status, code, message, form == Form::BulkJson)
        }
        Form::Soap => {
            let text = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
                 xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
                 xmlns:sf=\"urn:fault.partner.soap.sforce.com\"><soapenv:Body><soapenv:Fault>\
                 <faultcode>sf:{code}</faultcode><faultstring>{code}: {}</faultstring></soapenv:Fault>\
                 </soapenv:Body></soapenv:Envelope>",
                crate::bulk1::escape(message)
            );
            // whatever the error is, a SOAP fault comes with 500
            Answer::bytes(StatusCode::INTERNAL_SERVER_ERROR, "text/xml;charset=UTF-8", text)
        }
    }
}

fn form(request: &Request, resource: &str) -> Form {
    match resource {
        resource if resource.starts_with("Token") => Form::OAuth,
        resource if resource.starts_with("Soap") => Form::Soap,
        resource if resource.starts_with("Bulk1") => {
            let is_json = request.header("content-type").is_some_and(|kind| kind.contains("json"));
            if is_json { Form::BulkJson } else { Form::BulkXml }
        }
        _ => Form::Rest,
    }
}

fn code_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// What a node behind a load balancer says that cannot answer.
fn html(status: u16) -> Answer {
    let (title, text) = match status {
        200 => ("Salesforce", "We are performing maintenance. Please try again later."),
        503 | 420 => ("503 Service Unavailable", "The server is busy. Please try again later."),
        502 | 504 => ("502 Bad Gateway", "The request could not be completed."),
        _ => ("500 Server Error", "An internal server error has occurred."),
    };
    let page = format!(
        "<!DOCTYPE HTML>\n<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n<p>{text}</p>\n</body>\n</html>\n"
    );
    Answer::bytes(code_of(status), "text/html;charset=UTF-8", page)
}
