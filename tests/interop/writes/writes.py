#!/usr/bin/env python3
"""writes.py BINARIES [ROWS [API]...]: the rows of made_org.py written into an empty org through each API of Salesforce, then read back
by Bulk 2.0 query and compared, value by value. Nothing of Orgkeep's is in it: this judges the simulator.

References to the object itself are written by a second pass, as updates through the same API."""

import collections
import csv
import http.client
import io
import json
import pathlib
import sys
import tempfile
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from xml.sax.saxutils import escape

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
import made_org  # noqa: E402
from simulator import Simulator  # noqa: E402

VERSION = "64.0"
DATA = f"/services/data/v{VERSION}"
THREADS = 4


class Org:
    """A signed-in connection for each thread."""

    def __init__(self, address):
        self.host = urllib.parse.urlsplit(address).netloc
        self.local = threading.local()
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": "writes", "client_secret": "writes-secret"})
        self.token = None
        answer = self.call("POST", "/services/oauth2/token", form, "application/x-www-form-urlencoded")
        self.token = json.loads(answer)["access_token"]
        self.calls = 0

    def call(self, method, path, body=None, kind="application/json", headers=(), ok=(200, 201, 204)):
        """The body of an answer whose status is one of `ok`."""
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPConnection(self.host, timeout=120)
        sent = {"Content-Type": kind, **dict(headers)}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        self.local.connection.request(method, path, body, sent)
        response = self.local.connection.getresponse()
        content = response.read()
        self.local.headers = response.headers
        if response.status not in ok:
            raise AssertionError(f"{method} {path}: {response.status} {content[:600]!r}")
        return content

    def json(self, method, path, body=None, **more):
        content = self.call(method, path, body, **more)
        return json.loads(content) if content else None


def batches(rows, size):
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def good(results, rows):
    """Every row has a result, and each of them says success."""
    assert len(results) == len(rows), f"{len(results)} results for {len(rows)} rows"
    bad = [result for result in results if not result["success"]]
    assert not bad, f"{len(bad)} rows refused: {bad[0]}"
    return [result["id"] for result in results]


def typed(name, rows):
    return [{"attributes": {"type": name}, **row} for row in rows]


class Rest:
    """One call a record."""

    def __init__(self, org):
        self.org = org

    def insert(self, name, rows):
        def one(row):
            answer = self.org.json("POST", f"{DATA}/sobjects/{name}", row, ok=(201,))
            assert answer["success"] is True and answer["errors"] == [], answer
            return answer["id"]

        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(one, rows))

    def update(self, name, rows):
        def one(row):
            self.org.call("PATCH", f"{DATA}/sobjects/{name}/{row['Id']}", {key: value for key, value in row.items() if key != "Id"}, ok=(204,))

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(one, rows))


class Upsert(Rest):
    """One call a record, by its external id; parents by their external ids."""

    def insert(self, name, rows):
        def one(row):
            rest = {key: value for key, value in row.items() if key != "Key__c"}
            answer = self.org.json("PATCH", f"{DATA}/sobjects/{name}/Key__c/{row['Key__c']}", rest, ok=(201,))
            assert answer["created"] is True, answer
            return answer["id"]

        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(one, rows))


class Collections:
    """200 records a call."""

    def __init__(self, org):
        self.org = org

    def insert(self, name, rows):
        ids = []
        for part in batches(rows, 200):
            ids += good(self.org.json("POST", f"{DATA}/composite/sobjects", {"allOrNone": False, "records": typed(name, part)}), part)
        return ids

    def update(self, name, rows):
        for part in batches(rows, 200):
            good(self.org.json("PATCH", f"{DATA}/composite/sobjects", {"allOrNone": True, "records": typed(name, part)}), part)


class Tree(Collections):
    """200 records a call, all or none."""

    def insert(self, name, rows):
        ids = []
        for part in batches(rows, 200):
            records = [{"attributes": {"type": name, "referenceId": f"r{number}"}, **row} for number, row in enumerate(part)]
            answer = self.org.json("POST", f"{DATA}/composite/tree/{name}", {"records": records}, ok=(201,))
            assert answer["hasErrors"] is False, answer
            by_reference = {result["referenceId"]: result["id"] for result in answer["results"]}
            ids += [by_reference[f"r{number}"] for number in range(len(part))]
        return ids


