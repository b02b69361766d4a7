//! The vault's goals, measured: `goals SCHEMA.json FULL.csv DAY.csv…` prints a table, each line with `met` or `missed`.
//!
//! FULL.csv is a table as Bulk delivers it, each DAY.csv the rows that changed on a day with the deleted Ids in
//! DAY.csv.deleted; tests/bench/vault.sh makes them. Ratios are to limits measured in the same run. Figures are per
//! second of CPU of the whole process, so that a loaded machine does not distort them much.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, RecordBatch};
use orgkeep_core::id::SalesforceId;
use orgkeep_core::ledger::ObjectLedger;
use orgkeep_core::run::{Completeness, Counts, OrgFacts, Phase};
use orgkeep_core::schema::ObjectSchema;
use orgkeep_vault::change::Rule;
use orgkeep_vault::codec::{PartWriter, Settings};
use orgkeep_vault::read::{Keys, write_csv};
use orgkeep_vault::{
    Access, Attempt, Draft, Key, Line, Location, Manifest, ObjectEntry, Owner, Part, State, Vault, verify,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Key of the vaults that this makes; they are removed at the end.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [schema, full, days @ ..] = arguments.as_slice() else {
        return Err("goals SCHEMA.json FULL.csv DAY.csv…".into());
    };
    let schema: ObjectSchema = serde_json::from_slice(&std::fs::read(schema)?)?;
    let folder = std::env::temp_dir().join(format!("orgkeep-goals-{}", std::process::id()));
    let measured = measure(&schema, Path::new(full), days, &folder).await;
    std::fs::remove_dir_all(&folder)?;
    measured
}

async fn measure(schema: &ObjectSchema, full: &Path, days: &[String], folder: &Path) -> Outcome<()> {
    let size = std::fs::metadata(full)?.len() as f64;
    let limits = Limits::of(full)?;
    println!(
        "limits (MB/CPU-s): memcpy {:.0}, SHA-256 {:.0}, AES-256-GCM {:.0}, xxh3 {:.0}, zstd 1 {:.0} (to {:.3})",
        limits.memcpy, limits.sha256, limits.aes, limits.xxh3, limits.zstd, limits.zstd_ratio
    );
    println!("| figure | goal | here | |\n|---|---|---|---|");

    let mut world = World::new(&folder.join("one"), schema).await?;
    let start = Meter::start()?;
    let (first, rows) = world.full(full).await?;
    let used = start.stop()?;
    // The machine is not equally fast all the time: a limit counts as it was before and after what is held against it.
    let limits = limits.mean(&Limits::of(full)?);
    println!("| limits again, MB/CPU-s | | zstd 1 {:.0}, SHA-256 {:.0} | |", limits.zstd, limits.sha256);
    let bytes: u64 = world.state(&first).await?.parts.iter().map(|part| part.size).sum();
    goal("CSV to parts in a vault, MB/CPU-s", 170.0, size / 1e6 / used.cpu);
    goal("… rows/CPU-s", 265_000.0, rows as f64 / used.cpu);
    goal("… of zstd 1 on the CSV", 0.55, size / 1e6 / used.cpu / limits.zstd);
    most("size of the CSV, zstd 1", 0.23, bytes as f64 / size);
    most("RSS of the writer, MiB", 128.0, used.rss);

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
    let (second, _) = other.full(full).await?;
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
    let before = Limits::of(full)?;
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
    goal(
        "verify all, of SHA-256",
        0.7,
        verified as f64 / 1e6 / used.cpu / before.mean(&Limits::of(full)?).sha256,
    );
    println!("| … | | {:.0} MB/CPU-s, {:.0} MiB RSS | |", verified as f64 / 1e6 / used.cpu, used.rss);

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

/// What a stretch of work took.
struct Used {
    cpu: f64,
    /// Bytes read from files.
    read: f64,
    /// Most resident memory, MiB, above what was there before.
    rss: f64,
}

struct Meter {
    cpu: f64,
    read: f64,
    rss: f64,
}

impl Meter {
    fn start() -> Outcome<Self> {
        // Forgets the peak of what came before.
        std::fs::write("/proc/self/clear_refs", "5")?;
        Ok(Self { cpu: cpu()?, read: read()?, rss: status("VmRSS:")? })
    }

    fn stop(self) -> Outcome<Used> {
        Ok(Used {
            cpu: (cpu()? - self.cpu).max(0.005),
            read: read()? - self.read,
            rss: (status("VmHWM:")? - self.rss).max(0.0) / 1024.0,
        })
    }
}

/// Seconds of CPU of this process: ticks of 10 ms.
fn cpu() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit_once(')').ok_or("no stat")?.1;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |at: usize| -> Outcome<f64> { Ok(fields.get(at).ok_or("no stat")?.parse::<f64>()?) };
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

fn read() -> Outcome<f64> {
    let io = std::fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("rchar: ")).ok_or("no rchar")?;
    Ok(line.parse()?)
}

