//! The SOAP data API, as libraries call it: elements after the Partner WSDL.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Served, serve_with};

const SCHEMA: &str = r"
objects:
  Account:
    fields:
      Key__c: {type: string, length: 40, externalId: true, unique: true}
      Secret__c: {type: string, length: 20}
      MasterRecordId: {type: reference, to: [Account], relationship: MasterRecord}
      ParentId: {type: reference, to: [Account], relationship: Parent, children: ChildAccounts}
  Contact:
    fields:
      AccountId: {type: reference, to: [Account], relationship: Account, children: Contacts}
      Birthdate: {type: date}
  Attachment:
    fields:
      ParentId: {type: reference, to: [Account, Contact], relationship: Parent}
      Body: {type: base64}
      BodyLength: {type: int}
";

async fn served() -> Served {
    let files = [
        ("schema.yaml", SCHEMA),
        ("data/Account.csv", "Id,Name,Key__c\nacme,Acme,A-1\nbolt,Bolt,B-1\n"),
        ("data/Contact.csv", "Name,AccountId,Birthdate\nAnn,bolt,1980-02-03\nBob,acme,\n"),
    ];
    serve_with(&files, &[]).await
}

impl Served {
    async fn soap(&self, headers: &str, body: &str) -> (u16, String) {
        self.soap_to("u/62.0", headers, body).await
    }

    async fn soap_to(&self, api: &str, headers: &str, body: &str) -> (u16, String) {
        let message = format!(
            "<?xml version=\"1.0\"?><soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns=\"urn:partner.soap.sforce.com\"><soapenv:Header>\
             <SessionHeader><sessionId>{}</sessionId></SessionHeader>{headers}</soapenv:Header>\
             <soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>",
            self.token
        );
        let url = format!("{}/services/Soap/{api}", self.simulator.address);
        let answer = self.client.post(url).header("SOAPAction", "\"\"").body(message).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.text().await.unwrap())
    }

    async fn done(&self, headers: &str, body: &str) -> String {
        let (status, text) = self.soap(headers, body).await;
        assert_eq!(status, 200, "{text}");
        text
    }
}

/// The texts of all elements of a name.
fn all<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&open).skip(1).filter_map(|rest| rest.split(&close).next()).collect()
}

#[tokio::test]
async fn records_are_saved_row_by_row() {
    let served = served().await;
    let create = "<create><sObjects><type>Account</type><Name>A &amp; B</Name><Parent><type>Account</type><Key__c>A-1</Key__c></Parent></sObjects>\
         <sObjects><type>Contact</type><Name>C</Name><Birthdate>no date</Birthdate></sObjects></create>";
    let made = served.done("", create).await;
    assert!(made.contains("<createResponse><result><id>001"), "{made}");
    assert_eq!(all(&made, "success"), ["true", "false"]);
    assert_eq!(
        (all(&made, "statusCode"), all(&made, "fields")),
        (vec!["INVALID_TYPE_ON_FIELD_IN_RECORD"], vec!["Birthdate"])
    );
    assert!(made.contains("<LimitInfoHeader>") && made.contains("<id xsi:nil=\"true\"/>"), "{made}");
    let id = all(&made, "id")[0];
    let together =
        served.done("<AllOrNoneHeader><allOrNone>true</allOrNone></AllOrNoneHeader>", create).await;
    assert_eq!(
        all(&together, "statusCode"),
        ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "INVALID_TYPE_ON_FIELD_IN_RECORD"]
    );
    let update = format!(
        "<update><sObjects><type>Account</type><Id>{id}</Id><fieldsToNull>ParentId</fieldsToNull><Name>Changed</Name></sObjects></update>"
    );
    assert_eq!(all(&served.done("", &update).await, "success"), ["true"]);
    let query = format!(
        "<query><queryString>SELECT Name, ParentId FROM Account WHERE Id = '{id}'</queryString></query>"
    );
    let found = served.done("", &query).await;
    assert!(
        found.contains("<records xsi:type=\"sf:sObject\"><sf:type>Account</sf:type><sf:Id xsi:nil=\"true\"/><sf:Name>Changed</sf:Name><sf:ParentId xsi:nil=\"true\"/></records>"),
        "{found}"
    );
    let upsert = "<upsert><externalIDFieldName>Key__c</externalIDFieldName><sObjects><type>Account</type><Key__c>B-1</Key__c><Name>Bolt 2</Name></sObjects>\
         <sObjects><type>Account</type><Key__c>N-1</Key__c><Name>New</Name></sObjects></upsert>";
    assert_eq!(all(&served.done("", upsert).await, "created"), ["false", "true"]);
    let long =
        format!("<create><sObjects><type>Account</type><Name>{}</Name></sObjects></create>", "x".repeat(300));
    assert_eq!(all(&served.done("", &long).await, "statusCode"), ["STRING_TOO_LONG"]);
}

