#!/usr/bin/env python3
"""replay.py BINARIES [ID]...: sends every recorded request of the REST API to a simulator whose orgs hold the rows that the
recorded answers show, and compares status, shape, types, error codes and values. `known.json` tells of what differs, and
why; a difference that is not in it fails, and so does an entry that no longer differs."""

import datetime
import http.client
import json
import pathlib
import re
import sys
import tempfile
import urllib.parse

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from shapes import Shape, differences, error_codes, from_xml, plain_values, type_of, value_differences  # noqa: E402
import fixtures  # noqa: E402
import writing  # noqa: E402
from simulator import Simulator  # noqa: E402

USERS = [{"username": "first@world.example", "password": "secret", "id": "0057e00000RtpbzAAB", "firstName": "Automated", "lastName": "Process", "permissions": ["ApiEnabled", "ViewAllData", "ModifyAllData", "ViewSetup"]}]
APPS = [{"clientId": "app", "clientSecret": "app-secret", "flows": ["ClientCredentials", "Password", "RefreshToken", "WebServer"], "callbackUrls": ["https://app.example/done"], "runAs": "first@world.example"}]
EVENT = {
    "keyPrefix": "00U", "nameField": "None",
    "fields": {
        "Subject": {"type": "string"}, "DurationInMinutes": {"type": "int"}, "ActivityDateTime": {"type": "datetime"},
        "WhoId": {"type": "reference", "to": ["Contact", "Lead"], "relationship": "Who", "children": "Events", "delete": "Cascade"},
        "WhatId": {"type": "reference", "to": ["Account", "Opportunity"], "relationship": "What", "children": "Events", "delete": "Cascade"},
    },
}  # fmt: skip
RECORD_TYPE = {"Id": "012Da000003Vv95IAC", "Name": "Pytest", "DeveloperName": "PytestAccountRecordType", "SobjectType": "Account"}


# --- the orgs


def short_objects(described, sobjects):
    """What describeGlobal tells of objects that no describe was recorded of."""
    own = {"name", "label", "labelPlural", "keyPrefix"}
    found = {}
    for entry in sobjects:
        name = entry["name"]
        if name not in described and name != "Event":
            keys = {key: value for key, value in entry.items() if key not in own}
            short = {"label": entry["label"], "labelPlural": entry["labelPlural"], "describe": {**keys, "keyPrefix": entry["keyPrefix"]}, "fields": {}}
            found[name] = {**short, "keyPrefix": entry["keyPrefix"]} if entry["keyPrefix"] else short
    return found


