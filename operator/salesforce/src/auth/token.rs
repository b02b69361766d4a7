//! The token: kept once for all tasks, renewed once for all that find it expired.

use std::sync::atomic::{AtomicU64, Ordering};

use secrecy::SecretString;
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use crate::error::{Error, Result};
use crate::transport::Flaw;

/// A token with where to use it.
#[allow(clippy::struct_field_names)] // OAuth's names
#[derive(Debug, Clone)]
pub(crate) struct Token {
    /// Goes into `Authorization: Bearer`.
    pub(crate) access_token: SecretString,
    /// The org's own host, to which all calls go.
    pub(crate) instance_url: Url,
    /// Counts the tokens; tells which one a call was refused with.
    pub(crate) generation: u64,
}

/// The token endpoint's answer. There is no `expires_in`: an end is found out by 401.
#[derive(Deserialize)]
pub(crate) struct TokenAnswer {
    access_token: SecretString,
    pub(crate) instance_url: Url,
    /// A new refresh token, from an app that rotates them: the old one is dead by now.
    #[serde(default)]
    pub(crate) refresh_token: Option<SecretString>,
    /// The identity URL, `https://login…/id/<org>/<user>`.
    #[serde(default)]
    pub(crate) id: Option<String>,
}

impl TokenAnswer {
    /// Reads the answer's body; the flaw says nothing of its content.
    pub(crate) fn parse(body: &[u8]) -> std::result::Result<Self, Flaw> {
        serde_json::from_slice(body).map_err(|error| Flaw {
            detail: format!("not a token answer with access_token and instance_url ({:?})", error.classify()),
            ..Flaw::of_json(body, &error)
        })
    }
}

/// The user's id at the end of an identity URL.
pub(crate) fn user_of(identity: &str) -> Option<&str> {
    identity.rsplit('/').next().filter(|id| matches!(id.len(), 15 | 18) && id.starts_with("005"))
}

/// Keeps the token; the mutex makes a renewal single.
#[derive(Debug, Default)]
pub(crate) struct TokenKeeper {
    state: Mutex<State>,
    /// Renewals ended so far: a failure with a higher number than this ended while the caller waited.
    ended: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Token>,
    /// The last renewal that failed, by its number: those who waited for it get its error, not a try each.
    failed: Option<(u64, Error)>,
}

impl TokenKeeper {
    /// The token, a new one if there is none or if the one of `refused` generation is still kept.
    ///
    /// `sign_in` is called at most once at a time. A renewal that failed answers all that waited for it; one
    /// that Salesforce refused (`invalid_grant` and the like) answers every later call, too: asking again with
    /// the same credentials only locks the user out.
    pub(crate) async fn get<F>(&self, refused: Option<u64>, sign_in: impl FnOnce() -> F) -> Result<Token>
    where
        F: Future<Output = Result<TokenAnswer>>,
    {
        let seen = self.ended.load(Ordering::SeqCst);
        let mut state = self.state.lock().await;
        if let Some(token) = &state.token
            && refused.is_none_or(|generation| generation < token.generation)
        {
            return Ok(token.clone());
        }
        if let Some((number, error)) = &state.failed
            && (*number > seen || error.is_final())
        {
            return Err(error.clone());
        }
        let signed_in = sign_in().await;
        let number = self.ended.fetch_add(1, Ordering::SeqCst) + 1;
        match signed_in {
            Ok(answer) => {
                let token = Token {
                    access_token: answer.access_token,
                    instance_url: answer.instance_url,
                    generation: number,
                };
                state.token = Some(token.clone());
                Ok(token)
            }
            Err(error) => {
                state.failed = Some((number, error.clone()));
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;
    use std::time::Duration;

    fn answer() -> TokenAnswer {
        TokenAnswer::parse(br#"{"access_token":"00D!x","instance_url":"https://acme.my.salesforce.com"}"#)
            .unwrap()
    }

    #[tokio::test]
    async fn many_tasks_sign_in_once_and_renew_once() {
        let keeper = Arc::new(TokenKeeper::default());
        let calls = Arc::new(AtomicU32::new(0));
        for (refused, want) in [(None, 1), (Some(1), 2), (Some(1), 2)] {
            let tasks = (0..16).map(|_| {
                let (keeper, calls) = (keeper.clone(), calls.clone());
                tokio::spawn(async move {
                    keeper
                        .get(refused, || async {
                            calls.fetch_add(1, Ordering::SeqCst);
                            tokio::time::sleep(Duration::from_millis(5)).await;
                            Ok(answer())
                        })
                        .await
                })
            });
            for token in futures::future::join_all(tasks).await {
                assert_eq!(token.unwrap().unwrap().generation, want);
            }
            assert_eq!(calls.load(Ordering::SeqCst), want as u32);
        }
    }

    #[tokio::test]
    async fn a_failed_renewal_answers_all_that_waited_and_a_later_call_tries_again() {
        let keeper = TokenKeeper::default();
        let calls = AtomicU32::new(0);
        let fail = || async {
            calls.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Err(Error::WrongAnswer { what: String::new(), detail: String::new() })
        };
        let (one, two) = tokio::join!(keeper.get(None, fail), keeper.get(None, fail));
        assert!(one.is_err() && two.is_err());
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert!(keeper.get(None, || async { Ok(answer()) }).await.is_ok());
    }

    #[test]
    fn the_user_is_at_the_end_of_the_identity() {
        let user = user_of("https://login.salesforce.com/id/00D5g000004LabAEAU/0055g000004LabAEAU")
            .map(str::to_owned);
        assert_eq!(user.as_deref(), Some("0055g000004LabAEAU"));
        assert_eq!(user_of("https://login.salesforce.com/id/00D5g000004LabAEAU"), None);
        assert_eq!(user_of(""), None);
    }

    #[test]
    fn a_strange_answer_is_named_without_its_content() {
        for body in
            [r#"{"access_token":"s3cret"}"#, r#"{"access_token":["s3cret"]}"#, r#"{"access_token":"s3cret"#]
        {
            let flaw = TokenAnswer::parse(body.as_bytes()).err().unwrap();
            assert!(!flaw.detail.contains("s3cret"), "{flaw:?}");
        }
    }
}
