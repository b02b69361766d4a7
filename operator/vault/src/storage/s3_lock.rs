//! Object Lock: what is put once cannot be deleted nor replaced before its term is over, by nobody (compliance) or only
//! by who has a right of its own (governance).
//!
//! History is locked, and nothing else: manifests, states, parts, blobs. Leases and journals come and go.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{
    ObjectLockEnabled, ObjectLockLegalHoldStatus, ObjectLockMode, ObjectLockRetention,
    ObjectLockRetentionMode,
};
use jiff::Timestamp;

use super::s3::{S3, refusal};
use super::{LockMode, ObjectLock, StorageError, StorageErrorKind, StorageResult};

impl ObjectLock {
    fn term(self) -> Duration {
        Duration::from_secs(u64::from(self.days) * 24 * 3600)
    }

    fn until(self) -> DateTime {
        DateTime::from(SystemTime::now() + self.term())
    }

    fn retention(self) -> ObjectLockRetentionMode {
        match self.mode {
            LockMode::Governance => ObjectLockRetentionMode::Governance,
            LockMode::Compliance => ObjectLockRetentionMode::Compliance,
        }
    }
}

/// Whether history rests on a file.
fn is_history(path: &str) -> bool {
    path.split('/')
        .nth(2)
        .is_some_and(|folder| ["snapshots", "objects", "blobs", "metadata", "redactions"].contains(&folder))
}

impl S3 {
    /// Mode and end of the lock that a new file gets.
    pub(super) fn lock_of(&self, path: &str) -> (Option<ObjectLockMode>, Option<DateTime>) {
        match self.lock.filter(|_| is_history(path)) {
            Some(lock) => (Some(lock.retention().as_str().into()), Some(lock.until())),
            None => (None, None),
        }
    }

    /// Refuses a bucket that does not lock, where files are to be locked.
    pub(super) async fn check_lock(&self) -> StorageResult<()> {
        if self.lock.is_none() {
            return Ok(());
        }
        let refused = |why: String| {
            StorageError::new(StorageErrorKind::ObjectLockUnsupported, format!("s3://{}", self.bucket), why)
        };
        let answer = self.client.get_object_lock_configuration().bucket(&self.bucket).send().await;
        let enabled = match answer {
            Ok(answer) => answer
                .object_lock_configuration()
                .and_then(|configuration| configuration.object_lock_enabled())
                .is_some_and(|enabled| *enabled == ObjectLockEnabled::Enabled),
            Err(error) => {
                let error = refusal(&self.bucket, &error);
                match error.kind {
                    StorageErrorKind::AccessDenied | StorageErrorKind::Unreachable => return Err(error),
                    _ => {
                        return Err(refused(format!(
                            "Object Lock is not enabled for the bucket: {}",
                            error.message
                        )));
                    }
                }
            }
        };
        if enabled { Ok(()) } else { Err(refused("Object Lock is not enabled for the bucket".to_owned())) }
    }

    /// Locks a file for a whole term from now if less than half of one is left; whether that was so.
    pub(super) async fn extend_lock(&self, path: &str) -> StorageResult<bool> {
        let Some(lock) = self.lock.filter(|_| is_history(path)) else { return Ok(false) };
        let answer = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(self.key(path))
            .send()
            .await
            .map_err(|error| refusal(path, &error))?;
        let enough = DateTime::from(SystemTime::now() + lock.term() / 2);
        if answer.object_lock_retain_until_date().is_some_and(|until| *until >= enough) {
            return Ok(false);
        }
        let retention =
            ObjectLockRetention::builder().mode(lock.retention()).retain_until_date(lock.until()).build();
        self.client
            .put_object_retention()
            .bucket(&self.bucket)
            .key(self.key(path))
            .retention(retention)
            .send()
            .await
            .map_err(|error| refusal(path, &error))?;
        Ok(true)
    }

    /// Until when a file is locked; as long as there is time where somebody laid a legal hold on it.
    pub(super) async fn locked_until(&self, path: &str) -> StorageResult<Option<Timestamp>> {
        let answer = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(self.key(path))
            .send()
            .await
            .map_err(|error| refusal(path, &error))?;
        if answer.object_lock_legal_hold_status() == Some(&ObjectLockLegalHoldStatus::On) {
            return Ok(Some(Timestamp::MAX));
        }
        let until = answer.object_lock_retain_until_date();
        Ok(until.and_then(|until| Timestamp::from_second(until.secs()).ok()))
    }
}
