//! Writers, readers, holds, rules that become shorter and longer, collections that die at any call, two at once, and
//! pods thought dead that commit late, in any order: nothing that stands is ever harmed, and nothing is left over.
//! Seeded; some seeds here, all with `ORGKEEP_FAULTS=all`, or one with `ORGKEEP_SEED`.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(non_snake_case)] // names bear the rows of the checklist

#[path = "support/faulty.rs"]
mod faulty;
#[path = "support/memory.rs"]
mod memory;
mod support;
#[path = "support/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use faulty::{FAULTS, Fault, Faulty};
use jiff::{SignedDuration, Timestamp};
use memory::{Gate, Memory};
use orgkeep_core::retention::Retention;
use orgkeep_vault::collect::{self, Options};
use orgkeep_vault::storage::Storage;
use orgkeep_vault::{Committed, Manifest, Result, Vault, verify};
use support::*;
use tokio::task::JoinHandle;
use world::*;

/// What a campaign did.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    steps: u32,
    committed: u32,
    retired: u32,
    restored: u32,
    swept: u32,
    freed: u32,
    killed: u32,
    pairs: u32,
    late_made: u32,
    late_refused: u32,
    reads: u32,
}

/// A pod whose commit is on its way.
struct Late {
    gate: Arc<Gate>,
    task: JoinHandle<Result<Committed>>,
}

struct Campaign {
    seed: u64,
    random: Random,
    storage: Memory,
    world: World,
    /// What each run means to leave, and what each snapshot must hold.
    meant: BTreeMap<String, Org>,
    expected: BTreeMap<u64, (Manifest, Org)>,
    held: BTreeMap<String, u64>,
    policy: Retention,
    now: Timestamp,
    late: Vec<Late>,
    counts: Counts,
    /// Files that a careless collection found to be nobody's a while ago.
    careless: Option<Vec<String>>,
}

impl Campaign {
    async fn new(seed: u64) -> Self {
        let storage = Memory::default();
        let world = World { trees: true, ..World::on(Arc::new(storage.clone())).await.unwrap() };
        Self {
            seed,
            random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            storage,
            world,
            meant: BTreeMap::new(),
            expected: BTreeMap::new(),
            held: BTreeMap::new(),
            policy: Retention::default(),
            now: Timestamp::now(),
            late: Vec::new(),
            counts: Counts::default(),
            careless: None,
        }
    }

    fn what(&self, what: &str) -> String {
        format!("seed {}, step {}: {what}", self.seed, self.counts.steps)
    }

    /// Whoever holds the lease is taken for dead from now on.
    fn expire(&self) {
        let path = format!("lines/{}/lease.json", self.world.line.id());
        let Some(bytes) = self.storage.peek(&path) else { return };
        let mut lease: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        if lease["released"] == false {
            lease["expiresAt"] = "1971-01-01T00:00:00Z".into();
            lease.as_object_mut().unwrap().shift_remove("check");
            self.storage.poke(&path, serde_json::to_vec(&lease).unwrap().into());
        }
    }

    /// The next run, by a process on that storage: what it does, to be awaited.
    fn writer(&mut self, storage: Memory) -> impl Future<Output = Result<Committed>> + Send + use<> {
        self.expire();
        let base = self.expected.last_key_value().map(|(_, (_, org))| org.clone());
        let full = base.is_none() || self.random.below(4) == 0;
        let mut org = base.unwrap_or_else(|| start(30).into_iter().collect());
        let mut day = Vec::new();
        for _ in 0..5 {
            let number = u32::try_from(self.random.below(40)).unwrap();
            let changed = record(&format!("s{}", self.counts.steps), number);
            if self.random.below(4) == 0 {
                org.remove(&number);
                day.push((number, None));
            } else {
                org.insert(number, changed.clone());
                day.push((number, Some(changed)));
            }
        }
        // One word for each record: the last.
        let day: BTreeMap<u32, Option<Record>> = day.into_iter().collect();
        self.world.runs += 1;
        let runs = self.world.runs - 1;
        self.meant.insert(format!("run-{}", self.world.runs), org.clone());
        let compacts = self.random.below(3) == 0;
        async move {
            let mut world = World::on(Arc::new(storage)).await?;
            (world.runs, world.trees) = (runs, true);
            if full {
                let records: Vec<(u32, Record)> = org.into_iter().collect();
                return world.try_full(&records, 20).await;
            }
            world.try_delta(&[day.into_iter().collect()], compacts.then(eager).as_ref()).await
        }
    }

