#!/usr/bin/env python3
"""views.py ORGKEEP MADE_VAULT: the vault of MADE_VAULT (30 days of changes, a compaction, another schema) exported by
`orgkeep vault export`. DuckDB reads CSV, JSON and Parquet, plain and encrypted; deltalake opens the Delta table and
travels to each snapshot. Rows, sums of decimals, least and greatest days must be those of `orgkeep vault read`, and so
must every cell."""

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

import deltalake
import duckdb
import pyarrow.parquet
import pyrage

ORGKEEP, MADE_VAULT = sys.argv[1:3]
OWN = ("_raw",)


def as_csv(value):
    """A value of pyarrow or DuckDB as Bulk writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (decimal.Decimal, float)):
        return format(decimal.Decimal(str(value)).normalize(), "f")
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03}Z"
    return str(value)


def plain(rows):
    """Rows by Id, as text, with the cells of `_raw` in their places."""
    found = {}
    for row in rows:
        raw = json.loads(row.get("_raw") or "{}")
        found[row["Id"]] = {name: raw.get(name, as_csv(value)) for name, value in row.items() if name not in OWN}
    return found


def orgkeep(*arguments):
    return subprocess.check_output([ORGKEEP, "vault", *arguments], text=True)


def figures(rows):
    """Rows, the sum of the amounts, least and greatest day."""
    amounts = [decimal.Decimal(row["Amount__c"]) for row in rows.values() if row["Amount__c"]]
    days = [row["Day__c"] for row in rows.values() if row["Day__c"]]
    return len(rows), sum(amounts), min(days), max(days)


class Views:
    def __init__(self, work):
        self.work, self.failed, self.number = pathlib.Path(work), 0, 0
        keys = []
        for name in ("old", "new"):
            keys.append(self.work / f"{name}.key")
            keys[-1].write_bytes(base64.b64encode(os.urandom(32)))
        subprocess.check_call([MADE_VAULT, self.work / "vault", *keys])
        self.access = ["--vault", f"file://{self.work / 'vault'}", "--key-file", str(keys[1])]
        self.database = duckdb.connect()
        self.database.execute("SET TimeZone = 'UTC'")

    def read(self, snapshot):
        out = orgkeep("read", *self.access, "--snapshot", str(snapshot), "--object", "Account")
        return {row["Id"]: row for row in csv.DictReader(io.StringIO(out, newline=""))}

    def export(self, *arguments):
        """Exports to a new folder; it and what its last file says."""
        self.number += 1
        folder = self.work / f"view-{self.number}"
        orgkeep("export", *self.access, "--to", str(folder), *arguments)
        document = folder / "export.json"
        return folder, json.loads(document.read_text()) if document.exists() else None

    def rows(self, sql):
        return self.database.sql(sql).to_arrow_table().to_pylist()

    def same(self, name, found, expected):
        wrong = [id_ for id_ in expected.keys() | found.keys() if expected.get(id_) != found.get(id_)]
        if figures(found) != figures(expected):
            wrong.append("figures")
        self.failed += len(wrong)
        word = f"{len(wrong)} differ, such as {wrong[0]}: {expected.get(wrong[0])} {found.get(wrong[0])}" if wrong else "the same"
        count, amount, least, most = figures(found)
        print(f"{name}: {count} rows, {amount} in all, {least} to {most}: {word}", flush=True)

    def snapshot(self, snapshot):
        """One snapshot in each form."""
        expected = self.read(snapshot)
        for compression in ("none", "gzip", "zstd"):
            for form in ("csv", "json"):
                folder, document = self.export("--format", form, "--compression", compression, "--snapshot", str(snapshot))
                (entry,) = document["objects"]
                files = ", ".join(f"'{folder / file['path']}'" for file in entry["files"])
                if form == "csv":
                    found = self.rows(f"SELECT * FROM read_csv([{files}], all_varchar = true, header = true, quote = '\"', escape = '\"')")
                else:
                    # Numbers exactly, by the columns that the export names.
                    types = {"currency": "DECIMAL(38, 3)", "int": "INTEGER", "boolean": "BOOLEAN"}
                    columns = ", ".join(f"'{c['name']}': '{types.get(c['type'], 'VARCHAR')}'" for c in entry["columns"])
                    found = self.rows(f"SELECT * FROM read_json([{files}], format = 'newline_delimited', columns = {{{columns}}})")
                self.same(f"snapshot {snapshot}, {form}, {compression}, DuckDB", plain(found), expected)
        folder, document = self.export("--format", "parquet", "--snapshot", str(snapshot))
        files = [folder / file["path"] for file in document["objects"][0]["files"]]
        names = ", ".join(f"'{file}'" for file in files)
        self.same(f"snapshot {snapshot}, parquet, DuckDB", plain(self.rows(f"SELECT * FROM read_parquet([{names}])")), expected)
        table = pyarrow.parquet.read_table(files).to_pylist()
        self.same(f"snapshot {snapshot}, parquet, pyarrow", plain(table), expected)

    def encrypted(self, snapshot):
        """Encrypted for a recipient of age."""
        identity = pyrage.x25519.Identity.generate()
        recipient = str(identity.to_public())
        expected = self.read(snapshot)
        folder, document = self.export("--format", "parquet", "--snapshot", str(snapshot), "--encrypt-to", recipient)
        key = pyrage.decrypt(base64.b64decode(document["parquetKey"]), [identity]).decode()
        self.database.execute(f"PRAGMA add_parquet_key('export', '{key}')")
        names = ", ".join(f"'{folder / file['path']}'" for file in document["objects"][0]["files"])
        found = self.rows(f"SELECT * FROM read_parquet([{names}], encryption_config = {{footer_key: 'export'}})")
        self.same(f"snapshot {snapshot}, encrypted parquet, DuckDB", plain(found), expected)
        folder, document = self.export("--format", "csv", "--compression", "zstd", "--snapshot", str(snapshot), "--encrypt-to", recipient)
        found = {}
        for file in document["objects"][0]["files"]:
            opened = self.work / "opened.csv.zst"
            opened.write_bytes(pyrage.decrypt((folder / file["path"]).read_bytes(), [identity]))
            found |= plain(self.rows(f"SELECT * FROM read_csv('{opened}', all_varchar = true, header = true)"))
        self.same(f"snapshot {snapshot}, encrypted csv, age and DuckDB", found, expected)

    def changes(self, last):
        """The versions of every row, put together again, are the snapshots."""
        folder, document = self.export("--format", "parquet", "--changes")
        names = ", ".join(f"'{folder / file['path']}'" for file in document["objects"][0]["files"])
        for snapshot in (1, 16, last):
            rows = self.rows(
                f"SELECT * EXCLUDE (_op, _snapshot, _time) FROM read_parquet([{names}], union_by_name = true)"
                f" WHERE _snapshot <= {snapshot}"
                " QUALIFY row_number() OVER (PARTITION BY Id ORDER BY _snapshot DESC) = 1 AND _op <> 'deleted'"
            )
            expected = self.read(snapshot)
            fields = next(iter(expected.values())).keys()
            found = {id_: {name: row[name] for name in fields} for id_, row in plain(rows).items()}
            self.same(f"changes up to snapshot {snapshot}, DuckDB", found, expected)

    def delta(self, last):
        """The Delta table in versions; exported in two steps, so that the second adds to the first."""
        folder = self.work / "delta"
        for snapshot in (20, last):
            orgkeep("export", *self.access, "--to", str(folder), "--format", "delta", "--snapshot", str(snapshot), "--rows-per-file", "300")
        newest = deltalake.DeltaTable(folder / "Account")
        snapshots = {}
        for entry in newest.history():
            snapshots[json.loads(entry["userMetadata"])["snapshot"]] = entry["version"]
        print(f"Delta: {len(snapshots)} versions of {last} snapshots, {len(newest.file_uris())} files in the newest")
        for snapshot in range(1, last + 1):
            version = max(v for s, v in snapshots.items() if s <= snapshot)
            rows = deltalake.DeltaTable(folder / "Account", version=version).to_pyarrow_table().to_pylist()
            expected = self.read(snapshot)
            if snapshot in (1, 2, 16, 31, last) or plain(rows) != expected:
                self.same(f"snapshot {snapshot}, Delta version {version}, deltalake", plain(rows), expected)
        size = sum(file.stat().st_size for file in (folder / "Account").glob("*.parquet"))
        one = sum(file.stat().st_size for file in map(pathlib.Path, newest.file_uris()))
        print(f"Delta: {size} bytes in all versions, {one} in the newest: {size / one:.1f} times")


def main():
    with tempfile.TemporaryDirectory() as work:
        views = Views(work)
        last = int(json.loads(orgkeep("show", *views.access, "--output", "json"))["snapshotId"])
        for snapshot in (1, 31, 32, last):
            views.snapshot(snapshot)
        views.encrypted(last)
        views.changes(last)
        views.delta(last)
        sys.exit(1 if views.failed else 0)


main()
