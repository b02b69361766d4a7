#!/usr/bin/env python3
"""compare.py BINARIES QUICKSTART ACCOUNTS: the vault that `orgkeep run` left in QUICKSTART/vault, read by pyarrow and by
DuckDB, field by field against what simple-salesforce reads from a simulator of the same org."""

import base64
import csv
import datetime
import decimal
import io
import json
import pathlib
import subprocess
import sys
import tempfile

import duckdb
import requests
import yaml_lite
from reader import Vault, plain
from simple_salesforce import Salesforce

BINARIES, FOLDER, ACCOUNTS = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
# What a backup keeps no column for: the parts of compounds are fields of their own, content is not a value.
NO_COLUMN = ("address", "location", "complexvalue", "base64")
NUMBERS = ("double", "currency", "percent", "int", "long")
BULK_FROM = 2000


# --- the org, by simple-salesforce


class Plain(requests.adapters.HTTPAdapter):
    """simple-salesforce insists on https; the simulator is asked by http. Nothing else of it is changed."""

    def send(self, request, **kwargs):
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, **kwargs)


def sign_in(address):
    form = {"grant_type": "client_credentials", "client_id": "orgkeep", "client_secret": yaml_lite.value(FOLDER / "secrets.yaml", "clientSecret")}
    token = requests.post(f"{address}/services/oauth2/token", data=form, timeout=30).json()
    session = requests.Session()
    session.mount("https://", Plain())
    return Salesforce(
        instance=address.removeprefix("http://"), session_id=token["access_token"], session=session, version="60.0",
        parse_float=decimal.Decimal,
    )  # fmt: skip


def fetch(org, name, fields, rows):
    """All rows by Id, typed: by REST as JSON, large ones by Bulk 2.0 as CSV."""
    soql = f"SELECT {', '.join(fields)} FROM {name}"
    if rows < BULK_FROM:
        found = org.query_all_iter(soql)
        return {row["Id"]: {field: typed(kind, row[field]) for field, kind in fields.items()} for row in found}
    merged = {}
    for page in getattr(org.bulk2, name).query(soql, max_records=20000):
        for row in csv.DictReader(io.StringIO(page)):
            merged[row["Id"]] = {field: typed(kind, row[field]) for field, kind in fields.items()}
    return merged


def typed(kind, value):
    """A value of REST or Bulk as the type that describe gives it; empty text is null, as in Salesforce."""
    if value is None or value == "":
        return None
    if kind in NUMBERS:
        return decimal.Decimal(str(value))
    if kind == "boolean":
        return value in (True, "true")
    if kind == "date":
        return datetime.date.fromisoformat(value)
    if kind == "datetime":
        return datetime.datetime.fromisoformat(value.replace("+0000", "+00:00").replace("Z", "+00:00"))
    return str(value)


# --- the vault


def comparable(value):
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return decimal.Decimal(str(value))
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc)
    return value


def by_duckdb(name):
    """The same by SQL over the files and keys that `orgkeep vault show --files` prints."""
    key = tempfile.NamedTemporaryFile("w", suffix=".key")
    key.write(yaml_lite.value(FOLDER / "secrets.yaml", "key"))
    key.flush()
    vault = FOLDER / "vault"
    shown = subprocess.check_output(
        [BINARIES / "orgkeep", "vault", "show", "--vault", f"file://{vault}", "--key-file", key.name, "--object", name,
         "--files", "--output", "json"],
    )  # fmt: skip
    files = files_of(json.loads(shown), name)
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    rows = {}
    for number, data_key in enumerate(sorted({key for _, key in files})):
        database.execute(f"PRAGMA add_parquet_key('k{number}', '{data_key}')")
        paths = [str(vault / path) for path, its in files if its == data_key]
        table = database.execute(
            f"SELECT * FROM read_parquet(?, union_by_name = true, encryption_config = {{footer_key: 'k{number}'}})", [paths]
        ).to_arrow_table()
        rows.update({row["Id"]: plain(row) for row in table.to_pylist() if row["_op"] != "delete"})
    return rows


def files_of(shown, name):
    """Paths and data keys (base64) of an object's files."""
    entry = next(entry for entry in shown["objects"] if entry["name"] == name)
    return [(file["path"], file["dataKey"]) for file in entry["files"] if file["path"].endswith(".parquet")]


# --- both


def differences(name, kinds, ours, theirs):
    """What is not equal, in words; nothing if all is."""
    if ours.keys() != theirs.keys():
        yield f"{name}: {len(ours)} rows beside {len(theirs)}; {sorted(ours.keys() ^ theirs.keys())[:3]} only on one side"
        return
    for id_, row in theirs.items():
        mine = ours[id_]
        if mine.keys() != row.keys():
            yield f"{name}: other fields: {sorted(mine.keys() ^ row.keys())}"
            return
        for field, value in row.items():
            if comparable(typed_if_text(kinds[field], mine[field])) != value:
                yield f"{name} {id_} {field}: {mine[field]!r} in the vault, {value!r} in the org"


def typed_if_text(kind, value):
    return typed(kind, value) if isinstance(value, str) else value


def main():
    vault = Vault(FOLDER / "vault", base64.b64decode(yaml_lite.value(FOLDER / "secrets.yaml", "key")))
    (line,) = vault.lines()
    manifest = list(vault.manifests(line))[-1]
    simulator = subprocess.Popen(
        [BINARIES / "orgkeep-simulator", "--org", FOLDER / "org", "--listen", "127.0.0.1:0", "--scale", f"Account={ACCOUNTS}"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    passed = failed = values = 0
    try:
        org = sign_in(json.loads(simulator.stdout.readline())["orgs"][0]["loginUrl"])
        queryable = {entry["name"] for entry in org.describe()["sobjects"] if entry["queryable"]}
        captured = {entry["name"]: entry for entry in manifest["objects"] if entry.get("state")}
        print(f"{len(captured)} objects in the vault, {len(queryable)} queryable in the org; not captured: {sorted(queryable - captured.keys())}")
        for name, entry in sorted(captured.items()):
            described = getattr(org, name).describe()["fields"]
            kinds = {field["name"]: field["type"] for field in described if field["type"] not in NO_COLUMN}
            theirs = fetch(org, name, kinds, entry["records"])
            values += len(theirs) * len(kinds)
            for reader, rows in (("pyarrow", vault.rows(entry)), ("DuckDB", by_duckdb(name))):
                wrong = list(differences(name, kinds, rows, theirs)) if theirs or rows else []
                passed, failed = passed + (not wrong), failed + bool(wrong)
                if wrong:
                    print(f"FAILED {reader}: {len(wrong)} differences", *wrong[:5], sep="\n    ")
                elif theirs:
                    print(f"{name}: {len(theirs)} rows of {len(kinds)} fields by {reader} as by simple-salesforce", flush=True)
    finally:
        simulator.kill()
        simulator.wait()
    assert values > ACCOUNTS, f"only {values} values were compared"
    print(f"{values} values compared twice")
    print(f"{passed} passed, {failed} failed")
    return failed > 0


sys.exit(main())
