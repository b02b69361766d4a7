"""simple-salesforce, as its documentation shows it."""

import base64
import csv
import datetime
import hashlib
import io
import json
import os
import pathlib
import tempfile
import time
import zipfile

from cases import FACTS, case, equal, meanwhile, refused, run
from simple_salesforce import Salesforce

USER, DOMAIN, VERSION = "admin@interop.example", "interop.my", "60.0"
APP = {"consumer_key": "interop", "consumer_secret": "interop-secret"}
DESCRIPTION = 'quotes ", commas, and\na second line: naïve 🦀'
ONE_ORG = "SELECT Id FROM Organization"


def signed_in(user=USER):
    return Salesforce(username=user, password="secret", security_token="", version=VERSION)


def rows(pages):
    return [row for page in pages for row in csv.DictReader(io.StringIO(page))]


@case("sign-in: SOAP")
def _():
    equal(signed_in().query(ONE_ORG)["totalSize"], 1)
    organization = signed_in().query(ONE_ORG)["records"][0]["Id"]
    by_id = Salesforce(username=USER, password="secret", organizationId=organization, version=VERSION)
    equal(by_id.query(ONE_ORG)["totalSize"], 1)


@case("sign-in: user name and password")
def _():
    org = Salesforce(username=USER, password="secret", domain=DOMAIN, version=VERSION, **APP)
    equal(org.query(ONE_ORG)["totalSize"], 1)


@case("sign-in: client credentials")
def _():
    equal(Salesforce(domain=DOMAIN, version=VERSION, **APP).query(ONE_ORG)["totalSize"], 1)


@case("sign-in: JWT bearer")
def _():
    org = Salesforce(username=USER, consumer_key="interop", privatekey_file=FACTS["keyFile"], version=VERSION)
    equal(org.query(ONE_ORG)["totalSize"], 1)


@case("sign-in: refused")
def _():
    refused(lambda: Salesforce(username=USER, password="wrong", security_token="", version=VERSION), "INVALID_LOGIN")
    refused(lambda: Salesforce(username=USER, password="wrong", domain=DOMAIN, version=VERSION, **APP), "invalid_grant")
    refused(lambda: Salesforce(domain=DOMAIN, version=VERSION, consumer_key="interop", consumer_secret="wrong"), "invalid_client")
    stranger = Salesforce(instance_url=FACTS["domain"], session_id="00D!nothing", version=VERSION)
    refused(lambda: stranger.query(ONE_ORG), "INVALID_SESSION_ID")


@case("sign-in: sandbox")
def _():
    org = Salesforce(username="admin@interop.example.dev", password="secret", security_token="", domain="test", version=VERSION)
    equal([org.is_sandbox(), org.sf_instance], [True, FACTS["sandbox"].removeprefix("https://")])
    refused(lambda: Salesforce(username=USER, password="secret", security_token="", domain="test", version=VERSION), "INVALID_LOGIN")
    refused(lambda: Salesforce(username="admin@interop.example.dev", password="secret", security_token="", version=VERSION), "INVALID_LOGIN")


@case("identity")
def _():
    org = signed_in()
    equal(org.sf_instance, FACTS["domain"].removeprefix("https://"))
    who = org.oauth2("userinfo")
    equal(who["preferred_username"], USER)
    equal(org.is_sandbox(), False)


@case("versions, limits")
def _():
    org = signed_in()
    limits = org.limits()
    equal(limits["DailyApiRequests"]["Remaining"] < limits["DailyApiRequests"]["Max"], True)
    equal(org.api_usage["api-usage"].used > 0, True)


@case("describeGlobal")
def _():
    found = {entry["name"]: entry for entry in signed_in().describe()["sobjects"]}
    equal(found["Contact"]["keyPrefix"], "003")


@case("describe")
def _():
    org = signed_in("reader@interop.example")
    fields = {field["name"]: field for field in org.Contact.describe()["fields"]}
    equal(fields["AccountId"]["referenceTo"], ["Account"])
    equal("Birthdate" in fields, False)
    equal(org.Contact.metadata()["objectDescribe"]["name"], "Contact")
    refused(lambda: org.Nothing__c.describe(), "NOT_FOUND")


