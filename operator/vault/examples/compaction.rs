//! A year of daily changes under the rule of compaction: what it writes, how many files stand, what a reader decodes.
//!
//! `cargo run --release --example compaction` prints the table of docs/vault-format.md. Rows are counted one by one,
//! sizes follow from them: 144 bytes a row in a base part, 190 in a delta (measured on the Account-like table).
//! Half of each day's changes are in the newest tenth of the records; a fifth of them are new records, at the end.

use orgkeep_vault::change::Rule;
use orgkeep_vault::change::rule::Sized;

/// Bytes of a row.
const BASE: u64 = 144;
const DELTA: u64 = 190;
/// Of a file besides its rows: footer, statistics, key material of 60 columns.
const FILE: u64 = 6_000;

/// A part with the numbers of its records.
#[derive(Clone)]
struct Part {
    base: bool,
    rows: Vec<u32>,
}

impl Part {
    fn bytes(&self) -> u64 {
        self.rows.len() as u64 * if self.base { BASE } else { DELTA } + FILE
    }

    fn sized(&self) -> Sized {
        let at = |row: Option<&u32>| u128::from(row.copied().unwrap_or_default());
        Sized { base: self.base, min: at(self.rows.first()), max: at(self.rows.last()), bytes: self.bytes() }
    }
}

#[derive(Default)]
struct Year {
    first: u64,
    again: u64,
    most_files: usize,
    files: usize,
    /// Rows decoded for each row that a reader gets, in the mean and at most.
    read: f64,
    worst_read: f64,
}

fn main() {
    println!(
        "| records | changed a day | rule | deltas | written again | write amplification | files at most, at the end | rows decoded a row: mean, worst |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let never = Rule {
        layers: usize::MAX,
        wide: usize::MAX,
        pieces: usize::MAX,
        share: u64::MAX / 1_000_000,
        ..Rule::default()
    };
    let rules = [
        ("never", never),
        ("share 10", Rule { share: 10, ..Rule::default() }),
        ("**default**", Rule::default()),
        ("share 50", Rule { share: 50, ..Rule::default() }),
        ("pieces 4", Rule { pieces: 4, ..Rule::default() }),
        ("pieces 16", Rule { pieces: 16, ..Rule::default() }),
    ];
    for (records, per_mille) in
        [(1_000_000, 1), (1_000_000, 10), (1_000_000, 50), (50_000, 10), (4_000_000, 1)]
    {
        for (name, rule) in &rules {
            if *name != "never" && *name != "**default**" && (records, per_mille) != (1_000_000, 10) {
                continue;
            }
            let year = simulate(records, per_mille, rule);
            println!(
                "| {records} | {} % | {name} | {} MB | {} MB | {:.1} | {}, {} | {:.2}, {:.2} |",
                f64::from(per_mille) / 10.0,
                year.first / 1_000_000,
                year.again / 1_000_000,
                (year.first + year.again) as f64 / year.first as f64,
                year.most_files,
                year.files,
                year.read,
                year.worst_read,
            );
        }
    }
}

fn simulate(records: u32, per_mille: u32, rule: &Rule) -> Year {
    let mut random = Random(20_260_101);
    let mut total = records;
    let per_part = (rule.span / BASE) as u32;
    let mut parts: Vec<Part> = (0..records.div_ceil(per_part))
        .map(|n| Part { base: true, rows: (n * per_part..((n + 1) * per_part).min(records)).collect() })
        .collect();
    let mut year = Year::default();
    for day in 1..=365 {
        let changes = u64::from(records) * u64::from(per_mille) / 1000;
        let mut rows = Vec::new();
        for change in 0..changes {
            let row = match change % 10 {
                0 | 1 => {
                    total += 1;
                    total - 1
                }
                2..=5 => total - 1 - random.below(u64::from(total / 10)) as u32,
                _ => random.below(u64::from(total)) as u32,
            };
            rows.push(row);
        }
        rows.sort_unstable();
        rows.dedup();
        let delta = Part { base: false, rows };
        year.first += delta.bytes();
        parts.push(delta);
        loop {
            let sized: Vec<Sized> = parts.iter().map(Part::sized).collect();
            let Some(step) = rule.next(&sized) else { break };
            let mut rows: Vec<u32> =
                step.parts.iter().flat_map(|at| parts[*at].rows.iter().copied()).collect();
            rows.sort_unstable();
            rows.dedup();
            let mut made: Vec<Part> = Vec::new();
            let mut cuts = step.cuts.iter().copied().peekable();
            let most = (rule.span / if step.base { BASE } else { DELTA }) as usize;
            let mut open: Vec<u32> = Vec::new();
            for row in rows {
                let mut passed = open.len() > most;
                while cuts.next_if(|cut| u128::from(row) >= *cut).is_some() {
                    passed = true;
                }
                if passed && !open.is_empty() {
                    made.push(Part { base: step.base, rows: std::mem::take(&mut open) });
                }
                open.push(row);
            }
            made.push(Part { base: step.base, rows: open });
            year.again += made.iter().map(Part::bytes).sum::<u64>();
            let first = step.parts.iter().min().copied().unwrap_or_default();
            let mut next = Vec::new();
            for (at, part) in parts.into_iter().enumerate() {
                if at == first {
                    next.append(&mut made);
                }
                if !step.parts.contains(&at) {
                    next.push(part);
                }
            }
            next.sort_by_key(|part| !part.base);
            parts = next;
        }
        year.most_files = year.most_files.max(parts.len());
        let decoded: u64 = parts.iter().map(|part| part.rows.len() as u64).sum();
        let read = decoded as f64 / f64::from(total);
        year.read += (read - year.read) / f64::from(day);
        year.worst_read = year.worst_read.max(read);
    }
    year.files = parts.len();
    year
}

/// xorshift: the same year on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}
