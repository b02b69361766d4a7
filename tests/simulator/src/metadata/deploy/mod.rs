//! Deploys: what changes an org's metadata, and with it its schema, its rules and what users see.
//!
//! - [`input`] reads a zip and holds it against its manifests, [`options`] what the call wants.
//! - [`queue`] lets one deploy run at a time, over some time, on a thread of its own.
//! - [`apply`] carries a deploy out on a [`crate::store::World`]: all of it, or, unless the call wants otherwise,
//!   nothing. [`effect`] knows what a component does to the org, [`remove`] what deleting one does, and [`tests`] which
//!   tests there are.
//! - [`soap`] and [`rest`] are the calls, [`result`] their answers; [`crud`] are the calls that change components without
//!   a zip.

mod apply;
mod crud;
mod effect;
mod grants;
mod input;
mod options;
mod outcome;
pub(crate) mod queue;
mod records;
mod remove;
pub(crate) mod rest;
mod result;
mod soap;
mod tests;

pub(crate) use queue::Deploys;
pub(crate) use soap::answer;
