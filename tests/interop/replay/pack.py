"""pack.py CORPUS: makes `recorded.json`, `worlds.json` and `describes/` out of a corpus of recorded exchanges (see
SOURCES.md for where each comes from). Run by hand when the corpus grows; tests read only what it wrote.

Recorded requests are sorted into kinds; those that read become exchanges, the rows in their answers become worlds: small
orgs in which the request makes sense. Two exchanges share a world if neither's rows contradict the other's."""

import json
import pathlib
import re
import sys
import urllib.parse

import yaml

CORPUS = pathlib.Path(sys.argv[1]) / "recorded"
HERE = pathlib.Path(__file__).parent
ORG = "https://orgname.my.salesforce.com"
# What `vxx.0` in the recordings is replaced by.
VERSION = "59.0"
# Values of a picklist, and child relationships of an object, that are kept of a describe.
KEPT = 3
# Values that recorded writes give.
WRITTEN = ("Pending",)
# Child relationships that are kept in any case: what is queried, and what `replay.py` describes anew.
CHILDREN = ("Contacts", "Opportunities", "ChildAccounts", "Attachments", "Events")


# --- reading the cassettes


def cassettes():
    """(file, request, response) of every recorded exchange, files that others include put in their place."""
    shared = CORPUS / "cumulusci/cumulusci/tests/shared_cassettes"
    for path in sorted((CORPUS / "cumulusci").rglob("*.yaml")):
        if path.parent == shared:
            continue
        for entry in yaml.safe_load(path.read_text())["interactions"] or []:
            if "include_file" in entry:
                path_of_it = shared / entry["include_file"]
                entry = yaml.safe_load(path_of_it.read_text()) if path_of_it.exists() else None
            yield path, entry["request"] if entry else None, entry["response"] if entry else None
    used = {"GET_sobjects_Custom__c_describe.yaml", "GET_sobjects_OpportunityContactRole_describe.yaml"}
    for name in sorted(used):  # in no cassette
        entry = yaml.safe_load((shared / name).read_text())
        yield shared / name, entry["request"], entry["response"]


def body_of(response):
    body = response["body"]["string"]
    if isinstance(body, dict):
        template = (CORPUS / "cumulusci/cumulusci/tests/shared_cassettes/vcr_string_templates" / body["include_template"]).read_text()
        given = body["vars"]
        body = re.sub(r"\{(\w+)(?::([^}]*))?\}", lambda m: str(given.get(m[1], m[2])), template)
    return body.decode() if isinstance(body, bytes) else body


def with_version(text, version=VERSION):
    return text.replace("vxx.0", f"v{version}").replace(f">v{version}<", f">{version}<") if text else text


def version_of(request, text):
    """The version that an answer's own paths tell, since requests have it only as `vxx.0`."""
    own = re.search(r"/services/data/v(\d+\.0)/sobjects/", text)
    return own[1] if own and re.search(r"/sobjects(/\w+/describe)?$", request["uri"]) else VERSION


def kind_of(path, request):
    """read, write, metadata (Apex tests), load job (what is told of one), another service, or made up by its authors."""
    method, url, body = request["method"], request["uri"], str(request.get("body") or "")
    if not url.startswith(ORG):
        return "other service"
    if path.name == "uncompressed_cassette.yaml" or "network_errors" in path.name:
        return "made up"
    if "/tooling/" in url:
        return "metadata"
    if "/async/" in url:
        looks = re.search(r"/job/\w+(/batch)?$", url) and (method == "GET" or ">Closed<" in body)
        return "read" if "<operation>query" in body else "load job" if looks else "write"
    if method == "GET":
        return "read"
    if url.endswith("/composite") and not re.search(r'"method": "(POST|PATCH|PUT|DELETE)"', body):
        return "read"
    return "write"


# --- worlds


class Clash(Exception):
    pass


class World:
    """Rows by object and id; an object that an answer shows whole (`exact`) takes no others."""

    def __init__(self):
        self.rows, self.exact, self.schema = {}, {}, set()

    def merged(self, other):
        new = World()
        new.rows = {name: dict(rows) for name, rows in self.rows.items()}
        new.exact = dict(self.exact)
        for name, rows in other.rows.items():
            mine = new.rows.setdefault(name, {})
            for id_, fields in rows.items():
                known = mine.get(id_, {})
                if any(known.get(field, value) != value for field, value in fields.items()):
                    raise Clash
                mine[id_] = {**known, **fields}
        new.exact.update({name: count for name, count in other.exact.items()})
        for name, count in [*self.exact.items(), *other.exact.items()]:
            if new.exact[name] != count or len(new.rows.get(name, {})) > count:
                raise Clash
            if name in self.rows and name in other.rows and name in self.exact and name in other.exact:
                if self.rows[name].keys() != other.rows[name].keys():
                    raise Clash
        return new


