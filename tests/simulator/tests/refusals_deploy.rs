//! What deploys refuse: refusals 58 to 61.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::deploy::{WHOLE, begin, check, deploy, deployed, manifest, package, refused, wait};
use common::metadata::{ORG, texts};
use common::{Served, serve_with};

async fn production() -> Served {
    serve_with(&[("org.yaml", ORG)], &[]).await
}

const FIELD: &str = "<CustomObject><fields><fullName>Size__c</fullName><label>Size</label><length>10</length>\
    <type>Text</type></fields></CustomObject>";

fn field() -> Vec<u8> {
    package(&[("objects/Account.object", FIELD)], &[("CustomField", &["Account.Size__c"])])
}

#[tokio::test]
async fn refuses_58_one_component_with_an_error_and_takes_all_back() {
    let served = production().await;
    let rule = "<CustomObject>\n<fields><fullName>Size__c</fullName><label>Size</label><length>10</length><type>Text</type></fields>\n\
        <validationRules><fullName>R</fullName><active>true</active><errorConditionFormula>ISBLANK(Gone__c)</errorConditionFormula>\
        <errorMessage>no</errorMessage></validationRules></CustomObject>";
    let files = [("objects/Account.object", rule), ("layouts/L.layout", "<Layout>\n<broken></Layout>")];
    let named: &[(&str, &[&str])] = &[
        ("CustomField", &["Account.Size__c"]),
        ("ValidationRule", &["Account.R"]),
        ("Layout", &["L"]),
        ("ApexClass", &["Missing"]),
        ("Nothing", &["X"]),
    ];
    let body = deploy(&served, &package(&files, named), WHOLE).await;
    assert_eq!(texts(&body, "status"), ["Failed"], "{body}");
    assert_eq!(texts(&body, "numberComponentErrors"), ["4"]);
    let problems = texts(&body, "problem");
    for words in [
        "An object 'Missing' of type ApexClass was named in package.xml, but was not found in zipped directory",
        "Unknown type name 'Nothing' specified in package.xml",
        "Field Gone__c does not exist. Check spelling.",
    ] {
        assert!(problems.contains(&words.to_owned()), "{problems:?}");
    }
    assert!(texts(&body, "lineNumber").len() >= 2, "{body}");
    common::refused(served.query("SELECT Size__c FROM Account").await, 400, "INVALID_FIELD").await;
}

#[tokio::test]
async fn refuses_59_production_without_rollback_or_with_apex_and_no_tests() {
    let served = production().await;
    let words = refused(&served, &field(), "").await;
    assert_eq!(words, "INVALID_OPERATION: rollbackOnError option must be true on a production org");
    let words = refused(&served, &field(), &format!("{WHOLE}<testLevel>NoTestRun</testLevel>")).await;
    assert_eq!(words, "INVALID_OPERATION: testLevel of NoTestRun cannot be used in production organizations");
    deployed(&served, &field()).await;
    // code without tests is not covered
    let meta = "<ApexClass><apiVersion>63.0</apiVersion><status>Active</status></ApexClass>";
    let class =
        [("classes/A.cls", "public class A {\n void b() {\n c();\n }\n}"), ("classes/A.cls-meta.xml", meta)];
    let body = deploy(&served, &package(&class, &[("ApexClass", &["A"])]), WHOLE).await;
    assert_eq!(texts(&body, "status"), ["Failed"], "{body}");
    let words = "Average test coverage across all Apex Classes and Triggers is 0%, at least 75% test coverage is required.";
    assert!(texts(&body, "message").contains(&words.to_owned()), "{body}");
    assert_eq!(texts(&body, "runTestsEnabled"), ["true"]);
}

#[tokio::test]
async fn refuses_60_to_run_a_second_deploy_beside_the_first() {
    let served = production().await;
    let first = begin(&served, &field(), WHOLE).await;
    let second = begin(&served, &field(), WHOLE).await;
    loop {
        let waits = texts(&check(&served, &second).await, "status").remove(0);
        let runs = texts(&check(&served, &first).await, "done").remove(0);
        if runs == "true" {
            break;
        }
        assert_eq!(waits, "Pending");
    }
    assert_eq!(texts(&wait(&served, &second).await, "status"), ["Succeeded"]);
}

#[tokio::test]
async fn refuses_61_to_delete_what_is_in_use() {
    let served = production().await;
    let object = "<CustomObject><fields><fullName>Size__c</fullName><label>Size</label><length>10</length><type>Text</type></fields>\
        <fields><fullName>Long__c</fullName><formula>LEN(Size__c) &gt; 3</formula><label>Long</label><type>Checkbox</type></fields>\
        </CustomObject>";
    let named: &[(&str, &[&str])] = &[("CustomField", &["Account.Size__c", "Account.Long__c"])];
    deployed(&served, &package(&[("objects/Account.object", object)], named)).await;
    let gone = manifest(&[("CustomField", &["Account.Size__c"])]);
    let body = deploy(&served, &package(&[("destructiveChanges.xml", &gone)], &[]), WHOLE).await;
    assert_eq!(texts(&body, "status"), ["Failed"], "{body}");
    let words = "This custom field is referenced elsewhere in salesforce.com. : Custom Formula Field - Account.Long__c.";
    assert_eq!(texts(&body, "problem"), [words]);
    // what is deleted together is in nobody's way
    let gone = manifest(&[("CustomField", &["Account.Size__c", "Account.Long__c"])]);
    deployed(&served, &package(&[("destructiveChanges.xml", &gone)], &[])).await;
    // and what is not there is a warning
    let body = deploy(&served, &package(&[("destructiveChanges.xml", &gone)], &[]), WHOLE).await;
    assert_eq!(texts(&body, "status"), ["Failed"]);
    assert_eq!(texts(&body, "problemType"), ["Warning", "Warning"], "{body}");
    let options = format!("{WHOLE}<ignoreWarnings>true</ignoreWarnings>");
    let body = deploy(&served, &package(&[("destructiveChanges.xml", &gone)], &[]), &options).await;
    assert_eq!(texts(&body, "status"), ["Succeeded"]);
}