@case("query")
def _():
    org = signed_in()
    soql = "SELECT Id, Name, AnnualRevenue, NumberOfEmployees, BillingAddress, Description FROM Account WHERE Name = 'Acme'"
    (acme,) = org.query(soql)["records"]
    equal([acme["AnnualRevenue"], acme["NumberOfEmployees"], acme["Description"]], [1250000.5, 42, DESCRIPTION])
    equal(acme["BillingAddress"]["city"], "Berlin")
    contacts = org.query("SELECT LastName, Account.Name FROM Contact ORDER BY LastName")["records"]
    equal([(contact["LastName"], contact["Account"]["Name"]) for contact in contacts], [(name, "Acme") for name in ("#N/A", "Hopper", "Turing")])
    equal(org.query("SELECT count() FROM Contact")["totalSize"], 3)


@case("query: pages")
def _():
    org = signed_in()
    found = list(org.query_all_iter("SELECT Id, Name FROM Account"))
    equal([len(found), len({row["Id"] for row in found})], [FACTS["accounts"]] * 2)
    equal(len(org.query_all("SELECT Id FROM Account")["records"]), FACTS["accounts"])
    first = org.query("SELECT Id FROM Account")
    second = org.query_more(first["nextRecordsUrl"], identifier_is_url=True)
    equal(second["totalSize"], FACTS["accounts"])


@case("queryAll")
def _():
    found = signed_in().query("SELECT Id, IsDeleted FROM Account WHERE Name = 'Gone'", include_deleted=True)
    equal([row["IsDeleted"] for row in found["records"]], [True])


@case("query: sub-select")
def _():
    found = signed_in().query("SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName) FROM Account WHERE Name LIKE 'Acme%' ORDER BY Name")["records"]
    equal([row["LastName"] for row in found[0]["Contacts"]["records"]], ["#N/A", "Hopper", "Turing"])
    equal(found[1]["Contacts"], None)


@case("query: refused")
def _():
    org = signed_in("reader@interop.example")
    refused(lambda: org.query("SELECT Birthdate FROM Contact"), "INVALID_FIELD")
    refused(lambda: org.query("SELECT Id FROM Nothing__c"), "INVALID_TYPE")
    refused(lambda: org.query("SELECT Id FROM Contact WHERE"), "MALFORMED_QUERY")


@case("record by id")
def _():
    org = signed_in()
    id_ = org.query("SELECT Id FROM Contact WHERE LastName = 'Hopper'")["records"][0]["Id"]
    contact = org.Contact.get(id_)
    equal([contact["FirstName"], contact["Birthdate"]], ["Grace", "1906-12-09"])
    refused(lambda: org.Contact.get("003000000000000AAA"), "NOT_FOUND")


@case("blob")
def _():
    org = signed_in()
    id_ = org.query("SELECT Id FROM Attachment")["records"][0]["Id"]
    equal(hashlib.sha256(org.Attachment.get_base64(id_)).hexdigest(), FACTS["blobSha256"])


@case("updated, deleted")
def _():
    org = signed_in()
    id_ = meanwhile("POST", "records/Account", {"Name": "For a while"}, 600)["id"]
    now = datetime.datetime.now(datetime.timezone.utc)
    ago = now - datetime.timedelta(hours=1)
    try:
        updated = org.Account.updated(ago, now)
    finally:
        meanwhile("DELETE", f"records/{id_}", seconds_ago=300)
    equal([id_ in updated["ids"], "latestDateCovered" in updated], [True, True])
    deleted = org.Account.deleted(ago, now)
    equal([record["id"] for record in deleted["deletedRecords"] if record["id"] == id_], [id_])
    equal({"earliestDateAvailable", "latestDateCovered"} <= deleted.keys(), True)
    refused(lambda: org.Account.deleted(now, ago), "INVALID_REPLICATION_DATE")


@case("search")
def _():
    found = signed_in().search("FIND {Hopper} IN ALL FIELDS RETURNING Contact(Id, LastName)")
    equal([row["LastName"] for row in found["searchRecords"]], ["Hopper"])


@case("composite")
def _():
    org = signed_in()
    path = f"/services/data/v{VERSION}"
    asked = [
        {"method": "GET", "url": f"{path}/query?q=SELECT+AccountId+FROM+Contact+WHERE+LastName='Hopper'", "referenceId": "one"},
        {"method": "GET", "url": f"{path}/sobjects/Account/@{{one.records[0].AccountId}}?fields=Name", "referenceId": "two"},
    ]
    found = org.restful("composite", method="POST", json={"compositeRequest": asked})["compositeResponse"]
    equal([part["httpStatusCode"] for part in found], [200, 200])
    equal(found[1]["body"]["Name"], "Acme")


