//! How fast rows become encrypted Parquet, beside memcpy and zstd 1 on the same bytes in the same run.
//!
//! `cargo run --release --example codec -- [CSV SCHEMA.json] [--out DIR] [--batch-rows N]
//! [--group-rows N]`; without a file a table of 60 columns is
//! made up. Figures are per second of CPU of this one thread, so that a loaded machine does not distort them.
//! `--out` keeps the parts, encrypted with 32 bytes of 7, for a look by other readers.

use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, RecordBatch};
use bytes::Bytes;
use orgkeep_core::id::SalesforceId;
use orgkeep_core::schema::ObjectSchema;
use orgkeep_vault::codec::{PartKey, PartWriter, Settings, arena::Arena, check_part, csv::Splitter};
use orgkeep_vault::read::{PartRef, Rows, write_csv};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let mut files = Vec::new();
    let mut out = None;
    let mut settings = Settings::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--out" => out = arguments.next(),
            "--batch-rows" => settings.batch_rows = arguments.next().ok_or("no number")?.parse()?,
            "--group-rows" => settings.group_rows = arguments.next().ok_or("no number")?.parse()?,
            _ => files.push(argument),
        }
    }
    let (csv, schema) = match files.as_slice() {
        [csv, schema] => (std::fs::read(csv)?, serde_json::from_slice(&std::fs::read(schema)?)?),
        _ => made_up(200_000)?,
    };
    let megabytes = csv.len() as f64 / 1e6;

    let (copy, copied) = timed(|| Ok(csv.clone()))?;
    drop(copied);
    let (zstd, compressed) = timed(|| compress(&csv))?;
    let names = schema.columns().map(|field| field.name.clone()).collect();
    let (split, ()) = timed(|| {
        let mut splitter = Splitter::new(names, Some(0));
        let mut arena = Arena::new(schema.columns().count());
        for mut chunk in csv.chunks(64 << 10) {
            while !chunk.is_empty() {
                chunk = &chunk[splitter.push(chunk, &mut arena, 4 << 20)?..];
                if arena.bytes() >= 4 << 20 {
                    arena.clear();
                }
            }
        }
        Ok(())
    })?;
    let key = PartKey::new(&[7; 32], *b"");
    // Forgets the peak of what came before.
    std::fs::write("/proc/self/clear_refs", "5")?;
    let before = peak()?;
    let (whole, (rows, parts)) = timed(|| {
        let mut writer = PartWriter::new(&schema, Some(&key), settings.clone())?;
        let mut parts = Vec::new();
        for chunk in csv.chunks(64 << 10) {
            writer.push_csv(chunk)?;
            parts.append(&mut writer.take_parts());
        }
        let rows = writer.end_page()?;
        parts.append(&mut writer.finish()?);
        Ok((rows, parts))
    })?;
    let written: u64 = parts.iter().map(|part| part.facts.bytes).sum();
    let peak_writer = peak()? - before - written as f64;
    let (checking, ()) = timed(|| {
        for part in &parts {
            check_part(part.bytes.clone(), Some(&key))?;
        }
        Ok(())
    })?;
    let refs = parts
        .iter()
        .enumerate()
        .map(|(at, part)| PartRef {
            path: at.to_string(),
            min_id: part.facts.min_id,
            max_id: part.facts.max_id,
        })
        .collect();
    let (reading, back) = timed(|| {
        let mut rows = Rows::new(&schema, None, refs, |part: &PartRef| {
            Ok((parts[part.path.parse::<usize>()?].bytes.clone().into(), Some(key.clone())))
        })?;
        Ok(write_csv(&mut rows, &mut std::io::sink())?)
    })?;
    assert_eq!(back, rows, "rows read back");

    println!("{rows} rows, {} columns, {megabytes:.0} MB of CSV", schema.columns().count());
    println!("memcpy               {:>8.0} MB/CPU-s", megabytes / copy);
    println!(
        "zstd 1 of the CSV    {:>8.0} MB/CPU-s, to {:.3}",
        megabytes / zstd,
        compressed as f64 / megabytes / 1e6
    );
    println!("split                {:>8.0} MB/CPU-s", megabytes / split);
    println!(
        "CSV to parts         {:>8.0} MB/CPU-s, {:.0} rows/CPU-s, {:.2} of zstd 1, to {:.3} in {} parts",
        megabytes / whole,
        rows as f64 / whole,
        zstd / whole,
        written as f64 / megabytes / 1e6,
        parts.len()
    );
    println!(
        "check of parts       {:>8.0} MB/CPU-s of CSV, {:.0} rows/CPU-s",
        megabytes / checking,
        rows as f64 / checking
    );
    println!(
        "parts to CSV         {:>8.0} MB/CPU-s, {:.0} rows/CPU-s",
        megabytes / reading,
        rows as f64 / reading
    );
    println!("memory of the writer {:>8.0} MB at its peak, parts not counted", peak_writer / 1e6);

    if let Some(folder) = out {
        for (at, part) in parts.iter().enumerate() {
            std::fs::write(format!("{folder}/{at:04}.parquet"), &part.bytes)?;
        }
    }
    Ok(())
}

