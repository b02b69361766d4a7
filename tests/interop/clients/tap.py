"""tap-salesforce: discovers an org, and copies all records of two objects, as singer.io's pipelines do."""

import json
import os
import pathlib
import re
import subprocess
import tempfile

import requests
from cases import FACTS, case, equal, run

# Unmodified but for its patience: it looks at a batch every 20 s.
RUN = "import tap_salesforce.salesforce.bulk as b; b.BATCH_STATUS_POLLING_SLEEP = 0.5; import tap_salesforce; tap_salesforce.main()"
TAP = [os.environ["INTEROP_TAP"], "-c", RUN]
LOGIN = "https://login.salesforce.com/services/oauth2"
APP = {"client_id": "interop", "client_secret": "interop-secret"}
DONE = {"redirect_uri": "https://app.example/done"}


def refresh_token():
    """What a person who sets up such a pipeline gets from the browser."""
    asked = {"response_type": "code", "scope": "api refresh_token", "client_id": "interop", **DONE}
    form = {"username": "admin@interop.example", "pw": "secret", "password": "secret", "allow": "Allow"}
    led = requests.post(f"{LOGIN}/authorize", params=asked, data=form, allow_redirects=False, timeout=10)
    code = requests.utils.unquote(re.search(r"[?&]code=([^&]*)", led.headers["Location"])[1])
    form = {"grant_type": "authorization_code", "code": code, **APP, **DONE}
    return requests.post(f"{LOGIN}/token", data=form, timeout=10).json()["refresh_token"]


def tap(folder, api, *arguments):
    """Its lines."""
    config = {**APP, "refresh_token": refresh_token(), "start_date": "2000-01-01T00:00:00Z", "api_type": api, "select_fields_by_default": "true"}
    (folder / "config.json").write_text(json.dumps(config))
    done = subprocess.run([*TAP, "--config", folder / "config.json", *arguments], capture_output=True, text=True, timeout=60)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "Exception" in line or "Error" in line]
        raise RuntimeError(f"exit code {done.returncode}: {said[-1:]}")
    return done.stdout


def copied(api):
    """Records by object."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        catalog = json.loads(tap(folder, api, "--discover"))
        for stream in catalog["streams"]:
            for entry in stream["metadata"]:
                if not entry["breadcrumb"]:
                    entry["metadata"]["selected"] = stream["stream"] in ("Account", "Contact")
        (folder / "catalog.json").write_text(json.dumps(catalog))
        lines = [json.loads(line) for line in tap(folder, api, "--properties", folder / "catalog.json").splitlines()]
    found = {}
    for line in lines:
        if line["type"] == "RECORD":
            found.setdefault(line["stream"], {})[line["record"]["Id"]] = line["record"]
    return found


def check(api):
    found = copied(api)
    # deleted ones, too
    alive, contacts = ([record for record in found[name].values() if record["IsDeleted"] in (False, "false")] for name in ("Account", "Contact"))
    equal([len(alive), len(contacts)], [FACTS["accounts"], 3])
    (acme,) = [record for record in alive if record["Name"] == "Acme"]
    equal([float(acme["AnnualRevenue"]), acme["BillingCity"]], [1250000.5, "Berlin"])
    equal(any(record["Name"] == "Gone" for record in found["Account"].values()), True)


@case("describe")
def _():
    with tempfile.TemporaryDirectory() as folder:
        streams = {stream["stream"]: stream for stream in json.loads(tap(pathlib.Path(folder), "REST", "--discover"))["streams"]}
    equal(streams["Contact"]["schema"]["properties"]["Birthdate"]["anyOf"][0]["format"], "date-time")


@case("queryAll")
def _():
    check("REST")


@case("Bulk 1.0 query")
def _():
    check("BULK")


run()
