//! Writes generated rows by Bulk API 2.0 ingest and says what became of them: for benches, and to try a connection.
//!
//! ```text
//! SF_LOGIN_URL=http://127.0.0.1:8080 SF_CLIENT_ID=… SF_CLIENT_SECRET=… bulk_write Account 500000 [rows of a part] [key]
//! ```
//!
//! The object needs the fields Name, Phone, Website, and the key field if one is named. Prints one line of JSON: rows by
//! outcome, jobs, seconds of the writing alone. Ends with an error unless every row was written.

use std::env;
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use orgkeep_salesforce::ingest::{IngestOptions, PartLimits};
use orgkeep_salesforce::write::{
    Cell, Column, InputRow, MemoryIntents, Operation, Outcome, Outcomes, Target,
};
use orgkeep_salesforce::{Auth, Client, ConnectOptions, Environment, Result};
use tokio_util::sync::CancellationToken;

/// Counts outcomes and checks that each row has one, in order: nothing grows with the rows.
#[derive(Default)]
struct Counting {
    next: u64,
    out_of_order: u64,
}

impl Outcomes for Counting {
    fn row(&mut self, key: &str, _: Outcome) -> Result<()> {
        self.out_of_order += u64::from(key.parse() != Ok(self.next));
        self.next += 1;
        Ok(())
    }
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(write())
}

async fn write() -> std::result::Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let object = arguments.next().ok_or("which object?")?;
    let rows: u64 = arguments.next().ok_or("how many rows?")?.parse()?;
    let mut limits = PartLimits::default();
    if let Some(part) = arguments.next() {
        limits.rows = part.parse()?;
    }
    let key = arguments.next();
    let url = env::var("SF_LOGIN_URL")?.parse()?;
    let auth = Auth::ClientCredentials {
        client_id: env::var("SF_CLIENT_ID")?,
        client_secret: env::var("SF_CLIENT_SECRET")?.into(),
    };
    let mut options = ConnectOptions::new(url, Environment::Production, auth);
    options.allow_http = true;
    let client = Client::connect(options).await?;
    let mut columns = ["Name", "Phone", "Website"].map(Column::text).to_vec();
    columns.extend(key.as_deref().map(Column::text));
    let mut target = Target::new(&object, Operation::Insert, columns);
    target.key.clone_from(&key);
    let row = move |at: u64| {
        let mut cells = vec![
            Cell::Text(format!("Generated account {at:08}")),
            Cell::Text(format!("+41 44 {:03} {:02} {:02}", at % 1000, at % 97, at % 89)),
            if at.is_multiple_of(4) {
                Cell::Absent
            } else {
                Cell::Text(format!("https://www.example.com/{at}"))
            },
        ];
        cells.extend(key.as_ref().map(|_| Cell::Text(format!("K-{at}"))));
        Ok(InputRow { key: at.to_string(), cells })
    };
    let began = Instant::now();
    let mut outcomes = Counting::default();
    let options = IngestOptions { limits, ..IngestOptions::default() };
    let (journal, cancel) = (Arc::new(MemoryIntents::default()), CancellationToken::new());
    let input = futures::stream::iter((0..rows).map(row));
    let report = client.ingest(journal, "bench", &target, input, &mut outcomes, &options, &cancel).await?;
    println!(
        r#"{{"rows": {rows}, "succeeded": {}, "failed": {}, "jobs": {}, "told": {}, "seconds": {:.3}}}"#,
        report.succeeded,
        report.failed,
        report.jobs.len(),
        outcomes.next,
        began.elapsed().as_secs_f64()
    );
    if report.succeeded != rows || outcomes.next != rows || outcomes.out_of_order > 0 || report.strays > 0 {
        return Err(format!("not every row was written once: {report:?}").into());
    }
    Ok(())
}
