//! How fast rows become encrypted Parquet, beside memcpy and zstd 1 on the same bytes in the same run.
//!
//! `cargo run --release --example codec -- [CSV SCHEMA.json] [--out DIR] [--batch-rows N]
//! [--group-rows N]`; without a file a table of 60 columns is
//! made up. Figures are per second of CPU of this one thread, so that a loaded machine does not distort them.
//! `--out` keeps the parts, encrypted with 32 bytes of 7, for a look by other readers.

use std::error::Error;

use orgkeep_vault::codec::{PartKey, PartWriter, Settings, check_part};
use orgkeep_vault::read::{PartRef, Rows, write_csv};

mod made_up;
mod stages;

use made_up::made_up;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

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

    let mut target = csv.clone();
    let (copy, ()) = timed(|| {
        target.copy_from_slice(std::hint::black_box(&csv));
        Ok(())
    })?;
    drop(target);
    let (zstd, compressed) = timed(|| compress(&csv))?;
    let key = PartKey::new(&[7; 32], *b"");
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
    println!(
        "where writing goes, µs a row (each stage by itself; the rest: typing cells, sorting, encryption):"
    );
    let mut rest = whole;
    for (stage, took) in stages::stages(&csv, &schema, &parts, &key)? {
        println!("  {stage:<18} {:>8.2}", took * 1e6 / rows as f64);
        rest -= took;
    }
    println!("  {:<18} {:>8.2}", "the rest", rest * 1e6 / rows as f64);
    println!("  {:<18} {:>8.2}", "all", whole * 1e6 / rows as f64);

    if let Some(folder) = out {
        for (at, part) in parts.iter().enumerate() {
            std::fs::write(format!("{folder}/{at:04}.parquet"), &part.bytes)?;
        }
    }
    Ok(())
}

/// CPU seconds of this thread that something takes.
pub(crate) fn timed<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<(f64, T)> {
    let before = cpu()?;
    let value = work()?;
    Ok(((cpu()? - before).max(1e-9), value))
}

fn cpu() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos: f64 = stat.split_whitespace().next().ok_or("no schedstat")?.parse()?;
    Ok(nanos / 1e9)
}

/// The bytes through zstd 1 in pages of a megabyte, into the same memory each time; how many come out.
fn compress(bytes: &[u8]) -> Outcome<usize> {
    let mut compressor = zstd::bulk::Compressor::new(1)?;
    let mut page = vec![0; 2 << 20];
    let mut all = 0;
    for chunk in bytes.chunks(1 << 20) {
        all += compressor.compress_to_buffer(chunk, page.as_mut_slice())?;
    }
    Ok(all)
}
