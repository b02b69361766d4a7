//! Sign-in: the forms of the three OAuth flows, and the one token that all tasks share.

mod client_credentials;
mod jwt;
mod refresh;
mod rotation;
mod token;

use jiff::Timestamp;
use secrecy::SecretString;

use crate::error::Result;
use crate::options::{Auth, Environment};

pub(crate) use rotation::Rotation;
pub use rotation::{RefreshTokenSink, Sink};
pub(crate) use token::{Token, TokenAnswer, TokenKeeper, user_of};

/// A form for the token endpoint: names and values.
pub(crate) type Form = Vec<(&'static str, SecretString)>;

/// Fills the form of the flow that the options ask for; `rotated` is the refresh token that came in the place of
/// the options' one.
pub(crate) fn form(
    auth: &Auth,
    rotated: Option<&SecretString>,
    environment: Environment,
    now: Timestamp,
) -> Result<Form> {
    match auth {
        Auth::JwtBearer { client_id, username, private_key } => {
            jwt::form(client_id, username, private_key, environment, now)
        }
        Auth::ClientCredentials { client_id, client_secret } => {
            Ok(client_credentials::form(client_id, client_secret))
        }
        Auth::RefreshToken { client_id, client_secret, refresh_token } => {
            Ok(refresh::form(client_id, client_secret.as_ref(), rotated.unwrap_or(refresh_token)))
        }
    }
}
