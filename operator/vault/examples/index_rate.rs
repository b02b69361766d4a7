//! What an index of words costs: `index_rate CSV SCHEMA.json`; time with and without it, and its size.

use std::error::Error;
use std::fs;
use std::time::Duration;

use orgkeep_core::schema::ObjectSchema;
use orgkeep_vault::codec::{PartKey, PartWriter, Settings};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// CPU time of this process.
fn cpu() -> Result<Duration, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/schedstat")?;
    let nanos = stat.split(' ').next().ok_or("no time")?.parse()?;
    Ok(Duration::from_nanos(nanos))
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [csv, schema] = arguments.as_slice() else { return Err("index_rate CSV SCHEMA.json".into()) };
    let (csv, schema): (Vec<u8>, ObjectSchema) =
        (fs::read(csv)?, serde_json::from_slice(&fs::read(schema)?)?);
    let key = PartKey::new(&[7; 32], *b"");
    for round in 0..3 {
        for index_from in [None, Some(0)] {
            let settings = Settings { index_from, ..Settings::default() };
            let before = cpu()?;
            let mut writer = PartWriter::new(&schema, Some(&key), settings)?;
            let (mut bytes, mut index) = (0, 0);
            let mut count = |writer: &mut PartWriter| {
                for part in writer.take_parts() {
                    bytes += part.bytes.len();
                    index += part.index.map_or(0, |index| index.size());
                }
            };
            for chunk in csv.chunks(64 << 10) {
                writer.push_csv(chunk)?;
                count(&mut writer);
            }
            let rows = writer.end_page()?;
            writer.flush()?;
            count(&mut writer);
            let took = (cpu()? - before).as_secs_f64();
            println!(
                "{round} index {}: {rows} rows, {took:.3} CPU-s, {:.0} rows/CPU-s, {bytes} bytes, index {index} \
                 ({:.2} %, {:.2} bytes a row)",
                index_from.is_some(),
                rows as f64 / took,
                index as f64 * 100.0 / bytes as f64,
                index as f64 / rows as f64,
            );
        }
    }
    Ok(())
}
