//! The Metadata API against the simulated org: real source goes in, all of it comes out, whatever happens on the way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use orgkeep_salesforce::metadata::{
    DeployOptions, DeployPackage, ListOptions, Members, MetadataError, PlanLimits, Polling, RetrieveOptions,
    RetrieveReport, ZipLimits, components, deploy_chunks, plan,
};
use orgkeep_salesforce::{Auth, Client, ConnectOptions, Environment, RetryPolicy};
use orgkeep_simulator::faults::FaultPlan;
use orgkeep_simulator::{Simulator, StartOptions};
use tempfile::TempDir;

/// dreamhouse-lwc's source (CC0-1.0), as the simulator's own tests have it.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/simulator/tests/metadata/dreamhouse");

const ORG: &str = "
name: Acme
type: Sandbox
limits: {dailyApiRequests: 10000000}
users:
  - {username: admin@acme.example, profile: System Administrator, permissions: [ApiEnabled, ViewAllData, ModifyAllData, ModifyMetadata, AuthorApex, CustomizeApplication]}
  - {username: clerk@acme.example, permissions: [ApiEnabled]}
connectedApps:
  - {clientId: app, clientSecret: app-secret, flows: [ClientCredentials], runAs: admin@acme.example}
  - {clientId: clerk, clientSecret: app-secret, flows: [ClientCredentials], runAs: clerk@acme.example}
";

struct Bed {
    simulator: Simulator,
    folder: TempDir,
}

type Files = BTreeMap<String, Vec<u8>>;

impl Bed {
    async fn start(source: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut org = ORG.to_owned();
        if let Some(source) = source {
            org.push_str(&format!("metadata: ['{source}']\n"));
        }
        fs::create_dir(folder.path().join("org")).unwrap();
        fs::create_dir(folder.path().join("zips")).unwrap();
        fs::write(folder.path().join("org/org.yaml"), org).unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = StartOptions::org(folder.path().join("org"));
        Self { simulator: Simulator::start(options).await.unwrap(), folder }
    }

    async fn connect(&self, app: &str) -> Client {
        let auth = Auth::ClientCredentials {
            client_id: app.to_owned(),
            client_secret: "app-secret".to_owned().into(),
        };
        let mut options =
            ConnectOptions::new(self.simulator.address.parse().unwrap(), Environment::Sandbox, auth);
        options.allow_http = true;
        options.retry = RetryPolicy {
            tries: 6,
            base: Duration::from_millis(1),
            cap: Duration::from_millis(5),
            total: Duration::from_secs(60),
        };
        Client::connect(options).await.unwrap()
    }

    fn options(&self) -> RetrieveOptions {
        let mut options = RetrieveOptions::new(&self.folder.path().join("zips"));
        options.polling = Polling { first: Duration::from_millis(20), longest: Duration::from_millis(60) };
        options
    }

    /// Retrieves all, in packages of so many files.
    async fn all(&self, client: &Client, files: usize) -> (Files, RetrieveReport) {
        self.all_with(client, files, 4).await
    }

    async fn all_with(&self, client: &Client, files: usize, parallel: usize) -> (Files, RetrieveReport) {
        let metadata = client.metadata();
        let described = metadata.describe().await.unwrap();
        let listed =
            metadata.list_all(&described, &ListOptions { parallel, ..ListOptions::default() }).await.unwrap();
        assert!(listed.failed.is_empty(), "{:?}", listed.failed);
        let packages = plan(&listed.components, &described, PlanLimits { files });
        let mut many = metadata.retrieve_all(packages, RetrieveOptions { parallel, ..self.options() });
        let mut got = Files::new();
        while let Some(package) = many.next().await.unwrap() {
            let mut zip = package.retrieved.zip.open(ZipLimits::default()).unwrap();
            zip.each(|name, content| {
                if name != "package.xml" {
                    got.insert(name.to_owned(), content);
                }
                Ok(())
            })
            .unwrap();
        }
        (got, many.finish())
    }
}

fn count(folder: &Path, suffix: &str) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            if path.is_dir() {
                count(&path, suffix)
            } else {
                usize::from(path.to_str().unwrap().ends_with(suffix))
            }
        })
        .sum()
}

#[tokio::test]
async fn all_of_a_source_comes_out_again() {
    let bed = Bed::start(Some(SOURCE)).await;
    let client = bed.connect("app").await;
    let (files, report) = bed.all(&client, 5_000).await;
    assert!(report.bad.is_empty(), "{:?}", report.bad);
    assert!(report.missing.iter().all(|(kind, _)| kind == "StandardValueSet"), "{:?}", report.missing);
    let classes = files.keys().filter(|name| name.split('.').next_back() == Some("cls")).count();
    assert_eq!(classes, count(Path::new(SOURCE), ".cls"));
    let broker = String::from_utf8(files["objects/Broker__c.object"].clone()).unwrap();
    assert!(broker.contains("<fullName>Email__c</fullName>"), "{broker}");
    // in small packages the same files come, but for profiles, which tell of less
    let (small, _) = bed.all(&client, 40).await;
    let names = |files: &Files| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&small), names(&files));
}

