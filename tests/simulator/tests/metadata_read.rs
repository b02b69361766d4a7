//! The Metadata API's calls that read: describe, list, read and retrieve.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::Path;

use common::metadata::{PACKAGE, begin, call, done, fault, files, folder, retrieve, texts, types, wait};
use common::{Served, serve_with};
use orgkeep_simulator::metadata::Key;
use orgkeep_simulator::org::Org;
use roxmltree::{Document, Node};

async fn served() -> Served {
    serve_with(PACKAGE, &[]).await
}

/// The names of the type in a list.
async fn listed(served: &Served, query: &str) -> Vec<String> {
    texts(&done(served, "listMetadata", query).await, "fullName")
}

#[tokio::test]
async fn types_are_described() {
    let served = served().await;
    let body = done(&served, "describeMetadata", "<asOfVersion>63.0</asOfVersion>").await;
    let document = Document::parse(&body).unwrap();
    let described: Vec<Node<'_, '_>> =
        document.descendants().filter(|node| node.has_tag_name_local("metadataObjects")).collect();
    assert!(described.len() > 350, "{}", described.len());
    let class = described.iter().find(|node| node.last_text() == "ApexClass").unwrap();
    let told: Vec<_> = class.children().map(|child| child.text().unwrap_or_default()).collect();
    assert_eq!(told, ["classes", "false", "true", "cls", "ApexClass"]);
    let object = described.iter().find(|node| node.last_text() == "CustomObject").unwrap();
    assert!(object.children().any(|child| child.text() == Some("ValidationRule")));
    assert_eq!(texts(&body, "partialSaveAllowed"), ["false"]);
}

trait Names {
    fn has_tag_name_local(&self, name: &str) -> bool;
    fn last_text(&self) -> &str;
}

impl Names for Node<'_, '_> {
    fn has_tag_name_local(&self, name: &str) -> bool {
        self.tag_name().name() == name
    }
    fn last_text(&self) -> &str {
        self.last_child().and_then(|child| child.text()).unwrap_or_default()
    }
}

#[tokio::test]
async fn components_are_listed() {
    let served = served().await;
    let objects = listed(&served, "<queries><type>CustomObject</type></queries>").await;
    assert!(
        objects.contains(&"Account".to_owned()) && objects.contains(&"Level__c".to_owned()),
        "{objects:?}"
    );
    let two = "<queries><type>CustomField</type></queries><queries><type>ValidationRule</type></queries>";
    let names = listed(&served, two).await;
    // of schema.yaml and of metadata alike
    for name in ["Account.Secret__c", "Account.Size__c", "Level__c.Points__c", "Level__c.Positive"] {
        assert!(names.contains(&name.to_owned()), "{name}: {names:?}");
    }
    assert_eq!(listed(&served, "<queries><type>Report</type></queries>").await, [""; 0]);
    assert_eq!(listed(&served, "<queries><folder>F</folder><type>Report</type></queries>").await, ["F/R"]);
    assert_eq!(listed(&served, "<queries><type>ReportFolder</type></queries>").await, ["F"]);
    assert_eq!(listed(&served, "<queries><type>CustomLabel</type></queries>").await, ["L"]);
    let profiles = listed(&served, "<queries><type>Profile</type></queries>").await;
    assert_eq!(profiles, ["Admin", "Sales", "Standard"]);
    let body = done(&served, "listMetadata", "<queries><type>ApexClass</type></queries>").await;
    assert_eq!(texts(&body, "fileName"), ["classes/A.cls"]);
    assert_eq!(texts(&body, "createdDate"), ["2020-01-01T00:00:00.000Z"]);
    assert!(texts(&body, "id")[0].starts_with("01p") && texts(&body, "type") == ["ApexClass"]);
}

