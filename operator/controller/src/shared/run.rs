//! The operator process: health port, election, controllers, and an end in good order.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, ResourceExt};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::backoff::Backoff;
use super::context::Context;
use super::controller::{Reconciler, Scope, Shutdown, drive};
use super::events::Events;
use super::gates::{Gate, Gates};
use super::health;
use super::lease::{Election, Fence};
use super::metrics::Metrics;
use super::poll::Poller;
use super::stores::Stores;
use super::worker_pod::WorkerDefaults;
use crate::backup_vault::Vaults;
use crate::salesforce_backup::Backups;
use crate::salesforce_connection::Connections;
use crate::snapshot::Snapshots;

/// Name of the lease that replicas share.
const LEASE: &str = "orgkeep-operator";

/// What the command line says.
#[derive(Debug, Clone)]
pub struct Options {
    /// Image of worker pods.
    pub worker_image: String,
    /// When nodes pull it: `Always`, `IfNotPresent`, `Never`.
    pub image_pull_policy: String,
    /// Account of worker pods whose object names none; the namespace's default account when empty.
    pub worker_service_account: String,
    /// Namespaces to look after; all when empty.
    pub watch_namespaces: Vec<String>,
    /// What this cluster is called in a vault; the UID of kube-system when `None`.
    pub cluster_id: Option<String>,
    /// Where health and metrics are served.
    pub health_address: SocketAddr,
    /// Whether replicas elect a leader.
    pub leader_election: bool,
    /// Name of this pod.
    pub pod_name: String,
    /// Namespace of this pod, where the lease is.
    pub pod_namespace: String,
}

/// Why the operator ended. Each is an exit code other than 0.
#[derive(Debug, Error)]
pub enum RunError {
    /// There is no API server to talk to.
    #[error("cannot reach the Kubernetes API: {0}")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The cluster's name is not to be had.
    #[error("cannot read the namespace kube-system, whose UID names this cluster (give --cluster-id): {0}")]
    ClusterId(String),
    /// The health port is taken.
    #[error("cannot serve health on {address}: {source}")]
    Health {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The client for workers could not be made.
    #[error("cannot make an HTTP client: {0}")]
    Poller(#[from] reqwest::Error),
    /// Another replica may be at work: nothing must be written any more.
    #[error("the lease was lost; another replica takes over")]
    LeaseLost,
}

/// Resolves on SIGTERM or SIGINT.
pub async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut term) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// Runs the operator until `shutdown` resolves. Passes that have begun are ended, the lease is given back.
/// Workers go on: they need no operator.
pub async fn run(
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), RunError> {
    // Somebody else may have chosen already, and then that is it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (end, ending) = watch::channel(false);
    let end = Arc::new(end);
    let trigger = Arc::clone(&end);
    tokio::spawn(async move {
        shutdown.await;
        tracing::info!("ending: passes at work are ended, workers go on");
        trigger.send_replace(true);
    });
    let client = Client::try_default().await.map_err(|error| RunError::Client(Box::new(error)))?;
    let gates = Arc::new(Gates::default());
    let stores = Arc::new(Stores::default());
    let backoff = Arc::new(Backoff::default());
    let metrics = Arc::new(Metrics::new(Arc::clone(&stores), Arc::clone(&backoff)));
    let address = options.health_address;
    let listener = TcpListener::bind(address).await.map_err(|source| RunError::Health { address, source })?;
    // Health outlives the controllers, so that a slow end is not taken for a hang.
    let (health_end, health_ending) = watch::channel(false);
    let served =
        tokio::spawn(health::serve(listener, Arc::clone(&gates), Arc::clone(&metrics), health_ending));
    let context = Arc::new(Context {
        client: client.clone(),
        workers: WorkerDefaults {
            image: options.worker_image.clone(),
            image_pull_policy: options.image_pull_policy.clone(),
            service_account: Some(options.worker_service_account.clone()).filter(|name| !name.is_empty()),
        },
        cluster: cluster(&client, options.cluster_id.as_deref()).await?,
        events: Events::new(client, options.pod_name.clone()),
        metrics,
        backoff,
        poller: Poller::new()?,
        stores,
        gates,
        fence: Arc::new(Fence::new()),
        clock: Timestamp::now,
    });
    tracing::info!(cluster = context.cluster, version = env!("CARGO_PKG_VERSION"), "the operator starts");
    let result = elect_and_work(&options, &context, ending, &end).await;
    health_end.send_replace(true);
    served.abort();
    result
}

async fn elect_and_work(
    options: &Options,
    context: &Arc<Context>,
    ending: Shutdown,
    end: &watch::Sender<bool>,
) -> Result<(), RunError> {
    if !options.leader_election {
        context.metrics.set_leader(true);
        context.fence.open();
        work(options, context, &ending).await;
        return Ok(());
    }
    let client = context.client.clone();
    let mut election = Election::new(
        client,
        &options.pod_namespace,
        LEASE,
        &identity(&options.pod_name),
        Arc::clone(&context.fence),
        context.clock,
    );
    context.gates.set("election", Gate::Standby);
    if !election.win(ending.clone()).await {
        return Ok(());
    }
    context.metrics.set_leader(true);
    tracing::info!("this replica leads");
    let lost = tokio::select! {
        () = work(options, context, &ending) => false,
        () = election.hold() => true,
    };
    context.metrics.set_leader(false);
    if lost {
        // Nothing of this process may write any more; what is in flight dies with it.
        end.send_replace(true);
        return Err(RunError::LeaseLost);
    }
    if let Err(error) = election.give_back().await {
        tracing::warn!(%error, "the lease was not given back; it lapses by itself");
    }
    Ok(())
}

/// A pod's name may come back (a StatefulSet, a test); a number makes this process its own.
fn identity(pod: &str) -> String {
    format!("{pod}_{:08x}", rand::random::<u32>())
}

/// Every controller in every namespace, until the process is to end.
async fn work(options: &Options, context: &Arc<Context>, ending: &Shutdown) {
    let namespaces: Vec<Option<String>> = if options.watch_namespaces.is_empty() {
        vec![None]
    } else {
        options.watch_namespaces.iter().cloned().map(Some).collect()
    };
    let mut all: Vec<BoxFuture<'_, ()>> = Vec::new();
    for namespace in namespaces {
        let scope = Scope { client: context.client.clone(), namespace };
        all.push(start::<Connections>(context, &scope, ending));
        all.push(start::<Vaults>(context, &scope, ending));
        all.push(start::<Backups>(context, &scope, ending));
        all.push(start::<Snapshots>(context, &scope, ending));
    }
    join_all(all).await;
}

fn start<R: Reconciler>(context: &Arc<Context>, scope: &Scope, ending: &Shutdown) -> BoxFuture<'static, ()> {
    drive::<R>(Arc::clone(context), scope.clone(), ending.clone()).boxed()
}

async fn cluster(client: &Client, given: Option<&str>) -> Result<String, RunError> {
    if let Some(given) = given.filter(|given| !given.is_empty()) {
        return Ok(given.to_owned());
    }
    let api: Api<Namespace> = Api::all(client.clone());
    let system = api.get("kube-system").await.map_err(|error| RunError::ClusterId(error.to_string()))?;
    system.uid().ok_or_else(|| RunError::ClusterId("it has no uid".to_owned()))
}
