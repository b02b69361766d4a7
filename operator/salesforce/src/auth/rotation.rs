//! Refresh tokens that change: an app with rotation answers with a new one, and the old one is dead at once.
//!
//! So the new one is handed to a sink before the access token that came with it is used: what is lost afterwards is
//! a call, never the way in.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};

use crate::error::{Error, Result};

/// Keeps refresh tokens where the next run finds them.
pub trait RefreshTokenSink: Send + Sync {
    /// Keeps the token in the place of the former one. The error says why it could not, without the token.
    fn keep(&self, token: SecretString) -> BoxFuture<'_, std::result::Result<(), String>>;
}

/// A sink as an option.
#[derive(Clone)]
pub struct Sink(Arc<dyn RefreshTokenSink>);

impl Sink {
    /// Takes a sink.
    pub fn new(sink: impl RefreshTokenSink + 'static) -> Self {
        Self(Arc::new(sink))
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}

/// The refresh token that is good now, where it is not the options' one.
#[derive(Debug, Default)]
pub(crate) struct Rotation(Mutex<Option<SecretString>>);

impl Rotation {
    /// The token that came last.
    pub(crate) fn current(&self) -> Option<SecretString> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the refresh token of an answer: if it is another than the one that was sent, it is kept here for the
    /// next renewal, and by the sink for the next run.
    pub(crate) async fn take(
        &self,
        sent: &SecretString,
        answered: Option<&SecretString>,
        sink: Option<&Sink>,
    ) -> Result<()> {
        let Some(new) = answered.filter(|new| new.expose_secret() != sent.expose_secret()) else {
            return Ok(());
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(new.clone());
        match sink {
            Some(sink) => sink.0.keep(new.clone()).await.map_err(|detail| Error::RefreshTokenLost { detail }),
            None => {
                tracing::warn!(
                    "the app rotates refresh tokens and nothing keeps the new one: the next run cannot sign in; \
                     turn rotation off in the connected app, or use the JWT bearer flow"
                );
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Memory(Arc<Mutex<Vec<String>>>, bool);

    impl RefreshTokenSink for Memory {
        fn keep(&self, token: SecretString) -> BoxFuture<'_, std::result::Result<(), String>> {
            Box::pin(async move {
                if self.1 {
                    return Err("the disk is full".to_owned());
                }
                self.0.lock().unwrap().push(token.expose_secret().to_owned());
                Ok(())
            })
        }
    }

    #[tokio::test]
    async fn only_a_new_token_is_kept() {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let sink = Sink::new(Memory(kept.clone(), false));
        let rotation = Rotation::default();
        let (old, new) = (SecretString::from("old"), SecretString::from("new"));
        rotation.take(&old, None, Some(&sink)).await.unwrap();
        rotation.take(&old, Some(&old), Some(&sink)).await.unwrap();
        assert!(rotation.current().is_none() && kept.lock().unwrap().is_empty());
        rotation.take(&old, Some(&new), Some(&sink)).await.unwrap();
        assert_eq!(rotation.current().unwrap().expose_secret(), "new");
        assert_eq!(*kept.lock().unwrap(), ["new"]);
        rotation.take(&new, Some(&old), None).await.unwrap();
        assert_eq!(rotation.current().unwrap().expose_secret(), "old");
    }

    #[tokio::test]
    async fn a_token_that_cannot_be_kept_is_said_without_it() {
        let sink = Sink::new(Memory(Arc::default(), true));
        let error = Rotation::default()
            .take(&"old".to_owned().into(), Some(&"s3cret".to_owned().into()), Some(&sink))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("the disk is full"), "{error}");
        assert!(!format!("{error} {error:?} {sink:?}").contains("s3cret"));
    }
}
