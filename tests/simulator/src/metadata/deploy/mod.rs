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

use super::Stamp;
use super::xml::Element;
use crate::org::Site;
use crate::store::World;

pub(crate) use queue::Deploys;
pub(crate) use soap::answer;

/// How a deploy stands, without what became of its components.
pub(crate) fn result(deploy: &queue::Deploy) -> serde_json::Value {
    result::json(deploy, false)
}

/// Puts one component into an org, given by its document with a full name in it. The error says what is wrong with it.
pub(crate) fn put(
    world: &mut World,
    type_name: &str,
    root: &Element,
    site: &Site,
    stamp: Stamp,
) -> Result<(), String> {
    crud::put(world, type_name, root, site, stamp)
}
