//! Which org a request is for, by the path or the host that it came to.
//!
//! Salesforce has hosts: those of all orgs of a kind, where only sign-in works, and each org's own one. Here an address
//! of the machine serves all orgs, a path (`/o/<id>`) or the own host (`acme.my.salesforce.com`, for clients that
//! insist on it and are given such names) only one.

use super::sessions::Caller;
use crate::org::OrgType;
use crate::server::{OrgState, State};
use crate::web::Request;

/// The host of a kind of org.
const LOGIN: [(&str, OrgType); 2] =
    [("login.salesforce.com", OrgType::Production), ("test.salesforce.com", OrgType::Sandbox)];

/// Where a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// An address of the machine.
    Anywhere,
    /// The host where all orgs of a kind are signed in to.
    Login(OrgType),
    /// An org's own path or host.
    Org(usize),
    /// A host of Salesforce that belongs to none of the orgs.
    Nowhere,
}

impl Place {
    /// Where a request came to, and its path without the org's own part.
    pub(crate) fn of<'a>(state: &State, request: &'a Request) -> (Self, &'a str) {
        match state.split_path(&request.path) {
            (Some(org), rest) => (Self::Org(org), rest),
            (None, path) => (Self::of_host(state, host(request)), path),
        }
    }

    fn of_host(state: &State, host: &str) -> Self {
        if !host.ends_with(".salesforce.com") {
            return Self::Anywhere;
        }
        if let Some((_, kind)) = LOGIN.iter().find(|(login, _)| *login == host) {
            return Self::Login(*kind);
        }
        let found = state.orgs.iter().find(|org| own_host(org) == host);
        found.map_or(Self::Nowhere, |org| Self::Org(org.number))
    }

    /// The org, if there is only one that it can be.
    pub(crate) fn org(self) -> Option<usize> {
        match self {
            Self::Org(org) => Some(org),
            _ => None,
        }
    }

    /// Whether an org is signed in to here.
    pub(super) fn has(self, org: &OrgState) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Login(kind) => org.org.settings.r#type == kind,
            Self::Org(number) => org.number == number,
            Self::Nowhere => false,
        }
    }

    /// Who a token belongs to, if it lives and is one of an org that answers here.
    pub(crate) fn caller(self, state: &State, token: &str) -> Option<Caller> {
        let caller = state.sessions.caller(token)?;
        self.has(&state.orgs[caller.org]).then_some(caller)
    }
}

/// Where an org's calls go from now on: its own host where the request came to one of Salesforce's, else where it came.
pub(super) fn instance_url(request: &Request, org: &OrgState) -> String {
    let name = host(request);
    if name.ends_with(".salesforce.com") {
        return request.base.replacen(name, &own_host(org), 1);
    }
    request.base.clone()
}

/// Where the identities of an org's users are told: at the host of its kind where the request came to one of
/// Salesforce's, else where it came.
pub(super) fn identity_base(request: &Request, org: &OrgState) -> String {
    let name = host(request);
    let login = LOGIN.iter().find(|(_, kind)| *kind == org.org.settings.r#type);
    match login {
        Some((login, _)) if name.ends_with(".salesforce.com") => request.base.replacen(name, login, 1),
        _ => request.base.clone(),
    }
}

fn own_host(org: &OrgState) -> String {
    let label = org.org.settings.my_domain();
    match org.org.settings.r#type {
        OrgType::Production => format!("{label}.my.salesforce.com"),
        OrgType::Sandbox => format!("{label}.sandbox.my.salesforce.com"),
    }
}

/// The host without scheme and port.
fn host(request: &Request) -> &str {
    let authority = request.base.split_once("://").map_or("", |(_, authority)| authority);
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}
