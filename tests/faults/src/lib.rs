//! The fault campaign: a small org is read in full through the client, and every kind of fault is put in its way at
//! each n-th call. What comes out must equal what comes out without any fault, or be a typed error.
//!
//! - [`org`] is the org, served by the simulator; [`proxy`] stands between it and the client, counts the calls and
//!   spoils one of them as a [`kind::Kind`] says, down to single bytes.
//! - [`reader`] reads through the client of Orgkeep as the engine does; [`careless`] is a test double that reads
//!   as a hasty script would, and must be caught.
//! - [`campaign`] runs a reader against faults and tells the outcome.
//!
//! Everything of a run is in one thread on a paused clock: back-offs, time-outs and jobs that never end cost no
//! time. The sockets are real ones of this machine; what is written to one can be read at once from the other, so
//! the clock only moves on when the client waits for nothing but time.

pub mod campaign;
pub mod careless;
pub mod harvest;
pub mod kind;
pub mod org;
pub mod proxy;
pub mod reader;
mod spoil;
mod wire;
