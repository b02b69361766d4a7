//! `PUT jobs/ingest/ID/batches`: the rows, in one call.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::StatusCode;

use super::job::IngestJob;
use super::new::unsupported;
use crate::rest::Call;
use crate::web::{Answer, ApiError, Spooled};

/// Bytes that an upload may have once the server has made base64 of it ("Upload Job Data").
const MOST_IN_BASE64: u64 = 150_000_000;

/// Takes the rows.
pub(super) fn put(call: &Call<'_>, job: &Arc<IngestJob>) -> Result<Answer, ApiError> {
    let kind = call.request.header("content-type").unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/csv") {
        return Err(unsupported(kind));
    }
    let file =
        call.request.spooled.clone().unwrap_or_else(|| Arc::new(Spooled::of(call.request.body.clone())));
    let in_base64 = file.bytes().div_ceil(3) * 4;
    if in_base64 > MOST_IN_BASE64 {
        // the words are those of Bulk 1.0 for its own limit
        let message = format!(
            "Failed to read request. Exceeded max size limit of {MOST_IN_BASE64} with response size {in_base64}"
        );
        return Err(ApiError::bad("CLIENTINPUTERROR", message));
    }
    let bytes = file.bytes();
    job.fill(file)?;
    call.org.ingest_jobs.1.bytes.fetch_add(bytes, Ordering::Relaxed);
    super::vanish(call, job).map_or(Ok(Answer::empty(StatusCode::CREATED)), Err)
}
