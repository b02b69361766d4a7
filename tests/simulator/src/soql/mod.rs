//! SOQL: a parser, names looked up in a user's view of the schema, and cursors over a snapshot.

mod aggregate;
mod ast;
mod columns;
mod csv;
mod cursor;
mod error;
mod filter;
mod join;
mod json;
mod lex;
mod literal;
mod nested;
mod parse;
mod plan;
mod resolve;
mod restrict;
mod sort;
mod take;
#[cfg(test)]
mod tests;

pub use ast::{
    Call, Condition, DatePart, Distance, FieldSet, Function, GroupBy, Literal, Name, Operator, Order, Query,
    Selected, Totals, TypeOf,
};
pub use csv::{CsvColumns, CsvForm};
pub use cursor::{Cursor, RowIter};
pub use error::SoqlError;
pub use json::{JsonForm, Pages};
pub use parse::parse;
pub use plan::{Column, Plan};
pub use resolve::Path;
pub use take::{Far, Take};
