//! Logs: JSON lines in the cluster, text for a person elsewhere; always on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::cli::Command;

/// Sets up what the command logs; `RUST_LOG` says otherwise.
pub(crate) fn start(command: &Command) {
    let in_cluster = matches!(command, Command::Operator(_) | Command::Worker(_));
    let default = if in_cluster { "info" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if in_cluster {
        subscriber.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
    } else {
        subscriber.without_time().with_target(false).with_ansi(std::io::stderr().is_terminal()).init();
    }
}
