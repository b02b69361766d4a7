//! What became of a deploy (`DeployResult` of the Metadata WSDL).

use std::fmt;

use crate::xml::Element;

/// What became of a deploy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeployResult {
    /// Its id.
    pub id: String,
    /// `Pending`, `InProgress`, `Succeeded`, `SucceededPartial`, `Failed`, `Canceling`, `Canceled`, …
    pub status: String,
    /// Whether it has ended.
    pub done: bool,
    /// Whether it ended well; without `rollback_on_error` parts may be there all the same.
    pub success: bool,
    /// Whether it only looked.
    pub check_only: bool,
    /// Components that it has, has deployed, and has failed with.
    pub components: Progress,
    /// Tests that it runs, has run, and that failed.
    pub tests: Progress,
    /// What it is at.
    pub state_detail: Option<String>,
    /// Why it failed as a whole: code and words.
    pub error: Option<(String, String)>,
    /// Components that were deployed.
    pub successes: Vec<ComponentResult>,
    /// Components that were not; warnings among them have [`ComponentResult::warning`].
    pub failures: Vec<ComponentResult>,
    /// Tests that failed.
    pub test_failures: Vec<TestFailure>,
    /// What is wrong with the coverage of tests.
    pub coverage_warnings: Vec<String>,
}

/// How far a deploy is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// In all.
    pub total: u64,
    /// Done.
    pub done: u64,
    /// Failed.
    pub errors: u64,
}

/// What became of a component (`DeployMessage` of the Metadata WSDL).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComponentResult {
    /// Type.
    pub type_name: String,
    /// Name.
    pub full_name: String,
    /// Path within the zip.
    pub file_name: String,
    /// Its id in the org.
    pub id: Option<String>,
    /// Line of the problem.
    pub line: Option<u64>,
    /// Column of the problem.
    pub column: Option<u64>,
    /// The problem.
    pub problem: Option<String>,
    /// Whether the problem is a warning only.
    pub warning: bool,
    /// Whether it was made.
    pub created: bool,
    /// Whether it was changed.
    pub changed: bool,
    /// Whether it was deleted.
    pub deleted: bool,
}

/// `classes/A.cls:3:7: ApexClass A: Unexpected token '}'.`
impl fmt::Display for ComponentResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file_name)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ":{column}")?;
        }
        write!(f, ": {} {}: {}", self.type_name, self.full_name, self.problem.as_deref().unwrap_or("well"))
    }
}

/// A test that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TestFailure {
    /// The class.
    pub class: String,
    /// The method.
    pub method: String,
    /// What it said.
    pub message: String,
    /// Where.
    pub stack_trace: String,
}

impl DeployResult {
    pub(super) fn read(from: &Element) -> Self {
        let text = |name: &str| from.text(name).unwrap_or_default().to_owned();
        let number = |name: &str| from.number(name).unwrap_or_default();
        let progress = |total, done, errors| Progress {
            total: number(total),
            done: number(done),
            errors: number(errors),
        };
        let none = Element::default();
        let details = from.child("details").unwrap_or(&none);
        let tests = details.child("runTestResult").unwrap_or(&none);
        let code = from.text("errorStatusCode").map(str::to_owned);
        let message = from.text("errorMessage").map(str::to_owned);
        let error = (code.is_some() || message.is_some())
            .then(|| (code.unwrap_or_default(), message.unwrap_or_default()));
        Self {
            id: text("id"),
            status: text("status"),
            done: from.flag("done"),
            success: from.flag("success"),
            check_only: from.flag("checkOnly"),
            components: progress(
                "numberComponentsTotal",
                "numberComponentsDeployed",
                "numberComponentErrors",
            ),
            tests: progress("numberTestsTotal", "numberTestsCompleted", "numberTestErrors"),
            state_detail: from.text("stateDetail").map(str::to_owned),
            error,
            successes: details.all("componentSuccesses").map(component).collect(),
            failures: details.all("componentFailures").map(component).collect(),
            test_failures: tests.all("failures").map(test_failure).collect(),
            coverage_warnings: tests
                .all("codeCoverageWarnings")
                .filter_map(|warning| {
                    let message = warning.text("message")?;
                    let name = warning.text("name").filter(|name| !name.is_empty());
                    Some(name.map_or_else(|| message.to_owned(), |name| format!("{name}: {message}")))
                })
                .collect(),
        }
    }

    /// Everything that is wrong, in words.
    pub fn problems(&self) -> Vec<String> {
        let whole = self.error.iter().map(|(code, message)| format!("{code}: {message}"));
        let components = self.failures.iter().map(ToString::to_string);
        let tests = self
            .test_failures
            .iter()
            .map(|test| format!("test {}.{}: {}", test.class, test.method, test.message));
        whole.chain(components).chain(tests).chain(self.coverage_warnings.iter().cloned()).collect()
    }
}

fn component(from: &Element) -> ComponentResult {
    let text = |name: &str| from.text(name).unwrap_or_default().to_owned();
    ComponentResult {
        type_name: text("componentType"),
        full_name: text("fullName"),
        file_name: text("fileName"),
        id: from.text("id").filter(|id| !id.is_empty()).map(str::to_owned),
        line: from.number("lineNumber"),
        column: from.number("columnNumber"),
        problem: from.text("problem").filter(|problem| !problem.is_empty()).map(str::to_owned),
        warning: from.text("problemType") == Some("Warning"),
        created: from.flag("created"),
        changed: from.flag("changed"),
        deleted: from.flag("deleted"),
    }
}

fn test_failure(from: &Element) -> TestFailure {
    let text = |name: &str| from.text(name).unwrap_or_default().to_owned();
    TestFailure {
        class: text("name"),
        method: text("methodName"),
        message: text("message"),
        stack_trace: text("stackTrace"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::parse;

    #[test]
    fn file_line_and_problem_are_named() {
        let text = "<result><id>0Af</id><status>Failed</status><done>true</done><success>false</success>\
            <numberComponentsTotal>3</numberComponentsTotal><numberComponentErrors>1</numberComponentErrors>\
            <details><componentFailures><componentType>ApexClass</componentType><fileName>classes/A.cls</fileName>\
            <fullName>A</fullName><lineNumber>3</lineNumber><columnNumber>7</columnNumber>\
            <problem>Unexpected token '}'.</problem><problemType>Error</problemType><success>false</success>\
            </componentFailures><runTestResult><numFailures>1</numFailures><failures><name>A_Test</name>\
            <methodName>works</methodName><message>Assertion Failed</message></failures></runTestResult></details></result>";
        let result = DeployResult::read(&parse(text).unwrap());
        assert!(result.done && !result.success);
        assert_eq!((result.components.total, result.components.errors), (3, 1));
        assert_eq!(
            result.problems(),
            ["classes/A.cls:3:7: ApexClass A: Unexpected token '}'.", "test A_Test.works: Assertion Failed"]
        );
    }
}