class Composite(Collections):
    """25 records a call, each a part of its own."""

    def insert(self, name, rows):
        def one(part):
            parts = [{"method": "POST", "url": f"{DATA}/sobjects/{name}", "referenceId": f"r{number}", "body": row} for number, row in enumerate(part)]
            answer = self.org.json("POST", f"{DATA}/composite", {"allOrNone": True, "compositeRequest": parts}, ok=(200,))
            answers = answer["compositeResponse"]
            assert all(part["httpStatusCode"] == 201 for part in answers), [part for part in answers if part["httpStatusCode"] != 201][:1]
            return [part["body"]["id"] for part in answers]

        with ThreadPoolExecutor(THREADS) as pool:
            return [made for ids in pool.map(one, batches(rows, 25)) for made in ids]


class Graph(Collections):
    """500 nodes a call."""

    def insert(self, name, rows):
        ids = []
        for part in batches(rows, 500):
            nodes = [{"method": "POST", "url": f"{DATA}/sobjects/{name}", "referenceId": f"r{number}", "body": row} for number, row in enumerate(part)]
            answer = self.org.json("POST", f"{DATA}/composite/graph", {"graphs": [{"graphId": "1", "compositeRequest": nodes}]})
            graph = answer["graphs"][0]
            assert graph["isSuccessful"] is True, json.dumps(graph)[:600]
            by_reference = {node["referenceId"]: node["body"]["id"] for node in graph["graphResponse"]["compositeResponse"]}
            ids += [by_reference[f"r{number}"] for number in range(len(part))]
        return ids


