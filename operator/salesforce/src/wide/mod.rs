//! Wide objects: columns in several queries that the org accepts, joined by `Id`.
//!
//! Each part selects `Id`, the row's modification stamp and some of the columns, in the order of `Id`. A row is
//! whole when all parts gave it with the same stamp; one that changed between the parts, or that some part did not
//! give, is read again by its id until its parts agree. So the ids of the parts are proven equal: each is joined,
//! read again, or gone from all parts.

mod again;
mod join;
mod split;

pub(crate) use again::read_again;
pub(crate) use join::{Join, JoinFault, Joined};
pub(crate) use split::split;

/// A row: one cell a column, `None` for null and for the empty text.
pub(crate) type Row = Vec<Option<String>>;
