//! Events: one Recorder for the whole process, because it folds repeats together; only for transitions.

use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use orgkeep_api::common::{Condition, condition};
use orgkeep_core::run::cut_to;
use std::fmt::Display;

use k8s_openapi::api::core::v1::ObjectReference;

use super::conditions::find;

/// The longest note that the API server takes, bytes.
const NOTE_LIMIT: usize = 1000;

/// Something worth telling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Whether a person should look.
    pub warning: bool,
    /// CamelCase.
    pub reason: String,
    /// What was being done, CamelCase.
    pub action: &'static str,
    /// For a person.
    #[allow(clippy::struct_field_names)] // the word of events.k8s.io
    pub note: String,
}

impl Note {
    /// Good news.
    pub fn normal(reason: impl Display, action: &'static str, note: impl Into<String>) -> Self {
        Self { warning: false, reason: reason.to_string(), action, note: note.into() }
    }

    /// Bad news.
    pub fn warning(reason: impl Display, action: &'static str, note: impl Into<String>) -> Self {
        Self { warning: true, reason: reason.to_string(), action, note: note.into() }
    }
}

/// The note that a change of `Ready` is worth: when it becomes true, or false for a new reason. Unknown is no
/// news.
pub fn of_ready(old: &[Condition], new: &[Condition], action: &'static str) -> Option<Note> {
    let new = find(new, condition::READY)?;
    let old = find(old, condition::READY);
    let same = old.is_some_and(|old| (&old.status, &old.reason) == (&new.status, &new.reason));
    match new.status.as_str() {
        _ if same => None,
        "True" => Some(Note::normal(&new.reason, action, &*new.message)),
        "False" => Some(Note::warning(&new.reason, action, &*new.message)),
        _ => None,
    }
}

/// Publishes notes.
#[derive(Clone)]
pub struct Events {
    recorder: Recorder,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    /// As `instance`, the pod.
    pub fn new(client: Client, instance: String) -> Self {
        let reporter = Reporter { controller: "orgkeep".to_owned(), instance: Some(instance) };
        Self { recorder: Recorder::new(client, reporter) }
    }

    /// Tells; a failure is logged and changes nothing else.
    pub async fn publish(&self, object: &ObjectReference, note: &Note) {
        let event = Event {
            type_: if note.warning { EventType::Warning } else { EventType::Normal },
            reason: cut_to(&note.reason, 128).to_owned(),
            note: Some(cut_to(&note.note, NOTE_LIMIT).to_owned()),
            action: note.action.to_owned(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, object).await {
            tracing::warn!(%error, reason = note.reason, "an event was not published");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::conditions::{ConditionSet, State};
    use jiff::Timestamp;

    fn ready(state: State, reason: &str) -> Vec<Condition> {
        let mut set = ConditionSet::new(&[], Some(1), Timestamp::UNIX_EPOCH);
        set.set(condition::READY, state, reason, "m");
        set.finish()
    }

    #[test]
    fn only_news_is_told() {
        let good = ready(State::True, "Connected");
        let bad = ready(State::False, "OrgUnreachable");
        assert!(!of_ready(&[], &good, "Probe").unwrap().warning);
        assert_eq!(of_ready(&good, &good, "Probe"), None);
        assert!(of_ready(&good, &bad, "Probe").unwrap().warning);
        assert!(of_ready(&bad, &ready(State::False, "AuthenticationFailed"), "Probe").is_some());
        assert_eq!(of_ready(&good, &ready(State::Unknown, "Pending"), "Probe"), None);
    }
}
