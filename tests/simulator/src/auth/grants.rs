//! What stands for an approval of an app by a user: authorization codes, which live a quarter of an hour and once, and
//! refresh tokens, of which a user has at most five in an app.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use super::sessions::{Caller, random};
use crate::clock::Clock;

/// How long an authorization code lives (salesforce-api.md, 1).
const CODE_LIFE_MS: i64 = 15 * 60 * 1_000;

/// Approvals of an app by one user; with one more the oldest ends, as integrations that share a user find out.
const MOST_APPROVALS: usize = 5;

/// The number of an approval: a refresh token keeps it when it rotates.
pub(crate) type Family = u64;

/// What an authorization code stands for.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) caller: Caller,
    pub(super) redirect_uri: String,
    pub(super) challenge: Option<String>,
    pub(super) scopes: Vec<String>,
}

/// What a refresh token stands for.
#[derive(Clone, Debug)]
pub(super) struct Refresh {
    pub(super) caller: Caller,
    pub(super) scopes: Vec<String>,
    pub(super) family: Family,
    /// Another was given out in its place.
    pub(super) rotated: bool,
    /// When it was given out, in milliseconds since 1970.
    given_ms: i64,
}

/// Why a code is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CodeError {
    Unknown,
    /// Too old, or used before.
    Expired,
}

/// All codes and refresh tokens.
#[derive(Debug)]
pub(crate) struct Grants {
    clock: Arc<Clock>,
    given: Mutex<Given>,
}

#[derive(Debug, Default)]
struct Given {
    families: Family,
    /// With the time of its end; a used one stays without what it stood for.
    codes: HashMap<String, (i64, Option<Code>)>,
    refresh: HashMap<String, Refresh>,
}

impl Grants {
    pub(super) fn new(clock: Arc<Clock>) -> Self {
        Self { clock, given: Mutex::default() }
    }

    /// Gives out a code.
    pub(super) fn code(&self, code: Code) -> String {
        let text = format!("aPrx{}==", random(74));
        let end = self.clock.now_ms().saturating_add(CODE_LIFE_MS);
        self.with(|given| given.codes.insert(text.clone(), (end, Some(code))));
        text
    }

    /// Takes a code: from now on it is used, whatever comes of it.
    pub(super) fn take_code(&self, text: &str) -> Result<Code, CodeError> {
        let now = self.clock.now_ms();
        self.with(|given| {
            let (end, code) = given.codes.get_mut(text).ok_or(CodeError::Unknown)?;
            code.take().filter(|_| now < *end).ok_or(CodeError::Expired)
        })
    }

    /// A new approval: its first refresh token, its number, and the one that ends for it.
    pub(super) fn approve(&self, caller: Caller, scopes: Vec<String>) -> (String, Family, Option<Family>) {
        let text = refresh_token();
        let given_ms = self.clock.now_ms();
        let (family, ends) = self.with(|given| {
            given.families += 1;
            let family = given.families;
            let refresh = Refresh { caller, scopes, family, rotated: false, given_ms };
            given.refresh.insert(text.clone(), refresh);
            let own = given.refresh.values().filter(|token| token.caller == caller);
            let families: BTreeSet<Family> = own.map(|token| token.family).collect();
            let ends = families.first().copied().filter(|_| families.len() > MOST_APPROVALS);
            (family, ends)
        });
        (text, family, ends)
    }

    /// What a refresh token stands for.
    pub(super) fn refresh(&self, text: &str) -> Option<Refresh> {
        self.with(|given| given.refresh.get(text).cloned())
    }

    /// Whether a refresh token is older than so many hours.
    pub(super) fn is_older(&self, token: &Refresh, hours: f64) -> bool {
        (self.clock.now_ms() - token.given_ms) as f64 >= hours * 3_600_000.0
    }

    /// Another refresh token in place of one, which is dead from now on. Of two that rotate the same one at once only
    /// one gets another.
    pub(super) fn rotate(&self, text: &str) -> Option<String> {
        let new = refresh_token();
        let given_ms = self.clock.now_ms();
        self.with(|given| {
            let old = given.refresh.get_mut(text).filter(|old| !old.rotated)?;
            old.rotated = true;
            let next = Refresh { rotated: false, given_ms, ..old.clone() };
            given.refresh.insert(new.clone(), next);
            Some(new)
        })
    }

    /// The approval of a refresh token that lives.
    pub(super) fn family(&self, text: &str) -> Option<Family> {
        self.with(|given| given.refresh.get(text).filter(|token| !token.rotated).map(|token| token.family))
    }

    /// Ends an approval.
    pub(super) fn end(&self, family: Family) {
        self.with(|given| given.refresh.retain(|_, token| token.family != family));
    }

    /// Whether a user approved an app.
    pub(super) fn approved(&self, caller: Caller) -> bool {
        self.with(|given| given.refresh.values().any(|token| token.caller == caller))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Given) -> T) -> T {
        work(&mut self.given.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn refresh_token() -> String {
    format!("5Aep861{}", random(80))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const CALLER: Caller = Caller { org: 0, user: 1, app: Some(2) };

    #[test]
    fn codes_live_once_and_a_quarter_of_an_hour() {
        let clock = Arc::new(Clock::still());
        let grants = Grants::new(clock.clone());
        let code = || Code { caller: CALLER, redirect_uri: String::new(), challenge: None, scopes: vec![] };
        let used = grants.code(code());
        assert!(grants.take_code(&used).is_ok());
        assert_eq!(grants.take_code(&used).err(), Some(CodeError::Expired));
        let late = grants.code(code());
        clock.advance(Duration::from_mins(15));
        assert_eq!(grants.take_code(&late).err(), Some(CodeError::Expired));
        assert_eq!(grants.take_code("aPrx").err(), Some(CodeError::Unknown));
    }

    #[test]
    fn a_rotated_token_is_dead_and_its_family_ends_together() {
        let grants = Grants::new(Arc::default());
        let (first, family, _) = grants.approve(CALLER, vec![]);
        let second = grants.rotate(&first).unwrap();
        assert_eq!(grants.rotate(&first), None);
        assert_eq!((grants.family(&first), grants.family(&second)), (None, Some(family)));
        assert!(grants.approved(CALLER));
        grants.end(family);
        assert!(!grants.approved(CALLER) && grants.refresh(&second).is_none());
    }

    #[test]
    fn a_sixth_approval_ends_the_first() {
        let grants = Grants::new(Arc::new(Clock::still()));
        let five: Vec<Family> = (0..5).map(|_| grants.approve(CALLER, vec![]).1).collect();
        let another = Caller { user: 2, ..CALLER };
        assert_eq!(grants.approve(another, vec![]).2, None);
        assert_eq!(grants.approve(CALLER, vec![]).2, Some(five[0]));
    }
}
