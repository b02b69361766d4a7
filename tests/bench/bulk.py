#!/usr/bin/env python3
"""bulk.py SIMULATOR BULK_READ ROWS: Bulk 2.0 into nothing. Rates are per second of CPU (user and system, of the whole
process); the simulator's own CPU for the same pages stands beside them."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

ORG = pathlib.Path(__file__).resolve().parent.parent.parent / "examples" / "quickstart" / "org"
SIMULATOR, BULK_READ, ROWS = sys.argv[1], sys.argv[2], int(sys.argv[3])
PAGE = 50_000
MEMORY_BOUND = 128
TICKS = os.sysconf("SC_CLK_TCK")
SECRET = {"SF_CLIENT_ID": "orgkeep", "SF_CLIENT_SECRET": "orgkeep-secret"}
# bodies without compression, whatever the client accepts
PLAIN = {"faults": [{"match": {"path": "/services/data/*/jobs/query/*/results"}, "every": 1, "do": {"gzip": False}}]}

CURL = """
locator='' bytes=0
while [ "$locator" != null ]; do
  size=$(curl -sf $CURL_OPTIONS -H "Authorization: Bearer $SF_TOKEN" -D headers -o /dev/null -w '%{size_download}' \
    "$SF_JOB/results?maxRecords=$SF_PAGE${locator:+&locator=$locator}")
  locator=$(tr -d '\\r' <headers | awk 'tolower($1) == "sforce-locator:" { print $2 }')
  bytes=$((bytes + size))
done
echo "$bytes"
"""


def cpu_of(pid):
    """User and system seconds of a running process."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure(command, env, cwd):
    """What it printed, wall and CPU seconds, and peak RSS in MiB of one process with its children."""
    began = time.monotonic()
    process = subprocess.Popen(command, env={**os.environ, **env}, cwd=cwd, stdout=subprocess.PIPE, text=True)
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return printed, time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def call(address, path, token=None, body=None, method=None):
    request = urllib.request.Request(f"{address}{path}", body, method=method)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def sign_in(address):
    form = {"grant_type": "client_credentials", "client_id": "orgkeep", "client_secret": "orgkeep-secret"}
    return call(address, "/services/oauth2/token", body=urllib.parse.urlencode(form).encode())["access_token"]


def with_simulator(rows, use):
    simulator = subprocess.Popen(
        [SIMULATOR, "--org", str(ORG), "--listen", "127.0.0.1:0", "--scale", f"Account={rows}"], stdout=subprocess.PIPE, text=True
    )
    try:
        return use(simulator.pid, json.loads(simulator.stdout.readline())["orgs"][0]["loginUrl"])
    finally:
        simulator.kill()
        simulator.wait()


def line(name, rows, size, wall, cpu, rss, served):
    print(
        f"{name:34}{wall:8.1f}{cpu:8.2f}{size / 1e6 / cpu:10.0f}{rows / cpu:12.0f}{rss:9.0f}{served:12.2f}{size / 1e6 / served:10.0f}{rows / served:12.0f}",
        flush=True,
    )


def rates(pid, address):
    """The client and curl on the same pages, in turn, without compression and with."""
    env = {**SECRET, "SF_LOGIN_URL": address}
    print(f"{ROWS} generated accounts, pages of {PAGE} rows; MB are decoded CSV\n")
    print(f"{'':34}{'wall s':>8}{'CPU s':>8}{'MB/CPU-s':>10}{'rows/CPU-s':>12}{'RSS MiB':>9}{'simulator:':>12}{'MB/CPU-s':>10}{'rows/CPU-s':>12}")
    highest = 0
    for form in ("identity", "gzip"):
        if form == "identity":
            call(address, "/_simulator/faults", body=json.dumps(PLAIN).encode(), method="PUT")
        else:
            call(address, "/_simulator/faults", method="DELETE")
        for turn in range(2):
            with tempfile.TemporaryDirectory() as work:
                before = cpu_of(pid)
                printed, wall, cpu, rss = measure([BULK_READ, "Account", "4", str(PAGE)], env, work)
                read = json.loads(printed)
                assert read["rows"] == ROWS, read
                highest = max(highest, rss)
                line(f"client, {form}, run {turn + 1}", ROWS, read["bytes"], wall, cpu, rss, cpu_of(pid) - before)
                before = cpu_of(pid)
                curl = {
                    "SF_TOKEN": sign_in(address),
                    "SF_JOB": f"{address}/services/data/v{read['version']}/jobs/query/{read['job']}",
                    "SF_PAGE": str(PAGE),
                    "CURL_OPTIONS": "--compressed" if form == "gzip" else "",
                }
                _, wall, cpu, rss = measure(["bash", "-euo", "pipefail", "-c", CURL], curl, work)
                line(f"curl, {form}, run {turn + 1}", ROWS, read["bytes"], wall, cpu, rss, cpu_of(pid) - before)
    return highest


def memory(rows):
    def use(_, address):
        with tempfile.TemporaryDirectory() as work:
            env = {**SECRET, "SF_LOGIN_URL": address}
            printed, _, _, rss = measure([BULK_READ, "Account", "4", str(PAGE)], env, work)
        assert json.loads(printed)["rows"] == rows
        print(f"{rows:>10} rows: {rss:.0f} MiB", flush=True)
        return rss

    return with_simulator(rows, use)


def main():
    highest = with_simulator(ROWS, rates)
    print("\npeak RSS of the client, gzip")
    highest = max([highest, *(memory(rows) for rows in (ROWS // 2, ROWS, ROWS * 2))])
    good = highest <= MEMORY_BOUND
    print(f"\nat most {highest:.0f} MiB, bound {MEMORY_BOUND} MiB: {'passed' if good else 'FAILED'}")
    return not good


sys.exit(main())