#[tokio::test]
async fn whatever_call_is_lost_all_comes() {
    let bed = Bed::start(Some(SOURCE)).await;
    let client = bed.connect("app").await;
    let (whole, _) = bed.all(&client, 60).await;
    // at chosen calls, and at some: what fires at every n-th call may meet the same call of each retrieve again
    for often in ["n: [1, 3, 5, 7, 9, 11, 13, 40, 80, 120]", "chance: 0.03"] {
        for fault in [
            "{close: after}",
            "{close: before}",
            "{status: 503}",
            "{html: true}",
            "{cutAfterBytes: 300, cut: abrupt}",
            "{endSessions: true}",
        ] {
            let text =
                format!("seed: 7\nfaults: [{{match: {{path: '/services/Soap/m/*'}}, {often}, do: {fault}}}]");
            bed.simulator.set_faults(FaultPlan::from_yaml(&text).unwrap());
            // one call at a time: the call after one that was lost is the same once more
            let (files, report) = bed.all_with(&client, 60, 1).await;
            assert!(report.bad.is_empty(), "{fault} {often}: {:?}", report.bad);
            assert_eq!(files, whole, "{fault} {often}");
            assert!(bed.simulator.faults()[0].fired > 2, "{fault} {often}");
        }
    }
}

#[tokio::test]
async fn who_may_not_is_told_so() {
    let bed = Bed::start(None).await;
    let metadata = bed.connect("clerk").await.metadata();
    let error = metadata.describe().await.unwrap_err();
    assert_eq!(error.code(), "INSUFFICIENT_ACCESS", "{error}");
}

#[tokio::test]
async fn nonsense_is_a_typed_error_or_a_message() {
    let bed = Bed::start(None).await;
    let metadata = bed.connect("app").await.metadata();
    let ask = |kind: &str, name: &str| Members::from([(kind.to_owned(), [name.to_owned()].into())]);
    let missing = metadata.retrieve(&ask("ApexClass", "Nobody & Co"), &bed.options()).await.unwrap();
    assert_eq!(missing.messages[0].missing(), Some(("ApexClass", "Nobody & Co")));
    let error = metadata.retrieve(&ask("Nonsense", "*"), &bed.options()).await;
    match error {
        Ok(retrieved) => assert!(!retrieved.messages.is_empty()),
        Err(MetadataError::RetrieveFailed { .. } | MetadataError::Call(_)) => {}
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_was_retrieved_deploys_into_an_empty_org() {
    let bed = Bed::start(Some(SOURCE)).await;
    let client = bed.connect("app").await;
    let (files, _) = bed.all(&client, 5_000).await;
    let empty = Bed::start(None).await;
    let target = empty.connect("app").await;
    let metadata = target.metadata();
    let described = metadata.describe().await.unwrap();
    let files = files.into_iter().map(|(name, content)| (name, content.into()));
    let (mut found, unknown) = components(&described, files);
    assert!(unknown.is_empty(), "{unknown:?}");
    // the copy of the source is a part: it has no Property__c, and what names it is refused
    found.retain(|component| {
        let told = |content: &[u8]| String::from_utf8_lossy(content).contains("Property__c");
        !component.member.contains("Property__c") && !component.files.values().any(|content| told(content))
    });
    let sent: Vec<String> = found.iter().flat_map(|component| component.files.keys().cloned()).collect();
    assert!(sent.len() > 20, "{sent:?}");
    for chunk in deploy_chunks(metadata.version(), found, 60).unwrap() {
        let job = metadata.deploy(&chunk, &DeployOptions::default()).await.unwrap();
        let result = job.wait(&empty.options()).await.unwrap();
        assert!(result.success, "{:#?}", result.problems());
    }
    let broker = target.describe("Broker__c").await.unwrap();
    assert!(broker.fields.iter().any(|field| field.name == "Email__c"));
    let (again, _) = empty.all(&target, 5_000).await;
    let (first, _) = bed.all(&client, 5_000).await;
    let differ: Vec<&String> = sent.iter().filter(|name| again.get(*name) != first.get(*name)).collect();
    assert!(differ.is_empty(), "{differ:?}");
}

#[tokio::test]
async fn a_deploy_whose_answer_is_lost_is_made_once() {
    let bed = Bed::start(None).await;
    let metadata = bed.connect("app").await.metadata();
    let content = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<RemoteSiteSetting \
        xmlns=\"http://soap.sforce.com/2006/04/metadata\">\n    <disableProtocolSecurity>false</disableProtocolSecurity>\n    \
        <isActive>true</isActive>\n    <url>https://acme.example</url>\n</RemoteSiteSetting>\n";
    let mut package = DeployPackage::new(metadata.version());
    let files = [("remoteSiteSettings/Acme.remoteSite".to_owned(), content.into())];
    package.add("RemoteSiteSetting", "Acme", files).unwrap();
    let built = package.build().unwrap();
    let mut ids = std::collections::BTreeSet::new();
    for fault in ["{close: after}", "{status: 503, carriedOut: true}", "{cutAfterBytes: 100, cut: abrupt}"] {
        let text = format!("faults: [{{match: {{body: '<ZipFile>'}}, n: 1, do: {fault}}}]");
        bed.simulator.set_faults(FaultPlan::from_yaml(&text).unwrap());
        let job = metadata.deploy(&built, &DeployOptions::default()).await.unwrap();
        assert_eq!(bed.simulator.faults()[0].fired, 1);
        let result = job.wait(&bed.options()).await.unwrap();
        assert!(result.success, "{:#?}", result.problems());
        assert!(ids.insert(job.id().to_owned()), "{} was taken twice", job.id());
        let sent = bed.simulator.faults()[0].seen;
        assert_eq!(sent, 1, "{fault}: it was sent again");
    }
}
