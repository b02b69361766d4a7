//! Results of a load: the rows that were written, that failed, and that nothing was done with. They have the columns
//! and the format of the upload, every value in quotes, and another order than the upload.

use std::io::{self, Write};
use std::sync::{Arc, PoisonError};

use super::job::{Batch, IngestJob, Made, Work};
use crate::bulk::csv::Format;
use crate::bulk::load::{Outcome, split, words, write_values};
use crate::web::{Answer, ApiError, Spooled};

/// Bytes that are gathered before they are handed on, and that are read at once.
const PIECE: usize = 128 * 1024;

/// Which rows are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Successful,
    Failed,
    Unprocessed,
}

/// Answers the three resources.
pub(super) fn answer(job: &Arc<IngestJob>, kind: &str) -> Result<Answer, ApiError> {
    let kind = match kind {
        "successfulResults" => Kind::Successful,
        "failedResults" => Kind::Failed,
        _ => Kind::Unprocessed,
    };
    let Made { work, file } = job.results()?;
    let job = job.clone();
    Ok(Answer::stream(
        "text/csv",
        Box::new(move |out| match (work, file) {
            (Some(work), _) => write(&job, &work, kind, out),
            // the file could not be taken apart
            (None, Some(file)) if kind == Kind::Unprocessed => copy(&file, out),
            _ => header(&[], job.format, kind, out),
        }),
    ))
}

fn copy(file: &Spooled, out: &mut dyn Write) -> io::Result<()> {
    let mut at = 0;
    loop {
        let piece = file.read_at(at, PIECE)?;
        if piece.is_empty() {
            return Ok(());
        }
        out.write_all(&piece)?;
        at += piece.len() as u64;
    }
}

fn header(names: &[String], format: Format, kind: Kind, out: &mut dyn Write) -> io::Result<()> {
    let own: &[&str] = match kind {
        Kind::Successful => &["sf__Id", "sf__Created"],
        Kind::Failed => &["sf__Id", "sf__Error"],
        Kind::Unprocessed => &[],
    };
    let mut line = Vec::new();
    let names = own.iter().copied().chain(names.iter().map(String::as_str));
    write_values(names, format.delimiter(), format.is_crlf(), &mut line);
    out.write_all(&line)
}

fn write(job: &IngestJob, work: &Work, kind: Kind, out: &mut dyn Write) -> io::Result<()> {
    header(&work.source.scanned.names, job.format, kind, out)?;
    let serial = job.created_at.unsigned_abs();
    let order = |count: usize| order(count, serial, job.facts.ingest_in_order);
    let mut text = Vec::with_capacity(PIECE + 16 * 1024);
    for batch in order(work.batches.len()) {
        write_batch(job, work, &work.batches[batch], kind, &order, &mut text, out)?;
    }
    out.write_all(&text)
}

fn write_batch<I: Iterator<Item = usize>>(
    job: &IngestJob,
    work: &Work,
    batch: &Batch,
    kind: Kind,
    order: &impl Fn(usize) -> I,
    text: &mut Vec<u8>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let outcomes = batch.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
    let none = match kind {
        Kind::Successful => outcomes.len() == outcomes.failed(),
        Kind::Failed => outcomes.failed() == 0,
        Kind::Unprocessed => outcomes.len() == batch.rows.len(),
    };
    if none {
        return Ok(());
    }
    let scanned = &work.source.scanned;
    let (from, bytes) = scanned.place(batch.rows.clone());
    let piece = work.source.file.read_at(from, bytes)?;
    for number in order(batch.rows.len()) {
        let (id, second) = match (outcomes.get(number), kind) {
            (Outcome::Done { id, created }, Kind::Successful) => (Some(id), created.to_string()),
            (Outcome::Failed { id, refusal }, Kind::Failed) => (id, words(&refusal)),
            (Outcome::Unprocessed, Kind::Unprocessed) => (None, String::new()),
            _ => continue,
        };
        let row = String::from_utf8_lossy(scanned.row(&piece, batch.rows.start, batch.rows.start + number));
        let mut values = Vec::new();
        if split(&row, job.format.delimiter(), &mut values).is_err() {
            // what cannot be taken apart stands in the first column
            values = vec![row.clone()];
        }
        values.resize(scanned.names.len().max(values.len()), "".into());
        let id = id.map(|id| id.to_string()).unwrap_or_default();
        let own = [id.as_str(), second.as_str()];
        let own = if kind == Kind::Unprocessed { &[] } else { own.as_slice() };
        let values = own.iter().copied().chain(values.iter().map(AsRef::as_ref));
        write_values(values, job.format.delimiter(), job.format.is_crlf(), text);
        if text.len() >= PIECE {
            out.write_all(text)?;
            text.clear();
        }
    }
    Ok(())
}

/// The numbers below `count` in an order that is always the same for the same job, and seldom their own.
fn order(count: usize, seed: u64, is_own: bool) -> impl Iterator<Item = usize> {
    let step = if is_own { 1 } else { step(count, seed) };
    let first = if is_own { 0 } else { (seed % (count.max(1) as u64)) as usize };
    (0..count).map(move |number| (first + number * step) % count)
}

/// A number that has no divisor in common with `count`, so that steps of it come by every number once.
fn step(count: usize, seed: u64) -> usize {
    let divisor = |mut a: usize, mut b: usize| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    if count < 2 {
        return 1;
    }
    let wanted = count / 2 + (seed % 97) as usize + 1;
    // among so many numbers in a row there is one
    (wanted..=wanted + count).find(|step| divisor(*step, count) == 1).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_comes_once_and_not_in_its_order() {
        for count in [0, 1, 2, 3, 7, 200, 9_999, 10_000] {
            for seed in [0, 5, 1_700_000_000_123] {
                let mut seen: Vec<usize> = order(count, seed, false).collect();
                assert!(count < 3 || seen.iter().enumerate().any(|(at, row)| at != *row), "{count} {seed}");
                seen.sort_unstable();
                assert!(seen.into_iter().eq(0..count), "{count} {seed}");
            }
            assert!(order(count, 3, true).eq(0..count));
        }
    }
}
