//! One retrieve: asked for, waited for, its zip written to a file while it comes.
//!
//! A retrieve changes nothing in the org, so that a lost answer is simply asked for again. The org deletes the zip once
//! it was fetched (Metadata API Developer Guide, checkRetrieveStatus); where the answer with it breaks off, the status
//! is asked again, and where the org has nothing more to give, the retrieve is made anew.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::call::{Metadata, element, nothing, results};
use super::error::{MetadataError, MetadataResult};
use super::list::FileProperties;
use super::package::Members;
use super::splitter::Splitter;
use super::zip::{ZipFile, ZipLimits};
use crate::error::Error;
use crate::transport::Piece;
use crate::xml::{Element, escape};

/// Times that the same members are retrieved whose zip did not come whole.
const TRIES: u32 = 5;
/// Decoded bytes that are written at once.
const WRITTEN_AT_ONCE: usize = 256 * 1024;

/// How long to wait between two questions after a retrieve or a deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Polling {
    /// The first pause.
    pub first: Duration,
    /// The longest; each pause is half as long again as the one before.
    pub longest: Duration,
}

impl Default for Polling {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_secs(15) }
    }
}

/// How to retrieve.
#[derive(Debug, Clone)]
pub struct RetrieveOptions {
    /// The folder for the files with the zips, which are deleted when they are dropped.
    pub folder: PathBuf,
    /// How often to ask.
    pub polling: Polling,
    /// When to end a wait.
    pub deadline: Option<Instant>,
    /// Ends waits.
    pub cancel: CancellationToken,
    /// What a zip may have.
    pub limits: ZipLimits,
    /// Retrieves at a time, of [`Metadata::retrieve_all`] (at least 1).
    pub parallel: usize,
    /// Failures after which [`Metadata::retrieve_all`] looks no further for the members that cause them.
    pub failures: usize,
}

impl RetrieveOptions {
    /// The defaults, with files in this folder: three at a time.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            polling: Polling::default(),
            deadline: None,
            cancel: CancellationToken::new(),
            limits: ZipLimits::default(),
            parallel: 3,
            failures: 500,
        }
    }
}

/// What a retrieve says of a member or file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The file: `unpackaged/package.xml` for members that there are none of.
    pub file_name: String,
    /// What is the matter.
    pub problem: String,
}

impl Message {
    /// The member that the org does not have, where the message says so: "Entity of type 'X' named 'Y' cannot be
    /// found" (recorded by CumulusCI).
    pub fn missing(&self) -> Option<(&str, &str)> {
        let rest = self.problem.strip_prefix("Entity of type '")?;
        let (type_name, rest) = rest.split_once("' named '")?;
        let (name, rest) = rest.rsplit_once('\'')?;
        rest.contains("cannot be found").then_some((type_name, name))
    }
}

/// What was retrieved.
#[derive(Debug)]
pub struct Retrieved {
    /// The retrieve's id.
    pub id: String,
    /// The zip; it has been looked at, and can be opened again.
    pub zip: ZipFile,
    /// What the org tells of the files.
    pub properties: Vec<FileProperties>,
    /// What it says of members that it could not give.
    pub messages: Vec<Message>,
}

impl Metadata {
    /// Retrieves members, named one by one (or `*`), and waits for them.
    pub async fn retrieve(&self, members: &Members, options: &RetrieveOptions) -> MetadataResult<Retrieved> {
        let mut attempt = 1;
        loop {
            let id = self.begin_retrieve(members).await?;
            let error = match self.finish_retrieve(&id, members, options).await {
                Ok(retrieved) => return Ok(retrieved),
                Err(error) => error,
            };
            let gone = match &error {
                MetadataError::Zip { .. } | MetadataError::Answer { .. } => true,
                // the zip went away with an answer that was lost (K: INVALID_LOCATOR or INVALID_ID_FIELD)
                MetadataError::Call(error) => {
                    matches!(
                        error.code(),
                        "INVALID_LOCATOR" | "INVALID_ID_FIELD" | "INVALID_CROSS_REFERENCE_KEY"
                    )
                }
                _ => false,
            };
            if !gone || attempt == TRIES {
                return Err(error);
            }
            tracing::warn!(%error, attempt, "retrieved anew");
            tokio::time::sleep(self.client.transport().pause(attempt)).await;
            attempt += 1;
        }
    }

