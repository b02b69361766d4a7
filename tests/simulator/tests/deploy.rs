//! Deploys: what they change of an org, and how they run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::Path;

use common::deploy::{WHOLE, begin, check, deploy, deployed, manifest, package, wait, zip};
use common::metadata::{ORG, done, fault, folder, retrieve, texts};
use common::{Served, refused, serve_with};
use reqwest::Method;
use serde_json::{Value, json};

/// A sandbox, which takes parts of deploys and no tests.
fn sandbox() -> String {
    ORG.replace("name: Acme", "name: Acme\ntype: Sandbox")
        .replace("ModifyMetadata]", "ModifyMetadata, ModifyAllData]")
}

async fn served() -> Served {
    serve_with(&[("org.yaml", &sandbox())], &[]).await
}

const OBJECT: &str = "<CustomObject xmlns=\"http://soap.sforce.com/2006/04/metadata\">
    <deploymentStatus>Deployed</deploymentStatus>
    <fields><fullName>Points__c</fullName><label>Points</label><precision>18</precision><scale>0</scale><type>Number</type></fields>
    <fields><fullName>Double__c</fullName><formula>Points__c * 2</formula><label>Double</label><precision>18</precision><scale>0</scale><type>Number</type></fields>
    <fields><fullName>Account__c</fullName><label>Account</label><referenceTo>Account</referenceTo><relationshipName>Levels</relationshipName><type>Lookup</type></fields>
    <fields><fullName>Kind__c</fullName><label>Kind</label><type>Picklist</type><valueSet><restricted>true</restricted><valueSetName>Kinds</valueSetName></valueSet></fields>
    <label>Level</label>
    <nameField><label>Name</label><type>Text</type></nameField>
    <pluralLabel>Levels</pluralLabel>
    <sharingModel>ReadWrite</sharingModel>
    <validationRules><fullName>Positive</fullName><active>true</active><errorConditionFormula>Points__c &lt; 0</errorConditionFormula><errorMessage>no</errorMessage></validationRules>
</CustomObject>";
const KINDS: &str = "<GlobalValueSet><customValue><fullName>A</fullName><default>false</default><label>A</label></customValue>\
    <masterLabel>Kinds</masterLabel><sorted>false</sorted></GlobalValueSet>";
const NAMED: &[(&str, &[&str])] = &[("CustomObject", &["Level__c"]), ("GlobalValueSet", &["Kinds"])];

fn level() -> Vec<u8> {
    package(&[("objects/Level__c.object", OBJECT), ("globalValueSets/Kinds.globalValueSet", KINDS)], NAMED)
}

async fn create(served: &Served, record: Value) -> reqwest::Response {
    served.send(Method::POST, &served.token, "/services/data/v63.0/sobjects/Level__c", Some(record)).await
}

