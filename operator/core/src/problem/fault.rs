//! What the client and the engine find wrong by themselves, where Salesforce says nothing.

use super::{At, Reaction, find};

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What is wrong with an answer, or keeps a call from being made, without any word of Salesforce's.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Fault { $($(#[$doc])* $name,)* }

        impl Fault {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word, for a list of failures and for the table.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}

faults! {
    /// A body that is read piece by piece broke off, stalled, or ended in the middle of its compression.
    PageCut,
    /// HTML or something else stands where the answer should, or the answer ends early: what a node that restarts
    /// or a proxy says.
    BodyUnreadable,
    /// An answer is well formed and lacks what the API promises.
    WrongAnswer,
    /// An answer that must be held whole is too large for that.
    TooLarge,
    /// A result page is not what its head, its query or the other pages say: another header line, a row that is
    /// not well formed, more or fewer rows than announced.
    PageWrong,
    /// All pages together hold more or fewer rows than the org counted.
    RowsMissing,
    /// A page was named that had been named before: going on would read the same rows for ever.
    LocatorRepeated,
    /// Rows of a wide object kept changing while their columns were read in parts.
    RowsMoved,
    /// A file's content is not what its record says, by length or checksum.
    BlobWrong,
    /// A file's content broke off, and asking for the rest did not help.
    BlobCut,
    /// A query fits into no URI that the org accepts.
    QueryTooLong,
    /// Someone aborted the Bulk job in the org.
    JobAborted,
    /// The Bulk job was not done by the deadline.
    JobDeadline,
    /// We were asked to stop.
    Cancelled,
    /// The budget lets no call begin.
    AllowanceReached,
    /// The org refused to renew a session that it had granted.
    AccessRevoked,
    /// The org replaced the refresh token, and the new one could not be kept.
    RefreshTokenLost,
    /// Rows, records or content that are to be written cannot be sent as they are.
    InputRefused,
    /// What a journal of intents says does not go with what is to be written, or the journal cannot be kept.
    JournalWrong,
    /// No API version in common.
    VersionUnsupported,
    /// The private key cannot be used.
    PrivateKey,
    /// The options cannot be used.
    Options,
}

impl Fault {
    /// Looks it up.
    pub fn reaction(self) -> Reaction {
        find(At::Own, None, self.as_str(), "")
    }
}
