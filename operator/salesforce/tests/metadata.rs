//! The Metadata API against a server that answers as a test's table says: well by default, badly on purpose.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeSet;
use std::io::{Cursor, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use common::{Answer, Org, Seen, answer, cut, json};
use orgkeep_salesforce::Client;
use orgkeep_salesforce::metadata::{
    DeployOptions, DeployPackage, Described, FileProperties, ListOptions, Members, MetadataError, PlanLimits,
    Polling, RetrieveOptions, ZipError, ZipLimits, plan, read_package_xml,
};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const PATH: &str = "/services/Soap/m/64.0";

fn soap(call: &str, results: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
         xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns=\"http://soap.sforce.com/2006/04/metadata\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
         <soapenv:Body><{call}Response>{results}</{call}Response></soapenv:Body></soapenv:Envelope>"
    );
    answer(200, &[("content-type", "text/xml; charset=utf-8")], body)
}

fn fault(code: &str, message: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
         xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:sf=\"http://soap.sforce.com/2006/04/metadata\"><soapenv:Body><soapenv:Fault>\
         <faultcode>sf:{code}</faultcode><faultstring>{code}: {message}</faultstring>\
         </soapenv:Fault></soapenv:Body></soapenv:Envelope>"
    );
    answer(500, &[("content-type", "text/xml; charset=utf-8")], body)
}

fn zipped(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(name.as_str(), SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// The name of a call, and its body.
fn call(seen: &Seen) -> String {
    let body = seen.body.split("<soapenv:Body><").nth(1).unwrap();
    body.split('>').next().unwrap().to_owned()
}

fn between<'a>(text: &'a str, tag: &str) -> Option<&'a str> {
    text.split(&format!("<{tag}>")).nth(1)?.split(&format!("</{tag}>")).next()
}

/// Members of a retrieve request, `Type:Name`.
fn asked(seen: &Seen) -> Vec<String> {
    let types = seen.body.split("<types>").skip(1);
    types
        .flat_map(|part| {
            let name = between(part, "name").unwrap().to_owned();
            let members: Vec<&str> =
                part.split("<members>").skip(1).map(|m| m.split("</members>").next().unwrap()).collect();
            members.into_iter().map(move |member| format!("{name}:{member}")).collect::<Vec<_>>()
        })
        .collect()
}

/// How the server of retrieves misbehaves.
#[derive(Clone, Default)]
struct Behaviour {
    /// A retrieve with one of these fails.
    bad: BTreeSet<String>,
    /// More members than this fail.
    most: Option<usize>,
    /// The first so many answers with a zip break off.
    cut: Arc<AtomicUsize>,
    /// The first so many zips are cut before they are encoded.
    cut_zip: Arc<AtomicUsize>,
    /// The zip instead.
    zip: Option<Vec<u8>>,
    /// Retrieves at a time that were seen.
    busy: Arc<AtomicUsize>,
    most_busy: Arc<AtomicUsize>,
}