#[tokio::test]
async fn a_deploy_changes_schema_and_rules_and_a_destructive_one_takes_them_away() {
    let served = served().await;
    let body = deployed(&served, &level()).await;
    assert_eq!(texts(&body, "numberComponentsTotal"), ["7"], "{body}");
    assert_eq!(texts(&body, "numberComponentsDeployed"), ["7"]);
    let described = served.json("/services/data/v63.0/sobjects/Level__c/describe").await;
    let names: Vec<&str> =
        described["fields"].as_array().unwrap().iter().map(|field| field["name"].as_str().unwrap()).collect();
    for name in ["Points__c", "Double__c", "Account__c", "Kind__c"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let made = create(&served, json!({"Name": "a", "Points__c": 4, "Kind__c": "A"})).await;
    assert_eq!(made.status(), 201);
    refused(
        create(&served, json!({"Name": "b", "Points__c": -1})).await,
        400,
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
    )
    .await;
    let wrong = create(&served, json!({"Name": "b", "Kind__c": "B"})).await;
    refused(wrong, 400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST").await;
    let rows: Value = served.query("SELECT Double__c FROM Level__c").await.json().await.unwrap();
    assert_eq!(rows["records"][0]["Double__c"], 8.0);
    // the set gets a value more, and with it the field
    let more = KINDS.replace(
        "<masterLabel>",
        "<customValue><fullName>B</fullName><label>B</label></customValue><masterLabel>",
    );
    let body = deployed(
        &served,
        &package(&[("globalValueSets/Kinds.globalValueSet", &more)], &[("GlobalValueSet", &["Kinds"])]),
    )
    .await;
    assert!(texts(&body, "created").iter().all(|created| created == "false"), "{body}");
    assert_eq!(create(&served, json!({"Name": "b", "Kind__c": "B"})).await.status(), 201);
    // a switched-off rule does not fire
    let off = "<CustomObject><validationRules><fullName>Positive</fullName><active>false</active>\
        <errorConditionFormula>Points__c &lt; 0</errorConditionFormula><errorMessage>no</errorMessage></validationRules></CustomObject>";
    deployed(
        &served,
        &package(&[("objects/Level__c.object", off)], &[("ValidationRule", &["Level__c.Positive"])]),
    )
    .await;
    assert_eq!(create(&served, json!({"Name": "c", "Points__c": -1})).await.status(), 201);
    // what comes back is what was deployed
    let (files, _) = retrieve(&served, &[("CustomObject", &["Level__c"])]).await;
    let object = String::from_utf8_lossy(&files["unpackaged/objects/Level__c.object"]).into_owned();
    assert!(
        object.contains("<formula>Points__c * 2</formula>") && object.contains("<active>false</active>"),
        "{object}"
    );
    // and goes
    let gone = manifest(&[("CustomField", &["Level__c.Double__c"])]);
    let body = deployed(&served, &package(&[("destructiveChanges.xml", &gone)], &[])).await;
    assert!(texts(&body, "deleted").contains(&"true".to_owned()), "{body}");
    refused(served.query("SELECT Double__c FROM Level__c").await, 400, "INVALID_FIELD").await;
    let gone = manifest(&[("CustomObject", &["Level__c"])]);
    deployed(&served, &package(&[("destructiveChangesPost.xml", &gone)], &[])).await;
    refused(served.query("SELECT Id FROM Level__c").await, 400, "INVALID_TYPE").await;
}

#[tokio::test]
async fn one_deploy_runs_and_others_wait() {
    let served = served().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(begin(&served, &level(), WHOLE).await);
    }
    let mut seen = Vec::new();
    loop {
        let mut states = Vec::new();
        for id in &ids {
            states.push(texts(&check(&served, id).await, "status").remove(0));
        }
        if seen.last() != Some(&states) {
            seen.push(states.clone());
        }
        // asked one after the other: only what is done stays so
        if states.iter().all(|state| state == "Succeeded") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(seen[0][1..], ["Pending", "Pending"], "{seen:?}");
    assert!(seen.iter().flatten().any(|state| state == "InProgress"), "{seen:?}");
    assert!(seen.iter().all(|states| states[2] == "Pending" || states[0] == "Succeeded"), "{seen:?}");
    let old = done(&served, "checkStatus", &format!("<asyncProcessId>{}</asyncProcessId>", ids[0])).await;
    assert_eq!(texts(&old, "state"), ["Completed"]);
}

#[tokio::test]
async fn a_deploy_is_cancelled() {
    let served = served().await;
    let (first, second) = (begin(&served, &level(), WHOLE).await, begin(&served, &level(), WHOLE).await);
    let body = done(&served, "cancelDeploy", &format!("<String>{second}</String>")).await;
    assert_eq!(texts(&body, "done"), ["true"]);
    done(&served, "cancelDeploy", &format!("<String>{first}</String>")).await;
    let body = wait(&served, &first).await;
    assert_eq!(texts(&body, "status"), ["Canceled"], "{body}");
    assert_eq!(texts(&body, "canceledByName"), ["admin"]);
    refused(served.query("SELECT Id FROM Level__c").await, 400, "INVALID_TYPE").await;
    let words =
        fault(&served, "cancelDeploy", &format!("<String>{first}</String>"), "INVALID_ID_FIELD").await;
    assert!(words.contains("completed"), "{words}");
    fault(
        &served,
        "checkDeployStatus",
        "<asyncProcessId>0Af000000000999AAA</asyncProcessId>",
        "INVALID_CROSS_REFERENCE_KEY",
    )
    .await;
}

const CLASS: &str = "<ApexClass><apiVersion>63.0</apiVersion><status>Active</status></ApexClass>";

fn classes(test: &str) -> Vec<u8> {
    let files = [
        ("classes/A.cls", "public class A {\n  public static void b() {\n    c();\n  }\n}"),
        ("classes/A.cls-meta.xml", CLASS),
        ("classes/ATest.cls", test),
        ("classes/ATest.cls-meta.xml", CLASS),
    ];
    package(&files, &[("ApexClass", &["*"])])
}

const TEST: &str = "@isTest\nclass ATest {\n  @isTest static void b() {\n    A.b();\n  }\n}";

#[tokio::test]
async fn what_was_validated_is_deployed_later() {
    let served = serve_with(&[("org.yaml", &sandbox())], &[]).await;
    let options = format!("{WHOLE}<checkOnly>true</checkOnly><testLevel>RunLocalTests</testLevel>");
    let id = begin(&served, &classes(TEST), &options).await;
    let body = wait(&served, &id).await;
    assert_eq!(texts(&body, "status"), ["Succeeded"], "{body}");
    assert_eq!(texts(&body, "numberTestsCompleted"), ["1"]);
    assert_eq!(texts(&body, "numTestsRun"), ["1"]);
    let listed = done(&served, "listMetadata", "<queries><type>ApexClass</type></queries>").await;
    assert!(texts(&listed, "fullName").is_empty(), "{listed}");
    let body = done(&served, "deployRecentValidation", &format!("<validationId>{id}</validationId>")).await;
    let quick = texts(&body, "result").remove(0);
    assert_eq!(texts(&wait(&served, &quick).await, "status"), ["Succeeded"]);
    let listed = done(&served, "listMetadata", "<queries><type>ApexClass</type></queries>").await;
    assert_eq!(texts(&listed, "fullName"), ["A", "ATest"]);
    let again = format!("<validationId>{id}</validationId>");
    fault(&served, "deployRecentValidation", &again, "INVALID_ID_FIELD").await;
    // a test that fails takes all back
    let failing = TEST.replace("A.b();", "System.assert(false);");
    let body = deploy(
        &served,
        &classes(&failing),
        "<testLevel>RunSpecifiedTests</testLevel><runTests>ATest</runTests>",
    )
    .await;
    assert_eq!(texts(&body, "status"), ["Failed"]);
    assert_eq!(texts(&body, "numberTestErrors"), ["1"]);
}

#[tokio::test]
async fn parts_are_kept_where_the_call_wants_it() {
    let served = served().await;
    let files = [(
        "objects/Account.object",
        "<CustomObject><fields><fullName>Size__c</fullName><label>Size</label><length>10</length><type>Text</type></fields>\
          <fields><fullName>To__c</fullName><label>To</label><referenceTo>Gone__c</referenceTo><type>Lookup</type></fields></CustomObject>",
    )];
    let zip = package(&files, &[("CustomField", &["Account.Size__c", "Account.To__c"])]);
    let body = deploy(&served, &zip, "").await;
    assert_eq!(texts(&body, "status"), ["SucceededPartial"], "{body}");
    assert_eq!(
        texts(&body, "problem"),
        ["referenceTo value of 'Gone__c' does not resolve to a valid sObject type"]
    );
    assert_eq!(served.query("SELECT Size__c FROM Account").await.status(), 200);
    let body = deploy(&served, &zip, WHOLE).await;
    assert_eq!(texts(&body, "status"), ["Failed"]);
}

#[tokio::test]
async fn deploys_go_by_rest() {
    let served = served().await;
    let options = json!({"deployOptions": {"singlePackage": true, "rollbackOnError": true}});
    let mut form = format!(
        "--b\r\nContent-Disposition: form-data; name=\"json\"\r\nContent-Type: application/json\r\n\r\n{options}\r\n\
         --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"deploy.zip\"\r\n\
         Content-Type: application/zip\r\n\r\n"
    )
    .into_bytes();
    form.extend(level());
    form.extend(b"\r\n--b--\r\n");
    let url = format!("{}/services/data/v63.0/metadata/deployRequest", served.simulator.address);
    let post = served.client.post(url).bearer_auth(&served.token);
    let answer =
        post.header("content-type", "multipart/form-data; boundary=b").body(form).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let begun: Value = answer.json().await.unwrap();
    assert_eq!(begun["deployResult"]["status"], "Pending");
    assert_eq!(begun["deployOptions"]["rollbackOnError"], true);
    let path = format!("/services/data/v63.0/metadata/deployRequest/{}", begun["id"].as_str().unwrap());
    let told = loop {
        let told = served.json(&format!("{path}?includeDetails=true")).await;
        if told["deployResult"]["done"] == true {
            break told["deployResult"].clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    assert_eq!(
        (told["status"].as_str(), told["success"].as_bool()),
        (Some("Succeeded"), Some(true)),
        "{told}"
    );
    assert_eq!(told["details"]["componentSuccesses"].as_array().unwrap().len(), 8);
    let cancel = json!({"deployResult": {"status": "Canceling"}});
    let late = served.send(Method::PATCH, &served.token, &path, Some(cancel)).await;
    refused(late, 400, "INVALID_ID_FIELD").await;
}

#[tokio::test]
async fn components_are_changed_without_a_zip() {
    let served = served().await;
    let field = "<metadata xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='CustomField'>\
        <fullName>Account.Size__c</fullName><label>Size</label><length>10</length><type>Text</type></metadata>";
    let body = done(&served, "createMetadata", field).await;
    assert_eq!(
        (texts(&body, "success"), texts(&body, "fullName")),
        (vec!["true".into()], vec!["Account.Size__c".into()])
    );
    let body = done(&served, "createMetadata", field).await;
    assert_eq!(texts(&body, "statusCode"), ["DUPLICATE_DEVELOPER_NAME"]);
    let body = done(&served, "upsertMetadata", &field.replace("10<", "20<")).await;
    assert_eq!(
        (texts(&body, "created"), texts(&body, "success")),
        (vec!["false".into()], vec!["true".into()])
    );
    let described = served.json("/services/data/v63.0/sobjects/Account/describe").await;
    let size = described["fields"]
        .as_array()
        .unwrap()
        .iter()
        .find(|field| field["name"] == "Size__c")
        .unwrap()
        .clone();
    assert_eq!(size["length"], 20);
    let renamed = "<type>CustomField</type><oldFullName>Account.Size__c</oldFullName><newFullName>Account.Big__c</newFullName>";
    assert_eq!(texts(&done(&served, "renameMetadata", renamed).await, "success"), ["true"]);
    let gone =
        "<type>CustomField</type><fullNames>Account.Big__c</fullNames><fullNames>Account.Size__c</fullNames>";
    assert_eq!(texts(&done(&served, "deleteMetadata", gone).await, "success"), ["true", "false"]);
    fault(&served, "updateMetadata", &field.repeat(11), "EXCEEDED_ID_LIMIT").await;
}

/// A package of the project's test data, without its licence.
fn files_of(name: &str) -> Vec<(String, Vec<u8>)> {
    let files = folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/metadata").join(name), "");
    files
        .into_iter()
        .map(|(path, bytes)| (path.trim_start_matches('/').to_owned(), bytes))
        .filter(|(path, _)| path != "LICENSE.txt")
        .collect()
}

#[tokio::test]
async fn the_package_of_camel_is_deployed() {
    let served = served().await;
    let mut files = files_of("camel-it");
    let without = deploy(&served, &zip(&files), WHOLE).await;
    // the copy lacks two files that the manifest names
    assert_eq!(texts(&without, "problem").len(), 2, "{without}");
    for (path, bytes) in &mut files {
        if path == "package.xml" {
            let mut text = String::from_utf8(bytes.clone()).unwrap();
            for name in ["CamelSalesforceIntegrationTests", "ChangeEvents_AccountChangeEvent"] {
                text = text.replace(&format!("<members>{name}</members>"), "");
            }
            *bytes = text.into_bytes();
        }
    }
    let body = deployed(&served, &zip(&files)).await;
    assert_eq!(texts(&body, "numberComponentErrors"), ["0"]);
    let described = served.json("/services/data/v63.0/sobjects/Line_Item__c/describe").await;
    let field = |name: &str| {
        let fields = described["fields"].as_array().unwrap();
        fields.iter().find(|field| field["name"] == name).unwrap_or_else(|| panic!("{name}")).clone()
    };
    assert_eq!(field("Merchandise__c")["referenceTo"], json!(["Merchandise__c"]));
    assert_eq!(field("Unit_Price__c")["type"], "currency");
    let account = served.json("/services/data/v63.0/sobjects/Account/describe").await;
    let fields = account["fields"].as_array().unwrap();
    let location = fields.iter().find(|field| field["name"] == "Shipping_Location__c").unwrap();
    assert_eq!(location["type"], "location");
    // deployed again, nothing changes
    let body = deployed(&served, &zip(&files)).await;
    assert!(texts(&body, "created").iter().all(|created| created == "false"), "{body}");
    assert_eq!(texts(&body, "changed").iter().filter(|changed| *changed == "true").count(), 1, "{body}");
}

#[tokio::test]
async fn record_types_custom_metadata_labels_and_profiles_have_effects() {
    let served = served().await;
    let object = "<CustomObject><fields><fullName>Kind__c</fullName><label>Kind</label><type>Picklist</type><valueSet>\
        <restricted>true</restricted><valueSetDefinition><value><fullName>A</fullName><label>A</label></value>\
        <value><fullName>B</fullName><label>B</label></value></valueSetDefinition></valueSet></fields>\
        <recordTypes><fullName>Small</fullName><active>true</active><label>Small one</label><picklistValues>\
        <picklist>Kind__c</picklist><values><fullName>A</fullName><default>true</default></values></picklistValues></recordTypes>\
        </CustomObject>";
    let setting = "<CustomObject><label>Setting</label><pluralLabel>Settings</pluralLabel><visibility>Public</visibility>\
        <fields><fullName>On__c</fullName><defaultValue>false</defaultValue><label>On</label><type>Checkbox</type></fields>\
        </CustomObject>";
    let record = "<CustomMetadata xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\">\
        <label>First one</label><values><field>On__c</field><value xsi:type=\"xsd:boolean\">true</value></values></CustomMetadata>";
    let profile = "<Profile><fieldPermissions><editable>false</editable><field>Account.Kind__c</field><readable>false</readable>\
        </fieldPermissions></Profile>";
    let files = [
        ("objects/Account.object", object),
        ("objects/Setting__mdt.object", setting),
        ("customMetadata/Setting.First.md", record),
        ("profiles/Standard.profile", profile),
    ];
    let named: &[(&str, &[&str])] = &[
        ("CustomField", &["Account.Kind__c"]),
        ("RecordType", &["Account.Small"]),
        ("CustomObject", &["Setting__mdt"]),
        ("CustomMetadata", &["Setting.First"]),
        ("Profile", &["Standard"]),
    ];
    deployed(&served, &package(&files, named)).await;
    let rows: Value = served
        .query("SELECT Id, Name FROM RecordType WHERE DeveloperName = 'Small'")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(rows["records"][0]["Name"], "Small one");
    let id = rows["records"][0]["Id"].clone();
    let path = "/services/data/v63.0/sobjects/Account";
    let make = |record: Value| served.send(Method::POST, &served.token, path, Some(record));
    let made = make(json!({"Name": "s", "RecordTypeId": id})).await;
    assert_eq!(made.status(), 201, "{}", made.text().await.unwrap());
    let wrong = make(json!({"Name": "s", "RecordTypeId": id, "Kind__c": "B"})).await;
    refused(wrong, 400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST").await;
    let rows: Value =
        served.query("SELECT Kind__c FROM Account WHERE Name = 's'").await.json().await.unwrap();
    assert_eq!(rows["records"][0]["Kind__c"], "A");
    let rows: Value = served
        .query("SELECT DeveloperName, MasterLabel, On__c FROM Setting__mdt")
        .await
        .json()
        .await
        .unwrap();
    let told = &rows["records"][0];
    assert_eq!(
        (told["DeveloperName"].as_str(), told["On__c"].as_bool()),
        (Some("First"), Some(true)),
        "{rows}"
    );
    // users of that profile do not see the field
    let plain = served.sign_in("plain@acme.example").await;
    refused(served.query_as(&plain, "SELECT Kind__c FROM Account").await, 400, "INVALID_FIELD").await;
    // the record goes, and its row with it
    let gone = manifest(&[("CustomMetadata", &["Setting.First"])]);
    deployed(&served, &package(&[("destructiveChanges.xml", &gone)], &[])).await;
    let rows: Value = served.query("SELECT Id FROM Setting__mdt").await.json().await.unwrap();
    assert_eq!(rows["totalSize"], 0);
}

/// As NPSP has them: records that point to records which come later in the same package, and to objects by name.
#[tokio::test]
async fn records_of_custom_metadata_may_name_each_other_in_any_order() {
    let served = served().await;
    let field = |name: &str, to: &str| {
        format!(
            "<fields><fullName>{name}</fullName><label>{name}</label><type>MetadataRelationship</type>\
             <referenceTo>{to}</referenceTo><relationshipName>{name}s</relationshipName></fields>"
        )
    };
    let object = |fields: &str| {
        format!("<CustomObject><label>One</label><pluralLabel>Many</pluralLabel>{fields}</CustomObject>")
    };
    let first = object(&(field("Next__c", "Z_Later__mdt") + &field("Object__c", "EntityDefinition")));
    let later = object("");
    let record = "<CustomMetadata><label>A</label><values><field>Next__c</field><value>Last</value></values>\
        <values><field>Object__c</field><value>Account</value></values></CustomMetadata>";
    let class = "public with sharing class  Two_Spaces { }";
    let meta = "<ApexClass><apiVersion>60.0</apiVersion><status>Active</status></ApexClass>";
    let files = [
        ("objects/A_First__mdt.object", first.as_str()),
        ("objects/Z_Later__mdt.object", later.as_str()),
        ("customMetadata/A_First.Only.md", record),
        ("customMetadata/Z_Later.Last.md", "<CustomMetadata><label>L</label></CustomMetadata>"),
        ("classes/Two_Spaces.cls", class),
        ("classes/Two_Spaces.cls-meta.xml", meta),
    ];
    let named: &[(&str, &[&str])] = &[
        ("ApexClass", &["Two_Spaces"]),
        ("CustomMetadata", &["A_First.Only", "Z_Later.Last"]),
        ("CustomObject", &["A_First__mdt", "Z_Later__mdt"]),
    ];
    deployed(&served, &package(&files, named)).await;
    let rows: Value =
        served.query("SELECT Next__c, Next__r.DeveloperName FROM A_First__mdt").await.json().await.unwrap();
    assert_eq!(rows["records"][0]["Next__r"]["DeveloperName"], "Last", "{rows}");
}

#[tokio::test]
async fn what_one_org_gave_is_deployed_into_another_one() {
    let source = folder(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/metadata/dreamhouse/force-app"),
        "force-app",
    );
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned).ok();
    let source: Vec<(String, String)> =
        source.into_iter().filter_map(|(path, bytes)| Some((path, text(&bytes)?))).collect();
    let org = sandbox();
    let mut files: Vec<(&str, &str)> = vec![("org.yaml", &org)];
    files.extend(source.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let from = serve_with(&files, &[]).await;
    let asked: &[(&str, &[&str])] = &[
        ("ApexClass", &["*"]),
        ("AuraDefinitionBundle", &["*"]),
        ("CustomObject", &["Broker__c"]),
        ("CustomTab", &["Broker__c"]),
        ("Flow", &["*"]),
        ("Layout", &["Broker__c-Broker Layout"]),
        ("LightningComponentBundle", &["*"]),
    ];
    let (gathered, messages) = retrieve(&from, asked).await;
    assert!(messages.is_empty(), "{messages:?}");
    let files: Vec<(String, Vec<u8>)> = gathered
        .iter()
        .map(|(path, bytes)| (path.trim_start_matches("unpackaged/").to_owned(), bytes.clone()))
        .collect();
    let to = served().await;
    deployed(&to, &zip(&files)).await;
    let described = to.json("/services/data/v63.0/sobjects/Broker__c/describe").await;
    let names = described["fields"].as_array().unwrap().iter().map(|field| field["name"].as_str().unwrap());
    assert!(
        names.clone().any(|name| name == "Broker_Id__c")
            && names.clone().any(|name| name == "Picture_IMG__c")
    );
    // and is the same there
    let (again, _) = retrieve(&to, asked).await;
    for (path, bytes) in &gathered {
        assert!(again[path] == *bytes, "{path}");
    }
}
