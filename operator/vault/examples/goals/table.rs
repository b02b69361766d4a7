//! The goals: a table, each line with `met` or `missed`. Ratios are to limits measured in the same run.

use std::path::Path;

use orgkeep_core::schema::ObjectSchema;
use orgkeep_vault::change::Rule;
use orgkeep_vault::codec::{PartWriter, Settings};
use orgkeep_vault::verify;

use crate::Outcome;
use crate::limits::{Beside, Limits};
use crate::meter::Meter;
use crate::world::World;

/// Measures with a full table, and the changes of days on top of it.
pub(crate) async fn measure(
    schema: &ObjectSchema,
    full: &Path,
    days: &[String],
    folder: &Path,
) -> Outcome<()> {
    let size = std::fs::metadata(full)?.len() as f64;
    let limits = Limits::of(full)?;
    println!(
        "limits (MB/CPU-s): memcpy {:.0}, SHA-256 (two threads) {:.0}, AES-256-GCM {:.0}, xxh3 {:.0}",
        limits.memcpy, limits.sha256, limits.aes, limits.xxh3
    );
    println!("| figure | goal | here | |\n|---|---|---|---|");

    let mut world = World::new(&folder.join("one"), schema).await?;
    let mut csv = Beside::new(std::fs::File::open(full)?)?;
    let start = Meter::start()?;
    let (first, rows) = world.full(&mut csv, Settings::default()).await?;
    let mut used = start.stop()?;
    used.cpu -= csv.cpu;
    println!(
        "| zstd 1 on the CSV, measured in between, MB/CPU-s | | {:.0} (to {:.3}) | |",
        csv.speed(),
        csv.bytes[1] as f64 / size
    );
    let bytes: u64 = world.state(&first).await?.parts.iter().map(|part| part.size).sum();
    goal("CSV to parts in a vault, MB/CPU-s", 170.0, size / 1e6 / used.cpu);
    goal("… rows/CPU-s", 265_000.0, rows as f64 / used.cpu);
    goal("… of zstd 1 on the CSV", 0.55, size / 1e6 / used.cpu / csv.speed());
    println!("| … s of CPU: user, system | | {:.2}, {:.2} | |", used.cpu - used.system, used.system);
    most("size of the CSV, zstd 1", 0.23, bytes as f64 / size);
    most("… zstd 3", 0.215, encoded(schema, full, Settings { zstd_level: 3, ..Settings::default() })? / size);

    let state = world.state(&first).await?;
    let (read, used) = world.read(&state).await?;
    println!(
        "| point in time, base only, rows/CPU-s | | {:.0} ({read} rows, {:.0} MiB) | |",
        read as f64 / used.cpu,
        used.rss
    );

    let mut last = first.clone();
    let mut changed = 0;
    for (number, day) in days.iter().enumerate() {
        let start = Meter::start()?;
        last = world.delta(Path::new(day), None).await?;
        let used = start.stop()?;
        let entry = last.objects.first().ok_or("no object")?;
        let rows = entry.added.unwrap_or(0) + entry.updated.unwrap_or(0) + entry.deleted.unwrap_or(0);
        changed += rows;
        if number < 2 {
            println!(
                "| delta of {rows} changes | | {:.2} MB, {:.2} CPU-s, {:.0} MiB read, {:.0} MiB RSS | |",
                last.size_bytes as f64 / 1e6,
                used.cpu,
                used.read / 1_048_576.0,
                used.rss
            );
        }
    }
    let state = world.state(&last).await?;
    let (read, used) = world.read(&state).await?;
    let what = format!("point in time, {} deltas, all columns, rows/CPU-s", days.len());
    goal(&what, 500_000.0, read as f64 / used.cpu);
    most("… RSS, MiB", 256.0, used.rss);
    let csv = world.csv(&last).await?;
    println!("| … as CSV, rows/CPU-s | | {:.0} | |", read as f64 / csv.cpu);

    let before = world.state(&first).await?;
    let start = Meter::start()?;
    let (found, by_deltas) = world.compare(&world.vault.clone(), &before, &state).await?;
    let used = start.stop()?;
    goal("compare, same line, changed rows/CPU-s", 2e6, changed as f64 / used.cpu);
    println!("| … | | {found} differences, by deltas: {by_deltas} | |");

    let mut other = World::new(&folder.join("other"), schema).await?;
    let (second, _) = other.full(&mut std::fs::File::open(full)?, Settings::default()).await?;
    let second = other.state(&second).await?;
    let start = Meter::start()?;
    let (found, _) = world.compare(&other.vault.clone(), &before, &second).await?;
    let used = start.stop()?;
    let rows_compared = (before.rows + second.rows) as f64;
    goal("compare, different backups, rows/CPU-s", 20e6, rows_compared / used.cpu);
    most("… of the bytes read", 0.12, used.read / (2.0 * bytes as f64));
    most("… RSS, MiB", 32.0, used.rss);
    println!("| … | | {found} differences | |");

    let options = verify::Options { full: true, ..Default::default() };
    let before = Limits::of(full)?.sha256;
    let start = Meter::start()?;
    // Some rounds: the system counts CPU in hundredths of a second.
    let mut verified = 0;
    for _ in 0..10 {
        let report = verify::verify(&world.vault, &options).await?;
        if !report.is_good() {
            return Err(format!("{:?}", report.problems).into());
        }
        verified += report.bytes;
    }
    let used = start.stop()?;
    let sha256 = f64::midpoint(before, Limits::of(full)?.sha256);
    goal("verify all, of SHA-256", 0.7, verified as f64 / 1e6 / used.cpu / sha256);
    println!(
        "| … | | {:.0} MB/CPU-s, of which {:.0} % system, {:.0} MiB RSS | |",
        verified as f64 / 1e6 / used.cpu,
        100.0 * used.system / used.cpu,
        used.rss
    );

    let start = Meter::start()?;
    let rule = Rule { share: 10, pieces: 2, ..Rule::default() };
    let compacted = world.compact(&rule).await?;
    let used = start.stop()?;
    let after = world.state(&compacted).await?;
    println!(
        "| compaction of {} parts to {} | | {:.1} CPU-s, {:.0} MB written, {:.0} MiB RSS | |",
        state.parts.len(),
        after.parts.len(),
        used.cpu,
        compacted.size_bytes as f64 / 1e6,
        used.rss
    );
    let (read_after, used) = world.read(&after).await?;
    if read_after != read {
        return Err(format!("{read_after} rows after compaction, {read} before").into());
    }
    println!("| point in time after it, rows/CPU-s | | {:.0} | |", read_after as f64 / used.cpu);
    Ok(())
}

