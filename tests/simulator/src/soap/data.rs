//! Operations of the partner and the enterprise API.

use super::{Call, Fault};

/// Answers an operation.
pub(super) fn answer(call: &Call<'_>) -> Result<String, Fault> {
    let _ = call;
    Err(Fault::no_operation())
}