#[tokio::test]
async fn records_are_deleted_brought_back_and_purged() {
    let served = served().await;
    let query = served
        .done("", "<query><queryString>SELECT Id FROM Contact ORDER BY Name</queryString></query>")
        .await;
    let ids: Vec<String> = all(&query, "sf:Id").iter().step_by(2).map(|id| (*id).to_owned()).collect();
    assert_eq!(ids.len(), 2);
    let call =
        |operation: &str| format!("<{operation}><ids>{}</ids><ids>{}</ids></{operation}>", ids[0], ids[1]);
    assert_eq!(all(&served.done("", &call("delete")).await, "success"), ["true", "true"]);
    let again = served.done("", &call("delete")).await;
    assert_eq!(all(&again, "statusCode"), ["ENTITY_IS_DELETED", "ENTITY_IS_DELETED"]);
    let back = served.done("", &call("undelete")).await;
    assert!(
        back.contains(&format!(
            "<undeleteResponse><result><id>{}</id><success>true</success></result>",
            ids[0]
        )),
        "{back}"
    );
    served.done("", &call("delete")).await;
    assert_eq!(all(&served.done("", &call("emptyRecycleBin")).await, "success"), ["true", "true"]);
    assert_eq!(all(&served.done("", &call("undelete")).await, "success"), ["false", "false"]);
    let many = format!("<delete>{}</delete>", "<ids>0035g0000000001AAA</ids>".repeat(201));
    let (status, text) = served.soap("", &many).await;
    assert!(status == 500 && text.contains("<faultcode>sf:EXCEEDED_ID_LIMIT</faultcode>"), "{text}");
}

#[tokio::test]
async fn records_are_merged() {
    let served = served().await;
    let query = served
        .done("", "<query><queryString>SELECT Id FROM Account ORDER BY Name</queryString></query>")
        .await;
    let ids: Vec<&str> = all(&query, "sf:Id").into_iter().step_by(2).collect();
    let merge = format!(
        "<merge><request><masterRecord><type>Account</type><Id>{}</Id><Name>Both</Name></masterRecord><recordToMergeIds>{}</recordToMergeIds></request></merge>",
        ids[0], ids[1]
    );
    let merged = served.done("", &merge).await;
    assert_eq!((all(&merged, "mergedRecordIds"), all(&merged, "success")), (vec![ids[1]], vec!["true"]));
    assert_eq!(all(&merged, "updatedRelatedIds").len(), 1);
    let all_rows = "<queryAll><queryString>SELECT Id, MasterRecordId FROM Account WHERE IsDeleted = true</queryString></queryAll>";
    let gone = served.done("", all_rows).await;
    assert_eq!(all(&gone, "size"), ["1"]);
}

