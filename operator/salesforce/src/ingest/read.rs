//! A job's three results, read whole and joined; one that breaks off is read again from its beginning.

use super::job::{IngestJob, ResultFile};
use super::join::{Id, ResultRow, Slot, Slots};
use super::part::{Part, content_hash};
use crate::bulk::csv::CsvRows;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::transport::Body;
use crate::write::Target;

/// Times that a result is read which breaks off or is not well formed.
const TRIES: u32 = 4;

/// Reads the job's results: every row that they tell of.
pub(crate) async fn results(
    client: &Client,
    job: &IngestJob,
    target: &Target,
    part: &Part,
    slots: &mut Slots,
) -> Result<Vec<ResultRow>> {
    let mut rows = Vec::new();
    for file in ResultFile::ALL {
        let mut failed = 0;
        loop {
            let before = rows.len();
            match one(job, file, target, part, slots, &mut rows).await {
                Ok(()) => break,
                Err(error @ (Error::PageCut { .. } | Error::PageWrong { .. })) => {
                    failed += 1;
                    rows.truncate(before);
                    if failed == TRIES {
                        return Err(error);
                    }
                    tracing::warn!(%error, "the result is read again");
                    tokio::time::sleep(client.transport().pause(failed)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(rows)
}

async fn one(
    job: &IngestJob,
    file: ResultFile,
    target: &Target,
    part: &Part,
    slots: &mut Slots,
    rows: &mut Vec<ResultRow>,
) -> Result<()> {
    let own = file.own_columns();
    let mut columns: Vec<String> = own.iter().map(|&name| name.to_owned()).collect();
    columns.extend(target.columns.iter().map(|column| column.name.clone()));
    let key_place = Some(part.key_hashes.is_empty()).filter(|none| !none).and_then(|_| target.key_place());
    let mut csv = CsvRows::new(&columns);
    let mut body = job.results(file).await?;
    let mut read: u64 = 0;
    let page = || format!("{file:?}");
    let unprocessed = slots.why("the job ended before it took the row up");
    let mut scratch = Vec::new();
    loop {
        let chunk = body.chunk().await.map_err(|detail| Error::PageCut {
            object: target.object.clone(),
            job: job.id.to_string(),
            page: page(),
            offset: read,
            detail,
        })?;
        let wrong = |offset: u64, detail: String| Error::PageWrong {
            object: target.object.clone(),
            job: job.id.to_string(),
            page: page(),
            offset,
            detail,
        };
        match &chunk {
            Some(chunk) => {
                read += chunk.len() as u64;
                if let Err(flaw) = csv.push(chunk) {
                    // A job that failed before its rows were looked at has a header of its own and no rows (K).
                    if flaw.row == 0 && is_header_alone(&mut body, chunk).await {
                        return Ok(());
                    }
                    return Err(wrong(read, flaw.to_string()));
                }
            }
            // no rows at all may come without a header line (K)
            None if read == 0 => return Ok(()),
            None => csv.end_page().map_err(|flaw| wrong(read, flaw.to_string()))?,
        }
        while let Some(row) = csv.pop() {
            let cell = |at: usize| row.get(at).and_then(Option::as_deref);
            let slot = match file {
                ResultFile::Successful => {
                    let id =
                        cell(0).and_then(Id::of).ok_or_else(|| wrong(read, "a row without an id".into()))?;
                    Slot::Succeeded { id, created: cell(1).map(|text| text == "true") }
                }
                ResultFile::Failed => slots.failed(cell(1).unwrap_or_default()),
                ResultFile::Unprocessed => Slot::Unprocessed(unprocessed),
            };
            let sent = row.iter().skip(own.len()).map(Option::as_deref);
            let content = content_hash(sent, &mut scratch);
            let key = key_place
                .map_or(0, |place| content_hash(std::iter::once(cell(own.len() + place)), &mut scratch));
            rows.push(ResultRow { content, key, slot });
        }
        if chunk.is_none() {
            return Ok(());
        }
    }
}

/// Whether nothing follows the first line.
async fn is_header_alone(body: &mut Body, first: &[u8]) -> bool {
    let mut rest = first.iter().skip_while(|byte| **byte != b'\n').skip(1);
    if rest.any(|byte| !byte.is_ascii_whitespace()) || !first.contains(&b'\n') {
        return false;
    }
    loop {
        match body.chunk().await {
            Ok(None) => return true,
            Ok(Some(more)) if more.iter().all(u8::is_ascii_whitespace) => {}
            _ => return false,
        }
    }
}
