//! `org.yaml`: who the org is, what it allows, its users and its connected apps.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::store::activity::Activity;
use crate::store::transaction::Doubts;

/// The whole of `org.yaml`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// Name of the org.
    pub name: String,
    /// Its id of 18 characters; after loading it is always there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    /// How long a session lives without use, in minutes; a part of one is allowed.
    #[serde(default = "two_hours")]
    pub session_minutes: f64,
    /// The first label of its own host (`acme`, or `acme--uat` for a sandbox); made from the name otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub my_domain: Option<String>,
    /// Whether SOAP `login()` works; in orgs made since Winter '26 an administrator must allow it first.
    #[serde(default = "yes")]
    pub soap_login: bool,
    /// Whether a sign-in gives the session again that the user has in the app and that still lives.
    #[serde(default)]
    pub reuse_sessions: bool,
    /// Users.
    pub users: Vec<User>,
    /// Connected apps.
    #[serde(default)]
    pub connected_apps: Vec<ConnectedApp>,
    /// Which form facts about Salesforce take that could not be found out for certain.
    #[serde(default)]
    pub doubts: Doubts,
    /// Whether accounts can be persons: off in new orgs, and never off again.
    #[serde(default)]
    pub person_accounts: bool,
    /// How much of the generated records users change in a day.
    #[serde(default)]
    pub activity: Activity,
    /// Folders of metadata source whose custom objects and fields the org has, beside `force-app` in its directory.
    #[serde(default)]
    pub metadata: Vec<PathBuf>,
    /// File of rules that fire; later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automation: Option<PathBuf>,
}

impl Settings {
    /// How long a session lives without use, in milliseconds.
    pub(crate) fn session_ms(&self) -> i64 {
        (self.session_minutes * 60_000.0) as i64
    }

    /// The first label of the org's own host.
    pub(crate) fn my_domain(&self) -> String {
        if let Some(given) = &self.my_domain {
            return given.to_ascii_lowercase();
        }
        let letters =
            self.name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
        let label = letters
            .collect::<String>()
            .split('-')
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("-");
        match self.r#type {
            OrgType::Production => label,
            OrgType::Sandbox => format!("{label}--sandbox"),
        }
    }

    /// What is wrong with it, as far as it can be seen without schema and directory.
    pub(super) fn check(&self) -> Result<(), String> {
        if !self.session_minutes.is_finite() || self.session_minutes < 0.0 {
            return Err(format!("sessionMinutes: {} is not a time", self.session_minutes));
        }
        if !self.limits.long_call_seconds.is_finite() || self.limits.long_call_seconds < 0.0 {
            return Err(format!("limits, longCallSeconds: {} is not a time", self.limits.long_call_seconds));
        }
        let is_user = |name: &String| self.users.iter().any(|user| user.username.eq_ignore_ascii_case(name));
        for (number, app) in self.connected_apps.iter().enumerate() {
            let id = &app.client_id;
            if self.connected_apps[..number].iter().any(|other| other.client_id == *id) {
                return Err(format!("connectedApps: there are two of {id}; consumer keys are unique"));
            }
            if let Some(user) = app.approved_users.iter().flatten().find(|name| !is_user(name)) {
                return Err(format!("connectedApps, {id}, approvedUsers: there is no user {user}"));
            }
            if let Some(url) = app.callback_urls.iter().find(|url| url::Url::parse(url).is_err()) {
                return Err(format!("connectedApps, {id}, callbackUrls: `{url}` is not a URL"));
            }
        }
        Ok(())
    }
}

/// Production or sandbox.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum OrgType {
    #[default]
    Production,
    Sandbox,
}

