//! Tables of objects that must be taken and of objects that must be refused, with the field that is named.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value)]

use orgkeep_api::validate::{read, validate_update};
use orgkeep_api::{BackupVault, SalesforceBackup, SalesforceConnection, Snapshot};
use serde_json::{Value, json};

fn manifest(kind: &str, spec: Value) -> Value {
    json!({"apiVersion": "orgkeep.dev/v1alpha1", "kind": kind, "metadata": {"name": "acme", "namespace": "team"}, "spec": spec})
}

fn with(mut base: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    base.pointer_mut(parent).unwrap()[key] = value;
    base
}

macro_rules! taken {
    ($kind:ty, $spec:expr) => {
        read::<$kind>(&manifest(stringify!($kind), $spec)).unwrap_or_else(|errors| panic!("{errors:#?}"))
    };
}

macro_rules! refused {
    ($kind:ty, $spec:expr, $words:expr) => {{
        let spec = $spec;
        match read::<$kind>(&manifest(stringify!($kind), spec.clone())) {
            Ok(_) => panic!("taken, and should not be: {spec}"),
            Err(errors) => assert!(errors.iter().any(|error| error.contains($words)), "{spec}: {errors:#?}"),
        }
    }};
}

fn connection() -> Value {
    json!({
        "environment": "Production",
        "loginUrl": "https://acme.my.salesforce.com",
        "auth": {"clientCredentials": {"clientId": "3MVG9", "clientSecretRef": {"name": "acme-sf", "key": "secret"}}},
    })
}

fn vault() -> Value {
    json!({
        "s3": {"bucket": "backups", "prefix": "orgs/acme", "credentialsSecretRef": {"name": "s3"}},
        "encryption": {"keySecretRef": {"name": "key", "key": "key"}, "recipients": ["age1qqqq"]},
    })
}

fn backup() -> Value {
    json!({"connectionRef": {"name": "acme-prod"}, "vaultRef": {"name": "main"}, "schedule": {"preset": "Daily", "hourUtc": 2}})
}

#[test]
fn connections() {
    let taken = taken!(SalesforceConnection, connection());
    assert_eq!(taken.spec.api_usage.max_percent, 75);
    let jwt = json!({"jwtBearer": {"clientId": "3MVG9", "username": "backup@acme.com", "privateKeySecretRef": {"name": "acme-sf", "key": "server.key"}}});
    let secret = json!({"name": "acme-sf", "key": "token"});
    taken!(SalesforceConnection, json!({"environment": "Sandbox", "auth": jwt}));
    taken!(
        SalesforceConnection,
        with(connection(), "/loginUrl", json!("simulator:org?scale=Account=200000"))
    );
    taken!(
        SalesforceConnection,
        with(with(connection(), "/loginUrl", json!("http://sim.team:8080")), "/insecure", json!(true))
    );
    taken!(SalesforceConnection, with(connection(), "/writeAuth", jwt.clone()));
    taken!(
        SalesforceConnection,
        with(
            connection(),
            "/auth",
            json!({"refreshToken": {"clientId": "x", "refreshTokenSecretRef": secret}})
        )
    );

    refused!(SalesforceConnection, with(connection(), "/environment", json!("Staging")), "environment");
    refused!(SalesforceConnection, with(connection(), "/auth", json!({})), "exactly one of jwtBearer");
    refused!(
        SalesforceConnection,
        with(connection(), "/auth/jwtBearer", jwt["jwtBearer"].clone()),
        "exactly one of jwtBearer"
    );
    refused!(SalesforceConnection, with(connection(), "/writeAuth", json!({})), "writeAuth: exactly one of");
    refused!(
        SalesforceConnection,
        with(connection(), "/loginUrl", json!("http://acme.my.salesforce.com")),
        "insecure: true"
    );
    refused!(
        SalesforceConnection,
        with(connection(), "/loginUrl", json!("https://login.salesforce.com")),
        "My Domain"
    );
    refused!(
        SalesforceConnection,
        with(connection(), "/loginUrl", json!("https://test.salesforce.com/services")),
        "My Domain"
    );
    refused!(
        SalesforceConnection,
        with(connection(), "/loginUrl", json!("https://me:pw@acme.my.salesforce.com")),
        "loginUrl"
    );
    refused!(SalesforceConnection, with(connection(), "/loginUrl", json!("ftp://acme")), "loginUrl");
    let mut without_url = connection();
    without_url.as_object_mut().unwrap().remove("loginUrl");
    refused!(SalesforceConnection, without_url, "My Domain");
    for percent in [0, 101] {
        refused!(
            SalesforceConnection,
            with(connection(), "/apiUsage", json!({"maxPercent": percent})),
            "maxPercent"
        );
    }
    refused!(SalesforceConnection, with(connection(), "/apiVersion", json!("v64")), "apiVersion");
    refused!(SalesforceConnection, with(connection(), "/clientSecret", json!("s3cr3t")), "clientSecret");
    let spec = with(connection(), "/auth/clientCredentials/clientSecretRef/key", json!("../../etc/passwd"));
    refused!(SalesforceConnection, spec, "clientSecretRef.key");
}

