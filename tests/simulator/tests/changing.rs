//! An org that changes while it is read: by its users, by an administrator, through `/_simulator`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Served, refused, serve, serve_with};
use reqwest::header::{ACCEPT, LOCATION};
use reqwest::{Method, Response};
use serde_json::{Value, json};

impl Served {
    fn org(&self) -> String {
        format!("/_simulator/orgs/{}", self.simulator.orgs[0].id)
    }

    async fn control(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        self.send(method, "none", &format!("{}{path}", self.org()), body).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let answer = self.control(Method::POST, path, Some(body)).await;
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }

    async fn rows(&self, soql: &str) -> Vec<Value> {
        let answer = self.query(soql).await;
        assert_eq!(answer.status(), 200, "{soql}");
        let answer: Value = answer.json().await.unwrap();
        answer["records"].as_array().unwrap().clone()
    }

    async fn id_of(&self, name: &str) -> String {
        let rows = self.rows(&format!("SELECT Id FROM Account WHERE Name = '{name}'")).await;
        rows[0]["Id"].as_str().unwrap().to_owned()
    }

    async fn page(&self, path: &str) -> (u16, String) {
        let request = self.client.get(format!("{}{path}", self.simulator.address));
        let answer = request.header(ACCEPT, "text/html").send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

#[tokio::test]
async fn a_record_deleted_here_is_gone_from_queries_and_can_be_brought_back() {
    let served = serve().await;
    let acme = served.id_of("Acme").await;
    let path = format!("/records/{acme}");
    assert_eq!(served.control(Method::DELETE, &path, None).await.status(), 204);
    assert!(served.rows("SELECT Id FROM Account WHERE Name = 'Acme'").await.is_empty());
    let all = served
        .json(&format!(
            "/services/data/v62.0/queryAll?q=SELECT+IsDeleted,SystemModstamp+FROM+Account+WHERE+Id='{acme}'"
        ))
        .await;
    assert_eq!(all["records"][0]["IsDeleted"], true);
    let stamp = all["records"][0]["SystemModstamp"].as_str().unwrap();
    assert!(stamp > "2026" && stamp.ends_with(".000+0000"), "{stamp}");
    // its child lost the reference, and gets it back
    assert_eq!(
        served.rows("SELECT ParentId FROM Account WHERE Name LIKE 'Bolt%'").await[0]["ParentId"],
        Value::Null
    );
    refused(served.control(Method::DELETE, &path, None).await, 404, "ENTITY_IS_DELETED").await;
    assert_eq!(served.post(&format!("{path}/undelete"), json!({})).await.0, 204);
    assert_eq!(
        served.rows("SELECT ParentId FROM Account WHERE Name LIKE 'Bolt%'").await[0]["ParentId"],
        acme
    );
    let (_, outcome) = served.post("/delete", json!({"ids": [acme, "0015g0000000zzz"]})).await;
    assert_eq!(outcome[0]["success"], true);
    assert_eq!(outcome[1]["errors"][0]["errorCode"], "INVALID_CROSS_REFERENCE_KEY");
    assert_eq!(served.post(&format!("{path}/purge"), json!({})).await.0, 204);
    assert_eq!(served.post(&format!("{path}/undelete"), json!({})).await.0, 400);
    assert_eq!(served.control(Method::GET, &path, None).await.status(), 404);
}

#[tokio::test]
async fn records_are_inserted_changed_and_merged() {
    let served = serve().await;
    let wrong = json!([{"Name": "new"}, {"Name": "bad", "Industry": "Energy", "Nothing__c": 1}]);
    let (status, refusal) = served.post("/records/Account", wrong).await;
    assert_eq!((status, &refusal[0]["errorCode"]), (400, &json!("INVALID_FIELD")));
    assert!(served.rows("SELECT Id FROM Account WHERE Name = 'new'").await.is_empty(), "all or none");
    let (status, made) = served
        .post("/records/Account?user=blind@acme.example", json!({"Name": "new", "AnnualRevenue": 12.5}))
        .await;
    assert_eq!((status, &made["success"]), (201, &json!(true)));
    let rows =
        served.rows("SELECT Id, AnnualRevenue, CreatedBy.Username FROM Account WHERE Name = 'new'").await;
    assert_eq!(rows[0]["AnnualRevenue"], 12.5);
    assert_eq!(rows[0]["CreatedBy"]["Username"], "blind@acme.example");
    let id = made["id"].as_str().unwrap();
    let path = format!("/records/{id}?secondsAgo=600");
    let changed = served.control(Method::PATCH, &path, Some(json!({"AnnualRevenue": null}))).await;
    assert_eq!(changed.status(), 204);
    let row =
        served.control(Method::GET, &format!("/records/{id}"), None).await.json::<Value>().await.unwrap();
    assert_eq!(row["AnnualRevenue"], Value::Null);
    assert!(
        row["SystemModstamp"].as_str() < row["CreatedDate"].as_str(),
        "a long transaction is stamped early"
    );
    let bolt = served.rows("SELECT Id FROM Account WHERE Name LIKE 'Bolt%'").await[0]["Id"].clone();
    let wish = json!({"master": id, "losers": [bolt], "fields": {"Industry": "Food"}});
    let (status, merged) = served.post("/merge", wish).await;
    assert_eq!(status, 200, "{merged}");
    let contacts = served.rows("SELECT Name, Account.Industry FROM Contact WHERE AccountId != null").await;
    assert_eq!((&contacts[0]["Name"], &contacts[0]["Account"]["Industry"]), (&json!("Ann"), &json!("Food")));
    assert_eq!(served.post("/bin/empty", json!({})).await.1, json!({"purged": 2}));
}

#[tokio::test]
async fn a_cursor_and_a_job_go_on_with_the_rows_that_they_began_with() {
    let served = serve_with(&[], &[("Account", 5_000)]).await;
    let first: Value = served.query("SELECT Id FROM Account").await.json().await.unwrap();
    let job = served.job("SELECT Id FROM Account").await;
    let last = served.rows("SELECT Id FROM Account ORDER BY Id DESC LIMIT 3").await;
    let ids: Vec<&Value> = last.iter().map(|row| &row["Id"]).collect();
    assert_eq!(served.post("/delete", json!({"ids": ids})).await.0, 200);
    let change = json!({"do": "removeField", "object": "Account", "field": "Secret__c"});
    assert_eq!(served.post("/schema", change).await.0, 204);
    let mut page = first.clone();
    let mut rows = page["records"].as_array().unwrap().len();
    while let Some(next) = page["nextRecordsUrl"].as_str() {
        page = served.json(next).await;
        rows += page["records"].as_array().unwrap().len();
    }
    assert_eq!((rows, first["totalSize"].as_u64()), (5_002, Some(5_002)));
    while served.json(&job).await["state"] != "JobComplete" {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(served.json(&job).await["numberRecordsProcessed"], 5_002);
    let now: Value = served.query("SELECT count() FROM Account").await.json().await.unwrap();
    assert_eq!(now["totalSize"], 4_999);
}

#[tokio::test]
async fn the_schema_changes_while_the_org_runs() {
    let served = serve_with(&[], &[("Account", 3)]).await;
    let fields = |describe: &Value| -> Vec<String> {
        let fields = describe["fields"].as_array().unwrap().iter();
        fields.map(|field| field["name"].as_str().unwrap().to_owned()).collect()
    };
    let describe = "/services/data/v62.0/sobjects/Account/describe";
    let before = served.rows("SELECT Id, Name, Secret__c, Since__c FROM Account").await;
    let changes = json!([
        {"do": "addField", "object": "Account", "field": "Vip__c", "definition": {"type": "boolean"}},
        {"do": "renameField", "object": "Account", "field": "Secret__c", "to": "Hidden__c"},
        {"do": "retypeField", "object": "Account", "field": "Since__c", "definition": {"type": "string", "length": 40}},
        {"do": "addObject", "object": "Visit__c", "definition": {"fields": {"Account__c": {"type": "masterdetail", "to": ["Account"], "children": "Visits__r"}}}},
    ]);
    assert_eq!(served.post("/schema", changes).await.0, 204);
    let described = served.json(describe).await;
    let names = fields(&described);
    assert!(names.contains(&"Vip__c".to_owned()) && !names.contains(&"Secret__c".to_owned()));
    let children = described["childRelationships"].as_array().unwrap();
    assert!(
        children
            .iter()
            .any(|child| child["relationshipName"] == "Visits__r" && child["cascadeDelete"] == true)
    );
    let after = served.rows("SELECT Id, Name, Hidden__c, Vip__c FROM Account").await;
    for (old, new) in before.iter().zip(&after) {
        assert_eq!(
            (&old["Id"], &old["Name"], &old["Secret__c"]),
            (&new["Id"], &new["Name"], &new["Hidden__c"])
        );
        assert_eq!(new["Vip__c"], false);
    }
    let acme = served.id_of("Acme").await;
    let (status, visit) = served.post("/records/Visit__c", json!({"Name": "v", "Account__c": acme})).await;
    assert_eq!(status, 201, "{visit}");
    // what was hidden from a user stays hidden under its new name
    let blind = served.sign_in("blind@acme.example").await;
    refused(served.query_as(&blind, "SELECT Hidden__c FROM Account").await, 400, "INVALID_FIELD").await;
    let users = "/users/blind%40acme.example";
    let path = format!("{}/users/blind@acme.example/hide", served.org());
    let hide = json!({"fields": ["Account.Industry"], "objects": ["Visit__c"]});
    assert_eq!(served.send(Method::POST, "none", &path, Some(hide)).await.status(), 204, "{users}");
    refused(served.query_as(&blind, "SELECT Industry FROM Account").await, 400, "INVALID_FIELD").await;
    refused(served.query_as(&blind, "SELECT Id FROM Visit__c").await, 400, "INVALID_TYPE").await;
    for (change, message) in [
        (json!({"do": "removeField", "object": "Account", "field": "Name"}), "Name is a standard field"),
        (json!({"do": "removeField", "object": "Account", "field": "No__c"}), "Account has no field No__c"),
        (
            json!({"do": "removeObject", "object": "Account"}),
            "Account is a standard object, which cannot be deleted",
        ),
        (
            json!({"do": "addField", "object": "Account", "field": "x__c", "definition": {"type": "strin"}}),
            "`type: strin`",
        ),
        (json!({"do": "paint"}), "unknown variant"),
    ] {
        let (status, refusal) = served.post("/schema", change).await;
        assert_eq!(status, 400);
        assert!(refusal[0]["message"].as_str().unwrap().contains(message), "{refusal}");
    }
    let gone = json!({"do": "removeObject", "object": "Visit__c"});
    assert_eq!(served.post("/schema", gone).await.0, 204);
    refused(served.query("SELECT Id FROM Visit__c").await, 400, "INVALID_TYPE").await;
    assert_eq!(
        served.json(describe).await["childRelationships"].as_array().unwrap().len(),
        children.len() - 1
    );
}

#[tokio::test]
async fn a_file_gets_its_document_links_size_and_checksum() {
    let files = [
        ("schema.yaml", "objects:\n  Account: {}\n  ContentVersion: {}\n  Attachment: {}\n"),
        ("data/Account.csv", "Id,Name\nacme,Acme\n"),
        (
            "data/ContentVersion.csv",
            "PathOnClient,VersionData,FirstPublishLocationId\nletter.txt,letter.txt,acme\n",
        ),
        ("data/Contact.csv", ""),
        ("files/letter.txt", "hello"),
    ];
    let files: Vec<_> = files.into_iter().filter(|(name, _)| *name != "data/Contact.csv").collect();
    let served = common::serve_only(&files).await;
    let version = "SELECT Id, Title, FileExtension, ContentSize, Checksum, IsLatest, ContentDocumentId, VersionData FROM ContentVersion";
    let rows = served.rows(version).await;
    assert_eq!(rows[0]["Checksum"], "5d41402abc4b2a76b9719d911017c592"); // md5 of "hello"
    assert_eq!((&rows[0]["ContentSize"], &rows[0]["Title"]), (&json!(5), &json!("letter")));
    let document = rows[0]["ContentDocumentId"].as_str().unwrap();
    let links = format!(
        "SELECT LinkedEntityId, ShareType FROM ContentDocumentLink WHERE ContentDocumentId = '{document}'"
    );
    let acme = served.id_of("Acme").await;
    let linked: Vec<Value> = served.rows(&links).await;
    assert_eq!(linked.iter().filter(|link| link["LinkedEntityId"] == *acme).count(), 1);
    assert_eq!(linked.iter().filter(|link| link["ShareType"] == "I").count(), 1);
    let second =
        json!({"ContentDocumentId": document, "PathOnClient": "letter.md", "VersionData": "d29ybGQh"});
    let (status, second) = served.post("/records/ContentVersion", second).await;
    assert_eq!(status, 201, "{second}");
    let rows = served.rows(&format!("{version} ORDER BY VersionNumber")).await;
    assert_eq!((&rows[0]["IsLatest"], &rows[1]["IsLatest"]), (&json!(false), &json!(true)));
    assert_eq!(rows[1]["ContentSize"], 6);
    let body = served.get(rows[1]["VersionData"].as_str().unwrap()).await;
    assert_eq!(body.headers()["content-type"], "application/octetstream");
    assert_eq!(&body.bytes().await.unwrap()[..], b"world!");
    let latest = served.rows("SELECT LatestPublishedVersionId, FileType FROM ContentDocument").await;
    assert_eq!(
        (&latest[0]["LatestPublishedVersionId"], &latest[0]["FileType"]),
        (&second["id"], &json!("MD"))
    );
    let (status, refusal) = served.post("/records/ContentVersion", json!({"Title": "no content"})).await;
    assert_eq!((status, &refusal[0]["errorCode"]), (400, &json!("REQUIRED_FIELD_MISSING")));
    let attachment = json!({"Name": "a.txt", "ParentId": acme, "Body": "aGVsbG8="});
    assert_eq!(served.post("/records/Attachment", attachment).await.0, 201);
    assert_eq!(served.rows("SELECT BodyLength FROM Attachment").await[0]["BodyLength"], 5);
    // a document goes with its versions and links, an account with its attachments
    assert_eq!(served.post("/delete", json!({"ids": [document, acme]})).await.0, 200);
    for object in ["ContentVersion", "ContentDocumentLink", "Attachment"] {
        assert!(served.rows(&format!("SELECT Id FROM {object}")).await.is_empty(), "{object}");
    }
}

#[tokio::test]
async fn pages_show_the_org_and_change_it() {
    let served = serve_with(&[], &[("Contact", 120)]).await;
    let (status, home) = served.page("/_simulator").await;
    assert_eq!(status, 200);
    for expected in ["<h1>Acme</h1>", "Calls by resource", "Token", "/records/Contact\">", ">122<"] {
        assert!(home.contains(expected), "{expected} is missing");
    }
    let (_, list) = served.page(&format!("{}/records/Contact?offset=50", served.org())).await;
    assert!(list.contains("51–100 of 122") && list.contains("offset=100"), "{list}");
    let (_, found) =
        served.page(&format!("{}/records/Account?where=Name+LIKE+%27B%25%27", served.org())).await;
    assert!(found.contains("Bolt, Inc.") && found.contains("1–1 of 1"));
    let (status, wrong) = served.page(&format!("{}/records/Account?where=Nothing+%3D+1", served.org())).await;
    assert!(status == 200 && wrong.contains("No such column"));
    let acme = served.id_of("Acme").await;
    let path = format!("{}/records/{acme}", served.org());
    let (_, record) = served.page(&path).await;
    assert!(record.contains("two\nlines, and &quot;quotes&quot;") && record.contains("Who refers to it"));
    let url = format!("{}{path}", served.simulator.address);
    let client = common::client().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let form =
        [("_do", "save"), ("Name", "<b>Acme</b>"), ("Industry", "Energy"), ("AnnualRevenue", "1000.0")];
    let saved = client.post(&url).form(&form).send().await.unwrap();
    assert_eq!(
        (saved.status().as_u16(), saved.headers()[LOCATION].to_str().unwrap()),
        (303, &*format!("{path}?done=Saved"))
    );
    let (_, record) = served.page(&path).await;
    assert!(record.contains("<h1>&lt;b&gt;Acme&lt;/b&gt;</h1>"), "what a record says is no HTML");
    let refused = client.post(&url).form(&[("_do", "save"), ("AnnualRevenue", "much")]).send().await.unwrap();
    assert_eq!(refused.status(), 400);
    assert!(refused.text().await.unwrap().contains("INVALID_TYPE_ON_FIELD_IN_RECORD"));
    let foreign = client
        .post(&url)
        .header("sec-fetch-site", "cross-site")
        .form(&[("_do", "delete")])
        .send()
        .await
        .unwrap();
    assert_eq!(foreign.status(), 403);
    for (what, says) in [("delete", "in the recycle bin"), ("undelete", "Save")] {
        let done = client.post(&url).form(&[("_do", what)]).send().await.unwrap();
        assert_eq!(done.status(), 303);
        assert!(served.page(&path).await.1.contains(says), "{what}");
    }
    let counts = served.control(Method::GET, "/requests/counts", None).await.json::<Value>().await.unwrap();
    assert!(counts["Query"]["calls"].as_u64() >= Some(1) && counts["Simulator"].is_null(), "{counts}");
}

#[tokio::test]
async fn users_are_at_work_all_day() {
    let settings = common::ORG.replace(
        "limits:",
        "activity: {changesPerDay: 0.02, deletesPerDay: 0.01, insertsPerDay: 0.005}\nlimits:",
    );
    let mut counts = Vec::new();
    for _ in 0..2 {
        let served = serve_with(&[("org.yaml", &settings)], &[("Account", 10_000), ("Contact", 1_000)]).await;
        let before = served.rows("SELECT MAX(SystemModstamp) newest FROM Account").await;
        let (status, done) = served.post("/activity", json!({"days": 1})).await;
        let of_accounts = json!({"changes": 200, "deletes": 100, "inserts": 50});
        assert_eq!((status, &done["Account"]), (200, &of_accounts));
        let newest = before[0]["newest"].as_str().unwrap().replace("+0000", "Z");
        let changed: Value = served
            .query(&format!("SELECT count() FROM Account WHERE SystemModstamp > {newest}"))
            .await
            .json()
            .await
            .unwrap();
        let there: Value = served.query("SELECT count() FROM Account").await.json().await.unwrap();
        let (changed, there) = (changed["totalSize"].as_u64().unwrap(), there["totalSize"].as_u64().unwrap());
        assert!((230..=300).contains(&changed) && (9_950..=9_955).contains(&there), "{changed} {there}");
        let sample = served.rows("SELECT Name, Industry FROM Account ORDER BY Id LIMIT 500").await;
        counts.push((changed, there, sample.iter().map(|row| row["Name"].clone()).collect::<Vec<_>>()));
        // the bin keeps what was deleted for 15 days, and no more
        served.simulator.advance(std::time::Duration::from_hours(24 * 16));
        for _ in 0..100 {
            let overview = served.control(Method::GET, "", None).await.json::<Value>().await.unwrap();
            if overview["objects"]["Contact"]["deleted"].as_u64() < Some(200)
                && overview["objects"]["Account"]["deleted"].as_u64() > Some(1_000)
            {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        let overview = served.control(Method::GET, "", None).await.json::<Value>().await.unwrap();
        // sixteen days of deletions came due, and the first day's are gone for good
        let deleted = overview["objects"]["Account"]["deleted"].as_u64().unwrap();
        assert!((1_300..1_600).contains(&deleted), "{overview}");
    }
    assert_eq!(counts[0], counts[1], "the same activity is drawn every time");
}
