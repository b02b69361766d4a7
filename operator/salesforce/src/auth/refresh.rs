//! OAuth 2.0 refresh token flow. What becomes of a refresh token that the answer replaces: see `rotation`.

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
