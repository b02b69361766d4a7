"""What the chart renders, and what it refuses. No cluster is needed."""

import json
import re

import yaml

from chart import CHART, CRD_FILES, HERE, MONITORING, crds, helm, of_kind, one, render, template

KINDS = {"salesforceconnections", "backupvaults", "salesforcebackups", "snapshots"}
ROLES = ("Role", "ClusterRole")
VARIANTS = [
    {},
    {"values": "namespaced"},
    {"values": "full"},
]


def variants():
    for variant in VARIANTS:
        yield render(*MONITORING, **variant)


def operator_rules(objects):
    """Rules of the roles that are bound to the operator."""
    bound = {(b["roleRef"]["kind"], b["roleRef"]["name"]) for b in of_kind(objects, "RoleBinding", "ClusterRoleBinding")}
    roles = [role for role in of_kind(objects, *ROLES) if (role["kind"], role["metadata"]["name"]) in bound]
    return [(role, rule) for role in roles for rule in role["rules"]]


def test_helm_lint_is_clean():
    """helm lint --strict with each set of values"""
    for values in [None, *HERE.glob("values-*.yaml")]:
        code, out, err = helm("lint", "--strict", CHART, *(["--values", values] if values else []))
        assert code == 0, f"{values}\n{out}{err}"


def test_no_role_names_a_secret_or_a_wildcard():
    """nobody is given access to Secrets, by name or by wildcard"""
    for objects in variants():
        for role in of_kind(objects, *ROLES):
            for rule in role["rules"]:
                resources = [resource.split("/")[0] for resource in rule["resources"]]
                assert "secrets" not in resources, role["metadata"]["name"]
                assert "*" not in [*resources, *rule["verbs"], *rule["apiGroups"]], role["metadata"]["name"]


