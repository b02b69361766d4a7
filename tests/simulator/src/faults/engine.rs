//! Which fault fires at a call. What fires depends on the plan and on the order of the matching calls only.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::plan::{Action, Fault, FaultPlan, Match};

/// The faults of a running simulator.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Whether there are any: without, a call costs nothing here.
    any: AtomicBool,
    loaded: Mutex<Loaded>,
}

#[derive(Debug, Default)]
struct Loaded {
    seed: u64,
    rules: Vec<Rule>,
    /// Counts the plans, so that a call that began under an old one is not counted under the new.
    generation: u64,
}

#[derive(Debug)]
struct Rule {
    fault: Fault,
    action: Arc<Action>,
    seen: u64,
    fired: u64,
}

/// How often a fault fired.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultCount {
    /// Calls that matched.
    pub seen: u64,
    /// At how many of them it fired.
    pub fired: u64,
    /// The fault.
    #[serde(flatten)]
    pub fault: Fault,
}

/// What is known of a call before it is carried out.
pub(crate) struct Seen<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    /// Decoded names and values of the query string.
    pub(crate) query: &'a [(String, String)],
    pub(crate) resource: &'a str,
    /// Id and name.
    pub(crate) org: Option<(&'a str, &'a str)>,
    pub(crate) headers: &'a http::HeaderMap,
    pub(crate) body: &'a [u8],
}

/// A fault that fires at this call.
#[derive(Clone, Debug)]
pub(crate) struct Firing {
    pub(crate) action: Arc<Action>,
    /// For the request log: name or number of the fault, the number of the call, and what it does.
    pub(crate) told: String,
    /// What `rows` is drawn from: another number for each call.
    pub(crate) seed: u64,
    rule: usize,
    generation: u64,
}

