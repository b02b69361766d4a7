//! `/services/data`: versions, describe, records, queries and limits.

mod batch;
mod blob;
mod collections;
mod columns;
mod components;
mod composite;
mod conditions;
mod cursors;
mod derived;
mod describe;
mod headers;
mod many;
mod multipart;
mod needs;
mod query;
mod records;
mod replication;
mod search;
mod sobjects;
mod sub;
mod tooling;
mod tree;
mod versions;
pub(crate) mod write;

use http::Method;
use serde_json::{Map, Value as Json, json};

pub(crate) use blob::content;
pub(crate) use collections::read_rows;
pub(crate) use cursors::Cursors;
pub(crate) use derived::Derived;
pub(crate) use needs::check as check_needs;
pub(crate) use query::{Page, page as query_page};
pub(crate) use replication::{deleted, updated};
pub(crate) use versions::{known as known_version, list as versions, seen_by};

use crate::auth::Caller;
use crate::bulk;
use crate::limits;
use crate::metadata;
use crate::org::User;
use crate::schema::View;
use crate::server::{Open, OrgState, State};
use crate::store::World;
use crate::store::transaction::{Options, Transaction};
use crate::web::{Answer, ApiError, Request};

/// One call below `/services/data/vNN.0/`.
pub(crate) struct Call<'a> {
    pub(crate) org: &'a OrgState,
    /// Schema and rows, from the beginning of the call to its end.
    pub(crate) world: World,
    pub(crate) caller: Caller,
    pub(crate) user: &'a User,
    pub(crate) view: View,
    /// `62.0`
    pub(crate) version: &'a str,
    pub(crate) request: &'a Request,
    /// The change that this call is a part of, where several stand or fall together.
    pub(crate) open: Option<&'a Open>,
}

impl Call<'_> {
    /// The same call as a part of a change that is under way.
    fn within<'a>(&'a self, open: &'a Open) -> Call<'a> {
        let (world, view) = (self.world.clone(), self.view.clone());
        let Call { org, caller, user, version, request, .. } = *self;
        Call { org, world, caller, user, view, version, request, open: Some(open) }
    }

    /// Changes records as the user of this call does: all of it, or, if `work` fails, nothing.
    pub(crate) fn transact<T, E>(
        &self,
        options: &Options,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        match self.open {
            None => self.org.transact_with(self.caller.user, options, work),
            Some(open) => self.org.transact_in(open, self.caller.user, options, work),
        }
    }

    /// The user's id.
    pub(crate) fn user_id(&self) -> &str {
        self.user.id.as_deref().unwrap_or_default()
    }

    /// The method, or the one that `_HttpMethod=` puts in its place: for clients that can send GET and POST alone.
    fn method(&self) -> Method {
        let other = self.request.parameter("_HttpMethod").filter(|_| self.request.method == Method::POST);
        other
            .and_then(|other| Method::from_bytes(other.to_ascii_uppercase().as_bytes()).ok())
            .unwrap_or_else(|| self.request.method.clone())
    }

    fn only(&self, method: &Method) -> Result<(), ApiError> {
        if self.request.method == *method {
            return Ok(());
        }
        Err(ApiError::method(&self.request.method, method.as_str()))
    }
}

