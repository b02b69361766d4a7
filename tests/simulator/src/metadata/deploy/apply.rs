//! Carries a deploy out on a world.

use std::collections::HashSet;

use super::effect::{self, Problem};
use super::input::Input;
use super::options::{Options, TestLevel};
use super::outcome::{Message, Outcome, Severity};
use super::{remove, tests};
use crate::metadata::catalog::Catalog;
use crate::metadata::mdapi::Unit;
use crate::metadata::{File, Key, Stamp, types, zip};
use crate::org::{OrgType, Site};
use crate::store::World;
use crate::value::Id;

/// Types whose components are code.
const APEX: [&str; 2] = ["ApexClass", "ApexTrigger"];

/// Deploys at a time (milliseconds since 1970) as a user. The world is what it becomes even where the outcome says that
/// nothing is to be kept: whoever calls throws it away then.
pub(super) fn run(
    world: &mut World,
    input: &Input,
    options: &Options,
    site: &Site,
    at: i64,
    by: Id,
) -> Outcome {
    let stamp = Stamp { at, by };
    let mut outcome = Outcome { messages: input.messages.clone(), ..Outcome::default() };
    let deleted: HashSet<Key> = input.before.iter().chain(&input.after).map(|(key, _)| key.clone()).collect();
    remove_all(world, &input.before, &deleted, &mut outcome, options);
    deploy_all(world, input, site, stamp, &mut outcome);
    remove_all(world, &input.after, &deleted, &mut outcome, options);
    let failed = outcome.errors(options.ignore_warnings) > 0;
    let whole = options.rollback_on_error || site.settings.r#type == OrgType::Production;
    if failed && whole {
        return outcome;
    }
    outcome.tests = run_tests(world, input, options, site, &mut outcome.error);
    let tests_failed = outcome
        .tests
        .as_ref()
        .is_some_and(|tests| tests.failures().next().is_some() || whole && !tests.warnings.is_empty());
    if tests_failed || outcome.error.is_some() {
        // failing tests roll back whatever the options say
        return outcome;
    }
    let any = outcome.messages.iter().any(|message| message.changed || message.deleted || message.created);
    outcome.kept = !failed || any;
    if outcome.kept && options.perform_retrieve && !options.check_only {
        outcome.retrieved = retrieved(world, input);
    }
    outcome
}

/// The components that were deployed, as they are now.
fn retrieved(world: &World, input: &Input) -> Option<Vec<u8>> {
    let stored = input.units.iter().filter_map(|(unit, _)| world.metadata.get(&unit.key));
    let mut files: Vec<File> = stored.flat_map(|component| component.files.iter().cloned()).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
    zip::write(&files).ok()
}