#[tokio::test]
async fn components_are_read() {
    let served = served().await;
    let content = "<type>CustomObject</type><fullNames>Level__c</fullNames><fullNames>Not__c</fullNames>";
    let body = done(&served, "readMetadata", content).await;
    let document = Document::parse(&body).unwrap();
    let records: Vec<_> = document.descendants().filter(|node| node.has_tag_name_local("records")).collect();
    assert_eq!(records.len(), 2);
    let names: Vec<_> = records[0].children().map(|child| child.tag_name().name()).collect();
    let expected = [
        "fullName",
        "deploymentStatus",
        "fields",
        "label",
        "nameField",
        "pluralLabel",
        "sharingModel",
        "validationRules",
    ];
    assert_eq!(names, expected);
    assert!(records[1].attributes().any(|attribute| attribute.name() == "nil"));
    let content = "<type>CustomField</type><fullNames>Account.Size__c</fullNames>";
    let body = done(&served, "readMetadata", content).await;
    assert_eq!(texts(&body, "fullName"), ["Account.Size__c"]);
    assert_eq!(texts(&body, "length"), ["10"]);
    let content = "<type>StandardValueSet</type><fullNames>Industry</fullNames>";
    let body = done(&served, "readMetadata", content).await;
    assert!(texts(&body, "label").contains(&"Energy".to_owned()), "{body}");
    let eleven = format!("<type>CustomObject</type>{}", "<fullNames>Account</fullNames>".repeat(11));
    fault(&served, "readMetadata", &eleven, "EXCEEDED_ID_LIMIT").await;
}

#[tokio::test]
async fn retrieves_go_through_states_and_their_zip_is_had_once() {
    let served = served().await;
    let id = begin(&served, &[("ApexClass", &["*"]), ("CustomObject", &["Level__c"])], "").await;
    assert!(id.starts_with("09S"));
    // older clients ask with the older call first
    let old = done(&served, "checkStatus", &format!("<asyncProcessId>{id}</asyncProcessId>")).await;
    assert_eq!(texts(&old, "done"), ["false"]);
    let (body, states) = wait(&served, &id).await;
    assert_eq!(states.last().unwrap(), "Succeeded");
    assert!(states.len() > 1, "{states:?}");
    let old = done(&served, "checkStatus", &format!("<asyncProcessId>{id}</asyncProcessId>")).await;
    assert_eq!(texts(&old, "state"), ["Completed"]);
    let names: Vec<_> = files(&body).into_keys().collect();
    let expected = [
        "unpackaged/classes/A.cls",
        "unpackaged/classes/A.cls-meta.xml",
        "unpackaged/objects/Level__c.object",
        "unpackaged/package.xml",
    ];
    assert_eq!(names, expected);
    assert_eq!(texts(&body, "fileName"), [expected[0], expected[2], expected[3]]);
    let again = format!("<asyncProcessId>{id}</asyncProcessId><includeZip>true</includeZip>");
    let words = fault(&served, "checkRetrieveStatus", &again, "INVALID_LOCATOR").await;
    assert!(words.contains("Retrieve result has been deleted."), "{words}");
    let without = format!("<asyncProcessId>{id}</asyncProcessId><includeZip>false</includeZip>");
    done(&served, "checkRetrieveStatus", &without).await;
    let other = "<asyncProcessId>09S5g0000000zzzAAA</asyncProcessId>";
    fault(&served, "checkRetrieveStatus", other, "INVALID_CROSS_REFERENCE_KEY").await;
}

#[tokio::test]
async fn retrieved_documents_have_the_form_of_salesforce() {
    let served = served().await;
    let (files, problems) =
        retrieve(&served, &[("ApexClass", &["A"]), ("CustomObject", &["Level__c"])]).await;
    assert!(problems.is_empty(), "{problems:?}");
    let text = |name: &str| String::from_utf8(files[name].clone()).unwrap();
    assert_eq!(text("unpackaged/classes/A.cls"), "public class A {}\r\n");
    assert_eq!(
        text("unpackaged/classes/A.cls-meta.xml"),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ApexClass xmlns=\"http://soap.sforce.com/2006/04/metadata\">\n    \
         <apiVersion>63.0</apiVersion>\n    <status>Active</status>\n</ApexClass>\n"
    );
    let object = text("unpackaged/objects/Level__c.object");
    assert!(
        object.contains("        <errorConditionFormula>Points__c &lt; 0</errorConditionFormula>\n"),
        "{object}"
    );
    assert!(text("unpackaged/package.xml").contains("<members>Level__c</members>"));
}

