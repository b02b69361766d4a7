"""Recordings that write, followed step by step in an org of their own; ids that the simulator made stand for those that
Salesforce made."""

import csv
import io
import json
import re
import time

from shapes import Shape, differences, error_codes, from_xml, plain_values, value_differences

ID = r"\b[0-9A-Za-z]{18}\b"


def learn(recorded, ours, ids):
    """Notes which of our ids stands where a recorded one stood: for what is told of each row, in its order."""
    if isinstance(recorded, dict) and isinstance(ours, dict):
        for key in recorded.keys() & ours.keys():
            learn(recorded[key], ours[key], ids)
    elif isinstance(recorded, list) and isinstance(ours, list):
        for one, other in zip(recorded, ours):
            learn(one, other, ids)
    elif isinstance(recorded, str) and isinstance(ours, str) and re.fullmatch(ID, recorded) and re.fullmatch(ID, ours):
        ids.setdefault(recorded, ours)


def translated(text, ids):
    return re.sub(ID, lambda match: ids.get(match[0], match[0]), text) if text else text


def unordered(value):
    """Without ids, which are made up where they are not known, and addresses that end with one."""
    if isinstance(value, dict):
        return {key: unordered(inner) for key, inner in value.items() if key not in ("id", "Id", "url")}
    return [unordered(inner) for inner in value] if isinstance(value, list) else value


def follow(script, asker):
    """(id, step, what differs) of each step."""
    ids = {}
    for number, step in enumerate(script["steps"], 1):
        if step["path"].endswith("/result"):
            wait(asker, translated(step["path"], ids).removesuffix("/result"))
        headers = {"headers": {"Content-Type": "text/csv"}} if step["path"].endswith("/batch") else {}
        asked = {**step, **headers, "path": translated(step["path"], ids), "body": translated(step.get("body"), ids)}
        status, _, text = asker.send(asked)
        yield f"{script['name']} write#{number}", step, compare(step, status, text, ids)


def wait(asker, path):
    """Until a batch has ended."""
    for _ in range(100):
        if re.search("<state>(Completed|Failed)<", asker.send({"method": "GET", "path": path})[2]):
            return
        time.sleep(0.1)


def read(text):
    """JSON, XML, or the rows of a CSV."""
    if text[:1] in ("[", "{"):
        return json.loads(text)
    return from_xml(text) if text.startswith("<") else list(csv.DictReader(io.StringIO(text)))


def lasting(value):
    """What is told of jobs and batches without what is of its time."""
    if isinstance(value, dict):
        return {key: lasting(inner) for key, inner in value.items() if not re.search("(?i)(date|stamp|time|state|queued|progress|processed|total|completed|byid|^.*}id|jobid)$", key)}
    return [lasting(inner) for inner in value] if isinstance(value, list) else value


def compare(step, status, text, ids):
    if status != step["status"]:
        return {"status": [f"{status} for {step['status']}: {text[:160]}"]}
    ours, recorded = read(text), step["json"] if "json" in step else read(step["text"])
    if error_codes(recorded) != error_codes(ours):
        return {"error": [f"{error_codes(ours)} for {error_codes(recorded)}"]}
    found = {}
    shapes = list(differences(Shape().add(recorded), Shape().add(ours)))
    if shapes:
        found["shape"] = shapes
    if "text" in step:
        learn(recorded, ours, ids)
        values = list(value_differences(lasting(unordered(recorded)), lasting(unordered(ours))))
    elif step["method"] != "GET":
        learn(recorded, ours, ids)
        # in their order: answers of writes are joined to requests by it
        values = list(value_differences(unordered(recorded), unordered(ours)))
    else:
        values = list(value_differences(plain_values(unordered(recorded)), plain_values(unordered(ours))))
    if values:
        found["values"] = values
    return found
