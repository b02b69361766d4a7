#!/usr/bin/env python3
"""clients.py BINARIES NODE_MODULES PYTHON_OF_TAP [CLIENT [CASE]...]: other people's clients, unmodified, against a simulator that is
login.salesforce.com to them. Run by run.sh in a network of its own, where that name leads to this machine.

`expected.json` tells of the cases that the simulator cannot answer yet, and which issue brings it; anything else must be
green, and a case that is in the list must not."""

import datetime
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from simulator import Simulator  # noqa: E402

DOMAIN, SANDBOX = "interop.my.salesforce.com", "interop--dev.sandbox.my.salesforce.com"
HOSTS = ("login.salesforce.com", "test.salesforce.com", DOMAIN, SANDBOX)
GENERATED = 5000
CLIENTS = {
    "jsforce": ["node", "jsforce.js"],
    "node-sf-bulk2": ["node", "node_sf_bulk2.js"],
    "simple-salesforce": [sys.executable, "simple.py"],
    "salesforce-bulk": [sys.executable, "salesforce_bulk_.py"],
    "aiosalesforce": [sys.executable, "aio.py"],
    "tap-salesforce": [sys.executable, "tap.py"],
}


def make_org(folder):
    """The org directory, with recorded describes, the blob, and a key whose certificate the app has."""
    shutil.copytree(HERE / "org", folder)
    (folder / "describes").mkdir()
    for name in ("Account", "Contact"):
        shutil.copy(HERE.parent / f"replay/describes/{name}.json", folder / "describes")
    (folder / "files").mkdir(exist_ok=True)
    blob = bytes(range(256)) * 4
    (folder / "files/bytes.bin").write_bytes(blob)
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "interop")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(1))
    (folder / "app.crt").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder.parent / "app.key").write_bytes(pem)
    return hashlib.sha256(blob).hexdigest()


def run(client, command, environment, only):
    """Lines of one client's cases; what it writes beside them goes to standard error."""
    done = subprocess.run(command + only, cwd=HERE, env=environment, stdout=subprocess.PIPE, text=True, timeout=600)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        lines.append({"case": "(the program itself)", "ok": False, "seconds": 0, "detail": f"exit code {done.returncode}: {done.stdout[-300:]}"})
    return {line["case"]: line for line in lines}


def main():
    binaries, node_modules, tap, *only = sys.argv[1:]
    expected = json.loads((HERE / "expected.json").read_text())
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        digest = make_org(folder / "org")
        authority = folder / "ca.pem"
        names = [word for host in HOSTS for word in ("--tls-name", host)]
        options = ["--tls-self-signed", *names, "--tls-authority", authority, "--scale", f"Account={GENERATED}", "--bulk-job-ms", "200"]
        chosen = {only[0]: CLIENTS[only[0]]} if only else CLIENTS
        results = {}
        for client, command in chosen.items():
            # a simulator for each: what one writes is not what another one reads
            with Simulator(binaries, [folder / "org", HERE / "sandbox"], *options, listen="127.0.0.1:443") as simulator:
                facts = {"control": f"https://{DOMAIN}/_simulator/orgs/{simulator.orgs[0]['id']}", "accounts": GENERATED + 2, "domain": f"https://{DOMAIN}", "sandbox": f"https://{SANDBOX}", "blobSha256": digest, "keyFile": str(folder / "app.key")}
                environment = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
                environment |= {
                    "INTEROP_FACTS": json.dumps(facts), "NODE_PATH": node_modules, "NODE_EXTRA_CA_CERTS": str(authority),
                    "REQUESTS_CA_BUNDLE": str(authority), "SSL_CERT_FILE": str(authority), "PYTHONWARNINGS": "ignore", "SF_LOG_LEVEL": "FATAL", "INTEROP_TAP": tap,
                }  # fmt: skip
                results[client] = run(client, command, environment, only[1:])
    return report(results, expected if not only else {})


def report(results, expected):
    apis = list(dict.fromkeys(name for of in results.values() for name in of))
    width = max(map(len, apis))
    print(f"{'':{width}}  " + "  ".join(f"{client:17}" for client in results))
    green = red = waiting = 0
    wrong = []
    for name in apis:
        row = []
        for client, of in results.items():
            line, reason = of.get(name), expected.get(f"{client}: {name}")
            if line is None:
                row.append("-")
            elif line["ok"] and reason is None:
                green += 1
                row.append("green")
            elif not line["ok"] and reason is not None:
                waiting += 1
                row.append(f"not yet ({reason})" if reason.startswith("issue") else reason)
            else:
                red += 1
                row.append("RED" if reason is None else "works now")
                wrong.append(f"{client}: {name}: " + (line["detail"] if reason is None else "it works: take it out of expected.json"))
        print(f"{name:{width}}  " + "  ".join(f"{cell:17}" for cell in row))
    unknown = [key for key in expected if key.split(": ", 1)[1] not in results.get(key.split(": ", 1)[0], {})]
    wrong += [f"{key}: in expected.json, but there is no such case" for key in unknown]
    print(*wrong, sep="\n")
    print(f"clients: {green} green, {waiting} not (yet), {red + len(unknown)} red")
    return red + len(unknown) > 0


sys.exit(main())
