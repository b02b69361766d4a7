//! What is made from an org's schema once, and again when the schema has changed.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::tooling::Tooling;
use crate::schema::Schema;

/// The objects of the Tooling API, and the schema that they were made from.
#[derive(Debug, Default)]
pub(crate) struct Derived(Mutex<Option<(Weak<Schema>, Arc<Tooling>)>>);

impl Derived {
    /// The objects of the Tooling API.
    pub(super) fn tooling(&self, schema: &Arc<Schema>) -> Arc<Tooling> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, tooling)) = &*kept
            && std::ptr::eq(of.as_ptr(), Arc::as_ptr(schema))
        {
            return tooling.clone();
        }
        let tooling = Arc::new(Tooling::new(schema));
        *kept = Some((Arc::downgrade(schema), tooling.clone()));
        tooling
    }
}
