//! Metadata: the components of an org, and the Metadata API that reads them.
//!
//! - [`store::Store`] keeps components by [`store::Key`]; it is part of the [`crate::store::World`], so a deploy
//!   changes it together with schema and rows.
//! - [`types`] knows where files lie, [`xml`] in what form Salesforce writes documents, [`zip`] and [`package`] what
//!   packages are made of, and [`mdapi`] which files of a package are which components.

pub(crate) mod mdapi;
pub(crate) mod package;
pub mod store;
pub(crate) mod types;
pub(crate) mod xml;
pub(crate) mod zip;

pub use store::{Component, File, Key, Stamp, Store};
