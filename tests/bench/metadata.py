#!/usr/bin/env python3
"""metadata.py SIMULATOR CORPUS [REPOSITORY...]: loads each repository below CORPUS into an org, lists and retrieves all
of it through the Metadata API, and holds what came against the files of the repository. The judge here knows source
format by itself, and shares nothing with the simulator."""

import base64
import collections
import io
import json
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ET
import zipfile

MOST = 2_000  # components of one retrieve
NS = "http://soap.sforce.com/2006/04/metadata"
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
ORG = """name: Round trip
users:
  - {{username: admin@round.example, password: secret, permissions: [ApiEnabled, ViewAllData, ModifyMetadata]}}
connectedApps:
  - {{clientId: app, clientSecret: app-secret, flows: [Password]}}
metadata: [{folder}]
"""


class Org:
    """A signed-in session with the Metadata API."""

    def __init__(self, address):
        form = {"grant_type": "password", "client_id": "app", "client_secret": "app-secret"}
        form |= {"username": "admin@round.example", "password": "secret"}
        with urllib.request.urlopen(f"{address}/services/oauth2/token", urllib.parse.urlencode(form).encode()) as answer:
            self.token = json.load(answer)["access_token"]
        self.url = f"{address}/services/Soap/m/63.0"

    def call(self, operation, content):
        body = (
            f"<e:Envelope xmlns:e='{ENVELOPE}' xmlns='{NS}'><e:Header><SessionHeader><sessionId>{self.token}</sessionId>"
            f"</SessionHeader></e:Header><e:Body><{operation}>{content}</{operation}></e:Body></e:Envelope>"
        )
        request = urllib.request.Request(self.url, body.encode(), {"Content-Type": "text/xml", "SOAPAction": '""'})
        try:
            with urllib.request.urlopen(request) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{operation}: {error.read().decode()[:500]}") from None
        return ET.fromstring(text).find(f".//{{{NS}}}{operation}Response")

    def names(self, types):
        """Type and name of all components of these types, three types a call."""
        found = []
        for at in range(0, len(types), 3):
            queries = "".join(
                f"<queries>{f'<folder>{folder}</folder>' if folder else ''}<type>{of}</type></queries>"
                for of, folder in types[at : at + 3]
            )
            for result in self.call("listMetadata", queries):
                found.append((text(result, "type"), text(result, "fullName")))
        return found

    def retrieve(self, members):
        types = collections.defaultdict(list)
        for of, name in members:
            types[of].append(name)
        asked = "".join(
            f"<types>{''.join(f'<members>{escape(name)}</members>' for name in names)}<name>{of}</name></types>"
            for of, names in types.items()
        )
        content = (
            f"<retrieveRequest><apiVersion>63.0</apiVersion><singlePackage>true</singlePackage><unpackaged>{asked}"
            "<version>63.0</version></unpackaged></retrieveRequest>"
        )
        job = text(self.call("retrieve", content)[0], "id")
        while True:
            poll = f"<asyncProcessId>{job}</asyncProcessId><includeZip>true</includeZip>"
            result = self.call("checkRetrieveStatus", poll)[0]
            if text(result, "done") == "true":
                break
            time.sleep(0.02)
        if text(result, "success") != "true":
            raise SystemExit(f"the retrieve failed: {text(result, 'errorMessage')}")
        packed = base64.b64decode(text(result, "zipFile"))
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        files.pop("package.xml")
        return files, [text(message, "problem") for message in result.findall(f"{{{NS}}}messages")], len(packed)


def escape(value):
    return value.replace("&", "&amp;").replace("<", "&lt;")


def text(element, name):
    return element.findtext(f"{{{NS}}}{name}") or ""


def local(tag):
    return tag.rpartition("}")[2]


def said(element, ordered=False):
    """What an element says: names, types and texts; with the order of elements, or without."""
    within = [said(child, ordered) for child in element]
    if not ordered:
        within.sort(key=repr)
    value = "" if within else (element.text or "")
    kinds = tuple(sorted((local(name), value) for name, value in element.attrib.items() if local(name) != "schemaLocation"))
    return local(element.tag), kinds, value, tuple(within)


