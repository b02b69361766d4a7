//! `org.yaml`: who the org is, what it allows, its users and its connected apps.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use crate::store::transaction::Doubts;

/// The whole of `org.yaml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// Name of the org.
    pub name: String,
    /// Its id of 18 characters; after loading it is always there.
    #[serde(default)]
    pub id: Option<String>,
    /// Production or sandbox.
    #[serde(default)]
    pub r#type: OrgType,
    /// Edition, as `Organization.OrganizationType` shows it.
    #[serde(default = "enterprise")]
    pub edition: String,
    /// API versions that it answers.
    #[serde(default)]
    pub api_versions: ApiVersions,
    /// What it allows in a day.
    #[serde(default)]
    pub limits: Limits,
    /// How long a session lives without use.
    #[serde(default = "two_hours")]
    pub session_minutes: u64,
    /// Users.
    pub users: Vec<User>,
    /// Connected apps.
    #[serde(default)]
    pub connected_apps: Vec<ConnectedApp>,
    /// Which form facts about Salesforce take that could not be found out for certain.
    #[serde(default)]
    pub doubts: Doubts,
    /// File of rules that fire; later.
    #[serde(default)]
    pub automation: Option<PathBuf>,
}

/// Production or sandbox.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum OrgType {
    #[default]
    Production,
    Sandbox,
}

/// The oldest and the newest API version.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ApiVersions {
    pub oldest: String,
    pub newest: String,
}

impl Default for ApiVersions {
    fn default() -> Self {
        Self { oldest: "31.0".to_owned(), newest: "67.0".to_owned() }
    }
}

/// Daily allowances.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Limits {
    /// API requests in 24 hours.
    pub daily_api_requests: u64,
    /// Bulk 2.0 query jobs in 24 hours.
    pub daily_bulk_v2_query_jobs: u64,
    /// How many seconds `limits` is behind.
    pub lag_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { daily_api_requests: 100_000, daily_bulk_v2_query_jobs: 10_000, lag_seconds: 0 }
    }
}

/// One user.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct User {
    /// User name, in the form of an e-mail address.
    pub username: String,
    /// Password, if the user may sign in with one.
    #[serde(default, deserialize_with = "secret")]
    pub password: Option<SecretString>,
    /// Name of the profile.
    #[serde(default = "standard_user")]
    pub profile: String,
    /// Permissions by API name: ApiEnabled, ViewAllData, ModifyAllData, QueryAllFiles, …
    #[serde(default)]
    pub permissions: Vec<String>,
    /// Fields (`Contact.Birthdate`) that the user cannot see.
    #[serde(default)]
    pub hidden_fields: Vec<String>,
    /// Objects that the user cannot see.
    #[serde(default)]
    pub hidden_objects: Vec<String>,
    /// First name.
    #[serde(default)]
    pub first_name: Option<String>,
    /// Last name; made from the user name otherwise.
    #[serde(default)]
    pub last_name: Option<String>,
    /// May sign in.
    #[serde(default = "yes")]
    pub active: bool,
    /// The user's id of 18 characters; after loading it is always there.
    #[serde(default)]
    pub id: Option<String>,
}

impl User {
    /// Whether the user has a permission.
    pub fn may(&self, permission: &str) -> bool {
        self.permissions.iter().any(|p| p.eq_ignore_ascii_case(permission))
    }
}

/// One connected app.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ConnectedApp {
    /// Consumer key.
    pub client_id: String,
    /// Consumer secret.
    #[serde(default, deserialize_with = "secret")]
    pub client_secret: Option<SecretString>,
    /// Flows that it allows.
    #[serde(default)]
    pub flows: Vec<Flow>,
    /// User of client credentials.
    #[serde(default)]
    pub run_as: Option<String>,
    /// Certificate (PEM) whose key signs JWTs; after loading the path is joined to the directory.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// Whether a refresh token dies when it is used.
    #[serde(default)]
    pub rotate_refresh_tokens: bool,
}

/// OAuth flows.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Flow {
    ClientCredentials,
    JwtBearer,
    RefreshToken,
    Password,
    WebServer,
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(SecretString::from))
}

fn enterprise() -> String {
    "Enterprise Edition".to_owned()
}

fn standard_user() -> String {
    "Standard User".to_owned()
}

fn two_hours() -> u64 {
    120
}

fn yes() -> bool {
    true
}
