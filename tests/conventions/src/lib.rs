//! Looks at the repository as its tests need it: which files it has, the YAML in them, the links in its pages.
//! The rules themselves are in `tests/`, one file a rule.

pub mod markdown;
pub mod repository;
pub mod yaml;
