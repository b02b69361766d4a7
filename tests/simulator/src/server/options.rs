//! How to start.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::bulk::Facts;
use crate::faults::FaultPlan;

/// How to start.
#[derive(Clone, Debug)]
pub struct StartOptions {
    /// Org directories.
    pub orgs: Vec<PathBuf>,
    /// Generated rows: object and how many, in every org.
    pub scale: Vec<(String, u64)>,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// https instead of http.
    pub tls: Option<Tls>,
    /// JSON lines of every request are appended to this file.
    pub request_log: Option<PathBuf>,
    /// The least time that a Bulk job takes from its creation to its end.
    pub bulk_job: Duration,
    /// What goes wrong.
    pub faults: Option<FaultPlan>,
    /// Which form what nobody could confirm takes.
    pub facts: Facts,
}

impl Default for StartOptions {
    fn default() -> Self {
        Self {
            orgs: Vec::new(),
            scale: Vec::new(),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            tls: None,
            request_log: None,
            bulk_job: Duration::from_millis(300),
            faults: None,
            facts: Facts::default(),
        }
    }
}

impl StartOptions {
    /// Serves one org directory on a free port.
    pub fn org(directory: impl Into<PathBuf>) -> Self {
        Self { orgs: vec![directory.into()], ..Self::default() }
    }
}

/// Where the certificate comes from.
#[derive(Clone, Debug)]
pub enum Tls {
    /// PEM files.
    Files {
        /// Certificate chain.
        certificate: PathBuf,
        /// Private key.
        key: PathBuf,
    },
    /// One made at start, of an authority made at start.
    SelfSigned {
        /// Host names beside localhost and 127.0.0.1.
        names: Vec<String>,
        /// Where the authority's certificate is written, for clients to trust.
        authority: Option<PathBuf>,
    },
}
