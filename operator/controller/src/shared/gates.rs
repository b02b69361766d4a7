//! How far each controller is with its start: what `/readyz` lists.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How far a controller is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// Not begun, or its first list is not complete.
    Starting,
    /// Its CustomResourceDefinition is not there (yet).
    WaitingForCrd(String),
    /// At work.
    Ready,
    /// Another replica holds the lease; this one is as ready as it can be.
    Standby,
}

impl Gate {
    fn missing(&self) -> Option<String> {
        match self {
            Self::Starting => Some("starting".to_owned()),
            Self::WaitingForCrd(why) => Some(format!("waiting for its definition: {why}")),
            Self::Ready | Self::Standby => None,
        }
    }
}

/// The gates, by controller.
#[derive(Debug, Default)]
pub struct Gates(Mutex<BTreeMap<String, Gate>>);

impl Gates {
    /// Moves one.
    pub fn set(&self, controller: &str, gate: Gate) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(controller.to_owned(), gate);
    }

    /// What is missing, by controller; empty when all are ready. Nothing at all is not ready.
    pub fn missing(&self) -> Vec<String> {
        let gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if gates.is_empty() {
            return vec!["controllers: not started".to_owned()];
        }
        gates.iter().filter_map(|(name, gate)| Some(format!("{name}: {}", gate.missing()?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let gates = Gates::default();
        assert_eq!(gates.missing().len(), 1);
        gates.set("a", Gate::Ready);
        gates.set("b", Gate::WaitingForCrd("not found".into()));
        assert_eq!(gates.missing(), ["b: waiting for its definition: not found"]);
        gates.set("b", Gate::Standby);
        assert!(gates.missing().is_empty());
    }
}