@case("Bulk 1.0 query")
def _():
    org = signed_in()
    found = org.bulk.Account.query("SELECT Id, Name, Description, NumberOfEmployees FROM Account", wait=0.1)
    equal([len(found), len({row["Id"] for row in found})], [FACTS["accounts"]] * 2)
    (acme,) = [row for row in found if row["Name"] == "Acme"]
    equal([acme["Description"], acme["NumberOfEmployees"]], [DESCRIPTION, 42])
    gone = org.bulk.Account.query_all("SELECT Id, IsDeleted FROM Account WHERE Name = 'Gone'", wait=0.1)
    equal([row["IsDeleted"] for row in gone], [True])


@case("Bulk 1.0: refused")
def _():
    org = signed_in()
    refused(lambda: org.bulk.Account.query("SELECT Nothing FROM Account", wait=0.1), "INVALID_FIELD|InvalidBatch")
    stranger = Salesforce(instance_url=FACTS["domain"], session_id="00D!nothing", version=VERSION)
    refused(lambda: stranger.bulk.Account.query("SELECT Id FROM Account", wait=0.1), "InvalidSessionId")


@case("Bulk 2.0 query")
def _():
    org = signed_in()
    found = rows(org.bulk2.Contact.query("SELECT Id, LastName, Account.Name FROM Contact ORDER BY LastName", wait=0.1))
    equal([(row["LastName"], row["Account.Name"]) for row in found], [(name, "Acme") for name in ("#N/A", "Hopper", "Turing")])
    (acme,) = rows(org.bulk2.Account.query("SELECT Description FROM Account WHERE Name = 'Acme'", wait=0.1))
    equal(acme["Description"], DESCRIPTION)
    gone = rows(org.bulk2.Account.query_all("SELECT Id, IsDeleted FROM Account WHERE Name = 'Gone'", wait=0.1))
    equal([row["IsDeleted"] for row in gone], ["true"])


@case("Bulk 2.0: pages")
def _():
    org = signed_in()
    found = rows(org.bulk2.Account.query("SELECT Id, Name FROM Account", max_records=1500, wait=0.1))
    equal([len(found), len({row["Id"] for row in found})], [FACTS["accounts"]] * 2)
    with tempfile.TemporaryDirectory() as folder:
        told = org.bulk2.Account.download("SELECT Id, Name FROM Account", folder, max_records=1500, wait=0.1)
        files = [pathlib.Path(folder) / name for name in os.listdir(folder)]
        read = rows(path.read_text() for path in files)
    equal([len(read), sum(int(page["number_of_records"]) for page in told)], [FACTS["accounts"]] * 2)


@case("Bulk 2.0: abort, delete")
def _():
    client = signed_in().bulk2.Account._client
    from simple_salesforce.bulk2 import ColumnDelimiter, LineEnding, Operation

    job = client.create_job(Operation.query, "SELECT Id FROM Account", ColumnDelimiter.COMMA, LineEnding.LF)
    equal(client.abort_job(job["id"], True)["state"], "Aborted")
    refused(lambda: client.delete_job(job["id"], True), "JSONDecodeError")  # it wants JSON where a 204 has nothing
    refused(lambda: client.get_job(job["id"], True), "NOT_FOUND")


@case("Bulk 2.0: refused")
def _():
    org = signed_in()
    refused(lambda: list(org.bulk2.Account.query("SELECT BillingAddress FROM Account", wait=0.1)), "(?i)compound")
    refused(lambda: list(org.bulk2.Account.query("SELECT count(Id) FROM Account", wait=0.1)), ".")


@case("Tooling API")
def _():
    soql = "SELECT QualifiedApiName FROM EntityDefinition WHERE QualifiedApiName = 'Account'"
    found = signed_in().toolingexecute("query/?q=" + soql.replace(" ", "+"))
    equal([row["QualifiedApiName"] for row in found["records"]], ["Account"])


