//! Sign-in: the token endpoint's flows, the page of the web-server flow, SOAP login, who am I, and the sessions that
//! come of it.

mod apps;
mod authorize;
mod control;
mod device;
mod form;
mod grants;
mod identity;
mod jwt;
mod place;
mod revoke;
mod sessions;
mod soap;
mod token;

pub(crate) use authorize::page as authorize;
pub(crate) use control::{answer as control, approve};
pub(crate) use device::page as connect;
pub(crate) use identity::{identity, userinfo};
pub(crate) use place::Place;
pub(crate) use revoke::answer as revoke;
pub(crate) use sessions::{Caller, Sessions};
pub(crate) use soap::answer as soap;
pub(crate) use token::answer as token;
