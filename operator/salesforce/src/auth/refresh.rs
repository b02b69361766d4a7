//! OAuth 2.0 refresh token flow.
//!
//! For apps without rotation: a worker cannot write a new refresh token back to the user's Secret, so with
//! rotation the Secret would hold a dead token after the first run.

use secrecy::SecretString;

use super::Form;

/// Fills the form.
pub(super) fn form(
    client_id: &str,
    client_secret: Option<&SecretString>,
    refresh_token: &SecretString,
) -> Form {
    let mut form = vec![
        ("grant_type", "refresh_token".into()),
        ("refresh_token", refresh_token.clone()),
        ("client_id", client_id.into()),
    ];
    form.extend(client_secret.map(|secret| ("client_secret", secret.clone())));
    form
}