    fn options(&mut self) -> Options {
        let policy = (self.random.below(5) > 0).then_some(self.policy);
        Options { policy, now: Some(self.now), ..Options::default() }
    }

    async fn collector(&mut self, storage: Memory) -> bool {
        self.expire();
        let options = self.options();
        let result = async {
            let vault = Vault::create_or_open(Arc::new(storage), &access()).await?;
            collect::collect(&vault, &options).await
        };
        match result.await {
            Ok(mut done) => {
                let line = done.lines.pop().unwrap();
                self.counts.retired += u32::try_from(line.retired.len()).unwrap();
                self.counts.restored += u32::try_from(line.restored.len()).unwrap();
                self.counts.swept += u32::try_from(line.swept.len()).unwrap();
                self.counts.freed += u32::try_from(line.freed.files).unwrap();
                line.blocked.is_none()
            }
            Err(_) => false,
        }
    }

    async fn step(&mut self) {
        self.counts.steps += 1;
        match self.random.below(14) {
            0..=3 => {
                let what = self.what("a run in peace");
                let made = self.writer(self.storage.clone()).await;
                made.unwrap_or_else(|error| panic!("{what}: {error}"));
            }
            4 => {
                let dying = self.storage.dying(i64::try_from(self.random.below(60)).unwrap());
                drop(self.writer(dying).await);
            }
            5 => {
                let (storage, gate) = self.storage.gated();
                let mut task = tokio::spawn(self.writer(storage));
                tokio::select! {
                    () = gate.reached.notified() => self.late.push(Late { gate, task }),
                    ended = &mut task => drop(ended.unwrap()),
                }
            }
            6 => self.wake().await,
            7 => {
                let keep = u32::try_from(self.random.below(5)).unwrap();
                self.policy = Retention { keep_last: (keep > 0).then_some(keep), ..Retention::default() };
            }
            8 => {
                let pick = self.random.below(self.expected.len().max(1) as u64) as usize;
                let name = format!("h{}", self.random.below(3));
                if let Some((&seq, _)) = self.expected.iter().nth(pick)
                    && self.world.line.add_hold(&name, "a case", &[seq]).await.is_ok()
                {
                    self.held.insert(name, seq);
                } else {
                    // refused: the hold may stand, of what is gone
                    self.world.line.remove_hold(&name).await.unwrap();
                    self.held.remove(&name);
                }
            }
            9 => {
                let name = format!("h{}", self.random.below(3));
                self.world.line.remove_hold(&name).await.unwrap();
                self.held.remove(&name);
            }
            10 => {
                let dying = self.storage.dying(i64::try_from(self.random.below(150)).unwrap());
                self.collector(dying.clone()).await;
                self.counts.killed += u32::from(dying.is_dead());
            }
            11 => {
                self.expire();
                let (one, two) = (self.options(), self.options());
                let vaults = [self.storage.clone(), self.storage.clone()];
                let [a, b] = vaults.map(|storage| async move {
                    Vault::create_or_open(Arc::new(storage), &access()).await.unwrap()
                });
                let (a, b) = (a.await, b.await);
                let (a, b) = tokio::join!(collect::collect(&a, &one), collect::collect(&b, &two));
                self.counts.pairs += u32::from(a.is_ok() || b.is_ok());
            }
            _ => {
                let hours = i64::try_from(self.random.below(30)).unwrap();
                self.now += SignedDuration::from_hours(hours);
                self.collector(self.storage.clone()).await;
            }
        }
    }

    /// A pod thought dead goes on.
    async fn wake(&mut self) {
        let Some(late) = self.late.pop() else { return };
        late.gate.go_on.notify_one();
        match late.task.await.unwrap() {
            Ok(_) => self.counts.late_made += 1,
            Err(_) => self.counts.late_refused += 1,
        }
    }

