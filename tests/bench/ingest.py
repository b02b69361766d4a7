#!/usr/bin/env python3
"""ingest.py SIMULATOR BULK_WRITE ROWS: rows written by Bulk 2.0 ingest. Rates are per second of CPU (user and system, of
the whole process); the simulator's own CPU for the same rows stands beside them."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

SIMULATOR, BULK_WRITE, ROWS = sys.argv[1], sys.argv[2], int(sys.argv[3])
MEMORY_BOUND = 128
TICKS = os.sysconf("SC_CLK_TCK")
SECRET = {"SF_CLIENT_ID": "app", "SF_CLIENT_SECRET": "app-secret"}
ORG = """
name: Bench
limits: {dailyApiRequests: 1000000, dataStorageMB: 1000000}
users:
  - {username: admin@bench.example, profile: System Administrator, permissions: [ApiEnabled, ViewAllData, ModifyAllData]}
connectedApps:
  - {clientId: app, clientSecret: app-secret, flows: [ClientCredentials], runAs: admin@bench.example}
"""
SCHEMA = """
objects:
  Account:
    fields:
      Phone: {type: phone}
      Website: {type: url}
      Key__c: {type: string, length: 40, externalId: true, unique: true}
"""


def cpu_of(pid):
    """User and system seconds of a running process."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure(command, env):
    """What it printed, wall and CPU seconds, and peak RSS in MiB of one process."""
    began = time.monotonic()
    process = subprocess.Popen(command, env={**os.environ, **env}, stdout=subprocess.PIPE, text=True)
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}: {printed}")
    return json.loads(printed), time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def run(rows, key):
    with tempfile.TemporaryDirectory() as org:
        pathlib.Path(org, "org.yaml").write_text(ORG)
        pathlib.Path(org, "schema.yaml").write_text(SCHEMA)
        simulator = subprocess.Popen([SIMULATOR, "--org", org, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        try:
            address = json.loads(simulator.stdout.readline())["orgs"][0]["loginUrl"]
            before = cpu_of(simulator.pid)
            command = [BULK_WRITE, "Account", str(rows), "200000", *(["Key__c"] if key else [])]
            written, wall, cpu, rss = measure(command, {**SECRET, "SF_LOGIN_URL": address})
            served = cpu_of(simulator.pid) - before
        finally:
            simulator.kill()
            simulator.wait()
    assert written["succeeded"] == rows, written
    name = f"{rows} rows, {'key field' if key else 'joined by content'}"
    print(f"{name:36}{wall:8.1f}{cpu:8.2f}{rows / cpu:12.0f}{rss:9.0f}{served:12.2f}{rows / served:12.0f}{written['jobs']:6}", flush=True)
    return rss


def main():
    print(f"{'':36}{'wall s':>8}{'CPU s':>8}{'rows/CPU-s':>12}{'RSS MiB':>9}{'simulator:':>12}{'rows/CPU-s':>12}{'jobs':>6}")
    highest = max(run(rows, key) for rows, key in ((ROWS, False), (ROWS, True), (ROWS * 2, False), (ROWS * 8, False)))
    good = highest <= MEMORY_BOUND
    print(f"\nat most {highest:.0f} MiB, bound {MEMORY_BOUND} MiB: {'passed' if good else 'FAILED'}")
    return not good


sys.exit(main())
