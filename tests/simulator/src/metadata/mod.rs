//! Metadata: the components of an org, and the Metadata API that reads them.
//!
//! - [`store::Store`] keeps components by [`store::Key`]; it is part of the [`crate::store::World`], so a deploy
//!   changes it together with schema and rows.
//! - [`types`] knows where files lie, [`xml`] in what form Salesforce writes documents, [`zip`] and [`package`] what
//!   packages are made of, and [`mdapi`] which files of a package are which components.
//! - [`source`] loads them from folders, of which most are in source format.
//! - [`catalog::Catalog`] shows what is stored together with what the schema implies; all calls that read go through it.
//! - [`calls`] answers the Metadata API, and [`deploy`] its calls that change something.

mod automatic;
mod calls;
pub(crate) mod catalog;
pub(crate) mod deploy;
mod implied;
mod jobs;
pub(crate) mod mdapi;
pub(crate) mod package;
mod profile;
mod retrieve;
pub(crate) mod source;
pub mod store;
pub(crate) mod types;
pub(crate) mod xml;
pub(crate) mod zip;

pub(crate) use calls::answer;
pub(crate) use deploy::Deploys;
pub(crate) use jobs::Retrieves;
pub use store::{Component, File, Key, Stamp, Store};
