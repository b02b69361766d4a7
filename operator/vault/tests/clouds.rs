//! What is refused in Azure Blob Storage and in Google Cloud Storage has a reason (the vault's suite is in `stores.rs`):
//! runs where `ORGKEEP_TEST_AZURE_ENDPOINT` or `ORGKEEP_TEST_GCS_ENDPOINT` names one (`tests/clouds.sh` starts both).

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use orgkeep_core::reason::Reason;
use orgkeep_vault::storage::probe;
use orgkeep_vault::{AzureCredentials, AzureOptions, GcsOptions, Location};

/// Azurite's own account, in its documentation.
const AZURITE_ACCOUNT: &str = "devstoreaccount1";
const AZURITE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

fn unique(prefix: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{prefix}-{}", now.as_nanos())
}

fn azure(prefix: &str) -> Option<AzureOptions> {
    let endpoint = std::env::var("ORGKEEP_TEST_AZURE_ENDPOINT").ok()?;
    Some(AzureOptions {
        account: AZURITE_ACCOUNT.into(),
        container: "orgkeep".into(),
        prefix: unique(prefix),
        endpoint: Some(endpoint),
        credentials: Some(AzureCredentials::AccountKey(AZURITE_KEY.to_owned().into())),
        ca_bundle: None,
    })
}

fn gcs(prefix: &str) -> Option<GcsOptions> {
    let endpoint = std::env::var("ORGKEEP_TEST_GCS_ENDPOINT").ok()?;
    // A server without sign-in, as the library has it.
    let key = serde_json::json!({
        "disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": "", "gcs_base_url": endpoint,
    });
    Some(GcsOptions {
        bucket: "orgkeep".into(),
        prefix: unique(prefix),
        endpoint: Some(endpoint),
        credentials: Some(key.to_string().into()),
        ca_bundle: None,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_in_azure_has_a_reason() {
    let Some(good) = azure("wrong") else { return };
    let reason = |options: AzureOptions| async move {
        let store = Location::Azure(options).open().await.unwrap();
        let error = probe(&*store).await.unwrap_err();
        eprintln!("{error}");
        error.reason()
    };
    assert_eq!(
        reason(AzureOptions { container: "nowhere".into(), ..good.clone() }).await,
        Reason::BucketNotFound
    );
    let other = AzureCredentials::AccountKey("AAAA".to_owned().into());
    assert_eq!(
        reason(AzureOptions { credentials: Some(other), ..good.clone() }).await,
        Reason::VaultAccessDenied
    );
    let closed = AzureOptions { endpoint: Some("http://127.0.0.1:1/a".into()), ..good };
    assert_eq!(reason(closed).await, Reason::VaultUnreachable);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_in_google_has_a_reason() {
    let Some(good) = gcs("wrong") else { return };
    let open = |options: GcsOptions| async move { Location::Gcs(options).open().await };
    let unusable = GcsOptions { credentials: Some("no JSON".to_owned().into()), ..good.clone() };
    let error = open(unusable).await.unwrap_err();
    assert!(!error.to_string().contains("no JSON"), "a credential is in a message: {error}");
    let closed = GcsOptions { endpoint: Some("http://127.0.0.1:1".into()), ..good };
    let error = probe(&*open(closed).await.unwrap()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::VaultUnreachable, "{error}");
}
