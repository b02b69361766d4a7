//! `orgkeep vault search`: words and phrases over what snapshots hold, a table for each type of what is found.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use orgkeep_core::id::SalesforceId;
use orgkeep_vault::search::{Hit, Outcome, Query};
use orgkeep_vault::{Manifest, Vault, VaultError};
use serde_json::json;

use crate::cli::{Output, VaultAccess};
use crate::{CommandResult, say};

/// Options of a search.
#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// The vault, with a key that opens it.
    #[command(flatten)]
    access: VaultAccess,
    /// Words, all of which must be found; words in "…" one after another. Nothing: all that the options let through.
    #[arg(default_value = "")]
    text: String,
    /// The text may be a part of a word. All text is read then.
    #[arg(long)]
    within_words: bool,
    /// API names of objects, or `metadata`, by commas; all when left out.
    #[arg(long = "object", value_delimiter = ',', value_name = "NAME")]
    objects: Vec<String>,
    /// Part of the Id of the user who made the record.
    #[arg(long, value_name = "ID")]
    created_by: Option<String>,
    /// Part of the Id of the user who changed it last.
    #[arg(long, value_name = "ID")]
    updated_by: Option<String>,
    /// Ids of records, 15 or 18 characters, by commas.
    #[arg(long = "id", value_delimiter = ',', value_name = "ID", value_parser = record_id)]
    ids: Vec<SalesforceId>,
    /// Changed on this day (UTC) or at this time (RFC 3339), or later.
    #[arg(long, value_name = "DATE", value_parser = instant)]
    from: Option<Timestamp>,
    /// Changed before this day or time.
    #[arg(long, value_name = "DATE", value_parser = instant)]
    to: Option<Timestamp>,
    /// Records, too, that were deleted by then, as they last were.
    #[arg(long)]
    deleted: bool,
    /// Every version that a snapshot up to then has, with these snapshots.
    #[arg(long)]
    all_versions: bool,
    /// The point in time: id of a snapshot, or `latest`.
    #[arg(long, default_value = "latest")]
    snapshot: String,
    /// The most hits to tell.
    #[arg(long, default_value_t = 100)]
    limit: u64,
    /// Where an earlier search stopped, as it told.
    #[arg(long, value_name = "PLACE")]
    after: Option<String>,
}

fn record_id(text: &str) -> Result<SalesforceId, String> {
    SalesforceId::parse(text.trim()).map_err(|error| error.to_string())
}

/// A day (its beginning, UTC) or an instant.
fn instant(text: &str) -> Result<Timestamp, String> {
    // a time without a zone is not taken for its day
    if let (10, Ok(day)) = (text.len(), text.parse::<Date>()) {
        return day.in_tz("UTC").map(|at| at.timestamp()).map_err(|error| error.to_string());
    }
    text.parse::<Timestamp>().map_err(|_| "a day (2026-01-31) or a time (2026-01-31T12:00:00Z)".to_owned())
}

