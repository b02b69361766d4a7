//! A symmetric key of AWS KMS, by `Encrypt` and `Decrypt` with the vault's id as encryption context.
//!
//! Who asks is found as AWS's own tools do: environment, workload identity (web identity token), instance profile.
//! `AWS_ENDPOINT_URL_KMS` leads to another endpoint.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_kms::Client;
use aws_sdk_kms::config::BehaviorVersion;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::sync::OnceCell;
use zeroize::{Zeroize as _, Zeroizing};

use super::Kms;
use crate::aws;
use crate::error::{Result, VaultError};
use crate::keys::envelope::Secret;

/// What a key's address begins with.
pub(crate) const AWS: &str = "aws-kms:";
/// Name of the encryption context's entry that binds a wrapped key to its vault.
const CONTEXT: &str = "orgkeep-vault";

/// A key of AWS KMS.
#[derive(Debug)]
pub(crate) struct Aws {
    /// The address as it was given.
    id: String,
    /// Key ARN, alias ARN, or `alias/NAME` in the workload's own region and account.
    key: String,
    client: OnceCell<Client>,
}

impl Aws {
    /// Reads `aws-kms:` and a key ARN, an alias ARN, or `alias/NAME`.
    pub(crate) fn parse(address: &str) -> Result<Self> {
        let key = address.strip_prefix(AWS).unwrap_or_default();
        let arn = |key: &str| {
            let parts: Vec<&str> = key.splitn(6, ':').collect();
            matches!(parts.as_slice(), ["arn", partition, "kms", region, account, resource]
                if partition.starts_with("aws") && !region.is_empty()
                    && account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())
                    && (resource.starts_with("key/") || resource.starts_with("alias/")))
        };
        if key.starts_with("alias/") || arn(key) {
            return Ok(Self { id: address.to_owned(), key: key.to_owned(), client: OnceCell::new() });
        }
        Err(VaultError::InvalidKey(format!(
            "{address:?} is no key of AWS KMS: write aws-kms:arn:aws:kms:REGION:ACCOUNT:key/ID, or aws-kms:alias/NAME"
        )))
    }

    /// Region of the ARN; empty for a mere alias.
    fn region(&self) -> &str {
        if self.key.starts_with("arn:") { self.key.split(':').nth(3).unwrap_or_default() } else { "" }
    }

    async fn client(&self) -> Result<&Client> {
        self.client
            .get_or_try_init(|| async {
                let endpoint = std::env::var("AWS_ENDPOINT_URL_KMS").ok();
                let http = aws::http_client(endpoint.as_deref(), None).map_err(|why| VaultError::Kms {
                    key: self.id.clone(),
                    why,
                    denied: false,
                })?;
                let found = aws_config::defaults(BehaviorVersion::latest())
                    .http_client(http)
                    .region(aws::region(self.region()))
                    .retry_config(RetryConfig::standard().with_max_attempts(4))
                    .timeout_config(
                        TimeoutConfig::builder()
                            .connect_timeout(Duration::from_secs(5))
                            .operation_attempt_timeout(Duration::from_secs(20))
                            .build(),
                    )
                    .load()
                    .await;
                Ok(Client::new(&found))
            })
            .await
    }

    fn refused<E>(&self, error: &SdkError<E>) -> VaultError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let causes = aws::causes(error);
        let said = match (error.code(), error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            // so it ends when no provider has credentials, before anything is sent
            _ if causes.contains("no credentials") => "there are no credentials for AWS KMS".to_owned(),
            _ => causes.clone(),
        };
        // 4xx is a word of the service on this key and this caller; without credentials nothing is sent
        let status = error.raw_response().map(|answer| answer.status().as_u16());
        let throttled =
            error.code().is_some_and(|code| code.contains("Throttling") || code.contains("LimitExceeded"));
        let denied = status.is_some_and(|status| (400..500).contains(&status)) && !throttled
            || status.is_none() && causes.contains("credential");
        VaultError::Kms { key: self.id.clone(), why: said, denied }
    }
}

#[async_trait]
impl Kms for Aws {
    fn id(&self) -> &str {
        &self.id
    }

    async fn wrap(&self, vault_id: &str, secret: &Secret) -> Result<String> {
        let request = self.client().await?.encrypt().key_id(&self.key).plaintext(Blob::new(secret.to_vec()));
        let answer = request
            .encryption_context(CONTEXT, vault_id)
            .send()
            .await
            .map_err(|error| self.refused(&error))?;
        let wrapped = answer
            .ciphertext_blob()
            .ok_or_else(|| VaultError::internal(format!("{} answered without a wrapped key", self.id)))?;
        Ok(BASE64.encode(wrapped))
    }

    async fn unwrap(&self, vault_id: &str, wrapped: &str) -> Result<Option<Secret>> {
        let Ok(wrapped) = BASE64.decode(wrapped) else { return Ok(None) };
        let request = self.client().await?.decrypt().key_id(&self.key).ciphertext_blob(Blob::new(wrapped));
        match request.encryption_context(CONTEXT, vault_id).send().await {
            Ok(mut answer) => {
                let mut plain = answer.plaintext.take().map(Blob::into_inner).unwrap_or_default();
                let secret = <[u8; 32]>::try_from(plain.as_slice()).ok().map(Zeroizing::new);
                plain.zeroize();
                Ok(secret)
            }
            Err(error) => match error.code() {
                Some("InvalidCiphertextException" | "IncorrectKeyException") => Ok(None),
                _ => Err(self.refused(&error)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_refused() {
        let arn = "aws-kms:arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        assert_eq!(Aws::parse(arn).unwrap().region(), "eu-central-1");
        assert_eq!(Aws::parse("aws-kms:alias/orgkeep").unwrap().region(), "");
        for wrong in [
            "aws-kms:",
            "aws-kms:1234",
            "aws-kms:arn:aws:s3:::bucket",
            "aws-kms:arn:aws:kms::111122223333:key/1",
            "aws-kms:arn:aws:kms:eu-central-1:11112222:key/1",
        ] {
            assert!(matches!(Aws::parse(wrong), Err(VaultError::InvalidKey(_))), "{wrong}");
        }
    }
}
