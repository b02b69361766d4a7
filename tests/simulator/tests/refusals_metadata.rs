//! What the Metadata API refuses when it is asked to read: refusals 54 to 57.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::metadata::{ORG, PACKAGE, begin, fault, retrieve, texts, wait};
use common::serve_with;

#[tokio::test]
async fn refuses_54_more_than_three_queries_in_a_list() {
    let served = serve_with(PACKAGE, &[]).await;
    let queries = "<queries><type>ApexClass</type></queries>".repeat(4);
    let words = fault(&served, "listMetadata", &queries, "LIMIT_EXCEEDED").await;
    assert!(words.contains("limit is: 3"), "{words}");
}

/// Ends a retrieve that must fail; its code and words.
async fn failed(files: &[(&str, &str)], asked: &[(&str, &[&str])]) -> (String, String) {
    let served = serve_with(files, &[]).await;
    let id = begin(&served, asked, "").await;
    let (body, states) = wait(&served, &id).await;
    assert_eq!(states.last().unwrap(), "Failed");
    assert_eq!(texts(&body, "success"), ["false"]);
    (texts(&body, "errorStatusCode").remove(0), texts(&body, "errorMessage").remove(0))
}

#[tokio::test]
async fn refuses_55_a_retrieve_above_10000_files() {
    let label = |n: usize| format!("metadata/remoteSiteSettings/Site{n}.remoteSite");
    let paths: Vec<String> = (0..10_001).map(label).collect();
    let site = "<RemoteSiteSetting><isActive>true</isActive><url>https://a.example</url></RemoteSiteSetting>";
    let mut files: Vec<(&str, &str)> = vec![("org.yaml", ORG)];
    files.extend(paths.iter().map(|path| (path.as_str(), site)));
    let (code, words) = failed(&files, &[("RemoteSiteSetting", &["*"])]).await;
    assert_eq!(code, "LIMIT_EXCEEDED");
    assert_eq!(words, "LIMIT_EXCEEDED: Too many files in retrieve call, limit is: 10000");
}

#[tokio::test]
async fn refuses_55_a_retrieve_above_the_size() {
    // noise of 64 letters shrinks by a quarter, so that 13 resources of 4.5 MB make a zip of more than 39 MB
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut resources: Vec<(String, String)> = Vec::new();
    for n in 0..13 {
        let mut noise = String::with_capacity(4_500_016);
        while noise.len() < 4_500_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            noise.extend((0..10).map(|at| char::from(LETTERS[(state >> (at * 6)) as usize % 64])));
        }
        resources.push((format!("metadata/staticresources/R{n}.resource"), noise));
        let meta = "<StaticResource><contentType>text/plain</contentType></StaticResource>".to_owned();
        resources.push((format!("metadata/staticresources/R{n}.resource-meta.xml"), meta));
    }
    let mut files: Vec<(&str, &str)> = vec![("org.yaml", ORG)];
    files.extend(resources.iter().map(|(path, content)| (path.as_str(), content.as_str())));
    let (code, words) = failed(&files, &[("StaticResource", &["*"])]).await;
    assert_eq!(code, "LIMIT_EXCEEDED", "{words}");
}

#[tokio::test]
async fn refuses_56_a_wildcard_where_there_is_none() {
    let served = serve_with(PACKAGE, &[]).await;
    for of in ["Report", "Document", "StandardValueSet", "CustomField", "Dashboard", "EmailTemplate"] {
        let (files, problems) = retrieve(&served, &[(of, &["*"])]).await;
        assert_eq!(problems, [format!("Entity of type '{of}' named '*' cannot be found")]);
        assert_eq!(files.len(), 1, "{of}: the manifest alone");
    }
}

#[tokio::test]
async fn refuses_57_a_type_that_does_not_exist() {
    let served = serve_with(PACKAGE, &[]).await;
    for of in ["Nothing", "AddressSettings", "apexclass"] {
        let query = format!("<queries><type>{of}</type></queries>");
        let words = fault(&served, "listMetadata", &query, "INVALID_TYPE").await;
        assert_eq!(words, format!("INVALID_TYPE: Unknown type:{of}"));
    }
    let read = "<type>Nothing</type><fullNames>A</fullNames>";
    fault(&served, "readMetadata", read, "INVALID_TYPE").await;
    let (_, problems) = retrieve(&served, &[("Nothing", &["A"])]).await;
    assert_eq!(problems, ["Unknown type name 'Nothing' specified in package.xml"]);
}
