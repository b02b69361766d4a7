//! A Salesforce org on this machine: sign-in, describe, SOQL, REST and Bulk 2.0 query over an org directory.
//!
//! Below HTTP it is made of four parts, which everything above builds on:
//!
//! - [`org::Org::load`] reads an org directory: `org.settings` ([`org::Settings`], the `org.yaml`), `org.schema`
//!   ([`schema::Schema`]), `org.database` ([`store::Database`], whose clone is a snapshot). `org.user(username)`
//!   finds a user, `org.view(user)` gives the [`schema::View`]: what that user may see.
//! - [`schema::Schema::describe_global`] and [`schema::Schema::describe`] give describe results as JSON.
//! - [`soql::parse`] gives a [`soql::Query`]; [`soql::Plan::new`] resolves it against schema and view. Both fail
//!   with a [`soql::SoqlError`] (`code`, `message`) in Salesforce's words.
//! - [`soql::Plan::open`] gives a [`soql::Cursor`] over a snapshot: `total()`, `rows(from, max)` yields
//!   [`store::RowRef`]s lazily, `cell(row, column, scratch)` gives a [`value::Cell`] of a column,
//!   `part(row, column, field, scratch)` a neighbour of that column's field (the parts of an address),
//!   `id(row)` the row's id, `ancestor(row, column, depth)` object and id of the parent that a column's path
//!   goes through after `depth` relationships. [`soql::Column`] has `name` (`Account.Owner.Name`), `names` (its
//!   parts) and `kind`. Where `plan.aggregate` is set, the rows are groups: their `attributes` are
//!   `{"type": "AggregateResult"}`, they have no id and no url, and Bulk refuses them; `cursor.check()` says if
//!   there are more than an answer may have.
//! - `cursor.write_csv_header(form, out)` and `cursor.write_csv_row(columns, row, form, scratch, out)` append rows as Bulk
//!   writes them ([`soql::CsvForm`]); `cursor.write_json_row(row, form, scratch, out)` appends a record as REST
//!   writes it, with `attributes`, nested parents, lists of children, addresses and URLs of blobs
//!   ([`soql::JsonForm::new`]). `write_json_record` does the same and cuts long lists of children into
//!   [`soql::Pages`].

// a describe result in full shape is a deep `json!`
#![recursion_limit = "512"]

mod auth;
pub mod automation;
mod bulk;
mod bulk1;
mod clock;
mod control;
pub mod faults;
pub mod formula;
mod limits;
pub mod log;
pub mod metadata;
pub mod org;
mod rest;
pub mod schema;
mod server;
mod soap;
pub mod soql;
pub mod store;
pub mod value;
mod web;

pub use bulk::{FactError, Facts};
pub use server::{OrgInfo, Simulator, StartError, StartOptions, Tls};
