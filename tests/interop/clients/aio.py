"""aiosalesforce, which insists on a My Domain of Salesforce, by https."""

import asyncio

import httpx
from aiosalesforce import Salesforce
from aiosalesforce.auth import ClientCredentialsFlow, JwtBearerFlow, SoapLogin
from cases import FACTS, case, equal, run

USER = "admin@interop.example"
ONE_ORG = "SELECT Id FROM Organization"


def within(call, auth=None):
    """Runs a coroutine with a client that signs in as told."""

    async def inner():
        # no retries: what fails shows at once
        async with httpx.AsyncClient() as client:
            return await call(Salesforce(client, FACTS["domain"], auth or ClientCredentialsFlow("interop", "interop-secret"), retry_policy=None))

    return asyncio.run(inner())


async def rows(org, soql, **options):
    return [row async for row in org.query(soql, **options)]


async def one_org(org):
    equal(len(await rows(org, ONE_ORG)), 1)


def error(words):
    """Calls fail with these words."""

    def check(call):
        try:
            within(call)
        except Exception as failure:  # noqa: BLE001
            equal(words in f"{failure}", True)
        else:
            raise AssertionError("not refused")

    return check


@case("sign-in: SOAP")
def _():
    within(one_org, SoapLogin(USER, "secret", ""))


@case("sign-in: client credentials")
def _():
    within(one_org)


@case("sign-in: JWT bearer")
def _():
    within(one_org, JwtBearerFlow("interop", USER, FACTS["keyFile"]))


@case("versions, limits")
def _():
    async def call(org):
        limits = await org.get_limits()
        equal(limits["DailyApiRequests"]["Remaining"] < limits["DailyApiRequests"]["Max"], True)

    within(call)


@case("query")
def _():
    async def call(org):
        found = await rows(org, "SELECT LastName, Account.Name FROM Contact ORDER BY LastName")
        equal([(row["LastName"], row["Account"]["Name"]) for row in found], [(name, "Acme") for name in ("#N/A", "Hopper", "Turing")])

    within(call)


@case("query: pages")
def _():
    async def call(org):
        found = await rows(org, "SELECT Id FROM Account")
        equal([len(found), len({row["Id"] for row in found})], [FACTS["accounts"]] * 2)

    within(call)


@case("queryAll")
def _():
    async def call(org):
        found = await rows(org, "SELECT IsDeleted FROM Account WHERE Name = 'Gone'", include_all_records=True)
        equal([row["IsDeleted"] for row in found], [True])

    within(call)


@case("query: refused")
def _():
    error("INVALID_FIELD")(lambda org: rows(org, "SELECT Nothing FROM Contact"))


@case("record by id")
def _():
    async def call(org):
        (hopper,) = await rows(org, "SELECT Id FROM Contact WHERE LastName = 'Hopper'")
        found = await org.sobject.get("Contact", hopper["Id"], fields=["FirstName", "LastName"])
        equal([found["FirstName"], found["LastName"]], ["Grace", "Hopper"])

    within(call)


@case("composite")
def _():
    async def call(org):
        (hopper,) = await rows(org, "SELECT AccountId FROM Contact WHERE LastName = 'Hopper'")
        async with org.composite() as composite:
            contacts = composite.query("SELECT LastName FROM Contact")
            # not by reference: it writes one without its @{}
            account = composite.sobject.get("Account", hopper["AccountId"], fields=["Name"])
            none = composite.sobject.get("Account", "001000000000000AAA")
        equal([len(contacts.records), account.record["Name"], none.is_success, none.status_code], [3, "Acme", False, 404])
        async with org.composite.batch() as batch:
            found = batch.query("SELECT Id FROM Contact")
        equal([found.is_success, len(found.records)], [True, 3])

    within(call)


@case("records written")
def _():
    async def call(org):
        id_ = await org.sobject.create("Account", {"Name": "Made by aiosalesforce"})
        await org.sobject.delete("Account", id_)

    within(call)


@case("upsert by a key")
def _():
    async def call(org):
        made = await org.sobject.upsert("Contact", "upserted@aio.example", "Email", {"LastName": "First"})
        changed = await org.sobject.upsert("Contact", "upserted@aio.example", "Email", {"LastName": "Second"})
        equal([made.created, changed.created, changed.id], [True, False, made.id])
        await org.sobject.delete("Contact", "upserted@aio.example", "Email")

    within(call)


@case("composite written")
def _():
    async def call(org):
        async with org.composite(all_or_none=True) as composite:
            account = composite.sobject.create("Account", {"Name": "Composite by aiosalesforce"})
            contact = composite.sobject.create("Contact", {"LastName": "C", "AccountId": str(account.reference.id)})
        equal((await org.sobject.get("Contact", contact.id))["AccountId"], account.id)
        async with org.composite.batch() as batch:
            gone = batch.sobject.delete("Contact", contact.id)
            kept = batch.sobject.update("Account", account.id, {"Name": "Changed by aiosalesforce"})
        equal([gone.is_success, kept.is_success], [True, True])
        await org.sobject.delete("Account", account.id)

    within(call)


@case("Bulk 2.0 ingest")
def _():
    async def call(org):
        rows = [{"Name": "Loaded by aiosalesforce", "Description": "x"}, {"Name": "", "Description": "no name"}]
        result = await org.bulk_v2.insert("Account", rows)
        equal([len(result.successful_results), len(result.failed_results), len(result.unprocessed_records)], [1, 1, 0])
        equal(result.failed_results[0]["sf__Error"].split(":")[0], "REQUIRED_FIELD_MISSING")
        made = result.successful_results[0]["sf__Id"]
        changed = await org.bulk_v2.update("Account", [{"Id": made, "Description": "#N/A"}])
        equal([row["sf__Created"] for row in changed.successful_results], ["false"])
        gone = await org.bulk_v2.delete("Account", [{"Id": made}])
        equal([row["sf__Id"] for row in gone.successful_results], [made])

    within(call)


run()