#[test]
fn vaults() {
    let taken = taken!(BackupVault, vault());
    assert_eq!((taken.spec.catalog.interval_minutes, taken.spec.catalog.keep), (15, 100));
    let clear = json!({"disabled": true});
    taken!(BackupVault, json!({"volume": {"path": "./vault"}, "encryption": clear}));
    taken!(
        BackupVault,
        json!({"volume": {"claimName": "data", "path": "orgkeep"}, "encryption": vault()["encryption"]})
    );
    taken!(BackupVault, with(vault(), "/s3/objectLock", json!({"mode": "Compliance", "days": 30})));

    refused!(BackupVault, json!({"encryption": clear}), "exactly one storage");
    refused!(BackupVault, with(vault(), "/volume", json!({"path": "x"})), "exactly one storage");
    let azure = json!({"account": "acme", "container": "backups", "credentialsSecretRef": {"name": "az"}});
    let gcs = json!({"bucket": "acme-backups", "prefix": "salesforce"});
    taken!(BackupVault, json!({"azureBlob": azure, "encryption": clear}));
    taken!(BackupVault, json!({"gcs": gcs, "encryption": clear}));
    refused!(
        BackupVault,
        json!({"gcs": gcs, "azureBlob": azure, "encryption": clear}),
        "exactly one storage"
    );
    let plain = with(azure, "/endpoint", json!("http://azurite:10000/acme"));
    refused!(BackupVault, json!({"azureBlob": plain, "encryption": clear}), "insecure: true");
    let insecure = with(plain, "/insecure", json!(true));
    taken!(BackupVault, json!({"azureBlob": insecure, "encryption": clear}));
    refused!(BackupVault, with(vault(), "/encryption", json!({})), "keySecretRef");
    refused!(BackupVault, with(vault(), "/encryption/disabled", json!(true)), "encryption");
    refused!(
        BackupVault,
        with(vault(), "/encryption", json!({"disabled": true, "recipients": ["age1q"]})),
        "recipients"
    );
    refused!(BackupVault, with(vault(), "/encryption/recipients", json!(["age1q", "age1q"])), "twice");
    refused!(BackupVault, with(vault(), "/encryption/recipients", json!(["AGE-SECRET-KEY-1"])), "recipients");
    refused!(BackupVault, with(vault(), "/s3/endpoint", json!("http://minio:9000")), "insecure: true");
    refused!(BackupVault, with(vault(), "/s3/prefix", json!("/lead")), "prefix");
    refused!(BackupVault, with(vault(), "/s3/objectLock", json!({"mode": "Compliance", "days": 0})), "days");
    refused!(BackupVault, json!({"volume": {}, "encryption": clear}), "claimName");
    refused!(
        BackupVault,
        json!({"volume": {"claimName": "data", "path": "../other"}, "encryption": clear}),
        "inside the claim"
    );
    refused!(BackupVault, with(vault(), "/catalog", json!({"keep": 1001})), "keep");
}

