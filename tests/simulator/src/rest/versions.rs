//! API versions: which there are, and their names.

use serde_json::{Value as Json, json};

use crate::org::{ApiVersions, Settings};
use crate::schema::View;
use crate::web::ApiError;
use http::StatusCode;

/// The version named in a path (`v62.0`), if the org answers it.
pub(crate) fn known<'a>(part: &'a str, settings: &Settings) -> Result<&'a str, ApiError> {
    let version = part.strip_prefix('v').ok_or_else(ApiError::not_found)?;
    let number = version
        .strip_suffix(".0")
        .and_then(|number| number.parse::<u16>().ok())
        .ok_or_else(ApiError::not_found)?;
    let (oldest, newest) = bounds(&settings.api_versions);
    if number > newest || number == 0 {
        return Err(ApiError::not_found());
    }
    if number < oldest {
        let message = format!("API version {version} is retired. The oldest supported version is {oldest}.0");
        return Err(ApiError::new(StatusCode::GONE, "UNSUPPORTED_API_VERSION", message));
    }
    Ok(version)
}

/// Whether a version (`62.0`) is this one or a later one.
pub(super) fn reached(version: &str, since: u16) -> bool {
    version
        .split('.')
        .next()
        .and_then(|number| number.parse::<u16>().ok())
        .is_some_and(|number| number >= since)
}

/// What a user sees by an API version: who may query all files needs no filter for links of files since 59.0.
pub(crate) fn seen_by(version: &str, mut view: View) -> View {
    view.query_all_files &= reached(version, 59);
    view
}

/// The answer of `/services/data`.
pub(crate) fn list(settings: &Settings) -> Json {
    let (oldest, newest) = bounds(&settings.api_versions);
    let entry = |number: u16| {
        let version = format!("{number}.0");
        json!({"label": label(number), "url": format!("/services/data/v{version}"), "version": version})
    };
    (oldest..=newest).map(entry).collect()
}

fn bounds(versions: &ApiVersions) -> (u16, u16) {
    let number =
        |version: &str| version.split('.').next().and_then(|number| number.parse().ok()).unwrap_or_default();
    (number(&versions.oldest), number(&versions.newest))
}

/// Three releases a year since Winter '11, which was 20.0.
fn label(number: u16) -> String {
    let since = number.saturating_sub(20);
    let season = ["Winter", "Spring", "Summer"][usize::from(since % 3)];
    format!("{season} '{:02}", 11 + since / 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        assert_eq!(label(20), "Winter '11");
        assert_eq!(label(63), "Spring '25");
        assert_eq!(label(67), "Summer '26");
    }
}
