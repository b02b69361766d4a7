//! What became of a deploy: a message for each component, and what the tests told.

use crate::metadata::Key;
use crate::value::Id;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    Warning,
    Error,
}

impl Severity {
    /// As the API names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Warning => "Warning",
            Self::Error => "Error",
        }
    }
}

/// What became of a component: `DeployMessage` of the Metadata WSDL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// Its type; manifests have none.
    pub(crate) type_name: String,
    pub(crate) full_name: String,
    /// The file in the zip.
    pub(crate) file: String,
    pub(crate) id: Option<Id>,
    pub(crate) created: bool,
    pub(crate) changed: bool,
    pub(crate) deleted: bool,
    /// What is wrong with it.
    pub(crate) problem: Option<(Severity, String)>,
    /// Where in the file, from 1; 0 where it is not known.
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Message {
    /// Nothing happened to a component yet.
    pub(crate) fn new(key: &Key, file: &str) -> Self {
        Self {
            type_name: key.type_name.to_string(),
            full_name: key.full_name.to_string(),
            file: file.to_owned(),
            id: None,
            created: false,
            changed: false,
            deleted: false,
            problem: None,
            line: 0,
            column: 0,
        }
    }

    /// Something is wrong with it.
    pub(crate) fn with(mut self, severity: Severity, problem: impl Into<String>) -> Self {
        self.problem = Some((severity, problem.into()));
        self
    }

    /// An error.
    pub(crate) fn error(key: &Key, file: &str, problem: impl Into<String>) -> Self {
        Self::new(key, file).with(Severity::Error, problem)
    }

    /// Whether it counts as failed: warnings do unless they are to be ignored ("DeployMessage" of the Metadata API
    /// guide, `problemType`).
    pub(crate) fn failed(&self, ignore_warnings: bool) -> bool {
        match &self.problem {
            None => false,
            Some((Severity::Warning, _)) => !ignore_warnings,
            Some((Severity::Error, _)) => true,
        }
    }

    /// Whether it is about a component: manifests are told of, and are not counted.
    pub(crate) fn counts(&self) -> bool {
        !self.type_name.is_empty()
    }
}

/// A test method that was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TestMethod {
    pub(crate) class: String,
    pub(crate) class_id: Option<Id>,
    pub(crate) method: String,
    /// Why it failed.
    pub(crate) failure: Option<String>,
}

/// How much of a class or trigger the tests ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Coverage {
    pub(crate) name: String,
    pub(crate) id: Option<Id>,
    /// `Class` or `Trigger`.
    pub(crate) kind: &'static str,
    pub(crate) lines: usize,
    pub(crate) not_covered: usize,
}

/// What the tests told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tests {
    pub(crate) methods: Vec<TestMethod>,
    pub(crate) coverage: Vec<Coverage>,
    /// Too little of the code was run.
    pub(crate) warnings: Vec<String>,
}

impl Tests {
    /// Methods that failed.
    pub(crate) fn failures(&self) -> impl Iterator<Item = &TestMethod> {
        self.methods.iter().filter(|method| method.failure.is_some())
    }
}

/// What became of a deploy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) messages: Vec<Message>,
    pub(crate) tests: Option<Tests>,
    /// Something is wrong with the deploy as a whole: code and message.
    pub(crate) error: Option<(&'static str, String)>,
    /// Whether the org was changed, or would have been if it were not only checked.
    pub(crate) kept: bool,
    /// The components as they are now, where they were asked for: a zip.
    pub(crate) retrieved: Option<Vec<u8>>,
}

impl Outcome {
    /// Components that failed.
    pub(crate) fn errors(&self, ignore_warnings: bool) -> usize {
        self.messages.iter().filter(|message| message.failed(ignore_warnings)).count()
    }

    /// Components that were deployed.
    pub(crate) fn deployed(&self, ignore_warnings: bool) -> usize {
        let done = |message: &&Message| message.counts() && !message.failed(ignore_warnings);
        self.messages.iter().filter(done).count()
    }
}