#[tokio::test]
async fn members_that_are_missing_are_told() {
    let served = served().await;
    let asked: &[(&str, &[&str])] =
        &[("ApexClass", &["A", "B"]), ("Reports", &["R"]), ("CustomField", &["Account.Not__c"])];
    let (files, problems) = retrieve(&served, asked).await;
    assert!(files.contains_key("unpackaged/classes/A.cls"));
    assert_eq!(
        problems,
        [
            "Entity of type 'ApexClass' named 'B' cannot be found",
            "Unknown type name 'Reports' specified in package.xml",
            "Entity of type 'CustomField' named 'Account.Not__c' cannot be found",
        ]
    );
}

#[tokio::test]
async fn parts_are_retrieved_in_the_document_that_holds_them() {
    let served = served().await;
    let (files, _) = retrieve(&served, &[("CustomField", &["Account.Size__c", "Account.Secret__c"])]).await;
    let object = String::from_utf8(files["unpackaged/objects/Account.object"].clone()).unwrap();
    assert_eq!(texts(&object, "fullName"), ["Secret__c", "Size__c"]);
    let (files, _) = retrieve(&served, &[("CustomObject", &["Account"])]).await;
    let object = String::from_utf8(files["unpackaged/objects/Account.object"].clone()).unwrap();
    let names = texts(&object, "fullName");
    // a standard object comes with its standard fields
    assert!(names.contains(&"Industry".to_owned()) && names.contains(&"Size__c".to_owned()), "{names:?}");
    // `*` is custom objects alone
    let (files, _) = retrieve(&served, &[("CustomObject", &["*"])]).await;
    assert!(!files.contains_key("unpackaged/objects/Account.object"));
    assert!(files.contains_key("unpackaged/objects/Level__c.object"));
}

#[tokio::test]
async fn profiles_tell_of_what_is_asked_for_with_them() {
    let served = served().await;
    let profile = async |asked: &[(&str, &[&str])]| {
        let (files, _) = retrieve(&served, asked).await;
        String::from_utf8(files["unpackaged/profiles/Sales.profile"].clone()).unwrap()
    };
    let alone = profile(&[("Profile", &["Sales"])]).await;
    assert!(alone.contains("userPermissions") && !alone.contains("classAccesses"), "{alone}");
    assert!(!alone.contains("fieldPermissions"));
    let with =
        profile(&[("Profile", &["Sales"]), ("ApexClass", &["*"]), ("CustomObject", &["Account"])]).await;
    assert!(with.contains("classAccesses") && with.contains("fieldPermissions"), "{with}");
    assert!(with.contains("<object>Account</object>"));
    // a profile that nobody loaded tells of its users: what is hidden from them, and what they may do
    let (files, _) = retrieve(&served, &[("Profile", &["Standard"]), ("CustomObject", &["Account"])]).await;
    let standard = String::from_utf8(files["unpackaged/profiles/Standard.profile"].clone()).unwrap();
    let of = |field: &str| {
        let document = Document::parse(&standard).unwrap();
        let found = document.descendants().filter(|node| node.has_tag_name_local("fieldPermissions"));
        found
            .map(|node| {
                node.children()
                    .filter_map(|child| child.text())
                    .collect::<String>()
                    .replace(char::is_whitespace, "")
            })
            .find(|told| told.contains(field))
    };
    assert_eq!(of("Account.Secret__c").as_deref(), Some("falseAccount.Secret__cfalse"), "{standard}");
    assert_eq!(of("Account.Since__c").as_deref(), Some("trueAccount.Since__ctrue"), "{standard}");
    assert!(standard.contains("<name>ApiEnabled</name>"));
    let body = done(&served, "readMetadata", "<type>Profile</type><fullNames>Admin</fullNames>").await;
    assert!(texts(&body, "object").contains(&"Level__c".to_owned()), "{body}");
}

