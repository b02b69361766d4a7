#!/usr/bin/env python3
"""bench.py BINARIES ACCOUNTS: runs each contender against one simulator and prints rows per CPU-second (user and system
time of the whole process, HTTP and storage included), the highest resident memory, and what the simulator itself spent.
Wants the variables of tests/s3.sh."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
QUICKSTART = HERE.parent.parent / "examples" / "quickstart"
BINARIES, ACCOUNTS = pathlib.Path(sys.argv[1]), int(sys.argv[2])
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of(pid):
    """User and system seconds of a running process."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure(command, cwd, env):
    """Wall and CPU seconds, peak RSS in MiB, and the exit code of one process with its children."""
    began = time.monotonic()
    process = subprocess.Popen([*map(str, command)], cwd=cwd, env=env, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode


def token(address):
    form = {"grant_type": "client_credentials", "client_id": "orgkeep", "client_secret": "orgkeep-secret"}
    request = urllib.request.Request(f"{address}/services/oauth2/token", urllib.parse.urlencode(form).encode())
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["access_token"]


def fields(address, access):
    request = urllib.request.Request(
        f"{address}/services/data/v60.0/sobjects/Account/describe", headers={"Authorization": f"Bearer {access}"}
    )
    with urllib.request.urlopen(request) as answer:
        described = json.load(answer)["fields"]
    return [field["name"] for field in described if field["type"] not in ("address", "location", "base64", "complexvalue")]


def backup_folder(work, address):
    """The quickstart's YAML with this simulator and this S3 server, for Account alone."""
    documents = [
        ("Secret", "app", {"stringData": {"clientSecret": "orgkeep-secret"}}),
        ("Secret", "key", {"stringData": {"key": "b3Jna2VlcC1xdWlja3N0YXJ0LWRlbW8ta2V5LTMyYiE="}}),
        ("Secret", "s3", {"stringData": {name: os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}}),
        ("SalesforceConnection", "org", {"spec": {
            "environment": "Production", "loginUrl": address, "insecure": True,
            "auth": {"clientCredentials": {"clientId": "orgkeep", "clientSecretRef": {"name": "app", "key": "clientSecret"}}},
        }}),
        ("BackupVault", "main", {"spec": {
            "s3": {"bucket": os.environ["ORGKEEP_TEST_S3_BUCKET"], "prefix": "bench", "endpoint": os.environ["ORGKEEP_TEST_S3_ENDPOINT"],
                   "insecure": True, "forcePathStyle": True, "credentialsSecretRef": {"name": "s3"}},
            "encryption": {"keySecretRef": {"name": "key", "key": "key"}},
        }}),
        ("SalesforceBackup", "bench", {"spec": {
            "connectionRef": {"name": "org"}, "vaultRef": {"name": "main"}, "scope": {"objects": {"include": ["Account"]}},
        }}),
    ]  # fmt: skip
    folder = work / "backup"
    folder.mkdir()
    for number, (kind, name, rest) in enumerate(documents):
        version = "v1" if kind == "Secret" else "orgkeep.dev/v1alpha1"
        # JSON is YAML
        text = json.dumps({"apiVersion": version, "kind": kind, "metadata": {"name": name}, **rest})
        (folder / f"{number}.yaml").write_text(text)
    return folder


def main():
    work = pathlib.Path(tempfile.mkdtemp())
    simulator = subprocess.Popen(
        [BINARIES / "orgkeep-simulator", "--org", QUICKSTART / "org", "--listen", "127.0.0.1:0", "--scale", f"Account={ACCOUNTS}"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        address = json.loads(simulator.stdout.readline())["orgs"][0]["loginUrl"]
        access = token(address)
        soql = f"SELECT {','.join(fields(address, access))} FROM Account"
        env = {**os.environ, "SF_ADDRESS": address, "SF_TOKEN": access, "SF_SOQL": soql}
        contenders = [
            ("curl loop to CSV", ["bash", HERE / "peers" / "curl.sh"]),
            # with the environment of a worker pod
            ("orgkeep (encrypted Parquet in S3, proven)", ["env", "MIMALLOC_PURGE_DELAY=0", BINARIES / "orgkeep", "run", "-f", backup_folder(work, address)]),
            ("simple-salesforce to CSV", [sys.executable, HERE / "peers" / "simple.py"]),
            ("node-sf-bulk2 to CSV", ["node", HERE / "peers" / "node.js"]),
        ]
        print(f"{ACCOUNTS} generated accounts, {soql.count(',') + 1} fields\n")
        print(f"{'':44}{'wall s':>8}{'CPU s':>8}{'rows/CPU-s':>12}{'RSS MiB':>9}{'simulator CPU s':>17}{'MB':>7}")
        failed = 0
        for name, command in contenders:
            folder = work / "out"
            folder.mkdir()
            before = cpu_of(simulator.pid)
            wall, cpu, rss, code = measure(command, folder, env)
            spent = cpu_of(simulator.pid) - before
            size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
            shutil.rmtree(folder)
            failed += code != 0
            rate = f"{ACCOUNTS / cpu:12.0f}" if code == 0 else f"  exit {code:5}"
            print(f"{name:44}{wall:8.1f}{cpu:8.1f}{rate}{rss:9.0f}{spent:17.1f}{size:7.0f}", flush=True)
            if name.startswith("curl") and spent:
                served = f"{'the simulator served':44}{'':28}{size / spent:.0f} MB and {ACCOUNTS / spent:.0f} rows per CPU-second of its own"
        print(f"\n{served}")
        print(f"{len(contenders) - failed} passed, {failed} failed")
        return failed > 0
    finally:
        simulator.kill()
        simulator.wait()
        shutil.rmtree(work)


sys.exit(main())