def organization(record):
    """A short form of the fields that a recorded Organization shows."""
    kinds = {"integer": {"type": "int"}, "boolean": {"type": "boolean"}, "datetime": {"type": "datetime"}}
    known = ("Id", "attributes", "Address", "Latitude", "Longitude", "Street", "City", "State", "PostalCode", "Country", "GeocodeAccuracy", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp")
    return {"fields": {name: kinds.get(type_of(value), {"type": "string"}) for name, value in record.items() if name not in known}}


def with_id(describe, fields):
    """A describe that was cut down to a few fields, with the one that every object has."""
    describe = {"keyPrefix": "a0z", **describe}
    if any(field["name"] == "Id" for field in describe["fields"]):
        return describe
    return {**describe, "fields": [next(f for f in fields if f["name"] == "Id"), *describe["fields"]]}


def org_id(number):
    """Ids of orgs, of 15 characters."""
    return f"00D0x0000000{number:03}"


def write_org(folder, name, describes, schema, rows, id_=None):
    (folder / "describes").mkdir(parents=True)
    (folder / "data").mkdir()
    for describe in describes:
        (folder / "describes" / f"{describe['name']}.json").write_text(json.dumps(describe))
    (folder / "schema.yaml").write_text(json.dumps({"objects": schema}))
    (folder / "org.yaml").write_text(json.dumps({"name": name, "id": id_, "users": USERS, "connectedApps": APPS}))
    records = [{"attributes": {"type": kind}, **row} for kind, of_kind in rows.items() for row in of_kind]
    (folder / "data/rows.json").write_text(json.dumps({"records": records}))
    return folder


def world_rows(world, org):
    """Rows of a world, made up to the count that an answer told."""
    rows = {name: [{"Id": id_, **fields} for id_, fields in of.items()] for name, of in world["rows"].items()}
    for name, count in world["exact"].items():
        given = rows.setdefault(name, [])
        given.extend({"Name": f"{name} {n}", **REQUIRED.get(name, {})} for n in range(len(given), count))
    for name, of in rows.items():
        for row in of:
            row.update({field: value for field, value in REQUIRED.get(name, {"Name": "One"}).items() if field not in row})
    rows["RecordType"] = [RECORD_TYPE]
    for row in rows.get("Organization", []):
        row["Id"] = org
    return rows


# What a row needs beyond what an answer shows.
REQUIRED = {
    "Account": {"Name": "One"}, "Contact": {"LastName": "One"}, "Event": {},
    "Opportunity": {"Name": "One", "StageName": "Prospecting", "CloseDate": "2022-01-01"},
}  # fmt: skip


# What is told of a job that loads is held against a job that queries.
QUERY_JOB = (
    {
        "method": "POST", "path": "/services/async/59.0/job", "save": {"JOB": ["{http://www.force.com/2009/06/asyncapi/dataload}jobInfo", "{http://www.force.com/2009/06/asyncapi/dataload}id"]},
        "body": '<jobInfo xmlns="http://www.force.com/2009/06/asyncapi/dataload"><operation>query</operation><object>Account</object><contentType>CSV</contentType></jobInfo>',
    },
    {"method": "POST", "path": "/services/async/59.0/job/{JOB}/batch", "body": "SELECT Id FROM Account", "headers": {"Content-Type": "text/csv"}},
)  # fmt: skip


# --- asking


class Asker:
    """Sends requests to one org of the simulator, signed in."""

    def __init__(self, address, org):
        self.address, self.org = urllib.parse.urlsplit(address), org
        self.prefix = urllib.parse.urlsplit(org["loginUrl"]).path
        form = "grant_type=client_credentials&client_id=app&client_secret=app-secret"
        _, _, body = self.send({"method": "POST", "path": fixtures.TOKEN, "body": form, "headers": fixtures.FORM}, signed=False)
        self.token = json.loads(body)["access_token"]

    def send(self, step, signed=True):
        """(status, headers, text) of the answer."""
        connection = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=30)
        path = step["path"]
        if path.startswith("/services/oauth2"):
            path, signed = self.prefix + path, False
        # what was recorded of a request's headers tells nothing
        headers = dict(step.get("headers", {}))
        if signed and "/services/async/" in path:
            headers = {"X-SFDC-Session": self.token, "Content-Type": "application/xml; charset=UTF-8", **headers}
        elif signed:
            headers = {"Authorization": f"Bearer {self.token}", **headers}
            if step.get("body"):
                headers.setdefault("Content-Type", "application/json")
        body = step.get("body")
        # the recordings hold spaces that a client would not send
        path = path.replace(" ", "%20").replace("\n", "%0A")
        connection.request(step["method"], path, body=body.encode() if body else None, headers=headers)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, response.headers, text


