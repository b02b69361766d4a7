//! What a person sees on standard error while a local run is at work.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use orgkeep_core::run::{Outcome, Progress};
use orgkeep_engine::progress::Tracker;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::table;

/// How often the line is drawn on a terminal, and how often a line is written elsewhere.
const REDRAW: Duration = Duration::from_millis(200);
const REPORT: Duration = Duration::from_secs(10);

/// A line about one task, kept up to date.
#[derive(Debug)]
pub(super) struct Watching {
    what: String,
    tracker: Tracker,
    drawing: JoinHandle<()>,
}

/// Begins to show how far a task is.
pub(super) fn start(what: &str, tracker: Tracker) -> Watching {
    let terminal = std::io::stderr().is_terminal();
    let (name, seen) = (what.to_owned(), tracker.clone());
    let drawing = tokio::spawn(async move {
        let mut every = tokio::time::interval(if terminal { REDRAW } else { REPORT });
        every.tick().await;
        loop {
            every.tick().await;
            let line = describe(&name, &seen.snapshot(), terminal);
            if terminal {
                eprint!("\r\x1b[2K{line}");
                // A terminal that is gone is no reason to end a backup.
                let _ = std::io::stderr().flush();
            } else {
                eprintln!("{line}");
            }
        }
    });
    Watching { what: what.to_owned(), tracker, drawing }
}

impl Watching {
    /// The last line about this task.
    pub(super) async fn end(self, outcome: &Outcome) {
        self.drawing.abort();
        // Aborted or not: it draws no more.
        let _ = self.drawing.await;
        if std::io::stderr().is_terminal() {
            eprint!("\r\x1b[2K");
        }
        let progress = self.tracker.snapshot();
        let done = if progress.objects_total > 0 { format!(" ({})", sums(&progress)) } else { String::new() };
        eprintln!("{}: {}{done}", self.what, outcome.phase.as_str());
    }
}

fn describe(what: &str, progress: &Progress, bar: bool) -> String {
    if progress.objects_total == 0 {
        return format!("{what}: …");
    }
    const WIDTH: usize = 24;
    let filled = usize::from(progress.percent) * WIDTH / 100;
    if !bar {
        return format!("{what}: {} %, {} ({})", progress.percent, progress.current_object, sums(progress));
    }
    let bar: String = (0..WIDTH).map(|at| if at < filled { '█' } else { '░' }).collect();
    format!("{what} {bar} {:>3} % {} ({})", progress.percent, progress.current_object, sums(progress))
}

fn sums(progress: &Progress) -> String {
    format!(
        "{} of {} objects, {} records, {}, {} calls",
        progress.objects_done,
        progress.objects_total,
        table::count(progress.records),
        table::bytes(progress.bytes),
        table::count(progress.api_calls)
    )
}

/// Set by SIGINT or SIGTERM: a clean stop. A second one ends the process at once.
pub(super) fn stop_on_signal() -> CancellationToken {
    let cancel = CancellationToken::new();
    let token = cancel.clone();
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return; // without handlers the signals end the process, and the journal is kept all the same
        };
        for first in [true, false] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if first {
                eprintln!("\nstopping; once more to end at once");
                token.cancel();
            }
        }
        std::process::exit(130);
    });
    cancel
}
