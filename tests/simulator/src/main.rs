//! `orgkeep-simulator`: Salesforce orgs on this machine.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use orgkeep_simulator::faults::FaultPlan;
use orgkeep_simulator::{Facts, Simulator, StartOptions, Tls};
use tokio::signal::unix::{SignalKind, signal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Salesforce orgs on this machine: sign-in, describe, SOQL, REST and Bulk 2.0 query over org directories.
///
/// Once it serves, it prints one JSON line: {"address": …, "orgs": [{"id", "name", "loginUrl", "clientId"}]}.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// An org directory (org.yaml, schema.yaml, describes/, data/); may be given several times.
    #[arg(long = "org", required = true, value_name = "DIR")]
    orgs: Vec<PathBuf>,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Adds generated rows, in every org; may be given several times.
    #[arg(long, value_name = "OBJECT=ROWS", value_parser = parse_scale)]
    scale: Vec<(String, u64)>,
    /// Certificate chain (PEM) for https.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key (PEM) of the certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// https with a certificate made at start, of an authority made at start that is printed on standard error.
    #[arg(long, conflicts_with = "tls_cert")]
    tls_self_signed: bool,
    /// A host name for the certificate made at start; may be given several times.
    #[arg(long, value_name = "HOST", requires = "tls_self_signed")]
    tls_name: Vec<String>,
    /// Writes the authority's certificate to this file instead.
    #[arg(long, value_name = "FILE", requires = "tls_self_signed")]
    tls_authority: Option<PathBuf>,
    /// Appends a JSON line per request to this file.
    #[arg(long, value_name = "FILE")]
    request_log: Option<PathBuf>,
    /// The least time in milliseconds that a Bulk job takes.
    #[arg(long, default_value_t = 300, value_name = "MS")]
    bulk_job_ms: u64,
    /// Ends when standard input does: a program that starts this one need not be alive to end it.
    #[arg(long)]
    until_stdin_ends: bool,
    /// Writes the org to this new directory when the program ends; several orgs, each to one in it with its id.
    #[arg(long, value_name = "DIR")]
    save_on_exit: Option<PathBuf>,
    /// What goes wrong, and when (YAML); later plans can be put under /_simulator/faults.
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// The form of something that no document confirms, where the usual one is not wanted; may be given several times.
    #[arg(long = "fact", value_name = "NAME=FORM")]
    facts: Vec<String>,
}

fn parse_scale(text: &str) -> Result<(String, u64), String> {
    let (object, rows) = text.split_once('=').ok_or("write it as Object=rows")?;
    let rows = rows.parse().map_err(|_| format!("`{rows}` is not a number of rows"))?;
    Ok((object.to_owned(), rows))
}

impl Arguments {
    fn options(self) -> Result<StartOptions, Box<dyn std::error::Error>> {
        let tls = match (self.tls_cert, self.tls_key) {
            (Some(certificate), Some(key)) => Some(Tls::Files { certificate, key }),
            _ if self.tls_self_signed => {
                Some(Tls::SelfSigned { names: self.tls_name, authority: self.tls_authority })
            }
            _ => None,
        };
        let faults = match self.faults {
            Some(file) => {
                let text =
                    std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
                Some(FaultPlan::from_yaml(&text).map_err(|error| format!("{}: {error}", file.display()))?)
            }
            None => None,
        };
        let mut facts = Facts::default();
        for fact in &self.facts {
            facts.set(fact)?;
        }
        Ok(StartOptions {
            orgs: self.orgs,
            scale: self.scale,
            listen: self.listen,
            tls,
            request_log: self.request_log,
            bulk_job: Duration::from_millis(self.bulk_job_ms),
            faults,
            facts,
        })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("orgkeep-simulator: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let print_authority = arguments.tls_authority.is_none();
    let until_stdin_ends = arguments.until_stdin_ends;
    let save_on_exit = arguments.save_on_exit.clone();
    let simulator = Simulator::start(arguments.options()?).await?;
    if let Some(authority) = simulator.authority.as_ref().filter(|_| print_authority) {
        eprint!("{authority}");
    }
    let line = serde_json::json!({"address": simulator.address, "orgs": simulator.orgs});
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    out.flush()?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
        () = stdin_ended(), if until_stdin_ends => {}
    }
    let Some(directory) = save_on_exit else {
        simulator.stop().await;
        return Ok(());
    };
    for saved in simulator.stop_and_save(&directory).await? {
        tracing::info!(directory = %saved.directory.display(), saved.rows, saved.files, "saved");
    }
    Ok(())
}

/// By a thread of its own: one of the runtime's would be waited for at the end.
async fn stdin_ended() {
    let (told, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let read = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        told.send(read.map(drop)).ok();
    });
    if let Ok(Err(error)) = ended.await {
        tracing::warn!(%error, "standard input cannot be read");
    }
}
