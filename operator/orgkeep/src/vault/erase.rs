//! `orgkeep vault erase`: records out of all snapshots, or the list of what a subject's ids lead to.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use orgkeep_vault::erase::{Children, Erased, Ids, Options, children, erase};
use orgkeep_vault::{Line, Vault};
use serde_json::json;

use crate::cli::{Output, VaultAccess};
use crate::table;
use crate::{CommandResult, say};

/// The lease of an erasure: it is renewed long before.
const LEASE: Duration = Duration::from_secs(120);

/// Options of an erasure.
#[derive(Debug, Args)]
pub(crate) struct EraseArgs {
    /// The vault, with a key that opens it.
    #[command(flatten)]
    access: VaultAccess,
    /// File with the ids, 15 or 18 characters: one a line, or `Object,Id` to erase an id of that object only.
    #[arg(long, value_name = "FILE")]
    ids: PathBuf,
    /// Why. It is stored in the clear, so no names.
    #[arg(long, required_unless_present_any = ["dry_run", "children"])]
    reason: Option<String>,
    /// Who erases. It is stored in the clear, too.
    #[arg(long, default_value = "orgkeep vault erase")]
    by: String,
    /// Only tell what would be done.
    #[arg(long)]
    dry_run: bool,
    /// How many minutes to wait for a run that holds the line.
    #[arg(long, default_value_t = 0, value_name = "MINUTES")]
    wait: u64,
    /// Erase nothing, but print the list with the records that lead to these ids through reference fields, so many
    /// levels deep, as `Object,Id`: to be reviewed, and given as --ids.
    #[arg(long, value_name = "LEVELS")]
    children: Option<u32>,
    /// With --children: only records of these objects, by commas.
    #[arg(long, value_delimiter = ',', value_name = "NAME", requires = "children")]
    child_objects: Vec<String>,
    /// With --children: the snapshot that is looked through, or `latest`.
    #[arg(long, default_value = "latest")]
    snapshot: String,
}

/// Erases; fails if something of it remains.
pub(super) async fn run(args: &EraseArgs) -> CommandResult {
    let text = std::fs::read_to_string(&args.ids)
        .map_err(|error| format!("--ids {}: {error}", args.ids.display()))?;
    let ids = Ids::parse(&text).map_err(|error| format!("--ids {}: {error}", args.ids.display()))?;
    if let Some(depth) = args.children {
        return plan(args, &ids, depth).await;
    }
    let vault = if args.dry_run {
        super::open(&args.access).await?
    } else {
        super::open_writable(&args.access).await?
    };
    let options = Options {
        reason: args.reason.clone().unwrap_or_default(),
        by: args.by.clone(),
        dry_run: args.dry_run,
        wait: Duration::from_secs(args.wait.saturating_mul(60)),
        lease: LEASE,
    };
    let mut all = Vec::new();
    for line in lines(&vault, &args.access).await? {
        all.push(erase(&line, &ids, &options).await.map_err(super::LookError::from)?);
    }
    match args.access.output {
        Output::Json => say(&format!("{}\n", serde_json::to_string_pretty(&json!({ "lines": all }))?))?,
        Output::Table => all.iter().try_for_each(|erased| say(&told(erased, &ids)))?,
    }
    let remains = all.iter().any(|erased| !erased.remaining.is_empty());
    Ok(if remains { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The line that was asked for, or all.
async fn lines(vault: &Vault, access: &VaultAccess) -> Result<Vec<Line>, super::LookError> {
    match &access.line {
        Some(id) => Ok(vec![vault.line(id).await?]),
        None => Ok(vault.lines().await?),
    }
}

/// Prints the list with all that leads to it.
async fn plan(args: &EraseArgs, ids: &Ids, depth: u32) -> CommandResult {
    let vault = super::open(&args.access).await?;
    let manifest = super::find(&vault, &args.access, &args.snapshot).await.map_err(super::LookError::from)?;
    let options = Children { depth, objects: args.child_objects.clone() };
    let found = children(&vault, &manifest, ids, &options).await.map_err(super::LookError::from)?;
    let mut out = String::from("Object,Id\n");
    for id in ids.iter() {
        writeln!(out, ",{id}")?;
    }
    for (object, id) in &found {
        writeln!(out, "{object},{id}")?;
    }
    say(&out)?;
    Ok(ExitCode::SUCCESS)
}

/// What was done in a line.
fn told(erased: &Erased, ids: &Ids) -> String {
    let rows: Vec<Vec<String>> = erased
        .objects
        .iter()
        .map(|object| {
            let numbers = [object.records, object.rows, object.files];
            [object.name.clone()].into_iter().chain(numbers.map(table::count)).collect()
        })
        .collect();
    let mut out = format!("line {}: ", erased.line);
    let mut put = |text: String| out.push_str(&text);
    match (erased.dry_run, erased.redaction) {
        (true, _) => put("nothing is written (--dry-run)\n".to_owned()),
        (false, Some(number)) => put(format!("erased by redaction {number}\n")),
        (false, None) => put("holds none of these ids\n".to_owned()),
    }
    if !rows.is_empty() {
        put(table::render(&["OBJECT", "RECORDS", "ROWS", "FILES"], &rows));
    }
    put(format!(
        "{} of {} ids found; {} snapshots touched\n",
        table::count(erased.found),
        table::count(erased.ids),
        table::count(erased.snapshots.len() as u64)
    ));
    put(format!(
        "{} of {} files with rows ({}){}, {} states, {} files of records\n",
        table::count(erased.parts),
        table::count(erased.parts_of_line),
        table::bytes(erased.bytes_before),
        if erased.dry_run { "" } else { " written anew" },
        table::count(erased.states),
        table::count(erased.tree_entries)
    ));
    if !erased.dry_run {
        put(format!(
            "{} files deleted ({}), {} entries of journals\n",
            table::count(erased.deleted_files),
            table::bytes(erased.deleted_bytes),
            table::count(erased.deleted_journal_entries)
        ));
    }
    if ids.duplicates() > 0 {
        put(format!("{} lines of the list say nothing new\n", table::count(ids.duplicates())));
    }
    if !erased.unknown_prefixes.is_empty() {
        put(format!(
            "no object of this line has ids that begin with {}\n",
            erased.unknown_prefixes.join(", ")
        ));
    }
    for run in &erased.unfinished_runs {
        put(format!("run {run} was broken off; what it had written was deleted, and it begins anew\n"));
    }
    for file in &erased.remaining {
        put(format!("still there: {file}\n"));
    }
    out
}
