//! Runs one kind's reconciler: waits for its definition, watches, hands objects over, counts and backs off.

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{Action, Config, Controller, Error as QueueError};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Api, Client, CustomResourceExt, Resource, ResourceExt};
use orgkeep_api::{crds, labels};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::gates::Gate;
use super::{Context, Error, Outcome, apply, invalid};

/// An object that may be unreadable as its kind; one such must not stop the watch of all others.
pub type Guarded<K> = kube::core::DeserializeGuard<K>;

/// Passes of one controller at a time.
const CONCURRENCY: u16 = 8;
/// A pass that takes longer hangs.
const PASS_SECONDS: u64 = 60;
/// How often a missing definition is looked for.
const CRD_POLL: Duration = Duration::from_secs(3);
/// How often the first list is looked at.
const LIST_POLL: Duration = Duration::from_millis(500);

/// One kind's controller.
pub trait Reconciler: Send + Sync + 'static {
    /// The kind.
    type Kind: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + CustomResourceExt
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static;
    /// Its name in metrics and gates: the kind's plural.
    const NAME: &'static str;

    /// Adds what else makes a pass worth while. The object itself and its workers' Jobs and pods are watched
    /// without this.
    fn wire(controller: Controller<Guarded<Self::Kind>>, _scope: &Scope) -> Controller<Guarded<Self::Kind>> {
        controller
    }

    /// Hands the store to [`super::stores::Stores`].
    fn publish(context: &Context, store: Store<Guarded<Self::Kind>>);

    /// One pass. Objects on their way out are not handed over.
    fn reconcile(
        object: Arc<Self::Kind>,
        context: Arc<Context>,
    ) -> impl Future<Output = Result<Outcome, Error>> + Send;
}

/// One namespace, or all.
#[derive(Clone)]
pub struct Scope {
    /// The API server.
    pub client: Client,
    /// The namespace; all when `None`.
    pub namespace: Option<String>,
}

impl Scope {
    /// The API of a kind in this scope.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }
}

/// Becomes true when the process is to end.
pub type Shutdown = watch::Receiver<bool>;

/// Resolves when the process is to end.
pub async fn ending(mut shutdown: Shutdown) {
    // An error means that the sender is gone, which is an end, too.
    let _ = shutdown.wait_for(|ending| *ending).await;
}

/// Runs a controller until the process is to end; passes that have begun are ended first.
pub async fn drive<R: Reconciler>(context: Arc<Context>, scope: Scope, shutdown: Shutdown) {
    let gate = match &scope.namespace {
        Some(namespace) => format!("{}/{namespace}", R::NAME),
        None => R::NAME.to_owned(),
    };
    context.gates.set(&gate, Gate::Starting);
    tokio::select! {
        () = await_definition::<R::Kind>(&context, &gate) => {}
        () = ending(shutdown.clone()) => return,
    }
    context.gates.set(&gate, Gate::Starting);
    let workers = watcher::Config::default().labels(&format!(
        "{}=worker,{}={}",
        labels::APP_COMPONENT,
        labels::OWNER_KIND,
        R::Kind::kind(&())
    ));
    let controller = Controller::new(scope.api::<Guarded<R::Kind>>(), watcher::Config::default())
        .with_config(Config::default().concurrency(CONCURRENCY))
        .owns(scope.api::<Job>(), workers.clone())
        .watches(scope.api::<Pod>(), workers, |pod: Pod| owner_of_pod::<R::Kind>(&pod));
    let store = controller.store();
    R::publish(&context, store.clone());
    let (gates, api) = (Arc::clone(&context.gates), scope.api::<R::Kind>());
    let listed = tokio::spawn(async move {
        await_list(&api, &store).await;
        gates.set(&gate, Gate::Ready);
    });
    R::wire(controller, &scope)
        .graceful_shutdown_on(ending(shutdown))
        .run(pass::<R>, on_error::<R>, context)
        .for_each(|done| async move {
            match done {
                Ok(_) | Err(QueueError::ObjectNotFound(_) | QueueError::ReconcilerFailed(..)) => {}
                Err(error) => tracing::warn!(controller = R::NAME, %error, "the watch stumbled; it goes on"),
            }
        })
        .await;
    listed.abort();
}

/// Waits until the watch has seen all objects that there are. `Store::wait_until_ready` wakes only one who waits,
/// and that has to be the controller itself.
async fn await_list<K>(api: &Api<K>, store: &Store<Guarded<K>>)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    loop {
        match api.list_metadata(&ListParams::default()).await {
            Ok(list) if list.items.iter().all(|found| is_in(store, found)) => return,
            Ok(_) => {}
            Err(error) => tracing::warn!(kind = %K::kind(&()), %error, "cannot be listed"),
        }
        tokio::time::sleep(LIST_POLL).await;
    }
}

