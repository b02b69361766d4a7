//! Apex tests: which there are is read from the code of an org's classes. Nothing here runs Apex: a test passes unless it
//! says itself that it must fail (`System.assert(false`, `Assert.fail(`), and covers the classes that it names.

use super::outcome::{Coverage, TestMethod, Tests};
use crate::metadata::{Component, Key};
use crate::store::World;

/// How much of its code a production org wants to be covered, of a hundred.
const ENOUGH: usize = 75;

/// Runs tests: those of the chosen classes, or of all; with `managed` also those of packages. With `demanding`, too little
/// coverage is told of. The error is a message about a class that is no test.
pub(super) fn run(
    world: &World,
    chosen: Option<&[String]>,
    managed: bool,
    demanding: bool,
) -> Result<Tests, String> {
    let classes: Vec<(&Key, &Component, String)> = world
        .metadata
        .of_type("ApexClass")
        .filter(|(_, component)| managed || !component.managed)
        .filter_map(|(key, component)| Some((key, &**component, code(component)?)))
        .collect();
    let is_chosen =
        |name: &str| chosen.is_none_or(|names| names.iter().any(|known| known.eq_ignore_ascii_case(name)));
    for name in chosen.into_iter().flatten() {
        let found = classes
            .iter()
            .any(|(key, _, code)| key.full_name.eq_ignore_ascii_case(name) && !methods(code).is_empty());
        if !found {
            return Err(format!("The class {name} is no test class of the org"));
        }
    }
    let mut tests = Tests::default();
    let mut run = String::new();
    for (key, component, code) in &classes {
        let methods = methods(code);
        if methods.is_empty() || !is_chosen(&key.full_name) {
            continue;
        }
        run.push_str(code);
        for (method, body) in methods {
            let fails = ["System.assert(false", "System.assertEquals(true, false", "Assert.fail("];
            let failure = fails.iter().any(|words| body.contains(words));
            let failure = failure.then(|| "System.AssertException: Assertion Failed".to_owned());
            let (class, class_id) = (key.full_name.to_string(), component.id);
            tests.methods.push(TestMethod { class, class_id, method, failure });
        }
    }
    tests.coverage = coverage(world, &classes, &run);
    let lines: usize = tests.coverage.iter().map(|of| of.lines).sum();
    let covered: usize = tests.coverage.iter().map(|of| of.lines - of.not_covered).sum();
    if demanding && lines > 0 && covered * 100 < lines * ENOUGH {
        let share = covered * 100 / lines;
        tests.warnings.push(format!(
            "Average test coverage across all Apex Classes and Triggers is {share}%, at least {ENOUGH}% test coverage is \
             required."
        ));
    }
    Ok(tests)
}

/// Classes and triggers whose names stand in tests that were run are covered.
fn coverage(world: &World, classes: &[(&Key, &Component, String)], run: &str) -> Vec<Coverage> {
    let words: std::collections::HashSet<String> =
        run.split(|c: char| !(c.is_alphanumeric() || c == '_')).map(str::to_ascii_lowercase).collect();
    let lines = |code: &str| code.lines().filter(|line| line.trim_end().ends_with([';', '{'])).count();
    let mut all = Vec::new();
    for (key, component, code) in classes.iter().filter(|(_, _, code)| methods(code).is_empty()) {
        let lines = lines(code);
        let covered = words.contains(&key.full_name.to_ascii_lowercase());
        let not_covered = if covered { 0 } else { lines };
        all.push(Coverage {
            name: key.full_name.to_string(),
            id: component.id,
            kind: "Class",
            lines,
            not_covered,
        });
    }
    for (key, component) in world.metadata.of_type("ApexTrigger").filter(|(_, component)| !component.managed)
    {
        let Some(code) = code(component) else { continue };
        let lines = lines(&code);
        // a trigger runs when records of its object are changed, which tests do that name the object
        let object = code.split_whitespace().skip_while(|word| !word.eq_ignore_ascii_case("on")).nth(1);
        let object = object.map(|word| word.split('(').next().unwrap_or(word).to_ascii_lowercase());
        let covered = object.is_some_and(|object| words.contains(&object));
        let not_covered = if covered { 0 } else { lines };
        all.push(Coverage {
            name: key.full_name.to_string(),
            id: component.id,
            kind: "Trigger",
            lines,
            not_covered,
        });
    }
    all
}

fn code(component: &Component) -> Option<String> {
    let file = component.files.iter().find(|file| !file.path.ends_with("-meta.xml"))?;
    Some(String::from_utf8_lossy(&file.bytes).into_owned())
}

/// The test methods of a class, each with its text up to the next one.
fn methods(code: &str) -> Vec<(String, String)> {
    let lower = code.to_ascii_lowercase();
    let mut starts = Vec::new();
    for (at, word) in lower.match_indices("@istest").chain(lower.match_indices("testmethod ")) {
        let rest = &code[at + word.len()..];
        let open = rest.find('{').unwrap_or(rest.len());
        let head = &rest[..open];
        // the class is marked, too
        let is_method = head.contains('(') && head.to_ascii_lowercase().contains("void");
        if !is_method || head.to_ascii_lowercase().contains("class ") {
            continue;
        }
        let after = head.to_ascii_lowercase().find("void").map_or("", |at| &head[at + 4..]);
        let name = after.trim().split('(').next().unwrap_or_default().trim().to_owned();
        if !name.is_empty() {
            starts.push((at, name));
        }
    }
    starts.sort();
    starts.dedup_by(|a, b| a.1 == b.1);
    let ends: Vec<usize> = starts.iter().skip(1).map(|(at, _)| *at).chain([code.len()]).collect();
    starts.into_iter().zip(ends).map(|((at, name), end)| (name, code[at..end].to_owned())).collect()
}

#[cfg(test)]
mod unit_tests {
    use super::*;

    #[test]
    fn methods_are_found_in_both_forms() {
        let code = "@isTest\nprivate class T {\n  @IsTest static void one() { A.b(); }\n  static testMethod void two() {\n \
            System.assert(false); } }";
        let names: Vec<_> = methods(code).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["one", "two"]);
        assert!(methods("public class A { void testIt() {} }").is_empty());
    }
}
