//! Sends sub-requests packed, and those again that failed for a passing reason.

use orgkeep_core::problem::Reaction;

use super::answer::{Part, split};
use super::pack::{SubRequest, body, stretches};
use super::{PARTS_LIMIT, QUERIES_LIMIT};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::transport::{Call, Resource};

/// Times that a sub-request is sent whose failure may pass.
const TRIES: u32 = 4;

/// Sends sub-requests, `parts` at most in one call, and gives an answer or a typed error for each, in order.
///
/// `Err` as a whole is about more than one of them: the calls themselves failed.
pub(crate) async fn send(
    client: &Client,
    requests: &[SubRequest],
    parts: usize,
) -> Result<Vec<Result<Part>>> {
    let mut answers: Vec<Option<Result<Part>>> = requests.iter().map(|_| None).collect();
    for stretch in stretches(requests, parts.clamp(1, PARTS_LIMIT), QUERIES_LIMIT) {
        let mut open: Vec<usize> = stretch.collect();
        for attempt in 1..=TRIES {
            let sent = once(client, requests, &open).await?;
            let mut again = Vec::new();
            for (index, answer) in open.into_iter().zip(sent) {
                if attempt < TRIES && answer.as_ref().is_err_and(may_pass) {
                    again.push(index);
                }
                answers[index] = Some(answer);
            }
            open = again;
            if open.is_empty() {
                break;
            }
            tokio::time::sleep(client.transport().pause(attempt)).await;
        }
    }
    let missing = || {
        Err(Error::WrongAnswer { what: "composite".to_owned(), detail: "a part was not answered".to_owned() })
    };
    Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(missing)).collect())
}

fn may_pass(error: &Error) -> bool {
    matches!(error.reaction(), Reaction::Retry { .. } | Reaction::RenewToken)
}

async fn once(client: &Client, requests: &[SubRequest], open: &[usize]) -> Result<Vec<Result<Part>>> {
    let packed = body(open.iter().map(|&index| (index, &requests[index])));
    let call = Call::post(Resource::Composite, format!("{}/composite", client.base()), packed)?
        .about(format!("{} parts", open.len()));
    let parts = client.transport().fetch_as(&call, |whole| split(&whole.body, open)).await?;
    let judged = parts.into_iter().zip(open).map(|(part, &index)| {
        if part.status < 300 || part.status == 304 {
            return Ok(part);
        }
        let what = format!("composite part GET ({})", requests[index].about);
        let symptom = client.transport().symptom_of_part(part.status, part.body.get().as_bytes());
        Err(Error::Refused { what, symptom })
    });
    Ok(judged.collect())
}