def add_record(world, record, described):
    """The record of an answer with its parents and children as rows; gives its id."""
    kind, url = record["attributes"]["type"], record["attributes"].get("url")
    if url is None:
        return None
    id_ = url.rsplit("/", 1)[1]
    fields = world.rows.setdefault(kind, {}).setdefault(id_, {})
    for name, value in record.items():
        if name == "attributes" or name == "Id" or value is None:
            continue
        if isinstance(value, dict) and "records" in value:
            field = next(c["field"] for c in described[kind]["childRelationships"] if c["relationshipName"] == name)
            for child in value["records"]:
                child_id = add_record(world, child, described)
                world.rows[child["attributes"]["type"]][child_id][field] = id_
        elif isinstance(value, dict) and "attributes" in value:
            field = next((f["name"] for f in described.get(kind, {}).get("fields", []) if f["relationshipName"] == name), f"{name}Id")
            parent = add_record(world, value, described)
            if parent:
                fields[field] = parent
        elif not isinstance(value, dict):
            fields[name] = value
    return id_


def world_of(soql, answer, described):
    world = World()
    records = answer.get("records", [])
    name = re.search(r"\bfrom\s+(\w+)\s*(?:where|limit|$)", soql, re.I)[1]
    if name in ("User", "RecordType", "Organization"):
        return world
    counted = re.search(r"select\s+count\((\w*)\)", soql, re.I)
    if counted:
        world.exact[name] = records[0]["expr0"] if counted[1] else answer["totalSize"]
        return world
    for record in records:
        add_record(world, record, described)
    if not re.search(r"\blimit\b", soql, re.I) or answer["totalSize"] == 0:
        world.exact[name] = answer["totalSize"]
    return world


def needed(request, answer, described):
    """The world that the answer of one exchange shows."""
    world = World()
    url = urllib.parse.urlsplit(request["uri"])
    if url.path.rstrip("/").endswith("/query"):
        return world_of(urllib.parse.parse_qs(url.query)["q"][0], answer, described)
    if "/sobjects/Organization/" in url.path:
        add_record(world, answer, described)
    if url.path.endswith("/composite"):
        asked = re.findall(r'"url": "([^"]*)"', request["body"])
        for part, sub in zip(asked, answer["compositeResponse"]):
            if "query" in part:
                world = world.merged(world_of(part.split("q=")[1], sub["body"], described))
    return world


# --- scripts: recordings that write, in their order


def ids_in(value):
    """The ids in a value."""
    if isinstance(value, dict):
        return {id_ for inner in value.values() for id_ in ids_in(inner)}
    if isinstance(value, list):
        return {id_ for inner in value for id_ in ids_in(inner)}
    return set(re.findall(r"\b(?:001|003|006|00Q|00U)[0-9A-Za-z]{15}\b", value)) if isinstance(value, str) else set()


def unchunked(body):
    """A body that was recorded in the chunks in which it was sent."""
    whole, rest = "", body
    while match := re.match(r"([0-9a-f]+)\r\n", rest):
        length = int(match[1], 16)
        # counted in bytes, kept as text
        data = rest[match.end() :].encode()
        whole, rest = whole + data[:length].decode(), data[length:].decode().removeprefix("\r\n")
    return whole or body


def scripts(every, described):
    """Per cassette: the rows that were there before, and its writes and queries, from its first write on. Of what is told
    of jobs that load only their ends are in it."""
    found = {}
    for path, request, response in every:
        kind = kind_of(path, request) if request else None
        query = kind == "read" and "/query/?q=" in request["uri"]
        if not query and kind != "write" and not (kind == "load job" and request["method"] == "POST"):
            continue
        body = request["body"].decode() if isinstance(request["body"], bytes) else request["body"]
        text = with_version(body_of(response), version_of(request, body_of(response)))
        step = {"method": request["method"], "path": with_version(request["uri"]).removeprefix(ORG).replace("/async/v", "/async/"), "status": response["status"]["code"]}
        step["json" if text[0] in "[{" else "text"] = json.loads(text) if text[0] in "[{" else text
        found.setdefault(path.stem, []).append({**step, "body": unchunked(with_version(body))} if body else step)
    made = []
    for name, steps in found.items():
        first = next((n for n, step in enumerate(steps) if step["method"] != "GET"), None)
        if first is None:
            continue
        world, created = World(), set()
        for step in steps:
            told = step.get("json", step.get("text"))
            if step["method"] != "GET" or "text" in step:
                created |= ids_in(told) - ids_in(step.get("body", ""))
                continue
            for record in told.get("records", []):
                if record["attributes"].get("url") and not ids_in(record["attributes"]["url"]) & created:
                    add_record(world, record, described)
        for step in steps[first:]:
            for id_ in ids_in(step.get("body", "")) - created:
                kind = {"001": "Account", "003": "Contact"}[id_[:3]]
                world.rows.setdefault(kind, {}).setdefault(id_, {})
        made.append({"name": name, "rows": world.rows, "steps": steps[first:]})
    return made


# --- describes, cut


def cut(describe):
    for field in describe.get("fields", []):
        if "picklistValues" in field:
            field["picklistValues"] = [value for n, value in enumerate(field["picklistValues"]) if n < KEPT or value["value"] in WRITTEN]
    kept = [c for n, c in enumerate(describe.get("childRelationships", [])) if n < KEPT or c["relationshipName"] in CHILDREN]
    if "childRelationships" in describe:
        describe["childRelationships"] = kept
    return describe