def test_no_secret_is_made():
    """the chart makes no Secret, and puts none into an environment"""
    for objects in variants():
        assert not of_kind(objects, "Secret")
        for env in one(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["env"]:
            assert "secretKeyRef" not in env.get("valueFrom", {}), env


def test_only_the_operator_is_bound_to_roles():
    """a worker's account is bound to no role and mounts no token"""
    for objects in variants():
        account = one(objects, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"]
        bindings = of_kind(objects, "RoleBinding", "ClusterRoleBinding")
        assert bindings
        for binding in bindings:
            assert [subject["name"] for subject in binding["subjects"]] == [account]
        for obj in of_kind(objects, "ServiceAccount"):
            assert obj["automountServiceAccountToken"] is False


def test_the_operator_writes_no_spec():
    """our kinds: read, patch of status, and snapshots are made"""
    for objects in variants():
        for _, rule in operator_rules(objects):
            if rule["apiGroups"] != ["orgkeep.dev"]:
                continue
            for resource in rule["resources"]:
                kind, _, sub = resource.partition("/")
                allowed = {
                    "": {"get", "list", "watch"} | ({"create", "patch", "delete"} if kind == "snapshots" else set()),
                    "status": {"patch"},
                    "finalizers": {"update"},
                }[sub]
                assert set(rule["verbs"]) <= allowed, f"{resource}: {rule['verbs']}"


def test_rules_name_exactly_the_installed_kinds():
    """the plurals in the roles are those of the definitions"""
    assert {crd["spec"]["names"]["plural"] for crd in crds()} == KINDS
    for objects in variants():
        for role in of_kind(objects, *ROLES):
            for rule in role["rules"]:
                if rule["apiGroups"] == ["orgkeep.dev"]:
                    assert {resource.split("/")[0] for resource in rule["resources"]} <= KINDS


def test_named_namespaces_need_next_to_nothing_cluster_wide():
    """with watchNamespaces the operator's ClusterRole is `get` of things by name"""
    objects = render(values="namespaced")
    cluster_wide = [rule for role, rule in operator_rules(objects) if role["kind"] == "ClusterRole"]
    assert cluster_wide
    for rule in cluster_wide:
        assert rule["resourceNames"] and rule["verbs"] == ["get"], rule
    assert [rule["resources"] for rule in cluster_wide] == [["customresourcedefinitions"]], "clusterId is set"
    assert {role["metadata"]["namespace"] for role in of_kind(objects, "Role")} == {"team-a", "team-b", "backup-system"}


def test_leases_are_in_the_own_namespace_only():
    """the election's role is not cluster-wide"""
    for objects in variants():
        for role, rule in operator_rules(objects):
            if "leases" in rule["resources"]:
                assert role["kind"] == "Role" and role["metadata"]["namespace"] == "backup-system"


def test_the_pod_is_restricted():
    """Pod Security Standard restricted, a read-only root, and bounded scratch space"""
    for objects in variants():
        pod = one(objects, "Deployment")["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 65532
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not any(pod.get(shared) for shared in ("hostNetwork", "hostPID", "hostIPC", "initContainers"))
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]
            assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
            assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        for volume in pod["volumes"]:
            assert volume["emptyDir"]["sizeLimit"], volume


def test_the_operator_is_told_what_the_values_say():
    """arguments by value"""
    args = {}
    for variant in VARIANTS:
        container = one(render(**variant), "Deployment")["spec"]["template"]["spec"]["containers"][0]
        assert container["args"][0] == "operator"
        args[variant.get("values")] = container["args"]
    assert "--worker-image=localhost/orgkeep:0.1.0" in args[None]
    assert not any(arg.startswith(("--watch-namespaces", "--cluster-id", "--no-leader")) for arg in args[None])
    assert {"--watch-namespaces=team-a,team-b", "--cluster-id=blue", "--worker-service-account=orgkeep-worker"} <= set(
        args["namespaced"]
    )
    assert "--worker-image=registry.example.com/orgkeep-worker:7" in args["full"]
    alone = one(render("--set", "leaderElection.enabled=false"), "Deployment")
    assert "--no-leader-election" in alone["spec"]["template"]["spec"]["containers"][0]["args"]
    assert alone["spec"]["strategy"]["type"] == "Recreate"


def test_every_argument_is_one_that_the_operator_knows():
    """names of the options as the command line declares them"""
    declared = (CHART.parent.parent / "operator/orgkeep/src/cli.rs").read_text()
    options = re.findall(r"^    pub\(crate\) (\w+):", declared.split("struct OperatorArgs {")[1].split("\n}")[0], re.M)
    assert "worker_image" in options
    for variant in [*VARIANTS, {"args": ["--set", "leaderElection.enabled=false"]}]:
        container = one(render(*variant.pop("args", []), **variant), "Deployment")["spec"]["template"]["spec"]["containers"][0]
        for arg in container["args"][1:]:
            assert arg.removeprefix("--").split("=")[0].replace("-", "_") in options, arg


def test_what_selects_the_operator_finds_it():
    """every selector of the operator's pods matches their labels"""
    objects = render(*MONITORING, values="full")
    labels = one(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    selectors = [one(objects, "Deployment")["spec"]["selector"]["matchLabels"], one(objects, "Service")["spec"]["selector"]]
    for kind in ("PodDisruptionBudget", "PodMonitor"):
        selectors.append(one(objects, kind)["spec"]["selector"]["matchLabels"])
    policies = {policy["metadata"]["name"]: policy for policy in of_kind(objects, "NetworkPolicy")}
    selectors.append(policies["keep-keeper"]["spec"]["podSelector"]["matchLabels"])
    (peer,) = policies["keep-keeper-worker"]["spec"]["ingress"][0]["from"]
    selectors.append(peer["podSelector"]["matchLabels"])
    for selector in selectors:
        assert selector.items() <= labels.items(), f"{selector} does not match {labels}"
    service = one(objects, "ServiceMonitor")["spec"]["selector"]["matchLabels"]
    assert service.items() <= one(objects, "Service")["metadata"]["labels"].items()


def test_workers_are_shut_in():
    """a worker's policy: in only from the operator, out only where said"""
    policy = next(p for p in of_kind(render(values="full"), "NetworkPolicy") if p["metadata"]["name"].endswith("-worker"))
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert [rule["ports"] for rule in policy["spec"]["ingress"]] == [[{"port": 8081, "protocol": "TCP"}]]
    dns, org, minio = policy["spec"]["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert {port["port"] for port in org["ports"]} == {443, 8443}
    assert [to["ipBlock"]["cidr"] for to in org["to"]] == ["198.51.100.0/24", "2001:db8::/32"]
    assert minio["ports"] == [{"port": 9000, "protocol": "TCP"}]


def test_definitions_are_rendered_and_kept():
    """each file of files/crds comes out unchanged but for Helm's metadata"""
    assert CRD_FILES, "files/crds is empty: cargo xtask crds"
    rendered = {crd["metadata"]["name"]: crd for crd in of_kind(render(), "CustomResourceDefinition")}
    assert len(rendered) == len(CRD_FILES)
    for crd in crds():
        out = rendered[crd["metadata"]["name"]]
        assert out["spec"] == crd["spec"], crd["metadata"]["name"]
        assert out["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
        assert (crd["metadata"].get("annotations") or {}).items() <= out["metadata"]["annotations"].items()
    unkept = of_kind(render("--set", "crds.keep=false"), "CustomResourceDefinition")
    assert len(unkept) == len(CRD_FILES)
    for crd in unkept:
        assert "helm.sh/resource-policy" not in crd["metadata"].get("annotations", {})
    assert not of_kind(render("--set", "crds.install=false"), "CustomResourceDefinition")


def test_the_listing_names_the_definitions():
    """Artifact Hub's list of kinds is that of the files"""
    listed = yaml.safe_load(yaml.safe_load((CHART / "Chart.yaml").read_text())["annotations"]["artifacthub.io/crds"])
    assert {(entry["name"], entry["kind"]) for entry in listed} == {
        (crd["metadata"]["name"], crd["spec"]["names"]["kind"]) for crd in crds()
    }


def test_monitors_need_their_kinds():
    """PodMonitor and ServiceMonitor are made only where they can be"""
    assert not of_kind(render(values="full"), "PodMonitor", "ServiceMonitor")
    assert len(of_kind(render(*MONITORING, values="full"), "PodMonitor", "ServiceMonitor")) == 2


def test_values_that_make_no_sense_are_refused():
    """the schema, and what a schema cannot say"""
    refused = {
        "unknown=1": "unknown",
        "image.pulPolicy=Always": "pulPolicy",
        "worker.networkPolicy.egressPort=1": "egressPort",
        "image.digest=abc": "digest",
        "image.pullPolicy=Sometimes": "pullPolicy",
        "watchNamespaces={Team_A}": "watchNamespaces",
        "networkPolicy.apiServerCidrs={not-a-cidr}": "apiServerCidrs",
        "networkPolicy.apiServerPorts=null": "apiServerPorts",
        "replicaCount=2,leaderElection.enabled=false": "leaderElection",
        "metrics.serviceMonitor.enabled=true": "metrics.service.enabled",
    }
    for setting, word in refused.items():
        code, _, err = helm("template", "keep", CHART, "--set", setting)
        assert code != 0, f"{setting} was taken"
        assert word in err, f"{setting}: {err}"


def test_every_value_is_described():
    """what the schema allows stands in values.yaml, with its default"""
    schema = json.loads((CHART / "values.schema.json").read_text())

    def compare(schema, values, path):
        if "$ref" in schema or schema.get("additionalProperties") is not False:
            return
        for name, part in schema["properties"].items():
            if path + [name] in (["global"], ["resources", "claims"]):
                continue
            assert name in values, ".".join(path + [name])
            compare(part, values[name], path + [name])

    compare(schema, yaml.safe_load((CHART / "values.yaml").read_text()), [])


def test_long_names_fit():
    """the longest release name still gives names of at most 63 characters"""
    for obj in render(*MONITORING, "--set", "metrics.service.enabled=true", release="r" * 53, values="namespaced"):
        if obj["kind"] not in ("CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"):
            assert len(obj["metadata"]["name"]) <= 63, obj["metadata"]["name"]


def test_rendering_is_stable():
    """rendered twice, the same text: no random part that would restart pods"""
    assert template(values="full") == template(values="full")
