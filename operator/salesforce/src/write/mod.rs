//! Writing records: rows and their outcomes, the journal of intents, and REST and SOAP writes. What goes by Bulk is in
//! [`crate::ingest`], files in [`crate::upload`].
//!
//! The rule: an insert is sent only so that a lost answer can be found again. Its intent is in the journal before; after
//! a lost answer the org is asked, one match is taken, several are told, and nothing is sent again before the org's clock
//! shows that the lost call can no longer be at work. Updates, deletes and upserts by external id may be sent twice.

mod collections;
mod headers;
mod intents;
mod journal;
mod json;
mod look;
mod make;
mod record;
mod row;
mod soap;
mod state;

pub use headers::WriteOptions;
pub use intents::{Entry, FileIntents, Intents, MemoryIntents, Step};
pub use record::SETTLE;
pub use row::{Cell, Column, InputRow, Kind, Operation, Outcome, Outcomes, RowError, Target};

pub(crate) use collections::write as write_collection;
pub(crate) use intents::journal_wrong;
pub(crate) use journal::Journal;
pub(crate) use json::members;
pub(crate) use look::{Content, Look, md5_of};
pub(crate) use make::{Make, make};
pub(crate) use record::insert;
pub(crate) use state::JobStep;