def shorten(answer):
    """A describe is kept once, as the file that the org gets, too."""
    if isinstance(answer, dict) and "fields" in answer and "name" in answer and len(answer["fields"]) > 1:
        cut(answer)
        return {"$describe": answer["name"]}
    return answer


def main():
    counts, exchanges, worlds, described = {}, {}, [], {}
    every = [(path, request, response) for path, request, response in cassettes()]
    for _, request, response in every:
        if request and request["uri"].endswith("/describe") and response["body"]["string"].startswith("{"):
            answer = json.loads(with_version(body_of(response), version_of(request, body_of(response))))
            described[answer["name"]] = cut(answer)
    for path, request, response in every:
        kind = kind_of(path, request) if request else "not in the corpus"
        if kind == "read" and isinstance(response["body"]["string"], str) and not response["body"]["string"]:
            kind = "made up"
        counts[kind] = counts.get(kind, 0) + 1
        if kind not in ("read", "metadata", "load job") or request["method"] != "GET" and kind == "metadata":
            continue
        body = request["body"].decode() if isinstance(request["body"], bytes) else request["body"]
        text = body_of(response)
        version = version_of(request, text)
        text = with_version(text, version)
        if kind == "load job":
            # other jobs, but the same resources: told apart by what they show
            of = "batches" if request["uri"].endswith("/batch") else "job"
            request = {**request, "uri": f"{ORG}/services/async/{VERSION}/job/{{JOB}}" + ("/batch" if of == "batches" else "")}
            text = re.sub(r"\s*<externalIdFieldName>.*?</externalIdFieldName>", "", text)
            text = re.sub(r">\d+<", ">0<", text)
            text = re.sub(r"<(id|jobId)>\w+<", r"<\1>750P0000006HoSBIA0<", text)
            text = re.sub(r"<(createdDate|systemModstamp)>[^<]*<", r"<\1>2022-10-20T16:45:52.000Z<", text)
            text = re.sub(r"<state>\w+<", "<state>Closed<", re.sub(r"<(object|operation)>\w+<", r"<\1>Account<", text))
        request = {"method": request["method"], "uri": with_version(request["uri"], version), "body": with_version(body)}
        key = json.dumps([request, response["status"]["code"], text])
        if key in exchanges:
            exchanges[key]["times"] += 1
            continue
        stem = path.stem + (" load job" if kind == "load job" else "")
        number = sum(1 for e in exchanges.values() if e["id"].startswith(f"{stem}#")) + 1
        entry = {"id": f"{stem}#{number}", "times": 1, "kind": kind, "method": request["method"], "path": request["uri"].removeprefix(ORG)}
        if request["body"]:
            entry["body"] = request["body"]
        if path.stem.startswith("ManualEdit"):
            entry["cut"] = True  # its authors left things out by hand
        is_xml = text.startswith("<")
        answer = text if is_xml else json.loads(text)
        if not is_xml and kind == "read":
            need = needed(request, answer, described)
            for number, world in enumerate(worlds):
                try:
                    worlds[number], entry["world"] = world.merged(need), number
                    break
                except Clash:
                    pass
            else:
                entry["world"] = len(worlds)
                worlds.append(need)
        entry["status"] = response["status"]["code"]
        entry["xml" if is_xml else "json"] = shorten(answer)
        exchanges[key] = entry
    folder = HERE / "describes"
    folder.mkdir(exist_ok=True)
    for name, describe in described.items():
        write(folder / f"{name}.json", describe)
    listed = [{"exact": w.exact, "rows": w.rows} for w in worlds]
    write(HERE / "worlds.json", listed)
    write(HERE / "recorded.json", {"counts": counts, "exchanges": list(exchanges.values())})
    write(HERE / "writes.json", scripts(every, described))
    fixtures = {}
    for path in sorted([*(CORPUS / "restforce/spec/fixtures").rglob("*.json"), *(CORPUS / "camel").glob("*.json")]):
        if path.name.startswith("composite_request") or not path.read_text().strip():
            continue
        fixtures[f"{'camel' if 'camel' in path.parts else 'restforce'}/{path.stem}"] = cut_fixture(json.loads(path.read_text()))
    write(HERE / "fixtures.json", fixtures)
    print(counts, len(exchanges), "different", len(worlds), "worlds")


def cut_fixture(answer):
    return cut(answer) if isinstance(answer, dict) else answer


def write(path, content):
    """One line per entry, so that a change can be read."""
    if isinstance(content, list):
        lines = [json.dumps(entry, ensure_ascii=False) for entry in content]
        path.write_text("[\n" + ",\n".join(lines) + "\n]\n")
        return
    lines = []
    for key, value in content.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            inner = ",\n".join("  " + json.dumps(entry, ensure_ascii=False) for entry in value)
            lines.append(f"{json.dumps(key)}: [\n{inner}\n]")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


main()
