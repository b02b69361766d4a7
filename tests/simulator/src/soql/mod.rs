//! SOQL: a parser, names looked up in a user's view of the schema, and cursors over a snapshot.

mod ast;
mod error;

pub use ast::{Condition, FieldSet, Literal, Name, Operator, Order, Query, Selected};
pub use error::SoqlError;
