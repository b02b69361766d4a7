//! Retrieves all metadata of an org into a folder, or deploys a folder, and says what came: for benches, and to try a
//! connection.
//!
//! ```text
//! SF_LOGIN_URL=http://127.0.0.1:8080 SF_CLIENT_ID=… SF_CLIENT_SECRET=… metadata_copy retrieve FOLDER [files a package]
//! … metadata_copy deploy FOLDER [files a package]
//! … metadata_copy check FOLDER [files a package]
//! ```
//!
//! Prints one line of JSON.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use orgkeep_salesforce::metadata::{
    DeployOptions, ListOptions, Metadata, PlanLimits, Polling, RetrieveOptions, ZipLimits, components,
    deploy_chunks, is_shaped, merge_shaped, plan,
};
use orgkeep_salesforce::{Auth, Client, ConnectOptions, Environment};
use serde_json::json;

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run())
}

async fn run() -> Result<(), Failure> {
    let mut arguments = env::args().skip(1);
    let what = arguments.next().ok_or("retrieve, deploy or check?")?;
    let folder = PathBuf::from(arguments.next().ok_or("which folder?")?);
    let files = arguments.next().map(|text| text.parse()).transpose()?;
    let auth = Auth::ClientCredentials {
        client_id: env::var("SF_CLIENT_ID")?,
        client_secret: env::var("SF_CLIENT_SECRET")?.into(),
    };
    let mut options = ConnectOptions::new(env::var("SF_LOGIN_URL")?.parse()?, Environment::Production, auth);
    options.allow_http = true;
    let metadata = Client::connect(options).await?.metadata();
    let told = match what.as_str() {
        "retrieve" => retrieve(&metadata, &folder, files).await?,
        "deploy" => deploy(&metadata, &folder, files, false).await?,
        "check" => deploy(&metadata, &folder, files, true).await?,
        other => return Err(format!("{other}: retrieve, deploy or check?").into()),
    };
    println!("{told}");
    Ok(())
}

fn waiting(folder: &Path) -> RetrieveOptions {
    let mut options = RetrieveOptions::new(folder);
    options.polling = Polling { first: Duration::from_millis(100), ..options.polling };
    options
}

async fn retrieve(
    metadata: &Metadata,
    folder: &Path,
    files: Option<usize>,
) -> Result<serde_json::Value, Failure> {
    fs::create_dir_all(folder)?;
    let began = Instant::now();
    let described = metadata.describe().await?;
    let listed = metadata.list_all(&described, &ListOptions::default()).await?;
    let listing = began.elapsed();
    let limits = files.map_or_else(PlanLimits::default, |files| PlanLimits { files });
    let packages = plan(&listed.components, &described, limits);
    let count = packages.len();
    let mut many = metadata.retrieve_all(packages, waiting(&env::temp_dir()));
    let (mut written, mut bytes, mut zipped) = (0_u64, 0_u64, 0_u64);
    let mut conflicts = Vec::new();
    while let Some(package) = many.next().await? {
        zipped += package.retrieved.zip.bytes;
        let mut zip = package.retrieved.zip.open(ZipLimits::default())?;
        zip.each(|name, content| {
            let name = name.strip_prefix("unpackaged/").unwrap_or(name);
            if name == "package.xml" {
                return Ok(());
            }
            let place = folder.join(name);
            if let Some(parent) = place.parent() {
                fs::create_dir_all(parent)?;
            }
            let content = match fs::read(&place) {
                Ok(known) if known == content => return Ok(()),
                Ok(known) if is_shaped(name) => {
                    let texts = [String::from_utf8_lossy(&known), String::from_utf8_lossy(&content)];
                    let joined = merge_shaped(&[&texts[0], &texts[1]]).map_err(std::io::Error::other)?;
                    bytes -= known.len() as u64;
                    joined.into_bytes()
                }
                Ok(_) => {
                    conflicts.push(name.to_owned());
                    return Ok(());
                }
                Err(_) => {
                    written += 1;
                    content
                }
            };
            bytes += content.len() as u64;
            fs::write(place, content)?;
            Ok(())
        })?;
    }
    let report = many.finish();
    let failed: Vec<String> =
        listed.failed.iter().map(|(ask, error)| format!("{}: {error}", ask.type_name)).collect();
    Ok(json!({
        "components": listed.components.len(), "listFailed": failed, "packages": count,
        "retrieves": report.retrieves, "failedRetrieves": report.failed, "files": written, "bytes": bytes,
        "zipped": zipped, "listSeconds": listing.as_secs_f64(), "seconds": began.elapsed().as_secs_f64(),
        "missing": report.missing,
        "messages": report.messages.iter().map(|message| &message.problem).collect::<Vec<_>>(),
        "bad": report.bad.iter().map(|bad| format!("{} {}: {}", bad.type_name, bad.name, bad.reason)).collect::<Vec<_>>(),
        "conflicts": conflicts,
    }))
}

async fn deploy(
    metadata: &Metadata,
    folder: &Path,
    files: Option<usize>,
    check_only: bool,
) -> Result<serde_json::Value, Failure> {
    let mut all = BTreeMap::new();
    read(folder, folder, &mut all)?;
    let began = Instant::now();
    let described = metadata.describe().await?;
    let (found, unknown) = components(&described, all);
    let count = found.len();
    let chunks = deploy_chunks(metadata.version(), found, files.unwrap_or(5_000))?;
    let (mut deployed, mut files, mut zipped) = (0, 0, 0);
    let mut problems = Vec::new();
    let chunk_count = chunks.len();
    for chunk in chunks {
        files += chunk.files;
        zipped += chunk.zip.len();
        let options = DeployOptions { check_only, ..DeployOptions::default() };
        let job = metadata.deploy(&chunk, &options).await?;
        let result = job.wait(&waiting(folder)).await?;
        deployed += result.components.done;
        problems.extend(result.problems());
        if !result.success {
            break;
        }
    }
    Ok(json!({
        "components": count, "unknown": unknown, "chunks": chunk_count, "files": files, "zipped": zipped,
        "deployed": deployed, "problems": problems, "seconds": began.elapsed().as_secs_f64(),
    }))
}

fn read(root: &Path, folder: &Path, into: &mut BTreeMap<String, Bytes>) -> Result<(), Failure> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read(root, &path, into)?;
        } else {
            let name = path.strip_prefix(root)?.to_str().ok_or("a file's name is not UTF-8")?.to_owned();
            into.insert(name, fs::read(&path)?.into());
        }
    }
    Ok(())
}
