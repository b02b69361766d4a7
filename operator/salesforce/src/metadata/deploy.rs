//! Deploying: a zip sent, waited for, its result read component by component.
//!
//! A deploy is not sent twice because its answer was lost: the org is asked which deploys of this user it has that it
//! did not have before (Tooling's `DeployRequest`), and a single new one is taken.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use orgkeep_core::problem::Reaction;
use serde::Deserialize;

use super::call::{Metadata, element, nothing};
use super::error::{MetadataError, MetadataResult};
use super::package::BuiltPackage;
use super::result::DeployResult;
use super::retrieve::RetrieveOptions;
use crate::client::encode;
use crate::error::Error;
use crate::transport::{Call, Piece, Resource};

/// Times that the org is asked for a deploy whose answer was lost; it may still be reading the zip.
const LOOKS: u32 = 6;
/// Between two such questions.
const LOOK_PAUSE: Duration = Duration::from_secs(5);

/// Which tests run with a deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestLevel {
    /// None; refused by production orgs where the package has Apex.
    NoTestRun,
    /// These test classes.
    RunSpecifiedTests(Vec<String>),
    /// All but those of managed packages.
    RunLocalTests,
    /// All.
    RunAllTestsInOrg,
}

/// How to deploy (`DeployOptions` of the Metadata WSDL).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployOptions {
    /// Only looks whether it would work.
    pub check_only: bool,
    /// All or nothing; production orgs take nothing else.
    pub rollback_on_error: bool,
    /// Succeeds in spite of warnings.
    pub ignore_warnings: bool,
    /// What is deleted does not go to the recycle bin.
    pub purge_on_delete: bool,
    /// Takes a package.xml that names more than the zip has.
    pub allow_missing_files: bool,
    /// Which tests; what the org decides if `None`.
    pub tests: Option<TestLevel>,
}

impl Default for DeployOptions {
    fn default() -> Self {
        Self {
            check_only: false,
            rollback_on_error: true,
            ignore_warnings: false,
            purge_on_delete: false,
            allow_missing_files: false,
            tests: None,
        }
    }
}

impl DeployOptions {
    /// In the order of the WSDL.
    fn to_xml(&self) -> String {
        let mut text = String::from("<DeployOptions>");
        let flags = [
            ("allowMissingFiles", self.allow_missing_files),
            ("autoUpdatePackage", false),
            ("checkOnly", self.check_only),
            ("ignoreWarnings", self.ignore_warnings),
            ("performRetrieve", false),
            ("purgeOnDelete", self.purge_on_delete),
            ("rollbackOnError", self.rollback_on_error),
        ];
        for (name, flag) in flags {
            text.push_str(&element(name, if flag { "true" } else { "false" }));
        }
        if let Some(TestLevel::RunSpecifiedTests(names)) = &self.tests {
            for name in names {
                text.push_str(&element("runTests", name));
            }
        }
        text.push_str("<singlePackage>true</singlePackage>");
        let level = self.tests.as_ref().map(|level| match level {
            TestLevel::NoTestRun => "NoTestRun",
            TestLevel::RunSpecifiedTests(_) => "RunSpecifiedTests",
            TestLevel::RunLocalTests => "RunLocalTests",
            TestLevel::RunAllTestsInOrg => "RunAllTestsInOrg",
        });
        if let Some(level) = level {
            text.push_str(&element("testLevel", level));
        }
        text.push_str("</DeployOptions>");
        text
    }
}

/// A deploy in the org.
#[derive(Debug, Clone)]
pub struct DeployJob {
    metadata: Metadata,
    id: String,
}

#[derive(Deserialize)]
struct Requests {
    records: Vec<Request>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    id: String,
    #[serde(default)]
    check_only: bool,
}