@case("Metadata API")
def _():
    mdapi = signed_in().mdapi
    described = mdapi.describe_metadata()
    equal(len(described["metadataObjects"]) > 0, True)
    listed = mdapi.list_metadata([{"type": "CustomObject"}, {"type": "Profile"}])
    equal({("CustomObject", "Account"), ("Profile", "Admin")} <= {(item["type"], item["fullName"]) for item in listed}, True)
    read = mdapi.CustomObject.read("Account")
    equal((read["fullName"], "Industry" in [field["fullName"] for field in read["fields"]]), ("Account", True))
    # it sends the id of an earlier call in the path, whatever it is
    job, state = mdapi.retrieve("0", unpackaged={"CustomObject": ["Account"]})
    equal(state, "Queued")
    while mdapi.check_retrieve_status(job)[0] != "Succeeded":
        time.sleep(0.1)
    _, error, _, packed = mdapi.retrieve_zip(job)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        equal([name.split("/")[-1] for name in archive.namelist()], ["Account.object", "package.xml"])
    refused(lambda: mdapi.list_metadata([{"type": "Nothing"}]), "INVALID_TYPE")


@case("Metadata API: deploy")
def _():
    org = signed_in()

    def deployed(files, **options):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        job, state = org.mdapi.deploy(packed, sandbox=False, **options)
        equal(state, "Queued")
        while (told := org.mdapi.check_deploy_status(job))[0] in ("Pending", "InProgress"):
            time.sleep(0.1)
        return told

    field = "<fields><fullName>Shoe__c</fullName><label>Shoe</label><precision>4</precision><scale>1</scale><type>Number</type></fields>"
    types = "<types><members>Contact.Shoe__c</members><name>CustomField</name></types>"
    made = {"package.xml": f"<Package>{types}<version>60.0</version></Package>", "objects/Contact.object": f"<CustomObject>{field}</CustomObject>"}
    state, _, components, _ = deployed(made, checkOnly=True)
    equal((state, components["deployed_count"], components["failed_count"]), ("Succeeded", "1", "0"))
    equal("Shoe__c" in [field["name"] for field in org.Contact.describe()["fields"]], False)
    equal(deployed(made)[0], "Succeeded")
    equal("Shoe__c" in [field["name"] for field in org.Contact.describe()["fields"]], True)
    state, _, components, _ = deployed({**made, "objects/Contact.object": f"<CustomObject>{field.replace('<label>Shoe</label>', '')}</CustomObject>"})
    equal((state, components["errors"][0]["message"]), ("Failed", "Must specify a non-empty label for the CustomField"))
    gone = {"package.xml": "<Package><version>60.0</version></Package>", "destructiveChanges.xml": f"<Package>{types}</Package>"}
    equal(deployed(gone)[0], "Succeeded")
    equal("Shoe__c" in [field["name"] for field in org.Contact.describe()["fields"]], False)


@case("records written")
def _():
    org = signed_in()
    made = org.Account.create({"Name": "Made by simple-salesforce"})
    org.Account.update(made["id"], {"Name": "Changed by simple-salesforce"})
    equal(org.Account.get(made["id"])["Name"], "Changed by simple-salesforce")
    equal(org.Account.delete(made["id"]), 204)


@case("upsert by a key")
def _():
    org = signed_in()
    equal(org.Contact.upsert("Email/upserted@simple.example", {"LastName": "First"}), 201)
    equal(org.Contact.upsert("Email/upserted@simple.example", {"LastName": "Second"}), 200)
    found = org.Contact.get_by_custom_id("Email", "upserted@simple.example")
    equal(found["LastName"], "Second")
    equal(org.Contact.delete(found["Id"]), 204)
    refused(lambda: org.Contact.upsert("Nothing/x", {"LastName": "x"}), "Provided external ID field does not exist")
    refused(lambda: org.Contact.update(found["Id"], {"LastName": "x"}), "ENTITY_IS_DELETED")