#[tokio::test]
async fn queries_come_in_pages_with_parents_children_and_contents() {
    let served = serve_with(
        &[("schema.yaml", SCHEMA), ("data/Contact.csv", "Name,AccountId\n"), ("data/Account.csv", "Name\n")],
        &[("Account", 450)],
    )
    .await;
    let header = "<QueryOptions><batchSize>200</batchSize></QueryOptions>";
    let mut page = served
        .done(header, "<query><queryString>SELECT Id, CreatedDate FROM Account</queryString></query>")
        .await;
    let mut rows = all(&page, "sf:type").len();
    assert_eq!((rows, all(&page, "done"), all(&page, "size")), (200, vec!["false"], vec!["450"]));
    assert!(all(&page, "sf:CreatedDate")[0].ends_with('Z'));
    while all(&page, "done") == ["false"] {
        let locator = all(&page, "queryLocator")[0].to_owned();
        page = served
            .done(header, &format!("<queryMore><queryLocator>{locator}</queryLocator></queryMore>"))
            .await;
        rows += all(&page, "sf:type").len();
    }
    assert_eq!(rows, 450);
    let (status, text) =
        served.soap("", "<queryMore><queryLocator>01g000000000000AAA-200</queryLocator></queryMore>").await;
    assert!(status == 500 && text.contains("sf:InvalidQueryLocatorFault"), "{text}");
    let made = served
        .done("", "<create><sObjects><type>Account</type><Name>Parent</Name></sObjects></create>")
        .await;
    let id = all(&made, "id")[0].to_owned();
    let children = format!(
        "<create><sObjects><type>Contact</type><Name>Kid</Name><AccountId>{id}</AccountId></sObjects>\
         <sObjects><type>Attachment</type><Name>a.txt</Name><ParentId>{id}</ParentId><Body>aGVs\nbG8=</Body></sObjects></create>"
    );
    assert_eq!(all(&served.done("", &children).await, "success"), ["true", "true"]);
    let soql = format!(
        "<query><queryString>SELECT Name, (SELECT Name, Account.Name FROM Contacts) FROM Account WHERE Id = '{id}'</queryString></query>"
    );
    let found = served.done("", &soql).await;
    assert!(
        found.contains(
            "<sf:Contacts xsi:type=\"QueryResult\"><done>true</done><queryLocator xsi:nil=\"true\"/><records"
        ),
        "{found}"
    );
    assert!(found.contains("<sf:Account xsi:type=\"sf:sObject\"><sf:type>Account</sf:type><sf:Id xsi:nil=\"true\"/><sf:Name>Parent</sf:Name></sf:Account>"), "{found}");
    let content = served
        .done("", "<query><queryString>SELECT Body, BodyLength FROM Attachment</queryString></query>")
        .await;
    assert_eq!((all(&content, "sf:Body"), all(&content, "sf:BodyLength")), (vec!["aGVsbG8="], vec!["5"]));
    let retrieve = format!(
        "<retrieve><fieldList>Name</fieldList><sObjectType>Account</sObjectType><ids>{id}</ids><ids>0015g0000009999AAA</ids></retrieve>"
    );
    let got = served.done("", &retrieve).await;
    assert!(got.contains("<sf:Name>Parent</sf:Name></result><result xsi:nil=\"true\"/>"), "{got}");
    let (_, typed) = served.soap_to("c/62.0/00D000000000001", "", &soql).await;
    assert!(typed.contains("<records xsi:type=\"sf:Account\"><sf:Name>Parent</sf:Name>"), "{typed}");
}

#[tokio::test]
async fn the_org_is_described_and_its_changes_told() {
    let served = served().await;
    let global = served.done("", "<describeGlobal/>").await;
    assert!(all(&global, "name").contains(&"Account") && global.contains("<maxBatchSize>200</maxBatchSize>"));
    let described = served.done("", "<describeSObjects><sObjectType>Account</sObjectType><sObjectType>Contact</sObjectType></describeSObjects>").await;
    assert_eq!(described.matches("<result>").count(), 2);
    assert!(
        described.contains("<soapType>tns:ID</soapType>") && !described.contains("<urls>"),
        "{}",
        &described[..2_000]
    );
    let (status, text) =
        served.soap("", "<describeSObject><sObjectType>Nothing</sObjectType></describeSObject>").await;
    assert!(
        status == 500 && text.contains("INVALID_TYPE: sObject type 'Nothing' is not supported."),
        "{text}"
    );
    let time = served.done("", "<getServerTimestamp/>").await;
    assert!(all(&time, "timestamp")[0].ends_with('Z'));
    let (status, text) = served.soap("", "<convertLead/>").await;
    assert!(status == 500 && text.contains("INVALID_OPERATION"), "{text}");
    let (status, text) = served.soap("", "<nothing/>").await;
    assert!(status == 500 && text.contains("No operation available for request"), "{text}");
    let window = "<sObjectType>Account</sObjectType><startDate>2020-01-01T00:00:00Z</startDate><endDate>2020-01-01T00:00:00Z</endDate>";
    let (_, text) = served.soap("", &format!("<getUpdated>{window}</getUpdated>")).await;
    assert!(text.contains("sf:INVALID_REPLICATION_DATE"), "{text}");
    served.simulator.end_sessions();
    let (status, text) = served.soap("", "<describeGlobal/>").await;
    assert!(
        status == 500 && text.contains("INVALID_SESSION_ID: Invalid Session ID found in SessionHeader"),
        "{text}"
    );
}
