#!/usr/bin/env python3
"""Runs the scenarios on the cluster that KUBECONFIG names (run.sh sets everything up): every function of the modules
below whose name begins with test_, in order. Prints what fails with the state of the cluster, and last how many passed
and failed; exits 1 if any failed.

run.py [WORD]...   only scenarios whose names contain one of the words"""

import importlib
import sys
import time
import traceback

import bed

MODULES = ["quickstart_test", "operator_test", "worker_test", "input_test"]


def scenarios(words):
    for module in map(importlib.import_module, MODULES):
        for name, test in vars(module).items():
            if name.startswith("test_") and (not words or any(word in name for word in words)):
                yield name, test


passed = failed = 0
bed.install()
for name, test in scenarios(sys.argv[1:]):
    print(f"--- {name}: {(test.__doc__ or '').strip()}", flush=True)
    began = time.monotonic()
    try:
        test()
        passed += 1
        word = "ok"
    except Exception:
        failed += 1
        word = "FAILED"
        traceback.print_exc(file=sys.stdout)
        bed.show()
    print(f"--- {name}: {word} after {time.monotonic() - began:.1f} s", flush=True)
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
