//! Gauges computed from the objects. Labels name long-lived objects only, never runs or snapshots.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::{Resource, ResourceExt};
use orgkeep_api::common::{Condition, condition};
use orgkeep_api::salesforce_backup::{Preset, Schedule};
use orgkeep_api::{BackupVault, SalesforceBackup, SalesforceConnection, Snapshot};

use super::super::conditions::{State, find};
use super::super::controller::Guarded;
use super::super::stores::Stores;
use super::super::time::{parse, seconds_between};
use super::{GaugeFamily, Label, Sample};

/// All of them.
pub(super) fn families(stores: &Stores) -> Vec<GaugeFamily> {
    let connections = stores.connections.objects();
    let vaults = stores.vaults.objects();
    let backups = stores.backups.objects();
    let snapshots = stores.snapshots.objects();
    let mut all = Families::default();
    all.add(
        "invalid_objects",
        "Objects that cannot be read as their kind",
        vec![
            unreadable("SalesforceConnection", &connections),
            unreadable("BackupVault", &vaults),
            unreadable("SalesforceBackup", &backups),
            unreadable("Snapshot", &snapshots),
        ],
    );
    of_connections(&mut all, &readable(&connections));
    of_vaults(&mut all, &readable(&vaults));
    of_backups(&mut all, &readable(&backups), &readable(&snapshots));
    all.0
}

#[derive(Default)]
struct Families(Vec<GaugeFamily>);

impl Families {
    fn add(&mut self, name: &'static str, help: &'static str, samples: Vec<Sample>) {
        self.0.push(GaugeFamily { name, help, samples });
    }

    /// A series for each object that has a value.
    fn each<K: Resource>(
        &mut self,
        name: &'static str,
        help: &'static str,
        objects: &[&K],
        value: impl Fn(&K) -> Option<f64>,
    ) {
        let samples = objects
            .iter()
            .filter_map(|object| Some(Sample { labels: name_of(*object), value: value(object)? }))
            .collect();
        self.add(name, help, samples);
    }
}

fn readable<K>(objects: &[Arc<Guarded<K>>]) -> Vec<&K> {
    objects.iter().filter_map(|object| object.0.as_ref().ok()).collect()
}

fn unreadable<K>(kind: &str, objects: &[Arc<Guarded<K>>]) -> Sample {
    let count = objects.iter().filter(|object| object.0.is_err()).count();
    Sample { labels: vec![("kind", kind.to_owned())], value: count as f64 }
}

fn name_of<K: Resource>(object: &K) -> Vec<Label> {
    vec![("namespace", object.namespace().unwrap_or_default()), ("name", object.name_any())]
}

/// 1 or 0; absent while it is not known.
fn truth(conditions: &[Condition], type_: &str) -> Option<f64> {
    let found = find(conditions, type_)?;
    if found.status == State::True.as_str() {
        Some(1.0)
    } else {
        (found.status == State::False.as_str()).then_some(0.0)
    }
}

fn seconds(time: Option<&String>) -> Option<f64> {
    parse(time?).map(|time| time.as_second() as f64)
}

fn of_connections(all: &mut Families, objects: &[&SalesforceConnection]) {
    let usage = |object: &SalesforceConnection| object.status.as_ref()?.api_usage.clone();
    all.each("connection_ready", "Whether a connection is Ready", objects, |object| {
        truth(&object.status.as_ref()?.conditions, condition::READY)
    });
    all.each("connection_api_used", "Calls that all users of the org made in 24 h", objects, |object| {
        usage(object).map(|usage| usage.used as f64)
    });
    all.each("connection_api_allowance", "Calls that the org allows in 24 h", objects, |object| {
        usage(object).map(|usage| usage.allowance as f64)
    });
    all.each(
        "connection_last_probe_timestamp_seconds",
        "When a connection was last probed",
        objects,
        |object| seconds(object.status.as_ref()?.probe.as_ref().map(|probe| &probe.finished_at)),
    );
}

fn of_vaults(all: &mut Families, objects: &[&BackupVault]) {
    all.each("vault_ready", "Whether a vault is Ready", objects, |object| {
        truth(&object.status.as_ref()?.conditions, condition::READY)
    });
    all.each("vault_recovery_key", "Whether a vault opens without the cluster", objects, |object| {
        truth(&object.status.as_ref()?.conditions, condition::RECOVERY_KEY)
    });
    all.each("vault_snapshots", "Committed snapshots in a vault", objects, |object| {
        object.status.as_ref()?.snapshots.map(|count| count as f64)
    });
    all.each("vault_bytes", "Bytes that a vault's snapshots take", objects, |object| {
        object.status.as_ref()?.bytes.map(|bytes| bytes as f64)
    });
    all.each("vault_last_probe_timestamp_seconds", "When a vault was last probed", objects, |object| {
        seconds(object.status.as_ref()?.probe.as_ref().map(|probe| &probe.finished_at))
    });
}