#[tokio::test]
async fn files_and_packages_may_be_asked_for_by_name() {
    let served = served().await;
    let more = "<singlePackage>true</singlePackage><specificFiles>classes/A.cls</specificFiles>";
    let id = begin(&served, &[("ApexClass", &["A"]), ("Document", &["F", "F/D.txt"])], more).await;
    let (body, _) = wait(&served, &id).await;
    assert_eq!(files(&body).into_keys().collect::<Vec<_>>(), ["classes/A.cls", "package.xml"]);
    let (files, problems) = retrieve(&served, &[("Document", &["F", "F/D.txt"])]).await;
    assert!(problems.is_empty() && files.contains_key("unpackaged/documents/F-meta.xml"), "{problems:?}");
    assert_eq!(files["unpackaged/documents/F/D.txt"], b"text");
    let id = begin(&served, &[], "<packageNames>Not</packageNames>").await;
    let (body, states) = wait(&served, &id).await;
    assert_eq!(states.last().unwrap(), "Failed");
    assert!(texts(&body, "errorMessage")[0].contains("No package named 'Not' found"), "{body}");
}

#[tokio::test]
async fn metadata_follows_the_schema() {
    let served = served().await;
    let change = serde_json::json!([
        {"do": "removeField", "object": "Account", "field": "Size__c"},
        {"do": "retypeField", "object": "Level__c", "field": "Points__c", "definition": {"type": "string", "length": 40}},
        {"do": "addField", "object": "Account", "field": "New__c", "definition": {"type": "boolean"}},
    ]);
    let at = format!("/_simulator/orgs/{}/schema", served.simulator.orgs[0].id);
    let answer = served.send(reqwest::Method::POST, &served.token, &at, Some(change)).await;
    assert_eq!(answer.status(), 204, "{}", answer.text().await.unwrap());
    let names = listed(&served, "<queries><type>CustomField</type></queries>").await;
    assert!(!names.contains(&"Account.Size__c".to_owned()) && names.contains(&"Account.New__c".to_owned()));
    let content = "<type>CustomField</type><fullNames>Level__c.Points__c</fullNames>";
    assert_eq!(texts(&done(&served, "readMetadata", content).await, "type"), ["Text"]);
}

#[tokio::test]
async fn automations_are_components_and_tell_whether_they_are_on() {
    let org = format!("{}automation: automation.yaml\n", common::metadata::ORG);
    let declared = "automations:\n  - {kind: ValidationRule, object: Account, name: Named, when: 'ISBLANK(Name)', message: no}\n  \
        - {kind: ApexTrigger, object: Account, name: T, on: [before insert], do: [{set: Description, to: '\"x\"'}]}\n  \
        - {kind: WorkflowRule, object: Account, name: W, on: [after insert], do: [{set: Description, to: '\"y\"'}]}\n  \
        - {kind: Flow, object: Account, name: F, on: [after insert], do: [{set: Description, to: '\"z\"'}]}\n";
    let mut files = PACKAGE.to_vec();
    files.extend([("org.yaml", org.as_str()), ("automation.yaml", declared)]);
    let served = serve_with(&files, &[]).await;
    let query = "<queries><type>ValidationRule</type></queries><queries><type>Workflow</type></queries>";
    assert_eq!(listed(&served, query).await, ["Account.Named", "Level__c.Positive", "Account"]);
    let asked: &[(&str, &[&str])] = &[
        ("ApexTrigger", &["*"]),
        ("Workflow", &["*"]),
        ("ValidationRule", &["Account.Named", "Level__c.Positive"]),
    ];
    let (files, problems) = retrieve(&served, asked).await;
    assert!(problems.is_empty(), "{problems:?}");
    let text = |path: &str| String::from_utf8(files[path].clone()).unwrap();
    assert!(text("unpackaged/triggers/T.trigger").starts_with("trigger T on Account (before insert)"));
    assert!(text("unpackaged/triggers/T.trigger-meta.xml").contains("<status>Active</status>"));
    assert!(text("unpackaged/workflows/Account.workflow").contains("<fullName>W</fullName>"));
    assert!(text("unpackaged/objects/Account.object").contains("ISBLANK(Name)"));
    assert!(text("unpackaged/objects/Level__c.object").contains("<active>true</active>"));
    let definition = "<type>FlowDefinition</type><fullNames>F</fullNames>";
    assert_eq!(texts(&done(&served, "readMetadata", definition).await, "activeVersionNumber"), ["1"]);
    let at = format!("/_simulator/orgs/{}/automations", served.simulator.orgs[0].id);
    let off = serde_json::json!({"kind": "ValidationRule", "fullName": "Level__c.Positive", "active": false});
    let answer = served.send(reqwest::Method::POST, &served.token, &at, Some(off)).await;
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    let (files, _) = retrieve(&served, asked).await;
    let object = String::from_utf8(files["unpackaged/objects/Level__c.object"].clone()).unwrap();
    assert!(object.contains("<active>false</active>"), "{object}");
}

