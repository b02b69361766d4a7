#!/usr/bin/env python3
"""metadata_client.py SIMULATOR METADATA_COPY CORPUS [NAME ...]: a round trip of real metadata through the client: an org made of
the source, all of it retrieved and held against the source, deployed into an empty org, and retrieved again."""

import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ET

SIMULATOR, COPY, CORPUS = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
NAMES = sys.argv[4:] or ["camel-it", "dreamhouse-lwc", "ebikes-lwc", "npsp"]
SECRET = {"SF_CLIENT_ID": "bench", "SF_CLIENT_SECRET": "bench-secret"}
SHOWN = 12
ORG = """
name: {name}
type: Sandbox
users:
  - {{username: admin@bench.example, profile: System Administrator, permissions: [ApiEnabled, ViewAllData, ModifyAllData, ModifyMetadata, AuthorApex, CustomizeApplication]}}
connectedApps:
  - {{clientId: bench, clientSecret: bench-secret, flows: [ClientCredentials], runAs: admin@bench.example}}
"""
# folders of an object's parts, which are elements of its file in a package
PARTS = "fields validationRules recordTypes listViews webLinks fieldSets compactLayouts businessProcesses indexes sharingReasons".split()


class Org:
    """A served org."""

    def __init__(self, folder, name, source=None, objects=None):
        folder.mkdir()
        text = ORG.format(name=name)
        if source:
            text += f"metadata: [{json.dumps(str(source))}]\n"
        (folder / "org.yaml").write_text(text)
        (folder / "schema.yaml").write_text(json.dumps({"objects": objects or {}}))
        self.errors = open(folder / "errors", "w+")
        self.process = subprocess.Popen(
            [SIMULATOR, "--org", folder, "--listen", "127.0.0.1:0", "--until-stdin-ends"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
        )
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise SystemExit(f"{name}: the simulator does not start: {self.errors.read()[-2000:]}")
        self.address = json.loads(line)["address"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


class Installed:
    """What an org has before a deploy: standard objects, and what the source only builds on (NPSP: five managed packages that
    are not in it): objects that it has no label for, and fields that a refused deploy names. Of what type these are
    nobody can tell from the source: a field called like such an object points to it, one called a date is one."""

    MANAGED = re.compile(r"\w+?__\w+__c")
    FIELD = (re.compile(r"CustomField (\w+)\.\w+: Field (\w+) does not exist"), re.compile(r"no CustomField named (\w+)\.(\w+) found"))

    def __init__(self, first):
        self.objects, self.fields = {}, 0
        for path in (first / "objects").glob("*.object"):
            if "__" not in path.stem and path.stem != "Activity":
                self.objects[path.stem] = {"fields": {}}
            elif self.MANAGED.fullmatch(path.stem) and b"<label>" not in path.read_bytes().split(b"<fields>")[0]:
                self.objects[path.stem] = {"label": path.stem, "fields": {}}
        for name in ("Account", "Campaign", "Case", "Contact", "Lead", "Opportunity"):
            self.objects.setdefault(name, {"fields": {}})
        # layouts name many fields, a refusal just the first one
        for path in (first / "layouts").glob("*.layout"):
            fields = re.findall(r"<field>(\w+)</field>", path.read_text())
            object = path.stem.split("-")[0]
            known = first / f"objects/{object}.object"
            known = known.read_text() if known.exists() else ""
            missing = [field for field in fields if f"<fullName>{field}</fullName>" not in known]
            self.learn(f"no CustomField named {object}.{field} found" for field in missing)
        self.managed = sum("__" in name for name in self.objects)

    def learn(self, problems):
        """Whether these problems name fields that the org lacks, which it has then."""
        before = self.fields
        for found in (pattern.search(str(problem)) for problem in problems for pattern in self.FIELD):
            if not found or not self.MANAGED.fullmatch(found[2]) or found[2] in self.objects.get(found[1], {"fields": [found[2]]})["fields"]:
                continue
            kind = {"type": "date"} if "Date" in found[2] else {"type": "string", "length": 255}
            if found[2] in self.objects:
                kind = {"type": "reference", "to": [found[2]], "relationship": found[2].replace("__c", "__r")}
            self.objects[found[1]]["fields"][found[2]] = kind
            self.fields += 1
        return self.fields > before


def copy(org, what, folder):
    env = {**os.environ, **SECRET, "SF_LOGIN_URL": org.address}
    done = subprocess.run([COPY, what, folder], env=env, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{what} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def local(tag):
    return tag.rpartition("}")[2]


def canon(element):
    """What an element says, whatever the order of its children and the space between them."""
    children = sorted((canon(child) for child in element), key=repr)
    return (local(element.tag), "" if children else (element.text or "").strip(), tuple(children))


def document(content):
    try:
        return ET.fromstring(content)
    except ET.ParseError:
        return None


def files_of(folder):
    return {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}


def same(left, right):
    left, right = left.read_bytes(), right.read_bytes()
    if left == right:
        return True
    one, two = document(left), document(right)
    return one is not None and two is not None and canon(one) == canon(two)


def packaged(source):
    """Files of a package of the Metadata API, but for what describes the package."""
    left_out = {"package.xml", "LICENSE.txt", "LICENSE", ".gitignore"}
    return {name: path for name, path in files_of(source).items() if path.name not in left_out}


def within(source, place):
    """Whether all that a file says is in the other one; a standard object comes with its standard fields, too."""
    if not place.exists():
        return False
    if same(source, place):
        return True
    one, two = document(source.read_bytes()), document(place.read_bytes())
    if source.suffix != ".object" or one is None or two is None:
        return False
    return {canon(child) for child in one} <= {canon(child) for child in two}


def place_of(rest, retrieved):
    """The file of a package that holds a file of source format, and the element in it that the file is; None: all of it."""
    kind, name = rest[0], rest[-1]
    if kind == "objects" and len(rest) > 2:
        return retrieved / f"objects/{rest[1]}.object", rest[2] if rest[2] in PARTS else "*"
    if kind == "objectTranslations" and len(rest) > 2:
        whole = retrieved / f"objectTranslations/{rest[1]}.objectTranslation"
        return whole, "fields" if name.endswith(".fieldTranslation-meta.xml") else "*"
    if kind == "labels":
        return retrieved / "labels/CustomLabels.labels", "*"
    if kind == "staticresources" and len(rest) > 2:
        return None, None  # kept as a folder, retrieved as a zip
    folder = re.fullmatch(r"(.+)\.(document|email|report|dashboard)Folder-meta\.xml", name)
    if folder:
        return retrieved / kind / f"{folder[1]}-meta.xml", None
    if kind == "documents" and name.endswith(".document-meta.xml"):
        stem = name.removesuffix(".document-meta.xml")
        found = sorted((retrieved / kind / rest[1]).glob(f"{stem}.*-meta.xml"))
        exact = retrieved / kind / rest[1] / f"{'.'.join(stem.rsplit('_', 1))}-meta.xml"
        return exact if exact.exists() or not found else found[0], None
    # folders within that of a type are the developers' own
    for way in (rest, [kind, name]):
        for target in ("/".join(way), "/".join(way).removesuffix("-meta.xml")):
            if (retrieved / target).exists():
                return retrieved / target, None
    if kind == "staticresources":
        return retrieved / kind / f"{name.rpartition('.')[0]}.resource", None
    return retrieved / "/".join(rest), None


def in_source_format(source, retrieved):
    """Files of source format, each with what differs from the package or None."""
    tops = {path.name for path in retrieved.iterdir() if path.is_dir()}
    documents = {}
    told = []
    for name, path in files_of(source).items():
        parts = name.split("/")
        top = next((n for n in range(len(parts) - 1, -1, -1) if parts[n] in tops), None)
        if top is None and re.search(r"\.cls(-meta\.xml)?$", name):
            parts, top = ["classes", parts[-1]], 0  # code is known by what its name ends with, wherever it stands
        if top is None or name.endswith((".eslintrc.json", "jsconfig.json", ".utam.json")) or "__tests__" in parts:
            if name.endswith("-meta.xml"):
                told.append((name, "no folder for it"))
            continue  # not metadata
        place, element = place_of(parts[top:], retrieved)
        if place is None:
            continue
        if not place.exists():
            told.append((name, "not retrieved"))
        elif element:
            if place not in documents:
                documents[place] = {canon(child) for child in document(place.read_bytes())}
            own = canon(document(path.read_bytes()))
            wanted = own[2] if element == "*" else [(element,) + own[1:]]
            missing = [want for want in wanted if want not in documents[place]]
            told.append((name, "elements differ" if missing else None))
        else:
            told.append((name, None if same(path, place) else "differs"))
    return told


def show(what, differences):
    counts = collections.Counter(reason for _, reason in differences)
    print(f"  {what}: {sum(counts.values())} differences" + "".join(f"; {n} {reason}" for reason, n in counts.items()))
    for name, reason in differences[:SHOWN]:
        print(f"    {name}: {reason}")
    if len(differences) > SHOWN:
        print(f"    … and {len(differences) - SHOWN} more")


def compare(before, after):
    one, two = files_of(before), files_of(after)
    told = [(name, "gone") for name in one if name not in two]
    told += [(name, "differs") for name in one if name in two and not same(one[name], two[name])]
    exact = sum(name in two and one[name].read_bytes() == two[name].read_bytes() for name in one)
    return told, exact


def round_trip(name, source, work):
    print(f"{name}: {len(files_of(source))} files of source", flush=True)
    first, second = work / "first", work / "second"
    with Org(work / "org", name, source) as org:
        got = copy(org, "retrieve", first)
    print(
        f"  retrieved {got['components']} components, {got['files']} files, {got['bytes']:,} bytes ({got['zipped']:,} zipped) in "
        f"{got['packages']} packages, {got['seconds']:.1f} s (listing {got['listSeconds']:.1f} s); {len(got['bad'])} bad, "
        f"{len(got['missing'])} that the org does not have, {len(got['listFailed'])} types not listed"
    )
    for problem in got["bad"][:SHOWN] + got["listFailed"][:SHOWN] + got["conflicts"][:SHOWN] + got["messages"][:SHOWN]:
        print(f"    {problem}")
    if (source / "package.xml").exists():
        told = [(n, None if within(p, first / n) else "differs or not retrieved") for n, p in packaged(source).items()]
    else:
        told = in_source_format(source, first)
    equal = sum(reason is None for _, reason in told)
    print(f"  held against the source: {equal} of {len(told)} files equal")
    show("source", [(n, reason) for n, reason in told if reason])
    if os.environ.get("ORGKEEP_BENCH_DEPLOY") == "no":
        return len(got["bad"])
    installed = Installed(first)
    for round in range(20):
        with Org(work / f"empty{round}", f"{name} again", objects=installed.objects) as org:
            sent = copy(org, "deploy", first)
            if installed.learn(sent["problems"]):
                continue
            print(
                f"  deployed {sent['deployed']} of {sent['components']} components, {sent['files']} files in {sent['chunks']} chunks, "
                f"{sent['seconds']:.1f} s; {len(sent['problems'])} problems, {len(sent['unknown'])} files of no type; the org had "
                f"{installed.managed} objects and {installed.fields} fields of packages that are not in the source"
            )
            for problem in sent["problems"][:SHOWN] + sent["unknown"][:SHOWN]:
                print(f"    {problem}")
            again = copy(org, "retrieve", second)
            break
    else:
        raise SystemExit(f"the org lacks ever more: {sent['problems'][:SHOWN]}")
    print(f"  retrieved again {again['files']} files, {again['bytes']:,} bytes, {again['seconds']:.1f} s")
    told, exact = compare(first, second)
    print(f"  held against the first: {exact} of {len(files_of(first))} files equal byte for byte")
    show("round trip", told)
    return len(got["bad"]) + len(sent["problems"]) + len(told)


def main():
    wrong = 0
    for name in NAMES:
        with tempfile.TemporaryDirectory() as work:
            work = pathlib.Path(work)
            source = CORPUS / name
            if not source.exists():
                with tarfile.open(CORPUS / f"{name}.tar.gz") as packed:
                    packed.extractall(work / "source", filter="data")
                source = work / "source" / name
            wrong += round_trip(name, source, work)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
