"""salesforce-bulk: Bulk 1.0 alone."""

import csv
import io
import json
import time

from cases import FACTS, case, equal, refused, run
from salesforce_bulk import SalesforceBulk

VERSION = "60.0"
DESCRIPTION = 'quotes ", commas, and\na second line: naïve 🦀'


def signed_in():
    return SalesforceBulk(username="admin@interop.example", password="secret", security_token="", API_version=VERSION)


def wait(bulk, job, batch):
    for _ in range(200):
        if bulk.is_batch_done(batch, job):
            return
        time.sleep(0.1)
    raise TimeoutError("the batch does not end")


def rows(bulk, job, batch):
    found = []
    for result in bulk.get_all_results_for_query_batch(batch, job):
        found += csv.DictReader(io.StringIO(result.read().decode()))
    return found


@case("sign-in: SOAP")
def _():
    equal(signed_in().endpoint.startswith("https://"), True)


@case("Bulk 1.0 query")
def _():
    bulk = signed_in()
    job = bulk.create_query_job("Account", contentType="CSV")
    batch = bulk.query(job, "SELECT Id, Name, Description FROM Account")
    bulk.close_job(job)
    wait(bulk, job, batch)
    found = rows(bulk, job, batch)
    equal([len(found), len({row["Id"] for row in found})], [FACTS["accounts"]] * 2)
    equal([row["Description"] for row in found if row["Name"] == "Acme"], [DESCRIPTION])
    status = bulk.job_status(job)
    equal([status["state"], status["numberBatchesTotal"], status["numberBatchesCompleted"]], ["Closed", "1", "1"])
    equal(int(status["numberRecordsProcessed"]), FACTS["accounts"])
    equal([info["id"] for info in bulk.get_batch_list(job)], [batch])
    equal(bulk.get_query_batch_request(batch, job), "SELECT Id, Name, Description FROM Account")


@case("Bulk 1.0: JSON")
def _():
    bulk = signed_in()
    job = bulk.create_query_job("Contact", contentType="JSON")
    batch = bulk.query(job, "SELECT LastName, Birthdate, Account.Name FROM Contact ORDER BY LastName")
    bulk.close_job(job)
    wait(bulk, job, batch)
    (result,) = bulk.get_all_results_for_query_batch(batch, job)
    found = json.loads(result.read())
    equal([(row["LastName"], row["Account"]["Name"]) for row in found], [(name, "Acme") for name in ("#N/A", "Hopper", "Turing")])


@case("Bulk 1.0: PK chunking")
def _():
    bulk = signed_in()
    job = bulk.create_query_job("Account", contentType="CSV", pk_chunking=2000)
    first = bulk.query(job, "SELECT Id, Name FROM Account")
    for _ in range(100):
        batches = bulk.get_batch_list(job)
        if len(batches) > 1 and all(batch["state"] in ("Completed", "NotProcessed") for batch in batches):
            break
        time.sleep(0.1)
    equal([batch["id"] for batch in batches if batch["state"] == "NotProcessed"], [first])
    chunks = [batch["id"] for batch in batches if batch["state"] == "Completed"]
    found = [row for chunk in chunks for row in rows(bulk, job, chunk)]
    equal([len(found), len({row["Id"] for row in found}), len(chunks) >= FACTS["accounts"] // 2000], [FACTS["accounts"], FACTS["accounts"], True])
    bulk.close_job(job)


@case("Bulk 1.0: abort")
def _():
    bulk = signed_in()
    job = bulk.create_query_job("Account", contentType="CSV")
    bulk.abort_job(job)
    equal(bulk.job_status(job)["state"], "Aborted")
    refused(lambda: bulk.query(job, "SELECT Id FROM Account"), "InvalidJobState")


@case("Bulk 1.0: refused")
def _():
    bulk = signed_in()
    job = bulk.create_query_job("Account", contentType="CSV")
    batch = bulk.query(job, "SELECT Nothing FROM Account")
    refused(lambda: wait(bulk, job, batch), "INVALID_FIELD")
    refused(lambda: bulk.create_query_job("Nothing__c"), "InvalidEntity|InvalidJob|INVALID")
    refused(lambda: bulk.job_status("750000000000000AAA"), "InvalidJob")
    stranger = SalesforceBulk(sessionId="00D!nothing", host=FACTS["domain"], API_version=VERSION)
    refused(lambda: stranger.create_query_job("Account"), "InvalidSessionId")


@case("Bulk 1.0 load")
def _():
    bulk = signed_in()
    job = bulk.create_insert_job("Account", contentType="CSV", concurrency="Serial")
    batch = bulk.post_batch(job, b"Name,Description\nLoaded by salesforce-bulk,\"a, b\"\n,no name\n")
    bulk.close_job(job)
    wait(bulk, job, batch)
    made, failed = bulk.get_batch_results(batch, job)
    equal([made.success, made.created, failed.success], ["true", "true", "false"])
    equal(failed.error, "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --")
    status = bulk.job_status(job)
    equal([status["numberRecordsProcessed"], status["numberRecordsFailed"], status["concurrencyMode"]], ["2", "1", "Serial"])
    job = bulk.create_delete_job("Account", contentType="CSV")
    batch = bulk.post_batch(job, f"Id\n{made.id}\n".encode())
    bulk.close_job(job)
    wait(bulk, job, batch)
    equal([(result.id, result.success, result.created) for result in bulk.get_batch_results(batch, job)], [(made.id, "true", "false")])
    bulk.abort_job(bulk.create_update_job("Account", contentType="CSV"))


run()
