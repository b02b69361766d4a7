//! Sessions: each access token is one of a user in an org. They end by age, by revocation, or by an administrator.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value as Json, json};

use super::device::Devices;
use super::grants::{Family, Grants};
use crate::clock::Clock;
use crate::org::ConnectedApp;
use crate::server::OrgState;
use crate::value::calendar::rest_datetime;

/// Letters of a token; 64, so that a random byte picks evenly.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";

/// Sessions that ended by age are forgotten each time so many more were opened.
const FORGET_EVERY: u64 = 1_000;

/// Who calls: an org, one of its users, and one of its connected apps (none for SOAP login), by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) org: usize,
    pub(crate) user: usize,
    pub(crate) app: Option<usize>,
}

#[derive(Debug)]
struct Session {
    /// What an administrator sees of it instead of the token.
    number: u64,
    caller: Caller,
    /// The refresh token's family that it came of, and ends with.
    family: Option<Family>,
    life_ms: i64,
    opened_ms: i64,
    used_ms: i64,
}

impl Session {
    fn ended(&self, now: i64) -> bool {
        now - self.used_ms >= self.life_ms
    }
}

/// All sessions of all orgs, with what else was given out.
#[derive(Debug)]
pub(crate) struct Sessions {
    clock: Arc<Clock>,
    live: Mutex<Live>,
    pub(super) grants: Grants,
    pub(super) devices: Devices,
}

#[derive(Debug, Default)]
struct Live {
    opened: u64,
    by_token: HashMap<String, Session>,
}

impl Sessions {
    /// Nobody is signed in.
    pub(crate) fn new(clock: Arc<Clock>) -> Self {
        let (grants, devices) = (Grants::new(clock.clone()), Devices::new(clock.clone()));
        Self { clock, live: Mutex::default(), grants, devices }
    }

    /// Opens a session, or, in an org that does so, goes on with one that lives; the answer is its token.
    pub(crate) fn open(&self, org: &OrgState, caller: Caller, family: Option<Family>) -> String {
        if org.org.settings.reuse_sessions
            && let Some(token) = self.alive(caller, family)
        {
            return token;
        }
        self.open_for(org.org.id(), org.org.settings.session_ms(), caller, family)
    }

    fn alive(&self, caller: Caller, family: Option<Family>) -> Option<String> {
        let now = self.clock.now_ms();
        let same =
            |session: &Session| session.caller == caller && session.family == family && !session.ended(now);
        self.with(|live| {
            let found = live.by_token.iter().find(|(_, session)| same(session));
            found.map(|(token, _)| token.clone())
        })
    }

    fn open_for(&self, org_id: &str, life_ms: i64, caller: Caller, family: Option<Family>) -> String {
        let token = format!("{}!AQ{}", org_id.get(..15).unwrap_or(org_id), random(94));
        let now = self.clock.now_ms();
        self.with(|live| {
            live.opened += 1;
            if live.opened.is_multiple_of(FORGET_EVERY) {
                live.by_token.retain(|_, session| !session.ended(now));
            }
            let number = live.opened;
            let session = Session { number, caller, family, life_ms, opened_ms: now, used_ms: now };
            live.by_token.insert(token.clone(), session);
        });
        token
    }

    /// Whose session it is, if it lives. A use makes it live on, but only in the second half of its life: before, the
    /// time of the last use is not written down (help page "Session Settings").
    pub(crate) fn caller(&self, token: &str) -> Option<Caller> {
        let now = self.clock.now_ms();
        self.with(|live| {
            let session = live.by_token.get_mut(token)?;
            if session.ended(now) {
                live.by_token.remove(token);
                return None;
            }
            if now - session.used_ms >= session.life_ms / 2 {
                session.used_ms = now;
            }
            Some(session.caller)
        })
    }

    /// Ends every session, as administrators can.
    pub(crate) fn end_all(&self) {
        self.end(|_, _| true);
    }

    /// Ends the sessions of one user; how many there were.
    pub(crate) fn end_user(&self, org: usize, user: usize) -> usize {
        self.end(|_, caller| (caller.org, caller.user) == (org, user))
    }

    /// Ends one session by its number; whether there was one.
    pub(crate) fn end_number(&self, number: u64) -> bool {
        self.end(|known, _| known == number) > 0
    }

    fn end(&self, ends: impl Fn(u64, Caller) -> bool) -> usize {
        self.with(|live| {
            let before = live.by_token.len();
            live.by_token.retain(|_, session| !ends(session.number, session.caller));
            before - live.by_token.len()
        })
    }

    /// How many sessions live.
    pub(crate) fn count(&self) -> usize {
        let now = self.clock.now_ms();
        self.with(|live| live.by_token.values().filter(|session| !session.ended(now)).count())
    }

    /// Revokes an access token, or a refresh token with all access tokens that came of it.
    pub(crate) fn revoke(&self, token: &str) -> bool {
        if self.with(|live| live.by_token.remove(token)).is_some() {
            return true;
        }
        let Some(family) = self.grants.family(token) else { return false };
        self.end_family(family);
        true
    }

    /// Ends all that came of one approval: refresh tokens and access tokens.
    pub(crate) fn end_family(&self, family: Family) {
        self.grants.end(family);
        self.with(|live| live.by_token.retain(|_, session| session.family != Some(family)));
    }

