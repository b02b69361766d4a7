//! What Prometheus reads. Counters are events of this process; everything that has a lasting truth is computed
//! from the objects at scrape time, so that a restart loses nothing and a deleted object leaves no series.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::backoff::Backoff;
use super::stores::Stores;

mod objects;

/// A label: its name and value.
pub type Label = (&'static str, String);

/// One series: labels and value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its labels.
    pub labels: Vec<Label>,
    /// Its value.
    pub value: f64,
}

/// A gauge and its series.
#[derive(Debug, Clone, PartialEq)]
pub struct GaugeFamily {
    /// Name without the prefix.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// Its series.
    pub samples: Vec<Sample>,
}

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    passes: Family<Vec<Label>, Counter>,
    durations: Family<Vec<Label>, Histogram>,
    leader: Gauge,
    ready: Gauge,
    outdated: Family<Vec<Label>, Gauge>,
    waiting: Gauge<u64, AtomicU64>,
    backoff: Arc<Backoff>,
}

/// Seconds of a pass.
const BUCKETS: [f64; 8] = [0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0];

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

impl Metrics {
    /// Registers everything.
    pub fn new(stores: Arc<Stores>, backoff: Arc<Backoff>) -> Self {
        let mut registry = Registry::with_prefix("orgkeep");
        let passes = Family::<Vec<Label>, Counter>::default();
        registry.register("reconcile", "Passes over objects, by how they ended", passes.clone());
        let durations = Family::<Vec<Label>, Histogram>::new_with_constructor(histogram);
        registry.register("reconcile_duration_seconds", "How long passes took", durations.clone());
        let leader = Gauge::default();
        registry.register("leader", "Whether this replica holds the lease", leader.clone());
        let ready = Gauge::default();
        registry.register("ready", "Whether all controllers are at work, as /readyz says", ready.clone());
        let outdated = Family::<Vec<Label>, Gauge>::default();
        registry.register(
            "crd_outdated",
            "Whether the installed definition is another than this operator's, as seen at its start",
            outdated.clone(),
        );
        let waiting = Gauge::<u64, AtomicU64>::default();
        registry.register("objects_in_backoff", "Objects whose last pass failed", waiting.clone());
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "What runs", build);
        registry.register_collector(Box::new(FromObjects(stores)));
        Self { registry, passes, durations, leader, ready, outdated, waiting, backoff }
    }

    /// A pass ended.
    pub fn pass(&self, controller: &'static str, outcome: &'static str, took: Duration) {
        let name = ("controller", controller.to_owned());
        self.durations.get_or_create(&vec![name.clone()]).observe(took.as_secs_f64());
        self.passes.get_or_create(&vec![name, ("outcome", outcome.to_owned())]).inc();
    }

    /// Whether the lease is ours.
    pub fn set_leader(&self, leader: bool) {
        self.leader.set(i64::from(leader));
    }

    /// Whether the installed definition of a kind is not ours.
    pub fn set_crd_outdated(&self, definition: &str, outdated: bool) {
        self.outdated.get_or_create(&vec![("crd", definition.to_owned())]).set(i64::from(outdated));
    }

    /// Everything, as OpenMetrics text.
    pub fn text(&self, ready: bool) -> Result<String, fmt::Error> {
        self.ready.set(i64::from(ready));
        self.waiting.set(self.backoff.waiting() as u64);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Gauges that the objects tell.
#[derive(Debug)]
struct FromObjects(Arc<Stores>);

impl Collector for FromObjects {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for family in objects::families(&self.0) {
            if family.samples.is_empty() {
                continue;
            }
            let kind = ConstGauge::new(0.0).metric_type();
            let mut metric = encoder.encode_descriptor(family.name, family.help, None, kind)?;
            for sample in &family.samples {
                ConstGauge::new(sample.value).encode(metric.encode_family(&sample.labels)?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_passes_and_tells_the_build() {
        let backoff = Arc::new(Backoff::default());
        let metrics = Metrics::new(Arc::new(Stores::default()), Arc::clone(&backoff));
        metrics.pass("snapshots", "done", Duration::from_millis(3));
        metrics.set_leader(true);
        metrics.set_crd_outdated("snapshots.orgkeep.dev", true);
        backoff.failed("x");
        let text = metrics.text(true).unwrap();
        for line in [
            "orgkeep_reconcile_total{controller=\"snapshots\",outcome=\"done\"} 1",
            "orgkeep_reconcile_duration_seconds_count{controller=\"snapshots\"} 1",
            "orgkeep_leader 1",
            "orgkeep_ready 1",
            "orgkeep_crd_outdated{crd=\"snapshots.orgkeep.dev\"} 1",
            "orgkeep_objects_in_backoff 1",
            concat!("orgkeep_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
