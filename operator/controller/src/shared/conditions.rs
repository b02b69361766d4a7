//! Conditions as `metav1.Condition` and kstatus want them.

use jiff::Timestamp;
use orgkeep_api::common::{Condition, Time, condition};
use orgkeep_core::run::cut_to;
use std::fmt::Display;

use super::time::whole;

/// The longest message of a condition, bytes.
pub const MESSAGE_LIMIT: usize = 1024;

/// What a condition says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Yes.
    True,
    /// No.
    False,
    /// Not known yet.
    Unknown,
}

impl State {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// Builds the conditions of a status from those that it had. What is not set or kept is gone afterwards, which
/// is how `Reconciling` and `Stalled` are there only while true.
#[derive(Debug)]
pub struct ConditionSet<'a> {
    old: &'a [Condition],
    new: Vec<Condition>,
    generation: Option<i64>,
    now: Timestamp,
}

impl<'a> ConditionSet<'a> {
    /// Begins without any; `old` tells when each last changed.
    pub fn new(old: &'a [Condition], generation: Option<i64>, now: Timestamp) -> Self {
        Self { old, new: Vec::new(), generation, now }
    }

    /// Sets one; `lastTransitionTime` moves only when the state does.
    pub fn set(&mut self, type_: &str, state: State, reason: impl Display, message: &str) {
        let since = find(self.old, type_)
            .filter(|old| old.status == state.as_str())
            .map_or_else(|| Time(whole(self.now)), |old| old.last_transition_time.clone());
        let condition = Condition {
            type_: type_.to_owned(),
            status: state.as_str().to_owned(),
            reason: reason.to_string(),
            message: cut_to(message, MESSAGE_LIMIT).to_owned(),
            observed_generation: self.generation,
            last_transition_time: since,
        };
        self.new.retain(|other| other.type_ != type_);
        self.new.push(condition);
    }

    /// Keeps one as it was, if it was there.
    pub fn keep(&mut self, type_: &str) {
        if let Some(old) = find(self.old, type_) {
            self.new.retain(|other| other.type_ != type_);
            self.new.push(old.clone());
        }
    }

    /// Work is under way.
    pub fn reconciling(&mut self, reason: impl Display, message: &str) {
        self.set(condition::RECONCILING, State::True, reason, message);
    }

    /// It cannot go on without a person.
    pub fn stalled(&mut self, reason: impl Display, message: &str) {
        self.set(condition::STALLED, State::True, reason, message);
    }

    /// The conditions, in an order that stays: `Ready` first, the others by name.
    pub fn finish(mut self) -> Vec<Condition> {
        self.new.sort_by(|a, b| {
            let key = |condition: &Condition| (condition.type_ != condition::READY, condition.type_.clone());
            key(a).cmp(&key(b))
        });
        self.new
    }
}

/// The condition of a type.
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether the condition of a type is `True`.
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    find(conditions, type_).is_some_and(|condition| condition.status == State::True.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_transition_time_moves_only_when_the_state_does() {
        let mut first = ConditionSet::new(&[], Some(1), at(10));
        first.set("Ready", State::True, "Connected", "a");
        first.reconciling("Running", "b");
        let first = first.finish();
        let mut second = ConditionSet::new(&first, Some(2), at(20));
        second.set("Ready", State::True, "Available", "c");
        let second = second.finish();
        assert_eq!(second.len(), 1, "Reconciling is gone when it is not said again");
        assert_eq!(second[0].last_transition_time.0, at(10));
        assert_eq!((second[0].reason.as_str(), second[0].observed_generation), ("Available", Some(2)));
        let mut third = ConditionSet::new(&second, Some(2), at(30));
        third.set("Ready", State::False, "OrgUnreachable", "d");
        assert_eq!(third.finish()[0].last_transition_time.0, at(30));
    }

    #[test]
    fn what_is_kept_is_kept_whole_and_the_order_stays() {
        let mut first = ConditionSet::new(&[], Some(1), at(10));
        first.set("Connected", State::True, "Connected", "x");
        first.set("Ready", State::False, "Pending", "y");
        let first = first.finish();
        assert_eq!(first[0].type_, "Ready");
        let mut second = ConditionSet::new(&first, Some(5), at(20));
        second.keep("Connected");
        second.keep("Verified");
        assert_eq!(second.finish(), vec![first[1].clone()]);
    }

    #[test]
    fn messages_are_cut_at_a_character() {
        let mut set = ConditionSet::new(&[], None, at(0));
        set.set("Ready", State::Unknown, "Pending", &"ü".repeat(2000));
        assert_eq!(set.finish()[0].message.len(), MESSAGE_LIMIT);
    }
}
