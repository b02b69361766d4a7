//! Several calls in one: `POST composite`, which the org counts once.
//!
//! Not `composite/batch`: that saves round trips only, as the org counts each of its sub-requests. A composite takes
//! up to 25 sub-requests, of which up to five may be queries; describes are no queries.
//! (<https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_composite.htm>;
//! recorded with describes and `If-Modified-Since` by CumulusCI.)

mod answer;
mod pack;
mod send;

pub(crate) use answer::Part;
pub(crate) use pack::SubRequest;
pub(crate) use send::send;

/// Sub-requests in one composite.
pub(crate) const PARTS_LIMIT: usize = 25;
/// Of them, queries.
pub(crate) const QUERIES_LIMIT: usize = 5;
