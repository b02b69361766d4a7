//! Proves that a storage keeps what a vault rests on, and leaves nothing behind.

use bytes::Bytes;
use ring::rand::{SecureRandom, SystemRandom};

use super::{Storage, StorageError, StorageErrorKind, StorageResult};

/// Tries reading, both conditional writes and deleting, with a file of a random name below `probe/`.
///
/// `ReadOnly` when listing works and writing is refused, `ConditionalWritesUnsupported` when a second write
/// succeeds where it must not.
pub async fn probe(storage: &dyn Storage) -> StorageResult<()> {
    let mut random = [0u8; 12];
    SystemRandom::new().fill(&mut random).map_err(|_| {
        StorageError::new(
            StorageErrorKind::Unreachable,
            storage.describe(),
            "the system gives no random numbers",
        )
    })?;
    let once = format!("probe/{}.once", hex::encode(random));
    let mutable = format!("probe/{}.json", hex::encode(random));
    readable(storage).await?;
    storage.check_lock().await?;
    let result = try_writes(storage, &once, &mutable).await;
    let cleaned = match storage.delete(&once).await {
        Ok(()) => storage.delete_mutable(&mutable).await,
        Err(error) => Err(error),
    };
    result.and(cleaned)
}

/// Whether the storage can be read at all.
async fn readable(storage: &dyn Storage) -> StorageResult<()> {
    storage.list_folders("").await.map(drop)
}

async fn try_writes(storage: &dyn Storage, once: &str, mutable: &str) -> StorageResult<()> {
    let first = Bytes::from_static(b"{\"probe\":1}");
    let second = Bytes::from_static(b"{\"probe\":2}");
    let unsupported = |what: &str| {
        StorageError::new(StorageErrorKind::ConditionalWritesUnsupported, storage.describe(), what.to_owned())
    };
    // Reading worked: a refusal now means that writing is not allowed.
    storage.put_if_absent(once, first.clone()).await.map_err(|error| match error.kind {
        StorageErrorKind::AccessDenied => StorageError { kind: StorageErrorKind::ReadOnly, ..error },
        _ => error,
    })?;
    match storage.put_if_absent(once, second.clone()).await {
        Err(error) if error.kind == StorageErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
        Ok(()) => return Err(unsupported("a file that was there was overwritten despite If-None-Match")),
    }
    if storage.get(once).await? != first {
        return Err(unsupported("a file that was there was overwritten despite If-None-Match"));
    }
    let version = storage.replace_if_match(mutable, None, first.clone()).await?;
    storage.replace_if_match(mutable, Some(&version), second.clone()).await?;
    match storage.replace_if_match(mutable, Some(&version), first).await {
        Err(error) if error.kind == StorageErrorKind::Conflict => {}
        Err(error) => return Err(error),
        Ok(_) => return Err(unsupported("a file that had changed was overwritten despite If-Match")),
    }
    match storage.read_mutable(mutable).await? {
        Some((bytes, _)) if bytes == second => Ok(()),
        _ => Err(unsupported("what If-Match let through is not what is read")),
    }
}
