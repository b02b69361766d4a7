//! Reads an object by Bulk API 2.0 into nothing, and says what came: for benches, and to try a connection.
//!
//! ```text
//! SF_LOGIN_URL=http://127.0.0.1:8080 SF_CLIENT_ID=… SF_CLIENT_SECRET=… bulk_read Account [parallel] [rows of a page]
//! ```
//!
//! Prints one line of JSON: job and its API version, rows, bytes of decoded CSV, pages, seconds of the reading alone.

use std::env;
use std::error::Error;
use std::time::Instant;

use orgkeep_salesforce::{Auth, BulkEvent, Client, ConnectOptions, Environment, ReadOptions, Select};
use tokio_util::sync::CancellationToken;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(read())
}

async fn read() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let object = arguments.next().ok_or("which object?")?;
    let parallel = arguments.next().map_or(Ok(4), |text| text.parse())?;
    let max_records = arguments.next().map(|text| text.parse()).transpose()?;
    let url = env::var("SF_LOGIN_URL")?.parse()?;
    let auth = Auth::ClientCredentials {
        client_id: env::var("SF_CLIENT_ID")?,
        client_secret: env::var("SF_CLIENT_SECRET")?.into(),
    };
    let mut options = ConnectOptions::new(url, Environment::Production, auth);
    options.allow_http = true;
    let client = Client::connect(options).await?;
    let schema = client.describe(&object).await?;
    let job = client.create_query_job(&Select::of(&schema), false).await?;
    let info = job.wait(&CancellationToken::new(), None).await?;
    let began = Instant::now();
    let options = ReadOptions { parallel, max_records, ..ReadOptions::default() };
    let mut reader = job.read(options, info.number_records_processed);
    let (mut rows, mut bytes, mut pages) = (0, 0, 0);
    while let Some(event) = reader.next().await? {
        match event {
            BulkEvent::Begins { .. } => {}
            BulkEvent::Csv(piece) => bytes += piece.len() as u64,
            BulkEvent::Ends(done) => {
                rows += done.rows;
                pages += 1;
            }
        }
    }
    println!(
        r#"{{"job": "{}", "version": "{}", "rows": {rows}, "bytes": {bytes}, "pages": {pages}, "seconds": {:.3}}}"#,
        job.id(),
        job.api_version(),
        began.elapsed().as_secs_f64()
    );
    Ok(())
}
