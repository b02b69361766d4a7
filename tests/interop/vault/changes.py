#!/usr/bin/env python3
"""changes.py ORGKEEP MADE_VAULT: a vault with 30 days of changes, a compaction, another schema and another key, made by
MADE_VAULT (an example of orgkeep-vault). Each snapshot is read by pyarrow (reader.py) and by DuckDB, and must be exactly
what `orgkeep vault read` gives."""

import base64
import csv
import datetime
import decimal
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import duckdb
from reader import Vault, plain

ORGKEEP, MADE_VAULT = sys.argv[1:3]


def as_csv(value):
    """A value of pyarrow or DuckDB as Bulk writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, decimal.Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03}Z"
    return str(value)


def by_orgkeep(access, snapshot):
    """Rows by Id, as text, from the command."""
    out = subprocess.check_output([ORGKEEP, "vault", "read", *access, "--snapshot", snapshot, "--object", "Account"], text=True)
    return {row["Id"]: row for row in csv.DictReader(io.StringIO(out, newline=""))}


def by_duckdb(access, folder, snapshot):
    """The same by SQL over the files that `orgkeep vault show --files` prints, in their order: the newest row counts."""
    shown = json.loads(subprocess.check_output(
        [ORGKEEP, "vault", "show", *access, "--snapshot", snapshot, "--object", "Account", "--files", "--output", "json"]
    ))  # fmt: skip
    (entry,) = shown["objects"]
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    keys = {key: f"k{number}" for number, key in enumerate(sorted({file["dataKey"] for file in entry["files"]}))}
    for key, name in keys.items():
        database.execute(f"PRAGMA add_parquet_key('{name}', '{key}')")
    # Files of one key are read at once; `n` is a file's place in the list.
    selects = [
        f"SELECT {number} AS n, * FROM read_parquet('{folder / file['path']}',"
        f" encryption_config = {{footer_key: '{keys[file['dataKey']]}'}})"
        for number, file in enumerate(entry["files"])
    ]
    rows = database.execute(
        "SELECT * FROM (" + " UNION ALL BY NAME ".join(selects) + ")"
        " QUALIFY row_number() OVER (PARTITION BY Id ORDER BY n DESC) = 1 AND _op <> 'delete'"
    ).to_arrow_table()
    return {row["Id"]: plain(row, entry["columns"]) for row in rows.to_pylist()}


def main():
    with tempfile.TemporaryDirectory() as work:
        folder, keys = pathlib.Path(work) / "vault", []
        for name in ("old", "new"):
            keys.append(pathlib.Path(work) / f"{name}.key")
            keys[-1].write_bytes(base64.b64encode(os.urandom(32)))
        subprocess.check_call([MADE_VAULT, folder, *keys])
        access = ["--vault", f"file://{folder}", "--key-file", str(keys[1])]
        vault = Vault(folder, base64.b64decode(keys[1].read_bytes()))
        (line,) = vault.lines()
        failed = 0
        manifests = list(vault.manifests(line))
        wanted = [1, 2, 16, 31, 32, len(manifests)]
        for manifest in (manifest for manifest in manifests if manifest["seq"] in wanted):
            (entry,) = manifest["objects"]
            expected = by_orgkeep(access, str(manifest["seq"]))
            if len(expected) != entry["records"]:
                raise SystemExit(f"snapshot {manifest['seq']}: {len(expected)} rows, {entry['records']} noted")
            files = len(vault.state(entry)["parts"])
            for reader, rows in (("pyarrow", vault.rows(entry)), ("DuckDB", by_duckdb(access, folder, str(manifest["seq"])))):
                found = {id_: {name: as_csv(value) for name, value in row.items()} for id_, row in rows.items()}
                wrong = [id_ for id_ in expected.keys() | found.keys() if expected.get(id_) != found.get(id_)]
                failed += len(wrong)
                word = f"{len(wrong)} differ, such as {expected.get(wrong[0])} {found.get(wrong[0])}" if wrong else "the same"
                print(f"snapshot {manifest['seq']:2} ({manifest['snapshotName']}), {files} files, {len(expected)} rows by {reader}: {word}", flush=True)
        sys.exit(1 if failed else 0)


main()
