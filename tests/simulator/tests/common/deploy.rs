//! Deploys, begun and waited for.

use std::io::Write as _;
use std::time::Duration;

use base64::Engine as _;

use super::Served;
use super::metadata::{call, done, texts};

/// A zip of these files.
pub fn zip(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, content) in files {
        zip.start_file(path.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The same of texts, with a manifest that names these.
pub fn package(files: &[(&str, &str)], named: &[(&str, &[&str])]) -> Vec<u8> {
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    let types = super::metadata::types(named);
    let manifest = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Package xmlns=\"http://soap.sforce.com/2006/04/metadata\">{types}\
         <version>63.0</version></Package>"
    );
    all.push(("package.xml".to_owned(), manifest.into_bytes()));
    all.extend(files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())));
    zip(&all)
}

/// A manifest of what is to go.
pub fn manifest(named: &[(&str, &[&str])]) -> String {
    format!("<Package>{}</Package>", super::metadata::types(named))
}

/// The content of a deploy call.
pub fn content(zip: &[u8], options: &str) -> String {
    let zip = base64::engine::general_purpose::STANDARD.encode(zip);
    format!(
        "<ZipFile>{zip}</ZipFile><DeployOptions><singlePackage>true</singlePackage>{options}</DeployOptions>"
    )
}

/// What one that must not change anything in part says.
pub const WHOLE: &str = "<rollbackOnError>true</rollbackOnError>";

/// Begins a deploy; its id.
pub async fn begin(served: &Served, zip: &[u8], options: &str) -> String {
    let body = done(served, "deploy", &content(zip, options)).await;
    assert_eq!(texts(&body, "done"), ["false"]);
    let id = texts(&body, "id").remove(0);
    assert!(id.starts_with("0Af"), "{id}");
    id
}

/// The state of a deploy, with details.
pub async fn check(served: &Served, id: &str) -> String {
    let content = format!("<asyncProcessId>{id}</asyncProcessId><includeDetails>true</includeDetails>");
    done(served, "checkDeployStatus", &content).await
}

/// Waits for the end of a deploy; the last answer.
pub async fn wait(served: &Served, id: &str) -> String {
    loop {
        let body = check(served, id).await;
        if texts(&body, "done") == ["true"] {
            return body;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Deploys; the last answer.
pub async fn deploy(served: &Served, zip: &[u8], options: &str) -> String {
    let id = begin(served, zip, options).await;
    wait(served, &id).await
}

/// Deploys what must go through.
pub async fn deployed(served: &Served, zip: &[u8]) -> String {
    let body = deploy(served, zip, WHOLE).await;
    assert_eq!(texts(&body, "status"), ["Succeeded"], "{body}");
    body
}

/// Code and words of a call that is no deploy at all.
pub async fn refused(served: &Served, zip: &[u8], options: &str) -> String {
    let (status, body) = call(served, &served.token, "deploy", &content(zip, options)).await;
    assert_eq!(status, 500, "{body}");
    texts(&body, "faultstring").remove(0)
}
