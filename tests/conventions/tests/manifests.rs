//! Every object of ours that a user is shown is one that the API server takes: right structure, no unknown field,
//! and all CEL rules kept.

use std::error::Error;

use orgkeep_api::validate;
use orgkeep_api::{BackupVault, SalesforceBackup, SalesforceConnection, Snapshot};
use orgkeep_conventions::repository::{self, TextFile};
use orgkeep_conventions::yaml::{self, Manifest};
use serde_json::Value;

fn errors(object: &Value) -> Vec<String> {
    let outcome = match object["kind"].as_str() {
        Some("SalesforceConnection") => validate::read::<SalesforceConnection>(object).map(drop),
        Some("BackupVault") => validate::read::<BackupVault>(object).map(drop),
        Some("SalesforceBackup") => validate::read::<SalesforceBackup>(object).map(drop),
        Some("Snapshot") => validate::read::<Snapshot>(object).map(drop),
        other => Err(vec![format!("no such kind: {other:?}")]),
    };
    outcome.err().unwrap_or_default()
}

/// Sources and tests may show what is wrong; these are for users.
fn is_for_users(file: &TextFile) -> bool {
    !file.path.starts_with("tests/") && !file.path.starts_with("operator/")
}

fn shown() -> Result<Vec<Manifest>, Box<dyn Error>> {
    let mut found = Vec::new();
    for file in repository::text_files()?.iter().filter(|file| is_for_users(file)) {
        // templates of the chart are not YAML before Helm has rendered them
        if !file.path.starts_with("charts/") || file.ends_with(&[".md", "NOTES.txt"]) {
            found.extend(yaml::manifests(file)?);
        }
    }
    Ok(found)
}

#[test]
fn what_users_are_shown_is_valid() -> Result<(), Box<dyn Error>> {
    let wrong: Vec<String> = shown()?
        .iter()
        .flat_map(|manifest| {
            errors(&manifest.object).into_iter().map(|error| format!("{}: {error}", manifest.place))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn every_place_shows_something() -> Result<(), Box<dyn Error>> {
    let shown = shown()?;
    for place in ["README.md", "docs/", "examples/quickstart/", "charts/orgkeep/templates/NOTES.txt"] {
        assert!(shown.iter().any(|manifest| manifest.place.starts_with(place)), "no object in {place}");
    }
    Ok(())
}

#[test]
fn a_typo_and_a_broken_rule_are_seen() {
    let good = serde_json::json!({
        "apiVersion": "orgkeep.dev/v1alpha1", "kind": "SalesforceBackup", "metadata": {"name": "a"},
        "spec": {"connectionRef": {"name": "a"}, "vaultRef": {"name": "b"}, "schedule": {"preset": "Daily"}},
    });
    assert_eq!(errors(&good), Vec::<String>::new());
    let mut typo = good.clone();
    typo["spec"]["scheduel"] = Value::Null;
    let mut two = good.clone();
    two["spec"]["schedule"]["cron"] = "0 2 * * *".into();
    let mut kind = good;
    kind["kind"] = "SalesforceBackups".into();
    for wrong in [typo, two, kind] {
        assert!(!errors(&wrong).is_empty(), "{wrong}");
    }
}