    /// Everything that stands is whole and reads as it was written; what is gone was retired, and is not held.
    async fn check(&mut self) {
        let deletions = self.world.line.deletions().await.unwrap();
        let standing = self.world.line.snapshots().await.unwrap();
        for manifest in &standing {
            if !self.expected.contains_key(&manifest.seq) {
                self.counts.committed += 1;
                let org = self.meant[&manifest.run_id].clone();
                self.expected.insert(manifest.seq, (manifest.clone(), org));
            }
        }
        let options = verify::Options { full: true, rows: true, ..Default::default() };
        let report = verify::verify(&self.world.vault, &options).await.unwrap();
        assert_eq!(report.problems, [], "{}", self.what("verify"));
        let there: BTreeSet<u64> = standing.iter().map(|manifest| manifest.seq).collect();
        let newest = self.expected.keys().last().copied();
        for (seq, (manifest, org)) in &self.expected {
            let readable = match deletions.get(*seq) {
                Some(retired) => {
                    !retired.sweeping && retired.retired_at + SignedDuration::from_hours(24) > self.now
                }
                None => there.contains(seq),
            };
            if readable {
                self.world.holds(manifest, org).await;
                self.counts.reads += 1;
            }
            if !there.contains(seq) {
                assert!(deletions.has(*seq), "{}", self.what(&format!("{seq} is gone")));
                assert_ne!(Some(*seq), newest, "{}", self.what("the newest is gone"));
            }
        }
        for (name, seq) in &self.held {
            // held, or to come back with the next collection
            let safe = there.contains(seq) || deletions.get(*seq).is_some_and(|retired| !retired.sweeping);
            assert!(safe, "{}", self.what(&format!("{seq} is held by {name} and gone")));
        }
    }

    /// Files of the line that rows and blobs lie in.
    fn files(&self) -> BTreeSet<String> {
        let of = |path: &String| path.contains("/objects/") || path.contains("/blobs/");
        self.storage.paths().into_iter().filter(of).collect()
    }

    async fn named(&self) -> BTreeSet<String> {
        let mut named = BTreeSet::new();
        for manifest in self.world.line.snapshots().await.unwrap() {
            named.extend(self.world.vault.files_of(&manifest).await.unwrap().into_keys());
        }
        named
    }

    async fn run(mut self, steps: u32) -> Counts {
        for _ in 0..steps {
            self.step().await;
            self.check().await;
        }
        while !self.late.is_empty() {
            self.wake().await;
            self.check().await;
        }
        // In the end nothing is left that nobody needs.
        for _ in 0..2 {
            self.now += SignedDuration::from_hours(100);
            self.policy = Retention { keep_last: Some(2), ..Retention::default() };
            self.expire();
            let options = Options { policy: Some(self.policy), now: Some(self.now), ..Options::default() };
            let done = collect::collect(&self.world.vault, &options).await.unwrap();
            assert!(done.is_done(), "{}", self.what(&format!("{done:?}")));
            self.check().await;
        }
        if self.expected.len() > 1 {
            assert_eq!(self.files(), self.named().await, "{}", self.what("left over"));
        }
        self.counts
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_2__6_whatever_runs_beside_a_collection_nothing_that_stands_is_harmed() {
    let all = std::env::var_os("ORGKEEP_FAULTS").is_some_and(|value| value == "all");
    let one = std::env::var("ORGKEEP_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let seeds = one.map_or(1..=if all { 200 } else { 3 }, |seed| seed..=seed);
    let mut sum = Counts::default();
    let many = seeds.clone().count();
    for seed in seeds.clone() {
        let counts = Campaign::new(seed).await.run(if all { 60 } else { 30 }).await;
        for (sum, count) in [
            (&mut sum.steps, counts.steps),
            (&mut sum.committed, counts.committed),
            (&mut sum.retired, counts.retired),
            (&mut sum.restored, counts.restored),
            (&mut sum.swept, counts.swept),
            (&mut sum.freed, counts.freed),
            (&mut sum.killed, counts.killed),
            (&mut sum.pairs, counts.pairs),
            (&mut sum.late_made, counts.late_made),
            (&mut sum.late_refused, counts.late_refused),
            (&mut sum.reads, counts.reads),
        ] {
            *sum += count;
        }
    }
    println!("seeds {seeds:?} ({many}): {sum:?}; lost 0, left over 0");
}

#[test]
fn s3_2__6_a_careless_collection_is_caught() {
    let (seeds, mut caught) = (1..=4u64, 0);
    std::panic::set_hook(Box::new(|_| {})); // these are expected
    for seed in seeds.clone() {
        let campaign = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let mut campaign = Campaign::new(seed).await;
                for step in 0..30 {
                    campaign.step().await;
                    // No lease, no void, no second look: what was nobody's a few steps ago is deleted.
                    if let Some(files) = campaign.careless.take_if(|_| step % 3 == 0) {
                        for path in &files {
                            campaign.storage.remove(path);
                        }
                    }
                    if campaign.careless.is_none() {
                        let named = campaign.named().await;
                        campaign.careless = Some(campaign.files().difference(&named).cloned().collect());
                    }
                    campaign.check().await;
                }
            });
        });
        caught += u32::from(campaign.join().is_err());
    }
    drop(std::panic::take_hook());
    println!("seeds {seeds:?}: a careless collection was caught in {caught}");
    assert!(caught >= 2, "{caught}");
}

