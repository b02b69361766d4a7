//! `orgkeep-faults`: the fault campaign from the command line.

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use orgkeep_faults::campaign::{Reader, all_plans, calls, run, sample, table, unfired, wrong};
use orgkeep_faults::kind::Kind;

/// Reads a small org in full with every kind of fault in the way, and says what came of each.
#[derive(Debug, Parser)]
struct Arguments {
    /// Every kind at each call, instead of a sample.
    #[arg(long)]
    all: bool,
    /// Runs of each kind in the sample.
    #[arg(long, default_value_t = 1)]
    each: usize,
    /// The sample's seed.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Only this kind, by its name in the table.
    #[arg(long)]
    kind: Option<String>,
    /// Only at this call.
    #[arg(long)]
    nth: Option<usize>,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

/// Faults that a client which takes whatever comes gets wrong: the campaign must see it.
const CATCHES: &[Kind] = &[
    Kind::CutInBody,
    Kind::ShortBody,
    Kind::ShortPlain,
    Kind::ShortByLine,
    Kind::EmptyBody,
    Kind::Html,
    Kind::HtmlInDisguise,
    Kind::LocatorEndsEarly,
    Kind::LocatorMissing,
    Kind::PageTwice,
    Kind::PageSkipped,
    Kind::HeaderMissing,
    Kind::CellMissing,
    Kind::DoneEarly,
    Kind::RecordMissing,
    Kind::RestPageTwice,
];

fn main() -> ExitCode {
    match campaign(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn campaign(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let asked = calls(Reader::Orgkeep)?;
    let mut plans = all_plans(&asked);
    if let Some(kind) = &arguments.kind {
        plans.retain(|plan| plan.kind.as_str() == kind);
    }
    if let Some(nth) = arguments.nth {
        plans.retain(|plan| plan.nth == nth);
    }
    let whole = arguments.kind.is_none() && arguments.nth.is_none();
    let sampled = if arguments.all { plans } else { sample(&plans, arguments.each, arguments.seed) };
    println!(
        "a full read: {} calls; {} kinds of fault; seed {}\n",
        asked.len(),
        Kind::ALL.len(),
        arguments.seed
    );
    let runs = run(Reader::Orgkeep, &sampled, arguments.threads)?;
    println!("{}", table(&runs));
    let mut good = wrong(&runs) == 0 && unfired(&runs).is_empty() && asked.len() >= 200;
    if whole {
        let planned = |kind: &&Kind| runs.iter().any(|run| run.plan.kind == **kind);
        for kind in Kind::ALL.iter().filter(|kind| !planned(kind)) {
            println!("befalls no call: {}", kind.as_str());
            good = false;
        }
        let plans = all_plans(&calls(Reader::Careless)?);
        let plans: Vec<_> = plans.into_iter().filter(|plan| CATCHES.contains(&plan.kind)).collect();
        let careless = run(Reader::Careless, &sample(&plans, 2, arguments.seed), arguments.threads)?;
        println!("A careless client, which must be found out:\n\n{}", table(&careless));
        let uncaught = CATCHES.iter().filter(|kind| {
            wrong(&careless.iter().filter(|run| run.plan.kind == **kind).cloned().collect::<Vec<_>>()) == 0
        });
        for kind in uncaught {
            println!("not found out: {}", kind.as_str());
            good = false;
        }
    }
    Ok(good)
}
