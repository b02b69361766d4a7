//! `orgkeep run` and `orgkeep vault …` as a person uses them, against a small org over HTTP.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../engine/tests/common/org.rs"]
#[allow(dead_code, missing_docs, unreachable_pub)]
mod org;

use std::path::Path;
use std::process::Output;
use std::sync::atomic::Ordering;

use org::{Object, Org, object};
use serde_json::Value;
use tokio::process::Command;

const KEY: &str = "b3Jna2VlcC1xdWlja3N0YXJ0LWRlbW8ta2V5LTMyYiE=";

fn write_yaml(folder: &Path, org: &Org, include: &str) {
    let yaml = format!(
        r"
apiVersion: orgkeep.dev/v1alpha1
kind: SalesforceConnection
metadata: {{name: acme}}
spec:
  environment: Production
  loginUrl: {}
  insecure: true
  auth: {{clientCredentials: {{clientId: x, clientSecretRef: {{name: acme-app, key: secret}}}}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: acme-app}}
stringData: {{secret: t0p}}
---
apiVersion: v1
kind: Secret
metadata: {{name: vault-key}}
stringData: {{key: {KEY}}}
---
apiVersion: orgkeep.dev/v1alpha1
kind: BackupVault
metadata: {{name: main}}
spec: {{volume: {{path: vault}}, encryption: {{keySecretRef: {{name: vault-key, key: key}}}}}}
---
apiVersion: orgkeep.dev/v1alpha1
kind: SalesforceBackup
metadata: {{name: acme}}
spec:
  connectionRef: {{name: acme}}
  vaultRef: {{name: main}}
  scope: {{objects: {{include: {include}}}}}
",
        org.url
    );
    std::fs::write(folder.join("all.yaml"), yaml).unwrap();
    std::fs::write(folder.join("vault.key"), KEY).unwrap();
}

async fn orgkeep(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_orgkeep")).args(arguments).current_dir(folder).output().await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

async fn vault(folder: &Path, command: &str, arguments: &[&str]) -> Output {
    let url = format!("file://{}", folder.join("vault").display());
    let mut all = vec!["vault", command, "--vault", &url, "--key-file", "vault.key"];
    all.extend(arguments);
    orgkeep(folder, &all).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_yaml_becomes_a_snapshot_that_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let org = Org::start(vec![object("Account", 5_000), object("Contact", 3)]).await;
    write_yaml(folder, &org, "[\"*\"]");

    let ran = orgkeep(folder, &["run", "-f", ".", "-o", "json"]).await;
    assert!(ran.status.success(), "{}{}", text(&ran.stdout), text(&ran.stderr));
    let list: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let kinds: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["SalesforceConnection", "BackupVault", "SalesforceBackup", "Snapshot"]);
    let snapshot = &list["items"][3];
    assert_eq!(snapshot["status"]["phase"], "Succeeded");
    assert_eq!(snapshot["status"]["counts"]["records"], 5_003);
    assert_eq!(snapshot["status"]["completeness"]["proven"], true);
    assert!(!text(&ran.stdout).contains("t0p"));

    let table = orgkeep(folder, &["run", "-f", "."]).await;
    assert!(text(&table.stdout).contains("snapshot.orgkeep.dev/acme-"), "{}", text(&table.stdout));

    let digest = snapshot["status"]["manifestDigest"].as_str().unwrap();
    let verified = vault(folder, "verify", &["--expect", digest]).await;
    assert!(verified.status.success(), "{}{}", text(&verified.stdout), text(&verified.stderr));
    assert!(!vault(folder, "verify", &["--quick", "--expect", "sha256:other"]).await.status.success());

    let read = vault(folder, "read", &["--object", "Contact", "--fields", "Name,Amount__c"]).await;
    let wanted = "\"Name\",\"Amount__c\"\n\"Contact \"\"2\"\", größer\nand more\",\"2.25\"\n";
    assert!(text(&read.stdout).starts_with(wanted), "{}{}", text(&read.stdout), text(&read.stderr));
    let limited = vault(folder, "read", &["--object", "Account", "--format", "json", "--limit", "2"]).await;
    assert_eq!(serde_json::from_slice::<Value>(&limited.stdout).unwrap().as_array().unwrap().len(), 2);

    let shown = vault(folder, "show", &["--object", "Account", "--files", "-o", "json"]).await;
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let files = shown["objects"][0]["files"].as_array().unwrap();
    assert_eq!(files.iter().map(|file| file["rows"].as_u64().unwrap()).sum::<u64>(), 5_000);
    assert!(files.iter().all(|file| folder.join("vault").join(file["path"].as_str().unwrap()).is_file()));
    assert_eq!(files[0]["dataKey"].as_str().unwrap().len(), 44);
    let listed = vault(folder, "snapshots", &["-o", "json"]).await;
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["snapshots"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let org = Org::start(vec![object("Account", 30_000)]).await;
    org.faults.slow.store(20, Ordering::Relaxed);
    org.faults.pages_until.store(15, Ordering::Relaxed);
    write_yaml(folder, &org, "[\"*\"]");
    let mut child = Command::new(env!("CARGO_BIN_EXE_orgkeep"))
        .args(["run", "-f", "."])
        .current_dir(folder)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    org.faults.reached.cancelled().await;
    child.kill().await.unwrap();
    assert!(!vault(folder, "read", &["--object", "Account"]).await.status.success());

    let ran = orgkeep(folder, &["run", "-f", "."]).await;
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    assert!(text(&ran.stderr).contains("goes on with run"), "{}", text(&ran.stderr));
    let pages = org.pages.load(Ordering::Relaxed);
    assert!(pages <= 30 + 3, "{pages} pages of 30");
    let read = vault(folder, "read", &["--object", "Account", "--fields", "Id"]).await;
    assert_eq!(text(&read.stdout).lines().count(), 30_001);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let org = Org::start(vec![Object { count_off: 5, ..object("Contact", 3) }]).await;
    write_yaml(folder, &org, "[Contact, Nope__c]");
    let ran = orgkeep(folder, &["run", "-f", "."]).await;
    assert!(!ran.status.success());
    let said = text(&ran.stderr);
    assert!(said.contains("Nope__c ObjectNotFound") && said.contains("Contact Unproven"), "{said}");

    std::fs::write(
        folder.join("more.yaml"),
        "kind: Snapshot\napiVersion: orgkeep.dev/v1alpha1\nmetadata: {name: x}\nspec: {}\n",
    )
    .unwrap();
    let refused = orgkeep(folder, &["run", "-f", "."]).await;
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("more.yaml: Snapshot x"), "{}", text(&refused.stderr));
}