fn status(name: &str) -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no status")?;
    Ok(line.trim_end_matches("kB").trim().parse()?)
}

/// MB per second of CPU of what cannot be had faster, on the same bytes.
struct Limits {
    memcpy: f64,
    sha256: f64,
    aes: f64,
    xxh3: f64,
    zstd: f64,
    zstd_ratio: f64,
}

impl Limits {
    fn mean(&self, other: &Self) -> Self {
        let mean = |one: f64, other: f64| f64::midpoint(one, other);
        Self {
            memcpy: mean(self.memcpy, other.memcpy),
            sha256: mean(self.sha256, other.sha256),
            aes: mean(self.aes, other.aes),
            xxh3: mean(self.xxh3, other.xxh3),
            zstd: mean(self.zstd, other.zstd),
            zstd_ratio: self.zstd_ratio,
        }
    }

    fn of(csv: &Path) -> Outcome<Self> {
        use std::io::Read as _;
        let mut bytes = Vec::new();
        std::fs::File::open(csv)?.take(200 << 20).read_to_end(&mut bytes)?;
        let megabytes = bytes.len() as f64 / 1e6;
        let speed = |work: &mut dyn FnMut() -> Outcome<()>| -> Outcome<f64> {
            let start = cpu()?;
            let mut rounds = 0.0;
            while cpu()? - start < 1.0 {
                work()?;
                rounds += 1.0;
            }
            Ok(megabytes * rounds / (cpu()? - start))
        };
        let mut target = vec![0; bytes.len()];
        let memcpy = speed(&mut || {
            target.copy_from_slice(std::hint::black_box(&bytes));
            Ok(())
        })?;
        let sha256 = speed(&mut || {
            std::hint::black_box(ring::digest::digest(&ring::digest::SHA256, &bytes));
            Ok(())
        })?;
        let key = ring::aead::UnboundKey::new(&ring::aead::AES_256_GCM, &[7; 32]).map_err(|_| "no key")?;
        let key = ring::aead::LessSafeKey::new(key);
        let aes = speed(&mut || {
            let nonce = ring::aead::Nonce::assume_unique_for_key([0; 12]);
            let tag = key.seal_in_place_separate_tag(nonce, ring::aead::Aad::empty(), &mut target);
            tag.map(drop).map_err(|_| "not sealed".into())
        })?;
        let xxh3 = speed(&mut || {
            std::hint::black_box(xxhash_rust::xxh3::xxh3_128(&bytes));
            Ok(())
        })?;
        let mut compressed = 0;
        let zstd = speed(&mut || {
            compressed = compress(&bytes)?;
            Ok(())
        })?;
        Ok(Self { memcpy, sha256, aes, xxh3, zstd, zstd_ratio: compressed as f64 / bytes.len() as f64 })
    }
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
    Ok(writer.into_inner()?.len())
}

/// A line of one object.
struct World {
    vault: Vault,
    line: Line,
    schema: ObjectSchema,
    runs: u32,
}

impl World {
    async fn new(folder: &Path, schema: &ObjectSchema) -> Outcome<Self> {
        let storage = Location::Volume(folder.to_owned()).open().await?;
        let access = Access { key: Some(Key::parse(KEY)?), ..Access::default() };
        let vault = Vault::create_or_open(storage, &access).await?;
        let line = vault.create_line(&Owner::default(), &OrgFacts::default()).await?;
        Ok(Self { vault, line, schema: schema.clone(), runs: 0 })
    }

    async fn commit(
        &mut self,
        work: impl AsyncFnOnce(&Attempt) -> Outcome<ObjectEntry>,
    ) -> Outcome<Manifest> {
        self.runs += 1;
        let name = format!("run-{}", self.runs);
        let mut lease = self.line.lease(&name, std::time::Duration::from_secs(3600)).await?;
        let attempt = self.line.run(&name)?.begin_attempt().await?;
        let entry = work(&attempt).await?;
        let draft = Draft {
            snapshot_name: name,
            phase: Phase::Succeeded,
            start_time: String::new(),
            org: OrgFacts::default(),
            counts: Counts::default(),
            completeness: Completeness::default(),
            api_calls: 0,
            objects: vec![entry],
            trees: Vec::new(),
        };
        let committed = self.line.commit(&mut lease, &attempt, draft).await?;
        lease.release().await?;
        Ok(committed.manifest)
    }