/// Runs the tests that are asked for, or that a production org demands where code is deployed.
fn run_tests(
    world: &World,
    input: &Input,
    options: &Options,
    site: &Site,
    error: &mut Option<(&'static str, String)>,
) -> Option<super::outcome::Tests> {
    let production = site.settings.r#type == OrgType::Production;
    let code = input.units.iter().map(|(unit, _)| &unit.key).chain(input.before.iter().map(|(key, _)| key));
    let has_code =
        code.chain(input.after.iter().map(|(key, _)| key)).any(|key| APEX.contains(&&*key.type_name));
    let level =
        options.test_level.unwrap_or(if production && has_code { TestLevel::Local } else { TestLevel::None });
    let chosen = match level {
        TestLevel::None => return None,
        TestLevel::Specified => Some(options.run_tests.as_slice()),
        TestLevel::Local | TestLevel::All => None,
    };
    match tests::run(world, chosen, level == TestLevel::All, production && has_code) {
        Ok(tests) => Some(tests),
        Err(message) => {
            *error = Some(("INVALID_OPERATION", message));
            None
        }
    }
}

fn remove_all(
    world: &mut World,
    keys: &[(Key, String)],
    deleted: &HashSet<Key>,
    outcome: &mut Outcome,
    options: &Options,
) {
    // fields before their objects, and what needs others before what it needs
    let mut keys: Vec<&(Key, String)> = keys.iter().collect();
    keys.sort_by_key(|(key, _)| std::cmp::Reverse(rank(key)));
    for (key, file) in keys {
        let id = world.metadata.get(key).and_then(|component| component.id);
        let message = Message { id, ..Message::new(key, file) };
        outcome.messages.push(match remove::remove(world, key, deleted, options.purge_on_delete) {
            Ok(true) => Message { deleted: true, changed: true, ..message },
            // as users report it (forcedotcom/cli#1534)
            Ok(false) => {
                let problem = format!("No {} named: {} found", key.type_name, key.full_name);
                Message { deleted: false, ..message }.with(Severity::Warning, problem)
            }
            Err(problem) => message.with(Severity::Error, problem),
        });
    }
}

/// In which order components are deployed: what others need comes first.
fn rank(key: &Key) -> u8 {
    match &*key.type_name {
        name if types::find(name).is_some_and(|of| of.is_folder) => 0,
        "GlobalValueSet" | "CustomLabels" | "CustomLabel" | "CustomPermission" | "Group" | "Queue"
        | "Role" => 1,
        "CustomObject" => 2,
        "CustomField" => 3,
        "StandardValueSet" | "BusinessProcess" => 4,
        "RecordType" => 5,
        "ApexClass"
        | "WorkflowFieldUpdate"
        | "WorkflowAlert"
        | "WorkflowTask"
        | "WorkflowOutboundMessage"
        | "MatchingRule" => 6,
        "ValidationRule" | "WorkflowRule" | "DuplicateRule" | "AssignmentRule" | "ApexTrigger" | "Flow" => 8,
        "FlowDefinition" | "Layout" | "CustomMetadata" => 9,
        "Profile" | "PermissionSet" => 11,
        "PermissionSetGroup" => 12,
        _ => 7,
    }
}

fn deploy_all(world: &mut World, input: &Input, site: &Site, stamp: Stamp, outcome: &mut Outcome) {
    let mut order: Vec<&(Unit, String)> = input.units.iter().collect();
    order.sort_by_key(|(unit, _)| rank(&unit.key));
    let mut sets = effect::value_sets(world);
    let mut failed: HashSet<Key> = HashSet::new();
    let mut at = 0;
    while at < order.len() {
        // components of a kind may need each other: formulas wait for the fields that they name, records for records
        let level = rank(&order[at].0.key);
        let end = at + order[at..].partition_point(|(unit, _)| rank(&unit.key) == level);
        let mut waiting: Vec<&(Unit, String)> = order[at..end].to_vec();
        loop {
            let mut again = Vec::new();
            let before = waiting.len();
            for (unit, file) in std::mem::take(&mut waiting).into_iter().map(|pair| (&pair.0, &pair.1)) {
                if unit.key.parent().is_some_and(|parent| failed.contains(&parent)) {
                    again.push((unit, file, Problem::new("Parent entity failed to deploy")));
                    continue;
                }
                match deploy_one(world, unit, file, site, stamp, &mut sets) {
                    Ok(message) => outcome.messages.push(message),
                    Err(problem) => again.push((unit, file, problem)),
                }
            }
            if again.is_empty() {
                break;
            }
            if again.len() == before {
                for (unit, file, problem) in again {
                    failed.insert(unit.key.clone());
                    let line = if unit.line > 1 { unit.line } else { problem.line };
                    let message = Message::error(&unit.key, file, problem.message);
                    outcome.messages.push(Message { line, column: u32::from(line > 0) * 13, ..message });
                }
                break;
            }
            let left: HashSet<&Key> = again.iter().map(|(unit, ..)| &unit.key).collect();
            waiting = order[at..end].iter().copied().filter(|(unit, _)| left.contains(&unit.key)).collect();
        }
        at = end;
    }
}

/// Deploys one component; what is to be told of it.
pub(super) fn deploy_one(
    world: &mut World,
    unit: &Unit,
    file: &str,
    site: &Site,
    stamp: Stamp,
    sets: &mut crate::org::ValueSets,
) -> Result<Message, Problem> {
    let key = &unit.key;
    let known = world.metadata.get(key).cloned();
    if let Some(known) = known.as_ref().filter(|known| known.managed) {
        let namespace = known.namespace.as_deref().unwrap_or_default();
        return Err(Problem::new(format!(
            "Cannot modify managed object: entity={}, component={}, state=installed, namespace={namespace}",
            key.type_name, key.full_name
        )));
    }
    let existed = known.is_some() || Catalog::new(world, stamp.by).has(key);
    let same = known.as_ref().is_some_and(|known| *known.files == *unit.files);
    let context = effect::Context { site, stamp, same };
    effect::check(world, unit)?;
    if !same {
        world.metadata.put(key.clone(), unit.files.clone(), stamp);
    }
    if let Err(problem) = effect::apply(world, unit, &context, sets) {
        match known {
            Some(known) => world.metadata.put_whole(key.clone(), (*known).clone()),
            None => drop(world.metadata.remove(key)),
        }
        return Err(problem);
    }
    let id = world.metadata.get(key).and_then(|component| component.id);
    Ok(Message { id, created: !existed, changed: !same, ..Message::new(key, file) })
}