class Judge:
    """Holds the files of a repository against those of a package."""

    def __init__(self, root, files, described):
        self.root, self.files = root, files
        self.described = described
        self.verdicts = collections.Counter()
        self.differences = []
        self.parsed = {}

    def document(self, path):
        if path not in self.parsed:
            self.parsed[path] = ET.fromstring(self.files[path]) if path in self.files else None
        return self.parsed[path]

    def tell(self, verdict, path, what=""):
        self.verdicts[verdict] += 1
        if verdict in ("missing", "different"):
            self.differences.append(f"{path}: {verdict}{f' ({what})' if what else ''}")

    def same_bytes(self, path, target):
        if target not in self.files:
            return self.tell("missing", path, target)
        came = self.files[target]
        self.tell("byte for byte" if came == path.read_bytes() else "different", path, "content")

    def same_document(self, path, target):
        if target not in self.files:
            return self.tell("missing", path, target)
        was = path.read_bytes()
        if was.rstrip() == self.files[target].rstrip():
            return self.tell("byte for byte", path)
        self.same_element(path, ET.fromstring(was), self.document(target))

    def same_element(self, path, was, came):
        """The root's name is the file's, so what is within is compared."""
        was.tag = came.tag
        if said(was, True) == said(came, True):
            self.tell("other form", path)
        elif said(was) == said(came):
            self.tell("other order of elements", path)
        else:
            self.tell("different", path, "what it says")

    def part(self, path, document, element, key="fullName"):
        """A file of its own that is an element of a document."""
        was = ET.fromstring(path.read_bytes())
        name = text(was, key)
        root = self.document(document)
        came = [] if root is None else [child for child in root if local(child.tag) == element and text(child, key) == name]
        if len(came) != 1:
            return self.tell("missing", path, f"{len(came)} in {document}")
        self.same_element(path, was, came[0])

    def within(self, path, document):
        """A document whose elements are among those of another one, which holds more."""
        root = self.document(document)
        if root is None:
            return self.tell("missing", path, document)
        has = collections.Counter(said(child) for child in root)
        lacks = [local(child.tag) for child in ET.fromstring(path.read_bytes()) if not has[said(child)]]
        self.tell("different" if lacks else "among others", path, ", ".join(sorted(set(lacks))))

    def resource(self, path, name, inner):
        target = f"staticresources/{name}.resource"
        if target not in self.files:
            return self.tell("missing", path, target)
        with zipfile.ZipFile(io.BytesIO(self.files[target])) as archive:
            same = inner in archive.namelist() and archive.read(inner) == path.read_bytes()
        self.tell("byte for byte" if same else "different", path, inner)

    def file(self, path):
        parts = path.relative_to(self.root).parts
        name = parts[-1]
        if any(part in ("__tests__", "jest-mocks") or part.startswith(".") for part in parts) or name == "jsconfig.json":
            return self.tell("no metadata", path)
        for at, part in enumerate(parts[:-1]):
            if part in ("lwc", "aura", "experiences", "digitalExperiences"):
                return self.same_bytes(path, "/".join(parts[at:]))
            if part == "staticresources":
                if name.endswith(".resource-meta.xml"):
                    return self.same_document(path, f"staticresources/{name}")
                if len(parts) > at + 2:
                    return self.resource(path, parts[at + 1], "/".join(parts[at + 2 :]))
                return self.same_bytes(path, f"staticresources/{name.split('.')[0]}.resource")
            if part == "documents":
                return self.of_documents(path, "/".join(parts[at:]))
        if name.endswith("-meta.xml"):
            return self.meta(path, parts, name.removesuffix("-meta.xml"))
        return self.bare(path, parts, name)

    def of_documents(self, path, place):
        if place.endswith(".documentFolder-meta.xml"):
            return self.same_document(path, place.replace(".documentFolder-meta", "-meta"))
        if place.endswith(".document-meta.xml"):
            stem = place.removesuffix("document-meta.xml")
            found = [file for file in self.files if file.startswith(stem) and file.endswith("-meta.xml")]
            return self.same_document(path, found[0] if found else place)
        return self.same_document(path, place) if place.endswith("-meta.xml") else self.same_bytes(path, place)

    def meta(self, path, parts, base):
        stem, _, suffix = base.rpartition(".")
        if suffix == "object":
            return self.within(path, f"objects/{stem}.object")
        if suffix == "objectTranslation":
            return self.within(path, f"objectTranslations/{stem}.objectTranslation")
        if suffix == "fieldTranslation":
            return self.part(path, f"objectTranslations/{parts[-2]}.objectTranslation", "fields", "name")
        if len(parts) > 3 and parts[-4] == "objects":
            return self.part(path, f"objects/{parts[-3]}.object", parts[-2])
        if suffix == "labels":
            return self.within(path, "labels/CustomLabels.labels")
        if suffix.endswith("Folder"):
            return self.same_document(path, f"{parts[-2]}/{stem}-meta.xml")
        return self.place(path, parts, stem, suffix, meta=True)

    def bare(self, path, parts, name):
        stem, _, suffix = name.rpartition(".")
        if suffix == "object":
            return self.within(path, f"objects/{stem}.object")
        described = path.with_name(name + "-meta.xml").exists()
        if described or any(directory in parts for directory, _, _ in self.described.get(suffix, [])):
            return self.place(path, parts, stem, suffix, meta=False)
        return self.tell("no metadata", path)

    def place(self, path, parts, stem, suffix, meta):
        known = self.described.get(suffix, [])
        known = [of for of in known if of[0] in parts] or known
        if not known:
            return self.tell("no metadata", path)
        directory, in_folder, has_meta = known[0]
        folder = f"{parts[-2]}/" if in_folder else ""
        target = f"{directory}/{folder}{stem}.{suffix}"
        if not has_meta:
            return self.same_document(path, target)
        return self.same_document(path, target + "-meta.xml") if meta else self.same_bytes(path, target)


