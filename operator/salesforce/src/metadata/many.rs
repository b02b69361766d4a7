//! Many retrieves: several at a time, and those that fail halved until the members that make them fail are alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};

use super::bisect::{BadMember, Bisect};
use super::call::Metadata;
use super::error::MetadataResult;
use super::plan::Planned;
use super::retrieve::{RetrieveOptions, Retrieved};

/// A package that came.
#[derive(Debug)]
pub struct RetrievedPackage {
    /// What it was for.
    pub planned: Planned,
    /// What came.
    pub retrieved: Retrieved,
}

/// What became of all members.
#[derive(Debug, Default)]
pub struct RetrieveReport {
    /// Members that no retrieve gave, as every one that they were in failed.
    pub bad: Vec<BadMember>,
    /// Members that the org says it does not have: type and name.
    pub missing: BTreeSet<(String, String)>,
    /// Other messages: file and problem.
    pub messages: Vec<super::retrieve::Message>,
    /// Retrieves that were made.
    pub retrieves: u64,
    /// Of these, failed ones.
    pub failed: u64,
}

type Running = BoxFuture<'static, (Planned, MetadataResult<Retrieved>)>;

/// Retrieves under way; see [`Metadata::retrieve_all`].
pub struct RetrieveMany {
    metadata: Metadata,
    options: Arc<RetrieveOptions>,
    bisect: Bisect,
    running: FuturesUnordered<Running>,
    report: RetrieveReport,
}

impl Metadata {
    /// Retrieves packages, several at a time; [`RetrieveMany::next`] hands them out as they come.
    pub fn retrieve_all(&self, packages: Vec<Planned>, options: RetrieveOptions) -> RetrieveMany {
        RetrieveMany {
            metadata: self.clone(),
            bisect: Bisect::new(packages, options.failures),
            options: Arc::new(options),
            running: FuturesUnordered::new(),
            report: RetrieveReport::default(),
        }
    }
}

impl RetrieveMany {
    /// The next package; `None` at the end. An error is about all of them: the org is away, the allowance used up.
    pub async fn next(&mut self) -> MetadataResult<Option<RetrievedPackage>> {
        loop {
            while self.running.len() < self.options.parallel.max(1) {
                let Some(planned) = self.bisect.next() else { break };
                let (metadata, options) = (self.metadata.clone(), self.options.clone());
                self.report.retrieves += 1;
                self.running.push(Box::pin(async move {
                    let retrieved = metadata.retrieve(&planned.all(), &options).await;
                    (planned, retrieved)
                }));
            }
            let Some((planned, retrieved)) = self.running.next().await else { return Ok(None) };
            match retrieved {
                Ok(retrieved) => {
                    self.note(&retrieved);
                    return Ok(Some(RetrievedPackage { planned, retrieved }));
                }
                Err(error) if error.is_about_members() => {
                    tracing::warn!(%error, members = planned.members.len(), "a retrieve failed");
                    self.report.failed += 1;
                    self.bisect.failed(planned, &error);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// What became of all members, at the end.
    pub fn finish(self) -> RetrieveReport {
        RetrieveReport { bad: self.bisect.into_bad(), ..self.report }
    }

    fn note(&mut self, retrieved: &Retrieved) {
        for message in &retrieved.messages {
            match message.missing() {
                Some((type_name, name)) => {
                    self.report.missing.insert((type_name.to_owned(), name.to_owned()));
                }
                None => self.report.messages.push(message.clone()),
            }
        }
    }
}
