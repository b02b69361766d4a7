//! A record made by one REST call, so that a lost answer makes no second one.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::intents::{Step, journal_wrong};
use super::journal::Journal;
use super::look::{Found, Look, judge, look};
use super::row::{Outcome, RowError};
use super::state::MakeStep;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::transport::Call;

/// Times that a record is sent whose making was proven not to have happened.
const TRIES: u32 = 4;
/// Pause between two looks while a lost call may still be at work.
const LOOK_PAUSE: Duration = Duration::from_secs(5);

/// A record to be made.
pub(crate) struct Make {
    /// The caller's name of it.
    pub(crate) key: String,
    /// Hash of what is sent.
    pub(crate) content: String,
    /// The call that makes it; sent once.
    pub(crate) call: Call,
    /// How it is found again.
    pub(crate) wanted: Look,
}

#[derive(Deserialize)]
pub(crate) struct MadeAnswer {
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) success: bool,
}

/// Makes it. `settle` is how long a call whose answer was lost may still be at work in the org: before that has passed
/// by the org's clock, nothing found does not mean nothing made.
pub(crate) async fn make(
    client: &Client,
    journal: &mut Journal,
    make: &Make,
    settle: Duration,
) -> Result<Outcome> {
    let mut since = match journal.state.makes.get(&make.key) {
        None => None,
        Some(record) if record.content != make.content => {
            return Err(journal_wrong(format!(
                "the row {:?} was asked for before with another content",
                make.key
            )));
        }
        Some(record) => match &record.step {
            MakeStep::Made(id) => return Ok(Outcome::Succeeded { id: id.clone(), created: Some(true) }),
            MakeStep::Asked(at) => Some(*at),
        },
    };
    for _ in 0..TRIES {
        if let Some(at) = since {
            match find(client, journal, make, at, settle).await? {
                Found::One(id) => {
                    journal.append(Step::Made { key: make.key.clone(), id: id.clone() }).await?;
                    return Ok(Outcome::Succeeded { id, created: Some(true) });
                }
                Found::Several(candidates) => {
                    let why =
                        "the answer was lost, and records that may be it were made since: a person looks";
                    return Ok(Outcome::Unknown { why: why.into(), candidates });
                }
                Found::None => journal.append(Step::NotMade { key: make.key.clone() }).await?,
            }
        }
        let at = client.transport().org_now();
        journal
            .append(Step::MakeAsked {
                key: make.key.clone(),
                object: make.wanted.object.clone(),
                content: make.content.clone(),
                at,
            })
            .await?;
        match client.transport().fetch_json::<MadeAnswer>(&make.call).await {
            Ok(MadeAnswer { id: Some(id), success: true }) => {
                journal.append(Step::Made { key: make.key.clone(), id: id.clone() }).await?;
                return Ok(Outcome::Succeeded { id, created: Some(true) });
            }
            Ok(_) => since = Some(at),
            Err(error) if error.may_have_worked() => {
                tracing::warn!(%error, key = make.key, "the answer is lost; the org is asked what it made");
                since = Some(at);
            }
            Err(error) => {
                journal.append(Step::NotMade { key: make.key.clone() }).await?;
                return refused(error);
            }
        }
    }
    let why = "its answer was lost again and again, and the org does not have it";
    Ok(Outcome::Unprocessed { why: why.into() })
}

/// What the org has of it, once a call that is lost can no longer be at work.
async fn find(
    client: &Client,
    journal: &Journal,
    make: &Make,
    at: Timestamp,
    settle: Duration,
) -> Result<Found> {
    let over = SignedDuration::try_from(settle).ok().and_then(|settle| at.checked_add(settle).ok());
    loop {
        // a look that shows nothing must have begun after the end of the window
        let now = client.transport().org_now();
        let candidates = look(client, &make.wanted, at).await?;
        let found = judge(&candidates, &journal.state.known_records);
        if found != Found::None || over.is_none_or(|over| now > over) {
            return Ok(found);
        }
        let left = over.map_or(Duration::ZERO, |over| over.duration_since(now).unsigned_abs());
        tokio::time::sleep(LOOK_PAUSE.min(left + Duration::from_secs(1))).await;
    }
}

/// A refusal of the row is its outcome; anything else is the caller's.
pub(crate) fn refused(error: Error) -> Result<Outcome> {
    match error {
        Error::Refused { symptom, .. } if is_row_refusal(&symptom.code, symptom.status) => {
            let fields = Vec::new();
            Ok(Outcome::Failed(RowError { code: symptom.code, message: symptom.message, fields }))
        }
        error => Err(error),
    }
}

/// Whether a refusal is about the row that was sent, not about the call: a 4xx with an API code that no table row for
/// calls takes as the end of the run.
fn is_row_refusal(code: &str, status: Option<u16>) -> bool {
    const OF_CALLS: [&str; 8] = [
        "INVALID_SESSION_ID",
        "REQUEST_LIMIT_EXCEEDED",
        "API_DISABLED_FOR_ORG",
        "API_CURRENTLY_DISABLED",
        "UNSUPPORTED_API_VERSION",
        "INVALID_TYPE",
        "METHOD_NOT_ALLOWED",
        "CLIENT_NOT_ACCESSIBLE_FOR_USER",
    ];
    !code.is_empty() && status.is_some_and(|status| (400..500).contains(&status)) && !OF_CALLS.contains(&code)
}
