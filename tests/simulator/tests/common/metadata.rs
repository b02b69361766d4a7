//! Calls of the Metadata API, written by hand.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use roxmltree::Document;

use super::Served;

/// Users of whom one may use the Metadata API.
pub const ORG: &str = r"
name: Acme
users:
  - {username: admin@acme.example, password: secret, profile: System Administrator, permissions: [ApiEnabled, ViewAllData, ModifyMetadata]}
  - {username: plain@acme.example, password: secret, profile: Standard User, permissions: [ApiEnabled], hiddenFields: [Account.Secret__c]}
connectedApps:
  - {clientId: app, clientSecret: app-secret, flows: [Password]}
";

/// Metadata in the form of a package, as files of an org's directory.
pub const PACKAGE: &[(&str, &str)] = &[
    ("org.yaml", ORG),
    ("schema.yaml", super::SCHEMA),
    (
        "metadata/objects/Level__c.object",
        "<CustomObject xmlns='http://soap.sforce.com/2006/04/metadata'><label>Level</label><pluralLabel>Levels</pluralLabel>\
         <nameField><label>Name</label><type>Text</type></nameField><deploymentStatus>Deployed</deploymentStatus>\
         <sharingModel>ReadWrite</sharingModel><fields><fullName>Points__c</fullName><label>Points</label>\
         <precision>18</precision><scale>0</scale><type>Number</type></fields>\
         <validationRules><fullName>Positive</fullName><active>true</active>\
         <errorConditionFormula>Points__c &lt; 0</errorConditionFormula><errorMessage>no</errorMessage></validationRules>\
         </CustomObject>",
    ),
    (
        "metadata/objects/Account.object",
        "<CustomObject xmlns='http://soap.sforce.com/2006/04/metadata'><fields><fullName>Size__c</fullName>\
         <label>Size</label><length>10</length><type>Text</type></fields></CustomObject>",
    ),
    ("metadata/classes/A.cls", "public class A {}\r\n"),
    (
        "metadata/classes/A.cls-meta.xml",
        "<ApexClass xmlns='http://soap.sforce.com/2006/04/metadata'><status>Active</status>\
         <apiVersion>63.0</apiVersion></ApexClass>",
    ),
    ("metadata/reports/F-meta.xml", "<ReportFolder><name>F</name></ReportFolder>"),
    ("metadata/reports/F/R.report", "<Report><name>R</name><format>Tabular</format></Report>"),
    ("metadata/documents/F-meta.xml", "<DocumentFolder><name>F</name></DocumentFolder>"),
    ("metadata/documents/F/D.txt", "text"),
    ("metadata/documents/F/D.txt-meta.xml", "<Document><name>D</name></Document>"),
    (
        "metadata/labels/CustomLabels.labels",
        "<CustomLabels><labels><fullName>L</fullName><value>v</value></labels></CustomLabels>",
    ),
    (
        "metadata/profiles/Sales.profile",
        "<Profile><custom>true</custom><fieldPermissions><editable>false</editable><field>Account.Size__c</field>\
         <readable>false</readable></fieldPermissions><classAccesses><apexClass>A</apexClass><enabled>true</enabled>\
         </classAccesses><userPermissions><enabled>true</enabled><name>ApiEnabled</name></userPermissions></Profile>",
    ),
];

/// Sends a call with the content of its element; status and body.
pub async fn call(served: &Served, token: &str, operation: &str, content: &str) -> (u16, String) {
    let message = format!(
        "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/' xmlns='http://soap.sforce.com/2006/04/metadata'>\
         <e:Header><SessionHeader><sessionId>{token}</sessionId></SessionHeader></e:Header>\
         <e:Body><{operation}>{content}</{operation}></e:Body></e:Envelope>"
    );
    let url = format!("{}/services/Soap/m/63.0", served.simulator.address);
    let request = served.client.post(url).header("content-type", "text/xml").header("soapaction", "\"\"");
    let answer = request.body(message).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// The same by the one who may; the answer must be no fault.
pub async fn done(served: &Served, operation: &str, content: &str) -> String {
    let (status, body) = call(served, &served.token, operation, content).await;
    assert_eq!(status, 200, "{body}");
    body
}

/// The same; it must be a fault with this code. Its words.
pub async fn fault(served: &Served, operation: &str, content: &str, code: &str) -> String {
    let (status, body) = call(served, &served.token, operation, content).await;
    assert_eq!(status, 500, "{body}");
    assert_eq!(texts(&body, "faultcode"), [format!("sf:{code}")], "{body}");
    texts(&body, "faultstring").remove(0)
}

/// The texts of all elements with a name.
pub fn texts(body: &str, name: &str) -> Vec<String> {
    let document = Document::parse(body).unwrap();
    let found = document.descendants().filter(|node| node.tag_name().name() == name);
    found.map(|node| node.text().unwrap_or_default().to_owned()).collect()
}

/// `<types>` of a manifest.
pub fn types(types: &[(&str, &[&str])]) -> String {
    let of = |(name, members): &(&str, &[&str])| {
        let members: String = members.iter().map(|m| format!("<members>{m}</members>")).collect();
        format!("<types>{members}<name>{name}</name></types>")
    };
    types.iter().map(of).collect()
}

/// Begins a retrieve; its id.
pub async fn begin(served: &Served, asked: &[(&str, &[&str])], more: &str) -> String {
    let types = types(asked);
    let content = format!(
        "<retrieveRequest><apiVersion>63.0</apiVersion>{more}<unpackaged>{types}<version>63.0</version></unpackaged>\
         </retrieveRequest>"
    );
    texts(&done(served, "retrieve", &content).await, "id").remove(0)
}

/// Waits for the end of a retrieve; the answer, and the states on the way.
pub async fn wait(served: &Served, id: &str) -> (String, Vec<String>) {
    let mut states = Vec::new();
    loop {
        let content = format!("<asyncProcessId>{id}</asyncProcessId><includeZip>true</includeZip>");
        let body = done(served, "checkRetrieveStatus", &content).await;
        let state = texts(&body, "status").remove(0);
        if states.last() != Some(&state) {
            states.push(state);
        }
        if texts(&body, "done") == ["true"] {
            return (body, states);
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// The files of the zip in an answer.
pub fn files(body: &str) -> BTreeMap<String, Vec<u8>> {
    let zip = texts(body, "zipFile").remove(0);
    let zip = base64::engine::general_purpose::STANDARD.decode(zip).unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
    let mut files = BTreeMap::new();
    for number in 0..archive.len() {
        let mut entry = archive.by_index(number).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        files.insert(entry.name().unwrap().into_owned(), content);
    }
    files
}

/// Retrieves; files and messages.
pub async fn retrieve(
    served: &Served,
    asked: &[(&str, &[&str])],
) -> (BTreeMap<String, Vec<u8>>, Vec<String>) {
    let id = begin(served, asked, "").await;
    let (body, _) = wait(served, &id).await;
    (files(&body), texts(&body, "problem"))
}

/// All files below a folder as an org's directory has them, under a name.
pub fn folder(at: &Path, name: &str) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{name}/{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            found.extend(folder(&path, &name));
        } else {
            found.push((name, std::fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}
