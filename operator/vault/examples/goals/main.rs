//! The vault's goals, measured; tests/bench/vault.sh and tests/bench/history.sh call it.
//!
//! - `goals table SCHEMA.json FULL.csv DAY.csv…`: the table of goals. FULL.csv is a table as Bulk delivers it, each DAY.csv
//!   the rows that changed on a day with the deleted Ids in DAY.csv.deleted.
//! - `goals memory SCHEMA.json < FULL.csv`, `goals memory --long ROWS`: memory by size of the table; the second with
//!   made-up rows that have a text of 131,072 characters each.
//! - `goals history BENCH_DATA OBJECT ROWS DAYS RATE`: many versions; BENCH_DATA is the program that makes the tables.
//! - `goals views BENCH_DATA OBJECT ROWS`: exports in every form, and bundles.
//!
//! Figures are per second of CPU of the whole process, so that a loaded machine does not distort them much.

use std::error::Error;
use std::path::Path;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod history;
mod limits;
mod memory;
mod meter;
mod table;
mod views;
mod world;

/// What comes of a measurement.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = std::env::temp_dir().join(format!("orgkeep-goals-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = measure(&arguments, &folder).await;
    std::fs::remove_dir_all(&folder)?;
    measured
}

async fn measure(arguments: &[String], folder: &Path) -> Outcome<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["table", schema, full, ..] => {
            let schema = serde_json::from_slice(&std::fs::read(schema)?)?;
            table::measure(&schema, Path::new(full), arguments.get(3..).unwrap_or_default(), folder).await
        }
        ["memory", "--long", rows] => {
            let mut csv = memory::LongRows::new(rows.parse()?);
            memory::measure(&memory::long_schema()?, &mut csv, folder).await
        }
        ["memory", schema] => {
            let schema = serde_json::from_slice(&std::fs::read(schema)?)?;
            memory::measure(&schema, &mut std::io::stdin().lock(), folder).await
        }
        ["history", program, object, rows, days, rate] => {
            history::measure(&history::Tables { program, object, rows, rate }, days.parse()?, folder).await
        }
        ["views", program, object, rows] => views::measure(program, object, rows, folder).await,
        _ => Err("goals table|memory|history|views: see the head of its source".into()),
    }
}