fn take_one(counter: &AtomicUsize) -> bool {
    counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

/// Serves retrieves: pending once, then there; the zip goes away with its fetch.
fn serve_retrieves(org: &Org, behaviour: Behaviour) {
    /// What was asked for, how often the job was looked at, whether its zip was fetched.
    type Job = (Vec<String>, usize, bool);
    let jobs: Arc<Mutex<Vec<Job>>> = Arc::default();
    org.on(PATH, move |seen| {
        assert!(seen.authorization.is_empty(), "the session stands in the envelope");
        assert!(seen.body.contains("<SessionHeader><sessionId>token-0</sessionId></SessionHeader>"));
        match call(seen).as_str() {
            "retrieve" => {
                let mut jobs = jobs.lock().unwrap();
                jobs.push((asked(seen), 0, false));
                let busy = behaviour.busy.fetch_add(1, Ordering::SeqCst) + 1;
                behaviour.most_busy.fetch_max(busy, Ordering::SeqCst);
                let id = format!("09S{}", jobs.len() - 1);
                soap("retrieve", &format!("<result><done>false</done><id>{id}</id><state>Queued</state></result>"))
            }
            "checkRetrieveStatus" => {
                let id = between(&seen.body, "asyncProcessId").unwrap().to_owned();
                let mut jobs = jobs.lock().unwrap();
                let (members, looks, fetched) = &mut jobs[id[3..].parse::<usize>().unwrap()];
                *looks += 1;
                if *looks == 1 {
                    let result = format!("<result><done>false</done><id>{id}</id><status>InProgress</status><success>false</success><zipFile xsi:nil=\"true\"/></result>");
                    return soap("checkRetrieveStatus", &result);
                }
                let failing = members.iter().any(|member| behaviour.bad.contains(member))
                    || behaviour.most.is_some_and(|most| members.len() > most);
                if failing {
                    behaviour.busy.fetch_sub(1, Ordering::SeqCst);
                    let result = format!("<result><done>true</done><errorMessage>An unexpected error occurred. &amp; more</errorMessage><errorStatusCode>UNKNOWN_EXCEPTION</errorStatusCode><id>{id}</id><status>Failed</status><success>false</success><zipFile xsi:nil=\"true\"/></result>");
                    return soap("checkRetrieveStatus", &result);
                }
                if !seen.body.contains("<includeZip>true</includeZip>") {
                    let result = format!("<result><done>true</done><id>{id}</id><status>Succeeded</status><success>true</success><zipFile xsi:nil=\"true\"/></result>");
                    return soap("checkRetrieveStatus", &result);
                }
                if *fetched {
                    return fault("INVALID_LOCATOR", "retrieve result has been deleted");
                }
                *fetched = true;
                behaviour.busy.fetch_sub(1, Ordering::SeqCst);
                let files: Vec<(String, Vec<u8>)> =
                    members.iter().map(|m| (format!("files/{}", m.replace(':', "/")), m.clone().into_bytes())).collect();
                let mut zip = behaviour.zip.clone().unwrap_or_else(|| zipped(&files));
                if take_one(&behaviour.cut_zip) {
                    zip.truncate(zip.len() / 2);
                }
                let result = format!("<result><done>true</done><fileProperties><fileName>files/x</fileName><fullName>x</fullName><type>T</type></fileProperties><id>{id}</id><messages><fileName>unpackaged/package.xml</fileName><problem>Entity of type 'T' named 'Gone' cannot be found</problem></messages><status>Succeeded</status><success>true</success><zipFile>{}</zipFile></result>", STANDARD.encode(zip));
                let whole = soap("checkRetrieveStatus", &result);
                if take_one(&behaviour.cut) {
                    return answer(200, &[("content-type", "text/xml")], cut(result.into_bytes()[..400].to_vec()));
                }
                whole
            }
            other => panic!("{other}"),
        }
    });
}

fn options(folder: &std::path::Path) -> RetrieveOptions {
    let mut options = RetrieveOptions::new(folder);
    options.polling = Polling { first: Duration::from_millis(2), longest: Duration::from_millis(5) };
    options
}

fn components(count: usize) -> Vec<FileProperties> {
    let component = |n: usize| FileProperties {
        type_name: "T".to_owned(),
        full_name: format!("M{n:03}"),
        ..FileProperties::default()
    };
    (0..count).map(component).collect()
}

fn members(names: &[&str]) -> Members {
    Members::from([("T".to_owned(), names.iter().map(|name| (*name).to_owned()).collect())])
}

/// Retrieves all of them; names that came, names that are bad, retrieves.
async fn all(client: &Client, count: usize, files: usize) -> (BTreeSet<String>, Vec<String>, u64) {
    let folder = tempfile::tempdir().unwrap();
    let packages = plan(&components(count), &Described::default(), PlanLimits { files });
    let mut many = client.metadata().retrieve_all(packages, options(folder.path()));
    let mut got = BTreeSet::new();
    while let Some(package) = many.next().await.unwrap() {
        let mut zip = package.retrieved.zip.open(ZipLimits::default()).unwrap();
        zip.each(|name, content| {
            assert_eq!(format!("files/{}", String::from_utf8(content).unwrap().replace(':', "/")), name);
            assert!(got.insert(name.rsplit('/').next().unwrap().to_owned()), "{name} came twice");
            Ok(())
        })
        .unwrap();
    }
    let report = many.finish();
    assert!(report.bad.iter().all(
        |bad| bad.code == "UNKNOWN_EXCEPTION" && bad.reason.contains("unexpected error occurred. & more")
    ));
    let bad = report.bad.into_iter().map(|bad| bad.name).collect();
    (got, bad, report.retrieves)
}

#[tokio::test]
async fn types_are_described_and_components_listed_folders_first() {
    let org = Org::start().await;
    org.on(PATH, |seen| match call(seen).as_str() {
        "describeMetadata" => soap("describeMetadata", "<result><metadataObjects><childXmlNames>CustomField</childXmlNames><directoryName>objects</directoryName><inFolder>false</inFolder><metaFile>false</metaFile><suffix>object</suffix><xmlName>CustomObject</xmlName></metadataObjects><metadataObjects><directoryName>reports</directoryName><inFolder>true</inFolder><metaFile>false</metaFile><suffix>report</suffix><xmlName>Report</xmlName></metadataObjects><metadataObjects><directoryName>email</directoryName><inFolder>true</inFolder><metaFile>true</metaFile><suffix>email</suffix><xmlName>EmailTemplate</xmlName></metadataObjects><metadataObjects><directoryName>odd</directoryName><inFolder>false</inFolder><metaFile>false</metaFile><suffix>odd</suffix><xmlName>OddType</xmlName></metadataObjects><organizationNamespace></organizationNamespace><partialSaveAllowed>false</partialSaveAllowed><testRequired>true</testRequired></result>"),
        "listMetadata" => {
            let asks: Vec<&str> = seen.body.split("<queries>").skip(1).collect();
            assert!(asks.len() <= 3);
            let mut results = String::new();
            for ask in asks {
                let (of, folder) = (between(ask, "type").unwrap(), between(ask, "folder"));
                let names: &[&str] = match (of, folder) {
                    ("OddType", _) => return fault("INVALID_TYPE", "Unknown type:OddType"),
                    ("CustomObject", None) => &["Account", "My__c"],
                    ("ReportFolder", None) => &["Sales", "R&amp;D"],
                    ("EmailFolder", None) => &["Mail"],
                    ("Report", Some("R&amp;D")) => &["R&amp;D/Costs"],
                    ("Report", Some("Sales")) => &["Sales/Q1", "Sales/Q2"],
                    ("Report", Some("unfiled$public")) => &["unfiled$public/Mine"],
                    ("EmailTemplate", Some("Mail")) => &["Mail/Hello"],
                    ("EmailTemplate", Some("unfiled$public")) => &[],
                    other => panic!("{other:?}"),
                };
                for name in names {
                    results.push_str(&format!("<result><fileName>x/{name}</fileName><fullName>{name}</fullName><id></id><type>{of}</type></result>"));
                }
            }
            soap("listMetadata", &results)
        }
        other => panic!("{other}"),
    });
    let metadata = org.connect().await.metadata();
    let described = metadata.describe().await.unwrap();
    assert_eq!(described.types.len(), 4);
    assert_eq!(described.find("CustomObject").unwrap().children, ["CustomField"]);
    assert!(described.test_required && !described.partial_save_allowed);
    let listed = metadata.list_all(&described, &ListOptions::default()).await.unwrap();
    let names: Vec<String> =
        listed.components.iter().map(|c| format!("{} {}", c.type_name, c.full_name)).collect();
    assert_eq!(
        names,
        [
            "CustomObject Account",
            "CustomObject My__c",
            "EmailTemplate Mail",
            "EmailTemplate Mail/Hello",
            "Report R&D",
            "Report R&D/Costs",
            "Report Sales",
            "Report Sales/Q1",
            "Report Sales/Q2",
            "Report unfiled$public/Mine",
        ]
    );
    assert_eq!(listed.failed.len(), 1);
    assert_eq!(
        (listed.failed[0].0.type_name.as_str(), listed.failed[0].1.code()),
        ("OddType", "INVALID_TYPE")
    );
}

#[tokio::test]
async fn all_members_come_several_retrieves_at_a_time() {
    let org = Org::start().await;
    let behaviour = Behaviour::default();
    serve_retrieves(&org, behaviour.clone());
    let (got, bad, retrieves) = all(&org.connect().await, 100, 7).await;
    assert_eq!((got.len(), bad.len(), retrieves), (100, 0, 15));
    let busy = behaviour.most_busy.load(Ordering::SeqCst);
    assert!((2..=3).contains(&busy), "{busy} at a time");
}

#[tokio::test]
async fn members_that_make_a_retrieve_fail_are_found_and_all_others_come() {
    let org = Org::start().await;
    let bad = BTreeSet::from(["T:M013".to_owned(), "T:M077".to_owned()]);
    serve_retrieves(&org, Behaviour { bad, ..Behaviour::default() });
    let (got, mut bad, retrieves) = all(&org.connect().await, 100, 50).await;
    bad.sort();
    assert_eq!((got.len(), bad), (98, vec!["M013".to_owned(), "M077".to_owned()]));
    assert!(retrieves < 30, "{retrieves}");
}

#[tokio::test]
async fn what_is_too_much_for_one_retrieve_is_halved() {
    let org = Org::start().await;
    serve_retrieves(&org, Behaviour { most: Some(20), ..Behaviour::default() });
    let (got, bad, _) = all(&org.connect().await, 100, 1_000).await;
    assert_eq!((got.len(), bad.len()), (100, 0));
}

#[tokio::test]
async fn a_zip_that_breaks_off_or_comes_cut_is_had_anew() {
    for (cut, cut_zip) in [(1, 0), (0, 1), (1, 1), (0, 2)] {
        let org = Org::start().await;
        let behaviour = Behaviour {
            cut: Arc::new(cut.into()),
            cut_zip: Arc::new(cut_zip.into()),
            ..Behaviour::default()
        };
        serve_retrieves(&org, behaviour);
        let (got, bad, _) = all(&org.connect().await, 10, 100).await;
        assert_eq!((got.len(), bad.len()), (10, 0), "{cut} {cut_zip}");
    }
}

#[tokio::test]
async fn a_zip_that_is_not_to_be_trusted_is_a_typed_error_and_writes_nothing() {
    let escaping = {
        let mut zip = zipped(&[("0123456789abc".to_owned(), b"x".to_vec())]);
        let places: Vec<usize> =
            (0..zip.len() - 13).filter(|at| zip[*at..].starts_with(b"0123456789abc")).collect();
        for at in places {
            zip[at..at + 13].copy_from_slice(b"../../evil123");
        }
        zip
    };
    for zip in [escaping, b"no zip at all".to_vec(), Vec::new()] {
        let org = Org::start().await;
        serve_retrieves(&org, Behaviour { zip: Some(zip), ..Behaviour::default() });
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        let metadata = org.connect().await.metadata();
        let error = metadata.retrieve(&members(&["A"]), &options(&inner)).await.unwrap_err();
        let MetadataError::Zip { source, .. } = &error else { panic!("{error:?}") };
        assert!(matches!(source, ZipError::Name { .. } | ZipError::Broken { .. }), "{source:?}");
        assert_eq!(std::fs::read_dir(&inner).unwrap().count(), 0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[tokio::test]
async fn missing_members_are_told_and_waits_end() {
    let org = Org::start().await;
    serve_retrieves(&org, Behaviour::default());
    let folder = tempfile::tempdir().unwrap();
    let metadata = org.connect().await.metadata();
    let retrieved = metadata.retrieve(&members(&["A"]), &options(folder.path())).await.unwrap();
    assert_eq!(retrieved.messages[0].missing(), Some(("T", "Gone")));
    assert_eq!(retrieved.properties[0].type_name, "T");
    let mut late = options(folder.path());
    late.deadline = Some(tokio::time::Instant::now());
    let error = metadata.retrieve(&members(&["A"]), &late).await.unwrap_err();
    assert!(matches!(error, MetadataError::Deadline { .. }), "{error:?}");
    let ended = options(folder.path());
    ended.cancel.cancel();
    let error = metadata.retrieve(&members(&["A"]), &ended).await.unwrap_err();
    assert!(matches!(error, MetadataError::Cancelled { .. }), "{error:?}");
}

#[tokio::test]
async fn a_session_that_ends_is_renewed_and_faults_are_typed() {
    let org = Org::start().await;
    org.on(PATH, |seen| {
        if seen.body.contains(">token-0<") {
            return fault("INVALID_SESSION_ID", "Invalid Session ID found in SessionHeader: Illegal Session");
        }
        assert!(seen.body.contains(">token-1<"));
        fault(
            "INSUFFICIENT_ACCESS",
            "use of the Metadata API requires a user with the ModifyAllData or ModifyMetadata permissions",
        )
    });
    let metadata = org.connect().await.metadata();
    let error = metadata.describe().await.unwrap_err();
    assert_eq!(error.code(), "INSUFFICIENT_ACCESS");
    assert!(error.to_string().contains("requires a user with"), "{error}");
    assert_eq!(org.seen(PATH).len(), 2, "a fault that stays is not asked for again");
}

fn package() -> DeployPackage {
    let mut package = DeployPackage::new("64.0");
    let files = [("classes/A.cls".to_owned(), Bytes::from_static(b"class A {}"))];
    package.add("ApexClass", "A", files).unwrap();
    package.delete_after("CustomField", "Account.Old__c");
    package
}

const REQUESTS: &str = "/services/data/v64.0/tooling/query";

/// Serves deploys; answers are lost as often as it says, before or after the work.
fn serve_deploys(org: &Org, lost: usize, works: bool) -> Arc<Mutex<Vec<Vec<u8>>>> {
    let deploys: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let lost = Arc::new(AtomicUsize::new(lost));
    let kept = deploys.clone();
    org.on(REQUESTS, move |_| {
        let records: Vec<String> = (0..kept.lock().unwrap().len())
            .map(|n| format!("{{\"Id\":\"0Af{n}\",\"CheckOnly\":false}}"))
            .collect();
        json(200, &format!("{{\"totalSize\":1,\"done\":true,\"records\":[{}]}}", records.join(",")))
    });
    let kept = deploys.clone();
    org.on(PATH, move |seen| match call(seen).as_str() {
        "deploy" => {
            let is_lost = take_one(&lost);
            if !is_lost || works {
                let zip = STANDARD.decode(between(&seen.body, "ZipFile").unwrap()).unwrap();
                kept.lock().unwrap().push(zip);
            }
            if is_lost {
                return answer(503, &[("content-type", "text/html")], "<html>busy</html>");
            }
            let id = kept.lock().unwrap().len() - 1;
            soap("deploy", &format!("<result><done>false</done><id>0Af{id}</id><state>Queued</state></result>"))
        }
        "checkDeployStatus" => {
            let done = seen.nth > 2;
            let details = seen.body.contains("<includeDetails>true</includeDetails>");
            let details = if details { "<details><componentFailures><componentType>ApexClass</componentType><fileName>classes/A.cls</fileName><fullName>A</fullName><lineNumber>1</lineNumber><columnNumber>8</columnNumber><problem>Unexpected token 'A'.</problem><problemType>Error</problemType></componentFailures></details>" } else { "" };
            soap("checkDeployStatus", &format!("<result><id>0Af0</id><done>{done}</done><status>Failed</status><success>false</success>{details}</result>"))
        }
        "cancelDeploy" => soap("cancelDeploy", "<result><done>false</done><id>0Af0</id></result>"),
        other => panic!("{other}"),
    });
    deploys
}

#[tokio::test]
async fn a_deploy_tells_file_line_and_problem() {
    let org = Org::start().await;
    let deploys = serve_deploys(&org, 0, true);
    let folder = tempfile::tempdir().unwrap();
    let metadata = org.connect().await.metadata();
    let built = package().build().unwrap();
    let job = metadata.deploy(&built, &DeployOptions::default()).await.unwrap();
    let result = job.wait(&options(folder.path())).await.unwrap();
    assert_eq!(result.problems(), ["classes/A.cls:1:8: ApexClass A: Unexpected token 'A'."]);
    job.cancel().await.unwrap();
    let sent = deploys.lock().unwrap().clone();
    assert_eq!(sent, [built.zip.to_vec()]);
    let mut zip = zip::ZipArchive::new(Cursor::new(&sent[0])).unwrap();
    let text = std::io::read_to_string(zip.by_name("package.xml").unwrap()).unwrap();
    assert!(read_package_xml(&text).unwrap().0["ApexClass"].contains("A"));
    assert!(zip.by_name("destructiveChangesPost.xml").is_ok());
}

#[tokio::test]
async fn a_deploy_whose_answer_was_lost_is_found_and_not_sent_again() {
    let org = Org::start().await;
    let deploys = serve_deploys(&org, 1, true);
    let metadata = org.connect().await.metadata();
    let built = package().build().unwrap();
    let first = metadata.deploy(&built, &DeployOptions::default()).await.unwrap();
    let second = metadata.deploy(&built, &DeployOptions::default()).await.unwrap();
    assert_eq!((first.id(), second.id()), ("0Af0", "0Af1"));
    assert_eq!(deploys.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_deploy_that_never_arrived_is_an_error_that_says_so() {
    let org = Org::start().await;
    let deploys = serve_deploys(&org, 1, false);
    let metadata = org.connect().await.metadata();
    let built = package().build().unwrap();
    let error = metadata.deploy(&built, &DeployOptions::default()).await.unwrap_err();
    let MetadataError::DeployLost { found, .. } = &error else { panic!("{error:?}") };
    assert!(found.contains("no new one"), "{error}");
    assert!(deploys.lock().unwrap().is_empty());
}
