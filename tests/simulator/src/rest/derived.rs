//! What is made from an org's schema once, and again when the schema has changed; and when that was.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::tooling::Tooling;
use crate::schema::Schema;
use crate::store::{Hidden, World};
use crate::value::calendar::now_ms;

/// What is made from an org's schema.
#[derive(Debug, Default)]
pub(crate) struct Derived {
    tooling: Mutex<Option<(Weak<Schema>, Arc<Tooling>)>>,
    /// Since when the schema is this one, and since when this is what is hidden from whom: milliseconds since 1970,
    /// 0 for what was so when it was first asked for.
    schema: Mutex<Option<(Weak<Schema>, i64)>>,
    hidden: Mutex<Option<(Weak<Vec<Hidden>>, i64)>>,
}

impl Derived {
    /// The objects of the Tooling API.
    pub(super) fn tooling(&self, schema: &Arc<Schema>) -> Arc<Tooling> {
        let mut kept = self.tooling.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, tooling)) = &*kept
            && std::ptr::eq(of.as_ptr(), Arc::as_ptr(schema))
        {
            return tooling.clone();
        }
        let tooling = Arc::new(Tooling::new(schema));
        *kept = Some((Arc::downgrade(schema), tooling.clone()));
        tooling
    }

    /// When any object came or went.
    pub(super) fn schema_changed(&self, world: &World) -> i64 {
        since(&self.schema, &world.schema)
    }

    /// When something was last hidden from somebody, or shown again.
    pub(super) fn visibility_changed(&self, world: &World) -> i64 {
        since(&self.hidden, &world.hidden)
    }
}

/// Since when a value is the one that it is.
fn since<T>(known: &Mutex<Option<(Weak<T>, i64)>>, value: &Arc<T>) -> i64 {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    let at = match &*known {
        Some((of, at)) if std::ptr::eq(of.as_ptr(), Arc::as_ptr(value)) => return *at,
        Some(_) => now_ms(),
        None => 0,
    };
    *known = Some((Arc::downgrade(value), at));
    at
}