/// Three snapshots of which the first two are due, leftovers, and a run that died.
async fn prepared() -> (Memory, World, Manifest, Org) {
    let storage = Memory::default();
    let mut world = World { trees: true, ..World::on(Arc::new(storage.clone())).await.unwrap() };
    world.full(&start(40), 25).await;
    world.delta(&[vec![(1, Some(record("x", 1)))]], Some(&eager())).await;
    let attempt = world.line.run("died").unwrap().begin_attempt().await.unwrap();
    page(&attempt, 0).await;
    let mut org: Org = start(40).into_iter().collect();
    org.insert(1, record("x", 1));
    org.insert(2, record("y", 1));
    let last = world.delta(&[vec![(2, Some(record("y", 1)))]], None).await;
    (storage, world, last, org)
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_2__6_whatever_call_of_a_collection_fails_the_next_one_finishes_it() {
    let all = std::env::var_os("ORGKEEP_FAULTS").is_some_and(|value| value == "all");
    let mut random = Random(20_261_125);
    let (base, _, last, org) = prepared().await;
    let keep = Retention { keep_last: Some(1), ..Retention::default() };
    let mut table: BTreeMap<(u32, Fault), [u32; 2]> = BTreeMap::new();
    // 0: it marks; 1: it sweeps.
    for phase in 0..2 {
        let at = |hours| Some(Timestamp::now() + SignedDuration::from_hours(hours));
        let marked = base.fork();
        if phase == 1 {
            let vault = Vault::create_or_open(Arc::new(marked.clone()), &access()).await.unwrap();
            let options = Options { policy: Some(keep), ..Options::default() };
            collect::collect(&vault, &options).await.unwrap();
        }
        for fault in FAULTS {
            let mut calls = 0;
            loop {
                calls += if all { 1 } else { 1 + i64::try_from(random.below(12)).unwrap() };
                let storage = marked.fork();
                let left = Arc::new(AtomicI64::new(calls));
                let inner: Arc<dyn Storage> = Arc::new(storage.clone());
                let faulty = Faulty { inner: Arc::clone(&inner), left: Arc::clone(&left), fault };
                let what = format!("phase {phase}, {fault:?}, call {calls}");
                let options = Options { policy: Some(keep), now: at(80), ..Options::default() };
                let first = async {
                    let vault = Vault::create_or_open(Arc::new(faulty), &access()).await?;
                    let line = vault.lines().await?.pop().unwrap();
                    let mut lease = line.lease("collect-1", Duration::from_secs(60)).await?;
                    let done = collect::collect_line(&line, &mut lease, &options).await?;
                    lease.release().await.map(|()| done)
                }
                .await;
                let came_to_it = left.load(Ordering::SeqCst) <= 0;
                let world = World::on(inner).await.unwrap();
                // Half-done or done: what stands is whole, in between as well.
                for hours in [0, 80, 120] {
                    if hours > 0 {
                        let options = Options { now: at(hours), ..options.clone() };
                        let mut lease = world.line.lease("collect-1", TTL).await.unwrap();
                        collect::collect_line(&world.line, &mut lease, &options)
                            .await
                            .unwrap_or_else(|error| panic!("{what}: {error} after {first:?}"));
                        lease.release().await.unwrap();
                    }
                    world.holds(&last, &org).await;
                    let options = verify::Options { full: true, ..Default::default() };
                    let report = verify::verify(&world.vault, &options).await.unwrap();
                    assert_eq!(report.problems, [], "{what}, {hours} h, after {first:?}");
                }
                let latest = world.line.latest().await.unwrap().unwrap();
                let named = world.vault.files_of(&latest).await.unwrap();
                let there = storage.paths().into_iter();
                let rows = there.filter(|path| path.contains("/objects/") || path.contains("/blobs/"));
                assert_eq!(rows.count(), named.len(), "{what}: left over");
                assert_eq!(world.line.snapshots().await.unwrap().len(), 1, "{what}");
                let counts = table.entry((phase, fault)).or_default();
                counts[usize::from(first.is_err())] += 1;
                if !came_to_it {
                    break;
                }
            }
        }
    }
    println!("phase  fault     went on  were done by the next");
    for ((phase, fault), [well, ill]) in &table {
        println!("{phase:<6} {:<9} {well:>7}  {ill:>21}", format!("{fault:?}"));
    }
}
