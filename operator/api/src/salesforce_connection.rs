//! `SalesforceConnection`: one org that we may reach.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{Condition, ConfigMapKeyRef, Placement, SecretKeyRef};
use crate::run_status::{ApiUsageStatus, OrgStatus, ProbeStatus};

/// How an org is reached: where, as whom, and how much of its API allowance may be used.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "orgkeep.dev",
    version = "v1alpha1",
    kind = "SalesforceConnection",
    namespaced,
    status = "SalesforceConnectionStatus",
    derive = "PartialEq",
    shortname = "sfc",
    category = "orgkeep",
    doc = "One Salesforce org that may be reached.",
    cel,
    selectable = ".spec.environment",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Org", type_ = "string", json_path = ".status.org.name"),
    printcolumn(name = "Environment", type_ = "string", json_path = ".spec.environment"),
    printcolumn(name = "API%", type_ = "integer", json_path = ".status.apiUsage.percent"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Org ID", type_ = "string", json_path = ".status.org.id", priority = 1),
    printcolumn(name = "API", type_ = "string", json_path = ".status.org.apiVersion", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = 1
    ),
    validation = Rule::new("self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')").message("metadata.name must be at most 40 characters of a-z, 0-9 and '-', because the names of Jobs and pods are made from it")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.loginUrl) || !self.loginUrl.startsWith('http://') || self.insecure").message("loginUrl with http:// sends secrets in the clear: use https://, or say insecure: true for a test org"),
    validation = Rule::new("!has(self.auth.clientCredentials) || has(self.loginUrl) && !self.loginUrl.matches('^https?://(login|test)[.]salesforce[.]com([/:].*)?$')").message("auth.clientCredentials needs loginUrl to be the org's My Domain host, such as https://acme.my.salesforce.com: login. and test.salesforce.com do not serve it"),
    validation = Rule::new("!has(self.writeAuth) || !has(self.writeAuth.clientCredentials) || has(self.loginUrl) && !self.loginUrl.matches('^https?://(login|test)[.]salesforce[.]com([/:].*)?$')").message("writeAuth.clientCredentials needs loginUrl to be the org's My Domain host, such as https://acme.my.salesforce.com: login. and test.salesforce.com do not serve it")
)]
pub struct SalesforceConnectionSpec {
    /// What the org is. Cannot be changed: a production org does not become a sandbox.
    #[x_kube(validation = Rule::new("self == oldSelf").message("environment cannot be changed; make a new SalesforceConnection"))]
    pub environment: Environment,
    /// Where to sign in: the org's My Domain, `https://acme.my.salesforce.com`. Left out: `login.salesforce.com`
    /// or `test.salesforce.com`, by environment. `simulator:<directory>` is for `orgkeep run` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^(https?://[^@\s]+|simulator:\S+)$"))]
    pub login_url: Option<String>,
    /// Allow `http://` in `loginUrl`; for test orgs only.
    #[serde(default)]
    pub insecure: bool,
    /// Certificates to trust besides the usual ones, for an org behind a proxy of your own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_ref: Option<ConfigMapKeyRef>,
    /// API version such as `64.0`. Left out: the newest that the org offers and we have tested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 6), regex(pattern = r"^[1-9][0-9]{1,2}\.0$"))]
    pub api_version: Option<String>,
    /// As whom to read.
    pub auth: Auth,
    /// As whom to write; used only by restore and replicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_auth: Option<Auth>,
    /// How much of the org's allowance of API calls may be in use.
    #[serde(default)]
    pub api_usage: ApiUsage,
    /// Where the short probe Jobs of this connection run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<Placement>,
}

/// What kind of org it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Environment {
    /// A production org (also Developer Edition).
    Production,
    /// A sandbox or scratch org.
    Sandbox,
}

impl Environment {
    /// The login host when the connection names none, which is the JWT audience, too.
    pub fn login_host(self) -> &'static str {
        match self {
            Self::Production => "https://login.salesforce.com",
            Self::Sandbox => "https://test.salesforce.com",
        }
    }
}

/// How to sign in: exactly one way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.jwtBearer) ? 1 : 0) + (has(self.clientCredentials) ? 1 : 0) + (has(self.refreshToken) ? 1 : 0) == 1").message("exactly one of jwtBearer, clientCredentials and refreshToken must be given")
)]
pub struct Auth {
    /// OAuth 2.0 JWT bearer flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt_bearer: Option<JwtBearer>,
    /// OAuth 2.0 client credentials flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_credentials: Option<ClientCredentials>,
    /// OAuth 2.0 refresh token flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<RefreshToken>,
}

/// A signed assertion instead of a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JwtBearer {
    /// The connected app's consumer key.
    #[schemars(length(min = 1, max = 512))]
    pub client_id: String,
    /// The integration user.
    #[schemars(length(min = 1, max = 255))]
    pub username: String,
    /// PEM private key whose certificate the connected app holds.
    pub private_key_secret_ref: SecretKeyRef,
}

/// The app's own identity; the run-as user is set in the org.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientCredentials {
    /// The connected app's consumer key.
    #[schemars(length(min = 1, max = 512))]
    pub client_id: String,
    /// The connected app's consumer secret.
    pub client_secret_ref: SecretKeyRef,
}

/// A token that a person granted once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefreshToken {
    /// The connected app's consumer key.
    #[schemars(length(min = 1, max = 512))]
    pub client_id: String,
    /// The connected app's consumer secret; left out for an app that needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_ref: Option<SecretKeyRef>,
    /// The refresh token.
    pub refresh_token_secret_ref: SecretKeyRef,
}

impl Auth {
    /// Every Secret key that this sign-in needs.
    pub fn secret_refs(&self) -> Vec<&SecretKeyRef> {
        let mut refs = Vec::new();
        refs.extend(self.jwt_bearer.iter().map(|way| &way.private_key_secret_ref));
        refs.extend(self.client_credentials.iter().map(|way| &way.client_secret_ref));
        if let Some(way) = &self.refresh_token {
            refs.extend(&way.client_secret_ref);
            refs.push(&way.refresh_token_secret_ref);
        }
        refs
    }
}

/// A mark in the org's rolling 24-hour allowance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiUsage {
    /// No call of ours begins once this share of the allowance, by all users, is used.
    #[serde(default = "max_percent")]
    #[schemars(range(min = 1, max = 100))]
    pub max_percent: i32,
}

impl Default for ApiUsage {
    fn default() -> Self {
        Self { max_percent: max_percent() }
    }
}

fn max_percent() -> i32 {
    75
}

impl SalesforceConnectionSpec {
    /// Whether `loginUrl` names a simulator that only `orgkeep run` can start.
    pub fn is_local_simulator(&self) -> bool {
        self.login_url.as_deref().is_some_and(|url| url.starts_with("simulator:"))
    }
}

/// What is known of the org.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SalesforceConnectionStatus {
    /// `metadata.generation` that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `Connected`, `PermissionsSufficient`; `Reconciling` and `Stalled` while true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The org, once it was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<OrgStatus>,
    /// The org's allowance as last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_usage: Option<ApiUsageStatus>,
    /// The probe's book-keeping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<ProbeStatus>,
}
