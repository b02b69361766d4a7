//! A worker process around one task: its deadline, its signals, its exit code and its last word.

use std::path::Path;
use std::time::Duration;

use orgkeep_api::worker::{FORMAT_VERSION, JobDescription};
use orgkeep_core::reason::Reason;
use orgkeep_core::run::{ExitCode, Outcome, Phase};
use tokio::signal::unix::{SignalKind, signal};

use crate::context::Context;
use crate::task;

/// How long `/result` stays up for the operator after the task has ended.
const RESULT_STAYS: Duration = Duration::from_secs(60);

/// Reads a job description.
pub fn read_job(path: &Path) -> Result<JobDescription, Box<Outcome>> {
    let broken = |why: String| {
        Box::new(Outcome::new(
            Phase::Failed,
            Reason::InternalError,
            format!("the job description {} cannot be used: {why}", path.display()),
        ))
    };
    let text = std::fs::read_to_string(path).map_err(|error| broken(error.to_string()))?;
    let job: JobDescription = serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
    if job.format_version != FORMAT_VERSION {
        return Err(broken(format!(
            "it has format version {}, this worker reads {FORMAT_VERSION}: operator and worker image differ",
            job.format_version
        )));
    }
    Ok(job)
}

/// Carries a job out until it ends, the deadline comes, or SIGTERM or SIGINT asks for a stop.
pub async fn carry_out(job: &JobDescription, context: &Context) -> std::io::Result<Outcome> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let deadline = tokio::time::sleep(Duration::from_secs(u64::from(job.deadline_seconds)));
    tokio::pin!(deadline);
    let work = task::carry_out(&job.task, job.parallelism, context);
    tokio::pin!(work);
    // After the first of these the task is asked to stop once; it ends by itself soon after.
    let outcome = loop {
        tokio::select! {
            outcome = &mut work => break outcome,
            () = &mut deadline, if !context.cancel.is_cancelled() => {
                tracing::warn!(seconds = job.deadline_seconds, "the deadline has come: stopping, the journal is kept");
                context.cancel.cancel();
            }
            _ = terminate.recv(), if !context.cancel.is_cancelled() => {
                tracing::warn!("asked to stop by SIGTERM: stopping, the journal is kept");
                context.cancel.cancel();
            }
            _ = interrupt.recv(), if !context.cancel.is_cancelled() => {
                tracing::warn!("asked to stop by SIGINT: stopping, the journal is kept");
                context.cancel.cancel();
            }
        }
    };
    if !context.cancel.is_cancelled() {
        context.result.wait_fetched(RESULT_STAYS).await;
    }
    Ok(outcome)
}

/// The exit code that tells Kubernetes what to do with the Job.
pub fn exit_code(outcome: &Outcome) -> ExitCode {
    match outcome.phase {
        Phase::Succeeded | Phase::PartiallySucceeded => ExitCode::Done,
        Phase::Pending | Phase::InProgress | Phase::Canceled => ExitCode::Stopped,
        Phase::Failed if outcome.reason.is_configuration() => ExitCode::Configuration,
        Phase::Failed => ExitCode::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_follow_the_outcome() {
        for (phase, reason, code) in [
            (Phase::Succeeded, Reason::Succeeded, ExitCode::Done),
            (Phase::PartiallySucceeded, Reason::ObjectsIncomplete, ExitCode::Done),
            (Phase::InProgress, Reason::Stopped, ExitCode::Stopped),
            (Phase::Failed, Reason::OrgUnreachable, ExitCode::Failed),
            (Phase::Failed, Reason::SecretNotFound, ExitCode::Configuration),
            (Phase::Failed, Reason::WrongEncryptionKey, ExitCode::Configuration),
        ] {
            assert_eq!(exit_code(&Outcome::new(phase, reason, "")), code, "{phase:?} {reason}");
        }
    }

    #[test]
    fn a_job_of_another_format_is_refused_with_the_reason() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), r#"{"formatVersion": 99}"#).unwrap();
        let refused = read_job(file.path()).unwrap_err();
        assert_eq!(refused.phase, Phase::Failed);
        assert!(refused.message.contains("cannot be used"), "{}", refused.message);
        assert!(
            read_job(Path::new("/nonexistent/job.json"))
                .unwrap_err()
                .message
                .contains("/nonexistent/job.json")
        );
    }
}
