//! A vault whose root key is wrapped by a key of AWS KMS, beside a server that speaks as it does (`tests/kms.sh`).
//!
//! One test: the client finds endpoint and credentials in the environment, which all tests of a process share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::Arc;

use orgkeep_core::reason::Reason;
use orgkeep_vault::{Access, Key, Rekey, Vault, VaultError};
use support::volume;

fn access(key: &str) -> Access {
    Access { key: Some(Key::parse(key).unwrap()), ..Access::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_kms_opens_the_vault_and_others_do_not() {
    let (Ok(endpoint), Ok(keys)) =
        (std::env::var("ORGKEEP_TEST_KMS_ENDPOINT"), std::env::var("ORGKEEP_TEST_KMS_KEYS"))
    else {
        eprintln!("skipped: no ORGKEEP_TEST_KMS_ENDPOINT; run it by tests/kms.sh");
        return;
    };
    assert_eq!(std::env::var("AWS_ENDPOINT_URL_KMS").as_deref(), Ok(endpoint.as_str()));
    let (first, second) = keys.split_once(',').unwrap();
    let (first, second) = (format!("aws-kms:{first}"), format!("aws-kms:{second}"));
    let folder = tempfile::tempdir().unwrap();
    let storage = volume(folder.path()).await;

    let made = Vault::create_or_open(Arc::clone(&storage), &access(&first)).await.unwrap();
    assert!(made.is_encrypted());
    let document = std::fs::read_dir(folder.path())
        .unwrap()
        .filter_map(Result::ok)
        .find(|entry| entry.file_name().to_string_lossy().starts_with("vault."))
        .unwrap();
    let document = std::fs::read_to_string(document.path()).unwrap();
    assert!(document.contains("\"kms\"") && document.contains(&first), "{document}");

    // again, by another client
    let again = Vault::open_read_only(Arc::clone(&storage), &access(&first)).await.unwrap();
    assert!(again.can_open() && again.id() == made.id());

    // a key that is none of its recipients; one that the service does not have
    let error = Vault::open_read_only(Arc::clone(&storage), &access(&second)).await.unwrap_err();
    assert_eq!(error.reason(), Reason::WrongEncryptionKey, "{error}");
    let unknown =
        format!("{}00000000-0000-0000-0000-000000000000", first.split_inclusive("key/").next().unwrap());
    let rekey = Rekey { add_key: Some(Key::parse(&unknown).unwrap()), ..Rekey::default() };
    let error = Vault::rekey(&storage, &access(&first), &rekey).await.unwrap_err();
    assert_eq!(error.reason(), Reason::KeyServiceAccessDenied, "{error}");
    assert!(matches!(&error, VaultError::Kms { key, .. } if *key == unknown));

    // the other key in its place; a recovery key beside it
    let recovery = age::x25519::Identity::generate();
    let rekey = Rekey {
        add_key: Some(Key::parse(&second).unwrap()),
        add_recipients: vec![recovery.to_public().to_string()],
        remove: vec![first.clone()],
    };
    let told = Vault::rekey(&storage, &access(&first), &rekey).await.unwrap();
    let kinds: Vec<&str> = told.iter().map(|one| one.kind.as_str()).collect();
    assert_eq!(kinds, ["kms", "age"]);
    assert!(Vault::open_read_only(Arc::clone(&storage), &access(&first)).await.is_err());
    let moved = Vault::open_read_only(Arc::clone(&storage), &access(&second)).await.unwrap();
    assert_eq!(moved.signing_key(), made.signing_key());
    let recovered = Access { key: Some(Key::Age(recovery)), ..Access::default() };
    assert!(Vault::open_read_only(Arc::clone(&storage), &recovered).await.unwrap().can_open());

    // what the service wrapped for one vault opens no other: the vault's id is bound in
    let Key::Kms(kms) = Key::parse(&second).unwrap() else { panic!("not a key of a service") };
    let secret = zeroize::Zeroizing::new([7; 32]);
    let wrapped = kms.wrap("v-1", &secret).await.unwrap();
    assert_eq!(kms.unwrap("v-1", &wrapped).await.unwrap(), Some(secret));
    assert_eq!(kms.unwrap("v-2", &wrapped).await.unwrap(), None);
    assert_eq!(kms.unwrap("v-1", "bm90IHdyYXBwZWQ=").await.unwrap(), None);
}
