//! OAuth 2.0 client credentials flow: the app's id and secret; acts as the app's run-as user.

use secrecy::SecretString;

use super::Form;

/// Fills the form.
pub(super) fn form(client_id: &str, client_secret: &SecretString) -> Form {
    vec![
        ("grant_type", "client_credentials".into()),
        ("client_id", client_id.into()),
        ("client_secret", client_secret.clone()),
    ]
}
