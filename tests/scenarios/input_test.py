"""Bad input gets a clear answer, does no harm, and heals by itself."""

import json

from bed import (
    NAMESPACE, Backup, apply, condition, connection, ended, every, get, kubectl, new_key, object_of, run, secret, until, vault,
)  # fmt: skip

# More pods than this for one object within the scenario's minutes is a storm.
MOST_JOBS = 12


def reason(kind, name):
    """The reason why the object is not Ready, or None."""
    ready = condition(get(kind, name))
    return ready["reason"] if ready.get("status") == "False" else None


def answered(kind, name, *wanted, timeout=120):
    """Waits for one of the reasons, with words for a person."""
    seen = set()

    def look():
        seen.add(reason(kind, name))
        return reason(kind, name) in wanted

    try:
        until(f"{kind}/{name} to say {' or '.join(wanted)}", look, timeout)
    except AssertionError as late:
        raise AssertionError(f"{late}; it said {seen}") from None
    message = condition(get(kind, name))["message"]
    print(f"    {kind}/{name}: {reason(kind, name)}: {message}", flush=True)
    assert len(message) > 10, message


def ready(kind, name, timeout=120):
    until(f"{kind}/{name} to be Ready", lambda: condition(get(kind, name)).get("status") == "True", timeout)


def fresh(*names):
    for kind, name in names:
        kubectl("delete", kind, name, "--ignore-not-found", "--wait")


def with_secret(name, key="clientSecret"):
    auth = {"clientCredentials": {"clientId": "orgkeep", "clientSecretRef": {"name": name, "key": key}}}
    return connection(auth=auth)


def test_connections_that_cannot_work():
    """each says why; a Secret that is made later heals"""
    fresh(("secret", "later"), *(("sfc", name) for name in ("no-secret", "no-key", "wrong-secret", "nowhere", "sandbox")))
    apply(
        secret("wrong", clientSecret="not-it"),
        object_of("SalesforceConnection", "no-secret", with_secret("later")),
        object_of("SalesforceConnection", "no-key", with_secret("wrong", "password")),
        object_of("SalesforceConnection", "wrong-secret", with_secret("wrong")),
        object_of("SalesforceConnection", "nowhere", connection(loginUrl=f"http://nowhere.{NAMESPACE}.svc:8080")),
        object_of("SalesforceConnection", "sandbox", connection(environment="Sandbox")),
    )
    answered("sfc", "no-secret", "SecretNotFound")
    answered("sfc", "no-key", "SecretKeyNotFound")
    answered("sfc", "wrong-secret", "AuthenticationFailed")
    answered("sfc", "nowhere", "OrgUnreachable")
    answered("sfc", "sandbox", "EnvironmentMismatch")
    apply(secret("later", clientSecret="orgkeep-secret"))
    ready("sfc", "no-secret", timeout=240)
    no_storm()


def test_vaults_that_cannot_work():
    """each says why; nothing is written by the wrong key"""
    names = ("good", "other-key", "bad-key", "no-bucket", "refused", "read-only", "no-store")
    fresh(*(("bv", name) for name in names))
    prefix = Backup("good").prefix
    ready("bv", "good")
    apply(
        secret("other-key", key=new_key()),
        secret("bad-key", key="short"),
        secret("s3-wrong", AWS_ACCESS_KEY_ID="orgkeep-testbed", AWS_SECRET_ACCESS_KEY="wrong"),
        secret("s3-reader", AWS_ACCESS_KEY_ID="orgkeep-reader", AWS_SECRET_ACCESS_KEY="orgkeep-reader-secret"),
        object_of("BackupVault", "other-key", vault(prefix, key="other-key")),
        object_of("BackupVault", "bad-key", vault("bad-key", key="bad-key")),
        object_of("BackupVault", "no-bucket", vault("x", bucket="no-such-bucket")),
        object_of("BackupVault", "refused", vault("x", credentialsSecretRef={"name": "s3-wrong"})),
        object_of("BackupVault", "read-only", vault("x", credentialsSecretRef={"name": "s3-reader"})),
        object_of("BackupVault", "no-store", vault("x", endpoint=f"http://nowhere.{NAMESPACE}.svc:8333")),
    )
    answered("bv", "other-key", "WrongEncryptionKey")
    answered("bv", "bad-key", "InvalidEncryptionKey")
    answered("bv", "no-bucket", "BucketNotFound")
    answered("bv", "refused", "VaultAccessDenied")
    answered("bv", "read-only", "VaultReadOnly", "VaultAccessDenied")
    answered("bv", "no-store", "VaultUnreachable")
    ready("bv", "good")
    no_storm()


def test_backups_that_cannot_work():
    """a missing reference, a backup that waits for a broken vault, an object that is not there; mended, it runs"""
    backup = Backup("unknown-object")
    fresh(("sfb", "no-reference"))
    spec = {"connectionRef": {"name": "nobody"}, "vaultRef": {"name": "unknown-object"}, "schedule": {"preset": "Daily", "hourUtc": 2}}
    apply(object_of("SalesforceBackup", "no-reference", spec))
    answered("sfb", "no-reference", "ReferenceNotFound")
    name = backup.run_now(scope={"objects": {"include": ["Account", "NoSuch__c"]}})
    snapshot = ended(name, wanted=("Failed", "PartiallySucceeded"))
    words = str(snapshot["status"])
    assert "ObjectNotFound" in words and "NoSuch__c" in words, words
    ended(backup.run_now(scope={"objects": {"include": ["Contact"]}}))
    no_storm()


def test_what_is_refused_when_applied():
    """a name too long, two ways to sign in, a schedule twice: by the API server, with words"""
    backup = {"connectionRef": {"name": "org"}, "vaultRef": {"name": "good"}}
    twice = {**backup, "schedule": {"preset": "Daily", "cron": "0 2 * * *"}}
    plain = connection()
    del plain["insecure"]
    for obj, words in (
        (object_of("SalesforceBackup", "n" * 41, backup), "at most 40 characters"),
        (object_of("SalesforceBackup", "twice", twice), "cron"),
        (object_of("SalesforceConnection", "plain", plain), "insecure"),
    ):
        done = run("kubectl", "-n", NAMESPACE, "create", "-f", "-", stdin=json.dumps(obj), check=False)
        assert done.returncode != 0 and words in done.stderr, done.stderr
        print(f"    {done.stderr.strip().splitlines()[-1][:200]}")


def no_storm():
    """No object has had more than a few Jobs made for it: counted by events, which outlive the Jobs."""
    made = {}
    for event in every("events"):
        if event.get("reason") == "SuccessfulCreate" and event["involvedObject"]["kind"] == "Job":
            job = event["involvedObject"]["name"]
            made[job] = made.get(job, 0) + event.get("count", 1)
    storms = {job: count for job, count in made.items() if count > MOST_JOBS}
    assert not storms, storms
