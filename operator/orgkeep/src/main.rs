//! The binary: arguments and wiring. Installed as `kubectl-orgkeep` it is the kubectl plugin and does the same.

mod cli;
mod logging;
mod operator;
mod run;
mod table;
mod vault;
mod worker;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};

/// Frees what a page's columns took at once; the system's allocator keeps it, and a worker's memory is bounded.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Only fails when another one was installed before, which would be as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    logging::start(&cli.command);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("the runtime cannot be started: {error}")),
    };
    let code = runtime.block_on(dispatch(cli.command));
    // What still runs on a blocking thread has nothing more to say.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    code
}

async fn dispatch(command: Command) -> ExitCode {
    let result = match command {
        Command::Operator(arguments) => operator::run(arguments).await,
        Command::Worker(arguments) => worker::run(&arguments).await,
        Command::Run(arguments) => run::run(&arguments).await,
        Command::Vault(command) => vault::run(command).await,
        Command::Crds => print_definitions(),
    };
    match result {
        Ok(code) => code,
        Err(error) if is_broken_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => complain(&error.to_string()),
    }
}

/// Writes a result to standard output.
pub(crate) fn say(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A reader that has seen enough (`| head`) is no error.
fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// What ends a command: a text for a person.
pub(crate) type CommandResult = Result<ExitCode, Box<dyn std::error::Error + Send + Sync>>;

fn complain(text: &str) -> ExitCode {
    eprintln!("orgkeep: {text}");
    ExitCode::FAILURE
}

fn print_definitions() -> CommandResult {
    for definition in orgkeep_api::crds::all()? {
        say(&format!("---\n{}", serde_yaml::to_string(&definition)?))?;
    }
    Ok(ExitCode::SUCCESS)
}