    async fn full(&mut self, csv: &Path) -> Outcome<(Manifest, u64)> {
        let schema = self.schema.clone();
        let mut all = 0;
        let manifest = self
            .commit(async |attempt| {
                let key = attempt.run().data_key(&schema.name).await?;
                let mut writer = PartWriter::new(&schema, key.part_key().as_ref(), Settings::default())?;
                let mut parts = Vec::new();
                let mut csv = std::fs::File::open(csv)?;
                let mut chunk = vec![0; 256 << 10];
                loop {
                    let many = std::io::Read::read(&mut csv, &mut chunk)?;
                    if many == 0 {
                        break;
                    }
                    writer.push_csv(&chunk[..many])?;
                    for part in writer.take_parts() {
                        let name = format!("{:06}", parts.len());
                        parts.push(attempt.put_encoded(&schema.name, &name, part, &key).await?);
                    }
                }
                all = writer.end_page()?;
                for part in writer.finish()? {
                    let name = format!("{:06}", parts.len());
                    parts.push(attempt.put_encoded(&schema.name, &name, part, &key).await?);
                }
                let state = attempt.put_state(&schema.name, &schema, parts).await?;
                Ok(ObjectEntry::new(state, ObjectLedger::default()))
            })
            .await?;
        Ok((manifest, all))
    }

    async fn delta(&mut self, csv: &Path, rule: Option<&Rule>) -> Outcome<Manifest> {
        let parent = self.line.latest().await?.ok_or("no parent")?;
        let below = self.state(&parent).await?;
        let (schema, vault) = (self.schema.clone(), self.vault.clone());
        let bytes = std::fs::read(csv)?;
        let deleted = std::fs::read_to_string(format!("{}.deleted", csv.display())).unwrap_or_default();
        self.commit(async |attempt| {
            let key = attempt.run().data_key(&schema.name).await?;
            let over = vault.below(&below, &schema, &[]).await?;
            let (part_key, of) = (key.part_key(), schema.clone());
            let made = tokio::task::spawn_blocking(move || -> Outcome<_> {
                let settings = Settings { buffer_bytes: 16 << 20, ..Settings::delta() };
                let mut writer = PartWriter::new(&of, part_key.as_ref(), settings)?.over(Box::new(over))?;
                writer.push_csv(&bytes)?;
                writer.end_page()?;
                for id in deleted.lines() {
                    writer.push_delete(&SalesforceId::parse(id)?)?;
                }
                Ok(writer.finish()?)
            })
            .await??;
            let mut parts: Vec<Part> = Vec::new();
            for part in made {
                let name = format!("{:06}", parts.len());
                parts.push(attempt.put_encoded(&schema.name, &name, part, &key).await?);
            }
            let state = attempt.put_delta_state(&parent, &below, &schema, parts, rule).await?;
            Ok(ObjectEntry::new(state, ObjectLedger::default()))
        })
        .await
    }

    async fn compact(&mut self, rule: &Rule) -> Outcome<Manifest> {
        let parent = self.line.latest().await?.ok_or("no parent")?;
        let below = self.state(&parent).await?;
        let schema = self.schema.clone();
        self.commit(async |attempt| {
            let state = attempt.put_delta_state(&parent, &below, &schema, Vec::new(), Some(rule)).await?;
            Ok(ObjectEntry::new(state, ObjectLedger::default()))
        })
        .await
    }

    async fn state(&self, manifest: &Manifest) -> Outcome<State> {
        Ok(self.vault.state(manifest, &self.schema.name).await?)
    }

    /// All rows and columns as Arrow batches.
    async fn read(&self, state: &State) -> Outcome<(u64, Used)> {
        let start = Meter::start()?;
        let mut batches = self.vault.batches(state, None, Keys::All)?;
        let rows = tokio::task::spawn_blocking(move || -> Outcome<u64> {
            let mut rows = 0;
            while let Some(batch) = batches.next()? {
                rows += std::hint::black_box(&batch).num_rows() as u64;
            }
            Ok(rows)
        })
        .await??;
        if rows != state.rows {
            return Err(format!("{rows} rows, the state says {}", state.rows).into());
        }
        Ok((rows, start.stop()?))
    }

    async fn csv(&self, manifest: &Manifest) -> Outcome<Used> {
        let start = Meter::start()?;
        let mut rows = self.vault.rows(manifest, &self.schema.name, None).await?;
        tokio::task::spawn_blocking(move || write_csv(&mut rows, &mut std::io::sink())).await??;
        start.stop()
    }

    async fn compare(&self, other: &Vault, before: &State, after: &State) -> Outcome<(u64, bool)> {
        let mut comparison = self.vault.compare(before, other, after)?;
        tokio::task::spawn_blocking(move || -> Outcome<(u64, bool)> {
            let mut found = 0;
            while comparison.next()?.is_some() {
                found += 1;
            }
            Ok((found, comparison.is_by_deltas()))
        })
        .await?
    }
}