/// The name under which the log counts a call.
pub(crate) fn resource(parts: &[&str], method: &Method) -> &'static str {
    match parts {
        [] => "Resources",
        ["limits"] => "Limits",
        ["limits", "recordCount"] => "RecordCount",
        ["sobjects"] => "DescribeGlobal",
        ["sobjects", _, "describe"] => "Describe",
        ["sobjects", _, "updated"] => "Updated",
        ["sobjects", _, "deleted"] => "Deleted",
        ["sobjects", _, _, _] if method == Method::GET => "Blob",
        ["sobjects", ..] if method != Method::GET => "RecordWrite",
        ["sobjects", ..] => "Record",
        ["query"] => "Query",
        ["queryAll"] => "QueryAll",
        ["query" | "queryAll", _] => "QueryMore",
        ["composite" | "tooling", "graph" | "composite"] | ["composite"] => "Composite",
        ["composite", "batch"] => "CompositeBatch",
        ["composite", "sobjects", ..] => "Collections",
        ["composite", "tree", ..] => "Tree",
        ["metadata", "deployRequest", ..] => "DeployRequest",
        ["tooling", "query", ..] => "ToolingQuery",
        ["tooling", ..] => "Tooling",
        ["recent"] => "Recent",
        ["search" | "parameterizedSearch", ..] => "Search",
        ["jobs", "query", _, "results"] => "BulkResults",
        ["jobs", "query", _, "resultPages"] => "BulkResultPages",
        ["jobs", "query"] if method == Method::POST => "BulkCreate",
        ["jobs", "query", ..] => "BulkJob",
        ["jobs", "ingest", rest @ ..] => bulk::ingest_resource(rest, method),
        _ => "Unknown",
    }
}

/// Answers a call; it may take its time, so it runs on a thread of its own.
pub(crate) fn answer(state: &State, call: &Call<'_>, parts: &[&str]) -> Result<Answer, ApiError> {
    match parts {
        ["metadata", rest @ ..] => return metadata::deploy::rest::answer(state, call, rest),
        ["jobs", "query", rest @ ..] => return bulk::answer(state, call, rest),
        ["jobs", "ingest", rest @ ..] => return bulk::ingest(state, call, rest),
        ["composite"] if call.method() == Method::GET => return Ok(composite::resources(call)),
        ["composite"] | ["tooling", "composite"] => return composite::answer(state, call),
        ["composite", "graph"] => return composite::graphs(state, call),
        ["composite", "batch"] => return batch::answer(state, call),
        ["composite", "tree", object] => return tree::answer(call, object),
        ["composite", "sobjects"] => return many::write(call),
        ["composite", "sobjects", object] => return collections::read(call, object),
        ["composite", "sobjects", object, field] => return many::upsert(call, object, field),
        ["tooling", "sobjects", object, id] if *id != "describe" => {
            return components::answer(call, object, id);
        }
        ["sobjects", object, rest @ ..] if call.method() != Method::GET => {
            return records::answer(call, object, rest);
        }
        [] | ["limits" | "query" | "queryAll" | "sobjects" | "tooling" | "recent" | "search", ..] => {
            call.only(&Method::GET)?;
        }
        _ => return Err(ApiError::not_found()),
    }
    match parts {
        [] => Ok(Answer::ok(&resources(call))),
        ["limits"] => Ok(Answer::ok(&limits::answer(call.org, call.version))),
        ["limits", "recordCount"] => Ok(limits::record_count(call)),
        ["sobjects"] => Ok(describe::global(call)),
        ["sobjects", object, rest @ ..] => sobjects::answer(call, object, rest),
        ["query"] => query::first(call, false),
        ["queryAll"] => query::first(call, true),
        ["query" | "queryAll", locator] => query::more(call, locator),
        ["tooling", rest @ ..] => tooling::answer(call, rest),
        ["recent"] => Ok(search::recent()),
        ["search"] => search::answer(call),
        _ => Err(ApiError::not_found()),
    }
}

fn resources(call: &Call<'_>) -> Json {
    let base = format!("/services/data/v{}", call.version);
    let names = [
        "composite",
        "jobs",
        "limits",
        "metadata",
        "query",
        "queryAll",
        "recent",
        "search",
        "sobjects",
        "tooling",
    ];
    let mut map: Map<String, Json> =
        names.iter().map(|name| ((*name).to_owned(), json!(format!("{base}/{name}")))).collect();
    let id = format!("{}/id/{}/{}", call.request.base, call.org.org.id(), call.user_id());
    map.insert("identity".to_owned(), json!(id));
    Json::Object(map)
}