#[test]
fn backups() {
    let taken = taken!(SalesforceBackup, backup());
    assert_eq!(taken.spec.scope.objects.include, ["*"]);
    assert!(taken.spec.scope.files.enabled && taken.spec.scope.chatter && taken.spec.search.enabled);
    assert_eq!(
        (taken.spec.scope.files.max_size_mib, taken.spec.full_every_days, taken.spec.worker.parallelism),
        (2048, 30, 1)
    );
    assert_eq!(taken.spec.deletion.grace_period_days, 7);
    let cron = json!({"cron": "0 */6 * * *", "timeZone": "Europe/Berlin"});
    taken!(SalesforceBackup, with(backup(), "/schedule", cron));
    taken!(SalesforceBackup, with(backup(), "/retention", json!({"keepFor": {"years": 7}, "keepLast": 3})));
    let generations = json!({"generations": {"daily": 7, "monthly": 12}});
    let rules = taken!(SalesforceBackup, with(backup(), "/retention", generations)).spec.retention.rules();
    assert_eq!(rules.generations.map(|all| (all.daily, all.weekly, all.monthly)), Some((7, 0, 12)));
    assert!(taken!(SalesforceBackup, backup()).spec.retention.is_unlimited());
    let worker = json!({"parallelism": 4, "resources": {"limits": {"memory": "1Gi"}}, "tolerations": [{"key": "a", "operator": "Exists"}]});
    taken!(SalesforceBackup, with(backup(), "/worker", worker));

    refused!(SalesforceBackup, with(backup(), "/schedule", json!({})), "exactly one of preset and cron");
    refused!(
        SalesforceBackup,
        with(backup(), "/schedule", json!({"preset": "Daily", "cron": "0 1 * * *"})),
        "exactly one of preset"
    );
    refused!(SalesforceBackup, with(backup(), "/schedule", json!({"cron": "0 0 1 * * *"})), "cron");
    refused!(
        SalesforceBackup,
        with(backup(), "/schedule", json!({"cron": "0 1 * * *", "hourUtc": 2})),
        "hourUtc"
    );
    refused!(
        SalesforceBackup,
        with(backup(), "/schedule", json!({"preset": "Daily", "timeZone": "UTC"})),
        "timeZone"
    );
    refused!(SalesforceBackup, with(backup(), "/schedule/hourUtc", json!(24)), "hourUtc");
    refused!(SalesforceBackup, with(backup(), "/schedule/preset", json!("Hourly")), "preset");
    refused!(
        SalesforceBackup,
        with(backup(), "/retention", json!({"keepFor": {"days": 1, "years": 1}})),
        "exactly one of days"
    );
    refused!(
        SalesforceBackup,
        with(backup(), "/retention", json!({"generations": {"daily": 0}})),
        "at least one of daily"
    );
    refused!(SalesforceBackup, with(backup(), "/scope", json!({"objects": {"include": []}})), "include");
    refused!(
        SalesforceBackup,
        with(backup(), "/scope", json!({"objects": {"include": ["A ccount"]}})),
        "include"
    );
    refused!(SalesforceBackup, with(backup(), "/fullEveryDays", json!(0)), "fullEveryDays");
    refused!(SalesforceBackup, with(backup(), "/worker", json!({"parallelism": 33})), "parallelism");
    refused!(SalesforceBackup, with(backup(), "/connectionRef", json!({})), "connectionRef.name");
}

#[test]
fn snapshots() {
    taken!(Snapshot, json!({"backupRef": {"name": "acme"}}));
    taken!(Snapshot, json!({"vaultRef": {"name": "main"}, "lineId": "l1", "snapshotId": "000001"}));
    refused!(Snapshot, json!({}), "backupRef must be given");
    refused!(Snapshot, json!({"vaultRef": {"name": "main"}, "snapshotId": "1"}), "lineId");
    refused!(Snapshot, json!({"backupRef": {"name": "acme"}, "mode": "Differential"}), "mode");
}

