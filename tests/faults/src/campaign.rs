//! Runs, their outcomes, and the table of it all.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;

use crate::harvest::Harvest;
use crate::kind::{Asked, Kind};
use crate::org::{Served, serve};
use crate::proxy::{Plan, Proxy};
use crate::{careless, reader};

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Orgkeep's client.
    Orgkeep,
    /// The test double.
    Careless,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The same as without a fault.
    Equal,
    /// A typed error, of the run or of an object; everything else as without a fault.
    Error(String),
    /// Something else: what must not be.
    Wrong(String),
    /// The fault found no call to befall.
    Unfired,
}

/// A run.
#[derive(Debug, Clone)]
pub struct Run {
    /// The fault.
    pub plan: Plan,
    /// What came of it.
    pub outcome: Outcome,
    /// Calls that were made.
    pub calls: usize,
    /// Seconds on the virtual clock.
    pub seconds: u64,
}

/// How long a run may take on the virtual clock.
const PATIENCE: Duration = Duration::from_hours(24);
/// Runs against one simulator; its memory of jobs and sessions grows with each.
const RUNS_A_SIMULATOR: usize = 300;

/// A served org and what comes out of it without any fault.
struct Bed {
    org: Arc<Served>,
    reader: Reader,
    right: Harvest,
    calls: Vec<Asked>,
}

impl Bed {
    async fn make(reader: Reader) -> Result<Self, Box<dyn Error>> {
        let org = Arc::new(serve().await?);
        let mut bed = Self { org, reader, right: Harvest::default(), calls: Vec::new() };
        let (read, proxy) = bed.read(None).await?;
        bed.right = read.map_err(|error| format!("without a fault: {error}"))?;
        bed.calls = proxy.calls();
        if !bed.right.failed.is_empty() {
            return Err(format!("without a fault: {:?}", bed.right.failed).into());
        }
        Ok(bed)
    }

    async fn read(&self, plan: Option<Plan>) -> Result<(Result<Harvest, String>, Proxy), Box<dyn Error>> {
        let upstream: SocketAddr = self.org.simulator.address.trim_start_matches("http://").parse()?;
        let org = self.org.clone();
        let end_sessions = Arc::new(move || org.simulator.end_sessions());
        let proxy = Proxy::start(upstream, end_sessions, plan).await?;
        let (address, reader) = (proxy.address, self.reader);
        // a task of its own, so that a panic is an outcome
        let task = tokio::spawn(async move {
            match reader {
                Reader::Orgkeep => reader::read(address).await.map_err(|trouble| trouble.code().to_owned()),
                Reader::Careless => Ok(careless::read(address).await),
            }
        });
        let read = match tokio::time::timeout(PATIENCE, task).await {
            Ok(Ok(read)) => read,
            Ok(Err(error)) => Err(format!("!{error}")),
            Err(_) => Err("!it did not end".to_owned()),
        };
        Ok((read, proxy))
    }

    async fn run(&self, plan: Plan) -> Result<Run, Box<dyn Error>> {
        let began = tokio::time::Instant::now();
        let (read, proxy) = self.read(Some(plan)).await?;
        let outcome = match read {
            _ if proxy.is_endless() => Outcome::Wrong("it called without end".to_owned()),
            _ if proxy.fired() == 0 => Outcome::Unfired,
            Err(error) => match error.strip_prefix('!') {
                Some(wrong) => Outcome::Wrong(wrong.to_owned()),
                None => Outcome::Error(error),
            },
            Ok(harvest) => match harvest.wrong(&self.right) {
                Some(wrong) => Outcome::Wrong(wrong),
                None => match harvest.failed.values().next() {
                    Some((code, _)) => Outcome::Error(code.clone()),
                    None => Outcome::Equal,
                },
            },
        };
        Ok(Run { plan, outcome, calls: proxy.calls().len(), seconds: began.elapsed().as_secs() })
    }
}

/// Carries out runs, one after another on a clock that stands still unless all wait.
fn carry_out(reader: Reader, plans: &[Plan]) -> Result<Vec<Run>, Box<dyn Error>> {
    let mut runs = Vec::with_capacity(plans.len());
    for plans in plans.chunks(RUNS_A_SIMULATOR) {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build()?;
        runtime.block_on(async {
            let bed = Bed::make(reader).await?;
            for &plan in plans {
                runs.push(bed.run(plan).await?);
            }
            Ok::<_, Box<dyn Error>>(())
        })?;
        runtime.shutdown_background();
    }
    Ok(runs)
}

/// What a reading without faults asks for, call by call.
pub fn calls(reader: Reader) -> Result<Vec<Asked>, Box<dyn Error>> {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build()?;
    runtime.block_on(async { Ok(Bed::make(reader).await?.calls) })
}

/// Every kind at each call that it can befall.
pub fn all_plans(calls: &[Asked]) -> Vec<Plan> {
    let befalls = |kind: Kind| {
        calls
            .iter()
            .enumerate()
            .filter(move |(_, asked)| kind.befalls(**asked))
            .map(move |(at, _)| Plan { kind, nth: at + 1 })
    };
    Kind::ALL.iter().flat_map(|&kind| befalls(kind)).collect()
}

