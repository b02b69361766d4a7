//! Many versions of the rows of one object: a full backup, then incremental ones, each compacted by the rule that
//! backups use. A row of a table after the full backup and after each quarter of the days: what grows with what.

use std::fs;
use std::path::Path;
use std::process::Command;

use orgkeep_core::schema::ObjectSchema;
use orgkeep_vault::Manifest;
use orgkeep_vault::change::Rule;
use orgkeep_vault::codec::Settings;
use orgkeep_vault::read::Keys;

use crate::Outcome;
use crate::meter::{Meter, Used};
use crate::world::World;

/// What makes the tables, and what they are.
pub(crate) struct Tables<'a> {
    /// The program `bench_data`.
    pub(crate) program: &'a str,
    /// Which table.
    pub(crate) object: &'a str,
    /// Its rows.
    pub(crate) rows: &'a str,
    /// The share that changes a day.
    pub(crate) rate: &'a str,
}

impl Tables<'_> {
    pub(crate) fn make(&self, day: u32, mode: &str, out: &Path) -> Outcome<()> {
        let day = day.to_string();
        let mut command = Command::new(self.program);
        command.args([self.object, self.rows, &day, mode, self.rate]).arg(out);
        let made = command.stderr(std::process::Stdio::null()).status()?;
        if made.success() { Ok(()) } else { Err(format!("{}: {made}", self.program).into()) }
    }
}

/// Measures with so many days, at most 64.
pub(crate) async fn measure(tables: &Tables<'_>, days: u32, folder: &Path) -> Outcome<()> {
    let (schema, csv) = (folder.join("schema.json"), folder.join("rows.csv"));
    tables.make(0, "schema", &schema)?;
    let schema: ObjectSchema = serde_json::from_slice(&fs::read(schema)?)?;
    let mut world = World::new(&folder.join("vault"), &schema).await?;
    println!(
        "| row versions | rows | vault, MB | parts | the backup: CPU-s, MB, RSS MiB | read whole, rows/CPU-s, RSS MiB | \
         one record, CPU-ms, MB read | compare with the backup before: rows, CPU-s, RSS MiB | … with the first one |\n\
         |---|---|---|---|---|---|---|---|---|"
    );
    tables.make(0, "full", &csv)?;
    let start = Meter::start()?;
    let (first, rows) = world.full(&mut fs::File::open(&csv)?, Settings::default()).await?;
    let mut used = start.stop()?;
    let mut versions = rows;
    let mut last = vec![first.clone()];
    report(&world, folder, versions, &used, &first, &last).await?;
    let rule = Rule::default();
    for day in 1..=days {
        tables.make(day, "incr", &csv)?;
        let start = Meter::start()?;
        let manifest = world.delta(&csv, Some(&rule)).await?;
        used = start.stop()?;
        let entry = manifest.objects.first().ok_or("no object")?;
        versions += [entry.added, entry.updated, entry.deleted].into_iter().flatten().sum::<u64>();
        last = vec![last.pop().ok_or("no snapshot")?, manifest];
        if day % days.div_ceil(4).max(1) == 0 || day == days {
            report(&world, folder, versions, &used, &first, &last).await?;
        }
    }
    Ok(())
}

/// A row of the table; `last` are the newest snapshot and the one before it, if there is one.
async fn report(
    world: &World,
    folder: &Path,
    versions: u64,
    made: &Used,
    first: &Manifest,
    last: &[Manifest],
) -> Outcome<()> {
    let newest = last.last().ok_or("no snapshot")?;
    let state = world.state(newest).await?;
    let (rows, whole) = world.read(&state).await?;
    let ids = world.vault.ids(state.parts.first().ok_or("no part")?)?.ok_or("no Ids")?;
    let id = orgkeep_core::id::SalesforceId::parse(&ids.min)?;
    // Some rounds: the system counts CPU in hundredths of a second.
    let start = Meter::start()?;
    for _ in 0..ROUNDS {
        let (found, _) = world.read_keys(&state, Keys::between(Some(&id), Some(&id))).await?;
        if found > 1 {
            return Err(format!("{found} rows of one Id").into());
        }
    }
    let one = start.stop()?;
    let mut compared = Vec::new();
    for before in [last.first().filter(|_| last.len() > 1), Some(first).filter(|_| last.len() > 1)] {
        compared.push(match before {
            None => "–".to_owned(),
            Some(before) => {
                let before = world.state(before).await?;
                let start = Meter::start()?;
                let (found, by_deltas) = world.compare(&world.vault.clone(), &before, &state).await?;
                let used = start.stop()?;
                let how = if by_deltas { "" } else { " (by hashes)" };
                format!("{found}, {:.2}, {:.0}{how}", used.cpu, used.rss)
            }
        });
    }
    println!(
        "| {versions} | {rows} | {:.0} | {} | {:.2}, {:.1}, {:.0} | {:.0}, {:.0} | {:.1}, {:.2} | {} |",
        size(&folder.join("vault"))? as f64 / 1e6,
        state.parts.len(),
        made.cpu,
        newest.size_bytes as f64 / 1e6,
        made.rss,
        rows as f64 / whole.cpu,
        whole.rss,
        one.cpu * 1e3 / f64::from(ROUNDS),
        one.read / 1e6 / f64::from(ROUNDS),
        compared.join(" | ")
    );
    Ok(())
}

/// How often one record is looked up.
const ROUNDS: u32 = 20;

/// Bytes of all files below.
pub(crate) fn size(folder: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { size(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}
