"""What scenarios share: kubectl, waiting, an installed operator, an org with something to read, backups of it, and the
way to a worker's process."""

import base64
import json
import os
import pathlib
import secrets
import signal
import subprocess
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
QUICKSTART = ROOT / "examples" / "quickstart"
IMAGE = os.environ["ORGKEEP_IMAGE"]
SIMULATOR_IMAGE = os.environ["ORGKEEP_SIMULATOR_IMAGE"]
ORGKEEP = pathlib.Path(os.environ["ORGKEEP_BIN"]) / "orgkeep"
OPERATOR_NAMESPACE = "orgkeep"
NAMESPACE = "orgkeep-scenarios"
# What the cluster's S3 server takes (tests/cluster/cluster.sh).
S3_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "orgkeep-testbed", "AWS_SECRET_ACCESS_KEY": "orgkeep-testbed-secret"}
S3_ENDPOINT = "http://10.244.0.1:8333"
CLIENT_SECRET = "orgkeep-secret"
WORKERS = "app.kubernetes.io/component=worker"
ENDED = ("Succeeded", "PartiallySucceeded", "Failed", "Canceled")
# Enough for many Bulk pages and for a worker to be killed among them.
ACCOUNTS = 400_000


# --- kubectl


def run(*command, stdin=None, check=True, env=None):
    done = subprocess.run([*map(str, command)], input=stdin, capture_output=True, text=True, env=env)
    assert not check or done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done


def kubectl(*args, stdin=None, check=True, namespace=NAMESPACE):
    return run("kubectl", "-n", namespace, *args, stdin=stdin, check=check).stdout


def apply(*objects, namespace=NAMESPACE):
    items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(items), namespace=namespace)


def get(kind, name, namespace=NAMESPACE):
    """The object, or None."""
    out = kubectl("get", kind, name, "--ignore-not-found", "-o", "json", namespace=namespace)
    return json.loads(out) if out.strip() else None


def every(kind, selector=None, namespace=NAMESPACE):
    wanted = ["-l", selector] if selector else []
    return json.loads(kubectl("get", kind, *wanted, "-o", "json", namespace=namespace))["items"]


def until(what, look, timeout=90, pause=0.25):
    """The first true answer of `look`; fails with its last one when the time is over."""
    end, answer = time.monotonic() + timeout, None
    while time.monotonic() < end:
        answer = look()
        if answer:
            return answer
        time.sleep(pause)
    raise AssertionError(f"not within {timeout} s: {what}")


def condition(obj, kind="Ready"):
    """The condition of that type, or an empty one."""
    found = [c for c in (obj or {}).get("status", {}).get("conditions", []) if c["type"] == kind]
    return found[0] if found else {}


def secret(name, **data):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def object_of(kind, name, spec):
    return {"apiVersion": "orgkeep.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


# --- what is installed once


def install():
    """The operator for all namespaces, by its chart; our namespace with an org and Secrets in it."""
    repository, tag = IMAGE.rsplit(":", 1)
    run(
        "helm", "upgrade", "--install", "orgkeep", ROOT / "charts" / "orgkeep", "--namespace", OPERATOR_NAMESPACE,
        "--create-namespace", "--set-string", f"image.repository={repository},image.tag={tag}", "--wait", "--timeout", "3m",
    )  # fmt: skip
    for namespace in (NAMESPACE, "orgkeep-quickstart"):
        made = kubectl("create", "namespace", namespace, "--dry-run=client", "-o", "yaml")
        kubectl("apply", "-f", "-", stdin=made)
        run(ROOT / "tests" / "cluster" / "cluster.sh", "s3", namespace)
    kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted", "--overwrite")
    start_org()
    apply(
        secret("app", clientSecret=CLIENT_SECRET), secret("s3", **S3_CREDENTIALS),
        object_of("SalesforceConnection", "org", connection()),
    )  # fmt: skip
    # an old key stays: vaults of an earlier run are opened with it
    if not get("secret", "key"):
        apply(secret("key", key=new_key()))


def new_key():
    return base64.b64encode(secrets.token_bytes(32)).decode()


def start_org():
    """The simulated org of the quickstart, in our namespace."""
    org = QUICKSTART / "org"
    sources = {
        "dreamhouse-org": sorted(org.glob("*.yaml")),
        "dreamhouse-describes": sorted((org / "describes").glob("*")),
        "dreamhouse-data": sorted((org / "data").glob("*")),
    }
    for name, files in sources.items():
        made = kubectl("create", "configmap", name, *[f"--from-file={file}" for file in files], "--dry-run=client", "-o", "yaml")
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=made)
    text = (QUICKSTART / "cluster" / "simulator.yaml").read_text()
    text = text.replace("localhost/orgkeep-simulator:quickstart", SIMULATOR_IMAGE).replace("=200000", f"={ACCOUNTS}")
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)
    kubectl("rollout", "status", "deployment/simulator", "--timeout=2m")


def connection(**changes):
    spec = {
        "environment": "Production",
        "loginUrl": f"http://simulator.{NAMESPACE}.svc:8080",
        "insecure": True,
        "auth": {"clientCredentials": {"clientId": "orgkeep", "clientSecretRef": {"name": "app", "key": "clientSecret"}}},
    }
    return {**spec, **changes}


def vault(prefix, key="key", **changes):
    s3 = {
        "bucket": "orgkeep", "prefix": prefix, "endpoint": f"http://s3.{NAMESPACE}.svc:8333", "insecure": True,
        "forcePathStyle": True, "credentialsSecretRef": {"name": "s3"},
    }  # fmt: skip
    return {"s3": {**s3, **changes}, "encryption": {"keySecretRef": {"name": key, "key": "key"}}}