impl Metadata {
    /// Sends a package, and gives the deploy that it became.
    ///
    /// Where the answer is lost, the org is asked; an error says that it shows none or several, or does not show them
    /// to this user, and then nothing is sent again.
    pub async fn deploy(&self, package: &BuiltPackage, options: &DeployOptions) -> MetadataResult<DeployJob> {
        // what cannot be seen before is not found after, and is needed only if the answer is lost
        let known = match self.deploys(options.check_only).await {
            Err(MetadataError::Call(error)) if error.reaction() == Reaction::GiveUpObject => Err(error),
            known => Ok(known?),
        };
        let body = vec![
            Piece::Text(Bytes::from_static(b"<ZipFile>")),
            Piece::Base64(package.zip.clone()),
            Piece::Text(Bytes::from(format!("</ZipFile>{}", options.to_xml()))),
        ];
        let call = self.envelope("deploy", body).about(format!("deploy of {} files", package.files)).once();
        let lost = match self.send("deploy", &call).await {
            Ok(results) => {
                let id =
                    results.first().and_then(|result| result.text("id")).ok_or_else(|| nothing("deploy"))?;
                return Ok(self.resume_deploy(id));
            }
            Err(error) if error.may_have_worked() => error,
            Err(error) => return Err(error.into()),
        };
        tracing::warn!(error = %lost, "the answer to a deploy was lost; the org is asked for it");
        match known {
            Ok(known) => self.find_lost(lost, &known, options.check_only).await,
            Err(error) => Err(MetadataError::DeployLost {
                lost: Box::new(lost),
                found: format!("does not show its deploys to this user ({error})"),
            }),
        }
    }

    /// Takes up a deploy that was sent before.
    pub fn resume_deploy(&self, id: &str) -> DeployJob {
        DeployJob { metadata: self.clone(), id: id.to_owned() }
    }

    async fn find_lost(
        &self,
        lost: Error,
        known: &BTreeSet<String>,
        check_only: bool,
    ) -> MetadataResult<DeployJob> {
        let lost = Box::new(lost);
        for look in 0..LOOKS {
            if look > 0 {
                tokio::time::sleep(LOOK_PAUSE).await;
            }
            let new: Vec<String> =
                self.deploys(check_only).await?.into_iter().filter(|id| !known.contains(id)).collect();
            match new.as_slice() {
                [] => {}
                [id] => return Ok(self.resume_deploy(id)),
                several => {
                    let found = format!("has several new ones of this user: {}", several.join(", "));
                    return Err(MetadataError::DeployLost { lost, found });
                }
            }
        }
        let found = "shows no new one of this user".to_owned();
        Err(MetadataError::DeployLost { lost, found })
    }

    /// Ids of the latest deploys of this user, of this kind.
    async fn deploys(&self, check_only: bool) -> MetadataResult<BTreeSet<String>> {
        let user = self.client.transport().user().map(|user| format!(" WHERE CreatedById = '{user}'"));
        let soql = format!(
            "SELECT Id, CheckOnly FROM DeployRequest{} ORDER BY CreatedDate DESC LIMIT 100",
            user.unwrap_or_default()
        );
        let path = format!("{}/tooling/query?q={}", self.client.base(), encode(&soql));
        let call = Call::get(Resource::Metadata, path).about("deploys of this user");
        let found: Requests = self.client.transport().fetch_json(&call).await?;
        Ok(found.records.into_iter().filter(|one| one.check_only == check_only).map(|one| one.id).collect())
    }
}

impl DeployJob {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where it stands: one call. Details name every component, and may be long.
    pub async fn status(&self, details: bool) -> MetadataResult<DeployResult> {
        let answer = self.ask(details).await?;
        Ok(DeployResult::read(&answer))
    }

    /// Waits until it has ended, well or not, and gives its result with details. It goes on in the org when the wait
    /// is cancelled or its deadline passes, and can be resumed.
    pub async fn wait(&self, options: &RetrieveOptions) -> MetadataResult<DeployResult> {
        self.metadata.wait_for("deploy", &self.id, options, || self.ask(false)).await?;
        self.status(true).await
    }

    /// Asks the org to stop it. Waiting for it tells whether it did (`Canceled`).
    pub async fn cancel(&self) -> MetadataResult<()> {
        let body = element("String", &self.id);
        self.metadata.ask_one("cancelDeploy", body, &self.id).await.map(drop)
    }

    async fn ask(&self, details: bool) -> MetadataResult<crate::xml::Element> {
        let details = element("includeDetails", if details { "true" } else { "false" });
        let body = format!("{}{details}", element("asyncProcessId", &self.id));
        self.metadata.ask_one("checkDeployStatus", body, &self.id).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_in_the_order_of_the_wsdl() {
        let tests = Some(TestLevel::RunSpecifiedTests(vec!["A_Test".to_owned(), "B_Test".to_owned()]));
        let text = DeployOptions { tests, check_only: true, ..DeployOptions::default() }.to_xml();
        let order = [
            "allowMissingFiles",
            "checkOnly>true",
            "rollbackOnError>true",
            "runTests>A_Test",
            "singlePackage",
            "testLevel>RunSpecifiedTests",
        ];
        let places: Vec<usize> = order.iter().map(|name| text.find(name).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
    }
}
