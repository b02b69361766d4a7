//! Leader election by a `coordination.k8s.io/v1` Lease.
//!
//! Every write carries the `resourceVersion` that was read, so that of two replicas that want it one is refused.
//! A holder that could not renew stops by its own clock before another may take over, and never begins again:
//! the process exits. Others judge expiry by their own clock, too: from when they saw the lease last change, so
//! that clocks that differ do not matter.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};

use super::controller::{Shutdown, ending};

/// How long a lease holds without being renewed.
const DURATION: Duration = Duration::from_secs(15);
/// How long the holder goes on without having renewed; less than [`DURATION`].
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// How often it is renewed, or looked at.
const RETRY: Duration = Duration::from_secs(2);

/// What was seen, and when that was first seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    holder: String,
    renewed: Option<Timestamp>,
    seen_at: Timestamp,
}

/// What to do with the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nobody has it, or who had it let it lapse: take it.
    Take,
    /// It is ours: renew it.
    Renew,
    /// It is another's.
    Wait,
}

/// Looks at a lease; pure.
pub fn decide(me: &str, lease: Option<&LeaseSpec>, last: Option<&Sighting>, now: Timestamp) -> Step {
    let Some(spec) = lease else { return Step::Take };
    let holder = spec.holder_identity.as_deref().unwrap_or_default();
    if holder.is_empty() {
        return Step::Take;
    }
    if holder == me {
        return Step::Renew;
    }
    let lasts = SignedDuration::from_secs(i64::from(spec.lease_duration_seconds.unwrap_or(0).max(1)));
    // Only what we ourselves saw unchanged for so long has lapsed.
    match last.filter(|last| last.matches(spec)) {
        Some(last) if now.duration_since(last.seen_at) > lasts => Step::Take,
        _ => Step::Wait,
    }
}

impl Sighting {
    fn matches(&self, spec: &LeaseSpec) -> bool {
        self.holder == spec.holder_identity.as_deref().unwrap_or_default()
            && self.renewed == spec.renew_time.as_ref().map(|time| time.0)
    }

    /// The same sighting as before, or a new one.
    fn update(last: Option<Self>, spec: &LeaseSpec, now: Timestamp) -> Self {
        match last {
            Some(last) if last.matches(spec) => last,
            _ => Self {
                holder: spec.holder_identity.clone().unwrap_or_default(),
                renewed: spec.renew_time.as_ref().map(|time| time.0),
                seen_at: now,
            },
        }
    }
}

/// What is written to take or renew; pure.
pub fn claim(me: &str, old: Option<&LeaseSpec>, step: Step, now: Timestamp) -> LeaseSpec {
    let renew = step == Step::Renew;
    LeaseSpec {
        holder_identity: Some(me.to_owned()),
        lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
        acquire_time: old.filter(|_| renew).and_then(|old| old.acquire_time.clone()).or(Some(MicroTime(now))),
        renew_time: Some(MicroTime(now)),
        lease_transitions: Some(
            old.and_then(|old| old.lease_transitions).unwrap_or(0) + i32::from(!renew && old.is_some()),
        ),
        ..LeaseSpec::default()
    }
}

/// Until when this process may write. A process that was stopped for a while (a frozen node) sees by its own
/// clock that its time is over before it does anything more.
#[derive(Debug)]
pub struct Fence(AtomicI64);

impl Fence {
    /// Closed.
    pub fn new() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }

    /// Open for good: there is no election.
    pub fn open(&self) {
        self.0.store(i64::MAX, Ordering::SeqCst);
    }

    /// Closed again.
    pub fn close(&self) {
        self.0.store(i64::MIN, Ordering::SeqCst);
    }

    fn extend(&self, renewed: Timestamp) {
        let until = renewed.as_second().saturating_add(RENEW_DEADLINE.as_secs() as i64);
        self.0.store(until, Ordering::SeqCst);
    }

    /// Whether a pass may begin.
    pub fn is_open(&self, now: Timestamp) -> bool {
        now.as_second() <= self.0.load(Ordering::SeqCst)
    }
}