@case("collections written")
def _():
    org = signed_in()
    rows = [{"attributes": {"type": "Contact"}, "LastName": name} for name in ("One", None, "Three")]
    made = org.restful("composite/sobjects", method="POST", json={"records": rows})
    equal([row["success"] for row in made], [True, False, True])
    equal(made[1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING")
    ids = [made[0]["id"], made[2]["id"]]
    gone = org.restful("composite/sobjects", method="DELETE", params={"ids": ",".join(ids), "allOrNone": "true"})
    equal([row["success"] for row in gone], [True, True])


@case("composite written")
def _():
    org = signed_in()
    base = f"/services/data/v{VERSION}/sobjects"
    parts = [
        {"method": "POST", "url": f"{base}/Account", "referenceId": "account", "body": {"Name": "Composite by simple-salesforce"}},
        {"method": "POST", "url": f"{base}/Contact", "referenceId": "contact", "body": {"LastName": "C", "AccountId": "@{account.id}"}},
    ]
    done = org.restful("composite", method="POST", json={"allOrNone": True, "compositeRequest": parts})
    account, contact = (part["body"]["id"] for part in done["compositeResponse"])
    equal(org.Contact.get(contact)["AccountId"], account)
    org.Account.delete(account)


@case("blobs written")
def _():
    org = signed_in()
    account = org.Account.create({"Name": "Blobs by simple-salesforce"})["id"]
    content = bytes(range(256))
    made = org.Attachment.create({"Name": "bytes.bin", "ParentId": account, "Body": base64.b64encode(content).decode()})
    equal(org.Attachment.get_base64(made["id"], "Body"), content)
    # beside its record, in a part of its own
    url = f"{org.base_url}sobjects/Attachment"
    parts = {"entity_attachment": (None, json.dumps({"Name": "part.bin", "ParentId": account}), "application/json"), "Body": ("part.bin", content)}
    headers = {"Authorization": f"Bearer {org.session_id}"}
    answer = org.session.post(url, files=parts, headers=headers)
    equal(answer.status_code, 201)
    equal(org.Attachment.get(answer.json()["id"])["BodyLength"], 256)
    org.Account.delete(account)


@case("Bulk 1.0 load")
def _():
    org = signed_in()
    rows = [{"Name": "Loaded by simple-salesforce", "NumberOfEmployees": 7}, {"Description": "has no name"}]
    made, refused_row = org.bulk.Account.insert(rows)
    equal([made["success"], made["created"], refused_row["success"]], [True, True, False])
    equal([error["statusCode"] for error in refused_row["errors"]], ["REQUIRED_FIELD_MISSING"])
    org.bulk.Account.update([{"Id": made["id"], "NumberOfEmployees": None}], use_serial=True)
    equal(org.Account.get(made["id"])["NumberOfEmployees"], None)
    (gone,) = org.bulk.Account.delete([{"Id": made["id"]}])
    equal([gone["success"], gone["created"], gone["id"]], [True, False, made["id"]])
    refused(lambda: org.bulk.Account.insert([{"Nothing__c": 1}]), "InvalidBatch.*Records not processed")
    refused(lambda: org.bulk.Account.hard_delete([{"Id": made["id"]}]), ".")


@case("Bulk 2.0 ingest")
def _():
    org = signed_in()
    table = org.bulk2.Account
    rows = [{"Name": f"Loaded by simple-salesforce {n}", "Description": 'a "quoted",\nvalue'} for n in range(300)] + [{"Name": "", "Description": "no name"}]
    (told,) = table.insert(records=rows, wait=0.1)
    equal([told["numberRecordsTotal"], told["numberRecordsProcessed"], told["numberRecordsFailed"]], [301, 301, 1])
    done = list(csv.DictReader(io.StringIO(table.get_successful_records(told["job_id"]))))
    equal([len(done), {row["sf__Created"] for row in done}], [300, {"true"}])
    equal({row["Description"] for row in done}, {'a "quoted",\nvalue'})
    equal([row["Name"] for row in done] == [row["Name"] for row in rows[:300]], False)
    (failed,) = csv.DictReader(io.StringIO(table.get_failed_records(told["job_id"])))
    equal([failed["sf__Error"], failed["Description"]], ["REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --", "no name"])
    equal(list(csv.DictReader(io.StringIO(table.get_unprocessed_records(told["job_id"])))), [])
    (told,) = table.update(records=[{"Id": row["sf__Id"], "Description": "#N/A"} for row in done], wait=0.1)
    equal([told["numberRecordsProcessed"], told["numberRecordsFailed"]], [300, 0])
    equal(org.Account.get(done[0]["sf__Id"])["Description"], None)
    (told,) = table.delete(records=[{"Id": row["sf__Id"]} for row in done], wait=0.1)
    equal([told["numberRecordsProcessed"], told["numberRecordsFailed"]], [300, 0])
    refused(lambda: table.insert(records=[{"Nothing__c": "x"}], wait=0.1), "Field name not found : Nothing__c")
    refused(lambda: table.hard_delete(records=[{"Id": done[0]["sf__Id"]}], wait=0.1), "FEATURENOTENABLED")


run()
