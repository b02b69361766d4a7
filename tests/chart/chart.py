"""What the tests of the chart share: rendering it and finding objects in it."""

import pathlib
import subprocess

import yaml

HERE = pathlib.Path(__file__).resolve().parent
CHART = HERE.parent.parent / "charts" / "orgkeep"
CRD_FILES = sorted((CHART / "files" / "crds").glob("*.yaml"))
NAMESPACE = "backup-system"
MONITORING = ("--api-versions", "monitoring.coreos.com/v1")


def helm(*args):
    """Runs helm; returns (exit code, standard output, standard error)."""
    done = subprocess.run(["helm", *map(str, args)], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def template(*args, values=None, release="keep", namespace=NAMESPACE):
    """The rendered YAML as text; fails with helm's words if it is refused."""
    files = ["--values", HERE / f"values-{values}.yaml"] if values else []
    code, out, err = helm("template", release, CHART, "--namespace", namespace, *files, *args)
    assert code == 0, err
    return out


def render(*args, **kwargs):
    """The rendered objects."""
    return [doc for doc in yaml.safe_load_all(template(*args, **kwargs)) if doc]


def of_kind(objects, *kinds):
    return [obj for obj in objects if obj["kind"] in kinds]


def one(objects, kind):
    found = of_kind(objects, kind)
    assert len(found) == 1, f"{len(found)} objects of kind {kind}"
    return found[0]


def crds():
    """The definitions as they are in the chart's files."""
    return [yaml.safe_load(path.read_text()) for path in CRD_FILES]
