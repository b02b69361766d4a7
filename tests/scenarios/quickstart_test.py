"""The quickstart as a user meets it."""

import glob
import json
import os
import re
import shutil
import tempfile
import urllib.request

from bed import IMAGE, QUICKSTART, S3_CREDENTIALS, SIMULATOR_IMAGE, every, kubectl, operator_pod, run

NAMESPACE = "orgkeep-quickstart"


def test_quickstart():
    """run.sh ends with a Succeeded snapshot by worker pods, and rows read back; twice, the second one as well"""
    command = [
        "env", *(f"{key}={value}" for key, value in S3_CREDENTIALS.items()), QUICKSTART / "run.sh",
        "--context", "testbed", "--image", IMAGE, "--simulator-image", SIMULATOR_IMAGE,
        "--s3-endpoint", f"http://s3.{NAMESPACE}.svc:8333",
    ]  # fmt: skip
    first = run(*command).stdout
    print(first, flush=True)
    assert re.search(r"dreamhouse-\d{8}-\d{4}\S*-r1", first), "no worker pod was shown"
    assert "Property__c" in first and "Cambridge" in first, "no rows were read back"
    second = run(*command).stdout
    assert "Cambridge" in second, "no rows were read back the second time"
    snapshots = [s for s in every("sfsnap", namespace=NAMESPACE) if s["status"]["phase"] == "Succeeded"]
    assert len(snapshots) >= 2, snapshots
    for snapshot in snapshots:
        complete = snapshot["status"]["completeness"]
        assert complete["expected"] == complete["captured"] > 200_000, complete
        assert snapshot["status"]["counts"]["errors"] == 0, snapshot["status"]
    print(kubectl("describe", "sfb", "dreamhouse", namespace=NAMESPACE), flush=True)


def test_quickstart_into_a_claim():
    """without an S3 endpoint the vault is a PersistentVolumeClaim: Succeeded, and rows read back from it"""
    namespace = f"{NAMESPACE}-claim"
    kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait")
    kubectl("delete", "pv", namespace, "--ignore-not-found", "--wait")
    folder = tempfile.mkdtemp(prefix="orgkeep-claim-")
    # what a provisioner would do: a volume that pods of any user may write to
    os.chmod(folder, 0o777)
    try:
        volume = {
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": namespace},
            "spec": {
                "capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": folder},
                "persistentVolumeReclaimPolicy": "Retain", "claimRef": {"namespace": namespace, "name": "vault"},
            },
        }  # fmt: skip
        kubectl("apply", "-f", "-", stdin=json.dumps(volume))
        shown = run(
            QUICKSTART / "run.sh", "--context", "testbed", "--image", IMAGE, "--simulator-image", SIMULATOR_IMAGE,
            "--namespace", namespace,
        ).stdout  # fmt: skip
        print(shown, flush=True)
        assert "Cambridge" in shown, "no rows were read back"
        assert glob.glob(f"{folder}/dreamhouse/vault.*"), f"no vault in the volume: {os.listdir(folder)}"
    finally:
        kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait")
        kubectl("delete", "pv", namespace, "--ignore-not-found", "--wait")
        shutil.rmtree(folder)


def test_what_prometheus_scrapes():
    """the operator's metrics, computed from the objects; and it is ready"""
    address = operator_pod()["status"]["podIP"]

    def text(path):
        with urllib.request.urlopen(f"http://{address}:8080/{path}", timeout=5) as answer:
            return answer.read().decode()

    for path in ("livez", "readyz"):
        text(path)
    metrics = text("metrics")
    names = sorted({line.split("{")[0].split(" ")[0] for line in metrics.splitlines() if line and not line.startswith("#")})
    print("   ", json.dumps(names))
    assert any(name.startswith("orgkeep_") for name in names), metrics[:500]
    assert 'namespace="orgkeep-quickstart"' in metrics or "orgkeep-quickstart" in metrics, "no gauge of the quickstart's backup"
    assert "orgkeep-secret" not in metrics
