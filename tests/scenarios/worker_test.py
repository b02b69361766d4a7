"""Workers killed in mid run."""

import hashlib
import json

from bed import ACCOUNTS, ENDED, WORKERS, Backup, condition, ended, every, get, kill, org_calls, until, worker_at_work


def digest(backup, snapshot):
    """Of all accounts as they are read back, and how many they are."""
    rows = backup.vault("read", "--snapshot", snapshot["status"]["snapshotId"], "--object", "Account", "--format", "csv")
    return hashlib.sha256(rows.encode()).hexdigest(), rows.count("\n") - 1


def test_worker_killed_in_mid_run():
    """Succeeded all the same, by a second pod, with equal content and at most 1.2 times the calls of a run in peace"""
    backup = Backup("worker-killed")
    start = org_calls()
    peace = ended(backup.run_now())
    middle = org_calls()
    name = backup.run_now()
    victim = worker_at_work(name, records=ACCOUNTS // 4)
    assert kill(victim) == 1, "the worker's process was not found"

    def another():
        pods = every("pods", f"{WORKERS},orgkeep.dev/owner-name={name}")
        return [pod for pod in pods if pod["metadata"]["uid"] != victim["metadata"]["uid"]]

    second = until("a second worker", another)
    print(f"    killed {victim['metadata']['name']}, then came {second[0]['metadata']['name']}")
    killed = ended(name)
    assert digest(backup, killed) == digest(backup, peace)
    calls = org_calls() - middle, middle - start
    print(f"    calls: {calls[0]} beside {calls[1]} in peace")
    assert calls[0] <= 1.2 * calls[1], calls
    told = killed["status"]["apiCalls"]
    assert told >= 0.8 * calls[0], f"the status tells of {told} calls, the org counted {calls[0]}"
    backup.vault("verify")


def test_worker_killed_beyond_its_back_off():
    """Failed/WorkerLost, nothing visible in the vault, nothing stuck: the next run succeeds"""
    backup = Backup("worker-lost")
    name, killed = backup.run_now(), 0

    def dead():
        nonlocal killed
        snapshot = get("sfsnap", name)
        if snapshot["status"].get("phase") in ENDED:
            return snapshot
        for pod in every("pods", f"{WORKERS},orgkeep.dev/owner-name={name}"):
            if pod["status"].get("phase") in ("Pending", "Running"):
                killed += kill(pod)
        return None

    snapshot = until(f"the end of {name}", dead, timeout=300, pause=0.1)
    print(f"    {killed} workers killed")
    ready = condition(snapshot)
    assert snapshot["status"]["phase"] == "Failed" and ready["reason"] == "WorkerLost", (snapshot["status"]["phase"], ready)
    listed = json.loads(backup.vault("snapshots", "--output", "json") or "[]")
    assert not (listed if isinstance(listed, list) else listed.get("snapshots")), f"a lost run is visible: {listed}"
    # the lost run's lease on the line has to lapse first, which takes two minutes
    ended(backup.run_now(), timeout=300)
