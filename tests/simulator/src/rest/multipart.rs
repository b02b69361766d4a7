//! Records with contents beside them: the part in JSON and the parts in bytes of a `multipart/form-data` body (REST API
//! guide, Insert or Update Blob Data).

use bytes::Bytes;

use super::Call;
use crate::store::Content;
use crate::web::ApiError;

/// Bytes of a body in JSON at most, contents in base64 among them.
const LARGEST_JSON: usize = 50 * 1024 * 1024;

/// The body, or its part in JSON: the first one that is no content.
pub(super) fn json(call: &Call<'_>) -> Result<Bytes, ApiError> {
    let Some(parts) = &call.request.parts else {
        let body = call.request.body.clone();
        if body.len() > LARGEST_JSON {
            let message =
                format!("Maximum size of request reached. Maximum size of request is {LARGEST_JSON} bytes.");
            return Err(ApiError::bad("REQUEST_TOO_LARGE", message));
        }
        return Ok(body);
    };
    let part = parts.iter().find(|part| part.is_text);
    let part = part.ok_or_else(|| malformed("Multipart message must include a non-binary part"))?;
    part.content.to_bytes().map_err(|error| malformed(error.to_string()))
}

fn malformed(message: impl Into<String>) -> ApiError {
    ApiError::bad("INVALID_MULTIPART_REQUEST", message)
}

/// The contents, by the names of their parts: those of the fields that they are for.
pub(super) fn contents(call: &Call<'_>) -> Vec<(String, Content)> {
    let parts = call.request.parts.iter().flat_map(|parts| parts.iter());
    parts.filter(|part| !part.is_text).map(|part| (part.name.clone(), part.content.clone())).collect()
}

/// The content of one part.
pub(super) fn content(call: &Call<'_>, name: &str) -> Result<Content, ApiError> {
    let found = contents(call).into_iter().find(|(known, _)| known == name);
    found
        .map(|(_, content)| content)
        .ok_or_else(|| malformed(format!("The binary part {name} that a record names is not in the request")))
}