/// The oldest and the newest API version.
#[derive(Clone, Debug, Deserialize, Serialize)]
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
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Limits {
    /// API requests in 24 hours.
    pub daily_api_requests: u64,
    /// Bulk 2.0 query jobs in 24 hours.
    pub daily_bulk_v2_query_jobs: u64,
    /// Batches of Bulk 1.0 and of Bulk 2.0 ingest in 24 hours.
    pub daily_bulk_api_batches: u64,
    /// Megabytes of Bulk 2.0 query results in 24 hours.
    #[serde(rename = "dailyBulkV2QueryFileStorageMB")]
    pub daily_bulk_v2_query_file_storage_mb: u64,
    /// Megabytes of records.
    #[serde(rename = "dataStorageMB")]
    pub data_storage_mb: u64,
    /// Megabytes of files.
    #[serde(rename = "fileStorageMB")]
    pub file_storage_mb: u64,
    /// How many seconds `limits` is behind.
    pub lag_seconds: u64,
    /// API requests that others make in an hour, all the time.
    pub others_per_hour: u64,
    /// How old the counts of `recordCount` may be, in seconds.
    pub record_count_seconds: u64,
    /// Calls beyond the allowance that are let through before calls are refused: it has been seen that an org was.
    pub overrun: u64,
    /// Long calls at the same time; without it what the edition has.
    pub concurrent_long_calls: Option<usize>,
    /// Wrong passwords in a row after which a user is locked out, for a quarter of an hour.
    pub wrong_passwords: u32,
    /// Sign-ins of a user in an hour, of all flows.
    pub logins_per_hour: u64,
    /// From when on a call is long.
    pub long_call_seconds: f64,
    /// Milliseconds that a transaction waits for a row which another one has locked.
    pub lock_wait_ms: u64,
    /// Milliseconds that 200 rows of a Bulk batch keep what they have locked.
    pub bulk_chunk_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            daily_api_requests: 100_000,
            daily_bulk_v2_query_jobs: 10_000,
            daily_bulk_api_batches: 15_000,
            daily_bulk_v2_query_file_storage_mb: 976_562,
            data_storage_mb: 10_240,
            file_storage_mb: 10_240,
            lag_seconds: 0,
            others_per_hour: 0,
            record_count_seconds: 0,
            overrun: 0,
            concurrent_long_calls: None,
            wrong_passwords: 10,
            logins_per_hour: 3_600,
            long_call_seconds: 20.0,
            lock_wait_ms: crate::store::locks::WAIT_MS,
            bulk_chunk_ms: 0,
        }
    }
}

/// One user.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct User {
    /// User name, in the form of an e-mail address.
    pub username: String,
    /// Password, if the user may sign in with one.
    #[serde(
        default,
        deserialize_with = "secret",
        serialize_with = "told",
        skip_serializing_if = "Option::is_none"
    )]
    pub password: Option<SecretString>,
    /// Security token, which may follow the password.
    #[serde(
        default,
        deserialize_with = "secret",
        serialize_with = "told",
        skip_serializing_if = "Option::is_none"
    )]
    pub security_token: Option<SecretString>,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Last name; made from the user name otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// May sign in.
    #[serde(default = "yes")]
    pub active: bool,
    /// The user's id of 18 characters; after loading it is always there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl User {
    /// Whether the user has a permission.
    pub fn may(&self, permission: &str) -> bool {
        self.permissions.iter().any(|p| p.eq_ignore_ascii_case(permission))
    }
}

/// One connected app.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ConnectedApp {
    /// Consumer key.
    pub client_id: String,
    /// Consumer secret.
    #[serde(
        default,
        deserialize_with = "secret",
        serialize_with = "told",
        skip_serializing_if = "Option::is_none"
    )]
    pub client_secret: Option<SecretString>,
    /// Flows that it allows.
    #[serde(default)]
    pub flows: Vec<Flow>,
    /// User of client credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_as: Option<String>,
    /// Name, as the org's limits show it; the consumer key otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where the web-server flow may lead back to; compared letter by letter.
    #[serde(default)]
    pub callback_urls: Vec<String>,
    /// Scopes that the app may ask for.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// Whether the web-server flow needs a code challenge.
    #[serde(default)]
    pub require_pkce: bool,
    /// Whether web-server and refresh flow need the secret, if there is one.
    #[serde(default = "yes")]
    pub require_secret: bool,
    /// Users whom an administrator approved; without it all are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_users: Option<Vec<String>>,
    /// Whether users approve the app themselves, in the web-server flow, before any other flow works for them.
    #[serde(default)]
    pub self_authorize: bool,
    /// Calls in 24 hours that the app is meant to make; only told, in `Sforce-Limit-Info`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_quota: Option<u64>,
    /// Certificate (PEM) whose key signs JWTs; after loading the path is joined to the directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// Whether a refresh token dies when it is used.
    #[serde(default)]
    pub rotate_refresh_tokens: bool,
    /// Hours that a refresh token lives; without it until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token_hours: Option<f64>,
    /// Whether a refresh token that comes back after its rotation ends all that came of the same sign-in.
    #[serde(default)]
    pub revoke_on_reuse: bool,
}

impl ConnectedApp {
    /// The name that a person sees.
    pub(crate) fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.client_id)
    }
}

/// OAuth flows.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Flow {
    ClientCredentials,
    JwtBearer,
    RefreshToken,
    Password,
    WebServer,
    Device,
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(SecretString::from))
}

/// For an org that is saved: what stands in `org.yaml` are the passwords of a test.
#[allow(clippy::ref_option)] // as serde calls it
fn told<S: Serializer>(secret: &Option<SecretString>, to: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(ExposeSecret::expose_secret).serialize(to)
}

fn enterprise() -> String {
    "Enterprise Edition".to_owned()
}

fn standard_user() -> String {
    "Standard User".to_owned()
}

fn scopes() -> Vec<String> {
    ["api", "refresh_token", "id"].map(str::to_owned).to_vec()
}

fn two_hours() -> f64 {
    120.0
}

fn yes() -> bool {
    true
}
