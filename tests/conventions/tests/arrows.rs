//! Which crate may use which: the table of the architecture, held to what cargo says.

use std::collections::BTreeMap;
use std::error::Error;

use cargo_metadata::{DependencyKind, MetadataCommand, Package};
use orgkeep_conventions::repository;

/// Each crate of the workspace, and those of ours that it may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("orgkeep-core", &[]),
    ("orgkeep-api", &["orgkeep-core"]),
    ("orgkeep-salesforce", &["orgkeep-core"]),
    ("orgkeep-vault", &["orgkeep-core"]),
    ("orgkeep-engine", &["orgkeep-core", "orgkeep-api", "orgkeep-salesforce", "orgkeep-vault"]),
    ("orgkeep-controller", &["orgkeep-core", "orgkeep-api"]),
    (
        "orgkeep",
        &[
            "orgkeep-core",
            "orgkeep-api",
            "orgkeep-salesforce",
            "orgkeep-vault",
            "orgkeep-engine",
            "orgkeep-controller",
        ],
    ),
    ("orgkeep-xtask", &["orgkeep-api"]),
    // a second opinion on Salesforce: sharing code with the client would share its mistakes
    ("orgkeep-simulator", &[]),
    ("orgkeep-conventions", &["orgkeep-core", "orgkeep-api"]),
    // the campaign puts the one against the other
    ("orgkeep-faults", &["orgkeep-core", "orgkeep-salesforce", "orgkeep-simulator"]),
];

/// What the pure domain does without.
const IMPURE: &[&str] =
    &["tokio", "kube", "k8s-openapi", "reqwest", "axum", "hyper", "aws-sdk-s3", "futures"];

/// What nothing of ours uses directly: TLS and ciphers are `ring`'s.
const BANNED: &[&str] = &["aws-lc-rs", "openssl", "native-tls"];

fn packages() -> Result<BTreeMap<String, Package>, Box<dyn Error>> {
    let manifest = repository::root().join("Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec()?;
    Ok(metadata.packages.into_iter().map(|package| (package.name.to_string(), package)).collect())
}

#[test]
fn arrows_between_crates_go_one_way() -> Result<(), Box<dyn Error>> {
    let packages = packages()?;
    let mut wrong = Vec::new();
    for package in packages.values() {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package.name.as_str()) else {
            wrong.push(format!("{} is not in the table of tests/conventions/tests/arrows.rs", package.name));
            continue;
        };
        for dependency in
            package.dependencies.iter().filter(|dependency| packages.contains_key(&dependency.name))
        {
            // the client's and the engine's own tests run against the simulated org
            let for_tests =
                dependency.kind == DependencyKind::Development && dependency.name == "orgkeep-simulator";
            let simulator = package.name.as_str() == "orgkeep-simulator";
            if !allowed.contains(&dependency.name.as_str()) && (!for_tests || simulator) {
                wrong.push(format!("{} must not use {}", package.name, dependency.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(packages.len(), ALLOWED.len(), "a crate of the table is gone");
    Ok(())
}

#[test]
fn the_core_is_pure() -> Result<(), Box<dyn Error>> {
    let packages = packages()?;
    let core = packages.get("orgkeep-core").ok_or("orgkeep-core is gone")?;
    let impure = core.dependencies.iter().filter(|dependency| IMPURE.contains(&dependency.name.as_str()));
    let impure: Vec<&str> = impure.map(|dependency| dependency.name.as_str()).collect();
    assert!(impure.is_empty(), "orgkeep-core must not use {}", impure.join(", "));
    Ok(())
}

#[test]
fn ciphers_come_from_one_place() -> Result<(), Box<dyn Error>> {
    for package in packages()?.values() {
        for dependency in &package.dependencies {
            assert!(!BANNED.contains(&dependency.name.as_str()), "{} uses {}", package.name, dependency.name);
        }
    }
    Ok(())
}
