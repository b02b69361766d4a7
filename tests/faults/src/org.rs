//! The org that is read: many small objects, one of several REST pages, some of several Bulk pages.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use orgkeep_simulator::{Simulator, StartOptions};
use tempfile::TempDir;

/// Objects that are read by REST in one page each.
pub const SMALL: usize = 70;
/// The object that takes several pages by REST, and its rows: a page has at most 2,000.
pub const PAGED: (&str, u64) = ("Paged__c", 4_300);
/// Objects that are read by Bulk, and their rows.
pub const BULK: [(&str, u64); 3] = [("Bulk0__c", 1_950), ("Bulk1__c", 1_200), ("Bulk2__c", 600)];
/// Files, and their bytes.
pub const FILES: [(&str, usize); 3] = [("a.bin", 4_000), ("b.bin", 90_000), ("c.bin", 1)];
/// Objects that are asked for several in one call.
pub const PACKED: usize = 12;
/// Rows of a Bulk page.
pub const BULK_PAGE: u32 = 150;

/// Credentials of the connected app.
pub const CLIENT_ID: &str = "campaign";
/// Its secret, which opens nothing but the simulator.
pub const CLIENT_SECRET: &str = "campaign-secret";

const ORG: &str = "
name: Campaign
type: Production
limits: {dailyApiRequests: 100000000, dailyBulkV2QueryJobs: 10000000}
users:
  - {username: admin@campaign.example, permissions: [ApiEnabled, ViewAllData, ModifyAllData, QueryAllFiles]}
connectedApps:
  - {clientId: campaign, clientSecret: campaign-secret, flows: [ClientCredentials], runAs: admin@campaign.example}
";

/// A served org; its directory goes away with it.
#[derive(Debug)]
pub struct Served {
    /// The simulator.
    pub simulator: Simulator,
    _directory: TempDir,
}

/// Names of the objects that are read, in order.
pub fn objects() -> Vec<String> {
    let small = (0..SMALL).map(|number| format!("Small{number}__c"));
    small.chain([PAGED.0.to_owned()]).chain(BULK.iter().map(|(name, _)| (*name).to_owned())).collect()
}

/// Starts the org.
pub async fn serve() -> Result<Served, Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let mut schema = "objects:\n".to_owned();
    for name in objects() {
        let _ = write!(
            schema,
            "  {name}:\n    fields:\n      Amount__c: {{type: currency, precision: 18, scale: 2}}\n      \
             Note__c: {{type: textarea, length: 400}}\n      Kind__c: {{type: picklist, values: [One, Two, Three]}}\n      \
             Due__c: {{type: date}}\n      Open__c: {{type: boolean}}\n"
        );
    }
    fs::write(directory.path().join("org.yaml"), ORG)?;
    fs::write(directory.path().join("schema.yaml"), schema)?;
    let mut versions = "Title,PathOnClient,VersionData\n".to_owned();
    fs::create_dir_all(directory.path().join("files"))?;
    fs::create_dir_all(directory.path().join("data"))?;
    for (name, bytes) in FILES {
        let _ = writeln!(versions, "{name},{name},{name}");
        fs::write(directory.path().join("files").join(name), noise(bytes))?;
    }
    fs::write(directory.path().join("data/ContentVersion.csv"), versions)?;
    let small = (0..SMALL).map(|number| (format!("Small{number}__c"), 3 + number as u64 % 5));
    let large = [PAGED].into_iter().chain(BULK).map(|(name, rows)| (name.to_owned(), rows));
    let mut options = StartOptions::org(directory.path());
    options.scale = small.chain(large).collect();
    options.bulk_job = Duration::ZERO;
    Ok(Served { simulator: Simulator::start(options).await?, _directory: directory })
}

/// Bytes without any order, always the same.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..bytes).map(|_| next()).collect()
}
