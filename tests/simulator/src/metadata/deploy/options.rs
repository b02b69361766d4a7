//! What a deploy is asked to do: `DeployOptions` of the Metadata WSDL, and the same in JSON.

use roxmltree::Node;
use serde_json::{Value as Json, json};

use crate::soap::envelope::{text_of, texts};

/// Which tests a deploy runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TestLevel {
    None,
    Specified,
    Local,
    All,
}

impl TestLevel {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "NoTestRun" => Some(Self::None),
            "RunSpecifiedTests" => Some(Self::Specified),
            // those that touch what is deployed: for this simulator all that are the org's own
            "RunLocalTests" | "RunRelevantTests" => Some(Self::Local),
            "RunAllTestsInOrg" => Some(Self::All),
            _ => None,
        }
    }

    /// As the API names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "NoTestRun",
            Self::Specified => "RunSpecifiedTests",
            Self::Local => "RunLocalTests",
            Self::All => "RunAllTestsInOrg",
        }
    }
}

/// The options of a deploy. What is left out is false.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) allow_missing_files: bool,
    pub(crate) auto_update_package: bool,
    pub(crate) check_only: bool,
    pub(crate) ignore_warnings: bool,
    pub(crate) perform_retrieve: bool,
    pub(crate) purge_on_delete: bool,
    pub(crate) rollback_on_error: bool,
    pub(crate) single_package: bool,
    /// The org decides if none is given.
    pub(crate) test_level: Option<TestLevel>,
    pub(crate) run_tests: Vec<String>,
}

impl Options {
    /// From a message.
    pub(crate) fn of_node(node: Option<Node<'_, '_>>) -> Result<Self, String> {
        let Some(node) = node else { return Ok(Self::default()) };
        // clients in Python write `True`
        let flag =
            |name: &str| text_of(node, name).is_some_and(|text| text.trim().eq_ignore_ascii_case("true"));
        let level =
            text_of(node, "testLevel").map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        Self::read(flag, level.as_deref(), texts(node, "runTests"))
    }

    /// From JSON.
    pub(crate) fn of_json(json: &Json) -> Result<Self, String> {
        let tests = json["runTests"].as_array().into_iter().flatten().filter_map(Json::as_str);
        let tests = tests.map(str::to_owned).collect();
        Self::read(|name| json[name].as_bool().unwrap_or_default(), json["testLevel"].as_str(), tests)
    }

    fn read(flag: impl Fn(&str) -> bool, level: Option<&str>, tests: Vec<String>) -> Result<Self, String> {
        Ok(Self {
            allow_missing_files: flag("allowMissingFiles"),
            auto_update_package: flag("autoUpdatePackage"),
            check_only: flag("checkOnly"),
            ignore_warnings: flag("ignoreWarnings"),
            perform_retrieve: flag("performRetrieve"),
            purge_on_delete: flag("purgeOnDelete"),
            rollback_on_error: flag("rollbackOnError"),
            single_package: flag("singlePackage"),
            test_level: level.map(level_of).transpose()?,
            run_tests: names(tests),
        })
    }

    /// In JSON.
    pub(crate) fn told(&self) -> Json {
        json!({
            "allowMissingFiles": self.allow_missing_files, "autoUpdatePackage": self.auto_update_package,
            "checkOnly": self.check_only, "ignoreWarnings": self.ignore_warnings,
            "performRetrieve": self.perform_retrieve, "purgeOnDelete": self.purge_on_delete,
            "rollbackOnError": self.rollback_on_error, "runTests": self.run_tests,
            "singlePackage": self.single_package,
            "testLevel": self.test_level.map(TestLevel::name),
        })
    }

    /// Why an org does not begin such a deploy, if so. The words are those that users of the CLI report
    /// (forcedotcom/cli#2601, xjsender/haoide#107); that NoTestRun is refused whatever is deployed is said in
    /// salesforcecli/plugin-deploy-retrieve#611.
    pub(crate) fn refused(&self, production: bool) -> Option<&'static str> {
        if production && !self.rollback_on_error {
            return Some("rollbackOnError option must be true on a production org");
        }
        if production && self.test_level == Some(TestLevel::None) {
            return Some("testLevel of NoTestRun cannot be used in production organizations");
        }
        if self.test_level == Some(TestLevel::Specified) && self.run_tests.is_empty() {
            return Some("runTests must be specified when testLevel is RunSpecifiedTests");
        }
        if !self.run_tests.is_empty() && !matches!(self.test_level, None | Some(TestLevel::Specified)) {
            return Some("runTests can be used only with a testLevel of RunSpecifiedTests");
        }
        None
    }
}

fn level_of(text: &str) -> Result<TestLevel, String> {
    TestLevel::parse(text).ok_or_else(|| format!("'{text}' is not a valid value for the enum 'TestLevel'"))
}

/// Names of classes; several may stand in one, divided by commas.
fn names(given: Vec<String>) -> Vec<String> {
    let split = given.iter().flat_map(|names| names.split(','));
    split.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn production_wants_all_or_nothing_and_tests() {
        let read = |json: Json| Options::of_json(&json).unwrap();
        assert!(read(json!({})).refused(true).is_some() && read(json!({})).refused(false).is_none());
        assert!(read(json!({"rollbackOnError": true})).refused(true).is_none());
        assert!(read(json!({"rollbackOnError": true, "testLevel": "NoTestRun"})).refused(true).is_some());
        assert!(read(json!({"testLevel": "RunSpecifiedTests"})).refused(false).is_some());
        assert!(Options::of_json(&json!({"testLevel": "Some"})).is_err());
        let read = read(json!({"testLevel": "RunSpecifiedTests", "runTests": ["A, B"]}));
        assert_eq!((read.run_tests.len(), read.told()["testLevel"].as_str()), (2, Some("RunSpecifiedTests")));
    }
}