def follow(asker, steps):
    """The answer to the last of several requests, what earlier ones save put into later ones."""
    now = datetime.datetime.now(datetime.timezone.utc)
    moment = lambda at: urllib.parse.quote(at.strftime("%Y-%m-%dT%H:%M:%S+00:00"))  # noqa: E731
    saved = {"NOW": moment(now), "DAY_AGO": moment(now - datetime.timedelta(days=1)), "ORG": asker.org["id"]}

    def filled(text):
        return re.sub(r"\{(\w+)\}", lambda match: saved.get(match[1], match[0]), text)

    for step in steps[:-1]:
        filled_in = {**step, "path": filled(step["path"])}
        if "body" in step:
            filled_in["body"] = filled(step["body"])
        _, headers, text = asker.send(filled_in)
        for name, path in step.get("save", {}).items():
            if path[0] == "(location)":  # a value that a redirect leads away with
                query = urllib.parse.urlsplit(headers["Location"]).query
                saved[name] = urllib.parse.quote(urllib.parse.parse_qs(query)[path[1]][0])
                continue
            value = from_xml(text) if text.startswith("<?xml") else json.loads(text)
            for key in path:
                value = value[int(key)] if isinstance(value, list) else value[key]
            saved[name] = value
    last = dict(steps[-1], path=filled(steps[-1]["path"]))
    if "body" in last and steps[:-1]:
        last["body"] = filled(last["body"])
    return asker.send(last)


def compare(entry, recorded, steps, asker):
    """What differs between a recorded answer and the simulator's: by aspect, in words."""
    try:
        status, headers, text = follow(asker, steps)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        return {"status": [f"an earlier step failed: {error!r}"]}
    found = {}
    if "status" in entry and status != entry["status"]:
        return {"status": [f"{status} for {entry['status']}: {text[:100]}"]}
    try:
        ours = from_xml(text) if text.startswith("<?xml") else json.loads(text)
    except ValueError:
        return {"shape": [f"{headers['Content-Type']} for JSON: {text[:60]}"]}
    codes = error_codes(recorded), error_codes(ours)
    if codes[0] != codes[1]:
        return {"error": [f"{codes[1]} for {codes[0]}"]}
    cut = entry.get("cut", False)
    shapes = list(differences(Shape().add(recorded), Shape().add(ours), cut))
    if shapes:
        found["shape"] = shapes
    if entry.get("values"):
        values = list(value_differences(plain_values(recorded), plain_values(ours)))
        if values:
            found["values"] = values
    return found


# --- all


def main():
    recorded = json.loads((HERE / "recorded.json").read_text())
    bodies = json.loads((HERE / "fixtures.json").read_text())
    known = {name: reason for reason in json.loads((HERE / "known.json").read_text()) for name in reason["of"]}
    only = set(sys.argv[2:])
    describes = [json.loads(path.read_text()) for path in sorted((HERE / "describes").glob("*.json"))]
    recordings = {describe["name"]: describe for describe in describes}
    # where rows were recorded there were other record types
    plain = [{**describe, "recordTypeInfos": [info for info in describe["recordTypeInfos"] if info["master"]]} for describe in describes]
    exchanges = recorded["exchanges"]
    sobjects = next(e["json"]["sobjects"] for e in exchanges if e["path"].endswith("/sobjects"))
    record = next(e["json"] for e in exchanges if "/sobjects/Organization/" in e["path"])
    schema = {**short_objects({d["name"] for d in describes}, sobjects), "Event": EVENT, "Organization": organization(record)}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        worlds = json.loads((HERE / "worlds.json").read_text())
        orgs = [write_org(folder / f"{n}", f"World {n}", plain, schema, world_rows(world, org_id(n)), org_id(n)) for n, world in enumerate(worlds)]
        orgs.append(write_org(folder / "described", "Described", describes, schema, {}))
        own = [with_id(bodies[name], describes[0]["fields"]) for name in fixtures.OBJECTS]
        found = fixtures.rows(bodies["restforce/sobject_find_success_response"])
        orgs.append(write_org(folder / "fixtures", "Fixtures", own, fixtures.SCHEMA, found))
        scripts = json.loads((HERE / "writes.json").read_text())
        base = len(orgs)
        for n, script in enumerate(scripts, base):
            world = {"rows": script["rows"], "exact": {}}
            orgs.append(write_org(folder / f"{n}", script["name"], plain, schema, world_rows(world, org_id(n)), org_id(n)))
        with Simulator(sys.argv[1], orgs) as simulator:
            askers = [Asker(simulator.address, org) for org in simulator.orgs]
            results = {}
            for entry in exchanges:
                if only and entry["id"] not in only:
                    continue
                answer = from_xml(entry["xml"]) if "xml" in entry else entry["json"]
                at = askers[entry.get("world") or 0]
                if isinstance(answer, dict) and "$describe" in answer:
                    answer, at = recordings[answer["$describe"]], askers[base - 2]
                steps = [{**entry, "path": entry["path"].replace("00D0xORGID00000000", "{ORG}")}]
                if entry["kind"] == "load job":
                    steps = [*QUERY_JOB[: 1 if "<batchInfo>" not in entry["xml"] and "/batch" in entry["path"] else 2], *steps]
                results[entry["id"]] = compare({**entry, "values": not ("xml" in entry or "cut" in entry or "recordCount" in entry["path"])}, answer, steps, at), entry
            for name, (kind, steps) in fixtures.STEPS.items():
                if not only or name in only:
                    entry = {"id": name, "kind": "fixture", "cut": name not in fixtures.WHOLE, "times": 1}
                    results[name] = compare(entry, bodies[name], steps, askers[base - 1]), entry
            for script, asker in zip(scripts, askers[base:]):
                for name, step, differ in writing.follow(script, asker):
                    if not only or name in only or script["name"] in only:
                        results[name] = differ, {"kind": "after" if "/query/" in step["path"] else "load" if "text" in step else "write", "times": 1}
    return report(recorded["counts"], results, known if not only else {}, only)


