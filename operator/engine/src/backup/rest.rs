//! Fetch by REST: few rows, or an object that Bulk refuses. Pages are gathered into parts of a bounded size.

use orgkeep_salesforce::RestQuery;

use super::encode::{self, Rows};
use super::shard::{Captured, Shard, Trouble, selection};

/// A part is written when so many rows, or so many bytes, have come together.
const PART_ROWS: usize = 20_000;
const PART_BYTES: usize = 16 << 20;
/// What a cell takes in memory besides its text.
const CELL_BYTES: usize = 40;

/// Reads the object from its first row: REST cursors do not survive their reader.
pub(super) async fn read(shard: &Shard<'_>, beginning: u64) -> Result<Captured, Trouble> {
    let (select, all) = selection(&shard.object.schema);
    write(shard, &format!("{beginning}-rest"), shard.work.client.query(&select, all)).await
}

/// Writes what a query gives; `reading` sets the names of its files apart from those of other readings.
pub(super) async fn write(
    shard: &Shard<'_>,
    reading: &str,
    mut query: RestQuery,
) -> Result<Captured, Trouble> {
    let mut captured = Captured::default();
    let mut rows: Rows = Vec::new();
    let (mut bytes, mut part) = (0, 0);
    loop {
        let page = query.next_page().await.map_err(|error| Trouble::of(shard.name(), error))?;
        let last = page.is_none();
        if let Some(page) = page {
            captured.delivered = page.total_size;
            bytes += page
                .rows
                .iter()
                .flatten()
                .map(|cell| CELL_BYTES + cell.as_ref().map_or(0, String::len))
                .sum::<usize>();
            rows.extend(page.rows);
        }
        if !rows.is_empty() && (last || rows.len() >= PART_ROWS || bytes >= PART_BYTES) {
            part += 1;
            let _place = shard.work.pages.acquire().await;
            let name = format!("{reading}-{part:08}");
            let written = encode::rows(shard, &name, std::mem::take(&mut rows)).await?;
            captured.decoded += written.decoded;
            captured.parts.extend(written.parts);
            bytes = 0;
        }
        if last {
            return Ok(captured);
        }
    }
}