def org_calls():
    """API calls that the org has counted, as its own limits say; asking costs two."""
    pods = every("pods", "app.kubernetes.io/name=orgkeep-simulator")
    address = next(f"http://{pod['status']['podIP']}:8080" for pod in pods if "deletionTimestamp" not in pod["metadata"])
    form = {"grant_type": "client_credentials", "client_id": "orgkeep", "client_secret": CLIENT_SECRET}
    token = ask(f"{address}/services/oauth2/token", urllib.parse.urlencode(form).encode())["access_token"]
    limits = ask(f"{address}/services/data/v60.0/limits", token=token)["DailyApiRequests"]
    return limits["Max"] - limits["Remaining"]


def ask(url, data=None, token=""):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=10) as answer:
        return json.load(answer)


# --- a backup and its snapshots


class Backup:
    """A vault of its own and a backup into it, both named `name`."""

    def __init__(self, name):
        self.name, self.token = name, 0
        self.prefix = f"{name}-{secrets.token_hex(3)}"
        kubectl("delete", "sfb,bv,sfsnap", "-l", f"scenario={name}", "--ignore-not-found", "--wait")
        self.apply(object_of("BackupVault", name, vault(self.prefix)))

    def apply(self, obj):
        obj["metadata"]["labels"] = {"scenario": self.name}
        apply(obj)

    def run_now(self, **spec):
        """Starts a run by a new token; the name of its Snapshot."""
        self.token += 1
        token = f"{self.prefix}-{self.token}"
        spec = {"connectionRef": {"name": "org"}, "vaultRef": {"name": self.name}, "runNow": token, **spec}
        self.apply(object_of("SalesforceBackup", self.name, spec))

        def made():
            for snapshot in every("sfsnap"):
                if snapshot["metadata"].get("annotations", {}).get("orgkeep.dev/run-now") == token:
                    return snapshot["metadata"]["name"]

        return until(f"a Snapshot for {token}", made)

    def vault(self, command, *args):
        """`orgkeep vault …` from outside the cluster's pods: by bucket and key alone."""
        key = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / f"orgkeep-{self.prefix}.key"
        stored = get("secret", "key")["data"]["key"]
        key.write_bytes(base64.b64decode(stored))
        try:
            url = f"s3://orgkeep/{self.prefix}?endpoint={S3_ENDPOINT}&region=us-east-1&path_style=true"
            env = {**os.environ, **S3_CREDENTIALS}
            return run(ORGKEEP, "vault", command, "--vault", url, "--key-file", key, *args, env=env).stdout
        finally:
            key.unlink()


def ended(name, timeout=240, wanted=("Succeeded",)):
    """Waits for the end of a Snapshot and its status; prints the worker pods seen meanwhile."""
    seen = {}

    def look():
        for pod in every("pods", f"{WORKERS},orgkeep.dev/owner-name={name}"):
            seen[pod["metadata"]["name"]] = pod["status"].get("phase")
        snapshot = get("sfsnap", name)
        return snapshot if snapshot and snapshot.get("status", {}).get("phase") in ENDED else None

    snapshot = until(f"the end of {name}", look, timeout)
    status = snapshot["status"]
    print(f"    {name}: {status['phase']}, {status.get('counts', {}).get('records')} records, {status.get('apiCalls')} calls")
    print(f"    worker pods: {', '.join(sorted(seen)) or 'none seen'}", flush=True)
    assert status["phase"] in wanted, f"{name} is {status['phase']}: {json.dumps(status)[:3000]}"
    return snapshot


# --- a worker at work


def worker_at_work(name, records=1, timeout=90):
    """The running worker pod of a Snapshot, once it has written some records and has not ended."""

    def look():
        for pod in every("pods", f"{WORKERS},orgkeep.dev/owner-name={name}"):
            progress = progress_of(pod)
            if progress and progress["records"] >= records:
                return pod
        snapshot = get("sfsnap", name)
        phase = (snapshot or {}).get("status", {}).get("phase")
        assert phase not in ENDED, f"{name} was {phase} before its worker could be caught at work"
        return None

    return until(f"a worker of {name} at work", look, timeout, pause=0.05)


def progress_of(pod):
    """What the worker says at its door; None if it does not answer."""
    address = pod["status"].get("podIP")
    if not address or pod["status"].get("phase") != "Running":
        return None
    try:
        return ask(f"http://{address}:8081/progress")
    except OSError:
        return None


def kill(pod):
    """SIGKILL to the processes of a pod's containers, as the kernel does when memory is short. Returns how many."""
    uid, killed = pod["metadata"]["uid"], 0
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            in_pod = f"pod{uid}/" in (process / "cgroup").read_text()
            program = (process / "cmdline").read_bytes().split(b"\0")[0]
            if in_pod and program.endswith(b"/orgkeep"):
                os.kill(int(process.name), signal.SIGKILL)
                killed += 1
        except (FileNotFoundError, ProcessLookupError):
            continue
    return killed


def operator_pod():
    pods = every("pods", "app.kubernetes.io/name=orgkeep,app.kubernetes.io/instance=orgkeep", namespace=OPERATOR_NAMESPACE)
    running = [pod for pod in pods if pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]]
    return running[0] if running else None


def show():
    """The state of things, for a failed scenario."""
    print(kubectl("get", "sfc,bv,sfb,sfsnap,jobs,pods", "-o", "wide", check=False))
    print(kubectl("get", "events", "--sort-by=.lastTimestamp", check=False)[-4000:])
    print(kubectl("logs", "-l", WORKERS, "--tail=15", "--prefix", check=False)[-4000:])
    print(kubectl("logs", "deploy/orgkeep", "--tail=40", check=False, namespace=OPERATOR_NAMESPACE)[-6000:], flush=True)