/// Some plans of each kind, by a seed.
pub fn sample(plans: &[Plan], each: usize, seed: u64) -> Vec<Plan> {
    let mut sampled = Vec::new();
    for (number, &kind) in Kind::ALL.iter().enumerate() {
        let mut of_kind: Vec<Plan> = plans.iter().filter(|plan| plan.kind == kind).copied().collect();
        let mut state = seed.wrapping_add(number as u64);
        for _ in 0..each.min(of_kind.len()) {
            // SplitMix64
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            sampled.push(of_kind.swap_remove((mixed ^ (mixed >> 31)) as usize % of_kind.len()));
        }
    }
    sampled
}

/// Carries out the plans on so many threads.
pub fn run(reader: Reader, plans: &[Plan], threads: usize) -> Result<Vec<Run>, Box<dyn Error>> {
    let size = plans.len().div_ceil(threads.max(1)).max(1);
    let parts: Vec<Result<Vec<Run>, String>> = std::thread::scope(|scope| {
        let running: Vec<_> = plans
            .chunks(size)
            .map(|part| scope.spawn(move || carry_out(reader, part).map_err(|error| error.to_string())))
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|_| Err("a thread of the campaign broke".to_owned()))
        };
        running.into_iter().map(join).collect()
    });
    let mut runs = Vec::with_capacity(plans.len());
    for part in parts {
        runs.extend(part?);
    }
    Ok(runs)
}

/// Outcomes of one kind.
#[derive(Debug, Default)]
struct Line {
    runs: usize,
    fired: usize,
    equal: usize,
    wrong: usize,
    errors: BTreeMap<String, usize>,
}

/// The table: a line a kind, then the wrong results one by one (the first forty), then the sums.
pub fn table(runs: &[Run]) -> String {
    let mut lines: BTreeMap<&str, Line> = BTreeMap::new();
    for run in runs {
        let line = lines.entry(run.plan.kind.as_str()).or_default();
        line.runs += 1;
        line.fired += usize::from(run.outcome != Outcome::Unfired);
        match &run.outcome {
            Outcome::Equal => line.equal += 1,
            Outcome::Error(code) => *line.errors.entry(code.clone()).or_default() += 1,
            Outcome::Wrong(_) => line.wrong += 1,
            Outcome::Unfired => {}
        }
    }
    let mut text = format!(
        "{:18} {:>6} {:>6} {:>6} {:>6} {:>6}  errors\n",
        "fault", "runs", "fired", "equal", "error", "WRONG"
    );
    for kind in Kind::ALL {
        let Some(line) = lines.get(kind.as_str()) else { continue };
        let errors: Vec<String> = line.errors.iter().map(|(code, count)| format!("{code} {count}")).collect();
        let _ = writeln!(
            text,
            "{:18} {:>6} {:>6} {:>6} {:>6} {:>6}  {}",
            kind.as_str(),
            line.runs,
            line.fired,
            line.equal,
            line.errors.values().sum::<usize>(),
            line.wrong,
            errors.join(", ")
        );
    }
    for run in runs.iter().filter(|run| matches!(run.outcome, Outcome::Wrong(_))).take(40) {
        if let Outcome::Wrong(what) = &run.outcome {
            let _ = writeln!(text, "WRONG: {} at call {}: {what}", run.plan.kind.as_str(), run.plan.nth);
        }
    }
    let unfired: Vec<&str> = unfired(runs).into_iter().map(Kind::as_str).collect();
    let _ = writeln!(
        text,
        "{} runs, {} calls, {} s of virtual time; {} fired, {} equal, {} typed errors, {} wrong{}",
        runs.len(),
        runs.iter().map(|run| run.calls).sum::<usize>(),
        runs.iter().map(|run| run.seconds).sum::<u64>(),
        runs.iter().filter(|run| run.outcome != Outcome::Unfired).count(),
        runs.iter().filter(|run| run.outcome == Outcome::Equal).count(),
        runs.iter().filter(|run| matches!(run.outcome, Outcome::Error(_))).count(),
        wrong(runs),
        if unfired.is_empty() { String::new() } else { format!("; never fired: {}", unfired.join(", ")) }
    );
    text
}

/// How many results are wrong.
pub fn wrong(runs: &[Run]) -> usize {
    runs.iter().filter(|run| matches!(run.outcome, Outcome::Wrong(_))).count()
}

/// Kinds that were to fire and did in no run.
pub fn unfired(runs: &[Run]) -> Vec<Kind> {
    let of = |kind: Kind| runs.iter().filter(move |run| run.plan.kind == kind);
    let is_unfired =
        |kind: &Kind| of(*kind).next().is_some() && of(*kind).all(|run| run.outcome == Outcome::Unfired);
    Kind::ALL.iter().copied().filter(is_unfired).collect()
}