fn is_in<K>(store: &Store<Guarded<K>>, found: &PartialObjectMeta<K>) -> bool
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let reference = ObjectRef::new(&found.name_any()).within(&found.namespace().unwrap_or_default());
    store.get(&reference).is_some()
}

fn owner_of_pod<K>(pod: &Pod) -> Option<ObjectRef<Guarded<K>>>
where
    K: Resource<DynamicType = ()> + 'static,
{
    let name = pod.labels().get(labels::OWNER_NAME)?;
    Some(ObjectRef::new(name).within(&pod.namespace()?))
}

fn key<K: Resource<DynamicType = ()>>(object: &Guarded<K>) -> String {
    let meta = object.meta();
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    format!("{}/{}/{}", K::kind(&()), part(&meta.namespace), part(&meta.name))
}

async fn pass<R: Reconciler>(object: Arc<Guarded<R::Kind>>, context: Arc<Context>) -> Result<Action, Error> {
    if !context.fence.is_open(context.now()) {
        return Err(Error::NotLeader);
    }
    let began = Instant::now();
    let work = async {
        // Read anew: the watch may not have seen yet what our own last pass wrote, and a pass that believes an
        // older status does things twice.
        match read::<R::Kind>(&object, &context).await?.map(|object| object.0) {
            None => Ok(Outcome::Done),
            Some(Ok(object)) if object.meta().deletion_timestamp.is_some() => Ok(Outcome::Done),
            Some(Ok(readable)) => R::reconcile(Arc::new(readable), Arc::clone(&context)).await,
            Some(Err(unreadable)) => invalid::report::<R::Kind>(&unreadable, &context).await,
        }
    };
    let result = match tokio::time::timeout(Duration::from_secs(PASS_SECONDS), work).await {
        Ok(result) => result,
        Err(_) => Err(Error::TimedOut(PASS_SECONDS)),
    };
    let word = result.as_ref().map_or("error", |outcome| outcome.word());
    context.metrics.pass(R::NAME, word, began.elapsed());
    let outcome = result?;
    context.backoff.succeeded(&key(&object));
    Ok(outcome.action())
}

async fn read<K>(seen: &Guarded<K>, context: &Context) -> Result<Option<Guarded<K>>, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let meta = seen.meta();
    let name = meta.name.as_deref().ok_or(Error::Incomplete("name"))?;
    let namespace = meta.namespace.as_deref().ok_or(Error::Incomplete("namespace"))?;
    apply::get(&context.client, namespace, name).await
}

// The queue hands both over by value.
#[allow(clippy::needless_pass_by_value)]
fn on_error<R: Reconciler>(object: Arc<Guarded<R::Kind>>, error: &Error, context: Arc<Context>) -> Action {
    let key = key(&object);
    let wait = context.backoff.failed(&key);
    tracing::warn!(object = key, %error, wait_seconds = wait.as_secs(), "a pass failed; it is tried again");
    Action::requeue(wait)
}

/// Waits for the definition. Another schema than ours is told, and borne with: the API server drops what it does
/// not know.
async fn await_definition<K: CustomResourceExt>(context: &Context, name: &str) {
    let api: Api<CustomResourceDefinition> = Api::all(context.client.clone());
    let wanted = crds::definition::<K>().ok();
    loop {
        let why = match api.get_opt(K::crd_name()).await {
            Ok(Some(found)) if is_established(&found) => {
                let digest = wanted.as_ref().and_then(crds::digest);
                let outdated = digest != crds::digest(&found);
                context.metrics.set_crd_outdated(K::crd_name(), outdated);
                if outdated {
                    tracing::warn!(
                        definition = K::crd_name(),
                        "the installed definition is not this operator's; apply the one that came with it"
                    );
                }
                return;
            }
            Ok(Some(_)) => format!("{} is not established", K::crd_name()),
            Ok(None) => format!("{} is not installed", K::crd_name()),
            Err(error) => format!("{}: {error}", K::crd_name()),
        };
        context.gates.set(name, Gate::WaitingForCrd(why));
        tokio::time::sleep(CRD_POLL).await;
    }
}

fn is_established(definition: &CustomResourceDefinition) -> bool {
    let conditions = definition.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|conditions| {
        conditions.iter().any(|found| found.type_ == "Established" && found.status == "True")
    })
}
