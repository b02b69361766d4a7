//! `search`: the simulator keeps no index of words, and says so.

use http::StatusCode;

use super::Call;
use crate::web::ApiError;

/// Why a search is refused.
pub(super) fn refused(call: &Call<'_>) -> ApiError {
    let text = call.request.parameter("q").unwrap_or_default();
    if !(text.contains('{') && text.contains('}')) {
        let message = "No search term found. The search term must be enclosed in braces.";
        return ApiError::bad("MALFORMED_SEARCH", message);
    }
    let message = "Search is not enabled for this organization";
    ApiError::new(StatusCode::BAD_REQUEST, "FUNCTIONALITY_NOT_ENABLED", message)
}
