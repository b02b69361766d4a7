//! What the chart says twice is what the code says: the workers' port and labels, the names of the definitions.

use std::error::Error;
use std::fs;

use orgkeep_api::{crds, labels};
use orgkeep_conventions::repository;
use orgkeep_core::run::PROGRESS_PORT;

fn template(name: &str) -> Result<String, std::io::Error> {
    fs::read_to_string(repository::root().join("charts/orgkeep/templates").join(name))
}

/// The body of a named template.
fn definition<'a>(helpers: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = helpers.split_once(&format!("{{{{- define \"{name}\" -}}}}\n"))?;
    Some(after.split_once("{{- end -}}")?.0)
}

#[test]
fn policies_open_the_port_on_which_workers_report() -> Result<(), Box<dyn Error>> {
    let port = format!("{{port: {PROGRESS_PORT}, protocol: TCP}}");
    for name in ["networkpolicy.yaml", "worker-networkpolicy.yaml"] {
        assert!(template(name)?.contains(&port), "{name} has no {port}");
    }
    Ok(())
}

#[test]
fn policies_select_workers_by_their_labels() -> Result<(), Box<dyn Error>> {
    let helpers = template("_helpers.tpl")?;
    let selector = definition(&helpers, "orgkeep.workerSelectorLabels").ok_or("no such template")?;
    let mut lines: Vec<&str> = selector.lines().collect();
    lines.sort_unstable();
    let component = format!("{}: worker", labels::APP_COMPONENT);
    let manager = format!("{}: {}", labels::APP_MANAGED_BY, labels::APP);
    assert_eq!(lines, [component, manager]);
    Ok(())
}

#[test]
fn roles_name_every_kind() -> Result<(), Box<dyn Error>> {
    let helpers = template("_helpers.tpl")?;
    let rules = definition(&helpers, "orgkeep.namespacedRules").ok_or("no such template")?;
    let (roles, people) = (template("rbac.yaml")?, template("aggregate-roles.yaml")?);
    for definition in crds::all()? {
        let (plural, name) = (&definition.spec.names.plural, definition.metadata.name.unwrap_or_default());
        assert!(
            rules.contains(&format!("{plural}/status")),
            "the operator cannot write the status of {plural}"
        );
        assert!(roles.contains(&format!("- {name}\n")), "the readiness gate cannot see {name}");
        assert!(people.contains(plural), "no role for people names {plural}");
    }
    Ok(())
}
