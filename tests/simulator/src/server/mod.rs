//! The server: orgs with their state, connections, and which handler a request goes to.

mod connection;
#[cfg(test)]
mod lock_tests;
mod options;
mod passing;
mod route;
mod state;
mod tls;
mod together;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use options::{StartOptions, Tls};
pub use state::OrgInfo;
pub(crate) use state::{OrgState, State};
pub(crate) use together::Open;

use crate::faults::{FaultCount, FaultPlan};
use crate::log::RequestLog;
use crate::org::{LoadError, Org, SaveError, Saved};

/// Why the simulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An org directory cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// There is nothing to serve.
    #[error("no org directory was given")]
    NoOrg,
    /// Two directories give the same org.
    #[error("two org directories have the org id {0}; give one of them another id")]
    SameOrg(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Certificate and key cannot be used.
    #[error("TLS: {0}")]
    Tls(String),
}

/// A running simulator. It stops when it is dropped.
#[derive(Debug)]
pub struct Simulator {
    /// `http://127.0.0.1:41234`
    pub address: String,
    /// The orgs.
    pub orgs: Vec<OrgInfo>,
    /// The certificate of the own authority (PEM), if the simulator made one.
    pub authority: Option<String>,
    state: Arc<State>,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Simulator {
    /// Loads the orgs and begins to serve.
    pub async fn start(options: StartOptions) -> Result<Self, StartError> {
        let orgs = options.orgs.clone();
        let scale = options.scale.clone();
        let load = move || orgs.iter().map(|org| Org::load(org, &scale)).collect::<Result<Vec<_>, _>>();
        let orgs = match tokio::task::spawn_blocking(load).await {
            Ok(loaded) => loaded?,
            Err(_) => return Err(StartError::NoOrg),
        };
        if orgs.is_empty() {
            return Err(StartError::NoOrg);
        }
        for (number, org) in orgs.iter().enumerate() {
            if orgs[..number].iter().any(|other| other.id() == org.id()) {
                return Err(StartError::SameOrg(org.id().to_owned()));
            }
        }
        let tls = options.tls.as_ref().map(tls::prepare).transpose()?;
        let failed = |source| StartError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let host = reachable(bound);
        let address = format!("{}://{host}", if tls.is_some() { "https" } else { "http" });
        let file = options.request_log.as_deref();
        let log = RequestLog::open(file).map_err(|source| StartError::File {
            file: file.map(PathBuf::from).unwrap_or_default(),
            source,
        })?;
        let state =
            Arc::new(State::new(orgs, host.to_string(), Arc::new(log), options.bulk_job, options.facts));
        if let Some(plan) = options.faults {
            state.faults.set(plan);
        }
        let orgs = state.infos(&address);
        let (stop, stopped) = watch::channel(false);
        let (acceptor, authority) = tls.map_or((None, None), |tls| (Some(tls.acceptor), tls.authority));
        let accepting = tokio::spawn(connection::accept(listener, acceptor, state.clone(), stopped));
        tokio::spawn(passing::run(state.clone(), stop.subscribe()));
        Ok(Self { address, orgs, authority, state, stop, accepting })
    }

    /// What was asked so far.
    pub fn log(&self) -> &RequestLog {
        &self.state.log
    }

    /// Puts a fault plan in place of the one before; counts begin anew.
    pub fn set_faults(&self, plan: FaultPlan) {
        self.state.faults.set(plan);
    }

    /// The faults of the plan, and how often each fired.
    pub fn faults(&self) -> Vec<FaultCount> {
        self.state.faults.counts().1
    }

    /// Ends every session, as an administrator can.
    pub fn end_sessions(&self) {
        self.state.sessions.end_all();
    }

    /// Puts the clock of sessions, codes, cursors and allowances ahead.
    pub fn advance(&self, by: Duration) {
        self.state.clock.advance(by);
    }

    /// A refresh token of the first org, as a user gets one who approves the app in a browser.
    pub fn refresh_token(&self, client_id: &str, user: &str) -> Option<String> {
        crate::auth::approve(&self.state, 0, client_id, user)
    }

    /// Ends every query cursor, as time does.
    pub fn end_cursors(&self) {
        for org in &self.state.orgs {
            org.cursors.end_all();
        }
    }

    /// Writes an org, given by its id, to a new directory that loads to an equal one.
    pub fn save(&self, id: &str, directory: &Path) -> Result<Saved, SaveError> {
        let org = self.state.orgs.iter().find(|org| org.org.id() == id);
        let org = org.ok_or_else(|| SaveError::Form(format!("there is no org {id}")))?;
        crate::org::save::save(org, directory)
    }

    /// Stops, and then writes the org to a new directory; several orgs, each to one in it with its id.
    pub async fn stop_and_save(self, directory: &Path) -> Result<Vec<Saved>, SaveError> {
        let state = self.state.clone();
        self.stop().await;
        let several = state.orgs.len() > 1;
        let place =
            |org: &OrgState| if several { directory.join(org.org.id()) } else { directory.to_owned() };
        state.orgs.iter().map(|org| crate::org::save::save(org, &place(org))).collect()
    }

    /// Takes no more connections, and waits until requests in flight are answered.
    pub async fn stop(self) {
        let Self { stop, accepting, .. } = self;
        let _ = stop.send(true);
        let _ = accepting.await;
    }
}

/// An address that a client on this machine reaches.
fn reachable(bound: SocketAddr) -> SocketAddr {
    match bound {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, v6.port()).into(),
        other => other,
    }
}