/// Bytes of the parts that a CSV makes.
fn encoded(schema: &ObjectSchema, csv: &Path, settings: Settings) -> Outcome<f64> {
    let mut writer = PartWriter::new(schema, None, settings)?;
    let mut bytes = 0;
    let mut csv = std::fs::File::open(csv)?;
    let mut chunk = vec![0; 256 << 10];
    loop {
        let many = std::io::Read::read(&mut csv, &mut chunk)?;
        if many == 0 {
            break;
        }
        writer.push_csv(&chunk[..many])?;
        bytes += writer.take_parts().iter().map(|part| part.facts.bytes).sum::<u64>();
    }
    writer.end_page()?;
    bytes += writer.finish()?.iter().map(|part| part.facts.bytes).sum::<u64>();
    Ok(bytes as f64)
}

fn goal(what: &str, least: f64, here: f64) {
    line(what, format!("≥ {}", short(least)), here, here >= least);
}

fn most(what: &str, most: f64, here: f64) {
    line(what, format!("≤ {}", short(most)), here, here <= most);
}

fn line(what: &str, goal: String, here: f64, met: bool) {
    println!("| {what} | {goal} | {} | {} |", short(here), if met { "met" } else { "missed" });
}

fn short(value: f64) -> String {
    match value {
        large if large >= 1e6 => format!("{:.1} M", large / 1e6),
        large if large >= 1e4 => format!("{:.0} k", large / 1e3),
        large if large >= 10.0 => format!("{large:.0}"),
        small => format!("{small:.3}"),
    }
}
