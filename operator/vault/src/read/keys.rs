//! Which keys a reading is about.

use std::sync::Arc;

use orgkeep_core::id::SalesforceId;

use crate::codec::key::key_of;

/// Which keys a reading is about.
#[derive(Debug, Clone, Default)]
pub enum Keys {
    /// All.
    #[default]
    All,
    /// From the first, up to but without the second.
    Range(u128, u128),
    /// Row groups that may hold one of these (sorted); rows beside them come, too.
    Near(Arc<[u128]>),
}

impl Keys {
    /// Ids from `from` to `to`, both included; without them from the first, to the last.
    pub fn between(from: Option<&SalesforceId>, to: Option<&SalesforceId>) -> Self {
        let from = from.map_or(0, |id| key_of(id.as_bytes()));
        let to = to.map_or(u128::MAX, |id| key_of(id.as_bytes()) + 1);
        Self::Range(from, to)
    }

    /// Whether there may be one between these, both included.
    pub(crate) fn touch(&self, least: u128, greatest: u128) -> bool {
        match self {
            Self::All => true,
            Self::Range(from, to) => *from <= greatest && least < *to,
            Self::Near(keys) => {
                keys.get(keys.partition_point(|key| *key < least)).is_some_and(|key| *key <= greatest)
            }
        }
    }

    /// Which of these keys (ascending) are looked for.
    pub(super) fn bounds(&self, keys: &[u128]) -> (usize, usize) {
        match self {
            Self::Range(from, to) => {
                (keys.partition_point(|key| key < from), keys.partition_point(|key| key < to))
            }
            _ => (0, keys.len()),
        }
    }
}
