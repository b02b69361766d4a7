//! `orgkeep vault bundle`: snapshots in one signed file, for a site that no network reaches.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use orgkeep_vault::Location;
use orgkeep_vault::bundle::{self, BundleError, Bundled, Selection};

use super::LookError;
use crate::cli::{BundleCommand, Output, VaultAccess};
use crate::{CommandResult, say, table};

/// How often it is told how far it is.
const TOLD: Duration = Duration::from_secs(5);
/// Bytes of the file read or written at a time.
const BUFFER: usize = 1 << 20;

/// Carries a command out.
pub(super) async fn run(command: &BundleCommand) -> CommandResult {
    match command {
        BundleCommand::Create { access, out, since, snapshot } => {
            create(access, out, *since, *snapshot).await
        }
        BundleCommand::Verify { file, signing_key, output } => {
            let done = bundle::verify(input(file)?, signing_key.clone()).await?;
            print("whole", &done, *output)
        }
        BundleCommand::Apply { file, vault, signing_key, output } => {
            let target =
                Location::parse(vault).map_err(LookError::from)?.open().await.map_err(LookError::from)?;
            let applied = bundle::apply(input(file)?, &target, signing_key.clone(), progress("applied"));
            print("applied", &applied.await.map_err(advised)?, *output)
        }
    }
}

/// Writes a bundle; a file has its name only once it is whole.
async fn create(access: &VaultAccess, out: &Path, since: Option<u64>, until: Option<u64>) -> CommandResult {
    let vault = super::open(access).await?;
    let selection = Selection { line: access.line.clone(), since, until };
    let told = progress("written");
    if out == Path::new("-") {
        let to = BufWriter::with_capacity(BUFFER, std::io::stdout());
        let done = bundle::create(&vault, &selection, to, told).await.map_err(advised)?;
        // Standard output is the bundle.
        eprintln!("{}", summary("written", &done));
        return Ok(ExitCode::SUCCESS);
    }
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = out.with_file_name(name);
    let file = File::create(&partial).map_err(BundleError::File)?;
    let synced = file.try_clone().map_err(BundleError::File)?;
    let to = BufWriter::with_capacity(BUFFER, file);
    let done = match bundle::create(&vault, &selection, to, told).await {
        Ok(done) => done,
        Err(error) => {
            // What there is of it is no bundle.
            let _ = std::fs::remove_file(&partial);
            return Err(advised(error));
        }
    };
    synced.sync_all().map_err(BundleError::File)?;
    std::fs::rename(&partial, out).map_err(BundleError::File)?;
    print("written", &done, access.output)
}

fn advised(error: BundleError) -> Box<dyn std::error::Error + Send + Sync> {
    match error {
        BundleError::Vault(error) => LookError::from(error).into(),
        other => other.into(),
    }
}

fn input(file: &Path) -> Result<Box<dyn Read + Send>, BundleError> {
    Ok(if file == Path::new("-") {
        Box::new(BufReader::with_capacity(BUFFER, std::io::stdin()))
    } else {
        Box::new(BufReader::with_capacity(BUFFER, File::open(file)?))
    })
}

fn progress(word: &'static str) -> impl Fn(&Bundled) + Send + 'static {
    let told = Cell::new(Instant::now());
    move |done| {
        if told.get().elapsed() > TOLD {
            told.set(Instant::now());
            eprintln!("{}", summary(word, done));
        }
    }
}

fn summary(word: &str, done: &Bundled) -> String {
    format!(
        "{word}: bundle {} of vault {}, {} snapshots of {} lines, {} files, {}",
        done.bundle_id,
        done.vault_id,
        done.snapshots,
        done.lines,
        table::count(done.files),
        table::bytes(done.bytes)
    )
}

fn print(word: &str, done: &Bundled, output: Output) -> CommandResult {
    match output {
        Output::Json => say(&format!("{}\n", serde_json::to_string_pretty(done)?))?,
        Output::Table => {
            say(&format!("{}\n", summary(word, done)))?;
            if done.present > 0 {
                say(&format!("{} snapshots were there\n", done.present))?;
            }
            if !done.needs.is_empty() {
                say(&format!("it follows snapshot {}\n", done.needs.join(", ")))?;
            }
            say(&format!("signed by {}\n", done.signing_key))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
