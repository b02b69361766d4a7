//! The work of a job: its file looked through, its batches written by several threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::job::{End, IngestJob, Work};
use crate::bulk::load::{CHUNK, Source, scan};
use crate::faults::{JobFault, Part};
use crate::web::Spooled;

/// Batches of a job at the same time.
const PARALLEL: usize = 4;

/// Begins, on threads of its own.
pub(super) fn start(job: &Arc<IngestJob>) {
    let job = job.clone();
    tokio::task::spawn_blocking(move || work(&job));
}

fn work(job: &Arc<IngestJob>) {
    let (file, fault) = job.begin();
    match &fault {
        Some(JobFault::Fail(message)) => return job.end(End::Failed(message.clone())),
        Some(JobFault::Hang) => return,
        _ => {}
    }
    // rows that are written before it ends, and how it ends then
    let early = match &fault {
        Some(JobFault::FailAfter(part)) => Some((written(part), End::Failed(words(part)))),
        Some(JobFault::AbortAfter(part)) => Some((written(part), End::Aborted)),
        _ => None,
    };
    let file = file.unwrap_or_else(|| Arc::new(Spooled::of(bytes::Bytes::new())));
    let layout = job.layout();
    let scanned = match scan(&file, layout) {
        Ok(scanned) => scanned,
        Err(message) => return job.end(End::Failed(message)),
    };
    let work = Arc::new(Work::new(Source { file, layout, scanned }));
    if !work.source.scanned.names.is_empty()
        && let Err(message) = job.load.columns(&job.load.org.now(), &work.source.scanned.names)
    {
        job.set_work(work);
        return job.end(End::Failed(message));
    }
    job.set_work(work.clone());
    let next = Arc::new(AtomicUsize::new(0));
    let most = early.as_ref().map_or(usize::MAX, |(rows, _)| *rows);
    let failure: Mutex<Option<String>> = Mutex::default();
    let run = || {
        if let Err(message) = batches(job, &work, &next, most) {
            failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(message);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..work.batches.len().min(PARALLEL) {
            scope.spawn(run);
        }
        run();
    });
    let failure = failure.into_inner().unwrap_or_else(PoisonError::into_inner);
    job.end(match (failure, early) {
        (Some(message), _) => End::Failed(message),
        (None, Some((rows, end))) if rows < work.source.scanned.rows() => end,
        _ => End::Complete,
    });
}

fn written(part: &Part) -> usize {
    usize::try_from(part.written()).unwrap_or(usize::MAX).div_ceil(CHUNK).saturating_mul(CHUNK)
}

fn words(part: &Part) -> String {
    let usual = "InternalServerError : Retried more than fifteen times. Last error: unexpected error";
    part.message.clone().unwrap_or_else(|| usual.to_owned())
}

/// Takes one batch after the other. The error is why there is no next one; those that others work on go on.
fn batches(job: &IngestJob, work: &Work, next: &AtomicUsize, most: usize) -> Result<(), String> {
    while let Some(batch) = work.batches.get(next.fetch_add(1, Ordering::Relaxed)) {
        if job.is_stopped() || batch.rows.start >= most {
            break;
        }
        if !job.load.org.limits.bulk_batches.take() {
            return Err("ExceededQuota : ApiBatchItems Limit exceeded.".to_owned());
        }
        let began = Instant::now();
        let ends = |row: usize| job.is_stopped() || row >= most;
        let columns = job.load.columns(&job.load.org.now(), &work.source.scanned.names);
        let done = columns.and_then(|mut columns| {
            job.load.write_rows(&mut columns, &work.source, batch.rows.clone(), &batch.outcomes, ends)
        });
        let outcomes = batch.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        job.count(outcomes.len(), outcomes.failed(), began.elapsed());
        job.load.org.ingest_jobs.1.count(outcomes.len() as u64, began.elapsed());
        drop(outcomes);
        done?;
    }
    Ok(())
}