def report(counts, results, known, only):
    print(f"recorded exchanges: {sum(counts.values())}; " + ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))
    writes = sum(1 for kind, _ in fixtures.STEPS.values() if kind == fixtures.WRITE)
    print(f"bodies recorded without a request: {len(fixtures.STEPS)}; {len(fixtures.STEPS) - writes} of them read, {writes} write")
    aspects = ("status", "error", "shape", "values")
    failed = 0
    for kind, title in (("read", "different requests that read"), ("load job", "different answers that tell of a job or its batches"), ("metadata", "different requests of the Tooling API"), ("write", "requests by REST that write, in their order"), ("load", "requests that load by Bulk 1.0, in their order"), ("after", "queries of what was written"), ("fixture", "bodies without request")):
        of_kind = {name: differ for name, (differ, entry) in results.items() if entry["kind"] == kind}
        line = {aspect: len(of_kind) - sum(1 for differ in of_kind.values() if aspect in differ) for aspect in aspects}
        whole = [name for name, differ in of_kind.items() if not (differ.keys() - {"values"})]
        times = {name: results[name][1]["times"] for name in of_kind}
        print(f"\n{len(of_kind):3} {title}: {len(whole)} match in status, error code, shape and types" + ("" if kind == "fixture" else f" ({sum(times[name] for name in whole)} of {sum(times.values())} recorded); {sum(1 for d in of_kind.values() if not d)} in values, too"))
        print("    " + "  ".join(f"{aspect}: {line[aspect]}/{len(of_kind)}" for aspect in aspects if kind != "fixture" or aspect != "values"))
        reasons = {}
        for name, differ in of_kind.items():
            reason = known.get(name, {})
            if differ and set(reason.get("differs", [])) == differ.keys():
                reasons.setdefault((", ".join(differ), reason["why"]), []).append(name)
            elif differ:
                failed += 1
                print(f"    NEW {name}: {', '.join(differ)}" + (f" (known: {', '.join(reason['differs'])})" if reason else ""))
                for aspect, words in differ.items():
                    print(*(f"        {aspect}: {text}" for text in words[:6]), sep="\n")
        for (aspects_of, why), names in reasons.items():
            print(f"    known: {len(names)} in {aspects_of}: {why}: {', '.join(names[:2])}{', …' if names[2:] else ''}")
    stale = [name for name in known if name not in results or not results[name][0]]
    for name in stale:
        print(f"    STALE {name}: it no longer differs; take it out of known.json")
    failed += len(stale)
    print(f"\nreplay: {len(results)} compared, {failed} unexpected")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
