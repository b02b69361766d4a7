#!/usr/bin/env python3
"""Makes a container image (docker-archive tar) from files of this machine; no registry, no docker.

mkimage.py OUT.tar NAME:TAG [SRC=/DEST]... [--entrypoint JSON] [--env K=V]... [--user UID] [--busybox] [--bin PROGRAM]...
Load it with: ctr -n k8s.io images import OUT.tar
The same inputs give the same bytes: times and owners are fixed."""

import argparse
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("ref")
    parser.add_argument("--entrypoint", type=json.loads, default=["/bin/sleep", "infinity"])
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--user", default="")
    parser.add_argument("--busybox", action="store_true", help="add Debian's static busybox and a link for each applet")
    parser.add_argument("--bin", action="append", default=[], help="add a program with the libraries that ldd names")
    parser.add_argument("files", nargs="*", metavar="SRC=/DEST")
    return parser.parse_args()


class Layer:
    """One layer: directories come by themselves, everything belongs to root and is from 1970."""

    def __init__(self):
        self.buffer = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buffer, mode="w", format=tarfile.PAX_FORMAT)
        self.directories = set()

    def add(self, name, data=None, **attributes):
        info = tarfile.TarInfo(name.strip("/"))
        for key, value in attributes.items():
            setattr(info, key, value)
        info.size = len(data or b"")
        self.tar.addfile(info, io.BytesIO(data) if data is not None else None)

    def directory(self, name, mode=0o755):
        if name not in self.directories:
            self.directories.add(name)
            self.add(name, type=tarfile.DIRTYPE, mode=mode)

    def file(self, source, destination):
        parts = destination.strip("/").split("/")
        for end in range(1, len(parts)):
            self.directory("/".join(parts[:end]))
        with open(source, "rb") as file:
            self.add(destination, file.read(), mode=0o755 if os.access(source, os.X_OK) else 0o644)

    def bytes(self):
        self.tar.close()
        return self.buffer.getvalue()


def libraries(program):
    """What the program is linked with, and the loader."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return re.findall(r"(/\S+) \(0x", listed)


def layer(wanted):
    made = Layer()
    made.directory("tmp", 0o1777)
    made.directory("bin")
    made.directory("etc")
    made.add("etc/passwd", b"root:x:0:0::/:/bin/sh\nnonroot:x:65532:65532::/:/bin/false\n", mode=0o644)
    if wanted.busybox:
        made.file("/bin/busybox", "/bin/busybox")
        for applet in subprocess.check_output(["/bin/busybox", "--list"], text=True).split():
            if applet != "busybox":
                made.add(f"bin/{applet}", type=tarfile.SYMTYPE, linkname="busybox")
    sources = {destination: source for source, destination in (pair.split("=", 1) for pair in wanted.files)}
    for program in wanted.bin:
        sources[f"/bin/{os.path.basename(program)}"] = program
        sources.update((library, library) for library in libraries(program))
    for destination, source in sorted(sources.items()):
        made.file(source, destination)
    return made.bytes()


def main():
    wanted = arguments()
    blob = layer(wanted)
    digest = hashlib.sha256(blob).hexdigest()
    config = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Entrypoint": wanted.entrypoint, "User": wanted.user, "WorkingDir": "/", "Env": ["PATH=/bin", *wanted.env]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    config = json.dumps(config).encode()
    identity = hashlib.sha256(config).hexdigest()
    manifest = json.dumps([{"Config": f"{identity}.json", "RepoTags": [wanted.ref], "Layers": [f"{digest}.tar"]}]).encode()
    with tarfile.open(wanted.out, "w") as out:
        for name, data in ((f"{identity}.json", config), (f"{digest}.tar", blob), ("manifest.json", manifest)):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            out.addfile(info, io.BytesIO(data))
    print(f"{wanted.ref} {len(blob)} bytes sha256:{identity[:12]}")


main()