/// Searches; fails if something could not be read.
pub(super) async fn run(args: &SearchArgs) -> CommandResult {
    let vault = super::open(&args.access).await?;
    let newest = super::find(&vault, &args.access, &args.snapshot).await?;
    let manifests =
        if args.deleted || args.all_versions { until(&vault, newest).await? } else { vec![newest] };
    let query = Query {
        text: args.text.clone(),
        within_words: args.within_words,
        objects: args.objects.clone(),
        created_by: args.created_by.clone(),
        updated_by: args.updated_by.clone(),
        ids: args.ids.clone(),
        from: args.from,
        to: args.to,
        include_deleted: args.deleted,
        all_versions: args.all_versions,
        limit: Some(args.limit.max(1)),
        after: args.after.clone(),
    };
    let mut told = Told { output: args.access.output, kind: String::new(), open: true };
    let outcome = vault.search(&manifests, &query, &mut |hit| told.hit(&hit)).await?;
    ending(args, &outcome)?;
    Ok(if outcome.unread.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The snapshots of a line up to one, oldest first.
async fn until(vault: &Vault, newest: Manifest) -> Result<Vec<Manifest>, VaultError> {
    let mut all = vault.line(&newest.line_id).await?.snapshots().await?;
    all.retain(|manifest| manifest.seq <= newest.seq);
    all.sort_by_key(|manifest| manifest.seq);
    Ok(all)
}

/// Prints what is found as it comes.
struct Told {
    output: Output,
    kind: String,
    /// Somebody reads it.
    open: bool,
}

impl Told {
    fn hit(&mut self, hit: &Hit) -> bool {
        let line = match self.output {
            Output::Json => json!(hit).to_string(),
            Output::Table => self.row(hit),
        };
        // a reader that has seen enough (`| head`) is no error
        let mut out = std::io::stdout().lock();
        self.open = writeln!(out, "{line}").and_then(|()| out.flush()).is_ok();
        self.open
    }

    /// A row below headings, which come again for each type.
    fn row(&mut self, hit: &Hit) -> String {
        let is_file = hit.date.is_empty() && hit.id.contains('/');
        let mut line = String::new();
        if self.kind != hit.kind {
            if !self.kind.is_empty() {
                line.push('\n');
            }
            self.kind.clone_from(&hit.kind);
            let headings = if is_file {
                format!("{:<20} {:<60} {:<12} FOUND", "TYPE", "PATH", "SNAPSHOTS")
            } else {
                format!("{:<20} {:<18} {:<30} {:<20} {:<12} FOUND", "TYPE", "ID", "NAME", "DATE", "SNAPSHOTS")
            };
            line.push_str(&headings);
            line.push('\n');
        }
        let found: Vec<String> = hit.fields.iter().map(|(field, text)| format!("{field}: {text}")).collect();
        let mut snapshots = ranges(&hit.snapshots);
        if hit.deleted {
            snapshots.push_str(" deleted");
        }
        let found = found.join("; ");
        if is_file {
            line.push_str(&format!("{:<20} {:<60} {snapshots:<12} {found}", hit.kind, cut(&hit.id, 200)));
        } else {
            let name = cut(&hit.name, 30);
            line.push_str(&format!(
                "{:<20} {:<18} {name:<30} {:<20} {snapshots:<12} {found}",
                hit.kind, hit.id, hit.date
            ));
        }
        line
    }
}

/// The first characters of a text, without what would move the cursor.
fn cut(text: &str, most: usize) -> String {
    let mut out: String = text.chars().take(most).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(most).is_some() {
        out.pop();
        out.push('…');
    }
    out
}

/// Numbers in order, as ranges: `1-3,7`.
fn ranges(numbers: &[u64]) -> String {
    let mut all: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match all.last_mut() {
            Some((_, to)) if *to + 1 == *number => *to = *number,
            _ => all.push((*number, *number)),
        }
    }
    let words =
        all.iter().map(|(from, to)| if from == to { from.to_string() } else { format!("{from}-{to}") });
    words.collect::<Vec<_>>().join(",")
}

/// Says what it came to, on standard error, or as the last line of JSON.
fn ending(args: &SearchArgs, outcome: &Outcome) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if args.access.output == Output::Json {
        say(&format!("{}\n", json!({"outcome": outcome})))?;
        return Ok(());
    }
    for (file, why) in &outcome.broken_indexes {
        eprintln!("warning: the index {file} is not what was written ({why}); its rows were read instead");
    }
    for (file, why) in &outcome.unread {
        eprintln!("NOT searched: {file}: {why}; hits in it are missing");
    }
    eprintln!(
        "{} found; {} files, {} of them without an index, {} row groups read",
        outcome.hits, outcome.parts, outcome.without_index, outcome.groups
    );
    if let Some(next) = &outcome.next {
        eprintln!("there may be more: --after {next}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_times_are_read() {
        assert_eq!(instant("2026-01-31").unwrap().to_string(), "2026-01-31T00:00:00Z");
        assert_eq!(instant("2026-01-31T12:00:00+02:00").unwrap().to_string(), "2026-01-31T10:00:00Z");
        assert!(instant("yesterday").is_err());
        assert!(instant("2026-01-31T12:00:00").is_err(), "in which zone?");
        assert_eq!(record_id("001xx000003DGb0").unwrap().as_str().len(), 18);
    }

    #[test]
    fn snapshots_are_told_as_ranges() {
        assert_eq!(ranges(&[1, 2, 3, 7, 9, 10]), "1-3,7,9-10");
        assert_eq!(ranges(&[]), "");
        assert_eq!((cut("a\u{1b}b", 9).as_str(), cut("abcdef", 4).as_str()), ("a b", "abc…"));
    }
}
