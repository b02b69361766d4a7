//! Reasons: the CamelCase words that conditions, events, metrics and exit codes share.
//!
//! One table says of each whether it is the user's to mend ([`Reason::is_configuration`]) and what to do, so
//! that every place that reports it says the same.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $kind:ident, $advice:literal;)*) => {
        /// Why a condition is as it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// All of them, for tables and tests.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What a person should do about it; empty where there is nothing to do.
            pub fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)* }
            }

            fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind,)* }
            }
        }
    };
}

#[derive(PartialEq, Eq)]
enum Kind {
    Good,
    Waiting,
    Configuration,
    Transient,
}

reasons! {
    /// All is as asked.
    Succeeded = Good, "";
    /// The probe answered.
    Connected = Good, "";
    /// The vault answered and keeps its promises.
    Available = Good, "";
    /// A worker is at work.
    Running = Waiting, "";
    /// Not yet looked at.
    Pending = Waiting, "";
    /// The next scheduled run is awaited.
    Scheduled = Good, "";
    /// `spec.suspend` is set.
    Suspended = Good, "set spec.suspend to false to go on";
    /// Stopped by SIGTERM or its deadline; the next run goes on from the journal.
    Stopped = Transient, "the next run goes on from where this one stopped";
    /// Stopped by a user.
    Canceled = Good, "";
    /// Some objects are missing or unproven.
    ObjectsIncomplete = Transient, "see status.failures; each names the object and what to do";
    /// Nothing is selected.
    NothingToDo = Good, "";

    /// The named Secret is not there.
    SecretNotFound = Configuration, "create the Secret in the object's namespace";
    /// The Secret is there, the key in it is not.
    SecretKeyNotFound = Configuration, "add the key to the Secret";
    /// The named ConfigMap or its key is not there.
    ConfigMapNotFound = Configuration, "create the ConfigMap in the object's namespace";
    /// The referenced object is not there.
    ReferenceNotFound = Configuration, "create the referenced object, or mend the name";
    /// The referenced object is not Ready.
    ReferenceNotReady = Waiting, "look at the referenced object's conditions";
    /// Salesforce refused the credentials.
    AuthenticationFailed = Configuration, "check the connected app, its user and the Secret";
    /// The user may not do what is needed.
    PermissionsMissing = Configuration, "grant the missing permissions to the integration user";
    /// The org's edition or profile has no API access.
    ApiDisabled = Configuration, "use an edition with API access, and a profile with API Enabled";
    /// No API version in common.
    ApiVersionUnsupported = Configuration, "leave spec.apiVersion out, or name one that the org offers";
    /// The org behind the connection is another one than before.
    OrgChanged = Configuration, "begin a new line: make a new SalesforceBackup, or set spec.lineId";
    /// The org's environment is not what the connection says.
    EnvironmentMismatch = Configuration, "set spec.environment to what the org is";
    /// The share of the org's API allowance is used up.
    AllowanceReached = Transient, "wait for the rolling 24 hours, or raise spec.apiUsage.maxPercent";
    /// The org did not answer.
    OrgUnreachable = Transient, "check loginUrl, DNS and egress rules; it is tried again";
    /// An object in `scope` does not exist or is not visible.
    ObjectNotFound = Configuration, "mend spec.scope, or let the user see the object";

    /// The storage did not answer.
    VaultUnreachable = Transient, "check endpoint, DNS and egress rules; it is tried again";
    /// The storage refused the credentials.
    VaultAccessDenied = Configuration, "check the vault's credentials and the bucket's policy";
    /// The storage is full, or its quota used up.
    VaultFull = Transient, "make room, or raise the quota; it is tried again, and what was committed stands";
    /// The bucket does not exist.
    BucketNotFound = Configuration, "create the bucket, or mend its name";
    /// The storage may be read, not written.
    VaultReadOnly = Configuration, "grant write access, or set accessMode: ReadOnly";
    /// The key does not open this vault.
    WrongEncryptionKey = Configuration, "use the key that the vault was made with, or a recovery key";
    /// The key is not 32 bytes of base64.
    InvalidEncryptionKey = Configuration, "make one with: head -c 32 /dev/urandom | base64";
    /// The key management service did not answer.
    KeyServiceUnreachable = Transient, "check the service's region, endpoint and egress rules; it is tried again";
    /// The key management service refuses the key to this workload.
    KeyServiceAccessDenied = Configuration, "allow the workload's identity to use the key, and see that the key is enabled";
    /// The storage does not keep conditional writes.
    ConditionalWritesUnsupported = Configuration, "use a storage that supports If-None-Match and If-Match";
    /// The vault was written by a newer Orgkeep.
    VaultFormatUnsupported = Configuration, "use a newer Orgkeep";
    /// What is stored is not what was written.
    VaultCorrupted = Configuration, "run orgkeep vault verify; restore the bucket from its own history";
    /// Another run holds the line.
    LineBusy = Transient, "wait for the other run; its lease expires by itself";
    /// The storage has locked what should be deleted.
    RetentionLocked = Waiting, "wait until the lock is over; a later run deletes the files";
    /// Older snapshots could not be retired or deleted.
    RetentionBlocked = Transient, "see the message; the next run tries again";
    /// A collection closed the run because it had not gone on for long.
    RunClosed = Configuration, "start a new run";
    /// A legal hold or Object Lock keeps what was to be erased.
    EraseRefused = Configuration, "end what keeps the records, or erase again when it is over";
    /// There is no recovery key.
    NoRecoveryKey = Configuration, "add an age recipient to spec.encryption.recipients, and keep its key offline";
    /// There is a recovery key.
    RecoveryKeyPresent = Good, "";
    /// The vault is not encrypted, as asked.
    EncryptionDisabled = Good, "";

    /// The worker vanished and left no word.
    WorkerLost = Transient, "look at the pod's events and the node; the next run goes on";
    /// The worker was killed for its memory.
    WorkerOutOfMemory = Configuration, "raise spec.worker.resources.limits.memory";
    /// The worker's pod cannot start.
    WorkerNotStarting = Configuration, "look at the pod's events: image, quota, node selector";
    /// The run took longer than its deadline.
    DeadlineExceeded = Transient, "the next run goes on from where this one stopped";
    /// The object cannot be read as its kind.
    InvalidObject = Configuration, "mend the object's spec";
    /// A name is too long for the names derived from it.
    NameTooLong = Configuration, "use a name of at most 40 characters";
    /// A name that is needed is taken by something else.
    NameTaken = Configuration, "delete or rename the object that has the name";
    /// `spec` asks for what this version does not do.
    NotInThisVersion = Configuration, "use a newer Orgkeep for it, or switch it off in spec";
    /// Something that should not happen did.
    InternalError = Transient, "report it with the worker's log";
}

impl Reason {
    /// Trying again cannot help until a person changes something: exit 78, `Stalled=True`.
    pub fn is_configuration(self) -> bool {
        self.kind() == Kind::Configuration
    }

    /// Nothing is wrong.
    pub fn is_good(self) -> bool {
        self.kind() == Kind::Good
    }

    /// Not wrong, not done.
    pub fn is_waiting(self) -> bool {
        self.kind() == Kind::Waiting
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_says_what_to_do() {
        for &reason in Reason::ALL {
            assert!(reason.is_good() || reason.is_waiting() || !reason.advice().is_empty(), "{reason}");
        }
    }

    #[test]
    fn words_are_what_serde_writes() {
        for &reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }
}