fn of_backups(all: &mut Families, objects: &[&SalesforceBackup], snapshots: &[&Snapshot]) {
    all.each("backup_ready", "Whether a backup is Ready", objects, |object| {
        truth(&object.status.as_ref()?.conditions, condition::READY)
    });
    all.each("backup_suspended", "Whether a backup is suspended", objects, |object| {
        Some(f64::from(u8::from(object.spec.suspend)))
    });
    all.each(
        "backup_last_success_timestamp_seconds",
        "When the newest successful run of a backup ended",
        objects,
        |object| seconds(object.status.as_ref()?.last_success_time.as_ref()),
    );
    all.each("backup_last_run_status", "1 if the newest finished run succeeded, else 0", objects, |object| {
        truth(&object.status.as_ref()?.conditions, condition::BACKUP_SUCCEEDED)
    });
    all.each("backup_next_run_timestamp_seconds", "When a backup is next due", objects, |object| {
        seconds(object.status.as_ref()?.next_run_time.as_ref())
    });
    all.each("backup_schedule_interval_seconds", "Time between two runs of a schedule", objects, interval);
    // Of each backup's newest snapshot, found by name.
    let by_name: BTreeMap<(Option<String>, String), &Snapshot> =
        snapshots.iter().map(|snapshot| ((snapshot.namespace(), snapshot.name_any()), *snapshot)).collect();
    let newest = |object: &SalesforceBackup| {
        let name = object.status.as_ref()?.last_snapshot.clone()?;
        by_name.get(&(object.namespace(), name))?.status.clone()
    };
    all.each("backup_records", "Records in the newest snapshot of a backup", objects, |object| {
        newest(object)?.counts.map(|counts| counts.records as f64)
    });
    all.each("backup_api_calls", "Calls that the newest run of a backup made", objects, |object| {
        newest(object)?.api_calls.map(|calls| calls as f64)
    });
}

/// By the preset; for cron the time between the last slot and the next.
fn interval(object: &SalesforceBackup) -> Option<f64> {
    const DAY: f64 = 86_400.0;
    let Schedule { preset, .. } = object.spec.schedule.as_ref()?;
    match preset {
        Some(Preset::Daily) => Some(DAY),
        Some(Preset::Every3Days) => Some(3.0 * DAY),
        Some(Preset::Weekly) => Some(7.0 * DAY),
        Some(Preset::ThreeTimesDaily) => Some(DAY / 3.0),
        None => {
            let status = object.status.as_ref()?;
            let last = parse(status.last_run_time.as_ref()?)?;
            let next = parse(status.next_run_time.as_ref()?)?;
            Some(seconds_between(last, next) as f64)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::DeserializeGuard;
    use kube::runtime::reflector::store;
    use kube::runtime::watcher::Event;
    use serde_json::json;

    fn fill<K>(stores: &super::super::super::stores::StoresOf<Guarded<K>>, object: serde_json::Value)
    where
        K: Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + std::fmt::Debug + 'static,
    {
        let (reader, mut writer) = store();
        let object: DeserializeGuard<K> = serde_json::from_value(object).unwrap();
        writer.apply_watcher_event(&Event::Apply(object));
        stores.add(reader);
        // The store lives as long as a reader does.
    }

    #[test]
    fn gauges_come_from_the_objects() {
        let stores = Stores::default();
        let condition = json!({"type": "Ready", "status": "True", "reason": "Available", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"});
        fill(
            &stores.vaults,
            json!({"metadata": {"namespace": "n", "name": "main"},
            "spec": {"volume": {"claimName": "c"}, "encryption": {"disabled": true}},
            "status": {"snapshots": 3, "bytes": 99, "conditions": [condition]}}),
        );
        fill(
            &stores.backups,
            json!({"metadata": {"namespace": "n", "name": "acme"},
            "spec": {"connectionRef": {"name": "c"}, "vaultRef": {"name": "main"}, "schedule": {"preset": "Daily"}},
            "status": {"lastSuccessTime": "1970-01-01T00:01:00Z", "lastSnapshot": "acme-1"}}),
        );
        fill(
            &stores.snapshots,
            json!({"metadata": {"namespace": "n", "name": "acme-1"},
            "spec": {}, "status": {"counts": {"records": 7}}}),
        );
        fill(
            &stores.connections,
            json!({"metadata": {"namespace": "n", "name": "bad"}, "spec": {"auth": 3}}),
        );
        let families = families(&stores);
        let value = |name: &str| {
            let family = families.iter().find(|family| family.name == name).unwrap();
            family.samples.first().map(|sample| sample.value)
        };
        assert_eq!(value("vault_snapshots"), Some(3.0));
        assert_eq!(value("vault_ready"), Some(1.0));
        assert_eq!(value("backup_last_success_timestamp_seconds"), Some(60.0));
        assert_eq!(value("backup_schedule_interval_seconds"), Some(86_400.0));
        assert_eq!(value("backup_records"), Some(7.0));
        assert_eq!(value("connection_ready"), None, "an unreadable object has no series of its own");
        assert_eq!(value("invalid_objects"), Some(1.0));
    }
}
