//! Memory whatever the size: a full backup written into a vault, read back and verified. A row of a table: what, rows,
//! columns, MB of CSV, MB/CPU-s, most resident memory of writing, reading and verifying in MiB (what lay there before
//! not counted), and whether the writer kept to its 128 MiB.

use std::io::Read;
use std::path::Path;

use orgkeep_core::schema::ObjectSchema;
use orgkeep_vault::codec::Settings;
use orgkeep_vault::verify;

use crate::Outcome;
use crate::meter::Meter;
use crate::world::World;

/// Most of a long text area: <https://developer.salesforce.com/docs/atlas.en-us.api_meta.meta/api_meta/customfield.htm>.
const LONGEST: usize = 131_072;
/// The writer's bound, MiB.
const BOUND: f64 = 128.0;

/// Measures with a CSV as Bulk delivers it.
pub(crate) async fn measure(schema: &ObjectSchema, csv: &mut impl Read, folder: &Path) -> Outcome<()> {
    let mut world = World::new(folder, schema).await?;
    let mut counted = Counted { inner: csv, bytes: 0 };
    let start = Meter::start()?;
    let (manifest, rows) = world.full(&mut counted, Settings::default()).await?;
    let written = start.stop()?;
    let state = world.state(&manifest).await?;
    let (_, read) = world.read(&state).await?;
    let start = Meter::start()?;
    let report = verify::verify(&world.vault, &verify::Options { full: true, ..Default::default() }).await?;
    if !report.is_good() {
        return Err(format!("{:?}", report.problems).into());
    }
    let verified = start.stop()?;
    let megabytes = counted.bytes as f64 / 1e6;
    println!(
        "| {} | {rows} | {} | {megabytes:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {} |",
        schema.name,
        schema.columns().count(),
        megabytes / written.cpu,
        written.rss,
        read.rss,
        verified.rss,
        if written.rss <= BOUND { "met" } else { "missed" }
    );
    Ok(())
}

/// Counts what is read.
struct Counted<'a, R> {
    inner: &'a mut R,
    bytes: u64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let many = self.inner.read(buffer)?;
        self.bytes += many as u64;
        Ok(many)
    }
}

/// Of the rows with the longest text.
pub(crate) fn long_schema() -> Outcome<ObjectSchema> {
    Ok(serde_json::from_value(serde_json::json!({"name": "Long", "keyPrefix": "a00", "fields": [
        {"name": "Id", "type": "id"}, {"name": "SystemModstamp", "type": "datetime"},
        {"name": "Text__c", "type": "textarea"},
    ]}))?)
}

/// A CSV of rows whose text is as long as it can be, made as it is read.
pub(crate) struct LongRows {
    rows: u64,
    row: u64,
    line: Vec<u8>,
    at: usize,
}

impl LongRows {
    /// So many.
    pub(crate) fn new(rows: u64) -> Self {
        Self { rows, row: 0, line: b"\"Id\",\"SystemModstamp\",\"Text__c\"\n".to_vec(), at: 0 }
    }

    /// Words of a few letters, none like the one before.
    fn fill(&mut self) {
        let mut random = self.row.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        self.line.clear();
        self.at = 0;
        let id = format!("\"a00{:012}AAA\",\"2026-01-01T00:00:00.000Z\",\"", self.row);
        self.line.extend_from_slice(id.as_bytes());
        let end = self.line.len() + LONGEST;
        while self.line.len() < end {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let word =
                random.to_be_bytes().map(|byte| b"abcdefghijklmnopqrstuvwxyz      "[usize::from(byte) % 32]);
            self.line.extend_from_slice(&word);
        }
        self.line.truncate(end);
        self.line.extend_from_slice(b"\"\n");
        self.row += 1;
    }
}

impl Read for LongRows {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.line.len() {
            if self.row == self.rows {
                return Ok(0);
            }
            self.fill();
        }
        let many = buffer.len().min(self.line.len() - self.at);
        buffer[..many].copy_from_slice(&self.line[self.at..self.at + many]);
        self.at += many;
        Ok(many)
    }
}
