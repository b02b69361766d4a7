//! Access tokens, each the session of one user in one org, and refresh tokens.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom as _, SystemRandom};

/// Letters of a token; 64, so that a random byte picks evenly.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";

/// Who calls: an org and one of its users, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) org: usize,
    pub(crate) user: usize,
}

/// What a refresh token stands for.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) caller: Caller,
    pub(crate) client_id: String,
}

#[derive(Debug)]
struct Session {
    caller: Caller,
    life: Duration,
    used: Instant,
}

/// All sessions of all orgs.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    live: Mutex<HashMap<String, Session>>,
    refresh: Mutex<HashMap<String, Grant>>,
}

impl Sessions {
    /// Opens a session; the answer is its token.
    pub(crate) fn open(&self, caller: Caller, org_id: &str, life: Duration) -> String {
        let short = org_id.get(..15).unwrap_or(org_id);
        let token = format!("{short}!{}", random(96));
        let session = Session { caller, life, used: Instant::now() };
        self.live.lock().unwrap_or_else(PoisonError::into_inner).insert(token.clone(), session);
        token
    }

    /// Whose session it is, if it lives; a use makes it live on.
    pub(crate) fn caller(&self, token: &str) -> Option<Caller> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let session = live.get_mut(token)?;
        if session.used.elapsed() >= session.life {
            live.remove(token);
            return None;
        }
        session.used = Instant::now();
        Some(session.caller)
    }

    /// Ends every session of an org, as an administrator can.
    pub(crate) fn end_all(&self) {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Who is signed in: how many sessions live.
    pub(crate) fn count(&self) -> usize {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.values().filter(|session| session.used.elapsed() < session.life).count()
    }

    /// Gives out a refresh token.
    pub(crate) fn grant(&self, grant: Grant) -> String {
        let token = format!("5Aep861{}", random(80));
        self.refresh.lock().unwrap_or_else(PoisonError::into_inner).insert(token.clone(), grant);
        token
    }

    /// What a refresh token stands for.
    pub(crate) fn granted(&self, token: &str) -> Option<Grant> {
        self.refresh.lock().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }

    /// Revokes an access or a refresh token; whether there was one.
    pub(crate) fn revoke(&self, token: &str) -> bool {
        let session = self.live.lock().unwrap_or_else(PoisonError::into_inner).remove(token).is_some();
        let grant = self.refresh.lock().unwrap_or_else(PoisonError::into_inner).remove(token).is_some();
        session || grant
    }
}

/// Random letters.
fn random(length: usize) -> String {
    let mut bytes = vec![0_u8; length];
    // without randomness a token would be guessable, which on a simulator is no harm
    let _ = SystemRandom::new().fill(&mut bytes);
    bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 64)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLER: Caller = Caller { org: 0, user: 0 };

    #[test]
    fn sessions_end_by_age_and_by_revocation() {
        let sessions = Sessions::default();
        let dead = sessions.open(CALLER, "00D5g0000000001AAA", Duration::ZERO);
        assert_eq!(sessions.caller(&dead), None);
        let live = sessions.open(CALLER, "00D5g0000000001AAA", Duration::from_mins(1));
        assert_eq!(sessions.caller(&live), Some(CALLER));
        assert!(live.starts_with("00D5g0000000001!"));
        assert!(sessions.revoke(&live) && !sessions.revoke(&live));
        assert_eq!(sessions.caller(&live), None);
    }
}
