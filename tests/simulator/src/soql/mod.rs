//! SOQL: a parser, names looked up in a user's view of the schema, and cursors over a snapshot.

mod aggregate;
mod ast;
mod csv;
mod cursor;
mod error;
mod filter;
mod json;
mod lex;
mod literal;
mod parse;
mod plan;
mod resolve;
mod restrict;
mod sort;
#[cfg(test)]
mod tests;

pub use ast::{Condition, FieldSet, Function, Literal, Name, Operator, Order, Query, Selected};
pub use csv::CsvForm;
pub use cursor::{Cursor, RowIter};
pub use error::SoqlError;
pub use json::JsonForm;
pub use parse::parse;
pub use plan::{Column, Plan};
pub use resolve::Path;
