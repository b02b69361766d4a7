//! The binary: arguments and wiring. Installed as `kubectl-orgkeep` it is the kubectl plugin and does the same.

mod cli;
mod logging;
mod operator;
mod run;
mod table;
mod vault;
mod worker;

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
        Err(error) => complain(&error.to_string()),
    }
}

/// What ends a command: a text for a person.
pub(crate) type CommandResult = Result<ExitCode, Box<dyn std::error::Error + Send + Sync>>;

fn complain(text: &str) -> ExitCode {
    eprintln!("orgkeep: {text}");
    ExitCode::FAILURE
}

fn print_definitions() -> CommandResult {
    for definition in orgkeep_api::crds::all()? {
        print!("---\n{}", serde_yaml::to_string(&definition)?);
    }
    Ok(ExitCode::SUCCESS)
}