    async fn begin_retrieve(&self, members: &Members) -> MetadataResult<String> {
        let version = self.version();
        let mut body = format!(
            "<retrieveRequest><apiVersion>{version}</apiVersion><singlePackage>true</singlePackage><unpackaged>"
        );
        for (name, members) in members.iter().filter(|(_, members)| !members.is_empty()) {
            body.push_str("<types>");
            for member in members {
                body.push_str(&format!("<members>{}</members>", escape(member)));
            }
            body.push_str(&format!("{}</types>", element("name", name)));
        }
        body.push_str(&format!("<version>{version}</version></unpackaged></retrieveRequest>"));
        let answer = self.ask_one("retrieve", body, "").await?;
        Ok(answer.text("id").ok_or_else(|| nothing("retrieve"))?.to_owned())
    }

    async fn finish_retrieve(
        &self,
        id: &str,
        members: &Members,
        options: &RetrieveOptions,
    ) -> MetadataResult<Retrieved> {
        let ask = || async {
            let body = format!("{}<includeZip>false</includeZip>", element("asyncProcessId", id));
            self.ask_one("checkRetrieveStatus", body, id).await
        };
        let done = self.wait_for("retrieve", id, options, ask).await?;
        let count = || members.values().map(std::collections::BTreeSet::len).sum();
        check(&done, id, count)?;
        let (zip, answer) = self.fetch_zip(id, options).await?;
        check(&answer, id, count)?;
        let zip = looked_at(zip, id, options.limits).await?;
        let message = |message: &Element| Message {
            file_name: message.text("fileName").unwrap_or_default().to_owned(),
            problem: message.text("problem").unwrap_or_default().to_owned(),
        };
        Ok(Retrieved {
            id: id.to_owned(),
            zip,
            properties: answer.all("fileProperties").map(FileProperties::read).collect(),
            messages: answer.all("messages").map(message).collect(),
        })
    }

    /// Asks until `done`, at growing intervals.
    pub(super) async fn wait_for<F: Future<Output = MetadataResult<Element>>>(
        &self,
        what: &'static str,
        id: &str,
        options: &RetrieveOptions,
        ask: impl Fn() -> F,
    ) -> MetadataResult<Element> {
        let cancelled = || MetadataError::Cancelled { what, id: id.to_owned() };
        let mut pause = options.polling.first;
        loop {
            let answer = tokio::select! {
                biased;
                () = options.cancel.cancelled() => return Err(cancelled()),
                answer = ask() => answer?,
            };
            if answer.flag("done") {
                return Ok(answer);
            }
            let next = Instant::now() + pause.mul_f64(rand::random_range(0.75..1.25));
            if options.deadline.is_some_and(|deadline| next > deadline) {
                let state = answer.text("status").unwrap_or("not told").to_owned();
                return Err(MetadataError::Deadline { what, id: id.to_owned(), state });
            }
            tokio::select! {
                () = options.cancel.cancelled() => return Err(cancelled()),
                () = tokio::time::sleep_until(next) => {}
            }
            pause = pause.mul_f64(1.5).min(options.polling.longest);
        }
    }

    /// Fetches the zip into a file, and the rest of the answer.
    async fn fetch_zip(&self, id: &str, options: &RetrieveOptions) -> MetadataResult<(ZipFile, Element)> {
        let mut attempt = 1;
        loop {
            match self.fetch_zip_once(id, options).await {
                Err(MetadataError::Call(
                    error @ (Error::Unreachable { .. } | Error::BodyUnreadable { passing: true, .. }),
                )) if attempt < TRIES => {
                    tracing::warn!(%error, attempt, "the answer with the zip did not come whole");
                    tokio::time::sleep(self.client.transport().pause(attempt)).await;
                    attempt += 1;
                }
                fetched => return fetched,
            }
        }
    }

