//! An org directory, read: settings, schema and data. The same directory always gives the same org.

mod settings;

pub use settings::{ApiVersions, ConnectedApp, Flow, Limits, OrgType, Settings, User};