#[tokio::test]
async fn the_metadata_api_is_for_those_who_may_change_metadata() {
    let served = served().await;
    let token = served.sign_in("plain@acme.example").await;
    let (status, body) = call(&served, &token, "describeMetadata", "").await;
    assert_eq!(status, 500);
    assert_eq!(texts(&body, "faultcode"), ["sf:INSUFFICIENT_ACCESS"]);
    let (_, body) = call(&served, "no", "describeMetadata", "").await;
    assert_eq!(texts(&body, "faultcode"), ["sf:INVALID_SESSION_ID"]);
}

/// What a document says, in any order of elements.
fn said(node: Node<'_, '_>) -> String {
    let mut parts: Vec<String> = node.children().filter(Node::is_element).map(said).collect();
    parts.sort();
    let text = if parts.is_empty() { node.text().unwrap_or_default() } else { "" };
    format!("{}[{text}{}]", node.tag_name().name(), parts.join(","))
}

/// Loads a folder of real metadata, retrieves all of it, and loads what came.
async fn round_trip(name: &str) -> usize {
    let at = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/metadata").join(name);
    let settings = common::metadata::ORG.replace("[Account.Secret__c]", "[]");
    let org = format!("{settings}metadata: [{}]\n", at.display());
    let served = serve_with(&[("org.yaml", &org)], &[]).await;
    let first = tempfile::tempdir().unwrap();
    std::fs::write(first.path().join("org.yaml"), &org).unwrap();
    let before = Org::load(first.path(), &[]).unwrap();
    let mut members: std::collections::BTreeMap<String, Vec<String>> = std::collections::BTreeMap::new();
    for (key, _) in before.metadata.all() {
        members.entry(key.type_name.to_string()).or_default().push(key.full_name.to_string());
    }
    let list: Vec<(String, Vec<&str>)> =
        members.iter().map(|(t, m)| (t.clone(), m.iter().map(String::as_str).collect())).collect();
    let asked: Vec<(&str, &[&str])> = list.iter().map(|(t, m)| (t.as_str(), m.as_slice())).collect();
    let _ = types(&asked);
    let (files, problems) = retrieve(&served, &asked).await;
    assert!(problems.is_empty(), "{problems:?}");
    let second = tempfile::tempdir().unwrap();
    for (path, bytes) in &files {
        let path = second.path().join(path.replace("unpackaged", "metadata"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    std::fs::write(second.path().join("org.yaml"), settings).unwrap();
    let after = Org::load(second.path(), &[]).unwrap();
    for (key, component) in before.metadata.all() {
        let again = after.metadata.get(key).unwrap_or_else(|| panic!("{key:?} is lost"));
        assert_eq!(component.files, again.files, "{key:?}");
    }
    // and nothing that the repository says is lost
    for (path, bytes) in folder(&at, "") {
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let Some(object) = path.strip_suffix(".field-meta.xml") else { continue };
        let parts: Vec<_> = object.rsplit('/').collect();
        let key = Key::new("CustomField", &format!("{}.{}", parts[2], parts[0]));
        let kept = String::from_utf8(after.metadata.get(&key).unwrap().files[0].bytes.to_vec()).unwrap();
        let (was, is) = (Document::parse(&text).unwrap(), Document::parse(&kept).unwrap());
        assert_eq!(said(was.root_element()), said(is.root_element()), "{path}");
    }
    before.metadata.len()
}

#[tokio::test]
async fn a_package_comes_back_as_it_was_loaded() {
    assert!(round_trip("camel-it").await > 25);
}

#[tokio::test]
async fn source_comes_back_as_it_was_loaded() {
    assert!(round_trip("dreamhouse").await > 20);
}