    async fn fetch_zip_once(
        &self,
        id: &str,
        options: &RetrieveOptions,
    ) -> MetadataResult<(ZipFile, Element)> {
        let call = "checkRetrieveStatus";
        let body = format!("{}<includeZip>true</includeZip>", element("asyncProcessId", id));
        let asked = self.envelope(call, vec![Piece::Text(Bytes::from(body))]).about(format!("zip of {id}"));
        let mut reply = self.client.transport().open_checked(&asked, |_| Ok(())).await?;
        let file = tempfile::tempfile_in(&options.folder)?;
        let mut writer = tokio::fs::File::from_std(file.try_clone()?);
        let wrong = |error: super::splitter::SplitError| MetadataError::Answer {
            id: id.to_owned(),
            offset: error.offset,
            detail: error.detail.to_owned(),
        };
        let (mut splitter, mut zip, mut bytes) = (Splitter::default(), Vec::new(), 0_u64);
        loop {
            let piece = reply.body.chunk().await.map_err(|detail| broken_off(asked.what(), detail))?;
            let Some(piece) = piece else { break };
            splitter.push(&piece, &mut zip).map_err(wrong)?;
            if zip.len() >= WRITTEN_AT_ONCE {
                bytes += zip.len() as u64;
                writer.write_all(&zip).await?;
                zip.clear();
            }
        }
        bytes += zip.len() as u64;
        writer.write_all(&zip).await?;
        writer.flush().await?;
        let (rest, seen) = splitter.finish().map_err(wrong)?;
        let answer = results(call, &rest).map_err(|flaw| flaw.of(asked.what()))?;
        let answer = answer.into_iter().next().ok_or_else(|| nothing(call))?;
        if !seen && answer.flag("success") {
            let detail = "it has no zip".to_owned();
            return Err(MetadataError::Answer { id: id.to_owned(), offset: 0, detail });
        }
        Ok((ZipFile { file, bytes }, answer))
    }
}

/// An answer that says that the retrieve failed.
fn check(answer: &Element, id: &str, members: impl Fn() -> usize) -> MetadataResult<()> {
    if answer.flag("success") && answer.text("status") != Some("Failed") {
        return Ok(());
    }
    Err(MetadataError::RetrieveFailed {
        id: id.to_owned(),
        members: members(),
        code: answer.text("errorStatusCode").unwrap_or("UNKNOWN_EXCEPTION").to_owned(),
        message: answer.text("errorMessage").unwrap_or("no reason was given").to_owned(),
    })
}

/// Reads the zip once to its end, so that one that is damaged is noticed while it can be had anew.
async fn looked_at(zip: ZipFile, id: &str, limits: ZipLimits) -> MetadataResult<ZipFile> {
    let look = move || {
        let read = zip.open(limits).and_then(|mut open| open.each(|_, _| Ok(())));
        read.map(|()| zip)
    };
    match tokio::task::spawn_blocking(look).await {
        Ok(Ok(zip)) => Ok(zip),
        Ok(Err(source)) => Err(MetadataError::Zip { id: id.to_owned(), source }),
        Err(error) => Err(MetadataError::Disk(std::io::Error::other(error))),
    }
}

fn broken_off(what: String, message: String) -> Error {
    let symptom = orgkeep_core::problem::Symptom {
        status: None,
        code: String::new(),
        message,
        retry_after: None,
        token_call: false,
    };
    Error::Unreachable { what, symptom, sent: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_what_is_missing() {
        let message = |problem: &str| Message { file_name: String::new(), problem: problem.to_owned() };
        let missing = message("Entity of type 'Layout' named 'It's-A Layout' cannot be found");
        assert_eq!(missing.missing(), Some(("Layout", "It's-A Layout")));
        assert_eq!(message("You do not have the proper permissions").missing(), None);
    }
}