impl Faults {
    /// Puts a plan in place of the one before; counts begin anew.
    pub(crate) fn set(&self, plan: FaultPlan) {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let rule = |fault: Fault| Rule { action: Arc::new(fault.r#do.clone()), fault, seen: 0, fired: 0 };
        let generation = loaded.generation + 1;
        *loaded = Loaded { seed: plan.seed, rules: plan.faults.into_iter().map(rule).collect(), generation };
        self.any.store(!loaded.rules.is_empty(), Ordering::Release);
    }

    /// The faults and how often each fired, with the seed.
    pub(crate) fn counts(&self) -> (u64, Vec<FaultCount>) {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let count =
            |rule: &Rule| FaultCount { seen: rule.seen, fired: rule.fired, fault: rule.fault.clone() };
        (loaded.seed, loaded.rules.iter().map(count).collect())
    }

    /// Whether there is a plan at all.
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Counts a call, and tells which fault fires at it.
    pub(crate) fn check(&self, call: &Seen<'_>) -> Option<Firing> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let (seed, generation) = (loaded.seed, loaded.generation);
        let mut firing = None;
        for (number, rule) in loaded.rules.iter_mut().enumerate() {
            if !matches(&rule.fault.r#match, call) {
                continue;
            }
            rule.seen += 1;
            if firing.is_none() && fires(&rule.fault, seed, number, rule.seen, rule.fired) {
                rule.fired += 1;
                let name = rule.fault.name.clone().unwrap_or_else(|| format!("#{number}"));
                let done = serde_json::to_string(&*rule.action).unwrap_or_default();
                let told = format!("{name} at {}: {done}", rule.seen);
                let seed = mixed(seed, number as u64, rule.seen);
                firing = Some(Firing { action: rule.action.clone(), told, seed, rule: number, generation });
            }
        }
        firing
    }

    /// Takes a firing back that had nothing to act on.
    pub(crate) fn take_back(&self, firing: &Firing) {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.generation == firing.generation
            && let Some(rule) = loaded.rules.get_mut(firing.rule)
        {
            rule.fired = rule.fired.saturating_sub(1);
        }
    }
}

fn fires(fault: &Fault, seed: u64, number: usize, call: u64, fired: u64) -> bool {
    if fault.from.is_some_and(|from| call < from)
        || fault.until.is_some_and(|until| call > until)
        || fault.most.is_some_and(|most| fired >= most)
    {
        return false;
    }
    match (&fault.n, fault.every, fault.chance) {
        (Some(n), ..) => n.has(call),
        (_, Some(every), _) => call.is_multiple_of(every),
        (_, _, Some(chance)) => drawn(seed, number as u64, call) < chance,
        _ => true,
    }
}

/// A number from 0 to below 1, by seed, fault and call (splitmix64).
pub(super) fn drawn(seed: u64, number: u64, call: u64) -> f64 {
    // 53 bits are what a double holds
    (mixed(seed, number, call) >> 11) as f64 / (1_u64 << 53) as f64
}

fn mixed(seed: u64, number: u64, call: u64) -> u64 {
    let mut z = seed ^ number.wrapping_mul(0xD1B5_4A32_D192_ED03) ^ call.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn matches(wanted: &Match, call: &Seen<'_>) -> bool {
    let holds = |text: &Option<String>, test: &dyn Fn(&str) -> bool| text.as_deref().is_none_or(test);
    holds(&wanted.method, &|method| method.eq_ignore_ascii_case(call.method))
        && holds(&wanted.path, &|pattern| glob(pattern, call.path))
        && holds(&wanted.resource, &|pattern| glob(pattern, call.resource))
        && holds(&wanted.org, &|org| call.org.is_some_and(|(id, name)| org == id || org == name))
        && holds(&wanted.query, &|text| call.query.iter().any(|(_, value)| contains(value.as_bytes(), text)))
        && holds(&wanted.body, &|text| contains(call.body, text))
        && headers_match(&wanted.header, call.headers)
}

fn headers_match(wanted: &BTreeMap<String, String>, headers: &http::HeaderMap) -> bool {
    wanted.iter().all(|(name, pattern)| {
        headers
            .get_all(name.as_str())
            .iter()
            .any(|value| value.to_str().is_ok_and(|value| glob(pattern, value)))
    })
}

pub(super) fn contains(bytes: &[u8], text: &str) -> bool {
    let text = text.as_bytes();
    text.is_empty() || bytes.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text))
}

/// `*` any characters but `/`, `**` any characters, `?` one.
fn glob(pattern: &str, text: &str) -> bool {
    fn at(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', b'*', rest @ ..] => (0..=text.len()).any(|skip| at(rest, &text[skip..])),
            [b'*', rest @ ..] => {
                let most = text.iter().position(|byte| *byte == b'/').unwrap_or(text.len());
                (0..=most).any(|skip| at(rest, &text[skip..]))
            }
            [b'?', rest @ ..] => !text.is_empty() && at(rest, &text[1..]),
            [byte, rest @ ..] => text.first() == Some(byte) && at(rest, &text[1..]),
        }
    }
    at(pattern.as_bytes(), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call<'a>(headers: &'a http::HeaderMap, path: &'a str) -> Seen<'a> {
        let org = Some(("00D5g0000000001AAA", "Acme"));
        Seen { method: "GET", path, query: &[], resource: "BulkResults", org, headers, body: b"Hello" }
    }

    fn fired(plan: &str, calls: usize) -> Vec<usize> {
        let faults = Faults::default();
        faults.set(FaultPlan::from_yaml(plan).unwrap());
        let headers = http::HeaderMap::new();
        let path = "/services/data/v62.0/jobs/query/750A/results";
        (1..=calls).filter(|_| faults.check(&call(&headers, path)).is_some()).collect()
    }

    #[test]
    fn patterns() {
        for (pattern, text, holds) in [
            ("/services/data/*/jobs/query/*/results", "/services/data/v62.0/jobs/query/750A/results", true),
            ("/services/data/*/results", "/services/data/v62.0/jobs/query/750A/results", false),
            ("/services/**/results", "/services/data/v62.0/jobs/query/750A/results", true),
            ("Bulk*", "BulkCreate", true),
            ("Quer?", "Query", true),
            ("Quer?", "Quer", false),
            ("**", "", true),
        ] {
            assert_eq!(glob(pattern, text), holds, "{pattern} {text}");
        }
    }

    #[test]
    fn fires_at_the_calls_that_are_named() {
        let at = |when: &str| fired(&format!("faults: [{{{when}, do: {{status: 503}}}}]"), 10);
        assert_eq!(at("n: 3"), [3]);
        assert_eq!(at("n: [2, 9]"), [2, 9]);
        assert_eq!(at("every: 4"), [4, 8]);
        assert_eq!(at("every: 2, from: 3, until: 7"), [4, 6]);
        assert_eq!(at("from: 2, most: 2"), [2, 3]);
        assert_eq!(at("chance: 0"), [] as [usize; 0]);
        assert_eq!(at("chance: 1").len(), 10);
        let drawn = fired("seed: 7\nfaults: [{chance: 0.3, do: {status: 503}}]", 1000);
        assert!((200..400).contains(&drawn.len()), "{}", drawn.len());
        assert_eq!(drawn, fired("seed: 7\nfaults: [{chance: 0.3, do: {status: 503}}]", 1000));
        assert_ne!(drawn, fired("seed: 8\nfaults: [{chance: 0.3, do: {status: 503}}]", 1000));
    }

    #[test]
    fn the_first_match_wins_and_all_count() {
        let faults = Faults::default();
        let plan = "faults: [{n: 2, do: {status: 500}}, {match: {org: Acme, body: hELLO}, every: 2, do: {status: 503}}, \
                    {match: {method: POST}, do: {html: true}}]";
        faults.set(FaultPlan::from_yaml(plan).unwrap());
        let headers = http::HeaderMap::new();
        let mut statuses = Vec::new();
        for _ in 0..4 {
            statuses.push(faults.check(&call(&headers, "/")).and_then(|firing| firing.action.status));
        }
        assert_eq!(statuses, [None, Some(500), None, Some(503)]);
        let counts: Vec<(u64, u64)> =
            faults.counts().1.iter().map(|count| (count.seen, count.fired)).collect();
        assert_eq!(counts, [(4, 1), (4, 1), (0, 0)]);
    }

    #[test]
    fn plans_that_make_no_sense_are_refused_by_number() {
        for (plan, words) in [
            ("faults: [{do: {}}]", "fault 0: `do` says nothing"),
            ("faults: [{do: {status: 503}}, {do: {statsu: 503}}]", "fault 1: unknown field `statsu`"),
            ("faults: [{n: 0, do: {status: 503}}]", "counted from 1"),
            ("faults: [{n: 1, every: 2, do: {status: 503}}]", "one of `n`, `every` and `chance`"),
            ("faults: [{do: {close: before, status: 503}}]", "closed connection"),
            ("faults: [{do: {job: explode}}]", "unknown variant `explode`"),
            ("fault: []", "unknown field `fault`"),
        ] {
            let error = FaultPlan::from_yaml(plan).unwrap_err().to_string();
            assert!(error.contains(words), "{plan}: {error}");
        }
        let plan = FaultPlan::from_yaml("faults: [{do: {job: {fail: Too bad}}}, {do: {job: hang}}]").unwrap();
        assert_eq!(plan.faults.len(), 2);
        assert!(FaultPlan::from_yaml("").unwrap().faults.is_empty());
    }
}
