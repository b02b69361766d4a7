//! What formulas look at beside records.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::clock::Clock;
use crate::value::{Id, calendar};

/// Labels, permissions and the time: what formulas look at beside records.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Custom labels: `$Label.name`.
    pub labels: BTreeMap<String, String>,
    /// Permissions of users, custom ones among them: `$Permission.name`.
    pub permissions: BTreeMap<Id, BTreeSet<String>>,
    /// The simulator's clock; the machine's without one.
    pub(crate) clock: Option<Arc<Clock>>,
}

impl Surroundings {
    /// Milliseconds since 1970.
    pub fn now(&self) -> i64 {
        self.clock.as_ref().map_or_else(calendar::now_ms, |clock| clock.now_ms())
    }

    /// A label by its name, in any case.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        let exact = self.labels.get(name);
        let found = exact.or_else(|| {
            self.labels.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, label)| label)
        });
        found.map(String::as_str)
    }
}
