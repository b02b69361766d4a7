//! `orgkeep vault collect`: retire what no rule keeps, and delete what was retired a while ago.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use orgkeep_core::retention::{Generations, KeepFor, Retention};
use orgkeep_vault::collect::{Collection, LineCollection, Options, collect};

use crate::cli::{Output, VaultAccess};
use crate::table;
use crate::{CommandResult, say};

/// What to keep, and when to delete.
#[derive(Debug, Args)]
pub(crate) struct CollectArgs {
    /// The vault, with a key that opens it.
    #[command(flatten)]
    access: VaultAccess,
    /// Keep snapshots that are not older than so many days. Without any of the --keep options nothing is retired; what
    /// was retired before is deleted.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    keep_days: Option<u32>,
    /// Keep snapshots that are not older than so many months.
    #[arg(long, value_name = "N", conflicts_with = "keep_days", value_parser = clap::value_parser!(u32).range(1..=1200))]
    keep_months: Option<u32>,
    /// Keep snapshots that are not older than so many years.
    #[arg(
        long, value_name = "N", conflicts_with_all = ["keep_days", "keep_months"],
        value_parser = clap::value_parser!(u32).range(1..=100)
    )]
    keep_years: Option<u32>,
    /// Keep at least so many of the newest.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep_last: Option<u32>,
    /// Keep the newest snapshot of each of the last so many days that have one.
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_daily: u32,
    /// The same for weeks.
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_weekly: u32,
    /// The same for months.
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_monthly: u32,
    /// The same for years.
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_yearly: u32,
    /// Hours between retiring a snapshot and deleting its files, for those who are reading it.
    #[arg(long, value_name = "N", default_value_t = 24)]
    grace_hours: u32,
    /// Hours after which a run that nobody went on with is closed and its files are deleted.
    #[arg(long, value_name = "N", default_value_t = 72)]
    abandon_hours: u32,
    /// Say what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

impl CollectArgs {
    /// The rules; none if no option names one.
    fn policy(&self) -> Option<Retention> {
        let days = self.keep_days.map(KeepFor::Days);
        let generations = Generations {
            daily: self.keep_daily,
            weekly: self.keep_weekly,
            monthly: self.keep_monthly,
            yearly: self.keep_yearly,
        };
        let policy = Retention {
            keep_for: days.or(self.keep_months.map(KeepFor::Months)).or(self.keep_years.map(KeepFor::Years)),
            keep_last: self.keep_last,
            generations: (generations != Generations::default()).then_some(generations),
        };
        (policy != Retention::default()).then_some(policy)
    }
}

fn hours(hours: u32) -> Duration {
    Duration::from_secs(u64::from(hours) * 3600)
}

/// Collects; fails if a line could not be.
pub(super) async fn run(args: &CollectArgs) -> CommandResult {
    let access = &args.access;
    let vault = if args.dry_run { super::open(access).await? } else { super::open_writable(access).await? };
    let options = Options {
        policy: args.policy(),
        grace: hours(args.grace_hours),
        abandon: hours(args.abandon_hours),
        dry_run: args.dry_run,
        line: access.line.clone(),
        now: None,
    };
    let done = collect(&vault, &options).await?;
    match access.output {
        Output::Json => say(&format!("{}\n", serde_json::to_string_pretty(&done)?))?,
        Output::Table => say(&text(&done))?,
    }
    Ok(if done.is_done() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(done: &Collection) -> String {
    let headings =
        ["LINE", "KEPT", "RETIRED", "RESTORED", "WAITING", "DELETED", "FREED", "SHARED", "HELD", "LOCKED"];
    let row = |line: &LineCollection| {
        vec![
            line.line.clone(),
            line.kept.to_string(),
            line.retired.len().to_string(),
            line.restored.len().to_string(),
            line.waiting.len().to_string(),
            line.swept.len().to_string(),
            table::bytes(line.freed.bytes),
            table::bytes(line.shared.bytes),
            table::bytes(line.held_bytes),
            table::bytes(line.locked.bytes),
        ]
    };
    let rows: Vec<Vec<String>> = done.lines.iter().map(row).collect();
    let mut out = table::render(&headings, &rows);
    for line in &done.lines {
        for told in notes(line) {
            out.push_str(&format!("{}: {told}\n", line.line));
        }
    }
    if done.dry_run {
        out.push_str("dry run: nothing was changed\n");
    }
    out
}

/// What the table does not say of a line.
fn notes(line: &LineCollection) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(why) = &line.blocked {
        notes.push(format!("not collected, nothing was deleted: {why}"));
    }
    if let Some(next) = line.waiting.iter().map(|waiting| waiting.until).min() {
        notes.push(format!("retired snapshots are deleted from {next} on"));
    }
    if line.leftovers.files > 0 {
        notes.push(format!(
            "{} files ({}) of that were leftovers that no snapshot rested on",
            table::count(line.leftovers.files),
            table::bytes(line.leftovers.bytes)
        ));
    }
    if !line.held.is_empty() {
        notes.push(format!("kept by a legal hold alone: snapshots {}", numbers(&line.held)));
    }
    if let (Some(first), Some(last)) = (line.locked_until, line.all_locked_until) {
        notes.push(format!(
            "{} files are locked by the storage until {first} (the last until {last}); a later collection deletes them",
            table::count(line.locked.files)
        ));
    }
    if line.held_back.files > 0 {
        let runs: Vec<&str> = line.open_runs.iter().map(String::as_str).collect();
        notes.push(format!(
            "{} files ({}) may still be needed by runs that can go on: {}",
            table::count(line.held_back.files),
            table::bytes(line.held_back.bytes),
            runs.join(", ")
        ));
    }
    if !line.closed_runs.is_empty() {
        let runs: Vec<&str> = line.closed_runs.iter().map(String::as_str).collect();
        notes.push(format!("closed, since nobody went on with them: {}", runs.join(", ")));
    }
    notes
}

/// Numbers by commas, those in a row as a range.
fn numbers(all: &[u64]) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for &number in all {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let word = |(first, last): (u64, u64)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    ranges.into_iter().map(word).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_a_row_are_a_range() {
        assert_eq!(numbers(&[1, 2, 3, 5, 8, 9]), "1-3, 5, 8-9");
        assert_eq!(numbers(&[]), "");
    }

    #[test]
    fn what_is_not_collected_is_said_with_the_reason() {
        let line = LineCollection {
            line: "l-1".into(),
            blocked: Some("run x holds line l-1".into()),
            ..LineCollection::default()
        };
        let told = text(&Collection { dry_run: true, lines: vec![line] });
        assert!(told.contains("l-1: not collected, nothing was deleted: run x holds line l-1\n"), "{told}");
        assert!(told.ends_with("dry run: nothing was changed\n"));
    }
}