def csv_of(rows, null):
    """CSV; a column that any row has. What is null is said so."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(row.get(column), null) for column in columns])
    return out.getvalue().encode()


def cell(value, null):
    if value is None:
        return null
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class Bulk2:
    """Bulk API 2.0: jobs, results in another order than the rows."""

    def __init__(self, org):
        self.org, self.locked = org, 0

    def job(self, name, operation, rows):
        job = self.org.json("POST", f"{DATA}/jobs/ingest", {"object": name, "operation": operation, "contentType": "CSV", "lineEnding": "LF"})
        path = f"{DATA}/jobs/ingest/{job['id']}"
        self.org.call("PUT", "/" + job["contentUrl"].lstrip("/"), csv_of(rows, "#N/A"), "text/csv", ok=(201,))
        self.org.json("PATCH", path, {"state": "UploadComplete"})
        while (info := self.org.json("GET", path))["state"] not in ("JobComplete", "Failed", "Aborted"):
            time.sleep(0.01)
        assert info["state"] == "JobComplete", info
        results = {}
        for kind in ("successfulResults", "failedResults", "unprocessedrecords"):
            text = self.org.call("GET", f"{path}/{kind}", headers={"Accept": "text/csv"}).decode()
            results[kind] = list(csv.DictReader(io.StringIO(text, newline="")))
        done, failed = results["successfulResults"], results["failedResults"]
        assert not results["unprocessedrecords"], results["unprocessedrecords"][:1]
        assert info["numberRecordsProcessed"] == len(rows) and info["numberRecordsFailed"] == len(failed), info
        assert len(done) + len(failed) == len(rows), (len(done), len(failed), len(rows))
        return done, failed

    def load(self, name, operation, key, rows):
        """Rows whose parent is locked by another batch are sent again, as one has to."""
        ids, waiting = {}, {row[key]: row for row in rows}
        for _ in range(20):
            done, failed = self.job(name, operation, list(waiting.values()))
            for row in done:
                ids[row[key]] = row["sf__Id"]
                del waiting[row[key]]
            bad = [row for row in failed if not row["sf__Error"].startswith("UNABLE_TO_LOCK_ROW")]
            assert not bad, bad[0]
            self.locked += len(failed)
            if not waiting:
                return [ids[row[key]] for row in rows]
        raise AssertionError(f"{len(waiting)} rows of {name} were never written: the parents stay locked")

    def insert(self, name, rows):
        return self.load(name, "insert", "Key__c", rows)

    def update(self, name, rows):
        self.load(name, "update", "Id", rows)


class Bulk1:
    """Bulk API 1.0: batches of CSV, results in the order of the rows."""

    def __init__(self, org):
        self.org = org

    def call(self, method, path, body=None, kind="application/json"):
        return self.org.call(method, f"/services/async/{VERSION}/{path}", body, kind, headers={"X-SFDC-Session": self.org.token})

    def load(self, name, operation, rows):
        job = json.loads(self.call("POST", "job", {"operation": operation, "object": name, "contentType": "CSV", "concurrencyMode": "Serial"}))
        parts = batches(rows, 5000)
        sent = [self.call("POST", f"job/{job['id']}/batch", csv_of(part, "#N/A"), "text/csv; charset=UTF-8").decode() for part in parts]
        self.call("POST", f"job/{job['id']}", {"state": "Closed"})
        ids = []
        for part, batch in zip(parts, sent):
            number = batch.split("<id>")[1].split("</id>")[0]
            while "<state>Completed" not in (told := self.call("GET", f"job/{job['id']}/batch/{number}").decode()):
                assert "<state>Failed" not in told, told
                time.sleep(0.01)
            results = list(csv.DictReader(io.StringIO(self.call("GET", f"job/{job['id']}/batch/{number}/result").decode(), newline="")))
            assert len(results) == len(part), (len(results), len(part))
            bad = [result for result in results if result["Success"] != "true"]
            assert not bad, bad[0]
            ids += [result["Id"] for result in results]
        return ids

    def insert(self, name, rows):
        return self.load(name, "insert", rows)

    def update(self, name, rows):
        self.load(name, "update", rows)


class Soap:
    """The partner API: 200 records a call."""

    def __init__(self, org):
        self.org = org

    def call(self, operation, name, rows):
        records = []
        for row in rows:
            empty = "".join(f"<fieldsToNull>{field}</fieldsToNull>" for field, value in row.items() if value is None)
            first = f"<Id>{row['Id']}</Id>" if "Id" in row else ""
            cells = "".join(f"<{field}>{escape(cell(value, ''))}</{field}>" for field, value in row.items() if value is not None and field != "Id")
            records.append(f"<sObjects><type>{name}</type>{empty}{first}{cells}</sObjects>")
        envelope = (
            '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">'
            f'<soapenv:Header><SessionHeader xmlns="urn:partner.soap.sforce.com"><sessionId>{self.org.token}</sessionId></SessionHeader></soapenv:Header>'
            f'<soapenv:Body><{operation} xmlns="urn:partner.soap.sforce.com">{"".join(records)}</{operation}></soapenv:Body></soapenv:Envelope>'
        )
        answer = self.org.call("POST", f"/services/Soap/u/{VERSION}", envelope, "text/xml; charset=UTF-8", headers={"SOAPAction": '""'}).decode()
        results = answer.split("<result>")[1:]
        assert len(results) == len(rows) and all("<success>true</success>" in result for result in results), answer[:800]
        return [result.split("<id>")[1].split("</id>")[0] for result in results]

    def insert(self, name, rows):
        return [made for part in batches(rows, 200) for made in self.call("create", name, part)]

    def update(self, name, rows):
        for part in batches(rows, 200):
            self.call("update", name, part)


APIS = {"rest": Rest, "upsert": Upsert, "collections": Collections, "tree": Tree, "composite": Composite, "graph": Graph, "bulk2": Bulk2, "bulk1": Bulk1, "soap": Soap}


def write(api, made):
    """Everything through one API; how many records were made and changed."""
    ids, written, changed = {}, 0, 0
    for name, rows in made.items():
        references = [field for field in made_org.REFERENCES[name] if field != made_org.SELF]
        sent = []
        for row in rows:
            row = {field: value for field, value in row.items() if field != made_org.SELF}
            for field in references:
                if row.get(field):
                    row[field] = ids[row[field]]
            sent.append(row)
        if isinstance(api, Bulk2 | Bulk1) and references:
            # children of one parent lie together, as Salesforce advises
            order = sorted(range(len(sent)), key=lambda number: sent[number].get(references[0]) or "")
            sent, rows = [sent[number] for number in order], [rows[number] for number in order]
        for row, made_id in zip(sent, api.insert(name, sent)):
            ids[row["Key__c"]] = made_id
        written += len(rows)
        second = [{"Id": ids[row["Key__c"]], made_org.SELF: ids[row[made_org.SELF]]} for row in rows if row.get(made_org.SELF)]
        if second:
            api.update(name, second)
            changed += len(second)
    assert len(set(ids.values())) == written, "an id was given twice"
    return ids, written, changed


def read(org, name, fields):
    """All rows of an object by Bulk 2.0."""
    job = org.json("POST", f"{DATA}/jobs/query", {"operation": "query", "query": f"SELECT {', '.join(fields)} FROM {name}"})
    path = f"{DATA}/jobs/query/{job['id']}"
    while org.json("GET", path)["state"] != "JobComplete":
        time.sleep(0.01)
    rows, locator = [], None
    while locator != "null":
        more = f"?locator={locator}" if locator else ""
        text = org.call("GET", f"{path}/results{more}", headers={"Accept": "text/csv"}).decode()
        locator = org.local.headers["Sforce-Locator"]
        rows += csv.DictReader(io.StringIO(text, newline=""))
    return rows


def same(field, asked, got):
    if asked is None:
        return got == ""
    if isinstance(asked, bool):
        return got == cell(asked, "")
    if field in ("Count__c", "Amount__c", "Share__c"):
        return got != "" and int(round(float(got) * 100)) == int(round(float(asked) * 100)) if field != "Count__c" else int(got.split(".")[0].replace("+", "")) == asked if "E" not in got else float(got) == asked
    return got == asked


def compare(org, made, ids):
    """Values compared; the first difference ends it."""
    values = 0
    for name, rows in made.items():
        fields = [field for field in made_org.fields_of(int(name[6:8])) if name != "Task"] if name != "Task" else ["Subject", "WhatId", "Key__c"]
        found = read(org, name, ["Id", *(["Name"] if name != "Task" else []), *fields])
        by_key = {row["Key__c"]: row for row in found}
        assert len(found) == len(rows) == len(by_key), f"{name}: {len(found)} rows of {len(rows)}, {len(by_key)} keys"
        for row in rows:
            got = by_key[row["Key__c"]]
            assert got["Id"] == ids[row["Key__c"]], (name, row["Key__c"])
            for field, asked in row.items():
                if field in made_org.REFERENCES[name]:
                    asked = ids[asked] if asked else None
                assert same(field, asked, got[field]), f"{name} {row['Key__c']}.{field}: {got[field]!r}, not {asked!r}"
                values += 1
    return values


def main():
    binaries, *rest = sys.argv[1:]
    count = int(rest[0]) if rest else 10_000
    names = rest[1:] or list(APIS)
    made = made_org.rows(count)
    kinds = collections.Counter(kind for number in range(made_org.OBJECTS) for kind, _ in made_org.relations(number).values())
    print(f"{made_org.OBJECTS + 1} objects, {count} rows, {sum(map(len, made_org.REFERENCES.values()))} references: {dict(kinds)}, to itself, to one of ten")
    print(f"{'API':12} {'rows':>8} {'changed':>8} {'seconds':>8} {'rows/s':>8} {'compared':>10}")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        made_org.make(folder / "org")
        for name in names:
            with Simulator(binaries, [folder / "org"], "--bulk-job-ms", "5") as simulator:
                org = Org(simulator.address)
                api = APIS[name](org)
                try:
                    began = time.monotonic()
                    ids, written, changed = write(api, made)
                    seconds = time.monotonic() - began
                    values = compare(org, made, ids)
                    more = f"   ({api.locked} rows met a locked parent)" if getattr(api, "locked", 0) else ""
                    print(f"{name:12} {written:8} {changed:8} {seconds:8.1f} {(written + changed) / seconds:8.0f} {values:10}{more}", flush=True)
                except AssertionError as error:
                    failed += 1
                    print(f"{name:12} FAILED: {error}", flush=True)
    sys.exit(1 if failed else 0)


main()
