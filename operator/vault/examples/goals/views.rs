//! Exports of a table in every form, bundles, and what a Delta table costs when a day is added to it.

use std::fs;
use std::path::Path;

use orgkeep_core::schema::ObjectSchema;
use orgkeep_vault::bundle::{self, Selection};
use orgkeep_vault::change::Rule;
use orgkeep_vault::codec::Settings;
use orgkeep_vault::export::{Compression, Format, Options, What, export};
use orgkeep_vault::{Location, Manifest};

use crate::Outcome;
use crate::history::{Tables, size};
use crate::meter::{Meter, Used};
use crate::world::World;

/// Shares of the rows that change on each day.
const DAYS: [&str; 2] = ["0.001", "0.01"];

/// Measures.
pub(crate) async fn measure(program: &str, object: &str, rows: &str, folder: &Path) -> Outcome<()> {
    let (schema, csv) = (folder.join("schema.json"), folder.join("rows.csv"));
    let tables = |rate| Tables { program, object, rows, rate };
    tables("0.001").make(0, "schema", &schema)?;
    let schema: ObjectSchema = serde_json::from_slice(&fs::read(schema)?)?;
    let mut world = World::new(&folder.join("vault"), &schema).await?;
    tables("0.001").make(0, "full", &csv)?;
    let (first, _) = world.full(&mut fs::File::open(&csv)?, Settings::default()).await?;
    let mut last = first.clone();
    let mut snapshots = vec![first];
    for (day, rate) in (1..).zip(DAYS) {
        tables(rate).make(day, "incr", &csv)?;
        last = world.delta(&csv, Some(&Rule::default())).await?;
        snapshots.push(last.clone());
    }
    fs::remove_file(&csv)?;
    println!("| export | rows | files | CPU-s | rows/CPU-s | MB | RSS, MiB |\n|---|---|---|---|---|---|---|");
    let identity = age::x25519::Identity::generate().to_public().to_string();
    let plain = Options::new;
    let ways = [
        ("CSV", plain(Format::Csv)),
        ("CSV, gzip", Options { compression: Compression::Gzip, ..plain(Format::Csv) }),
        ("CSV, zstd", Options { compression: Compression::Zstd, ..plain(Format::Csv) }),
        (
            "CSV, zstd, age",
            Options {
                compression: Compression::Zstd,
                encrypt_to: vec![identity.clone()],
                ..plain(Format::Csv)
            },
        ),
        ("JSON lines", plain(Format::Json)),
        ("JSON lines, zstd", Options { compression: Compression::Zstd, ..plain(Format::Json) }),
        ("Parquet", plain(Format::Parquet)),
        ("Parquet, encrypted", Options { encrypt_to: vec![identity], ..plain(Format::Parquet) }),
        (
            "changes since the first day, Parquet",
            Options { what: What::Changes { since: Some(1) }, ..plain(Format::Parquet) },
        ),
    ];
    for (name, options) in ways {
        let out = folder.join("out");
        run(&world, &last, &out, &options, name).await?;
        fs::remove_dir_all(&out)?;
    }
    let out = folder.join("delta");
    for (at, manifest) in snapshots.iter().enumerate() {
        let name = match at.checked_sub(1).and_then(|day| DAYS.get(day)) {
            None => "Delta, the first version".to_owned(),
            Some(rate) => format!("Delta, a day with {rate} of the rows changed"),
        };
        run(&world, manifest, &out, &plain(Format::Delta), &name).await?;
    }
    fs::remove_dir_all(&out)?;
    let file = folder.join("bundle.tar");
    let start = Meter::start()?;
    let to = std::io::BufWriter::with_capacity(1 << 20, fs::File::create(&file)?);
    bundle::create(&world.vault, &Selection::default(), to, |_| {}).await?;
    told("bundle, made", 0, 1, fs::metadata(&file)?.len(), &start.stop()?);
    let target = Location::Volume(folder.join("applied")).open().await?;
    let start = Meter::start()?;
    let done = bundle::apply(std::io::BufReader::new(fs::File::open(&file)?), &target, None, |_| {}).await?;
    told("bundle, applied", 0, done.files, done.bytes, &start.stop()?);
    Ok(())
}

async fn run(world: &World, manifest: &Manifest, out: &Path, options: &Options, name: &str) -> Outcome<()> {
    let target = Location::Volume(out.to_owned()).open().await?;
    let before = if out.exists() { size(out)? } else { 0 };
    let start = Meter::start()?;
    let done = export(&world.vault, manifest, &target, options, |_| {}).await?;
    let used = start.stop()?;
    told(name, done.rows, done.files, size(out)? - before, &used);
    Ok(())
}

fn told(name: &str, rows: u64, files: u64, bytes: u64, used: &Used) {
    let speed = rows as f64 / used.cpu;
    let (cpu, mb, rss) = (used.cpu, bytes as f64 / 1e6, used.rss);
    println!("| {name} | {rows} | {files} | {cpu:.2} | {speed:.0} | {mb:.1} | {rss:.0} |");
}
