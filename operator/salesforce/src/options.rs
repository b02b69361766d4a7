//! What a connection is made from: where to sign in, as whom, and within which bounds.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;

use crate::auth::Sink;

/// Everything that [`crate::Client::connect`] needs.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Where to sign in: the org's My Domain, or `https://login.salesforce.com`.
    pub login_url: Url,
    /// Which kind of org: it tells the audience of a JWT.
    pub environment: Environment,
    /// As whom.
    pub auth: Auth,
    /// API version to speak, such as `64.0`; the newest that the org offers and we have tested if `None`.
    pub api_version: Option<String>,
    /// The mark in the org's rolling 24-hour allowance that our calls stay below, percent (1–100).
    pub max_percent: u8,
    /// Calls that may be under way at once (at least 1).
    pub in_flight: usize,
    /// Workers that use the same connection at the same time, this one included (at least 1): each is given its
    /// share of calls that the org has not told yet.
    pub workers: u32,
    /// Processes that were this worker before and died within the last minutes: their calls may not be told yet.
    pub lives: u32,
    /// How late the org's count of calls may be. Salesforce names no bound; about five minutes are reported.
    pub count_lag: Duration,
    /// Certificate authorities to trust besides the platform's, PEM.
    pub ca_bundle_pem: Option<Vec<u8>>,
    /// Lets `http://` be called: for simulators and tests only, as tokens travel in the clear.
    pub allow_http: bool,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// How often and how long to try again.
    pub retry: RetryPolicy,
    /// The time of day, for claims and for the budget.
    pub clock: Clock,
    /// Where a refresh token goes that the org gives in the place of the one in `auth`.
    pub refresh_token_sink: Option<Sink>,
}

impl ConnectOptions {
    /// Options with the defaults: 75 % of the allowance, 8 calls in flight, the system's clock, https only.
    pub fn new(login_url: Url, environment: Environment, auth: Auth) -> Self {
        Self {
            login_url,
            environment,
            auth,
            api_version: None,
            max_percent: 75,
            in_flight: 8,
            workers: 1,
            lives: 0,
            count_lag: Duration::from_mins(5),
            ca_bundle_pem: None,
            allow_http: false,
            timeouts: Timeouts::default(),
            retry: RetryPolicy::default(),
            clock: Clock::default(),
            refresh_token_sink: None,
        }
    }
}

/// Which kind of org stands behind a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// A production or developer org: `login.salesforce.com`.
    Production,
    /// A sandbox or scratch org: `test.salesforce.com`.
    Sandbox,
}

/// As whom to sign in. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub enum Auth {
    /// OAuth 2.0 JWT bearer flow: a key pair whose certificate the connected app knows.
    JwtBearer {
        /// The connected app's consumer key.
        client_id: String,
        /// The user to act as.
        username: String,
        /// RSA private key, PEM, PKCS#1 or PKCS#8.
        private_key: SecretString,
    },
    /// OAuth 2.0 client credentials flow: acts as the app's run-as user.
    ClientCredentials {
        /// The connected app's consumer key.
        client_id: String,
        /// The connected app's consumer secret.
        client_secret: SecretString,
    },
    /// OAuth 2.0 refresh token flow. For an app that rotates refresh tokens, name a `refresh_token_sink`.
    RefreshToken {
        /// The connected app's consumer key.
        client_id: String,
        /// The connected app's consumer secret, where the app has one.
        client_secret: Option<SecretString>,
        /// The refresh token.
        refresh_token: SecretString,
    },
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection to stand, TLS included.
    pub connect: Duration,
    /// From the request to the answer's head. Salesforce ends a call itself after 10 minutes.
    pub headers: Duration,
    /// Between two pieces of a body.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            headers: Duration::from_secs(150), // a query step may take 120 s before QUERY_TIMEOUT
            idle: Duration::from_mins(1),
        }
    }
}

/// How often and how long a call is tried again, with exponential back-off and full jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all, the first included (at least 1).
    pub tries: u32,
    /// Upper bound of the first pause; it doubles with each try.
    pub base: Duration,
    /// Upper bound of any pause that is ours to choose.
    pub cap: Duration,
    /// No try begins later than this after the first.
    pub total: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            tries: 7,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(30),
            total: Duration::from_mins(5),
        }
    }
}

/// The time of day; tests bring their own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock that asks the function.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new(Timestamp::now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