/// One replica's part in the election.
pub struct Election {
    api: Api<Lease>,
    name: String,
    me: String,
    clock: fn() -> Timestamp,
    fence: Arc<Fence>,
    last: Option<Sighting>,
}

impl Election {
    /// For the lease `name` in `namespace`, as `me`, which no other replica is called.
    pub fn new(
        client: Client,
        namespace: &str,
        name: &str,
        me: &str,
        fence: Arc<Fence>,
        clock: fn() -> Timestamp,
    ) -> Self {
        let api = Api::namespaced(client, namespace);
        Self { api, name: name.to_owned(), me: me.to_owned(), clock, fence, last: None }
    }

    /// Waits until the lease is ours; `false` when the process is to end before.
    pub async fn win(&mut self, shutdown: Shutdown) -> bool {
        loop {
            tokio::select! {
                () = ending(shutdown.clone()) => return false,
                tried = self.attempt() => match tried {
                    Ok(true) => return true,
                    Ok(false) => {}
                    Err(error) => tracing::warn!(%error, lease = self.name, "the lease was not looked at"),
                }
            }
            tokio::select! {
                () = ending(shutdown.clone()) => return false,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    /// Renews until the lease is lost, then returns. To be dropped when it is to be given back.
    pub async fn hold(&mut self) {
        let limit = SignedDuration::try_from(RENEW_DEADLINE).unwrap_or_default();
        let mut renewed = (self.clock)();
        loop {
            tokio::time::sleep(RETRY).await;
            let began = (self.clock)();
            let left = Duration::try_from(limit - began.duration_since(renewed)).unwrap_or_default();
            if left.is_zero() {
                break;
            }
            match tokio::time::timeout(left, self.attempt()).await {
                Ok(Ok(true)) => renewed = began,
                Ok(Ok(false)) => break,
                Ok(Err(error)) => tracing::warn!(%error, lease = self.name, "the lease was not renewed"),
                Err(_) => break,
            }
        }
        self.fence.close();
    }

    /// Gives the lease back, so that another replica need not wait for it to lapse.
    pub async fn give_back(&mut self) -> Result<(), kube::Error> {
        let Some(lease) = self.api.get_opt(&self.name).await? else { return Ok(()) };
        if lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()) != Some(self.me.as_str()) {
            return Ok(());
        }
        let spec = lease.spec.clone().map(|spec| LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            ..spec
        });
        self.api.replace(&self.name, &PostParams::default(), &Lease { spec, ..lease }).await.map(drop)
    }

    /// One look and, if it may be had, one write. Tells whether the lease is ours now.
    async fn attempt(&mut self) -> Result<bool, kube::Error> {
        let found = self.api.get_opt(&self.name).await?;
        let now = (self.clock)();
        let spec = found.as_ref().and_then(|lease| lease.spec.as_ref());
        let step = decide(&self.me, spec, self.last.as_ref(), now);
        self.last = spec.map(|spec| Sighting::update(self.last.take(), spec, now));
        if step == Step::Wait {
            return Ok(false);
        }
        let wanted = Some(claim(&self.me, spec, step, now));
        let written = match found {
            // `found` carries the resourceVersion that was read.
            Some(lease) => {
                let lease = Lease { spec: wanted, ..lease };
                self.api.replace(&self.name, &PostParams::default(), &lease).await
            }
            None => {
                let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
                self.api.create(&PostParams::default(), &Lease { metadata, spec: wanted }).await
            }
        };
        match written {
            Ok(_) => {
                // From before the write, so that no other clock can have begun earlier.
                self.fence.extend(now);
                Ok(true)
            }
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => {
                // Another write came between: look again. While ours, a conflict is no loss yet.
                if step == Step::Renew { Err(kube::Error::Api(status)) } else { Ok(false) }
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
