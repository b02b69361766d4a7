"""Runs the cases of one client, and prints a JSON line for each: {"case", "ok", "seconds", "detail"}."""

import json
import os
import re
import signal
import sys
import time

import requests

FACTS = json.loads(os.environ["INTEROP_FACTS"])
CASES = {}


def case(name):
    def register(call):
        CASES[name] = call
        return call

    return register


def equal(found, expected):
    if found != expected:
        raise AssertionError(f"{found!r} is not {expected!r}")


def refused(call, words):
    """The call fails, and says why in these words or by this code."""
    try:
        answer = call()
    except Exception as error:  # noqa: BLE001: clients have many kinds
        said = f"{type(error).__name__}: {error} {vars(error)}"
        if not re.search(words, said):
            raise AssertionError(f"refused, but in other words: {said}") from error
    else:
        raise AssertionError(f"not refused: {str(answer)[:200]}")


def meanwhile(method, path, body=None, seconds_ago=0):
    """What another user does in the org."""
    response = requests.request(method, f"{FACTS['control']}/{path}?secondsAgo={seconds_ago}", json=body, timeout=10)
    response.raise_for_status()
    return response.json() if response.content else None


def late(*_):
    raise TimeoutError("no end after 30 s")


def run():
    signal.signal(signal.SIGALRM, late)
    for name, call in CASES.items():
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        began, detail = time.time(), ""
        signal.alarm(30)
        try:
            call()
        except Exception as error:  # noqa: BLE001
            detail = f"{type(error).__name__}: {error}"
        signal.alarm(0)
        print(json.dumps({"case": name, "ok": not detail, "seconds": time.time() - began, "detail": detail[:400]}), flush=True)