    /// Who is signed in, for an administrator's eyes: no tokens.
    pub(crate) fn to_json(&self, orgs: &[Arc<OrgState>]) -> Json {
        let now = self.clock.now_ms();
        let entry = |session: &Session| {
            let org = orgs.get(session.caller.org)?;
            let app = session.caller.app.and_then(|app| org.org.settings.connected_apps.get(app));
            Some(json!({
                "id": session.number,
                "org": org.org.id(),
                "user": org.users.get(session.caller.user)?.username,
                "app": app.map(ConnectedApp::label),
                "opened": rest_datetime(session.opened_ms),
                "secondsLeft": (session.used_ms + session.life_ms - now) / 1_000,
            }))
        };
        self.with(|live| {
            let mut sessions: Vec<&Session> = live.by_token.values().filter(|s| !s.ended(now)).collect();
            sessions.sort_unstable_by_key(|session| session.number);
            sessions.into_iter().filter_map(entry).collect()
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Live) -> T) -> T {
        work(&mut self.live.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Random letters.
pub(super) fn random(length: usize) -> String {
    let mut bytes = vec![0_u8; length];
    // without randomness a token would be guessable, which on a simulator is no harm
    let _ = SystemRandom::new().fill(&mut bytes);
    bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 64)])).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const CALLER: Caller = Caller { org: 0, user: 0, app: None };
    const ORG: &str = "00D5g0000000001AAA";

    #[test]
    fn sessions_end_by_age_and_by_revocation() {
        let clock = Arc::new(Clock::still());
        let sessions = Sessions::new(clock.clone());
        let dead = sessions.open_for(ORG, 0, CALLER, None);
        assert_eq!(sessions.caller(&dead), None);
        let live = sessions.open_for(ORG, 60_000, CALLER, None);
        assert_eq!(sessions.caller(&live), Some(CALLER));
        assert!(live.starts_with("00D5g0000000001!"));
        assert!(sessions.revoke(&live) && !sessions.revoke(&live));
        assert_eq!(sessions.caller(&live), None);
    }

    #[test]
    fn a_use_in_the_second_half_makes_it_live_on() {
        let clock = Arc::new(Clock::still());
        let sessions = Sessions::new(clock.clone());
        let [early, late] = [(); 2].map(|()| sessions.open_for(ORG, 600_000, CALLER, None));
        clock.advance(Duration::from_mins(4));
        assert!(sessions.caller(&early).is_some());
        clock.advance(Duration::from_mins(4));
        assert!(sessions.caller(&late).is_some());
        clock.advance(Duration::from_mins(3));
        assert_eq!((sessions.caller(&early), sessions.caller(&late)), (None, Some(CALLER)));
        clock.advance(Duration::from_mins(10));
        assert_eq!((sessions.caller(&late), sessions.count()), (None, 0));
    }

    /// What happens to sessions, and what then must be true of them.
    #[derive(Clone, Debug)]
    enum Step {
        Open { user: usize, of: Option<Family>, minutes: i64 },
        Use(usize),
        Wait(u64),
        Revoke(usize),
        EndFamily(Family),
        EndUser(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step =
            prop_oneof![
                (0usize..3, proptest::option::of(1u64..3), 1i64..90)
                    .prop_map(|(user, of, minutes)| Step::Open { user, of, minutes }),
                (0usize..20).prop_map(Step::Use),
                (0u64..40).prop_map(Step::Wait),
                (0usize..20).prop_map(Step::Revoke),
                (1u64..3).prop_map(Step::EndFamily),
                (0usize..3).prop_map(Step::EndUser),
            ];
        proptest::collection::vec(step, 1..80)
    }

    proptest! {
        #[test]
        fn a_token_is_its_own_user_s_as_long_as_it_lives_and_never_again(steps in steps()) {
            let clock = Arc::new(Clock::still());
            let sessions = Sessions::new(clock.clone());
            // token, user, family, life and last use in milliseconds, whether it lives
            let mut all: Vec<(String, usize, Option<Family>, i64, i64, bool)> = Vec::new();
            for step in steps {
                let now = clock.now_ms();
                match step {
                    Step::Open { user, of, minutes } => {
                        let caller = Caller { org: 0, user, app: None };
                        let token = sessions.open_for(ORG, minutes * 60_000, caller, of);
                        prop_assert!(all.iter().all(|(known, ..)| *known != token));
                        all.push((token, user, of, minutes * 60_000, now, true));
                    }
                    Step::Use(at) => {
                        let Some((token, user, _, life, used, lives)) = all.get_mut(at) else { continue };
                        *lives &= now - *used < *life;
                        let expected = lives.then_some(Caller { org: 0, user: *user, app: None });
                        prop_assert_eq!(sessions.caller(token), expected);
                        if *lives && now - *used >= *life / 2 {
                            *used = now;
                        }
                    }
                    Step::Wait(minutes) => clock.advance(Duration::from_mins(minutes)),
                    Step::Revoke(at) => {
                        let Some((token, .., lives)) = all.get_mut(at) else { continue };
                        sessions.revoke(token);
                        *lives = false;
                    }
                    Step::EndFamily(family) => {
                        sessions.end_family(family);
                        all.iter_mut().filter(|entry| entry.2 == Some(family)).for_each(|entry| entry.5 = false);
                    }
                    Step::EndUser(user) => {
                        sessions.end_user(0, user);
                        all.iter_mut().filter(|entry| entry.1 == user).for_each(|entry| entry.5 = false);
                    }
                }
                let now = clock.now_ms();
                let alive = all.iter().filter(|(.., life, used, lives)| *lives && now - used < *life).count();
                prop_assert_eq!(sessions.count(), alive);
            }
        }
    }
}
