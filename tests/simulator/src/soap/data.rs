//! Operations of the partner and the enterprise API, after the Partner WSDL 47.0: those that jsforce, Data Loader and
//! libraries of other languages call.

use super::envelope::{tag, texts};
use super::{Call, Fault, describe, read, write};
use crate::value::calendar::rest_datetime;

/// Answers an operation: the element of its answer.
pub(super) fn answer(call: &Call<'_>) -> Result<String, Fault> {
    let name = call.envelope.name();
    let content = match name {
        "create" | "update" | "upsert" => write::save(call)?,
        "delete" | "undelete" | "emptyRecycleBin" => write::by_id(call)?,
        "merge" => write::merge(call)?,
        "query" => read::query(call, false)?,
        "queryAll" => read::query(call, true)?,
        "queryMore" => read::query_more(call)?,
        "retrieve" => read::retrieve(call)?,
        "getUpdated" => read::updated(call)?,
        "getDeleted" => read::deleted(call)?,
        "describeGlobal" => describe::global(call),
        "describeSObject" | "describeSObjects" => describe::objects(call)?,
        "getServerTimestamp" => {
            let mut out = "<result>".to_owned();
            tag(&mut out, "timestamp", &zulu(&rest_datetime(call.rest.org.clock.now_ms())));
            out + "</result>"
        }
        "invalidateSessions" => invalidate(call),
        "convertLead" => {
            return Err(Fault::new("INVALID_OPERATION", "Leads are not converted in a simulated org."));
        }
        _ => return Err(Fault::no_operation()),
    };
    Ok(format!("<{name}Response>{content}</{name}Response>"))
}

/// A time as SOAP writes it: `2026-01-31T10:11:12.000Z`.
pub(super) fn zulu(text: &str) -> String {
    text.strip_suffix("+0000").map_or_else(|| text.to_owned(), |time| format!("{time}Z"))
}

fn invalidate(call: &Call<'_>) -> String {
    let mut out = String::new();
    for session in texts(call.envelope.operation(), "sessionIds") {
        // a session of another org is none that this call may end
        let own =
            call.place.caller(call.state, &session).is_some_and(|caller| caller.org == call.rest.org.number);
        if own {
            call.state.sessions.revoke(&session);
        }
        out.push_str("<result>");
        if !own {
            out.push_str("<errors><message>Invalid session id</message><statusCode>INVALID_SESSION_ID</statusCode></errors>");
        }
        tag(&mut out, "success", if own { "true" } else { "false" });
        out.push_str("</result>");
    }
    out
}
