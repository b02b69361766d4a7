"""What a real API server says of the chart: it takes every object, and denies the operator what it must not do.

Leaves nothing behind. The definitions are only sent as a dry run: others may be using the cluster's own."""

import json
import subprocess
import uuid

import yaml

from chart import CHART, helm, one, render

NAMESPACE = f"orgkeep-chart-{uuid.uuid4().hex[:8]}"
TENANT = f"{NAMESPACE}-tenant"
OPERATOR = f"system:serviceaccount:{NAMESPACE}:keep-orgkeep"


def set_up():
    for namespace in (NAMESPACE, TENANT):
        kubectl("create", "namespace", namespace)
    kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")


def tear_down():
    kubectl("delete", "namespace", NAMESPACE, TENANT, "--wait=false", "--ignore-not-found")


# verb, resource, allowed? In a tenant's namespace.
CAN = [
    ("watch", "salesforcebackups.orgkeep.dev", True),
    ("patch", "salesforcebackups.orgkeep.dev/status", True),
    ("create", "snapshots.orgkeep.dev", True),
    ("create", "jobs.batch", True),
    ("delete", "jobs.batch", True),
    ("create", "configmaps", True),
    ("list", "pods", True),
    ("create", "events.events.k8s.io", True),
    ("get", "secrets", False),
    ("list", "secrets", False),
    ("watch", "secrets", False),
    ("create", "secrets", False),
    ("patch", "salesforcebackups.orgkeep.dev", False),
    ("delete", "backupvaults.orgkeep.dev", False),
    ("create", "pods", False),
    ("create", "pods/exec", False),
    ("get", "pods/log", False),
    ("create", "serviceaccounts/token", False),
    ("create", "rolebindings.rbac.authorization.k8s.io", False),
    ("get", "leases.coordination.k8s.io", False),
]


def kubectl(*args, stdin=None):
    done = subprocess.run(["kubectl", *args], input=stdin, capture_output=True, text=True)
    assert done.returncode == 0, f"kubectl {' '.join(args)}\n{done.stderr}"
    return done.stdout


def may(verb, resource, namespace):
    """Asks the API server by SubjectAccessReview."""
    resource, _, sub = resource.partition("/")
    resource, _, group = resource.partition(".")
    attributes = {"verb": verb, "resource": resource, "group": group, "subresource": sub, "namespace": namespace}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": OPERATOR, "groups": ["system:serviceaccounts"], "resourceAttributes": attributes},
    }
    answer = kubectl("create", "-o", "json", "-f", "-", stdin=json.dumps(review))
    return json.loads(answer)["status"].get("allowed", False)


def with_release(values, check):
    """Installs the roles (no pod, no definitions), checks, and removes them."""
    off = ["--set", "replicaCount=0,crds.install=false,rbac.aggregate=false", *values]
    code, _, err = helm("install", "keep", CHART, "--namespace", NAMESPACE, *off)
    assert code == 0, err
    try:
        check()
    finally:
        code, _, err = helm("uninstall", "keep", "--namespace", NAMESPACE)
        assert code == 0, err


def check_table(namespace):
    wrong = [
        f"{verb} {resource}: {'denied' if expected else 'allowed'}"
        for verb, resource, expected in CAN
        if may(verb, resource, namespace) != expected
    ]
    assert not wrong, "; ".join(wrong)


def test_the_api_server_takes_it():
    """a server-side dry run with strict field validation, for each set of values"""
    for values in (None, "namespaced", "full"):
        objects = render(values=values, namespace=NAMESPACE)
        for obj in objects:
            if obj["metadata"].get("namespace") in ("team-a", "team-b"):
                obj["metadata"]["namespace"] = TENANT
        kubectl(
            "apply", "--server-side", "--dry-run=server", "--validate=strict", "--field-manager=chart-test", "--force-conflicts",
            "-f", "-", stdin=yaml.safe_dump_all(objects),
        )


def test_what_the_operator_may_do_everywhere():
    """cluster-wide: what it needs, and nothing that reads a Secret"""
    with_release([], lambda: check_table(TENANT))


def test_what_the_operator_may_do_in_named_namespaces():
    """with watchNamespaces: the same there, nothing elsewhere"""

    def check():
        check_table(TENANT)
        assert not may("list", "salesforcebackups.orgkeep.dev", "default")
        assert not may("create", "jobs.batch", "default")

    with_release(["--set", f"watchNamespaces={{{TENANT}}}"], check)


def test_the_pod_is_admitted_where_only_restricted_pods_are():
    """Pod Security admission, asked by a dry run; and that it is asked at all, by a pod that it must refuse"""
    template = one(render(namespace=NAMESPACE, values=None), "Deployment")["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "keep", "namespace": NAMESPACE}, "spec": template["spec"]}

    def create():
        kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))

    def check():
        create()
        pod["spec"]["securityContext"]["runAsNonRoot"] = False
        try:
            create()
        except AssertionError as refused:
            assert "violates PodSecurity" in str(refused), refused
        else:
            raise AssertionError("a pod that may run as root was taken")

    with_release([], check)