def round_trip(simulator, name, folder):
    with tempfile.TemporaryDirectory() as directory:
        (pathlib.Path(directory) / "org.yaml").write_text(ORG.format(folder=json.dumps(str(folder))))
        began = time.monotonic()
        command = [simulator, "--org", directory, "--listen", "127.0.0.1:0", "--bulk-job-ms", "0", "--until-stdin-ends"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            address = json.loads(process.stdout.readline())["address"]
            loaded = time.monotonic() - began
            try:
                report(name, folder, Org(address), loaded)
            finally:
                process.stdin.close()


def report(name, folder, org, loaded):
    began = time.monotonic()
    described = collections.defaultdict(list)
    types, folders = [], []
    kinds = {"Report": "ReportFolder", "Dashboard": "DashboardFolder", "Document": "DocumentFolder", "EmailTemplate": "EmailFolder"}
    for of in org.call("describeMetadata", "<asOfVersion>63.0</asOfVersion>")[0]:
        if local(of.tag) != "metadataObjects":
            continue
        in_folder = text(of, "inFolder") == "true"
        described[text(of, "suffix")].append((text(of, "directoryName"), in_folder, text(of, "metaFile") == "true"))
        (folders if in_folder else types).append((text(of, "xmlName"), None))
    members = org.names(types)
    for of, _ in folders:
        listed = [folder for _, folder in org.names([(kinds[of], None)])]
        members += [(of, folder) for folder in listed]
        members += org.names([(of, folder) for folder in listed]) if listed else []
    files, problems, packed, calls = {}, [], 0, 0
    for at in range(0, len(members), MOST):
        came, told, size = org.retrieve(members[at : at + MOST])
        files |= came
        problems += told
        packed += size
        calls += 1
    seconds = time.monotonic() - began
    judge = Judge(folder, files, described)
    source = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in source:
        judge.file(path)
    size = sum(len(content) for content in files.values())
    print(f"{name}: {len(source)} files loaded in {loaded:.1f} s; {len(members)} components listed and retrieved in {calls} calls: "
          f"{len(files)} files, {size} bytes, zips of {packed} bytes, {seconds:.1f} s")
    for verdict, count in judge.verdicts.most_common():
        print(f"  {count:6} {verdict}")
    for line in problems + [line.replace(str(folder), name) for line in judge.differences]:
        print(f"  {line}")
    return not judge.differences and not problems


def main():
    simulator, corpus, *only = sys.argv[1:]
    with tempfile.TemporaryDirectory() as unpacked:
        for entry in sorted(pathlib.Path(corpus).iterdir()):
            name = re.sub(r"\.tar\.gz$", "", entry.name)
            if only and name not in only:
                continue
            if entry.name.endswith(".tar.gz"):
                with tarfile.open(entry) as archive:
                    archive.extractall(unpacked, filter="data")
                entry = pathlib.Path(unpacked) / name
            if entry.is_dir():
                round_trip(simulator, name, entry)


main()
