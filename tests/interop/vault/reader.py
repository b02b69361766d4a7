"""A reader of vaults in a folder, written from docs/vault-format.md alone: keys, signatures, digests, and rows by
pyarrow. It shares nothing with Orgkeep; whoever leaves Orgkeep can start from here."""

import base64
import hashlib
import json
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NO_COLUMN = ("address", "location", "base64", "complexvalue")


def derive(secret, salt, purpose):
    return HKDF(SHA256(), 32, salt.encode(), b"orgkeep/1 " + purpose.encode()).derive(secret)


def unseal(key, bound_to, sealed):
    data = base64.b64decode(sealed)
    return AESGCM(key).decrypt(data[:12], data[12:], bound_to.encode())


class Kms(pe.KmsClient):
    """Hands pyarrow the data keys: their wrapped form is in each file's footer."""

    def __init__(self, vault):
        pe.KmsClient.__init__(self)
        self.vault = vault

    def wrap_key(self, key_bytes, master_key_identifier):
        raise NotImplementedError("this only reads")

    def unwrap_key(self, wrapped_key, master_key_identifier):
        return self.vault.data_key(wrapped_key.decode() if isinstance(wrapped_key, bytes) else wrapped_key)


class Vault:
    """A vault in a folder, opened with the cluster's key (32 bytes)."""

    def __init__(self, folder, key):
        self.folder = pathlib.Path(folder)
        self.document = self.mutable("vault.json")
        self.id = self.document["vaultId"]
        self.root = self.unwrap_root(key)

    def mutable(self, name):
        """A file that changes is a row of generations; the highest number counts."""
        stem = self.folder / name.removesuffix(".json")
        generations = stem.parent.glob(f"{stem.name}.*.json")
        return json.loads(max(generations, key=lambda path: int(path.name.split(".")[-2])).read_bytes())

    def unwrap_root(self, key):
        name = derive(key, self.id, "key id")[:8].hex()
        for recipient in self.document["recipients"]:
            if recipient["type"] == "key" and recipient["keyId"] == name:
                return unseal(derive(key, self.id, "root key"), self.id, recipient["wrapped"])
        raise KeyError("this key does not open the vault")

    def data_key(self, wrapped):
        return unseal(derive(self.root, self.id, "data keys"), self.id, wrapped)

    def lines(self):
        return sorted(path.name for path in (self.folder / "lines").iterdir())

    def manifests(self, line):
        """The snapshots of a line, oldest first, each with its signature checked."""
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(self.document["signingKey"]))
        redactions = list(self.redactions(line, public))
        for path in sorted((self.folder / "lines" / line / "snapshots").glob("*.json")):
            manifest = json.loads(path.read_bytes())
            signature = base64.b64decode(manifest.pop("signature"))
            text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            public.verify(signature, b"orgkeep-manifest-v1\n" + text.encode())
            if manifest["kind"] == "snapshot":
                yield self.redacted(manifest, redactions)

    def redactions(self, line, public):
        """What was erased, in order, each with its signature, number and parent checked."""
        before = None
        for number, path in enumerate(sorted((self.folder / "lines" / line / "redactions").glob("*.json")), 1):
            data = path.read_bytes()
            redaction = json.loads(data)
            signature = base64.b64decode(redaction.pop("signature"))
            text = json.dumps(redaction, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            public.verify(signature, b"orgkeep-redaction-v1\n" + text.encode())
            assert redaction["number"] == number and redaction.get("parent", {}).get("digest") == before, path
            before = "sha256:" + hashlib.sha256(data).hexdigest()
            yield redaction

    def redacted(self, manifest, redactions):
        """The manifest with the files that stand in the place of those that had erased records."""
        for redaction in redactions:
            if redaction["through"] < manifest["seq"]:
                continue
            new = {entry["old"]["path"]: entry for entry in redaction["files"]}
            states = {entry["old"]: entry for entry in redaction["states"]}
            for entry in manifest["objects"]:
                path = entry.get("state", {}).get("path")
                if path in states:
                    assert new[path]["old"] == entry["state"], path
                    entry["state"], entry["records"] = new[path]["new"], states[path]["records"]
            trees = {entry["old"]: entry["new"] for entry in redaction.get("trees", [])}
            manifest["trees"] = [
                {**trees.get(tree["tree"]["file"]["path"], tree), "name": tree["name"]}
                for tree in manifest.get("trees", [])
            ]
            files = [new.get(file["path"], {"new": file}).get("new") for file in manifest["files"]]
            manifest["files"] = [file for file in files if file]
        return manifest

    def file(self, ref):
        """Bytes of a file that a manifest or a state names, held against size and digest."""
        data = (self.folder / ref["path"]).read_bytes()
        assert len(data) == ref["size"] and hashlib.sha256(data).hexdigest() == ref["sha256"], ref["path"]
        return data

    def state(self, entry):
        return json.loads(self.file(entry["state"]))

    def rows(self, entry):
        """An object's rows by Id: base parts, then deltas over them; `_raw` put in place of what fits no column."""
        connection, factory = pe.KmsConnectionConfig(), pe.CryptoFactory(lambda _: Kms(self))
        state, merged = self.state(entry), {}
        columns = [f["name"] for f in state["schema"]["fields"] if f["type"] not in NO_COLUMN]
        for part in state["parts"]:
            data = pa.BufferReader(self.file(part))
            properties = factory.file_decryption_properties(connection) if part.get("wrappedKey") else None
            for batch in pq.ParquetFile(data, decryption_properties=properties).iter_batches():
                for row in batch.to_pylist():
                    if row["_op"] == "delete":
                        merged.pop(row["Id"], None)
                    else:
                        merged[row["Id"]] = plain(row, columns)
        return merged


def plain(row, columns=None):
    """The record itself: the fields of the snapshot's schema (without one those of the file); what the file leaves out
    is null, and values that fit no type are back as text."""
    raw = json.loads(row.get("_raw") or "{}")
    names = columns or [name for name in row if not name.startswith("_")]
    return {name: raw.get(name, row.get(name)) for name in names}