#[test]
fn names() {
    for (name, good) in
        [("a".repeat(40), true), ("a".repeat(41), false), ("a.b".into(), false), ("acme-2".into(), true)]
    {
        let object = with(manifest("SalesforceBackup", backup()), "/metadata/name", json!(name));
        let outcome = read::<SalesforceBackup>(&object);
        assert_eq!(outcome.is_ok(), good, "{name}: {:?}", outcome.err());
    }
    let long = with(
        manifest("Snapshot", json!({"backupRef": {"name": "acme"}})),
        "/metadata/name",
        json!("s".repeat(54)),
    );
    read::<Snapshot>(&long).unwrap();
}

/// A change at a pointer in `spec`, and the words of the refusal (none: it is taken).
type Change = (&'static str, Value, Option<&'static str>);

fn changes<K>(kind: &str, base: &Value, table: &[Change])
where
    K: kube::CustomResourceExt + serde::de::DeserializeOwned + serde::Serialize,
{
    let old = read::<K>(&manifest(kind, base.clone())).unwrap();
    for (pointer, value, refusal) in table {
        let new = read::<K>(&manifest(kind, with(base.clone(), pointer, value.clone())))
            .unwrap_or_else(|e| panic!("{pointer}: {e:?}"));
        match (validate_update(&new, &old), refusal) {
            (Ok(()), None) => {}
            (Err(errors), Some(words)) => {
                assert!(errors.iter().any(|error| error.contains(words)), "{pointer}: {errors:?}");
            }
            (outcome, _) => panic!("{pointer}: {outcome:?}"),
        }
    }
}

#[test]
fn what_cannot_be_changed() {
    changes::<SalesforceConnection>(
        "SalesforceConnection",
        &connection(),
        &[
            ("/environment", json!("Sandbox"), Some("environment cannot be changed")),
            ("/loginUrl", json!("https://acme2.my.salesforce.com"), None),
        ],
    );
    changes::<BackupVault>(
        "BackupVault",
        &vault(),
        &[
            ("/s3/bucket", json!("other"), Some("bucket cannot be changed")),
            ("/s3/prefix", json!("other"), Some("prefix cannot be changed")),
            ("/s3/endpoint", json!("https://minio"), Some("endpoint cannot be changed")),
            ("/s3/credentialsSecretRef", json!({"name": "new"}), None),
            ("/s3/objectLock", json!({"mode": "Governance", "days": 3}), None),
            ("/encryption/recipients", json!(["age1other"]), None),
            ("/accessMode", json!("ReadOnly"), None),
        ],
    );
    changes::<SalesforceBackup>(
        "SalesforceBackup",
        &backup(),
        &[
            ("/connectionRef", json!({"name": "other"}), Some("connectionRef cannot be changed")),
            ("/vaultRef", json!({"name": "other"}), Some("vaultRef cannot be changed")),
            ("/lineId", json!("adopted"), None),
            ("/displayName", json!("Acme"), None),
            ("/suspend", json!(true), None),
        ],
    );
    changes::<SalesforceBackup>(
        "SalesforceBackup",
        &with(backup(), "/lineId", json!("a")),
        &[
            ("/lineId", json!("b"), Some("lineId cannot be changed")),
            ("/lineId", json!(""), Some("lineId cannot be changed")),
        ],
    );
    changes::<Snapshot>(
        "Snapshot",
        &json!({"backupRef": {"name": "acme"}}),
        &[
            ("/backupRef", json!({"name": "other"}), Some("cannot be changed")),
            ("/mode", json!("Full"), Some("cannot be changed")),
            ("/vaultRef", json!({"name": "main"}), Some("cannot be changed")),
            ("/cancel", json!(true), None),
        ],
    );
    changes::<Snapshot>(
        "Snapshot",
        &json!({"backupRef": {"name": "acme"}, "cancel": true}),
        &[("/cancel", json!(false), Some("cannot be taken back"))],
    );
}