/// CPU seconds of this thread that something takes.
fn timed<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<(f64, T)> {
    let before = cpu()?;
    let value = work()?;
    Ok(((cpu()? - before).max(1e-9), value))
}

fn cpu() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos: f64 = stat.split_whitespace().next().ok_or("no schedstat")?.parse()?;
    Ok(nanos / 1e9)
}

/// Largest resident memory so far, bytes.
fn peak() -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim_end_matches("kB").trim().parse::<f64>()? * 1024.0)
}

/// The bytes through zstd 1 in pages of a megabyte; how many come out.
fn compress(bytes: &[u8]) -> Outcome<usize> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_data_page_size_limit(1)
        .build();
    let blob = |chunk| Arc::new(BinaryArray::from_vec(vec![chunk])) as ArrayRef;
    let first = RecordBatch::try_from_iter([("b", blob(&bytes[..0]))])?;
    let mut writer = ArrowWriter::try_new(Vec::new(), first.schema(), Some(properties))?;
    for chunk in bytes.chunks(1 << 20) {
        writer.write(&RecordBatch::try_from_iter([("b", blob(chunk))])?)?;
    }
    Ok(Bytes::from(writer.into_inner()?).len())
}

/// A table of 60 columns, four in ten cells filled, rows in no order.
fn made_up(rows: u64) -> Outcome<(Vec<u8>, ObjectSchema)> {
    let kinds =
        ["string", "picklist", "reference", "currency", "boolean", "date", "datetime", "int", "textarea"];
    let mut fields = vec![
        serde_json::json!({"name": "Id", "type": "id"}),
        serde_json::json!({"name": "SystemModstamp", "type": "datetime"}),
    ];
    for at in 0..58 {
        fields.push(serde_json::json!({"name": format!("Field{at:02}__c"), "type": kinds[at % kinds.len()],
            "precision": 18, "scale": 2}));
    }
    let schema: ObjectSchema = serde_json::from_value(serde_json::json!({"name": "Made", "fields": fields}))?;
    let names: Vec<String> = schema.columns().map(|field| format!("\"{}\"", field.name)).collect();
    let mut csv = names.join(",") + "\n";
    let mut random = Random(1);
    for row in 0..rows {
        let id = SalesforceId::parse(&format!("a00{:012}", row * 7919 % rows))?;
        write!(
            csv,
            "\"{id}\",\"2026-{:02}-{:02}T10:11:12.000Z\"",
            random.below(12) + 1,
            random.below(28) + 1
        )?;
        for at in 0..58 {
            csv.push_str(",\"");
            if random.below(10) < 4 || kinds[at % kinds.len()] == "boolean" {
                cell(kinds[at % kinds.len()], &mut random, &mut csv)?;
            }
            csv.push('"');
        }
        csv.push('\n');
    }
    Ok((csv.into_bytes(), schema))
}

fn cell(kind: &str, random: &mut Random, csv: &mut String) -> Outcome<()> {
    const WORDS: [&str; 12] = [
        "north",
        "acme",
        "global",
        "media",
        "partner",
        "logistics",
        "energy",
        "prime",
        "river",
        "stone",
        "union",
        "works",
    ];
    let words = match kind {
        "textarea" => 6 + random.below(10),
        "string" => 2,
        "picklist" => 1,
        _ => 0,
    };
    for at in 0..words {
        let space = if at > 0 { " " } else { "" };
        write!(csv, "{space}{}", WORDS[random.below(12) as usize])?;
    }
    match kind {
        "string" => write!(csv, " {}", random.below(1_000_000))?,
        "reference" => write!(csv, "{}", SalesforceId::parse(&format!("005{:012}", random.below(5000)))?)?,
        "currency" => write!(csv, "{}.{:02}", random.below(1_000_000), random.below(100))?,
        "boolean" => write!(csv, "{}", random.below(10) == 0)?,
        "date" => write!(csv, "2025-{:02}-{:02}", random.below(12) + 1, random.below(28) + 1)?,
        "datetime" => write!(csv, "2025-06-{:02}T{:02}:11:12.000Z", random.below(28) + 1, random.below(24))?,
        "int" => write!(csv, "{}", random.below(50_000))?,
        _ => {}
    }
    Ok(())
}

/// xorshift: the same table on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}
