"""An org of 100 custom objects with every kind of relationship, and rows for them: the same each time for a seed."""

import datetime
import json
import random

OBJECTS = 100
SEED = 20261125
PICKS = ["Draft", "Sent", "Paid", "Überfällig"]
CHOICES = ["a", "b", "c", "d"]
WORDS = ["Größe", "plain", 'quo"te', "comma, here", "tab\there", "日本語", "emoji 🦀", "a'b", "<tag>&amp;", "#N/A is text", "line\nbreak"]


def name_of(number):
    return f"Object{number:02d}__c"


def relations(number):
    """Reference fields of an object: name -> (kind, numbers of the objects that it may point to)."""
    if number < 10:
        return {}
    found = {}
    match number % 5:
        case 0:
            found["Lookup__c"] = ("SetNull", [number - 10])
        case 1:
            found["Strict__c"] = ("Restrict", [number - 7])
        case 2:
            found["Along__c"] = ("Cascade", [number - 3])
        case 3:
            found["Master__c"] = ("masterdetail", [number - 9])
        case 4:
            # a junction
            found["First__c"] = ("masterdetail", [number - 4])
            found["Second__c"] = ("masterdetail", [number - 8])
    if number % 3 == 0:
        found["Also__c"] = ("SetNull", [number - 4])
    return found


def masters_above(number):
    """How many masters an object has above it; Salesforce allows three levels of detail."""
    above = [relation[1][0] for relation in relations(number).values() if relation[0] == "masterdetail"]
    return 1 + max(map(masters_above, above)) if above else 0


def fields_of(number):
    """Fields of an object in the short form of `schema.yaml`."""
    fields = {
        "Key__c": {"type": "string", "length": 40, "externalId": True, "unique": True},
        "Count__c": {"type": "double", "precision": 18, "scale": 0},
        "Amount__c": {"type": "currency", "precision": 18, "scale": 2},
        "Share__c": {"type": "percent", "precision": 5, "scale": 2},
        "Day__c": {"type": "date"},
        "Moment__c": {"type": "datetime"},
        "Done__c": {"type": "boolean"},
        "Status__c": {"type": "picklist", "values": PICKS, "restricted": True},
        "Choices__c": {"type": "multipicklist", "values": CHOICES, "restricted": True},
        "Text__c": {"type": "string", "length": 255},
        "Long__c": {"type": "textarea", "length": 32000},
        "Mail__c": {"type": "email"},
    }
    for field, (kind, targets) in relations(number).items():
        to = [name_of(target) for target in targets]
        shape = {"to": to, "relationship": field.replace("__c", "__r")}
        if kind == "masterdetail":
            fields[field] = {"type": "masterdetail", **shape, "order": 1 if field == "Second__c" else 0}
        else:
            fields[field] = {"type": "reference", **shape, "delete": kind}
    if number % 4 == 0:
        fields["Parent__c"] = {"type": "reference", "to": [name_of(number)], "relationship": "Parent__r", "delete": "SetNull"}
    return fields


def make(folder):
    """Writes the org directory. YAML is a superset of JSON."""
    folder.mkdir()
    permissions = ["ApiEnabled", "ViewAllData", "ModifyAllData"]
    org = {
        "name": "Written",
        "users": [{"username": "writer@written.example", "permissions": permissions}],
        "connectedApps": [{"clientId": "writes", "clientSecret": "writes-secret", "flows": ["ClientCredentials"], "runAs": "writer@written.example"}],
        "limits": {"dailyApiRequests": 10_000_000, "dataStorageMB": 100_000},
    }
    (folder / "org.yaml").write_text(json.dumps(org))
    objects = {name_of(number): {"fields": fields_of(number)} for number in range(OBJECTS)}
    # references that may point to any of ten objects, as WhatId does
    poly = {"type": "reference", "to": [name_of(number) for number in range(10)], "relationship": "What", "delete": "SetNull"}
    objects["Task"] = {"nameField": "None", "fields": {"Subject": {"type": "string", "length": 255}, "WhatId": poly, "Key__c": fields_of(0)["Key__c"]}}
    (folder / "schema.yaml").write_text(json.dumps({"objects": objects}))


def cells(random, key):
    """Values of a row that are not references."""
    moment = datetime.datetime(2020, 1, 1) + datetime.timedelta(seconds=random.randrange(200_000_000))
    return {
        "Name": f"Row {key}",
        "Key__c": key,
        "Count__c": random.randrange(-(10**15), 10**15),
        "Amount__c": f"{random.randrange(-(10**9), 10**9) / 100:.2f}",
        "Share__c": f"{random.randrange(10000) / 100:.2f}",
        "Day__c": (datetime.date(1950, 1, 1) + datetime.timedelta(days=random.randrange(40000))).isoformat(),
        "Moment__c": moment.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "Done__c": random.random() < 0.5,
        "Status__c": random.choice(PICKS),
        "Choices__c": ";".join(sorted(random.sample(CHOICES, random.randrange(1, 4)))),
        "Text__c": random.choice(WORDS) if random.random() < 0.8 else None,
        "Long__c": " ".join(random.choice(WORDS) for _ in range(random.randrange(30))).strip() or None,
        "Mail__c": f"{key.lower()}@rows.example" if random.random() < 0.5 else None,
    }


def rows(count):
    """Rows by object, parents' objects first. A reference is the key of the record that it points to."""
    chance = random.Random(SEED)
    made, keys = {}, {}
    per_object = count // (OBJECTS + 1)
    for number in range(OBJECTS):
        name = name_of(number)
        keys[name] = [f"K{number:02d}-{row}" for row in range(per_object)]
        made[name] = []
        for row, key in enumerate(keys[name]):
            record = cells(chance, key)
            for field, (kind, targets) in relations(number).items():
                given = kind == "masterdetail" or chance.random() < 0.7
                record[field] = chance.choice(keys[name_of(targets[0])]) if given else None
            if number % 4 == 0:
                record["Parent__c"] = keys[name][chance.randrange(row)] if row and chance.random() < 0.6 else None
            made[name].append(record)
    rest = count - per_object * OBJECTS
    any_of_ten = [keys[name_of(number)] for number in range(10)]
    made["Task"] = [{"Subject": f"Task {row}", "Key__c": f"T-{row}", "WhatId": chance.choice(chance.choice(any_of_ten))} for row in range(rest)]
    return made


REFERENCES = {name_of(number): [*relations(number), *(["Parent__c"] if number % 4 == 0 else [])] for number in range(OBJECTS)}
REFERENCES["Task"] = ["WhatId"]
SELF = "Parent__c"


for _number in range(OBJECTS):
    assert masters_above(_number) <= 3, f"{name_of(_number)} would be a detail of the fourth level"
