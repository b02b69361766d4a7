//! Sign-in: the token endpoint's flows, SOAP login, who am I, and the sessions that come of it.

mod flows;
mod identity;
mod jwt;
mod sessions;
mod soap;

pub(crate) use flows::{revoke, token};
pub(crate) use identity::{identity, userinfo};
pub(crate) use sessions::{Caller, Sessions};
pub(crate) use soap::login as soap_login;
